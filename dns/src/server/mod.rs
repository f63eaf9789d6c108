//! The server of one sandbox: a UDP and a TCP loop on sockets handed in, around the pure answer.

mod alias;
mod handle;
mod lanes;
mod limits;
mod outward;
mod pace;
mod tcp;
mod udp;

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};

use self::handle::{Handled, Handler};
pub use self::limits::Limits;
use crate::dial::Dial;
use crate::forward::{Forwarder, Transport};
use crate::gate::Gate;
use crate::metrics::Counts;
use crate::query_log::{Asked, Outcome};
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
    /// Which names may be asked of upstreams.
    pub gate: Arc<dyn Gate>,
}

/// What a question came to.
#[derive(Clone, Debug)]
pub struct Replied {
    /// The reply; `None` if there is none, since it could not be written.
    pub message: Option<Message>,
    /// What became of the question.
    pub outcome: Outcome,
}

/// A running server. The handle is its lifetime: dropping it stops the server and closes its sockets (copies of
/// them elsewhere stay open).
pub struct Server {
    handler: Arc<Handler>,
    /// The UDP loop, and what it reads on for, until it is told to finish.
    reading: Option<(JoinHandle<()>, oneshot::Sender<()>)>,
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
        let counters = Arc::default();
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
                counters: Arc::clone(&counters),
            }),
            shared: config.shared,
            held: Held::default(),
            limits: config.limits,
            gate: config.gate,
            counters,
            log: Arc::default(),
        });
        let (reading, no_more) = oneshot::channel();
        let udp = tokio::spawn(udp::serve(handler.clone(), Arc::new(udp), no_more));
        let tcp = tokio::spawn(tcp::serve(handler.clone(), tcp));
        let tasks = [udp.abort_handle(), tcp.abort_handle()];
        Ok(Self { handler, reading: Some((udp, reading)), tasks })
    }

    /// Reads no more questions over UDP: they wait in the socket for who serves it next. The future is done when those
    /// that are with upstreams have had their answers.
    pub fn finish(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let udp = self.reading.take().map(|(udp, _)| udp);
        async move {
            if let Some(udp) = udp {
                // One that panicked has nothing left to do either.
                let _ended = udp.await;
            }
        }
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.handler.counters.read()
    }

    /// Asks as a client would: over UDP, and again over TCP if the reply is cut. It counts as a question of the asker's.
    /// The future holds on to what it needs, so that the server may end meanwhile.
    pub fn ask(&self, name: Name, kind: RecordType) -> impl Future<Output = Replied> + Send + use<> {
        let handler = self.handler.clone();
        async move {
            let mut query = Message::query();
            query.metadata.recursion_desired = true;
            query.add_query(Query::query(name, kind));
            let Ok(bytes) = query.to_vec() else {
                return Replied { message: None, outcome: Outcome::Refused };
            };
            let replied = handler.ask(&bytes, Transport::Udp).await;
            let cut = replied.message.as_ref().is_some_and(|message| message.metadata.truncation);
            if cut { handler.ask(&bytes, Transport::Tcp).await } else { replied }
        }
    }

    /// Tells every question from now on, until the receiver is dropped. The first to follow says how many are kept
    /// for one that is slow; what is beyond is lost to it, and it learns how many those were.
    #[must_use]
    pub fn follow(&self, capacity: usize) -> broadcast::Receiver<Asked> {
        self.handler.log.follow(capacity)
    }
}

impl Handler {
    async fn ask(&self, query: &[u8], transport: Transport) -> Replied {
        let mut reply = Vec::new();
        let outcome = match self.handle(query, transport, &mut reply) {
            Handled::Ignored => Outcome::Refused,
            Handled::Replied(outcome) => outcome,
            Handled::Forward(forwarding) => {
                let outcome;
                (reply, outcome) = self.forward(*forwarding).await;
                outcome
            }
        };
        Replied { message: Message::from_vec(&reply).ok(), outcome }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("asker", &self.handler.asker).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.handler.shared.ended(self.handler.counters.read());
    }
}
