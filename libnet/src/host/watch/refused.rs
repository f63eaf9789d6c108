//! Hears of what restricted endpoints are refused, as it happens.

use std::{io, net::IpAddr, os::fd::AsFd, sync::Arc, thread};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};

use super::Watch;
use crate::{
    firewall::{Attempt, Listener},
    host::{Host, HostError},
};

impl Host {
    /// Tells of each flow of a restricted endpoint that is refused, once in a day: who asked, and for what. On a thread of
    /// its own, until what this returns is dropped.
    ///
    /// # Errors
    /// If the kernel has no nfnetlink_log, somebody else listens, or no descriptor or thread is left. What is refused can
    /// still be [read](Self::attempts).
    pub fn watch_refused(
        &self,
        tell: impl FnMut(IpAddr, Attempt) + Send + 'static,
    ) -> Result<Watch, HostError> {
        let start = || -> io::Result<Watch> {
            let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
            let (listener, told_to_stop) = (Listener::open()?, Arc::clone(&stop));
            let work = move || {
                if let Err(error) = listen(listener, &told_to_stop, tell) {
                    tracing::error!(%error, "what restricted containers are refused is no longer told");
                }
            };
            let thread =
                thread::Builder::new().name("refused".to_owned()).stack_size(512 * 1024).spawn(work)?;
            Ok(Watch { stop, thread: Some(thread) })
        };
        self.inner.netns.run(start).and_then(|watch| watch).map_err(HostError::Open)
    }
}

fn listen(mut listener: Listener, stop: &EventFd, mut tell: impl FnMut(IpAddr, Attempt)) -> io::Result<()> {
    loop {
        let mut both =
            [PollFd::new(stop.as_fd(), PollFlags::POLLIN), PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        match poll(&mut both, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if both[0].any().unwrap_or(true) {
            return Ok(());
        }
        listener.drain(&mut tell)?;
    }
}
