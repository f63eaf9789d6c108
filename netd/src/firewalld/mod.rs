//! firewalld beside us. Its zones decide of every forwarded packet, and reject what comes from a link that they don't
//! know; so bridges of ours are put into a zone of ours, over D-Bus, as Docker does it with its own. Nobody else's are.
//!
//! One task talks to it. It follows firewalld's coming and going and its reloads; where there is no system bus, or no
//! firewalld on it, nothing happens.

mod bus;
mod zone;

use std::{
    path::Path,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use libnet::host::Host;
use tokio::sync::{mpsc, oneshot};
use zbus::{
    Connection,
    fdo::{DBusProxy, NameOwnerChangedStream},
    names::BusName,
};

use crate::error::chain;
use bus::{DaemonProxy, ReloadedStream};
pub use zone::Zone;

/// The system bus, where the environment names none.
pub const SYSTEM_BUS: &str = "unix:path=/run/dbus/system_bus_socket";

/// How long others wait for firewalld: it takes tenths of a second for most, and seconds for a reload.
const PATIENCE: Duration = Duration::from_secs(10);

/// A handle of the task.
#[derive(Clone, Debug)]
pub struct Firewalld {
    ask: mpsc::UnboundedSender<Ask>,
    /// Whether firewalld is there: nobody waits for one that is not.
    is_there: Arc<AtomicBool>,
}

/// What the task is asked for.
enum Ask {
    /// To see whether the bridges are those in the zone; says when it has.
    Look(Option<Sender<()>>),
    /// To say what of ours is there.
    Show(Sender<Zone>),
    /// To take all of ours out, and to end.
    Leave(oneshot::Sender<()>),
}

/// firewalld is there, and says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("firewalld does not answer")]
pub struct Silent;

/// The task before it runs.
pub struct Task {
    asked: mpsc::UnboundedReceiver<Ask>,
    is_there: Arc<AtomicBool>,
}

impl Firewalld {
    /// The handle, and the task that [`Task::run`] runs once the networks are known.
    pub fn new() -> (Self, Task) {
        let (ask, asked) = mpsc::unbounded_channel();
        let is_there = Arc::new(AtomicBool::new(false));
        (Self { ask, is_there: is_there.clone() }, Task { asked, is_there })
    }

    /// Bridges came or went: returns when firewalld knows, at once without it. Blocks.
    pub fn bridges_changed(&self) {
        if !self.is_there.load(Ordering::Acquire) {
            return self.nudge();
        }
        let (done, wait) = channel();
        // A task that ended has said why. It answers by dropping its end.
        let asked = self.ask.send(Ask::Look(Some(done)));
        if asked.is_ok() && wait.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("firewalld does not answer: it may reject packets of networks");
        }
    }

    /// Something happened that may have to do with firewalld.
    pub fn nudge(&self) {
        let _ = self.ask.send(Ask::Look(None));
    }

    /// What firewalld has of ours; nothing where there is none. Blocks.
    ///
    /// # Errors
    /// If it is there and does not answer.
    pub fn zone(&self) -> Result<Option<Zone>, Silent> {
        if !self.is_there.load(Ordering::Acquire) {
            return Ok(None);
        }
        let (tell, told) = channel();
        self.ask.send(Ask::Show(tell)).map_err(|_| Silent)?;
        told.recv_timeout(PATIENCE).map(Some).map_err(|_| Silent)
    }

    /// Takes all of ours out of firewalld; nothing is put there again.
    pub async fn leave(&self) {
        let (done, wait) = oneshot::channel();
        if self.ask.send(Ask::Leave(done)).is_ok() && tokio::time::timeout(PATIENCE, wait).await.is_err() {
            tracing::warn!("firewalld does not answer: our zone is left in it");
        }
    }
}

/// Why the task stops talking to a bus.
enum End {
    /// The bus is gone.
    Hung,
    /// The daemon ends.
    Left,
}

