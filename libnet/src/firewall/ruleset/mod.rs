//! The firewall as one value: which elements are in which set. The rules are always the same ones ([`base`]).

pub(crate) mod any;
pub(crate) mod base;
mod beside;
mod contribution;
pub(super) mod foreign;
mod guard;
mod taken;
mod text;

use std::collections::BTreeMap;

pub(super) use base::{SetId, TABLE, TABLES};
pub(super) use contribution::lookup;
use contribution::{of_endpoint, of_links, of_network};
pub(super) use taken::Taken;

use super::{
    Change, DeclaredFirewall, FirewallError, Guarding,
    nft::{
        chain::Table,
        op::Op,
        set::{Entry, Tuple},
    },
};
use crate::types::FwMark;

/// Elements by set and key.
pub(super) type Elements = BTreeMap<(SetId, Tuple), Entry>;

/// What is in the sets of our tables. Prints as `nft -s list table` does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    pub(super) elements: Elements,
    /// Packets with this mark are let in; the one thing in which the rules differ.
    pub(super) accept_mark: Option<FwMark>,
    /// Whether there is a table for what is bridged.
    pub(super) guarding: Guarding,
}

/// What comes and what goes from one ruleset to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delta {
    pub(super) gone: Elements,
    pub(super) come: Elements,
}

impl Ruleset {
    /// The ruleset of what is declared.
    ///
    /// # Errors
    /// If two networks or endpoints want the same: one subnet, one port of the host.
    pub fn compute(declared: &DeclaredFirewall) -> Result<Self, FirewallError> {
        let mut ruleset = Self::empty(declared);
        contributions(declared).try_for_each(|more| add(&mut ruleset.elements, more))?;
        Ok(ruleset)
    }

    /// The ruleset of what is declared and known to be without contradiction.
    pub(super) fn of(declared: &DeclaredFirewall) -> Self {
        let mut ruleset = Self::empty(declared);
        contributions(declared).for_each(|more| ruleset.elements.extend(more));
        ruleset
    }

    fn empty(declared: &DeclaredFirewall) -> Self {
        let options = &declared.options;
        let (accept_mark, guarding) = (options.accept_mark, options.guarding);
        Self { accept_mark, guarding, ..Self::default() }
    }

    /// Whether nothing is declared: then there is no table either.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Whether a table is there.
    pub(super) fn has(&self, table: Table) -> bool {
        !self.is_empty() && (table == TABLE || self.guarding == Guarding::On)
    }

    /// What is in the sets of one table.
    pub(super) fn elements_of(&self, table: Table) -> Elements {
        let own = self.elements.iter().filter(|((set, _), _)| set.table() == table);
        own.map(|(key, entry)| (key.clone(), entry.clone())).collect()
    }
}

impl Delta {
    pub(super) fn between(before: &Elements, after: &Elements) -> Self {
        let only = |a: &Elements, b: &Elements| -> Elements {
            let differs = |(key, entry): &(&(SetId, Tuple), &Entry)| b.get(key) != Some(entry);
            a.iter().filter(differs).map(|(key, entry)| (key.clone(), entry.clone())).collect()
        };
        Self { gone: only(before, after), come: only(after, before) }
    }

    /// The operations: first what goes, so that what comes finds its place free.
    pub(super) fn ops(&self) -> Vec<Op> {
        let gone = by_set(&self.gone).map(|(set, all)| Op::DeleteElements(set.table(), set.spec(), all));
        let come = by_set(&self.come).map(|(set, all)| Op::AddElements(set.table(), set.spec(), all));
        gone.chain(come).collect()
    }
}

fn by_set(elements: &Elements) -> impl Iterator<Item = (SetId, Vec<(Tuple, Entry)>)> {
    let mut sets: BTreeMap<SetId, Vec<(Tuple, Entry)>> = BTreeMap::new();
    for ((set, key), entry) in elements {
        sets.entry(*set).or_default().push((key.clone(), entry.clone()));
    }
    sets.into_iter()
}

/// What each declared object adds.
fn contributions(declared: &DeclaredFirewall) -> impl Iterator<Item = Elements> {
    let networks = declared.networks.values().map(|network| of_network(&declared.options, network));
    let endpoints = declared.endpoints.values().filter_map(|endpoint| {
        // None is declared without its network.
        Some(of_endpoint(&declared.options, declared.network(endpoint.network).ok()?, endpoint))
    });
    let openings = declared.openings.iter().map(|(network, openings)| of_links(*network, openings));
    networks.chain(endpoints).chain(openings).chain(beside::all(declared))
}

