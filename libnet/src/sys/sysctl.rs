//! Kernel settings under `/proc/sys/net`, of the calling thread's network namespace.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

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
