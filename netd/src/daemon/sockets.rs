//! The sockets that the API is served on: bound before anything else is started, so that a second daemon fails before
//! it touches anything, and early clients wait instead of being turned away.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt as _, MetadataExt as _},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

use libnet::types::Port;
use rustix::net::{AddressFamily, sockopt};

use crate::config::{Listen, SocketGroup};

/// Readable and writable for root and the group, for nobody else.
const MODE: u32 = 0o660;

/// The group that owns the socket if no other one is named.
const GROUP: &str = "pontoon";

/// A socket that the API is served on.
#[derive(Debug)]
pub enum Socket {
    /// A unix socket.
    Unix(UnixListener),
    /// A TCP socket.
    Tcp(TcpListener),
}

impl Socket {
    /// The port of a TCP socket that is reached from elsewhere than the host itself.
    pub(super) fn private_port(&self) -> Option<Port> {
        let Self::Tcp(listener) = self else { return None };
        let address = listener.local_addr().ok().filter(|address| !address.ip().is_loopback())?;
        Port::new(address.port())
    }
}

/// All sockets, and the paths to remove when they are closed.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) sockets: Vec<Socket>,
    pub(super) paths: Paths,
}

/// Paths of sockets that are ours: removed when dropped, unless somebody else has taken them over.
#[derive(Debug, Default)]
pub(super) struct Paths(Vec<(PathBuf, u64)>);

/// We can't listen.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Something else has that path.
    #[error("{} exists and is not a socket: remove it, or choose another path with --host", .0.display())]
    NotASocket(PathBuf),
    /// A process answers there.
    #[error("another process is listening on {}: stop it, or choose another path with --host", .0.display())]
    InUse(PathBuf),
    /// The kernel said no.
    #[error("cannot listen on {at}: {source}")]
    Bind {
        /// Where.
        at: String,
        /// Why not.
        source: io::Error,
    },
    /// The group does not exist.
    #[error("cannot give the socket {} to the group {group}: {why}", path.display())]
    Group {
        /// The socket.
        path: PathBuf,
        /// The group.
        group: String,
        /// Why not.
        why: String,
    },
    /// `fd://` without anything handed over.
    #[error("no sockets found via socket activation: make sure the service was started by systemd")]
    NothingInherited,
    /// What was handed over can't be listened on.
    #[error("a socket handed over by the service manager cannot be used: {0}")]
    Inherited(io::Error),
}

/// Binds everything that `hosts` names. `inherited` are the sockets of `fd://`.
pub(super) fn bind(
    hosts: &[Listen],
    group: &SocketGroup,
    inherited: Vec<OwnedFd>,
) -> Result<Sockets, SocketError> {
    let mut all = Sockets::default();
    let mut inherited = Some(inherited);
    for host in hosts {
        match host {
            Listen::Unix(path) => {
                all.sockets.push(Socket::Unix(unix(path)?));
                all.paths.remember(path);
                give(path, group)?;
            }
            Listen::Tcp(address) => all.sockets.push(Socket::Tcp(tcp(*address)?)),
            Listen::Inherited => match inherited.take() {
                Some(given) if !given.is_empty() => {
                    for fd in given {
                        all.sockets.push(adopt(fd).map_err(SocketError::Inherited)?);
                    }
                }
                _ => return Err(SocketError::NothingInherited),
            },
        }
    }
    Ok(all)
}

fn unix(path: &Path) -> Result<UnixListener, SocketError> {
    make_way(path)?;
    let failed = |source| SocketError::Bind { at: format!("unix://{}", path.display()), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    // The mode is that of the umask from the first moment on; nobody can slip in before a chmod.
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o777 & !MODE));
    let bound = UnixListener::bind(path);
    nix::sys::stat::umask(before);
    let listener = bound.map_err(failed)?;
    Ok(listener)
}

