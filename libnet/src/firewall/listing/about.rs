//! What each part of our tables is for, in a sentence. A part without one fails a test.

use crate::firewall::{
    egress,
    nft::{chain::Table, set::SetSpec},
    ruleset::{SetId, TABLES, base::BRIDGED},
};

pub(super) const OF_OTHERS: &str =
    "Somebody else's, and it drops what it does not know. Only the rules of ours in it are shown.";
pub(super) const IN_OTHERS: &str = "Packets of our networks are let through to our own table, which judges them; the rules go with their network.";

pub(super) const IN_LEGACY: &str = "Of the old iptables, which drops what it does not know: packets of our networks are let through to our own table, which judges them.";

pub(super) fn table(table: Table) -> &'static str {
    if table == BRIDGED {
        "Bridges: containers send from the addresses that they were given, and from no other."
    } else if table == egress::TABLE {
        "What restricted containers may send out of their networks."
    } else {
        "Networks and published ports. The rules are always the same; what differs is in the sets."
    }
}

/// The chains of a table in the order in which a packet meets them, with what they do.
fn chains(table: Table) -> &'static [(&'static str, &'static str)] {
    if table == BRIDGED {
        return &[(
            "senders",
            "Frames of containers, ARP and advertisements of neighbours too, pass if port, Ethernet and source address \
             belong together.",
        )];
    }
    if table == egress::TABLE {
        return &[
            ("input", "What restricted containers send to this host itself; answers pass."),
            ("forward", "What restricted containers send elsewhere; answers and neighbours pass."),
            (
                "judge4",
                "What a denied container sends passes where it is allowed; the rest is noted and dropped.",
            ),
            ("judge6", "The same for IPv6."),
        ];
    }
    &[
        ("raw-prerouting", "First: nobody outside reaches or pretends to be 127.0.0.0/8."),
        ("nat-prerouting", "Packets from outside and from containers to an address of this host."),
        ("nat-output", "Packets of this host's own programs to an address of this host."),
        ("nat-published", "A published port: destination and port become the container's."),
        (
            "filter-forward",
            "What may be forwarded from, to and between networks; the first rule that decides counts.",
        ),
        ("pontoon-user", "Rules of your own, before all others here; Pontoon never changes them."),
        (
            "filter-input",
            "What is for this host itself: gateways of other networks, and ports of the daemon, are not for containers.",
        ),
        (
            "filter-elsewhere",
            "From a container to the gateway of another network: what the host answers for a container is reached.",
        ),
        (
            "filter-within",
            "Between containers that their network keeps apart: what a link opens passes, nothing else.",
        ),
        ("nat-postrouting", "Which packets leave with another source address."),
        ("nat-source", "Which address that is: the network's own choice, else that of the link."),
    ]
}

/// Where a chain is in a packet's way; those that are not ours come last.
pub(super) fn place(table: Table, chain: &str) -> usize {
    let all = chains(table);
    all.iter().position(|(name, _)| *name == chain).unwrap_or(all.len())
}

pub(super) fn chain(table: Table, chain: &str) -> &'static str {
    chains(table).iter().find(|(name, _)| *name == chain).map_or("", |(_, about)| about)
}

/// The declaration of a set of ours.
pub(super) fn spec(table: Table, set: &str) -> Option<SetSpec> {
    let own = SetId::of(table).map(SetId::spec);
    let all: Vec<SetSpec> = if TABLES.contains(&table) { own.collect() } else { egress::specs() };
    all.into_iter().find(|spec| spec.name == set)
}

pub(super) fn set(table: Table, name: &str) -> &'static str {
    if TABLES.contains(&table) {
        return SetId::of(table).find(|id| id.spec().name == name).map_or("", of_set);
    }
    match name {
        "flows4" | "flows6" => "Who may reach which address at which port, for how long.",
        "hosts4" | "hosts6" => "Who may reach which address at every port, for how long.",
        "refused4" | "refused6" => "What denied containers tried to reach, for a day.",
        "seen4" | "seen6" => "What noted containers reached, for a day.",
        "denied4" | "denied6" => "Containers that reach nothing but what is allowed.",
        "learnt4" | "learnt6" => "Containers that reach everything, and it is noted.",
        "within" => "Bridges with restricted containers: neighbours reach each other.",
        _ => "",
    }
}

const fn of_set(id: SetId) -> &'static str {
    match id {
        SetId::Bridges => "The bridges of all networks.",
        SetId::Internal => "Bridges of internal networks: nothing leaves them or gets in.",
        SetId::Pairs => {
            "Ways in and out that are decided at once: a bridge with itself where containers may talk."
        }
        SetId::Hairpin => "Each bridge with itself.",
        SetId::Beside4 | SetId::Beside6 => {
            "A bridge, and the address that a container on it has in another network: it would answer past this host."
        }
        SetId::Links4 | SetId::Links6 => "Who may reach which neighbour at which port, by a link.",
        SetId::Masquerade4 | SetId::Masquerade6 => "Subnets whose packets leave with another source address.",
        SetId::DnatAddress4 | SetId::DnatAddress6 => {
            "Ports published on one address of this host, and where they lead; counted are connections."
        }
        SetId::DnatAny4 | SetId::DnatAny6 => {
            "Ports published on all addresses, and where they lead; counted are connections."
        }
        SetId::Published4 | SetId::Published6 => "Where published ports lead: what was sent there may pass.",
        SetId::Trusted => {
            "Links of this host that a network trusts: published ports are reached by the container's own address."
        }
        SetId::Direct4 | SetId::Direct6 => {
            "Ports that are reached by the container's own address; counted are connections."
        }
        SetId::DirectProtocols => {
            "Bridges with the protocols that pass into them whole: ICMP where addresses are not rewritten."
        }
        SetId::Unprotected => "Bridges with the families in which everything passes into them.",
        SetId::Gateways4 | SetId::Gateways6 => "Gateway addresses that are for their own network alone.",
        SetId::Near4 | SetId::Near6 => "Such an address, with the bridge that it is for.",
        SetId::AnsweredAny => {
            "Published ports of a family that the container does not have: the daemon itself leads who asks there."
        }
        SetId::Answered4 | SetId::Answered6 => "Such ports on one address of this host.",
        SetId::Private => "Bridges with ports of this host that are nobody's there.",
        SetId::Guarded => "Ports of bridges that let only known senders in.",
        SetId::Sender4 | SetId::Sender6 => {
            "Such a port, with an Ethernet and a source address that belong there."
        }
        SetId::Source4 | SetId::Source6 => {
            "The source address that packets of a bridge leave with, where the network names one."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::ruleset::base;

    #[test]
    fn every_part_is_explained() {
        let own = TABLES.map(|table| {
            (table, SetId::of(table).map(SetId::spec).collect::<Vec<_>>(), base::chains(table, None))
        });
        for (table, specs, chains) in
            own.into_iter().chain([(egress::TABLE, egress::specs(), egress::chains(egress::Told::Yes))])
        {
            assert!(!super::table(table).is_empty());
            for spec in specs {
                assert!(!set(table, spec.name).is_empty(), "{}", spec.name);
                assert_eq!(super::spec(table, spec.name), Some(spec));
            }
            for found in chains {
                assert!(!chain(table, found.name).is_empty(), "{}", found.name);
            }
        }
    }
}
