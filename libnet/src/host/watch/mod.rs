//! Watches over what a host made: the kernel tells of changes, and what somebody else changed of ours is put right.
//!
//! A thread of its own waits for events (docs/adr/0001). Changes of our own cost it next to nothing: those of the firewall
//! are left out by the kernel, and of links every event is held against what was made. Only an event that contradicts that
//! leads to a look at the whole.

mod pace;
mod refused;
mod told;

use std::{
    collections::BTreeSet,
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, Weak},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};

use super::{Host, HostError, Report, heal::Suspicion};
use crate::{
    firewall,
    sys::{
        events::{Events, Heard},
        nfnl,
        xtables::LockWatch,
    },
    types::Mtu,
};
use pace::{Fight, Looked, Pace};
pub(super) use told::{Told, ToldLink};

/// Between two readings: events come in groups, and most of them concern nobody.
const BREATH: Duration = Duration::from_millis(2);
/// The kernel tells nobody of some settings (`route_localnet`, `accept_ra`), nor of the old iptables; they are looked at
/// so often.
const ROUND: Duration = Duration::from_secs(30);

/// Watching; dropping this ends it.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Watches this host from now on, and puts right what somebody else changes of what it made or adopted. Whatever was
    /// put right, is beyond repair or failed is told to `tell`, on the thread that watches; what stays wrong is told once.
    ///
    /// # Errors
    /// If the process has no descriptor or thread left.
    pub fn watch(self: &Arc<Self>, tell: impl FnMut(Report) + Send + 'static) -> Result<Watch, HostError> {
        let own = [self.inner.firewall.port()?, self.inner.egress.port()?];
        let start = || -> io::Result<Watch> {
            let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
            let watcher = Watcher {
                host: Arc::downgrade(self),
                links: Events::of_links()?,
                tables: Events::of_tables(own)?,
                // Without it they are looked at every so often.
                old_tables: LockWatch::open().ok(),
                stop: Arc::clone(&stop),
                // What was changed before the sockets were open was told to nobody.
                suspicion: Suspicion::ALL,
                pace: Pace::default(),
                way_out: WayOut::Suspect,
                round_at: Instant::now() + ROUND,
                known: Known::default(),
                tell: Box::new(tell),
            };
            let thread = thread::Builder::new()
                .name("watch".to_owned())
                .stack_size(512 * 1024)
                .spawn(move || watcher.work())?;
            Ok(Watch { stop, thread: Some(thread) })
        };
        self.inner.netns.run(start).and_then(|watch| watch).map_err(HostError::Open)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Fails only if it was said four billion times before.
        let _ = self.stop.write(1);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The thread's own.
struct Watcher {
    host: Weak<Host>,
    links: Events,
    tables: Events,
    /// Of the old iptables the kernel tells nothing.
    old_tables: Option<LockWatch>,
    stop: Arc<EventFd>,
    suspicion: Suspicion,
    way_out: WayOut,
    pace: Pace,
    round_at: Instant,
    known: Known,
    tell: Box<dyn FnMut(Report) + Send>,
}

/// Whether packets may leave the host by another link than was told, or by one that is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WayOut {
    Known,
    Suspect,
}

/// What was told, and is so still.
#[derive(Debug, Default)]
struct Known {
    way_out: Option<Mtu>,
    lost: BTreeSet<String>,
    errors: Vec<String>,
}

/// Whether to go on.
enum Go {
    On,
    Home,
}

impl Watcher {
    fn work(mut self) {
        loop {
            match self.step() {
                Ok(Go::On) => {}
                Ok(Go::Home) => return,
                Err(error) => {
                    return tracing::error!(error = %error, "host is no longer watched: what others change stays so");
                }
            }
        }
    }

    fn step(&mut self) -> io::Result<Go> {
        if let Go::Home = self.wait()? {
            return Ok(Go::Home);
        }
        let Some(host) = self.host.upgrade() else { return Ok(Go::Home) };
        self.hear(&host)?;
        if std::mem::replace(&mut self.way_out, WayOut::Known) == WayOut::Suspect {
            self.look_out(&host);
        }
        if self.round_at <= Instant::now() {
            self.round_at = Instant::now() + ROUND;
            self.suspicion.links = true;
            self.suspicion.firewall.legacy = true;
        }
        if self.suspicion.is_any() && self.pace.wait(Instant::now()).is_zero() {
            self.look(&host);
        }
        Ok(Go::On)
    }

