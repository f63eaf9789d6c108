//! The front door: one method per request of the API. Reading looks at what containers show of themselves; everything
//! that changes one goes through its task.

mod create;
mod links;
mod namespaces;

use std::{sync::Arc, time::Duration};

use libnet::types::ContainerId;
use netd_api::{Filters, models};

use super::{
    ContainerError, Done, ListAsk, Pending, PortsAsk, RemoveAsk, StopAsk, WaitCondition,
    actor::{Actor, Left, Request, Stop},
    create::{settings, signal},
    error::invalid,
    execs::Execs,
    list,
    parts::Parts,
    policy::{Ask, Phase},
    record::Record,
    registry::{Container, Registry},
};

use crate::network::NetworkError;

/// All containers of the daemon.
#[derive(Debug)]
pub struct Containers {
    pub(super) parts: Arc<Parts>,
    pub(super) registry: Arc<Registry>,
    pub(super) execs: Execs,
}

type Result<T> = std::result::Result<T, ContainerError>;

impl Containers {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        let registry: Arc<Registry> = Arc::default();
        parts.volumes.used_by(registry.clone());
        Self { parts, registry, execs: Execs::default() }
    }

    pub(super) fn find(&self, reference: &str) -> Result<Arc<Container>> {
        self.registry.find(reference)
    }

    /// Makes a container known that an earlier daemon had.
    pub(super) fn restore(&self, record: Record) -> Result<Arc<Container>> {
        self.registry.take_name(&record.name, record.id)?;
        Ok(Actor::spawn(self.parts.clone(), self.registry.clone(), record))
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`ContainerError`]: what failed; nothing of the start is left.
    pub async fn start(&self, reference: &str) -> Result<Done> {
        self.find(reference)?.ask(Request::Start).await
    }

    /// Stops it: signal, time, SIGKILL.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn stop(&self, reference: &str, ask: StopAsk) -> Result<Done> {
        let (container, stop) = (self.find(reference)?, stop(&ask)?);
        container.ask(|reply| Request::Stop(stop, reply)).await
    }

    /// Sends a signal, by default SIGKILL. SIGKILL is answered when the process has ended.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn kill(&self, reference: &str, signal: Option<&str>) -> Result<()> {
        let container = self.find(reference)?;
        let number = match signal.filter(|signal| !signal.is_empty()) {
            Some(text) => self::signal(text)?,
            None => nix::libc::SIGKILL,
        };
        let mut view = container.view.subscribe();
        let ends = view.borrow().ends;
        container.ask(|reply| Request::Kill(number, reply)).await?;
        if number == nix::libc::SIGKILL {
            // Bounded, as in Docker: a process in an uninterruptible sleep ends when the kernel lets it.
            let ended = view.wait_for(|view| view.ends > ends || view.removed);
            let _ = tokio::time::timeout(Duration::from_secs(10), ended).await;
        }
        Ok(())
    }

    /// Stops it, if it runs, and starts it.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn restart(&self, reference: &str, ask: StopAsk) -> Result<()> {
        let (container, stop) = (self.find(reference)?, stop(&ask)?);
        container.ask(|reply| Request::Restart(stop, reply)).await
    }

    /// Freezes its processes.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn pause(&self, reference: &str) -> Result<()> {
        self.find(reference)?.ask(Request::Pause).await
    }

    /// Lets its processes go on.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn unpause(&self, reference: &str) -> Result<()> {
        self.find(reference)?.ask(Request::Unpause).await
    }

    /// Waits. That there is such a container is known at once; the answer may take for ever.
    ///
    /// # Errors
    /// [`ContainerError::NotFound`] and [`ContainerError::Ambiguous`].
    pub fn wait(
        &self,
        reference: &str,
        condition: WaitCondition,
    ) -> Result<Pending<Result<models::ContainerWaitResponse>>> {
        let container = self.find(reference)?;
        let mut view = container.view.subscribe();
        let ends = view.borrow().ends;
        Ok(Box::pin(async move {
            // Held, so that the view outlives the container.
            let _container = container;
            let seen = view.wait_for(|view| match condition {
                // One that is about to be started again has stopped, as in Docker.
                WaitCondition::NotRunning => {
                    !view.record.state.phase.is_running() || view.ends > ends || view.removed
                }
                WaitCondition::NextExit => view.ends > ends || view.removed,
                WaitCondition::Removed => view.removed,
            });
            let code = seen.await.map_err(|_| ContainerError::Closing)?.record.state.exit_code;
            // Why a start failed is told to whoever asked for the start.
            Ok(models::ContainerWaitResponse { status_code: i64::from(code), error: None })
        }))
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn rename(&self, reference: &str, name: &str) -> Result<()> {
        let container = self.find(reference)?;
        if name.trim_start_matches('/').is_empty() {
            return invalid("Neither old nor new names may be empty");
        }
        container.ask(|reply| Request::Rename(name.to_owned(), reply)).await
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn remove(&self, reference: &str, ask: RemoveAsk) -> Result<()> {
        if ask.link {
            return self.remove_link(reference).await;
        }
        let container = self.find(reference)?;
        container.ask(|reply| Request::Remove(ask, reply)).await
    }

    /// Those that pass the filters, newest first.
    ///
    /// # Errors
    /// [`ContainerError`]: filters that make no sense.
    pub async fn list(&self, ask: ListAsk) -> Result<Vec<models::ContainerSummary>> {
        list::list(self, ask).await
    }

    /// Changes limits and restart policy.
    ///
    /// # Errors
    /// [`ContainerError`]: nothing was changed.
    pub async fn update(
        &self,
        reference: &str,
        ask: models::ContainerUpdateBody,
    ) -> Result<models::ContainerUpdateResponse> {
        let container = self.find(reference)?;
        let warnings = container.ask(|reply| Request::Update(Box::new(ask), reply)).await?;
        Ok(models::ContainerUpdateResponse { warnings: Some(warnings) })
    }

    /// Removes all that don't run and pass the filters.
    ///
    /// # Errors
    /// [`ContainerError`]: filters that make no sense. What can't be removed stays.
    pub async fn prune(&self, filters: Filters) -> Result<models::ContainerPruneResponse> {
        let chosen = list::prunable(self, filters)?;
        let mut deleted = Vec::new();
        for container in chosen {
            if container.ask(|reply| Request::Remove(RemoveAsk::default(), reply)).await.is_ok() {
                deleted.push(container.id.to_string());
            }
        }
        Ok(models::ContainerPruneResponse { containers_deleted: Some(deleted), space_reclaimed: Some(0) })
    }

    /// Puts a container into a network.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn connect(&self, network: &str, ask: models::NetworkConnectRequest) -> Result<()> {
        let container = self.find(&ask.container)?;
        let network = self.parts.networks.resolve(network)?;
        let settings = settings(ask.endpoint_config.as_ref(), Vec::new())?;
        container.ask(|reply| Request::Connect(Box::new((network, settings)), reply)).await
    }

    /// Takes a container out of a network. By force, also one that is no longer there, by its name; by force, or if it does
    /// not run, out of a network that is no longer there.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn disconnect(&self, network: &str, ask: models::NetworkDisconnectRequest) -> Result<()> {
        let force = ask.force == Some(true);
        let container = match self.find(&ask.container) {
            // Ends in a network that are no container's have names there, too.
            Err(ContainerError::NotFound(name)) => {
                let network = self.parts.networks.resolve(network)?.id;
                if self.parts.networks.detach_named(name.clone(), network).await? {
                    return Ok(());
                }
                return match force {
                    true => Ok(self.parts.networks.forget(network, name).await?),
                    false => Err(ContainerError::NotFound(name)),
                };
            }
            found => found?,
        };
        let from = match self.parts.networks.resolve(network) {
            Err(NetworkError::NotFound(name)) if force || !container.phase().has_process() => {
                Left::Gone(name)
            }
            found => Left::There(found?),
        };
        container.ask(|reply| Request::Disconnect(Box::new(from), reply)).await
    }

    /// Changes the published ports of a container; at once, if it runs.
    ///
    /// # Errors
    /// [`ContainerError`]; nothing has changed then.
    pub async fn change_ports(&self, reference: &str, ask: PortsAsk) -> Result<()> {
        self.find(reference)?.ask(|reply| Request::Ports(Box::new(ask), reply)).await
    }

    /// Sets the size of its terminal.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn resize(&self, reference: &str, rows: u16, cols: u16) -> Result<()> {
        let container = self.find(reference)?;
        container.admit(Ask::Resize)?;
        match container.shim() {
            Some(shim) => Ok(shim.resize(rows, cols).await?),
            None => Ok(()),
        }
    }

    /// Its processes.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn top(&self, reference: &str, ps_args: &str) -> Result<models::ContainerTopResponse> {
        let container = self.find(reference)?;
        container.admit(Ask::Top)?;
        let Some(shim) = container.shim() else {
            return Err(ContainerError::Conflict(format!("container {} is not running", container.id)));
        };
        let top = shim.top(ps_args).await?;
        Ok(models::ContainerTopResponse { titles: Some(top.titles), processes: Some(top.processes) })
    }

    /// The container whose network this one has: itself, unless it shares another's.
    ///
    /// # Errors
    /// [`ContainerError::NotFound`] and its like.
    pub fn network_owner(&self, reference: &str) -> Result<ContainerId> {
        let container = self.find(reference)?;
        Ok(super::start::network_owner(&self.registry, &container.record()))
    }

    /// How many are running, paused, stopped.
    pub fn counts(&self) -> (usize, usize, usize) {
        let (mut running, mut paused, mut stopped) = (0, 0, 0);
        for container in self.registry.all() {
            match container.phase() {
                Phase::Running | Phase::Stopping | Phase::Restarting => running += 1,
                Phase::Paused => paused += 1,
                Phase::Created | Phase::Exited | Phase::Removing => stopped += 1,
            }
        }
        (running, paused, stopped)
    }

    /// Stops them all, each in its own time but not longer than `timeout`.
    pub(crate) async fn close(&self, timeout: Option<Duration>) {
        let all = self.registry.all().into_iter().map(|container| async move {
            let _ = container.ask(|reply| Request::Close(timeout, reply)).await;
        });
        futures_util::future::join_all(all).await;
    }
}

fn stop(ask: &StopAsk) -> Result<Stop> {
    let signal = ask.signal.as_deref().filter(|text| !text.is_empty()).map(signal).transpose()?;
    let timeout = ask.timeout.map(|seconds| super::create::stop_timeout(Some(seconds)));
    Ok(Stop { signal, timeout })
}
