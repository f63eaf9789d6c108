//! Names of namespaces: files in one folder that namespaces are mounted on, shared with `ip netns`.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::NetNs;

/// What tells one namespace from another while both exist: device and inode of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Of the namespace that `path` leads to, without opening it; `None`: there is nothing.
    pub fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|file| Self::new(file.dev(), file.ino()))
    }

    pub(super) const fn new(device: u64, inode: u64) -> Self {
        Self { device, inode }
    }

    /// The number that `lsns`, `ls -l /proc/PID/ns` and the kernel's logs show.
    pub const fn inode(self) -> u64 {
        self.inode
    }
}

/// A name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The namespace; `None`: a file that somebody left behind.
    pub namespace: Option<Identity>,
}

/// All names in a folder, sorted; none if there is no such folder.
///
/// # Errors
/// If the folder can't be read.
pub fn named(folder: &Path) -> io::Result<Vec<Named>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut all = entries.map(|entry| Ok(read(&entry?))).collect::<io::Result<Vec<_>>>()?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn read(entry: &fs::DirEntry) -> Named {
    let path = entry.path();
    let namespace = NetNs::open(&path).and_then(|netns| netns.identity()).ok();
    Named { name: entry.file_name().to_string_lossy().into_owned(), path, namespace }
}

/// Makes a namespace with a name, with nothing but loopback, up.
///
/// # Errors
/// `AlreadyExists` if the name is taken; nothing is left then.
pub fn add(folder: &Path, name: &str) -> io::Result<PathBuf> {
    NetNs::make_folder(folder)?;
    let path = folder.join(name);
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    NetNs::create()?.bind(&path)?;
    Ok(path)
}
