//! What containers add that are on several bridges. Published ports lead to such a container by one of them. Who asks from
//! another one of its networks would be answered there at once, past the host, which alone can translate the answer back:
//! so that packets that come from there are to look as if the host had sent them.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use super::{Elements, SetId, add, contribution::DIGITS};
use crate::{
    firewall::{
        Change, DeclaredFirewall, FirewallEndpoint, FirewallError, FirewallNetwork,
        nft::set::{Data, Entry, Tuple, Value},
    },
    types::{IfName, Internal},
};

/// An endpoint in its network.
type Member<'a> = (&'a FirewallNetwork, &'a FirewallEndpoint);

/// What each container adds.
pub(super) fn all(declared: &DeclaredFirewall) -> impl Iterator<Item = Elements> {
    declared.sandbox_names().into_iter().map(|sandbox| of_container(&members(declared, sandbox)))
}

/// What the containers add that a change concerns, before and after it.
pub(super) fn affected(
    declared: &DeclaredFirewall,
    change: &Change,
) -> Result<(Elements, Elements), FirewallError> {
    let (mut before, mut after) = (Elements::new(), Elements::new());
    for sandbox in concerned(declared, change) {
        let members = members(declared, sandbox);
        before.extend(of_container(&members));
        add(&mut after, of_container(&members_after(declared, change, sandbox, members)?))?;
    }
    Ok((before, after))
}

/// The sandboxes with an endpoint that a change concerns.
fn concerned<'a>(declared: &'a DeclaredFirewall, change: &'a Change) -> BTreeSet<&'a Arc<str>> {
    let network = match change {
        Change::AddNetwork(network) => Some(network.id),
        Change::RemoveNetwork(id) => Some(*id),
        _ => None,
    };
    let endpoint = match change {
        Change::RemoveEndpoint(id) => Some(*id),
        _ => None,
    };
    let coming = coming(change);
    let known = coming.iter().map(|new| new.id).chain(endpoint).filter_map(|id| declared.endpoints.get(&id));
    let within = network.into_iter().flat_map(|id| declared.endpoints_of(id));
    coming.iter().copied().chain(known).chain(within).filter_map(|who| who.sandbox.as_ref()).collect()
}

/// The endpoints as a change wants them.
fn coming(change: &Change) -> Vec<&FirewallEndpoint> {
    match change {
        Change::AddEndpoint(endpoint) => vec![endpoint],
        Change::MovePorts { from, to } => vec![from, to],
        _ => Vec::new(),
    }
}

fn members<'a>(declared: &'a DeclaredFirewall, sandbox: &Arc<str>) -> Vec<Member<'a>> {
    // None is declared without its network.
    let member = |who: &'a FirewallEndpoint| Some((declared.network(who.network).ok()?, who));
    declared.endpoints_in(sandbox).filter_map(member).collect()
}

fn members_after<'a>(
    declared: &'a DeclaredFirewall,
    change: &'a Change,
    sandbox: &Arc<str>,
    mut members: Vec<Member<'a>>,
) -> Result<Vec<Member<'a>>, FirewallError> {
    match change {
        Change::AddNetwork(network) => {
            let within = members.iter_mut().filter(|(before, _)| before.id == network.id);
            within.for_each(|member| member.0 = network);
        }
        Change::RemoveNetwork(id) => members.retain(|(network, _)| network.id != *id),
        Change::RemoveEndpoint(id) => members.retain(|(_, who)| who.id != *id),
        Change::AddEndpoint(_) | Change::MovePorts { .. } | Change::SetOpenings(..) => {}
    }
    for new in coming(change) {
        members.retain(|(_, who)| who.id != new.id);
        if new.sandbox.as_ref() == Some(sandbox) {
            members.push((declared.network(new.network)?, new));
        }
    }
    Ok(members)
}

