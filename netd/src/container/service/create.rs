//! `POST /containers/create`: everything is checked first, then the volumes and the directory are made, and the record
//! is written last: a daemon that is killed before has nothing to remember.

use std::{collections::HashMap, sync::Arc};

use libnet::types::{ContainerId, EndpointId};
use netd_api::models;

use super::{Containers, Result};
use crate::{
    container::{
        ContainerError, CreateAsk,
        actor::Actor,
        create::{self, Access, Missing, NetworkMode, Rootfs, Source, Wanted},
        folded::Folded,
        links, name,
        parts::remove_tree,
        record::{Endpoint, Record, State, VolumeUse},
        start::{check_root, data, endpoint_ask, refuse_source},
    },
    error::Kind,
    image::{HostImage, architecture},
};

impl Containers {
    /// Makes a container.
    ///
    /// # Errors
    /// [`ContainerError`]: nothing was made.
    pub async fn create(&self, ask: CreateAsk) -> Result<models::ContainerCreateResponse> {
        check_platform(ask.platform.as_deref())?;
        let CreateAsk { name, body, .. } = ask;
        let id = ContainerId::from_bytes(self.parts.random());
        let name = self.take_name(name.as_deref(), id)?;
        let made = self.make(id, &name, body).await;
        made.map_err(|error| {
            self.registry.drop_name(&name, id);
            unmet(error)
        })
    }

