//! The task that owns a container. Requests come one after the other; none of them makes it wait long, so that a kill
//! gets through while a stop is waiting. What it does about a request is the table in [`super::policy`]; how a start
//! works is in [`super::start`].

mod end;
mod links;
mod networks;
mod ports;
mod removal;
mod signals;

use std::{sync::Arc, time::Duration};

use netd_api::models;
use netd_runtime::{Exit, Shim};
use tokio::sync::{mpsc, oneshot};

use super::{
    ContainerError, Done, PortsAsk, RemoveAsk,
    create::{self, Wanted},
    links::learn_names,
    parts::Parts,
    policy::{Ask, Denied, Phase, Verdict, admit},
    record::{EndpointSettings, Record},
    recovered::Found,
    registry::{Container, Registry},
    restart::BackOff,
    start::Planned,
};
use crate::network::NetworkSummary;

pub(super) type Reply<T> = oneshot::Sender<Result<T, ContainerError>>;

/// What the task is asked for, and what it is told.
#[derive(Debug)]
pub(super) enum Request {
    Start(Reply<Done>),
    Stop(Stop, Reply<Done>),
    Kill(i32, Reply<()>),
    Restart(Stop, Reply<()>),
    Pause(Reply<()>),
    Unpause(Reply<()>),
    Rename(String, Reply<()>),
    Remove(RemoveAsk, Reply<()>),
    Connect(Box<(NetworkSummary, EndpointSettings)>, Reply<()>),
    Disconnect(Box<Left>, Reply<()>),
    Ports(Box<PortsAsk>, Reply<()>),
    /// The link of this alias goes; false: there is none.
    Unlink(String, Reply<bool>),
    /// A container that this one is linked to has started, or joined the network.
    LinkedAnew,
    Update(Box<models::ContainerUpdateBody>, Reply<Vec<String>>),
    /// The daemon ends.
    Close(Option<Duration>, Reply<()>),
    /// A daemon before this one has left this.
    Adopt(Box<Found>, Reply<()>),
    /// The daemon has taken over everything: restart policies may apply.
    Settle,
    /// A process has ended.
    Ended(u64, Exit),
    /// It has had its time.
    KillDue(u64),
    /// Its pause is over.
    RestartDue(u64),
}

/// Which network a container is taken out of.
#[derive(Debug)]
pub(super) enum Left {
    There(NetworkSummary),
    /// One that is no longer there, of this name or id.
    Gone(String),
}

/// How to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    /// Else the container's own.
    pub(super) signal: Option<i32>,
    /// Else the container's own; for ever is `Some(None)`.
    pub(super) timeout: Option<Option<Duration>>,
}

/// What is to be done when the process has ended.
#[derive(Debug)]
enum After {
    Tell(Reply<Done>),
    Start(Reply<()>),
    Remove(RemoveAsk, Reply<()>),
    Close(Reply<()>),
}

/// A container's owner.
pub(super) struct Actor {
    parts: Arc<Parts>,
    registry: Arc<Registry>,
    container: Arc<Container>,
    queue: mpsc::UnboundedSender<Request>,
    record: Record,
    shim: Option<Shim>,
    /// Number of the run: what is told of an earlier one comes too late.
    run: u64,
    after: Vec<After>,
    back_off: BackOff,
    /// A user has stopped it, or a daemon that ends: its restart policy does not apply.
    told_to_end: bool,
    gone: bool,
}

impl Actor {
    /// Makes a container known and starts its task.
    pub(super) fn spawn(parts: Arc<Parts>, registry: Arc<Registry>, record: Record) -> Arc<Container> {
        let (queue, requests) = mpsc::unbounded_channel();
        let container = Container::new(record.clone(), queue.clone());
        registry.insert(container.clone());
        let actor = Self {
            parts,
            registry,
            container: container.clone(),
            queue,
            record,
            shim: None,
            run: 0,
            after: Vec::new(),
            back_off: BackOff::default(),
            told_to_end: false,
            gone: false,
        };
        tokio::spawn(actor.live(requests));
        container
    }

    async fn live(mut self, mut requests: mpsc::UnboundedReceiver<Request>) {
        while let Some(request) = requests.recv().await {
            self.handle(request).await;
            if self.gone {
                return;
            }
        }
    }

    async fn handle(&mut self, request: Request) {
        match request {
            Request::Start(reply) => self.asked_to_start(reply).await,
            Request::Stop(stop, reply) => self.asked_to_stop(stop, reply).await,
            Request::Kill(signal, reply) => answer(reply, self.kill(signal).await),
            Request::Restart(stop, reply) => self.asked_to_restart(stop, reply).await,
            Request::Pause(reply) => answer(reply, self.pause().await),
            Request::Unpause(reply) => answer(reply, self.unpause().await),
            Request::Rename(name, reply) => answer(reply, self.rename(name).await),
            Request::Remove(ask, reply) => self.asked_to_remove(ask, reply).await,
            Request::Connect(ask, reply) => answer(reply, self.connect(ask.0, ask.1).await),
            Request::Disconnect(from, reply) => answer(reply, self.disconnect(*from).await),
            Request::Ports(ask, reply) => answer(reply, self.change_ports(*ask).await),
            Request::Unlink(alias, reply) => answer(reply, self.unlink(&alias).await),
            Request::LinkedAnew => self.linked_anew().await,
            Request::Update(ask, reply) => answer(reply, self.update(*ask).await),
            Request::Close(timeout, reply) => self.close(timeout, reply).await,
            Request::Adopt(found, reply) => answer(reply, self.adopt(*found).await),
            Request::Settle => self.settle().await,
            Request::Ended(run, exit) if run == self.run => self.ended(exit).await,
            Request::KillDue(run) if run == self.run => self.kill_late().await,
            Request::RestartDue(run) if run == self.run => self.start_again().await,
            Request::Ended(..) | Request::KillDue(_) | Request::RestartDue(_) => {}
        }
    }

