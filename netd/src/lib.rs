//! The daemon: requests of the Docker Engine API come in over HTTP, the engine turns them into lifecycles of containers
//! and networks, and `libnet`, `dns` and `netd-runtime` make them real.

pub mod config;
pub mod container;
pub mod daemon;
mod doctor;
pub mod engine;
pub mod error;
pub mod events;
pub mod firewalld;
mod http;
pub mod image;
mod metrics;
pub mod names;
pub mod network;
pub mod recovery;
mod relay;
mod repairs;
mod sys;
pub mod system;

pub use config::Config;
pub use engine::Engine;
pub use error::{EngineError, Kind};
