//! The start of a container, in phases that consume each other: `Planned -> Networked | Rooted (side by side) -> Created
//! -> Running`. Each phase knows how to undo what was made to get there; whoever fails undoes, and the error is what
//! remains.

mod files;
mod network;
mod root;

use netd_runtime::{CreateRequest, Engine, Namespace, Shim};

pub(super) use self::{
    files::{Change, drop_names, readdress, update},
    network::{ask as endpoint_ask, owner as network_owner},
    root::{check_root, data, refuse_source},
};
use self::{network::Networked, root::Rooted};
use super::{
    ContainerError,
    create::{self, NetworkMode, Space, Wanted},
    links,
    parts::Parts,
    record::Record,
    registry::{Container, Registry},
    spec,
};

/// What a start needs to know.
pub(super) struct Planned<'a> {
    pub(super) parts: &'a Parts,
    pub(super) registry: &'a Registry,
    pub(super) container: &'a Container,
    pub(super) record: &'a Record,
    pub(super) wanted: Wanted,
}

/// Namespaces of other containers, found before anything is made.
struct Borrowed {
    pid: Namespace,
    ipc: Namespace,
    uts: Namespace,
    cgroupns: Namespace,
}

/// Network and root are there.
struct Ready<'a> {
    plan: &'a Planned<'a>,
    borrowed: Borrowed,
    networked: Networked,
    rooted: Rooted,
}

/// The process is there, and waits.
struct Created<'a> {
    plan: &'a Planned<'a>,
    networked: Networked,
    rooted: Rooted,
    shim: Shim,
}

impl<'a> Planned<'a> {
    /// Reads the record's request anew.
    pub(super) fn new(
        parts: &'a Parts,
        registry: &'a Registry,
        container: &'a Container,
        record: &'a Record,
    ) -> Result<Self, ContainerError> {
        let wanted = create::read(record, &parts.defaults)?;
        Ok(Self { parts, registry, container, record, wanted })
    }

    /// All the way. On failure nothing is left.
    pub(super) async fn start(&self) -> Result<Shim, ContainerError> {
        let ready = self.prepare().await?;
        let created = ready.create().await?;
        created.run().await
    }

    async fn prepare(&'a self) -> Result<Ready<'a>, ContainerError> {
        let borrowed = self.borrow()?;
        // Intent before effect: a daemon that is killed from here on leaves a run that the next one looks for.
        let root = async {
            self.parts.begin_run(self.record).await?;
            Rooted::make(self).await
        };
        let (networked, rooted) = tokio::join!(Networked::make(self), root);
        let error = match (networked, rooted) {
            (Ok(networked), Ok(rooted)) => return Ok(Ready { plan: self, borrowed, networked, rooted }),
            (Ok(networked), Err(error)) => {
                networked.undo(self).await;
                error
            }
            (Err(error), Ok(rooted)) => {
                rooted.undo().await;
                error
            }
            // Both failed by themselves; the user hears of the one that is likelier to be their doing.
            (Err(_), Err(error)) => error,
        };
        end_run(self.parts, self.record).await;
        Err(error)
    }

    fn borrow(&self) -> Result<Borrowed, ContainerError> {
        let spaces = &self.wanted.spaces;
        Ok(Borrowed {
            pid: self.namespace(&spaces.pid, "pid")?,
            ipc: self.namespace(&spaces.ipc, "ipc")?,
            uts: self.namespace(&spaces.uts, "uts")?,
            cgroupns: self.namespace(&spaces.cgroup, "cgroup")?,
        })
    }

    fn namespace(&self, space: &Space, kind: &str) -> Result<Namespace, ContainerError> {
        match space {
            Space::Private => Ok(Namespace::Private),
            Space::Host => Ok(Namespace::Host),
            Space::Container(name) => {
                let other = self.registry.find(name)?;
                match other.shim().filter(|_| other.phase().has_process()) {
                    Some(shim) => Ok(Namespace::Path(format!("/proc/{}/ns/{kind}", shim.pid()).into())),
                    None => Err(ContainerError::Conflict(format!(
                        "cannot join {} of a non running container: {}",
                        kind.to_uppercase(),
                        other.record().name
                    ))),
                }
            }
        }
    }
}

impl<'a> Ready<'a> {
    async fn create(self) -> Result<Created<'a>, ContainerError> {
        match self.make().await {
            Ok(shim) => Ok(Created { plan: self.plan, networked: self.networked, rooted: self.rooted, shim }),
            Err(error) => {
                tokio::join!(
                    self.networked.undo(self.plan),
                    self.rooted.undo(),
                    end_run(self.plan.parts, self.plan.record)
                );
                Err(error)
            }
        }
    }

    async fn make(&self) -> Result<Shim, ContainerError> {
        let Planned { parts, record, wanted, .. } = self.plan;
        files::write(self.plan, &self.networked).await?;
        let found = spec::Found {
            netns: self.networked.netns.clone(),
            pid: self.borrowed.pid.clone(),
            ipc: self.borrowed.ipc.clone(),
            uts: self.borrowed.uts.clone(),
            cgroupns: self.borrowed.cgroupns.clone(),
            files: self.networked.files.clone(),
            hostname: wanted.hostname.clone(),
        };
        let mut spec = spec::container(record, wanted, &parts.paths, found);
        let links = links::variables(parts, self.plan.registry, record);
        create::add_variables(&mut spec.process.env, links);
        if matches!(wanted.mode, NetworkMode::Host) && spec.uts == Namespace::Host {
            spec.hostname.clear();
        }
        let request = CreateRequest {
            spec,
            dir: parts.paths.shim(record.id),
            log: spec::log(record, wanted, &parts.paths),
            stdin: spec::stdin(record),
            dns: self
                .networked
                .dns
                .iter()
                .map(std::os::fd::OwnedFd::try_clone)
                .collect::<Result<_, _>>()
                .map_err(ContainerError::file("copy the DNS sockets of", parts.paths.shim(record.id)))?,
            engine: wanted.oci_runtime.clone().map_or(Engine::Builtin, Engine::Oci),
        };
        Ok(parts.runtime.create(request).await?)
    }
}

impl Created<'_> {
    async fn run(self) -> Result<Shim, ContainerError> {
        let Self { plan, networked, rooted, shim } = self;
        for (attach, waiting) in plan.container.take_waiting() {
            // A client that can't be attached hears of it when its end is dropped; the container starts anyway.
            match shim.attach(attach).await {
                Ok(stream) => drop(waiting.send(stream)),
                Err(error) => tracing::warn!(container.id = %plan.record.id, %error, "attach failed"),
            }
        }
        match shim.start().await {
            Ok(()) => Ok(shim),
            Err(error) => {
                if let Err(error) = shim.delete().await {
                    tracing::warn!(container.id = %plan.record.id, %error, "shim not removed");
                }
                tokio::join!(networked.undo(plan), rooted.undo(), end_run(plan.parts, plan.record));
                Err(error.into())
            }
        }
    }
}

async fn end_run(parts: &Parts, record: &Record) {
    if let Err(error) = parts.end_run(record).await {
        tracing::error!(container.id = %record.id, %error, "run not forgotten");
    }
}