    async fn asked_to_start(&mut self, reply: Reply<Done>) {
        let result = match self.admit(Ask::Start) {
            Ok(Verdict::Already) => Ok(Done::Already),
            Ok(_) => {
                self.back_off.reset();
                self.record.restarts = 0;
                self.record.stopped_by_user = false;
                self.start().await.map(|()| Done::Changed)
            }
            Err(error) => Err(error),
        };
        let started = matches!(result, Ok(Done::Changed));
        let failed = result.is_err();
        answer(reply, result);
        self.after_start(started, failed).await;
    }

    /// What the caller need not wait for.
    async fn after_start(&mut self, started: bool, failed: bool) {
        if started {
            self.save().await;
        } else if failed && self.record.auto_remove() && self.record.state.phase == Phase::Exited {
            self.vanish().await;
        }
    }

    /// Starts it. On failure nothing is left but the record, which says why.
    async fn start(&mut self) -> Result<(), ContainerError> {
        self.run += 1;
        learn_names(&self.registry, &mut self.record);
        let started = match Planned::new(&self.parts, &self.registry, &self.container, &self.record) {
            Ok(plan) => plan.start().await,
            Err(error) => Err(error),
        };
        match started {
            Ok(shim) => {
                self.running(shim);
                self.tell("start", &[]);
                self.tell_linked();
                Ok(())
            }
            Err(error) => {
                self.start_failed(&error).await;
                Err(error)
            }
        }
    }

    fn running(&mut self, shim: Shim) {
        self.record.state.phase = Phase::Running;
        self.record.state.pid = shim.pid();
        self.record.state.exit_code = 0;
        self.record.state.error.clear();
        self.record.state.oom_killed = false;
        self.record.state.started = Some(self.parts.now());
        self.record.state.finished = None;
        self.told_to_end = false;
        self.note_networks();
        self.watch(shim);
        self.publish();
        tracing::info!(container.id = %self.record.id, container.name = self.record.name, "container started");
    }

    /// The networks that it has joined are from now on those, and no others of their names.
    fn note_networks(&mut self) {
        for view in self.parts.networks.endpoints(self.record.id) {
            let joined = self.record.endpoints.iter_mut().find(|endpoint| endpoint.endpoint == view.endpoint);
            if let Some(endpoint) = joined {
                endpoint.network = Some(view.network);
            }
        }
    }

    /// Waits for the end of the process, beside everything else.
    fn watch(&mut self, shim: Shim) {
        self.container.set_shim(Some(shim.clone()));
        self.shim = Some(shim.clone());
        let (queue, run, clock) = (self.queue.clone(), self.run, self.parts.clock.clone());
        let id = self.record.id;
        tokio::spawn(async move {
            let exit = shim.wait().await.unwrap_or_else(|error| {
                tracing::warn!(container.id = %id, %error, "the shim of a container is gone");
                end::untold(end::SHIM_GONE, clock())
            });
            // Nobody listens any more: the daemon ends.
            let _ = queue.send(Request::Ended(run, exit));
        });
    }

    async fn start_failed(&mut self, error: &ContainerError) {
        let text = crate::error::chain(error);
        let code = match error {
            ContainerError::Runtime(error) => error.exit_code().unwrap_or(128),
            _ => 128,
        };
        let state = &mut self.record.state;
        // A container that never ran stays "created", as Docker's do.
        state.phase = if state.started.is_none() && !self.record.host.auto_remove.unwrap_or(false) {
            Phase::Created
        } else {
            Phase::Exited
        };
        state.pid = 0;
        state.exit_code = code;
        state.error = text;
        state.finished.get_or_insert(self.parts.now());
        drop(self.container.take_waiting());
        self.ends();
        self.save().await;
    }

    fn admit(&self, ask: Ask) -> Result<Verdict, ContainerError> {
        let phase = self.record.state.phase;
        match admit(phase, ask) {
            Verdict::Denied(reason) => Err(Denied {
                ask,
                reason,
                phase,
                id: self.record.id.to_string(),
                name: self.record.name.clone(),
            }
            .into()),
            verdict => Ok(verdict),
        }
    }

    fn wanted(&self) -> Result<Wanted, ContainerError> {
        create::read(&self.record, &self.parts.defaults)
    }

    fn tell(&self, action: &str, extra: &[(&str, String)]) {
        self.parts.tell(&self.record, action, extra);
    }

    /// Shows what is known now.
    fn publish(&self) {
        self.container.view.send_modify(|view| view.record = Arc::new(self.record.clone()));
    }

    /// Shows what is known now, and that it has ended once more.
    fn ends(&self) {
        self.container.view.send_modify(|view| {
            view.record = Arc::new(self.record.clone());
            view.ends += 1;
        });
    }

    /// Keeps the record. A disk that is full must not keep a container from ending: it is logged, and tried again with
    /// the next change.
    async fn save(&self) {
        if let Err(error) = self.parts.save(&self.record).await {
            tracing::error!(container.id = %self.record.id, error = crate::error::chain(&error), "record not saved");
        }
    }

    fn later(&self, wait: Duration, request: Request) {
        let queue = self.queue.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = queue.send(request);
        });
    }
}

/// Whoever asked may be gone: then nobody hears.
fn answer<T>(reply: Reply<T>, result: Result<T, ContainerError>) {
    let _ = reply.send(result);
}
