//! The firewall as its users see it: the kernel's own state, with the names of the networks and containers that its parts
//! are there for, and what was counted of each.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    ops::Bound,
};

use libnet::{
    conntrack::Connection,
    firewall::{
        Concern, Counted, Counts, ListedChain, ListedElement, ListedElsewhere, ListedPassage, ListedRule,
        ListedSet, ListedTable, TableOwner,
    },
    host::{Figures, host_link},
    ports::PublishedPort,
    types::{ContainerId, IfName, NetworkId, Port, Proto},
};
use netd_api::firewall::{
    FirewallChain, FirewallElement, FirewallElsewhere, FirewallEndpoint, FirewallOwner, FirewallPassage,
    FirewallPort, FirewallReport, FirewallRule, FirewallSet, FirewallTable, FirewallTraffic,
};

use super::{
    NetworkError,
    inner::{Inner, failed},
    record::{EndpointRecord, NetworkRecord},
    state::State,
};

/// What is to be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Concerning {
    /// All of it.
    #[default]
    Everything,
    /// What is there for a container and for the networks that it is in.
    Container(ContainerId),
    /// What is there for a network and for the containers in it.
    Network(NetworkId),
}

/// The networks and ends that are shown.
struct Shown {
    networks: Vec<NetworkRecord>,
    endpoints: Vec<EndpointRecord>,
    /// By id.
    owners: BTreeMap<String, FirewallOwner>,
}

impl Inner {
    pub(super) fn firewall(&self, concerning: Concerning) -> Result<FirewallReport, NetworkError> {
        let (mut listing, figures) = self.kernel.firewall().map_err(failed("read", "the firewall"))?;
        let shown = Shown::of(&self.state(), concerning);
        let ports = shown.ports(&listing.counts(), &figures);
        if concerning != Concerning::Everything {
            listing.only(&shown.concern());
        }
        Ok(FirewallReport {
            tables: listing.tables.iter().map(|found| table(found, &shown)).collect(),
            elsewhere: listing.elsewhere.into_iter().map(elsewhere).collect(),
            ports,
            endpoints: shown.endpoints.iter().filter_map(|record| shown.endpoint(record, &figures)).collect(),
            accounting: figures.accounting,
        })
    }
}

impl Shown {
    fn of(state: &State, concerning: Concerning) -> Self {
        let is_shown = |record: &EndpointRecord| match concerning {
            Concerning::Everything => true,
            Concerning::Container(id) => record.container == id,
            Concerning::Network(id) => record.network == id,
        };
        let all = state.networks().flat_map(|network| state.endpoints_in(network.id));
        let mut endpoints: Vec<EndpointRecord> = all.filter(|record| is_shown(record)).cloned().collect();
        endpoints.sort_by(|a, b| (&a.name, a.network).cmp(&(&b.name, b.network)));
        let networks = state.networks().filter(|network| match concerning {
            Concerning::Everything => true,
            Concerning::Container(_) => endpoints.iter().any(|record| record.network == network.id),
            Concerning::Network(id) => network.id == id,
        });
        let networks = networks.cloned().collect();
        Self { networks, endpoints, owners: BTreeMap::new() }.with_owners()
    }

    fn with_owners(mut self) -> Self {
        let of_network = |network: &NetworkRecord| {
            (network.id.to_string(), FirewallOwner { network: network.name.clone(), container: None })
        };
        let of_endpoint = |record: &EndpointRecord| {
            let (network, container) = (self.name(record.network), Some(record.name.clone()));
            (record.id.to_string(), FirewallOwner { network, container })
        };
        let networks = self.networks.iter().map(of_network);
        self.owners = networks.chain(self.endpoints.iter().map(of_endpoint)).collect();
        self
    }

    fn network(&self, id: NetworkId) -> Option<&NetworkRecord> {
        self.networks.iter().find(|network| network.id == id)
    }

    fn link(&self, id: NetworkId) -> Option<&IfName> {
        self.network(id)?.bridge.as_ref().map(|bridge| &bridge.link)
    }