/// For each endpoint the bridges that are beside its own, with its addresses. From an internal network nothing gets there,
/// and none of its own ports is published.
fn of_container(members: &[Member<'_>]) -> Elements {
    let open: Vec<_> = members.iter().filter(|(network, _)| network.internal == Internal::No).collect();
    let mut elements = Elements::new();
    for (network, who) in &open {
        let beside = open.iter().map(|(other, _)| &other.link).filter(|link| **link != network.link);
        let all = beside.flat_map(|link| who.addresses().map(move |ip| key(link, ip)));
        elements.extend(all.map(|key| (key, Entry { data: Data::None, comment: who.id.short(DIGITS) })));
    }
    elements
}

fn key(link: &IfName, ip: IpAddr) -> (SetId, Tuple) {
    let link = Value::IfName(link.clone());
    match ip {
        IpAddr::V4(ip) => (SetId::Beside4, Tuple(vec![link, Value::V4(ip)])),
        IpAddr::V6(ip) => (SetId::Beside6, Tuple(vec![link, Value::V6(ip)])),
    }
}

#[cfg(test)]
mod tests {
    use ipnetwork::Ipv4Network;

    use super::*;
    use crate::{
        firewall::ruleset::{Ruleset, Taken},
        types::{EndpointId, Exposure, Icc, Masquerade, NetworkId},
    };

    fn network(number: u8) -> FirewallNetwork {
        FirewallNetwork {
            id: NetworkId::from_bytes([number; 32]),
            link: format!("br-{number}").parse().unwrap(),
            v4: Some(Ipv4Network::new([10, 0, number, 1].into(), 24).unwrap()),
            v6: None,
            internal: Internal::No,
            icc: Icc::Allowed,
            masquerade: Masquerade::Yes,
            exposure: Exposure::default(),
        }
    }

    fn endpoint(network: u8, sandbox: &str) -> FirewallEndpoint {
        FirewallEndpoint {
            id: EndpointId::from_bytes([network; 32]),
            network: NetworkId::from_bytes([network; 32]),
            sandbox: Some(sandbox.into()),
            v4: Some([10, 0, network, 2].into()),
            v6: (network == 1).then(|| "fd00::2".parse().unwrap()),
            ports: Vec::new(),
            guard: None,
        }
    }

    /// What changes, one after the other, add and take away.
    struct Changes {
        declared: DeclaredFirewall,
        taken: Taken,
    }

    impl Changes {
        fn make(&mut self, change: Change) -> [Vec<String>; 2] {
            let delta = self.taken.delta(&self.declared, &change).unwrap();
            self.taken.apply(&delta);
            self.declared.change(change).unwrap();
            assert_eq!(self.taken, Taken::of(&Ruleset::compute(&self.declared).unwrap()));
            [delta.come, delta.gone].map(|all| {
                let beside = all.keys().filter(|(set, _)| matches!(set, SetId::Beside4 | SetId::Beside6));
                beside.map(|(_, key)| key.to_string()).collect()
            })
        }
    }

    #[test]
    fn only_a_container_of_several_networks_adds_something() {
        let declared = DeclaredFirewall::new([1, 2, 3].map(network), []).unwrap();
        let taken = Taken::of(&Ruleset::of(&declared));
        let mut changes = Changes { declared, taken };
        let nothing = || [Vec::new(), Vec::<String>::new()];
        let add = |endpoint: &FirewallEndpoint| Change::AddEndpoint(endpoint.clone());
        let [one, two, three] = [1, 2, 3].map(|number| endpoint(number, "c"));

        assert_eq!(changes.make(add(&one)), nothing());
        let elsewhere = FirewallEndpoint { id: EndpointId::from_bytes([9; 32]), ..endpoint(2, "d") };
        assert_eq!(changes.make(add(&FirewallEndpoint { v4: None, ..elsewhere })), nothing());
        let both = ["\"br-1\" . 10.0.2.2", "\"br-2\" . 10.0.1.2", "\"br-2\" . fd00::2"].map(str::to_owned);
        assert_eq!(changes.make(add(&two)), [both.to_vec(), Vec::new()]);
        let moved = Change::MovePorts { from: Box::new(one.clone()), to: Box::new(two.clone()) };
        assert_eq!(changes.make(moved), nothing());

        let [come, gone] = changes.make(add(&three));
        assert_eq!((come.len(), gone.len()), (5, 0), "each beside each: {come:?}");
        let closed = FirewallNetwork { internal: Internal::Yes, ..network(3) };
        assert_eq!(changes.make(Change::AddNetwork(closed.clone())), [gone.clone(), come.clone()]);
        assert_eq!(changes.make(Change::AddNetwork(network(3))), [come.clone(), gone]);
        assert_eq!(changes.make(Change::RemoveNetwork(network(3).id)), [Vec::new(), come]);

        assert_eq!(changes.make(Change::RemoveEndpoint(one.id)), [Vec::new(), both.to_vec()]);
        assert_eq!(changes.make(Change::RemoveEndpoint(two.id)), nothing());
    }
}
