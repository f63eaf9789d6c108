//! Does in the background what takes long. To delete a link, the kernel waits some 28 ms until nobody can be looking at
//! it any more; it waits once for a whole group. To forget connections, it goes through its whole table, 10 ms and more,
//! once for however many are meant.

mod tools;

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::sandbox::{Sandbox, WeakSandbox};
use crate::{
    bridge::Telling,
    conntrack::Stale,
    ports::PublishedPort,
    types::{EndpointId, MacAddr, Proto},
};
use tools::Tools;

/// Long enough that links condemned one after the other go together.
pub(crate) const SOON: Duration = Duration::from_millis(20);
/// Long enough for the kernel to take the links of a namespace that ended: it does so by itself, cheaper than we do.
pub(crate) const AFTER_NAMESPACE: Duration = Duration::from_millis(500);
/// Long enough that the connections of containers that end one after the other are forgotten together.
const FORGET_WITHIN: Duration = Duration::from_millis(200);

/// When an address that moved is announced. The bridge drops what a new port sends until it has noticed that the port is
/// up, and any announcement may be lost.
const ANNOUNCE_AFTER: [Duration; 3] =
    [Duration::from_millis(30), Duration::from_millis(300), Duration::from_secs(2)];

/// An endpoint whose addresses are to be told.
#[derive(Clone, Debug)]
pub(super) struct Announcement {
    pub(super) sandbox: WeakSandbox,
    pub(super) endpoint: EndpointId,
    pub(super) mac: MacAddr,
    pub(super) telling: Telling,
}

/// The thread that works; dropping this lets it finish.
#[derive(Debug)]
pub(crate) struct Janitor {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    stale: Stales,
}

/// Connections that are to be forgotten, until they are.
#[derive(Clone, Debug, Default)]
struct Stales(Arc<Mutex<Vec<Stale>>>);

#[derive(Debug)]
enum Job {
    SweepWithin(Duration),
    Sweep(Sender<()>),
    SweepSandbox(WeakSandbox),
    ForgetSoon,
    Forget(Sender<()>),
    /// Flows to these ports that began before they were published.
    ForgetBefore(Vec<PublishedPort>),
    Announce(Announcement),
}

