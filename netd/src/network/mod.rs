//! Networks, and the ends that containers have in them: the service behind `docker network …` and behind the network
//! part of a container's life. It decides (pure: `draft`, `options`, `subnet`, `state`), writes its intent down
//! (`record`), changes the kernel through `libnet` (`kernel`), and tells names and events of it.
//!
//! Containers as processes, HTTP and the texts of files in a container are elsewhere.

mod answers;
mod ask;
mod config;
mod connect;
mod create;
mod defaults;
mod draft;
mod driver_opts;
mod egress;
mod endpoint;
mod error;
mod examine;
mod files;
mod firewall;
mod gateway;
mod inner;
mod inspect;
mod kernel;
mod links;
mod moves;
mod mtu;
mod namespaces;
mod naming;
mod options;
mod parent;
mod ports;
mod record;
mod records;
mod recovery;
mod sandbox;
mod service;
mod state;
mod subnet;
mod template;
#[cfg(test)]
mod tests;
mod traffic;

pub use ask::{
    Chosen, Driver, Durability, EndpointAsk, EndpointView, FilesAsk, FilesView, Known, NetworkSummary,
    SandboxAsk, SandboxView, Scope, Space, Subnet,
};
pub use config::NetworkConfig;
pub(crate) use driver_opts::{IFNAME as ENDPOINT_IFNAME, SYSCTLS as ENDPOINT_SYSCTLS};
pub use error::{NetworkError, Problems};
pub use firewall::Concerning;
pub use inner::{Clock, Random};
pub use kernel::KernelError;
pub use namespaces::{Attached, NamespaceAsk, NamespaceError, NamespaceView};
pub use service::{NetworkParts, Networks};
pub use traffic::Traffic;
