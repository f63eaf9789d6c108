//! Looks at FORWARD of the old iptables, and changes nothing.

use super::{
    Family, IfName, LegacyError, NetNs, Xtables, entry::Entry, failed, is_used, plan, program, read,
};
use crate::firewall::{
    nft::{dump::Counted, matches::Side},
    ruleset::foreign::{self, MARK, Seen},
};

/// What FORWARD of one family is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::firewall) struct Look {
    pub(in crate::firewall) program: &'static str,
    /// Whether it drops what none of its rules accepts, and whether all that is needed of ours is in it.
    pub(in crate::firewall) drops: bool,
    pub(in crate::firewall) lets_through: bool,
    pub(in crate::firewall) ours: Vec<Marked>,
}

/// A rule of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::firewall) struct Marked {
    /// The bridge that it lets through.
    pub(in crate::firewall) link: String,
    /// As its program lists it.
    pub(in crate::firewall) text: String,
    pub(in crate::firewall) counted: Counted,
}

/// The families whose table somebody uses; `links` are the bridges that are to be let through.
pub(in crate::firewall) fn look(netns: &NetNs, links: &[IfName]) -> Result<Vec<Look>, LegacyError> {
    let wanted = foreign::admissions(links);
    let both = || {
        let used = [Family::V4, Family::V6].into_iter().filter(|family| is_used(*family));
        used.map(|family| {
            let kernel = Xtables::open(family).map_err(failed(family, "open a socket"))?;
            let table = read(&kernel, family)?;
            Ok(Look {
                program: program(family),
                drops: table.drops() || table.rules(&[]).contains(&Seen::Final),
                lets_through: plan(&table, &wanted).is_empty(),
                ours: table.ours().map(marked).collect(),
            })
        })
        .collect()
    };
    netns.run(both).map_err(failed(Family::V4, "enter the namespace"))?
}

fn marked(entry: &Entry) -> Marked {
    let ways = [("-i", entry.link(Side::In)), ("-o", entry.link(Side::Out))];
    let named: Vec<&(&str, String)> = ways.iter().filter(|(_, link)| !link.is_empty()).collect();
    let words: String = named.iter().map(|(way, link)| format!("{way} {link} ")).collect();
    Marked {
        link: named.first().map(|(_, link)| link.clone()).unwrap_or_default(),
        text: format!("-A FORWARD {words}-m comment --comment {MARK} -j ACCEPT"),
        counted: entry.counted(),
    }
}
