//! Stop, kill, restart, pause: what reaches the process.

use std::time::Duration;

use netd_runtime::Shim;
use nix::libc::{SIGCONT, SIGKILL};

use super::{Actor, After, Reply, Request, Stop, answer};
use crate::container::{
    ContainerError, Done,
    policy::{Ask, Phase, Verdict},
};

impl Actor {
    pub(super) async fn asked_to_stop(&mut self, stop: Stop, reply: Reply<Done>) {
        match self.admit(Ask::Stop) {
            Ok(Verdict::Already) => answer(reply, Ok(Done::Already)),
            Err(error) => answer(reply, Err(error)),
            Ok(_) => {
                self.record.stopped_by_user = true;
                if self.record.state.phase == Phase::Restarting {
                    self.end_restarting().await;
                    answer(reply, Ok(Done::Changed));
                } else {
                    self.stop(stop, After::Tell(reply)).await;
                }
            }
        }
    }

    pub(super) async fn asked_to_restart(&mut self, stop: Stop, reply: Reply<()>) {
        if let Err(error) = self.admit(Ask::Restart) {
            return answer(reply, Err(error));
        }
        if self.record.state.phase.has_process() {
            return self.stop(stop, After::Start(reply)).await;
        }
        self.restart(reply).await;
    }

    /// Starts it because a user said so, after it has ended.
    pub(super) async fn restart(&mut self, reply: Reply<()>) {
        self.back_off.reset();
        self.record.restarts = 0;
        self.record.stopped_by_user = false;
        let result = self.start().await;
        let started = result.is_ok();
        if started {
            self.tell("restart", &[]);
        }
        answer(reply, result);
        self.after_start(started, !started).await;
    }

    /// Tells the process to end, and kills it when its time is over.
    pub(super) async fn stop(&mut self, stop: Stop, after: After) {
        self.told_to_end = true;
        self.after.push(after);
        let own = self.wanted().ok();
        let signal = stop.signal.or(own.as_ref().map(|own| own.stop_signal)).unwrap_or(nix::libc::SIGTERM);
        let timeout =
            stop.timeout.unwrap_or_else(|| own.map_or(Some(Duration::from_secs(10)), |own| own.stop_timeout));
        let Some(shim) = self.shim.clone() else { return };
        if self.record.state.phase == Phase::Paused {
            self.thaw(&shim).await;
        }
        self.record.state.phase = Phase::Stopping;
        self.publish();
        self.signal(&shim, signal).await;
        match timeout {
            Some(Duration::ZERO) => self.kill_late().await,
            Some(timeout) => self.later(timeout, Request::KillDue(self.run)),
            None => {}
        }
    }

    /// Its time is over. A frozen process is let go on, to be killed.
    pub(super) async fn kill_late(&mut self) {
        let Some(shim) = self.shim.clone().filter(|_| !self.after.is_empty()) else { return };
        self.signal(&shim, SIGKILL).await;
        if self.record.state.phase == Phase::Paused {
            self.thaw(&shim).await;
            self.record.state.phase = Phase::Stopping;
            self.publish();
        }
    }

    /// A signal that can't be delivered goes to a process that is ending by itself: its end will be told.
    pub(super) async fn signal(&self, shim: &Shim, signal: i32) {
        self.tell("kill", &[("signal", signal.to_string())]);
        if let Err(error) = shim.kill(signal).await {
            tracing::debug!(container.id = %self.record.id, signal, %error, "signal not delivered");
        }
    }

    pub(super) async fn kill(&mut self, signal: i32) -> Result<(), ContainerError> {
        self.admit(Ask::Kill)?;
        let own = self.wanted().map_or(nix::libc::SIGTERM, |own| own.stop_signal);
        if signal == SIGKILL || signal == own {
            self.record.stopped_by_user = true;
            self.told_to_end = true;
        }
        if self.record.state.phase == Phase::Restarting {
            self.end_restarting().await;
            return Ok(());
        }
        let Some(shim) = self.shim.clone() else { return Ok(()) };
        shim.kill(signal).await?;
        self.tell("kill", &[("signal", signal.to_string())]);
        // A frozen process gets its signal when it goes on.
        if self.record.state.phase == Phase::Paused && matches!(signal, SIGKILL | SIGCONT) {
            self.thaw(&shim).await;
            self.record.state.phase = Phase::Running;
            self.publish();
        }
        Ok(())
    }

    async fn thaw(&self, shim: &Shim) {
        match shim.unpause().await {
            Ok(()) => self.tell("unpause", &[]),
            Err(error) => tracing::warn!(container.id = %self.record.id, %error, "container not thawed"),
        }
    }

    pub(super) async fn pause(&mut self) -> Result<(), ContainerError> {
        self.admit(Ask::Pause)?;
        if let Some(shim) = &self.shim {
            shim.pause().await?;
        }
        // A stop that is waiting goes on waiting, for a frozen process: its kill comes through.
        self.record.state.phase = Phase::Paused;
        self.publish();
        self.tell("pause", &[]);
        self.save().await;
        Ok(())
    }

    pub(super) async fn unpause(&mut self) -> Result<(), ContainerError> {
        self.admit(Ask::Unpause)?;
        if let Some(shim) = &self.shim {
            shim.unpause().await?;
        }
        let ending = self.told_to_end && !self.after.is_empty();
        self.record.state.phase = if ending { Phase::Stopping } else { Phase::Running };
        self.publish();
        self.tell("unpause", &[]);
        self.save().await;
        Ok(())
    }

    /// The daemon ends: the container too, without its user having said so.
    pub(super) async fn close(&mut self, timeout: Option<Duration>, reply: Reply<()>) {
        match self.record.state.phase {
            phase if phase.has_process() => {
                let stop = Stop { signal: None, timeout: timeout.map(Some) };
                self.stop(stop, After::Close(reply)).await;
            }
            Phase::Restarting => {
                self.end_restarting().await;
                answer(reply, Ok(()));
            }
            _ => answer(reply, Ok(())),
        }
    }

    /// It is not started again.
    pub(super) async fn end_restarting(&mut self) {
        self.run += 1;
        self.record.state.phase = Phase::Exited;
        self.ends();
        self.save().await;
        self.tell("stop", &[]);
    }
}
