//! All of the firewall as the kernel has it, to be looked at: our tables with what they counted, and our rules in the
//! chains of others. Each part prints as `nft list ruleset` prints it, and says what it is for.
//!
//! Nothing here is compared with what is wanted; that is [`super::apply`]'s.

mod about;
mod read;
mod terms;
mod text;
mod words;

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    ops::Bound,
};

pub use crate::firewall::nft::dump::Counted;
use crate::{
    firewall::{
        nft::set::{Tuple, Value},
        ruleset::{TABLE, lookup},
    },
    ports::PublishedPort,
    types::IfName,
};
pub(super) use read::{of_legacy, read};

/// Everything of ours in the firewall of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In the order in which a packet meets them; those of others last.
    pub tables: Vec<ListedTable>,
    /// What is ours where nf_tables does not reach.
    pub elsewhere: Vec<ListedElsewhere>,
}

/// A table, or what is ours of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTable {
    /// `inet`, `ip`, `ip6`, `bridge`.
    pub family: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: TableOwner,
    /// What is written on it.
    pub comment: String,
    /// What it is for.
    pub about: String,
    /// By the chain that looks into them first.
    pub sets: Vec<ListedSet>,
    /// In the order in which a packet meets them.
    pub chains: Vec<ListedChain>,
}

/// Whose a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableOwner {
    /// Ours, and all of it is shown.
    Pontoon,
    /// Somebody else's: what is shown is ours in it.
    Other,
}

/// A set or map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSet {
    /// Its name.
    pub name: String,
    /// Whether it says something of its elements.
    pub is_map: bool,
    /// What it is for; nothing of one that is not ours.
    pub about: &'static str,
    /// How it is declared: lines without indentation.
    pub declared: Vec<String>,
    /// In the order of their keys.
    pub elements: Vec<ListedElement>,
}

/// An element of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedElement {
    /// Its key, as `nft` prints it.
    pub key: String,
    /// What a map says of it.
    pub data: Option<String>,
    /// Whose it is: the beginning of the id of a network or endpoint.
    pub comment: String,
    /// The packets that found it: of published ports, the first one of each connection.
    pub counted: Option<Counted>,
    /// How long it was put there for, and how long it will still be there, in milliseconds.
    pub time: Option<(u64, u64)>,
    values: Vec<Value>,
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedChain {
    /// Its name.
    pub name: String,
    /// What it is for; nothing of one that is not ours.
    pub about: &'static str,
    /// Type, hook, priority and policy, as `nft` prints them, of a chain that packets come to by themselves.
    pub hook: Option<String>,
    /// In their order.
    pub rules: Vec<ListedRule>,
    /// The sets that its rules look into, in their order.
    looks_into: Vec<String>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRule {
    /// The kernel's number for it.
    pub handle: u64,
    /// As `nft` prints it; `None`: a user's own that does more than is known here.
    pub text: Option<String>,
    /// What its counters counted.
    pub counted: Vec<Counted>,
}

/// What is ours in another firewall that is no table of nf_tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedElsewhere {
    /// The program that lists and changes it.
    pub program: String,
    /// What it is for.
    pub about: String,
    /// What lets a bridge of ours through.
    pub rules: Vec<ListedPassage>,
}

/// What lets a bridge through another firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPassage {
    /// The bridge.
    pub link: String,
    /// The program's words that make it so.
    pub text: String,
    /// What it counted, where that is counted.
    pub counted: Option<Counted>,
}

/// What elements are to be shown: those of some networks and endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concern {
    /// Ids of networks and endpoints, or their first twelve digits.
    pub ids: BTreeSet<String>,
    /// Addresses of endpoints.
    pub addresses: BTreeSet<IpAddr>,
    /// Bridges, and ports of bridges.
    pub links: BTreeSet<IfName>,
}

impl Concern {
    fn is_about(&self, element: &ListedElement) -> bool {
        if !element.comment.is_empty() {
            // What begins with it comes next behind it.
            let next = self
                .ids
                .range::<str, _>((Bound::Included(element.comment.as_str()), Bound::Unbounded))
                .next();
            return next.is_some_and(|id| id.starts_with(&element.comment));
        }
        element.values.iter().any(|value| match value {
            Value::V4(ip) => self.addresses.contains(&IpAddr::V4(*ip)),
            Value::V6(ip) => self.addresses.contains(&IpAddr::V6(*ip)),
            Value::IfName(link) => self.links.contains(link),
            _ => false,
        })
    }
}

impl Listing {
    /// Leaves out all elements, and what is ours in firewalls of others, that are nobody's of these; then sets without any.
    pub fn only(&mut self, concern: &Concern) {
        for table in &mut self.tables {
            for set in &mut table.sets {
                set.elements.retain(|element| concern.is_about(element));
            }
            table.sets.retain(|set| !set.elements.is_empty());
            if table.owner == TableOwner::Other {
                let names = |rule: &ListedRule| {
                    let text = rule.text.as_deref().unwrap_or_default();
                    concern.links.iter().any(|link| text.contains(&format!("\"{link}\"")))
                };
                table.chains.iter_mut().for_each(|chain| chain.rules.retain(names));
            }
        }
        for other in &mut self.elsewhere {
            other.rules.retain(|rule| concern.links.iter().any(|link| link.as_str() == rule.link));
        }
        self.elsewhere.retain(|other| !other.rules.is_empty());
    }
}

/// What was counted of published ports, to be found by port.
#[derive(Debug, Default)]
pub struct Counts<'a>(HashMap<(&'a str, &'a [Value]), Counted>);

impl Listing {
    /// What was counted of each published port.
    pub fn counts(&self) -> Counts<'_> {
        let of_ours =
            |table: &&ListedTable| (table.family.as_str(), table.name.as_str()) == ("inet", TABLE.name);
        let sets = self.tables.iter().filter(of_ours).flat_map(|table| &table.sets);
        let mut counts = HashMap::new();
        for set in sets {
            let counted = set.elements.iter().filter_map(|element| Some((element, element.counted?)));
            counts.extend(
                counted.map(|(element, counted)| ((set.name.as_str(), element.values.as_slice()), counted)),
            );
        }
        Counts(counts)
    }
}

impl Counts<'_> {
    /// How many connections came to a port since it was published, and the bytes of their first packets; the way to the
    /// container is `link` and `target`. `None`: it is not there.
    pub fn of(&self, port: &PublishedPort, link: &IfName, target: IpAddr) -> Option<Counted> {
        let (set, key) = lookup(port, link, target);
        self.0.get(&(set.spec().name, key.0.as_slice())).copied()
    }
}

impl ListedElement {
    fn new(key: &Tuple, data: Option<String>) -> Self {
        Self {
            key: key.to_string(),
            data,
            comment: String::new(),
            counted: None,
            time: None,
            values: key.0.clone(),
        }
    }
}