/// The elements that a change concerns, before and after it.
fn affected(declared: &DeclaredFirewall, change: &Change) -> Result<(Elements, Elements), FirewallError> {
    let (mut before, mut after) = of_objects(declared, change)?;
    let beside = beside::affected(declared, change)?;
    before.extend(beside.0);
    add(&mut after, beside.1)?;
    Ok((before, after))
}

/// The elements of the objects that a change concerns, before and after it.
fn of_objects(declared: &DeclaredFirewall, change: &Change) -> Result<(Elements, Elements), FirewallError> {
    let network_before = |id| {
        let mut before = Elements::new();
        if let Ok(network) = declared.network(id) {
            before.extend(of_network(&declared.options, network));
            before
                .extend(declared.endpoints_of(id).flat_map(|ep| of_endpoint(&declared.options, network, ep)));
        }
        before
    };
    let openings_before =
        |id| declared.openings.get(&id).map(|openings| of_links(id, openings)).unwrap_or_default();
    let endpoint_before = |id| {
        let endpoint = declared.endpoints.get(id)?;
        Some(of_endpoint(&declared.options, declared.network(endpoint.network).ok()?, endpoint))
    };
    Ok(match change {
        Change::AddNetwork(network) => {
            let mut after = of_network(&declared.options, network);
            if declared.networks.contains_key(&network.id) {
                // What a network kept to itself may be the same in two endpoints, until it is opened.
                for endpoint in declared.endpoints_of(network.id) {
                    add(&mut after, of_endpoint(&declared.options, network, endpoint))?;
                }
            }
            (network_before(network.id), after)
        }
        Change::RemoveNetwork(id) => {
            let mut before = network_before(*id);
            before.extend(openings_before(*id));
            (before, Elements::new())
        }
        Change::AddEndpoint(endpoint) => {
            let after = of_endpoint(&declared.options, declared.network(endpoint.network)?, endpoint);
            (endpoint_before(&endpoint.id).unwrap_or_default(), after)
        }
        Change::RemoveEndpoint(id) => (endpoint_before(id).unwrap_or_default(), Elements::new()),
        Change::MovePorts { from, to } => {
            let (mut before, mut after) = (Elements::new(), Elements::new());
            for endpoint in [from, to] {
                before.extend(endpoint_before(&endpoint.id).unwrap_or_default());
                let network = declared.network(endpoint.network)?;
                add(&mut after, of_endpoint(&declared.options, network, endpoint))?;
            }
            (before, after)
        }
        Change::SetOpenings(id, openings) => {
            declared.network(*id)?;
            (openings_before(*id), of_links(*id, openings))
        }
    })
}

/// Adds elements whose keys must be free.
fn add(to: &mut Elements, more: Elements) -> Result<(), FirewallError> {
    for (key, entry) in more {
        if to.contains_key(&key) {
            return Err(taken(&key));
        }
        to.insert(key, entry);
    }
    Ok(())
}

