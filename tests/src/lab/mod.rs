//! Hosts, their daemons and other firewalls, what they say, and how long we wait for it.

pub(crate) mod etc;
pub(crate) mod golden;
pub(crate) mod host;
pub(crate) mod machine;
pub(crate) mod neighbours;
pub(crate) mod output;
pub(crate) mod probe;
pub(crate) mod resolver;
pub(crate) mod sniffer;
pub(crate) mod wait;
