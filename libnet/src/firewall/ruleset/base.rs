//! The rules of our tables: always the same, whatever is declared. What differs is in their sets. `inet pontoon` judges
//! packets; `bridge pontoon` ([`guard`]) sees to it that frames come from where they say.

use super::guard;
use crate::{
    firewall::nft::{
        chain::{Anchor, Chain, Hook, Table, TableFamily},
        expr::Member,
        field::End,
        nat::DnatKey,
        op::Op,
        rule::Rule,
        set::{Holds, Kind, SetSpec},
        verdict::Verdict,
    },
    types::{Family, FwMark},
};

/// Our table.
pub(crate) const TABLE: Table = Table { family: TableFamily::Inet, name: "pontoon" };
/// Our table for what is bridged.
pub(crate) const BRIDGED: Table = Table { family: TableFamily::Bridge, name: "pontoon" };
/// All of them.
pub(crate) const TABLES: [Table; 2] = [TABLE, BRIDGED];
/// The chain that belongs to the user; never touched once it is there.
pub(crate) const USER: &str = "pontoon-user";

/// The sets of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SetId {
    /// All our bridges.
    Bridges,
    /// Bridges of internal networks.
    Internal,
    /// Pairs of way in and way out that are decided at once: a bridge with itself where containers may talk.
    Pairs,
    /// Each bridge with itself.
    Hairpin,
    /// A bridge, and the address that a container on it has in another network.
    Beside4,
    /// The same for IPv6.
    Beside6,
    /// Subnets whose packets leave with the host's address.
    Masquerade4,
    /// The same for IPv6.
    Masquerade6,
    /// Ports published on one address of the host.
    DnatAddress4,
    /// Ports published on all addresses.
    DnatAny4,
    /// The same for IPv6.
    DnatAddress6,
    /// The same for IPv6.
    DnatAny6,
    /// Where published ports lead.
    Published4,
    /// The same for IPv6.
    Published6,
    /// Pairs of a trusted link of the host and a bridge.
    Trusted,
    /// Ports that containers are reached at by their own address.
    Direct4,
    /// The same for IPv6.
    Direct6,
    /// Bridges with the protocols that pass into them whole: ICMP where addresses are not rewritten.
    DirectProtocols,
    /// Bridges with the families in which everything passes into them.
    Unprotected,
    /// What packets of a bridge leave with, where it is not the address of the link that they leave by.
    Source4,
    /// The same for IPv6.
    Source6,
    /// Gateway addresses that are for their own network alone.
    Gateways4,
    /// The same for IPv6.
    Gateways6,
    /// Such an address, with the bridge that it is for.
    Near4,
    /// The same for IPv6.
    Near6,
    /// Ports published on all addresses of a family that the container does not have: the host itself answers there.
    AnsweredAny,
    /// The same on one address.
    Answered4,
    /// The same for IPv6.
    Answered6,
    /// Bridges with ports of the host that are nobody's there.
    Private,
    /// Ports of bridges that let only known senders in.
    Guarded,
    /// Such a port, with an Ethernet and an IPv4 address that belong there.
    Sender4,
    /// The same for IPv6.
    Sender6,
    /// What containers may reach of a neighbour that they are linked to, where neighbours are kept apart.
    Links4,
    /// The same for IPv6.
    Links6,
}

impl SetId {
    pub(crate) const ALL: [Self; 34] = [
        Self::Bridges,
        Self::Internal,
        Self::Pairs,
        Self::Hairpin,
        Self::Beside4,
        Self::Beside6,
        Self::Masquerade4,
        Self::Masquerade6,
        Self::DnatAddress4,
        Self::DnatAny4,
        Self::DnatAddress6,
        Self::DnatAny6,
        Self::Published4,
        Self::Published6,
        Self::Trusted,
        Self::Direct4,
        Self::Direct6,
        Self::DirectProtocols,
        Self::Unprotected,
        Self::Source4,
        Self::Source6,
        Self::Gateways4,
        Self::Gateways6,
        Self::Near4,
        Self::Near6,
        Self::AnsweredAny,
        Self::Answered4,
        Self::Answered6,
        Self::Private,
        Self::Guarded,
        Self::Sender4,
        Self::Sender6,
        Self::Links4,
        Self::Links6,
    ];

