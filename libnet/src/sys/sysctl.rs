//! Kernel settings under `/proc/sys/net`, of the calling thread's network namespace.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::Mode,
};

use crate::types::IfName;

/// Where they are. The kernel resolves `net` by the namespace of the thread that opens the file.
const ROOT: &str = "/proc/sys/net";

/// The value as the kernel writes it, without the line end.
pub(crate) fn read(key: &str) -> io::Result<String> {
    Ok(fs::read_to_string(path(key))?.trim_end().to_owned())
}

/// Sets the value.
pub(crate) fn write(key: &str, value: &str) -> io::Result<()> {
    fs::write(path(key), value)
}

/// `ipv4/conf/eth0.10/forwarding`: names of interfaces may contain dots, so that keys are written with slashes.
fn path(key: &str) -> PathBuf {
    Path::new(ROOT).join(key)
}

/// The names in a folder of settings.
pub(crate) fn list(folder: &str) -> io::Result<Vec<String>> {
    let names =
        fs::read_dir(path(folder))?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

/// The IPv6 settings of links, as a folder that is open: it stays that of the namespace that it was opened in, and what is
/// below it is found at once. By its whole path, the kernel would look for it among those of all namespaces: it keeps
/// folders of one name in one chain.
#[derive(Debug)]
pub(crate) struct LinksV6(Option<File>);

impl LinksV6 {
    /// Those of the calling thread's namespace; a kernel without IPv6 has none.
    pub(crate) fn open() -> io::Result<Self> {
        match File::open(path("ipv6/conf")) {
            Ok(folder) => Ok(Self(Some(folder))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }

    /// Whether the kernel has IPv6, or had it when this was opened.
    pub(crate) fn are_there(&self) -> bool {
        self.0.is_some()
    }

    /// `sysctl net.ipv6.conf.LINK.disable_ipv6=1`
    pub(crate) fn disable(&self, link: &IfName) -> io::Result<()> {
        let Some(folder) = &self.0 else { return Ok(()) };
        let file = Path::new(link.as_str()).join("disable_ipv6");
        match openat(folder, &file, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()) {
            // IPv6 was switched off with `ipv6.disable=1` for links made since, or the link is gone.
            Err(Errno::ENOENT) => Ok(()),
            opened => File::from(opened?).write_all(b"1"),
        }
    }
}