    fn name(&self, id: NetworkId) -> String {
        self.network(id).map(|network| network.name.clone()).unwrap_or_default()
    }

    fn concern(&self) -> Concern {
        let ports = self.endpoints.iter().map(|record| host_link(&record.id));
        let bridges = self.networks.iter().filter_map(|network| Some(network.bridge.as_ref()?.link.clone()));
        Concern {
            ids: self.owners.keys().cloned().collect(),
            addresses: self.endpoints.iter().flat_map(EndpointRecord::addresses).collect(),
            links: ports.chain(bridges).collect(),
        }
    }

    fn endpoint(&self, record: &EndpointRecord, figures: &Figures) -> Option<FirewallEndpoint> {
        let spec = record.spec.as_ref()?;
        let traffic = figures.endpoints.get(&record.id).map(|seen| FirewallTraffic {
            rx_bytes: seen.rx_bytes,
            rx_packets: seen.rx_packets,
            rx_dropped: seen.rx_dropped,
            tx_bytes: seen.tx_bytes,
            tx_packets: seen.tx_packets,
            tx_dropped: seen.tx_dropped,
        });
        Some(FirewallEndpoint {
            container: record.name.clone(),
            network: self.name(record.network),
            endpoint_id: record.id.to_string(),
            addresses: spec.addresses().map(|address| address.ip().to_string()).collect(),
            traffic,
        })
    }

    fn ports(&self, counts: &Counts<'_>, figures: &Figures) -> Vec<FirewallPort> {
        let followed = Followed::new(&figures.connections);
        let of = |record| self.ports_of(record, counts, &followed, figures.accounting);
        self.endpoints.iter().flat_map(of).collect()
    }

    fn ports_of(
        &self,
        record: &EndpointRecord,
        counts: &Counts<'_>,
        followed: &Followed<'_>,
        accounting: bool,
    ) -> Vec<FirewallPort> {
        let Some(link) = self.link(record.network) else { return Vec::new() };
        let addresses = record.addresses();
        let target = |port: &PublishedPort| {
            addresses.iter().copied().find(|address| address.is_ipv4() == port.host_ip.is_ipv4())
        };
        let shown = |port: &PublishedPort| {
            let target = target(port);
            let counted = target.and_then(|target| counts.of(port, link, target));
            let living = followed.by(port, target);
            FirewallPort {
                container: record.name.clone(),
                network: self.name(record.network),
                host_ip: port.host_ip.to_string(),
                host_port: port.host_port.map(Port::get),
                container_ip: target.map(|ip| ip.to_string()).unwrap_or_default(),
                container_port: port.container.get(),
                protocol: port.proto.to_string(),
                connections: counted.map(|counted| counted.packets),
                living: living.count,
                rx_bytes: accounting.then_some(living.sent),
                tx_bytes: accounting.then_some(living.answered),
            }
        };
        record.ports.iter().map(shown).collect()
    }

    /// Whose an element with this comment is.
    fn owner(&self, comment: &str) -> Option<FirewallOwner> {
        if comment.is_empty() {
            return None;
        }
        // What begins with it comes next behind it.
        let (id, owner) = self.owners.range::<str, _>((Bound::Included(comment), Bound::Unbounded)).next()?;
        id.starts_with(comment).then(|| owner.clone())
    }
}

/// Connections through a port that the kernel follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Living {
    count: u64,
    sent: u64,
    answered: u64,
}

/// The connections that the kernel follows, by who answers.
struct Followed<'a>(HashMap<(Proto, SocketAddr), Vec<&'a Connection>>);

impl<'a> Followed<'a> {
    fn new(all: &'a [Connection]) -> Self {
        let mut by_server: HashMap<_, Vec<_>> = HashMap::new();
        for connection in all {
            by_server.entry((connection.proto, connection.answers_from)).or_default().push(connection);
        }
        Self(by_server)
    }

