//! Volumes of the local driver: a directory each, `volumes/<name>/_data` below the data root, and a record.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use libnet::store::{self, Change, Store};
use netd_api::{Filters, models, time::rfc3339};
use serde::{Deserialize, Serialize};

use super::{
    ContainerError,
    create::{local_driver, volume_name},
    error::invalid,
    parts::remove_tree,
    registry::Registry,
};
use crate::{
    engine::{Clock, Random},
    events::{Event, EventKind, Events},
};

const VOLUMES: &str = "volumes";

/// All volumes.
pub struct Volumes {
    root: PathBuf,
    declared: Arc<dyn Store>,
    events: Events,
    clock: Clock,
    random: Random,
    /// Who uses which.
    users: std::sync::OnceLock<Arc<Registry>>,
}

impl std::fmt::Debug for Volumes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Volumes").field("root", &self.root).finish_non_exhaustive()
    }
}

/// A volume, as kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct VolumeRecord {
    created: Timestamp,
    labels: HashMap<String, String>,
    #[serde(default)]
    anonymous: bool,
}

/// A volume that is there.
#[derive(Clone, Debug)]
pub(super) struct Ensured {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

type Result<T> = std::result::Result<T, ContainerError>;

impl Volumes {
    pub(crate) fn new(
        root: PathBuf,
        declared: Arc<dyn Store>,
        events: Events,
        clock: Clock,
        random: Random,
    ) -> Self {
        Self { root, declared, events, clock, random, users: std::sync::OnceLock::new() }
    }

    pub(super) fn used_by(&self, users: Arc<Registry>) {
        // Set once, by the one who makes both.
        let _ = self.users.set(users);
    }

    /// The volume of this name, made if it is missing; a new one without a name.
    pub(super) async fn ensure(&self, name: Option<&str>) -> Result<Ensured> {
        let (name, anonymous) = match name {
            Some(name) => (name.to_owned(), false),
            None => {
                let mut bytes = [0; 32];
                (self.random)(&mut bytes);
                (libnet::types::SandboxId::from_bytes(bytes).to_string(), true)
            }
        };
        let path = self.path(&name);
        if store::get::<VolumeRecord>(&*self.declared, VOLUMES, &name)?.is_none() {
            let record = VolumeRecord { created: (self.clock)(), labels: HashMap::new(), anonymous };
            self.make(&name, &record).await?;
        }
        Ok(Ensured { name, path })
    }

    async fn make(&self, name: &str, record: &VolumeRecord) -> Result<()> {
        let path = self.path(name);
        tokio::fs::create_dir_all(&path).await.map_err(ContainerError::file("create the volume", &path))?;
        self.declared.commit(&[Change::put(VOLUMES, name, record)?])?;
        self.tell(name, "create");
        Ok(())
    }

    /// Makes a volume; the one that is there if there is one.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn create(&self, ask: models::VolumeCreateRequest) -> Result<models::Volume> {
        local_driver(ask.driver.as_deref())?;
        if let Some(key) = ask.driver_opts.as_ref().and_then(|options| options.keys().next()) {
            return invalid(format!("create {}: invalid option: \"{key}\"", ask.name.unwrap_or_default()));
        }
        let name = ask.name.filter(|name| !name.is_empty()).map(|name| volume_name(&name)).transpose()?;
        if let Some(known) = &name
            && let Ok(volume) = self.inspect(known).await
        {
            return Ok(volume);
        }
        let ensured = self.ensure(name.as_deref()).await?;
        if let Some(labels) = ask.labels {
            let record = VolumeRecord { created: (self.clock)(), labels, anonymous: name.is_none() };
            self.declared.commit(&[Change::put(VOLUMES, ensured.name.clone(), &record)?])?;
        }
        self.inspect(&ensured.name).await
    }

