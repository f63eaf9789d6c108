//! What a request about networks can fail with. Texts that Docker's users know are Docker's to the letter.

use libnet::{
    ipam::IpamError,
    store::StoreError,
    types::{ContainerId, NetworkId},
};

use super::{Driver, KernelError, NamespaceError};
use crate::error::Kind;

/// A request about networks failed.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// No network of that name or id.
    #[error("network {0} not found")]
    NotFound(String),
    /// Several ids begin so.
    #[error("network {reference} is ambiguous ({matches} matches found based on ID prefix)")]
    Ambiguous {
        /// What was asked for.
        reference: String,
        /// How many networks it could be.
        matches: usize,
    },
    /// The name is taken.
    #[error("network with name {0} already exists")]
    NameTaken(String),
    /// The name is empty or has control characters.
    #[error("invalid name: {0}")]
    InvalidName(&'static str),
    /// `bridge`, `host`, `none` and `default` can't be made.
    #[error("operation is not permitted on predefined {0} network ")]
    Predefined(String),
    /// The default networks stay.
    #[error("{0} is a pre-defined network and cannot be removed")]
    PredefinedRemoval(String),
    /// There is one network of these drivers.
    #[error("only one instance of \"{0}\" network is allowed")]
    SingleInstance(Driver),
    /// A driver or IPAM driver that is not here.
    #[error("plugin \"{0}\" not found")]
    UnknownDriver(String),
    /// A configuration network that is not there.
    #[error("configuration network \"{0}\" does not exist")]
    NoTemplate(String),
    /// Networks have their configuration from it.
    #[error("error while removing network: configuration network \"{0}\" is in use")]
    TemplateInUse(String),
    /// A container in a configuration network.
    #[error(
        "configuration network \"{0}\" cannot be used by containers: create a network from it with --config-from {0}"
    )]
    TemplateOnly(String),
    /// A configuration network can't say where it reaches and who may use it.
    #[error(
        "configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported."
    )]
    OperatorFields,
    /// A configuration network of a configuration network.
    #[error("a configuration network cannot depend on another configuration network")]
    NestedTemplate,
    /// Settings beside those of a configuration network.
    #[error(
        "user specified configurations are not supported if the network depends on a configuration network"
    )]
    OwnConfiguration,
    /// Options beside those of a configuration network.
    #[error("network driver options are not supported if the network depends on a configuration network")]
    OwnOptions,
    /// An option that says neither yes nor no.
    #[error("driver-opt \"{0}\" is not a valid bool")]
    NotBool(String),
    /// The routing mesh is Swarm's.
    #[error("Ingress network can only be global scope network")]
    LocalIngress,
    /// `--scope swarm`.
    #[error("cannot create a swarm scoped network when swarm is not active")]
    SwarmScope,
    /// The gateway's address can't be had.
    #[error("failed to allocate gateway ({ip})")]
    Gateway {
        /// As the request names it; empty if it doesn't.
        ip: String,
        /// Why.
        #[source]
        source: IpamError,
    },
    /// The address of another device can't be had.
    #[error("failed to allocate secondary ip address ({name}:{ip})")]
    Auxiliary {
        /// The device.
        name: String,
        /// Its address.
        ip: std::net::IpAddr,
        /// Why.
        #[source]
        source: IpamError,
    },
    /// Swarm's networks.
    #[error(
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again."
    )]
    NoSwarm,
    /// Subnets, ranges, gateways that don't fit; one per line.
    #[error("invalid network config:\n{0}")]
    InvalidConfig(Problems),
    /// An option's value.
    #[error("failed to parse {key} value: {value} ({reason})")]
    InvalidOption {
        /// The option.
        key: String,
        /// What it can't be.
        value: String,
        /// Why.
        reason: String,
    },
    /// Nobody would read it.
    #[error(
        "unknown option \"{0}\" for a bridge network: see com.docker.network.bridge.* and com.docker.network.driver.mtu"
    )]
    UnknownOption(String),
    /// Anything else that makes no sense; the text says what.
    #[error("{0}")]
    Invalid(String),
    /// Docker does it, we don't.
    #[error("{0}")]
    NotImplemented(String),
    /// Docker's bridge driver takes one subnet per family.
    #[error("bridge driver doesn't support multiple subnets")]
    MultipleSubnets,
    /// The daemon's own network can't be made as it is configured.
    #[error("failed to make the default network \"bridge\"")]
    DefaultBridge(#[source] Box<NetworkError>),
    /// Two networks would share a link.
    #[error(
        "cannot create network {id} ({link}): conflicts with network {other} ({link}): networks have same bridge name"
    )]
    SameLink {
        /// The new one.
        id: NetworkId,
        /// The link.
        link: String,
        /// The one that has it.
        other: NetworkId,
    },
    /// Two networks would share a parent link that they can't share.
    #[error("{0}")]
    ParentTaken(String),
    /// The link that a network is to be on won't do.
    #[error(transparent)]
    Link(Box<dyn std::error::Error + Send + Sync>),
    /// No subnet, or no such address.
    #[error(transparent)]
    Ipam(#[from] IpamError),
    /// All addresses are taken.
    #[error("no available {family} addresses on this network's address pools: {name} ({id})")]
    NoAddresses {
        /// IPv4 or IPv6.
        family: &'static str,
        /// The network's name.
        name: String,
        /// Its id.
        id: NetworkId,
    },
    /// Running containers use it.
    #[error("error while removing network: network {name} has active endpoints ({users})")]
    InUse {
        /// The network.
        name: String,
        /// `name:"c1" id:"0123456789ab"`, joined by commas.
        users: String,
    },
    /// What an endpoint asks for doesn't fit its network.
    #[error("invalid endpoint settings:\n{0}")]
    InvalidEndpoint(Problems),
    /// The container is there already.
    #[error("endpoint with name {name} already exists in network {network}")]
    AlreadyConnected {
        /// The container.
        name: String,
        /// The network.
        network: String,
    },
    /// The container is not there.
    #[error("container {container} is not connected to the network {network}")]
    NotConnected {
        /// The container.
        container: ContainerId,
        /// The network.
        network: String,
    },
    /// The running container is not there.
    #[error("container {container} is not connected to network {network}")]
    NotIn {
        /// The container.
        container: ContainerId,
        /// The network.
        network: String,
    },
    /// Nobody of that name is in the network.
    #[error("endpoint {0} not found")]
    NoEndpoint(String),
    /// The container has no namespace (yet, or any more).
    #[error("container {0} has no sandbox")]
    NoSandbox(ContainerId),
    /// The endpoint couldn't be made.
    #[error("{}", attach_failed(.endpoint))]
    Attach {
        /// Container name and endpoint id, if published ports are what failed.
        endpoint: Option<(String, String)>,
        /// Why.
        #[source]
        source: KernelError,
    },
    /// The kernel said no.
    #[error("failed to {action} {object}")]
    Host {
        /// What was to be done.
        action: &'static str,
        /// To what.
        object: String,
        /// Why.
        #[source]
        source: KernelError,
    },
    /// The state can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The names of a sandbox can't be served.
    #[error("failed to start the name service of container {container}")]
    Names {
        /// The container.
        container: ContainerId,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `host-gateway` in a daemon without a default bridge.
    #[error("unable to derive the IP value for host-gateway")]
    HostGateway,
    /// The static record is there already.
    #[error("record {record} already exists in network {network}")]
    RecordTaken {
        /// The record.
        record: String,
        /// The network.
        network: String,
    },
    /// No such static record.
    #[error("no record {record} in network {network}")]
    NoRecord {
        /// Name, type and value, as far as they were said.
        record: String,
        /// The network.
        network: String,
    },
    /// The container has no name service.
    #[error("container {0} has no name service: it is not running, or in no user-defined network")]
    NoNames(String),
    /// A worker thread died.
    #[error("the worker that was to {0} ended without an answer")]
    Worker(&'static str),
    /// A namespace that is no container's.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// Filters that make no sense.
    #[error(transparent)]
    Filter(#[from] netd_api::FilterError),
    /// A time in a filter that is none.
    #[error(transparent)]
    Time(#[from] netd_api::time::TimeError),
}

fn attach_failed(endpoint: &Option<(String, String)>) -> String {
    match endpoint {
        Some((name, id)) => {
            format!("driver failed programming external connectivity on endpoint {name} ({id})")
        }
        None => "failed to make the container's end".to_owned(),
    }
}

impl NetworkError {
    /// An error of what is wrong with an endpoint, if anything is.
    pub(crate) fn endpoint_problems(problems: Vec<String>) -> Result<(), Self> {
        Problems(problems).into_result(Self::InvalidEndpoint)
    }

    /// Of which kind the failure is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_)
            | Self::NoEndpoint(_)
            | Self::UnknownDriver(_)
            | Self::NoTemplate(_)
            | Self::NoRecord { .. } => Kind::NotFound,
            Self::NameTaken(_) | Self::RecordTaken { .. } | Self::NoNames(_) => Kind::Conflict,
            Self::Predefined(_)
            | Self::PredefinedRemoval(_)
            | Self::SingleInstance(_)
            | Self::NoSwarm
            | Self::TemplateInUse(_)
            | Self::TemplateOnly(_)
            | Self::OperatorFields
            | Self::NestedTemplate
            | Self::OwnConfiguration
            | Self::OwnOptions
            | Self::LocalIngress
            | Self::SwarmScope
            | Self::MultipleSubnets
            | Self::SameLink { .. }
            | Self::InUse { .. }
            | Self::AlreadyConnected { .. } => Kind::Forbidden,
            Self::Ambiguous { .. }
            | Self::InvalidName(_)
            | Self::NotBool(_)
            | Self::InvalidConfig(_)
            | Self::InvalidOption { .. }
            | Self::UnknownOption(_)
            | Self::Invalid(_)
            | Self::InvalidEndpoint(_)
            | Self::Filter(_)
            | Self::Time(_) => Kind::InvalidParameter,
            Self::NotImplemented(_) => Kind::NotImplemented,
            Self::NoAddresses { .. } => Kind::Unavailable,
            Self::DefaultBridge(error) => error.kind(),
            Self::Namespace(error) => error.kind(),
            Self::Ipam(error) => ipam_kind(error),
            Self::Gateway { .. }
            | Self::Auxiliary { .. }
            | Self::NotConnected { .. }
            | Self::NotIn { .. }
            | Self::NoSandbox(_)
            | Self::Attach { .. }
            | Self::ParentTaken(_)
            | Self::Link(_)
            | Self::Host { .. }
            | Self::Store(_)
            | Self::Names { .. }
            | Self::HostGateway
            | Self::Worker(_) => Kind::System,
        }
    }
}

const fn ipam_kind(error: &IpamError) -> Kind {
    match error {
        IpamError::Overlap { .. } | IpamError::AddressInUse => Kind::Forbidden,
        IpamError::NoAddresses => Kind::Unavailable,
        IpamError::PoolsUsedUp { .. }
        | IpamError::OutOfRange
        | IpamError::InvalidPool
        | IpamError::InvalidRange
        | IpamError::UnknownPool
        | IpamError::InvalidBase { .. } => Kind::InvalidParameter,
    }
}

/// What is wrong with a request, all of it at once: a single problem as it is, several as a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub(super) Vec<String>);

impl Problems {
    pub(super) fn push(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// An error of these problems, if there are any.
    pub(super) fn into_result(self, error: fn(Self) -> NetworkError) -> Result<(), NetworkError> {
        if self.0.is_empty() { Ok(()) } else { Err(error(self)) }
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_slice() {
            [one] => f.write_str(one),
            several => write!(f, "* {}", several.join("\n* ")),
        }
    }
}
