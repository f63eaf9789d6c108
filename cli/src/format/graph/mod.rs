//! Who is in which network, with which address, and which ports lead there: the answers of the API as one value, and the
//! value as a tree, as SVG, as DOT and as JSON. The same answers give the same text.

mod dot;
mod svg;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::text;

pub(crate) use dot::dot;
pub(crate) use svg::svg;
pub(crate) use tree::tree;

/// The networks, by name, and who is in them, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Graph {
    pub(crate) networks: Vec<Network>,
    pub(crate) members: Vec<Member>,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) driver: String,
    pub(crate) subnets: Vec<String>,
    pub(crate) internal: bool,
}

/// Who has ends in networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// `running`, `exited`, …; nothing for a namespace.
    pub(crate) state: String,
    pub(crate) ends: Vec<End>,
    /// `8080 → 80/tcp`, with the host's address where it is a certain one.
    pub(crate) ports: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Container,
    Namespace,
}

/// An end in a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// Which of the graph's networks.
    pub(crate) network: usize,
    pub(crate) addresses: Vec<String>,
}

/// The answers that a graph is made of.
pub(crate) struct Answers<'a> {
    /// `GET /networks`
    pub(crate) networks: &'a Value,
    /// `GET /containers/json`
    pub(crate) containers: &'a Value,
    /// `GET /pontoon/namespaces`; null where there is no such thing.
    pub(crate) namespaces: &'a Value,
}

impl Graph {
    /// Of all networks, or of those that are `named` by name or the beginning of an id; an unknown one comes back.
    pub(crate) fn read(answers: &Answers<'_>, named: &[String]) -> Result<Self, String> {
        let mut networks: Vec<Network> = list(answers.networks).map(network).collect();
        networks.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        for name in named {
            if !networks.iter().any(|network| network.is(name)) {
                return Err(name.clone());
            }
        }
        networks.retain(|network| named.is_empty() || named.iter().any(|name| network.is(name)));
        let containers = list(answers.containers).map(|value| container(value, &networks));
        let namespaces = list(answers.namespaces).map(|value| namespace(value, &networks));
        let mut members: Vec<Member> = containers.chain(namespaces).collect();
        members.retain(|member| !member.ends.is_empty());
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { networks, members })
    }

    /// Who is in a network, with the end there.
    pub(crate) fn members_of(&self, network: usize) -> impl Iterator<Item = (&Member, &End)> {
        let end = move |member: &'_ Member| member.ends.iter().position(|end| end.network == network);
        self.members.iter().filter_map(move |member| Some((member, &member.ends[end(member)?])))
    }

    /// As a value: networks with who is in them.
    pub(crate) fn json(&self) -> Value {
        let member = |(member, end): (&Member, &End)| {
            json!({
                "Name": member.name,
                "Kind": member.kind.word(),
                "State": member.state,
                "Addresses": end.addresses,
                "Ports": member.ports,
            })
        };
        let network = |(index, network): (usize, &Network)| {
            json!({
                "Name": network.name,
                "Id": network.id,
                "Driver": network.driver,
                "Subnets": network.subnets,
                "Internal": network.internal,
                "Members": self.members_of(index).map(member).collect::<Vec<_>>(),
            })
        };
        self.networks.iter().enumerate().map(network).collect()
    }
}

impl Network {
    fn is(&self, reference: &str) -> bool {
        self.name == reference || !reference.is_empty() && self.id.starts_with(reference)
    }

    /// What is said of a network behind its name.
    fn facts(&self) -> Vec<&str> {
        let internal = self.internal.then_some("internal");
        [self.driver.as_str()]
            .into_iter()
            .chain(internal)
            .chain(self.subnets.iter().map(String::as_str))
            .collect()
    }
}

impl Member {
    /// What is said of a member where it is not a running container.
    fn remark(&self) -> Option<&str> {
        match (self.kind, self.state.as_str()) {
            (Kind::Namespace, _) => Some("namespace"),
            (Kind::Container, "running" | "") => None,
            (Kind::Container, state) => Some(state),
        }
    }
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Namespace => "namespace",
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn network(value: &Value) -> Network {
    let subnets = list(&value["IPAM"]["Config"]).map(|config| text(config, "Subnet").to_owned());
    Network {
        name: text(value, "Name").to_owned(),
        id: text(value, "Id").to_owned(),
        driver: text(value, "Driver").to_owned(),
        subnets: subnets.filter(|subnet| !subnet.is_empty()).collect(),
        internal: value["Internal"].as_bool().unwrap_or(false),
    }
}

fn container(value: &Value, networks: &[Network]) -> Member {
    let mut names = list(&value["Names"]).filter_map(Value::as_str).map(|name| name.trim_start_matches('/'));
    let ports = list(&value["Ports"]).filter_map(|port| {
        let inside = format!("{}/{}", port["PrivatePort"].as_u64()?, text(port, "Type"));
        Some((inside, port["PublicPort"].as_u64()?.to_string(), text(port, "IP").to_owned()))
    });
    Member {
        // Names of links have a second slash.
        name: names.find(|name| !name.contains('/')).unwrap_or_else(|| text(value, "Id")).to_owned(),
        kind: Kind::Container,
        state: text(value, "State").to_owned(),
        ends: ends(&value["NetworkSettings"]["Networks"], networks),
        ports: self::ports(ports),
    }
}

fn namespace(value: &Value, networks: &[Network]) -> Member {
    let ports = value["Ports"].as_object().into_iter().flatten();
    let ports = ports.flat_map(|(inside, bindings)| {
        let host =
            |binding: &Value| (text(binding, "HostPort").to_owned(), text(binding, "HostIp").to_owned());
        list(bindings).map(host).map(move |(port, ip)| (inside.clone(), port, ip))
    });
    Member {
        name: text(value, "Name").to_owned(),
        kind: Kind::Namespace,
        state: String::new(),
        ends: ends(&value["Networks"], networks),
        ports: self::ports(ports),
    }
}

/// In the order of the networks.
fn ends(endpoints: &Value, networks: &[Network]) -> Vec<End> {
    let endpoints = endpoints.as_object();
    let of = |network: &Network| {
        endpoints?
            .iter()
            .find(|(name, value)| **name == network.name || text(value, "NetworkID") == network.id)
    };
    let end = |(index, network): (usize, &Network)| {
        let (_, value) = of(network)?;
        let addresses = ["IPAddress", "GlobalIPv6Address"].map(|field| text(value, field).to_owned());
        let addresses = addresses.into_iter().filter(|address| !address.is_empty()).collect();
        Some(End { network: index, addresses })
    };
    networks.iter().enumerate().filter_map(end).collect()
}

/// (port inside, port of the host, address of the host): a port on all addresses is one, whatever the families.
fn ports(all: impl Iterator<Item = (String, String, String)>) -> Vec<String> {
    let mut by_inside: BTreeMap<(u64, String), BTreeSet<String>> = BTreeMap::new();
    for (inside, port, ip) in all {
        let number = inside.split('/').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let outside = match ip.as_str() {
            "" | "0.0.0.0" | "::" => port,
            ip if ip.contains(':') => format!("[{ip}]:{port}"),
            ip => format!("{ip}:{port}"),
        };
        by_inside.entry((number, inside)).or_default().insert(outside);
    }
    let text = |((_, inside), outside): ((u64, String), BTreeSet<String>)| {
        let line = move |outside: String| format!("{outside} → {inside}");
        outside.into_iter().map(line).collect::<Vec<_>>()
    };
    by_inside.into_iter().flat_map(text).collect()
}
