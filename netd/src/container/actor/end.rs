//! What happens when a process has ended: everything of the run is given back, then whoever waits is told, then the
//! container is started again, removed, or left as it is. Also what an earlier daemon's containers come to.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;
use netd_runtime::{Exit, Shim, ShimState};

use super::{Actor, After, Request, answer};
use crate::container::{
    ContainerError, Done,
    create::NetworkMode,
    policy::Phase,
    recovered::Found,
    restart::{Ended, RestartPolicy},
};
use crate::network::Known;

/// Docker's code for an end that nobody saw.
const UNSEEN: i32 = 255;

/// Docker's code for a process whose shim has gone: it is killed.
pub(super) const SHIM_GONE: i32 = 128 + nix::libc::SIGKILL;

/// An end that no shim tells of.
pub(super) fn untold(code: i32, now: Timestamp) -> Exit {
    let nanos = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
    Exit { code, oom_killed: false, finished_at_unix_nanos: nanos }
}

impl Actor {
    pub(super) async fn ended(&mut self, exit: Exit) {
        self.give_back().await;
        let stopped = self.told_to_end;
        let ran_for = self.ran_for();
        let again = self.note_end(exit, ran_for);
        self.tell(
            "die",
            &[("exitCode", exit.code.to_string()), ("execDuration", ran_for.as_secs().to_string())],
        );
        if exit.oom_killed {
            self.tell("oom", &[]);
        }
        if stopped {
            self.tell("stop", &[]);
        }
        tracing::info!(container.id = %self.record.id, container.name = self.record.name, code = exit.code, "container ended");
        self.ends();
        // The one durable commit of a stop comes before its answer; a container that goes need not be written first.
        if !self.record.auto_remove() {
            self.save().await;
        }
        let mut vanishing = self.record.auto_remove() && !again;
        let mut starting = Vec::new();
        for after in std::mem::take(&mut self.after) {
            match after {
                After::Tell(reply) => answer(reply, Ok(Done::Changed)),
                After::Close(reply) => answer(reply, Ok(())),
                After::Start(reply) => starting.push(reply),
                After::Remove(ask, reply) => {
                    vanishing = false;
                    self.remove(ask, reply).await;
                }
            }
        }
        if vanishing && starting.is_empty() && !self.gone {
            self.vanish().await;
        }
        for reply in starting {
            match self.record.state.phase {
                // Whoever waits hears it by the end of this task.
                _ if self.gone => return,
                // Who asked first has started it.
                phase if phase.has_process() => answer(reply, Ok(())),
                _ => self.restart(reply).await,
            }
        }
    }

    /// Shim, namespace, endpoints: all at once.
    async fn give_back(&mut self) {
        let shim = self.shim.take();
        self.container.set_shim(None);
        let delete = async {
            match &shim {
                Some(shim) => shim.delete().await.map_err(ContainerError::from),
                None => Ok(()),
            }
        };
        let close =
            async { self.parts.networks.close_sandbox(self.record.id).await.map_err(ContainerError::from) };
        let (deleted, closed) = tokio::join!(delete, close);
        // Last: until then the next daemon has something to look for.
        let forgotten = self.parts.end_run(&self.record).await;
        for error in [deleted, closed, forgotten].into_iter().filter_map(Result::err) {
            tracing::warn!(container.id = %self.record.id, error = crate::error::chain(&error), "container not cleaned up whole");
        }
    }

    /// Writes the end into the record, and decides whether it is the end.
    fn note_end(&mut self, exit: Exit, ran_for: Duration) -> bool {
        let finished = Timestamp::from_nanosecond(i128::from(exit.finished_at_unix_nanos));
        let state = &mut self.record.state;
        state.phase = Phase::Exited;
        state.pid = 0;
        state.exit_code = exit.code;
        state.oom_killed = exit.oom_killed;
        state.finished = Some(finished.unwrap_or_else(|_| (self.parts.clock)()));
        let ended = Ended {
            code: exit.code,
            ran_for,
            restarts: self.record.restarts,
            stopped_by_user: self.told_to_end || self.record.stopped_by_user,
        };
        let policy = self.wanted().map_or(RestartPolicy::No, |wanted| wanted.restart);
        if !policy.restarts(&ended) || !self.after.is_empty() {
            return false;
        }
        self.record.state.phase = Phase::Restarting;
        self.record.restarts += 1;
        let wait = self.back_off.next(ran_for);
        self.run += 1;
        self.later(wait, Request::RestartDue(self.run));
        true
    }