impl Janitor {
    /// Starts the thread, with sockets of the calling thread's namespace.
    pub(crate) fn start() -> io::Result<Self> {
        let stale = Stales::default();
        let worker = Worker {
            tools: Tools::open()?,
            stale: stale.clone(),
            sweep_at: None,
            sandboxes_at: Vec::new(),
            forget_at: None,
            announce_at: Vec::new(),
        };
        let (jobs, inbox) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("janitor".to_owned())
            .stack_size(512 * 1024)
            .spawn(move || worker.work(&inbox))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), stale })
    }

    /// Deletes condemned links in a while, together with what else is condemned until then.
    pub(crate) fn sweep_within(&self, delay: Duration) {
        self.ask(Job::SweepWithin(delay));
    }

    /// Deletes condemned links, and waits for it.
    pub(crate) fn sweep(&self) {
        self.ask_and_wait(Job::Sweep);
    }

    /// Deletes in a while what was set aside in a sandbox.
    pub(super) fn sweep_sandbox_soon(&self, sandbox: WeakSandbox) {
        self.ask(Job::SweepSandbox(sandbox));
    }

    /// Forgets all connections of addresses that are no container's any more.
    pub(crate) fn forget_addresses(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.forget(addresses.into_iter().map(Stale::Address));
    }

    /// Forgets the connections that these ports led to a container.
    pub(crate) fn forget_ports(&self, ports: impl IntoIterator<Item = PublishedPort>, addresses: &[IpAddr]) {
        let to = |port| addresses.iter().map(move |container| Stale::Port { port, container: *container });
        self.forget(ports.into_iter().flat_map(to));
    }

    /// Waits until connections of these addresses are forgotten, if that is still to be done: those that begin from now
    /// on are another container's.
    pub(crate) fn settle(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        let pending = |stale: &Stales, ip| stale.lock().contains(&Stale::Address(ip));
        if addresses.into_iter().any(|ip| pending(&self.stale, ip)) {
            self.ask_and_wait(Job::Forget);
        }
    }

    /// Forgets flows to ports that have just been published. A connection can't have begun before; datagrams can, and
    /// the kernel would send the rest of their flow where it sent the first.
    pub(crate) fn forget_before(&self, ports: &[PublishedPort]) {
        let flows: Vec<PublishedPort> =
            ports.iter().filter(|port| port.proto == Proto::Udp).copied().collect();
        if !flows.is_empty() {
            self.ask(Job::ForgetBefore(flows));
        }
    }

    /// Tells the neighbours, in a while, whose the addresses of an endpoint are.
    pub(super) fn announce(&self, announcement: Announcement) {
        if announcement.telling != Telling::Never {
            self.ask(Job::Announce(announcement));
        }
    }

    fn forget(&self, stale: impl Iterator<Item = Stale>) {
        self.stale.lock().extend(stale);
        self.ask(Job::ForgetSoon);
    }

    fn ask_and_wait(&self, job: impl FnOnce(Sender<()>) -> Job) {
        let (done, waiting) = mpsc::channel();
        self.ask(job(done));
        // A thread that is gone does nothing; there is nothing to wait for.
        let _ = waiting.recv();
    }

    fn ask(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // Fails only if the thread panicked, which says so itself.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Stales {
    /// Whoever panicked while holding the lock left a list that is still a list.
    fn lock(&self) -> MutexGuard<'_, Vec<Stale>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's own.
struct Worker {
    tools: Tools,
    stale: Stales,
    sweep_at: Option<Instant>,
    sandboxes_at: Vec<(Instant, WeakSandbox)>,
    forget_at: Option<Instant>,
    announce_at: Vec<(Instant, Announcement)>,
}

impl Worker {
    fn work(mut self, jobs: &Receiver<Job>) {
        loop {
            match self.next(jobs) {
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => self.do_what_is_due(Instant::now()),
                Err(RecvTimeoutError::Disconnected) => {
                    let sandboxes_at = self.sandboxes_at.iter().map(|(at, _)| *at);
                    let all = [self.sweep_at, self.forget_at].into_iter().flatten().chain(sandboxes_at).max();
                    all.into_iter().for_each(|at| self.do_what_is_due(at));
                    return;
                }
            }
        }
    }

    fn next(&self, jobs: &Receiver<Job>) -> Result<Job, RecvTimeoutError> {
        let announce_at = self.announce_at.iter().map(|(at, _)| *at);
        let sandboxes_at = self.sandboxes_at.iter().map(|(at, _)| *at);
        let all =
            [self.sweep_at, self.forget_at].into_iter().flatten().chain(announce_at).chain(sandboxes_at);
        match all.min() {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::SweepWithin(delay) => sooner(&mut self.sweep_at, delay),
            Job::ForgetSoon => sooner(&mut self.forget_at, FORGET_WITHIN),
            Job::Sweep(done) => {
                self.tools.sweep();
                // Whoever asked may have given up; so below.
                let _ = done.send(());
            }
            Job::SweepSandbox(sandbox) => self.sandboxes_at.push((Instant::now() + SOON, sandbox)),
            Job::Forget(done) => {
                self.forget();
                let _ = done.send(());
            }
            Job::Announce(announcement) => {
                let now = Instant::now();
                let delays = announcement.delays();
                self.announce_at.extend(delays.into_iter().map(|delay| (now + delay, announcement.clone())));
            }
            Job::ForgetBefore(ports) => self.tools.forget_before(&ports),
        }
    }

    fn do_what_is_due(&mut self, now: Instant) {
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep_at = None;
            self.tools.sweep();
        }
        for (_, sandbox) in self.sandboxes_at.extract_if(.., |(at, _)| *at <= now) {
            sandbox.upgrade().iter().for_each(Sandbox::sweep);
        }
        if self.forget_at.is_some_and(|at| at <= now) {
            self.forget_at = None;
            self.forget();
        }
        for (_, announcement) in self.announce_at.extract_if(.., |(at, _)| *at <= now) {
            announcement.make();
        }
    }

    /// What is being forgotten stays in the list until it is: see [`Janitor::settle`].
    fn forget(&mut self) {
        let stale = self.stale.lock().clone();
        self.tools.forget(&stale);
        self.stale.lock().drain(..stale.len());
    }
}

impl Announcement {
    fn delays(&self) -> Vec<Duration> {
        match self.telling {
            Telling::Never => Vec::new(),
            Telling::AtOnce => ANNOUNCE_AFTER.to_vec(),
            Telling::Times(times, every) => {
                let nth = |number| ANNOUNCE_AFTER[0] + every.get() * u32::from(number);
                (0..times.get()).map(nth).collect()
            }
        }
    }

    fn make(&self) {
        let Some(sandbox) = self.sandbox.upgrade() else { return };
        if let Err(error) = sandbox.announce(self.endpoint, self.mac) {
            tracing::debug!(endpoint.id = %self.endpoint, error = %error, "addresses not announced");
        }
    }
}

fn sooner(due: &mut Option<Instant>, delay: Duration) {
    let at = Instant::now() + delay;
    *due = Some(due.map_or(at, |due| due.min(at)));
}
