//! Deletes what was condemned, in the background. To delete a link, the kernel waits some 28 ms until nobody can be
//! looking at it any more; it waits once for a whole group.

use std::{
    io,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::errno::Errno;

use crate::{bridge::names::CONDEMNED, link, sys::rtnl::RtSocket};

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
}

impl Janitor {
    /// Starts the thread, with a socket of the calling thread's namespace.
    pub(crate) fn start() -> io::Result<Self> {
        let socket = RtSocket::open()?;
        let (jobs, inbox) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("janitor".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || work(socket, &inbox))?;
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

fn work(mut socket: RtSocket, jobs: &Receiver<Job>) {
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
                sweep(&mut socket);
                // Whoever asked may have given up.
                let _ = done.send(());
            }
            Err(RecvTimeoutError::Timeout) => {
                sweep(&mut socket);
                due = None;
            }
            Err(RecvTimeoutError::Disconnected) => {
                if due.is_some() {
                    sweep(&mut socket);
                }
                return;
            }
        }
    }
}

fn sweep(socket: &mut RtSocket) {
    match socket.send(vec![link::delete_group(CONDEMNED)]) {
        Ok(()) => tracing::debug!("condemned links deleted"),
        // None in the group.
        Err(error) if error.is(Errno::ENODEV) => {}
        Err(error) => tracing::warn!(error = %error, "condemned links stay"),
    }
}
