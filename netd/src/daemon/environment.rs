//! What the environment says. Most is what systemd says to a service: which sockets it hands over, and where it wants to
//! hear of the service's state. Both protocols are small enough to be spoken by hand: sd_listen_fds(3) and sd_notify(3).

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use crate::config::LinkVariables;

/// `SD_LISTEN_FDS_START` of sd-daemon.h.
const FIRST_SOCKET: i32 = 3;

/// The variables of the environment that matter to a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    sockets: i32,
    notify: Option<OsString>,
    system_bus: Option<OsString>,
    link_variables: LinkVariables,
}

/// Where the service's state is told; without systemd it is told to nobody.
#[derive(Debug, Default)]
pub struct Notify(Option<(UnixDatagram, SocketAddr)>);

impl Environment {
    /// Picks what matters. Sockets that are meant for another process are left alone.
    pub fn from_vars(vars: impl IntoIterator<Item = (OsString, OsString)>, pid: u32) -> Self {
        let (mut meant_for, mut sockets, mut notify, mut system_bus) = (None, None, None, None);
        let mut link_variables = LinkVariables::Absent;
        for (name, value) in vars {
            match name.as_bytes() {
                b"LISTEN_PID" => meant_for = number(&value),
                b"LISTEN_FDS" => sockets = number(&value),
                b"NOTIFY_SOCKET" if !value.is_empty() => notify = Some(value),
                b"DBUS_SYSTEM_BUS_ADDRESS" if !value.is_empty() => system_bus = Some(value),
                // Docker's name for it.
                b"DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS" if value == "1" => {
                    link_variables = LinkVariables::Present;
                }
                _ => {}
            }
        }
        let ours = meant_for.is_some_and(|meant_for| i64::from(pid) == i64::from(meant_for));
        Self { sockets: if ours { sockets.unwrap_or(0) } else { 0 }, notify, system_bus, link_variables }
    }

    /// Whether links of the default bridge are told in the environment of containers.
    pub const fn link_variables(&self) -> LinkVariables {
        self.link_variables
    }

    /// Takes the sockets that were handed over.
    ///
    /// # Errors
    /// If one of them is not open.
    pub fn take_sockets(&self) -> io::Result<Vec<OwnedFd>> {
        use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
        if self.sockets <= 0 {
            return Ok(Vec::new());
        }
        // An inherited descriptor is a bare number. pidfd_getfd(2) on ourselves makes an owned one of it, close-on-exec.
        let ourselves = pidfd_open(getpid(), PidfdFlags::empty())?;
        (FIRST_SOCKET..FIRST_SOCKET + self.sockets)
            .map(|number| {
                let owned = pidfd_getfd(&ourselves, number, PidfdGetfdFlags::empty())?;
                nix::unistd::close(number)?;
                Ok(owned)
            })
            .collect()
    }

    /// The address of the system bus.
    pub fn system_bus(&self) -> String {
        let named = self.system_bus.as_ref().and_then(|address| address.to_str());
        named.unwrap_or(crate::firewalld::SYSTEM_BUS).to_owned()
    }

    /// Where to tell the service's state.
    ///
    /// # Errors
    /// If the address is none.
    pub fn notify(&self) -> io::Result<Notify> {
        let Some(target) = &self.notify else { return Ok(Notify(None)) };
        let address = match target.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(target)?,
        };
        Ok(Notify(Some((UnixDatagram::unbound()?, address))))
    }
}

fn number(text: &OsStr) -> Option<i32> {
    text.to_str()?.parse().ok()
}

impl Notify {
    /// We answer requests.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// We are reading our configuration again; [`Self::ready`] follows.
    pub fn reloading(&self) {
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
        let micros = now.map_or(0, |now| now.tv_sec() * 1_000_000 + now.tv_nsec() / 1_000);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// We are about to end.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.0
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::debug!(%error, "cannot tell the service manager");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(list: &[(&str, &str)]) -> Environment {
        Environment::from_vars(list.iter().map(|(name, value)| (name.into(), value.into())), 42)
    }

    #[test]
    fn sockets_of_another_process_are_left_alone() {
        assert_eq!(vars(&[("LISTEN_PID", "42"), ("LISTEN_FDS", "2")]).sockets, 2);
        for strange in [
            &[("LISTEN_PID", "41"), ("LISTEN_FDS", "2")][..],
            &[("LISTEN_FDS", "2")],
            &[("LISTEN_PID", "42"), ("LISTEN_FDS", "two")],
            &[("LISTEN_PID", "42")],
            &[],
        ] {
            assert_eq!(vars(strange).sockets, 0, "{strange:?}");
        }
        assert!(vars(&[]).take_sockets().unwrap().is_empty());
    }

    #[test]
    fn the_service_manager_hears_of_us() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        let notify = vars(&[("NOTIFY_SOCKET", path.to_str().unwrap())]).notify().unwrap();
        notify.ready();
        notify.stopping();
        let mut buffer = [0; 64];
        let mut heard = || {
            let length = systemd.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert_eq!(heard(), "READY=1");
        assert_eq!(heard(), "STOPPING=1");
        vars(&[]).notify().unwrap().ready();
    }
}