impl Task {
    /// Runs until the daemon ends. `address`: of the system bus.
    pub async fn run(mut self, address: String, host: Weak<Host>) {
        while let Some(ask) = self.asked.recv().await {
            let done = match ask {
                Ask::Look(done) => done,
                Ask::Show(_) => continue,
                Ask::Leave(_) => return,
            };
            if !may_be_there(&address) {
                continue;
            }
            match bus::connect(&address).await {
                Ok(bus) => {
                    let talk =
                        Talk { bus, host: host.clone(), is_there: self.is_there.clone(), reload: true };
                    let end = talk.serve(&mut self.asked, done).await;
                    self.is_there.store(false, Ordering::Release);
                    match end {
                        Ok(End::Left) => return,
                        Ok(End::Hung) => {}
                        Err(error) => tracing::debug!(error = chain(&error), "system bus not followed"),
                    }
                }
                Err(error) => tracing::debug!(error = chain(&error), address, "no system bus"),
            }
        }
    }
}

/// A socket that is not there costs no attempt.
fn may_be_there(address: &str) -> bool {
    let path = address.strip_prefix("unix:path=").and_then(|rest| rest.split([',', ';']).next());
    path.is_none_or(|path| Path::new(path).exists())
}

/// One connection to the bus.
struct Talk {
    bus: Connection,
    host: Weak<Host>,
    is_there: Arc<AtomicBool>,
    /// Whether firewalld may be told to read its configuration anew: once for each that comes.
    reload: bool,
}

impl Talk {
    async fn serve(
        mut self,
        asked: &mut mpsc::UnboundedReceiver<Ask>,
        first: Option<Sender<()>>,
    ) -> zbus::Result<End> {
        let names = DBusProxy::new(&self.bus).await?;
        let mut owners: NameOwnerChangedStream =
            names.receive_name_owner_changed_with_args(&[(0, bus::NAME)]).await?;
        let mut reloads: ReloadedStream = DaemonProxy::new(&self.bus).await?.receive_reloaded().await?;
        let name = BusName::try_from(bus::NAME)?;
        self.is_there.store(names.name_has_owner(name).await?, Ordering::Release);
        self.look().await;
        drop(first);
        loop {
            tokio::select! {
                ask = asked.recv() => match ask {
                    Some(Ask::Look(done)) => {
                        self.look().await;
                        drop(done);
                    }
                    Some(Ask::Show(tell)) => self.show(&tell).await,
                    Some(Ask::Leave(done)) => {
                        self.leave().await;
                        drop(done);
                        return Ok(End::Left);
                    }
                    None => return Ok(End::Left),
                },
                owner = owners.next() => {
                    let Some(owner) = owner else { return Ok(End::Hung) };
                    let is_there = owner.args()?.new_owner().is_some();
                    tracing::info!(is_there, "firewalld came or went");
                    self.is_there.store(is_there, Ordering::Release);
                    self.reload = true;
                    self.look().await;
                }
                reloaded = reloads.next() => {
                    if reloaded.is_none() {
                        return Ok(End::Hung);
                    }
                    self.look().await;
                }
            }
        }
    }

    /// Our bridges into our zone.
    async fn look(&mut self) {
        let Some(host) = self.host.upgrade() else { return };
        if !self.is_there.load(Ordering::Acquire) {
            return;
        }
        let links = host.bridges();
        let prepared = bus::prepare(&self.bus, std::mem::take(&mut self.reload)).await;
        let assigned = match prepared {
            Ok(bus::Ready::Yes) => bus::assign(&self.bus, &links).await,
            Ok(bus::Ready::No) => {
                return tracing::warn!("firewalld has our zone and does not use it: reload it");
            }
            Err(error) => Err(error),
        };
        if let Err(error) = assigned {
            tracing::warn!(error = chain(&error), "firewalld may reject packets of networks");
        }
    }

    /// Who asked hears of a failure by hearing nothing.
    async fn show(&self, tell: &Sender<Zone>) {
        let Some(host) = self.host.upgrade() else { return };
        match bus::look(&self.bus, &host.bridges()).await {
            Ok(zone) => drop(tell.send(zone)),
            Err(error) => tracing::warn!(error = chain(&error), "firewalld does not say what it has of ours"),
        }
    }

    async fn leave(&self) {
        if self.is_there.load(Ordering::Acquire)
            && let Err(error) = bus::withdraw(&self.bus).await
        {
            tracing::warn!(error = chain(&error), "our zone is left in firewalld");
        }
    }
}