fn taken((set, key): &(SetId, Tuple)) -> FirewallError {
    FirewallError::Taken { set: set.spec().name, element: key.to_string() }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        firewall::{DirectRouting, FirewallEndpoint, FirewallNetwork, FirewallOptions, Guard, Opening},
        ports::PublishedPort,
        types::{
            EndpointId, Exposure, GatewayAccess, GatewayMode, Icc, Internal, MacAddr, Masquerade, NetworkId,
            Port, Proto,
        },
    };

    fn mode(number: u16) -> GatewayMode {
        [GatewayMode::Nat, GatewayMode::NatUnprotected, GatewayMode::Routed][usize::from(number % 3)]
    }

    fn network(number: u8, options: u16) -> FirewallNetwork {
        FirewallNetwork {
            id: NetworkId::from_bytes([number; 32]),
            link: format!("br-{number}-{}", options & 1).parse().unwrap(),
            v4: (options & 2 == 0).then(|| format!("10.0.{number}.1/24").parse().unwrap()),
            v6: (options & 4 == 0).then(|| format!("fd00:0:0:{number}::1/64").parse().unwrap()),
            internal: if options & 8 == 0 { Internal::No } else { Internal::Yes },
            icc: if options & 16 == 0 { Icc::Allowed } else { Icc::Denied },
            masquerade: if options & 32 == 0 { Masquerade::Yes } else { Masquerade::No },
            exposure: Exposure {
                v4: mode(options / 64),
                v6: mode(options / 192),
                v4_source: (options & 64 == 0).then_some([192, 0, 2, number].into()),
                v6_source: (options & 128 == 0).then(|| format!("2001:db8::{number}").parse().unwrap()),
                gateway: if options & 16 == 0 { GatewayAccess::Members } else { GatewayAccess::Everyone },
                trusted: (options & 256 == 0).then(|| "lan0".parse().unwrap()).into_iter().collect(),
                ..Exposure::default()
            },
        }
    }

    fn endpoint(network: u8, number: u8, ports: Vec<(u16, bool)>) -> FirewallEndpoint {
        let published = |(number, v6): (u16, bool)| PublishedPort {
            host_ip: if v6 { "::".parse().unwrap() } else { [127, 0, 0, (number % 3) as u8].into() },
            host_port: number.is_multiple_of(5).then(|| Port::new(number).unwrap()),
            container: Port::new(80).unwrap(),
            proto: Proto::Tcp,
        };
        FirewallEndpoint {
            id: EndpointId::from_bytes([number; 32]),
            network: NetworkId::from_bytes([network; 32]),
            sandbox: [None, Some("one".into()), Some("two".into())][usize::from(number % 3)].clone(),
            v4: Some([10, 0, network, number].into()),
            v6: number.is_multiple_of(2).then(|| format!("fd00:0:0:{network}::{number}").parse().unwrap()),
            ports: ports.into_iter().map(published).collect(),
            guard: number.is_multiple_of(3).then(|| Guard {
                port: format!("veth{number}").parse().unwrap(),
                mac: MacAddr::local([number; 6]),
                addresses: vec![[10, 0, network, number].into(), [169, 254, 0, number].into()],
            }),
        }
    }

    fn opening(network: u8, from: u8, to: u8, v6: bool) -> Opening {
        let address = |number: u8| match v6 {
            true => format!("fd00:0:0:{network}::{number}").parse().unwrap(),
            false => IpAddr::from([10, 0, network, number]),
        };
        Opening { from: address(from), to: address(to), at: (Proto::Tcp, Port::new(80).unwrap()) }
    }

    fn change() -> impl Strategy<Value = Change> {
        let ports = prop::collection::vec((1..30u16, any::<bool>()), 0..4);
        prop_oneof![
            (1..4u8, any::<u16>()).prop_map(|(number, options)| Change::AddNetwork(network(number, options))),
            (1..4u8).prop_map(|number| Change::RemoveNetwork(NetworkId::from_bytes([number; 32]))),
            (1..4u8, 2..9u8, ports)
                .prop_map(|(network, number, ports)| Change::AddEndpoint(endpoint(network, number, ports))),
            (2..9u8).prop_map(|number| Change::RemoveEndpoint(EndpointId::from_bytes([number; 32]))),
            (1..4u8, prop::collection::btree_set((2..9u8, 2..9u8, any::<bool>()), 0..4)).prop_map(
                |(network, openings)| {
                    let all = openings.into_iter().map(|(from, to, v6)| opening(network, from, to, v6));
                    Change::SetOpenings(NetworkId::from_bytes([network; 32]), all.collect())
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn changes_in_any_order_lead_where_the_whole_leads(
            changes in prop::collection::vec(change(), 0..40), direct: bool
        ) {
            let direct_routing = if direct { DirectRouting::Allowed } else { DirectRouting::Denied };
            let private = [Port::new(9323).unwrap()].into();
            let options = FirewallOptions { direct_routing, private, ..FirewallOptions::default() };
            let (mut elements, mut taken) = (Elements::new(), Taken::default());
            let mut declared = DeclaredFirewall { options, ..DeclaredFirewall::default() };
            for change in changes {
                let mut after = declared.clone();
                let whole = after.change(change.clone()).and_then(|()| Ruleset::compute(&after));
                match (taken.delta(&declared, &change), whole) {
                    (Ok(delta), Ok(whole)) => {
                        prop_assert_eq!(&delta, &Delta::between(&elements, &whole.elements), "the delta is the difference, no more");
                        taken.apply(&delta);
                        elements.retain(|key, _| !delta.gone.contains_key(key));
                        elements.extend(delta.come);
                        prop_assert_eq!(&elements, &whole.elements);
                        prop_assert_eq!(&elements, &Ruleset::of(&after).elements);
                        prop_assert_eq!(&taken, &Taken::of(&whole));
                        declared = after;
                    }
                    (Err(_), Err(_)) => {} // refused by both, nothing changed
                    (delta, whole) => prop_assert!(false, "{delta:?} but {whole:?}"),
                }
            }
        }
    }
}