    /// Those that came by a port which leads to `target`.
    fn by(&self, port: &PublishedPort, target: Option<IpAddr>) -> Living {
        let Some(target) = target else { return Living::default() };
        let there = SocketAddr::new(target, port.container.get());
        let through = |connection: &&&Connection| match port.host_port {
            Some(number) => connection.to.port() == number.get(),
            None => connection.to == there,
        };
        let all = self.0.get(&(port.proto, there)).into_iter().flatten();
        all.filter(through).fold(Living::default(), |sum, connection| {
            let (sent, answered) = connection.counted.unwrap_or_default();
            Living {
                count: sum.count + 1,
                sent: sum.sent + sent.bytes,
                answered: sum.answered + answered.bytes,
            }
        })
    }
}

fn table(found: &ListedTable, shown: &Shown) -> FirewallTable {
    FirewallTable {
        family: found.family.clone(),
        name: found.name.clone(),
        owner: if found.owner == TableOwner::Pontoon { "pontoon" } else { "other" }.to_owned(),
        comment: found.comment.clone(),
        about: found.about.clone(),
        sets: found.sets.iter().map(|found| set(found, shown)).collect(),
        chains: found.chains.iter().map(chain).collect(),
    }
}

fn elsewhere(found: ListedElsewhere) -> FirewallElsewhere {
    let passage = |rule: ListedPassage| {
        let (packets, bytes) = figures(rule.counted.as_ref());
        FirewallPassage { text: rule.text, packets, bytes }
    };
    let rules = found.rules.into_iter().map(passage).collect();
    FirewallElsewhere { program: found.program, about: found.about, rules }
}

fn set(found: &ListedSet, shown: &Shown) -> FirewallSet {
    FirewallSet {
        name: found.name.clone(),
        kind: found.word().to_owned(),
        about: found.about.to_owned(),
        text: found.block(),
        elements: found.elements.iter().map(|found| element(found, shown)).collect(),
    }
}

fn element(found: &ListedElement, shown: &Shown) -> FirewallElement {
    let (packets, bytes) = figures(found.counted.as_ref());
    FirewallElement {
        key: found.key.clone(),
        data: found.data.clone(),
        owner: shown.owner(&found.comment),
        packets,
        bytes,
    }
}

fn chain(found: &ListedChain) -> FirewallChain {
    FirewallChain {
        name: found.name.clone(),
        about: found.about.to_owned(),
        hook: found.hook.clone(),
        text: found.block(),
        rules: found.rules.iter().map(rule).collect(),
    }
}

fn rule(found: &ListedRule) -> FirewallRule {
    let (packets, bytes) = figures(found.counted.first());
    FirewallRule { handle: found.handle, text: found.text.clone(), packets, bytes }
}

fn figures(counted: Option<&Counted>) -> (Option<u64>, Option<u64>) {
    counted.map(|counted| (counted.packets, counted.bytes)).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_belong_to_the_port_that_they_came_by() {
        let port = |host: Option<u16>| PublishedPort {
            host_ip: "0.0.0.0".parse().unwrap(),
            host_port: host.and_then(Port::new),
            container: Port::new(80).unwrap(),
            proto: Proto::Tcp,
        };
        let connection = |to: &str, counted| Connection {
            proto: Proto::Tcp,
            from: "198.51.100.2:40000".parse().unwrap(),
            to: to.parse().unwrap(),
            answers_from: "10.9.0.2:80".parse().unwrap(),
            counted,
        };
        let counted = |packets, bytes| Counted { packets, bytes };
        let all = [
            connection("192.0.2.1:8080", Some((counted(3, 300), counted(2, 2_000)))),
            connection("127.0.0.1:8080", Some((counted(1, 60), counted(0, 0)))),
            connection("192.0.2.1:8081", None),
            connection("10.9.0.2:80", None),
        ];
        let all = Followed::new(&all);
        let target = Some("10.9.0.2".parse().unwrap());
        let living = all.by(&port(Some(8080)), target);
        assert_eq!(living, Living { count: 2, sent: 360, answered: 2_000 });
        assert_eq!(all.by(&port(Some(8081)), target).count, 1);
        assert_eq!(all.by(&port(None), target).count, 1);
        assert_eq!(all.by(&port(Some(8080)), None), Living::default());
    }
}