    /// Waits for an event, or for the time of the next look if there is something to look at.
    fn wait(&self) -> io::Result<Go> {
        let now = Instant::now();
        if self.suspicion.is_any() {
            return self.poll(&[], self.pace.wait(now));
        }
        if let Go::Home = self.poll(&[], BREATH)? {
            return Ok(Go::Home);
        }
        let events = [self.links.as_fd(), self.tables.as_fd()].into_iter();
        let events: Vec<_> = events.chain(self.old_tables.as_ref().map(AsFd::as_fd)).collect();
        self.poll(&events, ROUND)
    }

    fn poll(&self, events: &[BorrowedFd<'_>], patience: Duration) -> io::Result<Go> {
        let mut all = vec![PollFd::new(self.stop.as_fd(), PollFlags::POLLIN)];
        all.extend(events.iter().map(|events| PollFd::new(*events, PollFlags::POLLIN)));
        // Rounded up: what is due must be due afterwards.
        let patience =
            PollTimeout::try_from(patience.as_micros().div_ceil(1_000)).unwrap_or(PollTimeout::MAX);
        match poll(&mut all, patience) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(if all[0].any().unwrap_or(true) { Go::Home } else { Go::On })
    }

    fn hear(&mut self, host: &Host) -> io::Result<()> {
        let suspicion = &mut self.suspicion;
        let heard = self.links.drain(|datagram| {
            let all = nfnl::messages(datagram).filter_map(|(kind, payload)| told::read(kind, payload));
            for told in all {
                if told.is_of_the_way_out() {
                    self.way_out = WayOut::Suspect;
                }
                if host.inner.state.is_contradicted_by(&told) {
                    tracing::debug!(event = ?told, "not as it was left");
                    suspicion.links = true;
                }
            }
        })?;
        if heard == Heard::Gaps {
            suspicion.links = true;
            self.way_out = WayOut::Suspect;
            tracing::debug!("events were lost");
        }
        let heard = self.tables.drain(|datagram| {
            for (kind, payload) in nfnl::messages(datagram) {
                suspicion.firewall |= firewall::suspects(kind, payload);
            }
        })?;
        if heard == Heard::Gaps {
            suspicion.firewall = Suspicion::ALL.firewall;
        }
        if let Some(old_tables) = &self.old_tables {
            suspicion.firewall.legacy |= old_tables.drain()?;
        }
        Ok(())
    }

    /// Tells of another way out. While there is none, nothing is told: most of the time it is on its way back.
    fn look_out(&mut self, host: &Host) {
        match host.egress_mtu() {
            Ok(now) if now.is_some() && now != self.known.way_out => {
                self.known.way_out = now;
                (self.tell)(Report { way_out: now, ..Report::default() });
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "networks don't follow the MTU of the way out"),
        }
    }

    fn look(&mut self, host: &Host) {
        let suspicion = std::mem::take(&mut self.suspicion);
        let started = Instant::now();
        let report = host.inner.heal(suspicion);
        if !report.errors.is_empty() {
            self.suspicion = suspicion;
        }
        let looked = match report.repaired.is_empty() && report.errors.is_empty() {
            true => Looked::Right,
            false => Looked::Wrong,
        };
        let now = Instant::now();
        if self.pace.looked(now, now - started, looked) == Fight::Begins {
            tracing::warn!(
                "somebody keeps changing what is ours on this host: it is put right less and less often"
            );
        }
        let news = self.known.news(suspicion, report);
        if !news.is_empty() {
            (self.tell)(news);
        }
    }
}

impl Known {
    /// What of a report was not told before.
    fn news(&mut self, suspicion: Suspicion, mut report: Report) -> Report {
        if suspicion.links {
            let lost = report.lost.iter().cloned().collect();
            report.lost.retain(|lost| !self.lost.contains(lost));
            self.lost = lost;
        }
        let texts: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
        if texts == self.errors {
            report.errors.clear();
        }
        self.errors = texts;
        report
    }
}
