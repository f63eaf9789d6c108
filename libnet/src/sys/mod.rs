//! Where values become syscalls: netlink sockets, namespaces, sysctls, ioctls. The only modules that know file
//! descriptors and raw bytes; nothing here decides anything.

// Two ioctls (ethtool, netns) and some socket options (filter, xtables) have no safe wrapper; each block says why it is sound.
#![allow(unsafe_code)]

pub(crate) mod datagram;
pub(crate) mod ethtool;
pub(crate) mod events;
pub(crate) mod filter;
pub(crate) mod hold;
pub(crate) mod netns;
pub(crate) mod nfnl;
pub(crate) mod rtnl;
pub(crate) mod sysctl;
pub(crate) mod xtables;