    fn take_name(&self, name: Option<&str>, id: ContainerId) -> Result<String> {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            let name = name::check(name)?;
            name::take(&self.registry, &self.parts.networks, name, id)?;
            return Ok(name.to_owned());
        }
        let made_up = (0..name::TRIES).map(|attempt| name::make_up(self.parts.random(), attempt));
        let take = |name: &str| name::take(&self.registry, &self.parts.networks, name, id);
        let free = made_up.into_iter().find(|name| take(name).is_ok());
        match free {
            Some(name) => Ok(name),
            // Everything was taken: the id is not.
            None => {
                let name = id.short(12);
                self.registry.take_name(&name, id).map(|()| name)
            }
        }
    }

    async fn make(
        &self,
        id: ContainerId,
        name: &str,
        body: models::ContainerCreateBody,
    ) -> Result<models::ContainerCreateResponse> {
        // As the user said it: what is filled in below contradicts nothing.
        let called = |network: &str| {
            self.parts.networks.resolve(network).map_or_else(|_| network.to_owned(), |found| found.name)
        };
        let networks = create::networks(&body, called)?;
        let mut record = self.record(id, name, body)?;
        self.inherit_volumes(&mut record)?;
        let wanted = create::read(&record, &self.parts.defaults)?;
        record.endpoints = self.endpoints(&networks)?;
        self.check(&record, &wanted).await?;
        let mut warnings = create::warnings(&record.host);
        if networks.mode.needs_forwarding() && !self.parts.networks.forwards_v4().await {
            warnings.push("IPv4 forwarding is disabled. Networking will not work.".to_owned());
        }

        if let Err(error) = self.keep(&mut record, &wanted).await {
            self.unmake(&record).await;
            return Err(error);
        }
        Actor::spawn(self.parts.clone(), self.registry.clone(), record.clone());
        self.parts.tell(&record, "create", &[]);
        tracing::info!(container.id = %id, container.name = name, "container created");
        Ok(models::ContainerCreateResponse { id: id.to_string(), warnings })
    }

    /// The request, with what the image and Docker's defaults say where it is silent.
    fn record(&self, id: ContainerId, name: &str, mut body: models::ContainerCreateBody) -> Result<Record> {
        let mut host = body.host_config.take().unwrap_or_default();
        let mut config = config(body);
        let image_id = image(&mut config, &host)?;
        let mode = create::canonical(host.network_mode.as_deref().unwrap_or_default()).to_owned();
        let uts_host = host.uts_mode.as_deref() == Some("host");
        if config.hostname.as_deref().is_none_or(str::is_empty) {
            config.hostname = match NetworkMode::read(&mode) {
                NetworkMode::Host => Some(machine_name()),
                _ if uts_host => Some(machine_name()),
                NetworkMode::Container(ref other) => {
                    self.find(other).ok().and_then(|other| other.record().config.hostname.clone())
                }
                _ => Some(id.short(12)),
            };
        }
        // Kept by id: the other one may change its name.
        host.network_mode = Some(match NetworkMode::read(&mode) {
            NetworkMode::Container(other) if !other.is_empty() => {
                format!("container:{}", self.joined(&other)?.id)
            }
            _ => mode,
        });
        config.labels.get_or_insert_with(HashMap::new);
        Ok(Record {
            id,
            name: name.to_owned(),
            created: self.parts.now(),
            image_id,
            config: Folded::new(config),
            host: Folded::new(host),
            endpoints: Vec::new(),
            volumes: Vec::new(),
            state: State::created(),
            restarts: 0,
            stopped_by_user: false,
        })
    }

    fn joined(&self, other: &str) -> Result<Arc<crate::container::registry::Container>> {
        self.find(other).map_err(|source| ContainerError::Other {
            what: "joining network namespace of container".to_owned(),
            source: Box::new(source),
        })
    }

    /// `--volumes-from`: what the others mount is mounted here, unless something else is.
    fn inherit_volumes(&self, record: &mut Record) -> Result<()> {
        let wanted = create::read(record, &self.parts.defaults)?;
        let mut taken: Vec<_> = wanted.mounts.iter().map(|mount| mount.target.clone()).collect();
        let mut binds = record.host.binds.clone().unwrap_or_default();
        for (name, access) in &wanted.volumes_from {
            let other = self.find(name)?.record();
            let theirs = create::read(&other, &self.parts.defaults)?;
            for mount in theirs.mounts.iter().filter(|mount| !taken.contains(&mount.target)) {
                let source = match &mount.source {
                    Source::Bind { path, .. } => path.display().to_string(),
                    Source::Volume { .. } => match volume_at(&other, &mount.target.to_string_lossy()) {
                        Some(volume) => volume.name.clone(),
                        None => continue,
                    },
                    Source::Tmpfs(_) => continue,
                };
                let read_only = *access == Access::ReadOnly || mount.access == Access::ReadOnly;
                let mode = if read_only { "ro" } else { "rw" };
                binds.push(format!("{source}:{}:{mode}", mount.target.display()));
            }
            taken.extend(theirs.mounts.into_iter().map(|mount| mount.target));
        }
        if !wanted.volumes_from.is_empty() {
            record.host.rest_mut().binds = Some(binds);
        }
        Ok(())
    }

    fn endpoints(&self, wanted: &create::WantedNetworks) -> Result<Vec<Endpoint>> {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        let mut drivers = Vec::new();
        for (name, settings) in &wanted.networks {
            let network = self.parts.networks.resolve(name)?;
            wanted.mode.admits(drivers.iter().copied(), network.driver)?;
            drivers.push(network.driver);
            let mut settings = settings.clone();
            if network.name == links::NETWORK {
                links::resolve(&self.registry, &mut settings)?;
            }
            endpoints.push(Endpoint {
                network: None,
                network_name: network.name,
                endpoint: EndpointId::from_bytes(self.parts.random()),
                settings,
            });
        }
        Ok(endpoints)
    }

    /// What can only be known by looking.
    async fn check(&self, record: &Record, wanted: &Wanted) -> Result<()> {
        for endpoint in &record.endpoints {
            let network = self.parts.network_of(endpoint)?;
            let asked = endpoint_ask(record, wanted, endpoint, network.id)?;
            let checked = self.parts.networks.check(&network, &asked);
            checked.map_err(|error| ContainerError::from(error).in_network(&endpoint.network_name))?;
        }
        if let Rootfs::Dir(dir) = &wanted.rootfs {
            check_root(dir).await?;
        }
        for mount in &wanted.mounts {
            if let Source::Bind { path, missing: Missing::Refused } = &mount.source
                && !tokio::fs::try_exists(path).await.unwrap_or(false)
            {
                return refuse_source(path);
            }
        }
        for (space, what) in
            [(&wanted.spaces.pid, "PID"), (&wanted.spaces.ipc, "IPC"), (&wanted.spaces.uts, "UTS")]
        {
            if let create::Space::Container(name) = space {
                self.find(name).map_err(|source| ContainerError::Other {
                    what: format!("joining {what} namespace of container"),
                    source: Box::new(source),
                })?;
            }
        }
        Ok(())
    }

    /// Volumes, directory, record, in this order.
    async fn keep(&self, record: &mut Record, wanted: &Wanted) -> Result<()> {
        for mount in &wanted.mounts {
            if let Source::Volume { name, .. } = &mount.source {
                let target = mount.target.to_string_lossy().into_owned();
                let volume = self.parts.volumes.ensure(name.as_deref()).await?;
                record.volumes.push(VolumeUse {
                    name: volume.name,
                    path: volume.path,
                    target,
                    anonymous: name.is_none(),
                });
            }
        }
        data(&self.parts.paths, record).await?;
        self.parts.save(record).await
    }

    async fn unmake(&self, record: &Record) {
        if let Err(error) = remove_tree(&self.parts.paths.data(record.id)).await {
            tracing::warn!(container.id = %record.id, %error, "directory not removed");
        }
        for volume in record.volumes.iter().filter(|volume| volume.anonymous) {
            if let Err(error) = self.parts.volumes.remove(&volume.name, true).await {
                tracing::warn!(container.id = %record.id, %error, "volume not removed");
            }
        }
    }
}

