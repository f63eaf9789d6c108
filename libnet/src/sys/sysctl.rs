//! Kernel settings under `/proc/sys/net`, of the calling thread's network namespace.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, btree_map::Entry},
    fs::{self, File},
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::Mode,
};

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use crate::types::IfName;

/// Where they are. The kernel resolves `net` by the namespace of the thread that opens the file.
const ROOT: &str = "/proc/sys/net";

/// The value as the kernel writes it, without the line end.
pub(crate) fn read(key: &str) -> io::Result<String> {
    Settings::here().read(key)
}

/// The settings of the namespace that the calling thread is in at the first use of each folder, for whoever has several to
/// read or write. Folders stay open, and are looked for in an instance of proc of their own: the kernel keeps folders of one
/// name in one chain for each instance, and a folder of one of a thousand namespaces is looked for among those of all.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// `ipv4`, `ipv6` and their like.
    folders: RefCell<BTreeMap<String, File>>,
    /// The instance of proc; none where the kernel makes none for us.
    proc: OnceCell<Option<OwnedFd>>,
}

impl Settings {
    /// Those of the calling thread's namespace.
    pub(crate) fn here() -> Self {
        Self::default()
    }

    /// The value as the kernel writes it, without the line end. Names of interfaces may contain dots, so that keys are
    /// written with slashes: `ipv4/conf/eth0.10/forwarding`.
    pub(crate) fn read(&self, key: &str) -> io::Result<String> {
        let mut value = String::new();
        self.open(key, OFlag::O_RDONLY)?.read_to_string(&mut value)?;
        Ok(value.trim_end().to_owned())
    }

    /// Sets the value.
    pub(crate) fn write(&self, key: &str, value: &str) -> io::Result<()> {
        self.open(key, OFlag::O_WRONLY)?.write_all(value.as_bytes())
    }

    fn open(&self, key: &str, how: OFlag) -> io::Result<File> {
        let (folder, rest) = key.split_once('/').ok_or(io::ErrorKind::InvalidInput)?;
        let mut folders = self.folders.borrow_mut();
        let folder = match folders.entry(folder.to_owned()) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(free) => {
                let opened = self.folder(folder)?;
                free.insert(opened)
            }
        };
        Ok(openat(folder, rest, how | OFlag::O_CLOEXEC, Mode::empty())?.into())
    }

    fn folder(&self, name: &str) -> io::Result<File> {
        let Some(proc) = self.proc.get_or_init(|| own_proc().ok()) else {
            return File::open(Path::new(ROOT).join(name));
        };
        let path = Path::new("sys/net").join(name);
        Ok(openat(proc, &path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?.into())
    }
}

/// An instance of proc that is mounted nowhere and knows no folders yet. Each mount is an instance since Linux 5.8; before,
/// this is another name for the one that all share.
fn own_proc() -> io::Result<OwnedFd> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// The names in a folder of settings.
pub(crate) fn list(folder: &str) -> io::Result<Vec<String>> {
    let names = fs::read_dir(Path::new(ROOT).join(folder))?;
    names.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// The IPv6 settings of links, as a folder that is open: it stays that of the namespace that it was opened in.
#[derive(Debug)]
pub(crate) struct LinksV6(Option<File>);

impl LinksV6 {
    /// Those of the calling thread's namespace; a kernel without IPv6 has none.
    pub(crate) fn open() -> io::Result<Self> {
        match File::open(Path::new(ROOT).join("ipv6/conf")) {
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

#[cfg(test)]
mod tests {
    use std::thread;

    use nix::libc;

    use super::*;
    use crate::sys::filter;

    /// From now on the calling thread finds itself on a kernel that knows no `fsopen`.
    fn forget_fsopen() {
        let number = u32::try_from(libc::SYS_fsopen).unwrap();
        let unknown = libc::SECCOMP_RET_ERRNO | Errno::ENOSYS as u32;
        // The first word of `struct seccomp_data` is the number of the call.
        let mut program = [
            filter::load(0),
            filter::next_if(number),
            filter::ret(unknown),
            filter::ret(libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: 4, filter: program.as_mut_ptr() };
        // SAFETY: the kernel reads a `sock_fprog` that points to as many instructions as it says; both live until the call
        // returns, and it keeps neither.
        let result = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, std::ptr::from_ref(&program))
        };
        Errno::result(result).unwrap();
    }

    #[test]
    fn a_kernel_that_makes_no_proc_for_us_has_settings_all_the_same() {
        let key = "ipv4/conf/lo/forwarding";
        own_proc().unwrap();
        let here = Settings::here();
        let value = here.read(key).unwrap();
        assert!(here.proc.get().is_some_and(Option::is_some));
        let elsewhere = thread::spawn(move || {
            forget_fsopen();
            assert_eq!(own_proc().unwrap_err().raw_os_error(), Some(Errno::ENOSYS as i32));
            let here = Settings::here();
            let value = here.read(key).unwrap();
            assert!(here.proc.get().is_some_and(Option::is_none));
            value
        });
        assert_eq!(elsewhere.join().unwrap(), value);
    }
}