    /// Its declaration.
    pub(crate) const fn spec(self) -> SetSpec {
        use Kind::{Ether, IfName, NfProto, Port, Proto, V4, V6};
        let (name, key, holds): (_, &[Kind], _) = match self {
            Self::Bridges => ("bridges", &[IfName], Holds::Keys),
            Self::Internal => ("internal", &[IfName], Holds::Keys),
            Self::Pairs => ("pairs", &[IfName, IfName], Holds::Verdicts),
            Self::Hairpin => ("hairpin", &[IfName, IfName], Holds::Keys),
            Self::Beside4 => ("beside4", &[IfName, V4], Holds::Keys),
            Self::Beside6 => ("beside6", &[IfName, V6], Holds::Keys),
            Self::Masquerade4 => ("masquerade4", &[V4], Holds::Subnets),
            Self::Masquerade6 => ("masquerade6", &[V6], Holds::Subnets),
            Self::DnatAddress4 => ("dnat4-address", &[V4, Proto, Port], Holds::Tuples(&[V4, Port])),
            Self::DnatAny4 => ("dnat4-any", &[Proto, Port], Holds::Tuples(&[V4, Port])),
            Self::DnatAddress6 => ("dnat6-address", &[V6, Proto, Port], Holds::Tuples(&[V6, Port])),
            Self::DnatAny6 => ("dnat6-any", &[Proto, Port], Holds::Tuples(&[V6, Port])),
            Self::Published4 => ("published4", &[IfName, V4, Proto, Port], Holds::Keys),
            Self::Published6 => ("published6", &[IfName, V6, Proto, Port], Holds::Keys),
            Self::Trusted => ("trusted", &[IfName, IfName], Holds::Keys),
            Self::Direct4 => ("direct4", &[IfName, V4, Proto, Port], Holds::Keys),
            Self::Direct6 => ("direct6", &[IfName, V6, Proto, Port], Holds::Keys),
            Self::DirectProtocols => ("direct-protocols", &[IfName, Proto], Holds::Keys),
            Self::Unprotected => ("unprotected", &[IfName, NfProto], Holds::Keys),
            Self::Source4 => ("source4", &[IfName], Holds::Tuples(&[V4])),
            Self::Source6 => ("source6", &[IfName], Holds::Tuples(&[V6])),
            Self::Gateways4 => ("gateways4", &[V4], Holds::Keys),
            Self::Gateways6 => ("gateways6", &[V6], Holds::Keys),
            Self::Near4 => ("near4", &[IfName, V4], Holds::Keys),
            Self::Near6 => ("near6", &[IfName, V6], Holds::Keys),
            Self::AnsweredAny => ("answered-any", &[NfProto, Proto, Port], Holds::Keys),
            Self::Answered4 => ("answered4", &[V4, Proto, Port], Holds::Keys),
            Self::Answered6 => ("answered6", &[V6, Proto, Port], Holds::Keys),
            Self::Private => ("private", &[IfName, Proto, Port], Holds::Keys),
            Self::Guarded => ("guarded", &[IfName], Holds::Keys),
            Self::Sender4 => ("senders4", &[IfName, Ether, V4], Holds::Keys),
            Self::Sender6 => ("senders6", &[IfName, Ether, V6], Holds::Keys),
            Self::Links4 => ("links4", &[V4, V4, Proto, Port], Holds::Keys),
            Self::Links6 => ("links6", &[V6, V6, Proto, Port], Holds::Keys),
        };
        // NAT sees the first packet of a connection alone, and what is let in by a container's own address is looked up
        // for that one alone: to count there costs the others nothing.
        let counted = matches!(
            self,
            Self::DnatAddress4
                | Self::DnatAny4
                | Self::DnatAddress6
                | Self::DnatAny6
                | Self::Direct4
                | Self::Direct6
        );
        SetSpec { name, key, holds, counted }
    }

    /// The table that it is in.
    pub(crate) const fn table(self) -> Table {
        match self {
            Self::Guarded | Self::Sender4 | Self::Sender6 => BRIDGED,
            _ => TABLE,
        }
    }

    /// The sets of a table.
    pub(crate) fn of(table: Table) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |set| set.table() == table)
    }

    pub(super) const fn name(self) -> &'static str {
        self.spec().name
    }
}

/// What `nft list` says of a table.
pub(crate) fn comment(table: Table) -> &'static str {
    match table.family {
        TableFamily::Bridge => "made by Pontoon: containers send from their own addresses",
        _ => "made by Pontoon; rules of your own go into chain pontoon-user",
    }
}