    fn ran_for(&self) -> Duration {
        let started = self.record.state.started.unwrap_or_else(|| self.parts.now());
        Duration::try_from(self.parts.now().duration_since(started)).unwrap_or_default()
    }

    /// Its restart policy's turn.
    pub(super) async fn start_again(&mut self) {
        if self.record.state.phase != Phase::Restarting {
            return;
        }
        match self.start().await {
            Ok(()) => self.save().await,
            Err(error) => {
                tracing::warn!(container.id = %self.record.id, error = crate::error::chain(&error), "restart failed");
                self.record.state.phase = Phase::Exited;
                // Whenever it ran last, this time it did not: each failure is waited for longer than the one before.
                self.note_end(untold(self.record.state.exit_code, self.parts.now()), Duration::ZERO);
                self.ends();
                self.save().await;
            }
        }
    }

    /// What an earlier daemon has left of it: a shim, or nothing though there should be one.
    pub(super) async fn adopt(&mut self, found: Found) -> Result<(), ContainerError> {
        self.run += 1;
        match found {
            Found::Shim(shim, state @ (ShimState::Running | ShimState::Paused)) => {
                self.network_back(&shim).await;
                let paused = state == ShimState::Paused;
                self.record.state.phase = if paused { Phase::Paused } else { Phase::Running };
                self.record.state.pid = shim.pid();
                let now = self.parts.now();
                self.record.state.started.get_or_insert(now);
                self.record.state.finished = None;
                self.note_networks();
                self.watch(shim);
                self.publish();
                tracing::info!(container.id = %self.record.id, container.name = self.record.name, "container taken over");
            }
            // Its start was cut short: it never ran, and is undone.
            Found::Shim(shim, ShimState::Created) => {
                self.shim = Some(shim);
                self.give_back().await;
                self.record.state.phase =
                    if self.record.state.started.is_some() { Phase::Exited } else { Phase::Created };
                self.publish();
                if self.record.auto_remove() {
                    self.vanish().await;
                }
            }
            Found::Shim(shim, ShimState::Exited(exit)) => {
                self.shim = Some(shim);
                self.ended(exit).await;
            }
            Found::Exit(exit) => self.ended(exit).await,
            Found::Nothing => self.ended(untold(UNSEEN, self.parts.now())).await,
        }
        Ok(())
    }

    /// The networks take over its namespace and its DNS sockets. What they can't take over is not a reason to end it.
    async fn network_back(&self, shim: &Shim) {
        if matches!(self.record.mode(), NetworkMode::Container(_)) {
            return;
        }
        let sockets = shim.dns_sockets().await.unwrap_or_else(|error| {
            tracing::warn!(container.id = %self.record.id, %error, "no DNS sockets from the shim");
            Vec::new()
        });
        let path = PathBuf::from(format!("/run/netns/pontoon-{}", self.record.id.short(12)));
        let endpoints = self.record.endpoints.iter().map(|endpoint| endpoint.endpoint).collect();
        let known = Known { name: self.record.name.clone(), endpoints };
        if let Err(error) = self.parts.networks.adopt(self.record.id, known, path, sockets).await {
            tracing::error!(container.id = %self.record.id, error = crate::error::chain(&error), "network not taken over");
        }
        if let Err(error) = self.publish_as_written().await {
            tracing::error!(container.id = %self.record.id, error = crate::error::chain(&error), "ports are not as they were asked for");
        }
    }

    /// Every container is taken over: those that don't run, and should, are started.
    pub(super) async fn settle(&mut self) {
        let policy = self.wanted().map_or(RestartPolicy::No, |wanted| wanted.restart);
        let was_started = self.record.state.started.is_some();
        match self.record.state.phase {
            Phase::Exited if self.record.auto_remove() => self.vanish().await,
            Phase::Restarting => self.start_again().await,
            Phase::Exited if was_started && policy.starts_with_daemon(self.record.stopped_by_user) => {
                self.record.state.phase = Phase::Restarting;
                self.start_again().await;
            }
            _ => {}
        }
    }
}
