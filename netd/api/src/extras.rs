//! What Docker's models have no place for: names of our own labels and annotations, and small requests and answers
//! that the models leave out.

use serde::{Deserialize, Serialize};

/// The annotation that carries `--rootfs DIR`: the container's root is this directory, whatever its image is called.
pub const ROOTFS_ANNOTATION: &str = "io.pontoon.rootfs";

/// The name of the image that is always there: the machine's own root, read-only, under the container's own layer.
pub const HOST_IMAGE: &str = "host";

/// Where the daemon listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/pontoon/pontoon.sock";

/// The body of every error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// What failed, on which object, why, and what to do.
    pub message: String,
}

/// `POST /containers/{id}/exec` and image commits answer with an id alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdResponse {
    /// The id of what was made.
    #[serde(rename = "Id")]
    pub id: String,
}

/// The body of `POST /exec/{id}/start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecStart {
    /// Return at once instead of streaming.
    pub detach: bool,
    /// The client has a terminal.
    pub tty: bool,
    /// Rows and columns of that terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_size: Option<[u16; 2]>,
}
