//! Which processes live in which namespace, as `/proc` has it.

use std::{collections::HashMap, fs, io, path::Path};

use super::Identity;

/// A process in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// What it is called (`comm`), at most 15 bytes.
    pub name: String,
}

/// All processes whose namespace may be seen, by namespace, each list in order of number. Processes that end meanwhile
/// are left out, and so are threads with a namespace of their own.
///
/// # Errors
/// If `/proc` can't be read.
pub fn processes() -> io::Result<HashMap<Identity, Vec<u32>>> {
    let mut all: HashMap<Identity, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(namespace) = namespace_of(pid) {
            all.entry(namespace).or_default().push(pid);
        }
    }
    all.values_mut().for_each(|list| list.sort_unstable());
    Ok(all)
}

/// The namespace of a process; `None`: it has ended, or is not ours to see.
pub fn namespace_of(pid: u32) -> Option<Identity> {
    Identity::at(Path::new(&format!("/proc/{pid}/ns/net")))
}

impl Process {
    /// With its name, as far as it still has one.
    pub fn read(pid: u32) -> Self {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Self { pid, name: name.trim_end().to_owned() }
    }
}
