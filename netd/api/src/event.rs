//! One line of the event stream, with the fields of old clients that the models of the newest version lack.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What happened to what, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// The action, for old clients; for containers and images only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The object's id, for old clients; for containers and images only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The container's image, for old clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The kind of object: `container`, `network`, ….
    #[serde(rename = "Type")]
    pub kind: String,
    /// What happened: `create`, `start`, `die`, ….
    #[serde(rename = "Action")]
    pub action: String,
    /// The object.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// Always `local` here: there is no swarm.
    pub scope: String,
    /// When, in seconds since 1970.
    pub time: i64,
    /// When, in nanoseconds since 1970.
    #[serde(rename = "timeNano")]
    pub time_nano: i64,
}

/// The object of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name, labels and what else is of interest.
    #[serde(rename = "Attributes")]
    pub attributes: BTreeMap<String, String>,
}
