//! `docker rm --link`: not a container goes, but its name in another one.

use super::{Containers, Result};
use crate::container::{ContainerError, actor::Request};

impl Containers {
    /// Removes the link `owner/alias`; both containers stay.
    pub(super) async fn remove_link(&self, path: &str) -> Result<()> {
        let bare = path.strip_prefix('/').unwrap_or(path);
        let Some((owner, alias)) = bare.rsplit_once('/') else {
            self.find(path)?;
            return Err(ContainerError::Link(
                "Conflict, cannot remove the default link name of the container".to_owned(),
            ));
        };
        let missing = || ContainerError::NotFound(path.to_owned());
        let owner = self.find(owner).map_err(|_| missing())?;
        let removed = owner.ask(|reply| Request::Unlink(alias.to_owned(), reply)).await?;
        if removed { Ok(()) } else { Err(missing()) }
    }
}
