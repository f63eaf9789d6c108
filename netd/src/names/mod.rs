//! Names of containers: what the `dns` crate serves is built here from networks and endpoints, and each sandbox on a user
//! network gets its own server, on sockets that were bound inside. Also the files that tell a container about names:
//! resolv.conf and hosts.

mod dial;
mod follow;
mod gate;
mod hosts;
mod policy;
pub(crate) mod records;
mod service;
mod settings;
mod watch;

pub(crate) use gate::{Allow, EgressGate, Others, Refused, Watch};
pub use hosts::{HostEntry, hosts, readdressed, with, without, without_names};
pub(crate) use policy::EGRESS;
pub use policy::EgressPolicy;
pub(crate) use service::{Names, Scope};
pub use settings::DnsSettings;
pub(crate) use watch::{Followed, Seen, Totals, shown, word};
