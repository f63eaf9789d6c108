//! What goes over the wire: the models of the Docker Engine API (from `bollard-stubs`, re-exported), the parts of it
//! that those models lack, and the small languages that its strings are written in: versions and paths, filters,
//! times, sizes. All of it is values and pure functions: no socket, no clock, no daemon.

pub mod dns;
pub mod doctor;
pub mod event;
pub mod extras;
pub mod filters;
pub mod firewall;
pub mod namespaces;
pub mod ports;
pub mod size;
pub mod time;
pub mod truth;
pub mod version;

/// The models of the Docker Engine API.
pub use bollard_stubs::models;
/// The query parameters of its requests, for clients.
pub use bollard_stubs::query_parameters;

pub use filters::{FilterError, Filters};
pub use truth::parse_bool;
pub use version::{ApiVersion, VersionError};
