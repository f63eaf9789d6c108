//! What every container needs of the daemon, and where its files are.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use libnet::{
    store::{self, Change, Store, StoreError},
    types::ContainerId,
};
use netd_runtime::Runtime;
use serde::{Deserialize, Serialize};

use super::{
    ContainerError, Volumes,
    record::{Endpoint, Record},
    recovered::Known,
};
use crate::{
    config::ContainerDefaults,
    engine::{Clock, Random},
    events::{Event, EventKind, Events},
    network::{NetworkError, NetworkSummary, Networks},
};

/// Table of containers: in the declared store, or in the live one for what `--rm` made.
const CONTAINERS: &str = "containers";

/// Table of the live store: containers that have, or are about to have, a shim.
const RUNS: &str = "runs";

/// The daemon, as containers see it.
pub(crate) struct Parts {
    pub(crate) networks: Arc<Networks>,
    pub(crate) volumes: Arc<Volumes>,
    pub(crate) runtime: Runtime,
    pub(crate) declared: Arc<dyn Store>,
    pub(crate) live: Arc<dyn Store>,
    pub(crate) events: Events,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) paths: Paths,
    pub(crate) defaults: ContainerDefaults,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// Where containers keep their files.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) data_root: PathBuf,
    pub(crate) exec_root: PathBuf,
    /// What containers of the built-in image must not see.
    pub(crate) hidden: Vec<PathBuf>,
}

/// What is written before a shim is made, and goes when it has gone: a daemon that finds it looks for the shim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) at: Timestamp,
}

impl Paths {
    /// Directory of all containers' durable files.
    pub(crate) fn containers(&self) -> PathBuf {
        self.data_root.join("containers")
    }

    /// Directory of a container's durable files.
    pub(crate) fn data(&self, id: ContainerId) -> PathBuf {
        self.containers().join(id.to_string())
    }

    /// Directory of all shims.
    pub(crate) fn shims(&self) -> PathBuf {
        self.exec_root.join("containers")
    }

    /// Directory of a container's shim.
    pub(crate) fn shim(&self, id: ContainerId) -> PathBuf {
        self.shims().join(id.to_string())
    }

    /// A container's log.
    pub(crate) fn log(&self, id: ContainerId) -> PathBuf {
        self.data(id).join(format!("{id}-json.log"))
    }
}

impl Parts {
    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.random)(&mut bytes);
        bytes
    }

    /// Tells what happened to a container, with what Docker says of it each time.
    pub(super) fn tell(&self, record: &Record, action: impl Into<String>, extra: &[(&str, String)]) {
        let mut event = Event::new(EventKind::Container, action, record.id.to_string(), self.now());
        for (key, value) in record.config.labels.iter().flatten() {
            event = event.with(key, value);
        }
        for (key, value) in extra {
            event = event.with(*key, value);
        }
        self.events.publish(event.with("image", record.image()).with("name", &record.name));
    }

    /// The network that an endpoint is in, or will be in.
    pub(super) fn network_of(&self, endpoint: &Endpoint) -> Result<NetworkSummary, NetworkError> {
        let reference =
            endpoint.network.map_or_else(|| endpoint.network_name.clone(), |joined| joined.to_string());
        // A name that is no network's any more may be the beginning of another one's id.
        let found = self.networks.resolve(&reference)?;
        if endpoint.is_in(&found) { Ok(found) } else { Err(NetworkError::NotFound(reference)) }
    }

    /// Keeps a record where it belongs.
    pub(super) async fn save(&self, record: &Record) -> Result<(), ContainerError> {
        let change = Change::put(CONTAINERS, record.id.to_string(), record)?;
        self.commit(self.home(record), vec![change]).await
    }

    /// Forgets a record.
    pub(super) async fn forget(&self, record: &Record) -> Result<(), ContainerError> {
        let id = record.id.to_string();
        if record.auto_remove() {
            return self
                .commit(&self.live, vec![Change::delete(CONTAINERS, &*id), Change::delete(RUNS, id)])
                .await;
        }
        self.commit(&self.declared, vec![Change::delete(CONTAINERS, id)]).await
    }

    /// Writes down that a shim is about to be made.
    pub(super) async fn begin_run(&self, record: &Record) -> Result<(), ContainerError> {
        let change = Change::put(RUNS, record.id.to_string(), &Run { at: self.now() })?;
        self.commit(&self.live, vec![change]).await
    }

    /// There is no shim any more.
    pub(super) async fn end_run(&self, record: &Record) -> Result<(), ContainerError> {
        self.commit(&self.live, vec![Change::delete(RUNS, record.id.to_string())]).await
    }

    fn home(&self, record: &Record) -> &Arc<dyn Store> {
        if record.auto_remove() { &self.live } else { &self.declared }
    }

    /// A durable commit waits for the disk: not on a thread that others wait for.
    async fn commit(&self, store: &Arc<dyn Store>, changes: Vec<Change>) -> Result<(), ContainerError> {
        let store = store.clone();
        blocking(move || Ok(store.commit(&changes)?)).await
    }

    /// All containers that an earlier daemon knew.
    pub(crate) fn known(&self) -> Result<Vec<Known>, StoreError> {
        let mut all: Vec<(String, Record)> = store::list(&*self.declared, CONTAINERS)?;
        all.extend(store::list::<Record>(&*self.live, CONTAINERS)?);
        Ok(all.into_iter().map(|(_, record)| Known(record)).collect())
    }

    /// Ids of the containers that had, or were about to have, a shim.
    pub(crate) fn runs(&self) -> Result<Vec<(String, Run)>, StoreError> {
        store::list(&*self.live, RUNS)
    }
}

/// Does what waits for the disk on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ContainerError> + Send + 'static,
) -> Result<T, ContainerError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(ContainerError::Closing))
}

/// Removes a file or a directory; that it is not there is no failure.
pub(crate) async fn remove_tree(path: &Path) -> Result<(), ContainerError> {
    match tokio::fs::remove_dir_all(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(ContainerError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}
