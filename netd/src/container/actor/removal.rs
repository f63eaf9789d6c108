//! The end of a container itself. What was made last goes first, and the record goes when nothing else is left.

use super::{Actor, After, Reply, Stop, answer};
use crate::container::{
    ContainerError, RemoveAsk,
    parts::remove_tree,
    policy::{Ask, Phase},
    record::Record,
};

impl Actor {
    pub(super) async fn asked_to_remove(&mut self, ask: RemoveAsk, reply: Reply<()>) {
        let admitted = self.admit(if ask.force { Ask::RemoveByForce } else { Ask::Remove });
        if let Err(error) = admitted {
            return answer(reply, Err(error));
        }
        if self.record.state.phase.has_process() {
            self.record.stopped_by_user = true;
            let stop = Stop { signal: Some(nix::libc::SIGKILL), timeout: Some(None) };
            return self.stop(stop, After::Remove(ask, reply)).await;
        }
        self.remove(ask, reply).await;
    }

    pub(super) async fn remove(&mut self, ask: RemoveAsk, reply: Reply<()>) {
        let phase = self.record.state.phase;
        self.record.state.phase = Phase::Removing;
        self.publish();
        let result = self.take_away(ask.volumes).await;
        if result.is_err() {
            // It can be tried again.
            self.record.state.phase = phase;
            self.publish();
        }
        answer(reply, result);
    }

    /// `--rm`: it goes by itself, and its anonymous volumes with it.
    pub(super) async fn vanish(&mut self) {
        self.record.state.phase = Phase::Removing;
        self.publish();
        if let Err(error) = self.take_away(true).await {
            tracing::error!(container.id = %self.record.id, error = crate::error::chain(&error), "container not removed");
            self.record.state.phase = Phase::Exited;
            self.publish();
        }
    }

    async fn take_away(&mut self, volumes: bool) -> Result<(), ContainerError> {
        let (id, data) = (self.record.id, self.parts.paths.data(self.record.id));
        let (released, cleared) = tokio::join!(self.parts.networks.release(id), remove_tree(&data));
        released?;
        cleared?;
        if volumes {
            self.remove_volumes(&self.record).await;
        }
        self.parts.forget(&self.record).await?;
        self.registry.remove(&self.record);
        drop(self.container.take_waiting());
        self.tell("destroy", &[]);
        tracing::info!(container.id = %id, container.name = self.record.name, "container removed");
        self.container.view.send_modify(|view| view.removed = true);
        self.gone = true;
        Ok(())
    }

    async fn remove_volumes(&self, record: &Record) {
        for volume in record.volumes.iter().filter(|volume| volume.anonymous) {
            if let Err(error) = self.parts.volumes.remove(&volume.name, true).await {
                tracing::warn!(container.id = %record.id, volume.name, %error, "anonymous volume not removed");
            }
        }
    }
}