    /// Those that pass the filters.
    ///
    /// # Errors
    /// [`ContainerError`].
    #[allow(clippy::unused_async, reason = "as the other requests")]
    pub async fn list(&self, filters: Filters) -> Result<models::VolumeListResponse> {
        let filters = filters.only(&["name", "label", "driver", "dangling"])?;
        let dangling = filters.contains("dangling").then(|| filters.truth("dangling", true)).transpose()?;
        let volumes =
            store::list::<VolumeRecord>(&*self.declared, VOLUMES)?.into_iter().filter(|(name, record)| {
                let label = |label: &str| record.labels.get(label).map(String::as_str);
                filters.pattern("name", name)
                    && filters.labels("label", label)
                    && filters.exact("driver", "local")
                    && dangling.is_none_or(|dangling| dangling != self.used(name))
            });
        let volumes = volumes.map(|(name, record)| self.view(name, record)).collect();
        Ok(models::VolumeListResponse { volumes: Some(volumes), warnings: None })
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ContainerError::NoVolume`].
    #[allow(clippy::unused_async, reason = "as the other requests")]
    pub async fn inspect(&self, name: &str) -> Result<models::Volume> {
        match store::get(&*self.declared, VOLUMES, name)? {
            Some(record) => Ok(self.view(name.to_owned(), record)),
            None => Err(ContainerError::NoVolume(name.to_owned())),
        }
    }

    /// Removes it, and what is in it.
    ///
    /// # Errors
    /// [`ContainerError`]: it is in use, or not there.
    pub async fn remove(&self, name: &str, force: bool) -> Result<()> {
        if let Some(user) = self.user(name) {
            return Err(ContainerError::Conflict(format!("remove {name}: volume is in use - [{user}]")));
        }
        if store::get::<VolumeRecord>(&*self.declared, VOLUMES, name)?.is_none() {
            return if force { Ok(()) } else { Err(ContainerError::NoVolume(name.to_owned())) };
        }
        remove_tree(&self.root.join(name)).await?;
        self.declared.commit(&[Change::delete(VOLUMES, name)])?;
        self.tell(name, "destroy");
        Ok(())
    }

    /// Removes those that nobody uses: the anonymous ones, with `all=true` the others too.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn prune(&self, filters: Filters) -> Result<models::VolumePruneResponse> {
        let filters = filters.only(&["label", "label!", "all"])?;
        let all = filters.truth("all", false)?;
        let mut deleted = Vec::new();
        for (name, record) in store::list::<VolumeRecord>(&*self.declared, VOLUMES)? {
            let label = |label: &str| record.labels.get(label).map(String::as_str);
            if (all || record.anonymous)
                && filters.keeps_labels(label)
                && self.remove(&name, true).await.is_ok()
            {
                deleted.push(name);
            }
        }
        Ok(models::VolumePruneResponse { volumes_deleted: Some(deleted), space_reclaimed: Some(0) })
    }

    fn used(&self, name: &str) -> bool {
        self.user(name).is_some()
    }

    /// A container that uses it. One that is being removed no longer does.
    fn user(&self, name: &str) -> Option<String> {
        let all = self.users.get()?.all();
        let uses = all.into_iter().find(|container| {
            let record = container.record();
            record.state.phase != super::Phase::Removing
                && record.volumes.iter().any(|volume| volume.name == name)
        });
        uses.map(|container| container.id.to_string())
    }

    fn view(&self, name: String, record: VolumeRecord) -> models::Volume {
        models::Volume {
            mountpoint: self.path(&name).display().to_string(),
            name,
            driver: "local".to_owned(),
            created_at: Some(rfc3339(record.created)),
            labels: record.labels,
            scope: Some(models::VolumeScopeEnum::LOCAL),
            ..Default::default()
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name).join("_data")
    }

    fn tell(&self, name: &str, action: &str) {
        let event = Event::new(EventKind::Volume, action, name, (self.clock)());
        self.events.publish(event.with("driver", "local"));
    }
}
