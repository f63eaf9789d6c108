//! What can go wrong on a host, with the object that it happened to.

use std::{fmt, io};

use super::shape::UnlimitedError;
use crate::{
    bridge::BRIDGE_PORTS,
    firewall::FirewallError,
    observe::{NetlinkError, ObserveError},
    plan::Failed,
    ports::PortError,
    types::{EndpointId, IfName, NetworkId, VlanIdError},
};

/// An operation on the network of a host failed; what it had begun was undone.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The host's namespace or its netlink sockets can't be opened.
    #[error("open the network of this host")]
    Open(#[source] io::Error),
    /// No network of this id was created on, or adopted by, this host.
    #[error("network {0:?} is not on this host")]
    UnknownNetwork(NetworkId),
    /// No endpoint of this id is attached.
    #[error("endpoint {0:?} is not attached")]
    UnknownEndpoint(EndpointId),
    /// The endpoint is attached already.
    #[error("endpoint {0:?} is already attached")]
    Attached(EndpointId),
    /// A link of that name belongs to somebody else.
    #[error("link {0} exists and is not ours")]
    ForeignLink(IfName),
    /// A namespace has that name already.
    #[error("sandbox {0} already exists")]
    SandboxExists(String),
    /// The namespace can't be made, named or entered.
    #[error("sandbox {name}: {doing}")]
    Sandbox {
        /// Name of the sandbox.
        name: String,
        /// What was done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The firewall.
    #[error(transparent)]
    Firewall(#[from] FirewallError),
    /// A host port can't be had; the text is Docker's.
    #[error(transparent)]
    Port(#[from] PortError),
    /// No endpoint has room in the network.
    #[error(transparent)]
    Full(#[from] NetworkFull),
    /// The bridge that a network is to be on won't do.
    #[error(transparent)]
    Lent(#[from] LentError),
    /// The link that a network is to be on won't do; the texts are Docker's where it has one.
    #[error(transparent)]
    Parent(#[from] ParentError),
    /// The kernel can't limit how fast packets come and go.
    #[error(transparent)]
    Unlimited(#[from] UnlimitedError),
    /// The kernel has no IPv6.
    #[error(transparent)]
    NoIpv6(#[from] NoIpv6),
    /// The kernel can't be read.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// A step of a plan failed.
    #[error("{doing}")]
    Step {
        /// The step, in words.
        doing: String,
        /// Why it failed.
        #[source]
        source: StepError,
    },
    /// A teardown went on after errors; these are all of them.
    #[error("{}", Joined(.0))]
    Several(Vec<HostError>),
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The kernel refused a change of links, addresses or routes.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A setting, a namespace, a file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The firewall refused.
    #[error(transparent)]
    Firewall(#[from] FirewallError),
    /// A host port can't be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The bridge takes no more ports.
    #[error(transparent)]
    Full(#[from] NetworkFull),
    /// The kernel can't be read.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// A link of that name belongs to somebody else.
    #[error("link {0} exists and is not ours")]
    Foreign(IfName),
    /// The bridge that a network is to be on won't do.
    #[error(transparent)]
    Lent(#[from] LentError),
    /// The link that interfaces are to be on won't do.
    #[error(transparent)]
    Parent(#[from] ParentError),
    /// The kernel can't limit an endpoint.
    #[error(transparent)]
    Unlimited(#[from] UnlimitedError),
    /// Put into a plan by a test.
    #[cfg(test)]
    #[error("this step always fails")]
    Refused,
}

/// The bridge of a network has as many ports as a bridge can have, containers' and others'.
#[derive(Debug, thiserror::Error)]
#[error(
    "network {network} is full: its bridge {link} has {BRIDGE_PORTS} ports, all that the kernel allows; use another network"
)]
pub struct NetworkFull {
    /// Its name.
    pub network: String,
    /// The bridge.
    pub link: IfName,
}

/// A network is to have IPv6 on a host that has none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "network {network} can't have IPv6: this host has none (booted with ipv6.disable=1, or a kernel built without it)"
)]
pub struct NoIpv6 {
    /// Its name.
    pub network: String,
}

/// A link won't do as the bridge of a network; the texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LentError {
    /// There is none of that name.
    #[error("bridge device with non default name {0} must be created manually")]
    Missing(IfName),
    /// There is one, but it is no bridge.
    #[error("existing interface {0} is not a bridge")]
    NotABridge(IfName),
}

/// A link won't do as the parent of a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParentError {
    /// There is none of that name.
    #[error("the requested parent interface {0} was not found on the Docker host")]
    Missing(IfName),
    /// There is none, and the name is not that of a VLAN.
    #[error("required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received {0}")]
    NotAVlan(IfName),
    /// What is behind the dot is no number.
    #[error("unable to parse a valid vlan id from: {0} (ex. eth0.10 for vlan 10)")]
    NotANumber(String),
    /// The number is no VLAN's.
    #[error(transparent)]
    Vlan(#[from] VlanIdError),
    /// The link that the VLAN is to be on does not exist.
    #[error("-o parent interface was not found on the host: {0}")]
    NoMaster(IfName),
    /// It is a port of another link, which takes all its packets.
    #[error("parent interface {link} is a port of {of}: use {of} as the parent")]
    Port {
        /// The link.
        link: IfName,
        /// The bridge or bond.
        of: IfName,
    },
    /// The kernel can't make such links.
    #[error(
        "this kernel has no {kind} interfaces: load its module {module}, or use a kernel that was built with it"
    )]
    Unsupported {
        /// `macvlan`, `ipvlan`, `VLAN (802.1q)`.
        kind: &'static str,
        /// What `modprobe` calls it.
        module: &'static str,
    },
}

impl From<nix::errno::Errno> for StepError {
    fn from(errno: nix::errno::Errno) -> Self {
        Self::Io(errno.into())
    }
}

impl HostError {
    /// One error for all of `errors`, none if there are none.
    pub(crate) fn gather(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.swap_remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }

    pub(crate) fn of_teardown<S: fmt::Display>(failed: Vec<(S, StepError)>) -> Result<(), Self> {
        Self::gather(
            failed.into_iter().map(|(step, source)| Self::of_step(&step.to_string(), source)).collect(),
        )
    }

    pub(crate) fn of_step(doing: &str, source: StepError) -> Self {
        match source {
            // These stand alone: who reads them knows nothing of steps.
            StepError::Port(error) => Self::Port(error),
            StepError::Full(error) => Self::Full(error),
            StepError::Parent(error) => Self::Parent(error),
            StepError::Lent(error) => Self::Lent(error),
            StepError::Unlimited(error) => Self::Unlimited(error),
            source => Self::Step { doing: doing.to_owned(), source },
        }
    }

    pub(crate) fn sandbox(name: &str, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let name = name.to_owned();
        move |source| Self::Sandbox { name, doing, source }
    }
}

impl<S: fmt::Display> From<Failed<S, StepError>> for HostError {
    fn from(failed: Failed<S, StepError>) -> Self {
        Self::of_step(&failed.step.to_string(), failed.source)
    }
}

struct Joined<'a>(&'a [HostError]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "; " })?;
            error.fmt(f)?;
            let mut source = std::error::Error::source(error);
            while let Some(error) = source {
                write!(f, ": {error}")?;
                source = error.source();
            }
        }
        Ok(())
    }
}