/// The chains of a table with their rules, of which those that drop count what they drop; `mark`: packets that are let in by their mark. Names that nft takes for words of
/// its language (`fwd`, `rt`) would make the table unreadable for it.
pub(crate) fn chains(table: Table, mark: Option<FwMark>) -> Vec<Chain> {
    if table.family == TableFamily::Bridge {
        return vec![guard::chain()];
    }
    let anchor = |kind, hook, priority| Some(Anchor { kind, hook, priority });
    let chain = |name, anchor, rules| Chain { name, anchor, rules };
    vec![
        chain(USER, None, Vec::new()),
        chain(PUBLISHED, None, published()),
        chain(SOURCE, None, source()),
        chain(WITHIN, None, within()),
        chain(ELSEWHERE, None, elsewhere()),
        chain("raw-prerouting", anchor("filter", Hook::Prerouting, -300), raw_prerouting()),
        chain("nat-prerouting", anchor("nat", Hook::Prerouting, -100), vec![to_published()]),
        chain("nat-output", anchor("nat", Hook::Output, -100), vec![to_published()]),
        chain("filter-forward", anchor("filter", Hook::Forward, 0), filter_forward(mark)),
        chain("filter-input", anchor("filter", Hook::Input, 0), filter_input()),
        chain("nat-postrouting", anchor("nat", Hook::Postrouting, 100), nat_postrouting()),
    ]
}

const PUBLISHED: &str = "nat-published";
const SOURCE: &str = "nat-source";
const WITHIN: &str = "filter-within";
const ELSEWHERE: &str = "filter-elsewhere";

/// Makes `table` under a name with its chains, sets and rules, all empty of elements.
pub(crate) fn ops(table: Table, name: &'static str, mark: Option<FwMark>) -> Vec<Op> {
    let (sets, chains) = (SetId::of(table), chains(table, mark));
    let table = Table { name, ..table };
    let mut ops = vec![Op::AddTable(table, comment(table))];
    ops.extend(sets.map(|set| Op::AddSet(table, set.spec())));
    // All chains first: rules jump to them.
    ops.extend(chains.iter().map(|chain| Op::AddChain(table, Chain { rules: Vec::new(), ..chain.clone() })));
    for Chain { name, rules, .. } in chains {
        ops.extend(rules.into_iter().map(|rule| Op::AddRule(table, name, rule)));
    }
    ops
}

/// `route_localnet` on our bridges and rewriting in prerouting would both let others reach 127.0.0.0/8.
fn raw_prerouting() -> Vec<Rule> {
    // Every packet passes here: the address first, which almost none has.
    let from_outside = |end| Rule::new().loopback4(end).iifname_not("lo").counter().verdict(Verdict::Drop);
    vec![from_outside(End::Destination).comment("127.0.0.0/8 is this host's own"), from_outside(End::Source)]
}

fn to_published() -> Rule {
    Rule::new().for_this_host().verdict(Verdict::Jump(PUBLISHED.to_owned()))
}

fn published() -> Vec<Rule> {
    let dnat = |family, key, set: SetId| Rule::new().dnat_by(family, key, set.name());
    vec![
        dnat(Family::V4, DnatKey::Address, SetId::DnatAddress4),
        dnat(Family::V4, DnatKey::Any, SetId::DnatAny4),
        // Packets from ::1 and from link-local addresses can't be routed into a network.
        Rule::new().for_loopback6().verdict(Verdict::Return),
        Rule::new().of_link_local6().verdict(Verdict::Return),
        dnat(Family::V6, DnatKey::Address, SetId::DnatAddress6),
        dnat(Family::V6, DnatKey::Any, SetId::DnatAny6),
    ]
}

/// Policy accept: packets that concern none of our bridges are not ours to judge, and neither are those that leave a
/// network for outside.
fn filter_forward(mark: Option<FwMark>) -> Vec<Rule> {
    let into = |family, set: SetId| Rule::new().target_in(family, set.name()).verdict(Verdict::Accept);
    let published =
        |family, set: SetId| Rule::new().rewritten().target_in(family, set.name()).verdict(Verdict::Accept);
    let trusted = |family, set: SetId| {
        let from = Rule::new().links_in(SetId::Trusted.name());
        from.target_in(family, set.name()).verdict(Verdict::Accept)
    };
    let marked = |mark| {
        let into = Rule::new().oifname(Member::Yes, SetId::Bridges.name());
        into.marked(mark).verdict(Verdict::Accept).comment("bridge-accept-fwmark")
    };
    let mut rules = vec![
        Rule::new().verdict(Verdict::Jump(USER.to_owned())),
        Rule::new().established_or_related().verdict(Verdict::Accept),
        Rule::new().links_verdict(SetId::Pairs.name()),
        Rule::new().iifname_in(SetId::Internal.name()).counter().verdict(Verdict::Drop),
        Rule::new().oifname(Member::Yes, SetId::Internal.name()).counter().verdict(Verdict::Drop),
    ];
    rules.extend(mark.map(marked));
    rules.extend([
        published(Family::V4, SetId::Published4),
        published(Family::V6, SetId::Published6),
        // What is let in by a container's own address is let in from outside.
        Rule::new().links_in(SetId::Hairpin.name()).verdict(Verdict::Goto(WITHIN.to_owned())),
        trusted(Family::V4, SetId::Published4),
        trusted(Family::V6, SetId::Published6),
        into(Family::V4, SetId::Direct4),
        into(Family::V6, SetId::Direct6),
        Rule::new().protocol_in(SetId::DirectProtocols.name()).verdict(Verdict::Accept),
        Rule::new().family_in(SetId::Unprotected.name()).verdict(Verdict::Accept),
        Rule::new()
            .oifname(Member::Yes, SetId::Bridges.name())
            .counter()
            .verdict(Verdict::Drop)
            .comment("unpublished ports, other networks"),
    ]);
    rules
}

