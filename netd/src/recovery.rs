//! What a daemon does before it answers: it reads what earlier ones have written down, finds the containers that still
//! run, and ends what was left half done. netd may be killed at any point; the order of what it writes and does makes
//! sure that each point is one that this here can go on from:
//!
//! - a record that is not written is a container that never was: its directory goes;
//! - a run that is written down has a shim, or had one, or was about to have one: the shim's directory knows;
//! - a shim that no record knows is ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use futures_util::{StreamExt, stream};
use netd_runtime::Adopted;

use crate::{
    container::{ContainerError, Containers, Known, Parts, Recovered, remove_tree},
    error::chain,
};

/// Containers taken over at a time: each asks its shim and the kernel a few things.
const AT_ONCE: usize = 32;

/// The state can't be taken over; nothing that runs was touched.
#[derive(Debug, thiserror::Error)]
#[error("cannot take over containers")]
pub struct RecoveryError(#[from] ContainerError);

/// Takes over everything.
pub(crate) async fn recover(parts: &Arc<Parts>, containers: &Arc<Containers>) -> Result<(), RecoveryError> {
    let known = parts.known().map_err(ContainerError::from)?;
    let runs: BTreeMap<_, _> = parts.runs().map_err(ContainerError::from)?.into_iter().collect();
    let ids: BTreeSet<_> = known.iter().map(Known::id).collect();

    let mut restored = Vec::new();
    for record in known {
        let ran = record.ran() || runs.contains_key(&record.id());
        // One that can't be known again is no reason to give up the others.
        match containers.restored(record) {
            Ok(container) => restored.push((container, ran)),
            Err(error) => tracing::error!(error = chain(&error), "container not restored"),
        }
    }
    // Networks can't tell a container that is gone from one that nobody asks about: all are asked about first.
    let ran = restored.iter().filter(|(_, ran)| *ran).map(|(container, _)| container);
    stream::iter(ran).for_each_concurrent(AT_ONCE, |container| adopt(parts, container)).await;
    if let Err(error) = parts.networks.settle().await {
        tracing::error!(error = chain(&error), "networks not settled whole");
    }
    sweep(parts, &ids).await;
    for (container, _) in &restored {
        container.settle();
    }
    Ok(())
}

async fn adopt(parts: &Parts, container: &Recovered) {
    let found = match parts.runtime.adopt(&container.shim_dir(parts)).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(container.id = container.id(), error = chain(&error), "shim not found");
            Adopted::Gone
        }
    };
    if let Err(error) = container.adopt(found).await {
        tracing::error!(container.id = container.id(), error = chain(&error), "container not taken over");
    }
}

/// Directories that no record knows: of a container that was being made, or being removed.
async fn sweep(parts: &Parts, known: &BTreeSet<String>) {
    for name in entries(&parts.paths.shims()).await {
        if !known.contains(&name) {
            end_stranger(parts, &parts.paths.shims().join(name)).await;
        }
    }
    for name in entries(&parts.paths.containers()).await {
        if !known.contains(&name) {
            let dir = parts.paths.containers().join(name);
            tracing::info!(path = %dir.display(), "removing what is left of an unknown container");
            if let Err(error) = remove_tree(&dir).await {
                tracing::warn!(error = chain(&error), "directory not removed");
            }
        }
    }
}

/// A shim without a record: its container is ended.
async fn end_stranger(parts: &Parts, dir: &Path) {
    tracing::info!(path = %dir.display(), "ending an unknown container");
    if let Ok(Adopted::Running(shim, _)) = parts.runtime.adopt(dir).await {
        let _ = shim.kill(nix::libc::SIGKILL).await;
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), shim.wait()).await;
        if let Err(error) = shim.delete().await {
            tracing::warn!(path = %dir.display(), error = chain(&error), "shim not removed");
        }
    }
    if let Err(error) = remove_tree(dir).await {
        tracing::warn!(error = chain(&error), "directory not removed");
    }
}

async fn entries(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let Ok(mut entries) = tokio::fs::read_dir(dir).await else { return names };
    while let Ok(Some(entry)) = entries.next_entry().await {
        names.extend(entry.file_name().into_string());
    }
    names
}
