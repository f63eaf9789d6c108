//! Deletes what was condemned, in the background. To delete a link, the kernel waits some 28 ms until nobody can be
//! looking at it any more; it waits once for a whole group. Forgets connections too: the kernel goes through its whole
//! table for each question.

use std::{
    io,
    net::IpAddr,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::errno::Errno;

use crate::{
    bridge::names::CONDEMNED,
    conntrack::{self, Stale},
    firewall::NfSocket,
    link, observe,
    ports::PublishedPort,
    sys::rtnl::RtSocket,
    types::{Family, Proto},
};

/// Long enough that links condemned one after the other go together.
pub(crate) const SOON: Duration = Duration::from_millis(20);
/// Long enough for the kernel to take the links of a namespace that ended: it does so by itself, cheaper than we do.
pub(crate) const AFTER_NAMESPACE: Duration = Duration::from_millis(500);

/// The thread that sweeps; dropping this lets it finish.
#[derive(Debug)]
pub(crate) struct Janitor {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Job {
    Within(Duration),
    Now(Sender<()>),
    Forget(Vec<Stale>),
    /// Flows to these ports that began before they were published.
    ForgetBefore(Vec<PublishedPort>),
}

/// What the thread works with.
struct Tools {
    links: RtSocket,
    connections: NfSocket,
}

impl Janitor {
    /// Starts the thread, with a socket of the calling thread's namespace.
    pub(crate) fn start() -> io::Result<Self> {
        let tools = Tools { links: RtSocket::open()?, connections: NfSocket::open()? };
        let (jobs, inbox) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("janitor".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || work(tools, &inbox))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Sweeps in a while, together with what else is condemned until then.
    pub(crate) fn sweep_within(&self, delay: Duration) {
        self.ask(Job::Within(delay));
    }

    /// Sweeps, and waits for it.
    pub(crate) fn sweep(&self) {
        let (done, swept) = mpsc::channel();
        self.ask(Job::Now(done));
        // A janitor that is gone sweeps nothing; there is nothing to wait for.
        let _ = swept.recv();
    }

    /// Forgets all connections of addresses that are no container's any more.
    pub(crate) fn forget_addresses(&self, addresses: Vec<IpAddr>) {
        self.ask(Job::Forget(addresses.into_iter().map(Stale::Address).collect()));
    }

    /// Forgets the connections that these ports led to a container.
    pub(crate) fn forget_ports(&self, ports: Vec<PublishedPort>, addresses: Vec<IpAddr>) {
        let to = |port| addresses.iter().map(move |container| Stale::Port { port, container: *container });
        self.ask(Job::Forget(ports.into_iter().flat_map(to).collect()));
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

fn work(mut tools: Tools, jobs: &Receiver<Job>) {
    let mut due: Option<Instant> = None;
    loop {
        let job = match due {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match job {
            Ok(Job::Within(delay)) => {
                let at = Instant::now() + delay;
                due = Some(due.map_or(at, |due| due.min(at)));
            }
            Ok(Job::Now(done)) => {
                tools.sweep();
                // Whoever asked may have given up.
                let _ = done.send(());
            }
            Ok(Job::Forget(stale)) => tools.forget(&stale),
            Ok(Job::ForgetBefore(ports)) => tools.forget_before(&ports),
            Err(RecvTimeoutError::Timeout) => {
                tools.sweep();
                due = None;
            }
            Err(RecvTimeoutError::Disconnected) => {
                if due.is_some() {
                    tools.sweep();
                }
                return;
            }
        }
    }
}

impl Tools {
    fn sweep(&mut self) {
        match self.links.send(vec![link::delete_group(CONDEMNED)]) {
            Ok(()) => tracing::debug!("condemned links deleted"),
            // None in the group.
            Err(error) if error.is(Errno::ENODEV) => {}
            Err(error) => tracing::warn!(error = %error, "condemned links stay"),
        }
    }

    fn forget(&mut self, stale: &[Stale]) {
        match conntrack::forget(&mut self.connections, stale) {
            Ok(count) => tracing::debug!(count, "connections forgotten"),
            Err(error) => tracing::warn!(error = %error, "stale connections stay"),
        }
    }

    fn forget_before(&mut self, ports: &[PublishedPort]) {
        let own = match observe::addresses(&mut self.links) {
            Ok(own) => own,
            Err(error) => return tracing::warn!(error = %error, "stale connections stay"),
        };
        let own: Vec<IpAddr> = own.iter().map(|address| address.address.ip()).collect();
        let stale: Vec<Stale> = ports.iter().flat_map(|port| before(*port, &own)).collect();
        self.forget(&stale);
    }
}

/// Flows to a port, on each address of the host that it was published on.
fn before(port: PublishedPort, own: &[IpAddr]) -> impl Iterator<Item = Stale> {
    let all = port.host_ip.is_unspecified();
    let meant =
        move |ip: &&IpAddr| **ip == port.host_ip || all && Family::of(**ip) == Family::of(port.host_ip);
    own.iter().filter(meant).map(move |ip| Stale::Host { ip: *ip, port: port.host_port, proto: port.proto })
}
