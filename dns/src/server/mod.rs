//! The server of one sandbox: a UDP and a TCP loop on sockets handed in, around the pure answer.

mod alias;
mod handle;
mod lanes;
mod limits;
mod outward;
mod tcp;
mod udp;

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;

use self::handle::Handler;
pub use self::limits::Limits;
use crate::dial::Dial;
use crate::forward::Forwarder;
use crate::metrics::{Counters, Counts};
use crate::query_log::{Asked, QueryLog};
use crate::shared::{Held, Shared};
use crate::snapshot::Directory;
use crate::types::AskerId;
use crate::upstream::Upstreams;

/// All that a server is made of.
pub struct ServerConfig {
    /// Bound; questions come in here, and replies leave from its address.
    pub udp: UdpSocket,
    /// Listening.
    pub tcp: TcpListener,
    /// Whose questions these are.
    pub asker: AskerId,
    /// Where the names are.
    pub directory: Directory,
    /// Whom to ask what is not ours. What is sent into the channel counts from the next question on.
    pub upstreams: watch::Receiver<Arc<Upstreams>>,
    /// How to reach them.
    pub dial: Arc<dyn Dial>,
    /// How much work one sandbox may cause.
    pub limits: Limits,
    /// What it shares with the other servers.
    pub shared: Shared,
}

/// A running server. The handle is its lifetime: dropping it stops the server and closes its sockets (copies of
/// them elsewhere stay open).
#[derive(Debug)]
pub struct Server {
    counters: Arc<Counters>,
    log: Arc<QueryLog>,
    shared: Shared,
    tasks: [AbortHandle; 2],
}

impl Server {
    /// Starts to answer. Must be called in a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// If the sockets can't be registered with the runtime.
    pub fn start(config: ServerConfig) -> io::Result<Self> {
        config.udp.set_nonblocking(true)?;
        config.tcp.set_nonblocking(true)?;
        let udp = tokio::net::UdpSocket::from_std(config.udp)?;
        let tcp = tokio::net::TcpListener::from_std(config.tcp)?;
        let (counters, log) = <(Arc<Counters>, Arc<QueryLog>)>::default();
        let shared = config.shared.clone();
        let handler = Arc::new(Handler {
            asker: config.asker,
            directory: config.directory,
            upstreams: config.upstreams,
            lanes: ArcSwapOption::empty(),
            forwarder: Arc::new(Forwarder {
                dial: config.dial,
                hedge: config.limits.hedge,
                patience: config.limits.patience,
                deadline: config.limits.deadline,
                counters: counters.clone(),
            }),
            shared: config.shared,
            held: Held::default(),
            limits: config.limits,
            counters: counters.clone(),
            log: log.clone(),
        });
        let tasks = [
            tokio::spawn(udp::serve(handler.clone(), Arc::new(udp))).abort_handle(),
            tokio::spawn(tcp::serve(handler, tcp)).abort_handle(),
        ];
        Ok(Self { counters, log, shared, tasks })
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// Tells every question from now on, until the receiver is dropped. The first to follow says how many are kept
    /// for one that is slow; what is beyond is lost to it, and it learns how many those were.
    #[must_use]
    pub fn follow(&self, capacity: usize) -> broadcast::Receiver<Asked> {
        self.log.follow(capacity)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.ended(self.counters.read());
    }
}