/// The docker CLI takes any 404 of this request for a missing image, and pulls.
fn unmet(error: ContainerError) -> ContainerError {
    match error {
        ContainerError::Image(_) => error,
        error if error.kind() == Kind::NotFound => ContainerError::Unmet(Box::new(error)),
        error => error,
    }
}

fn volume_at<'a>(record: &'a Record, target: &str) -> Option<&'a VolumeUse> {
    record.volumes.iter().find(|volume| volume.target == target)
}

/// The Config part of a request.
fn config(body: models::ContainerCreateBody) -> models::ContainerConfig {
    models::ContainerConfig {
        hostname: body.hostname,
        domainname: Some(body.domainname.unwrap_or_default()),
        user: Some(body.user.unwrap_or_default()),
        attach_stdin: Some(body.attach_stdin.unwrap_or(false)),
        attach_stdout: Some(body.attach_stdout.unwrap_or(false)),
        attach_stderr: Some(body.attach_stderr.unwrap_or(false)),
        exposed_ports: body.exposed_ports,
        tty: Some(body.tty.unwrap_or(false)),
        open_stdin: Some(body.open_stdin.unwrap_or(false)),
        stdin_once: Some(body.stdin_once.unwrap_or(false)),
        env: body.env,
        cmd: body.cmd,
        healthcheck: body.healthcheck,
        args_escaped: body.args_escaped,
        image: body.image,
        volumes: body.volumes,
        working_dir: body.working_dir,
        entrypoint: body.entrypoint,
        network_disabled: body.network_disabled,
        on_build: None,
        labels: body.labels,
        stop_signal: body.stop_signal,
        stop_timeout: body.stop_timeout,
        shell: body.shell,
    }
}

/// Fills in what the image says, and returns its id. With a root directory of its own a container needs no image.
fn image(config: &mut models::ContainerConfig, host: &models::HostConfig) -> Result<String> {
    let own_root = host
        .annotations
        .as_ref()
        .is_some_and(|notes| notes.contains_key(netd_api::extras::ROOTFS_ANNOTATION));
    let name = config.image.clone().unwrap_or_default();
    let id = match HostImage::find(&name) {
        Ok(image) => image.id().to_owned(),
        Err(_) if own_root => String::new(),
        Err(error) => return Err(ContainerError::Image(error)),
    };
    let defaults = HostImage.config();
    let words = |words: &Option<Vec<String>>| words.as_ref().is_some_and(|words| !words.is_empty());
    if !words(&config.cmd) && !words(&config.entrypoint) {
        config.cmd = defaults.cmd;
    }
    let mut env = defaults.env.unwrap_or_default();
    let name_of = |pair: &str| pair.split('=').next().map(str::to_owned);
    let said: Vec<_> = config.env.iter().flatten().filter_map(|pair| name_of(pair)).collect();
    env.retain(|pair| !name_of(pair).is_some_and(|name| said.contains(&name)));
    env.splice(0..0, config.env.take().unwrap_or_default());
    config.env = Some(env);
    if config.working_dir.as_deref().is_none_or(str::is_empty) {
        config.working_dir = defaults.working_dir;
    }
    Ok(id)
}

fn machine_name() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn check_platform(platform: Option<&str>) -> Result<()> {
    let Some(platform) = platform.filter(|platform| !platform.is_empty()) else { return Ok(()) };
    let mut parts = platform.split('/');
    let os = parts.next().unwrap_or_default();
    if os == "linux" && parts.next().is_none_or(|arch| arch == architecture()) {
        return Ok(());
    }
    Err(ContainerError::Invalid(format!(
        "image with reference host was found but does not provide the specified platform ({platform})"
    )))
}