/// What is for the host itself: policy accept, but for what is another network's business, or nobody's. Published ports
/// don't come here, for their packets are forwarded; but those do that the host answers for a container of the other family.
fn filter_input() -> Vec<Rule> {
    let elsewhere = |family, gateways: SetId, near: SetId| {
        let to = Rule::new().destination_in(family, gateways.name()).iifname_in(SetId::Bridges.name());
        to.not_near(family, near.name()).verdict(Verdict::Jump(ELSEWHERE.to_owned()))
    };
    vec![
        Rule::new().established_or_related().verdict(Verdict::Accept),
        elsewhere(Family::V4, SetId::Gateways4, SetId::Near4),
        elsewhere(Family::V6, SetId::Gateways6, SetId::Near6),
        Rule::new()
            .port_of_link_in(SetId::Private.name())
            .counter()
            .verdict(Verdict::Drop)
            .comment("the daemon's own"),
    ]
}

/// To the gateway of another network. What has no port, or is too short for one, is in no set, and dropped with the rest.
fn elsewhere() -> Vec<Rule> {
    let dropped = |rule: Rule| rule.counter().verdict(Verdict::Drop).comment("gateways of other networks");
    let answered = |rule: Rule| rule.verdict(Verdict::Return);
    vec![
        dropped(Rule::new().iifname_in(SetId::Internal.name())),
        answered(Rule::new().port_of_family_in(SetId::AnsweredAny.name())),
        answered(Rule::new().port_of_address_in(Family::V4, SetId::Answered4.name())),
        answered(Rule::new().port_of_address_in(Family::V6, SetId::Answered6.name())),
        dropped(Rule::new()),
    ]
}

/// From a bridge back into it, where neighbours are kept apart.
fn within() -> Vec<Rule> {
    let linked = |family, set: SetId| Rule::new().flow_in(family, set.name()).verdict(Verdict::Accept);
    vec![
        linked(Family::V4, SetId::Links4),
        linked(Family::V6, SetId::Links6),
        Rule::new().counter().verdict(Verdict::Drop).comment("no traffic between containers"),
    ]
}

fn nat_postrouting() -> Vec<Rule> {
    let outbound = |family, set: SetId| {
        let from = Rule::new().oifname(Member::No, SetId::Bridges.name()).source_in(family, set.name());
        from.verdict(Verdict::Goto(SOURCE.to_owned()))
    };
    let beside = |family, set: SetId| Rule::new().near(family, set.name()).rewritten().masquerade();
    vec![
        // Through the host back into the same network: the answer must come back this way as well.
        Rule::new().links_in(SetId::Hairpin.name()).rewritten().masquerade(),
        // And so it must where the container would answer by its own way into the network of who asks.
        beside(Family::V4, SetId::Beside4),
        beside(Family::V6, SetId::Beside6),
        // The host's own packets, whose source may be 127.0.0.1, and what br_netfilter shows of a bridged hairpin.
        Rule::new().no_iif().oifname(Member::Yes, SetId::Bridges.name()).rewritten().masquerade(),
        outbound(Family::V4, SetId::Masquerade4),
        outbound(Family::V6, SetId::Masquerade6),
    ]
}

fn source() -> Vec<Rule> {
    vec![
        Rule::new().snat_by_link(Family::V4, SetId::Source4.name()),
        Rule::new().snat_by_link(Family::V6, SetId::Source6.name()),
        Rule::new().masquerade(),
    ]
}
