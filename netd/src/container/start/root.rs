//! Second half of a start: the directories that the container's root file system and its mounts are made of.

use std::path::{Path, PathBuf};

use tokio::fs;

use super::Planned;
use crate::container::{
    ContainerError,
    create::{Missing, Rootfs, Source},
    error::invalid,
    parts::{Paths, blocking},
    record::Record,
};

/// All directories are there.
pub(super) struct Rooted {
    /// Sources of bind mounts that were missing and have been made, parents first.
    made: Vec<PathBuf>,
}

impl Rooted {
    pub(super) async fn make(plan: &Planned<'_>) -> Result<Self, ContainerError> {
        data(&plan.parts.paths, plan.record).await?;
        if let Rootfs::Dir(dir) = &plan.wanted.rootfs {
            check_root(dir).await?;
        }
        let mut this = Self { made: Vec::new() };
        for mount in &plan.wanted.mounts {
            let done = match &mount.source {
                Source::Bind { path, missing } => this.source(path, *missing).await,
                Source::Volume { .. } | Source::Tmpfs(_) => Ok(()),
            };
            if let Err(error) = done {
                this.undo().await;
                return Err(error);
            }
        }
        Ok(this)
    }

    async fn source(&mut self, path: &Path, missing: Missing) -> Result<(), ContainerError> {
        if fs::try_exists(path).await.unwrap_or(false) {
            return Ok(());
        }
        if missing == Missing::Refused {
            return refuse_source(path);
        }
        let mut absent: Vec<_> =
            path.ancestors().take_while(|dir| !dir.exists()).map(Path::to_path_buf).collect();
        absent.reverse();
        for dir in absent {
            fs::create_dir(&dir).await.map_err(ContainerError::file("create the mount source", &dir))?;
            self.made.push(dir);
        }
        Ok(())
    }

    /// Removes what was made. What somebody has put something into meanwhile stays.
    pub(super) async fn undo(self) {
        for dir in self.made.iter().rev() {
            let _ = fs::remove_dir(dir).await;
        }
    }
}

/// The container's own directories.
pub(in crate::container) async fn data(paths: &Paths, record: &Record) -> Result<(), ContainerError> {
    let data = paths.data(record.id);
    blocking(move || {
        [data.join("upper"), data.join("work")]
            .iter()
            .try_for_each(|dir| std::fs::create_dir_all(dir).map_err(ContainerError::file("create", dir)))
    })
    .await
}

/// `--rootfs DIR`.
pub(in crate::container) async fn check_root(dir: &Path) -> Result<(), ContainerError> {
    match fs::metadata(dir).await {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => invalid(format!("the root directory {} is not a directory", dir.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            invalid(format!("the root directory {} does not exist", dir.display()))
        }
        Err(error) => Err(ContainerError::file("read the root directory", dir)(error)),
    }
}

/// What `--mount type=bind` says of a missing source.
pub(in crate::container) fn refuse_source(path: &Path) -> Result<(), ContainerError> {
    invalid(format!(
        "invalid mount config for type \"bind\": bind source path does not exist: {}",
        path.display()
    ))
}
