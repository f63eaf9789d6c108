//! Network namespaces: handles to enter them with, their names and who lives in them, and a pool of ready ones for
//! sandboxes.
//!
//! A handle never changes the namespace of the thread that uses it; work inside runs on a thread that is thrown away.

mod cable;
mod exec;
mod holder;
mod names;
mod pool;
mod processes;
mod ready;
mod reference;

pub use cable::{CableEnd, CableError, join};
pub use exec::{ETC, ExecError, Program};
pub use holder::Holder;
pub use names::{Identity, Named, add, named};
pub(crate) use pool::Pool;
pub use processes::{Process, namespace_of, processes};
pub use ready::DnsSockets;
pub(crate) use ready::{Borrowed, Ready};
pub use reference::{NAMES, Reference, ReferenceError, is_name};

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    path::Path,
};

use crate::{
    link::{self, Which},
    sys::{ethtool, netns as sys, rtnl::RtSocket},
    types::IfName,
};

/// Loopback is made first in every namespace.
const LOOPBACK: u32 = 1;

/// An open network namespace; it lives at least as long as this.
#[derive(Debug)]
pub struct NetNs(File);

impl NetNs {
    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// If `/proc` can't be read.
    pub fn current() -> io::Result<Self> {
        sys::own().map(Self)
    }

    /// The namespace that is bind-mounted at `path`, as `ip netns add` leaves them.
    ///
    /// # Errors
    /// If there is no file; `InvalidInput`: one that is no network namespace.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if !sys::is_namespace(&file)? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a network namespace"));
        }
        Ok(Self(file))
    }

    /// A new namespace with nothing but loopback, up.
    ///
    /// # Errors
    /// If the kernel makes none.
    pub fn create() -> io::Result<Self> {
        sys::run_in_new(|| {
            RtSocket::open()?.send(vec![link::up(Which::Index(LOOPBACK))]).map_err(io::Error::other)?;
            Self::current()
        })?
    }

    /// Runs `work` inside, on a thread of its own. What `work` opens stays in the namespace.
    ///
    /// # Errors
    /// If the namespace can't be entered.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        sys::run_in(self.0.as_fd(), work)
    }

    /// Makes a folder for names, as `ip netns add` makes `/run/netns`.
    pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
        sys::make_folder(folder)
    }

    /// Names the namespace, in the manner of `ip netns`.
    ///
    /// # Errors
    /// If `path` exists or can't be mounted on.
    pub fn bind(&self, path: &Path) -> io::Result<()> {
        sys::bind(self.0.as_fd(), path)
    }

    /// Takes the name `path` away; the namespace ends with its last user.
    ///
    /// # Errors
    /// If it can't be unmounted.
    pub fn unbind(path: &Path) -> io::Result<()> {
        sys::unbind(path)
    }

    /// Whether both are the same namespace.
    ///
    /// # Errors
    /// If they can't be asked.
    pub fn is(&self, other: &Self) -> io::Result<bool> {
        Ok(self.identity()? == other.identity()?)
    }

    /// What tells it from others.
    ///
    /// # Errors
    /// If it can't be asked.
    pub fn identity(&self) -> io::Result<Identity> {
        let (device, inode) = sys::identity(self.0.as_fd())?;
        Ok(Identity::new(device, inode))
    }

    /// Makes the kernel complete the checksums of what leaves through `link` of this namespace (`ethtool -K LINK tx
    /// off`). A veth pair leaves that to whoever takes the packet off the machine; a program that reads packets from its
    /// other end gets them unfinished.
    ///
    /// # Errors
    /// If there is no such link, or it can't be told.
    pub fn complete_checksums(&self, link: &IfName) -> io::Result<()> {
        self.run(|| ethtool::disable_tx_checksum(link))?
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