/// Removes a socket that nobody listens on any more.
fn make_way(path: &Path) -> Result<(), SocketError> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
    if !there.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|source| SocketError::Bind { at: format!("unix://{}", path.display()), source }),
        _ => Err(SocketError::InUse(path.to_owned())),
    }
}

fn give(path: &Path, group: &SocketGroup) -> Result<(), SocketError> {
    let (name, must) = match group {
        SocketGroup::Default => (GROUP, false),
        SocketGroup::Named(name) => (name.as_str(), true),
    };
    let failed = |why: String| SocketError::Group { path: path.to_owned(), group: name.to_owned(), why };
    let by_number = name.parse().ok().map(nix::unistd::Gid::from_raw);
    let found = match by_number {
        Some(gid) => Some(gid),
        None => nix::unistd::Group::from_name(name)
            .map_err(|errno| failed(errno.to_string()))?
            .map(|group| group.gid),
    };
    match found {
        Some(gid) => nix::unistd::chown(path, None, Some(gid)).map_err(|errno| failed(errno.to_string())),
        None if must => Err(failed("there is no such group".to_owned())),
        None => Ok(()),
    }
}

fn tcp(address: SocketAddr) -> Result<TcpListener, SocketError> {
    TcpListener::bind(address).map_err(|source| SocketError::Bind { at: format!("tcp://{address}"), source })
}

/// A socket for what is only read.
pub(super) fn bind_metrics(address: SocketAddr) -> Result<Socket, SocketError> {
    tcp(address).map(Socket::Tcp)
}

fn adopt(fd: OwnedFd) -> io::Result<Socket> {
    if !sockopt::socket_acceptconn(&fd)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a listening socket"));
    }
    match sockopt::socket_domain(&fd)? {
        AddressFamily::UNIX => Ok(Socket::Unix(fd.into())),
        AddressFamily::INET | AddressFamily::INET6 => Ok(Socket::Tcp(fd.into())),
        other => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("its family is {other:?}"))),
    }
}

impl Paths {
    fn remember(&mut self, path: &Path) {
        if let Ok(there) = fs::symlink_metadata(path) {
            self.0.push((path.to_owned(), there.ino()));
        }
    }
}

impl Drop for Paths {
    fn drop(&mut self) {
        for (path, inode) in &self.0 {
            if fs::symlink_metadata(path).is_ok_and(|there| there.ino() == *inode) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn bind_one(path: &Path) -> Result<Sockets, SocketError> {
        bind(&[Listen::Unix(path.to_owned())], &SocketGroup::Default, Vec::new())
    }

    #[test]
    fn a_socket_is_private_and_goes_with_us() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/pontoon.sock");
        let sockets = bind_one(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert!(bind_one(&path).unwrap_err().to_string().starts_with("another process is listening on "));
        drop(sockets);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_daemon_left_is_replaced_and_what_is_not_ours_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pontoon.sock");
        drop(UnixListener::bind(&path).unwrap());
        let first = bind_one(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = bind_one(&path).unwrap();
        drop(first);
        assert!(path.exists(), "the first daemon must not remove the second one's socket");
        drop(second);
        fs::write(&path, "precious").unwrap();
        assert!(bind_one(&path).unwrap_err().to_string().contains("exists and is not a socket"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn activation_needs_sockets() {
        let bound = |fds| bind(&[Listen::Inherited], &SocketGroup::Default, fds);
        assert!(
            bound(Vec::new()).unwrap_err().to_string().starts_with("no sockets found via socket activation")
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(matches!(bound(vec![listener.into()]).unwrap().sockets[..], [Socket::Tcp(_)]));
        let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(bound(vec![stranger.into()]).is_err());
    }

    #[test]
    fn a_named_group_must_exist() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pontoon.sock");
        let named = SocketGroup::Named("no-such-group-here".to_owned());
        let text = bind(&[Listen::Unix(path)], &named, Vec::new()).unwrap_err().to_string();
        assert!(text.ends_with("to the group no-such-group-here: there is no such group"), "{text}");
    }
}
