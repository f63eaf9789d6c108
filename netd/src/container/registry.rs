//! All containers by id and name, and the handle by which one is reached: a view of it that anybody may read, and the
//! queue of its task.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use libnet::types::ContainerId;
use netd_runtime::{Attach, Shim};
use tokio::{
    net::UnixStream,
    sync::{mpsc, oneshot, watch},
};

use super::{
    ContainerError,
    actor::Request,
    error::invalid,
    policy::{Ask, Denied, Phase, Verdict, admit},
    record::Record,
};

/// A container, as everybody but its task sees it.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) id: ContainerId,
    pub(super) view: watch::Sender<View>,
    queue: mpsc::UnboundedSender<Request>,
    slots: Mutex<Slots>,
}

/// What is known of it now.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) record: Arc<Record>,
    /// How often it has ended, or failed to start, since this daemon knows it.
    pub(super) ends: u64,
    /// It is gone.
    pub(super) removed: bool,
}

/// Things with a lifetime of their own.
#[derive(Debug, Default)]
struct Slots {
    shim: Option<Shim>,
    /// Clients that attached before there was a process.
    waiting: Vec<(Attach, oneshot::Sender<UnixStream>)>,
}

impl Container {
    pub(super) fn new(record: Record, queue: mpsc::UnboundedSender<Request>) -> Arc<Self> {
        let id = record.id;
        let (view, _) = watch::channel(View { record: Arc::new(record), ends: 0, removed: false });
        Arc::new(Self { id, view, queue, slots: Mutex::default() })
    }

    /// What is known of it now.
    pub(super) fn record(&self) -> Arc<Record> {
        self.view.borrow().record.clone()
    }

    /// Where it stands.
    pub(super) fn phase(&self) -> Phase {
        self.view.borrow().record.state.phase
    }

    /// What it would say to a request now.
    pub(super) fn admit(&self, ask: Ask) -> Result<Verdict, Denied> {
        let record = self.record();
        let phase = record.state.phase;
        match admit(phase, ask) {
            Verdict::Denied(reason) => {
                Err(Denied { ask, reason, phase, id: record.id.to_string(), name: record.name.clone() })
            }
            verdict => Ok(verdict),
        }
    }

    /// Asks its task, and waits for the answer. A caller that goes away takes nothing back.
    pub(super) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, ContainerError>>) -> Request,
    ) -> Result<T, ContainerError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(request(reply)).map_err(|_| self.unanswered())?;
        answer.await.map_err(|_| self.unanswered())?
    }

    /// Why its task, which has ended, did not answer.
    fn unanswered(&self) -> ContainerError {
        let view = self.view.borrow();
        match view.removed {
            true => ContainerError::NotFound(view.record.name.clone()),
            false => ContainerError::Closing,
        }
    }

    /// Tells its task something that has no answer.
    pub(super) fn tell(&self, request: Request) {
        // A task that has ended has nothing more to do.
        let _ = self.queue.send(request);
    }

    /// Its process, if it has one.
    pub(super) fn shim(&self) -> Option<Shim> {
        self.slots().shim.clone()
    }

    pub(super) fn set_shim(&self, shim: Option<Shim>) {
        self.slots().shim = shim;
    }

    /// Waits for the streams of the process that will be.
    pub(super) fn attach_later(&self, attach: Attach) -> oneshot::Receiver<UnixStream> {
        let (sender, stream) = oneshot::channel();
        let mut slots = self.slots();
        // Those who have gone away meanwhile.
        slots.waiting.retain(|(_, sender)| !sender.is_closed());
        slots.waiting.push((attach, sender));
        stream
    }

    /// Those who wait for streams; dropped, they learn that there will be none.
    pub(super) fn take_waiting(&self) -> Vec<(Attach, oneshot::Sender<UnixStream>)> {
        std::mem::take(&mut self.slots().waiting)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All containers.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Maps>);

#[derive(Debug, Default)]
struct Maps {
    by_id: BTreeMap<String, Arc<Container>>,
    /// Names of containers, and those that are being given.
    names: HashMap<String, String>,
}

impl Registry {
    /// The container of this id, name or unique beginning of an id.
    pub(super) fn find(&self, reference: &str) -> Result<Arc<Container>, ContainerError> {
        let maps = self.maps();
        if let Some(found) = maps.by_id.get(reference) {
            return Ok(found.clone());
        }
        let name = reference.strip_prefix('/').unwrap_or(reference);
        if let Some(found) = maps.names.get(name).and_then(|id| maps.by_id.get(id)) {
            return Ok(found.clone());
        }
        if reference.is_empty() {
            return invalid("invalid name or ID supplied: \"\"");
        }
        let missing = || ContainerError::NotFound(reference.to_owned());
        let mut matches = maps
            .by_id
            .range(reference.to_owned()..)
            .take_while(|(id, _)| id.starts_with(reference))
            .map(|(_, container)| container);
        let first = matches.next().ok_or_else(missing)?;
        if matches.next().is_some() {
            return Err(ContainerError::Ambiguous(reference.to_owned()));
        }
        Ok(first.clone())
    }

    /// All containers, in the order of their ids.
    pub(super) fn all(&self) -> Vec<Arc<Container>> {
        self.maps().by_id.values().cloned().collect()
    }

    /// Takes a name for a container that may not be there yet.
    pub(super) fn take_name(&self, name: &str, id: ContainerId) -> Result<(), ContainerError> {
        let mut maps = self.maps();
        match maps.names.get(name) {
            Some(owner) if *owner != id.to_string() => {
                Err(ContainerError::NameTaken { name: name.to_owned(), id: owner.clone() })
            }
            _ => {
                maps.names.insert(name.to_owned(), id.to_string());
                Ok(())
            }
        }
    }

    /// Gives a name back, if it is this container's.
    pub(super) fn drop_name(&self, name: &str, id: ContainerId) {
        let mut maps = self.maps();
        if maps.names.get(name).is_some_and(|owner| *owner == id.to_string()) {
            maps.names.remove(name);
        }
    }

    /// From now on it is found.
    pub(super) fn insert(&self, container: Arc<Container>) {
        self.maps().by_id.insert(container.id.to_string(), container);
    }

    /// From now on it is not found.
    pub(super) fn remove(&self, record: &Record) {
        self.drop_name(&record.name, record.id);
        self.maps().by_id.remove(&record.id.to_string());
    }

    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
