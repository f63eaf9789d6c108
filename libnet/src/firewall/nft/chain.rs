//! Tables and chains.

use super::rule::Rule;

/// `NFPROTO_INET`, `NFPROTO_IPV4`, `NFPROTO_BRIDGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum TableFamily {
    Inet = 1,
    Ip = 2,
    Bridge = 7,
}

impl TableFamily {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Ip => "ip",
            Self::Bridge => "bridge",
        }
    }
}

/// A table of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) family: TableFamily,
    pub(crate) name: &'static str,
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.family.name(), self.name)
    }
}

/// `NF_INET_*`: where in a packet's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Hook {
    Prerouting = 0,
    Input = 1,
    Forward = 2,
    Output = 3,
    Postrouting = 4,
}

/// What makes a chain a base chain. Policy is always accept: what we don't forbid is for others to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Anchor {
    /// `filter` or `nat`.
    pub(crate) kind: &'static str,
    pub(crate) hook: Hook,
    pub(crate) priority: i32,
}

impl Anchor {
    /// As `nft` prints it in a table of this family.
    pub(crate) fn text(&self, family: TableFamily) -> String {
        anchor_text(self.kind, family as u8, self.hook as u32, self.priority) + " policy accept;"
    }
}

/// Type, hook and priority of a base chain as `nft` prints them, its policy left out.
pub(crate) fn anchor_text(kind: &str, family: u8, hook: u32, priority: i32) -> String {
    let hook_name = HOOKS.get(hook as usize).copied().unwrap_or("unknown");
    format!("type {kind} hook {hook_name} priority {};", priority_text(family, hook_name, priority))
}

/// By number: `NF_INET_*`; bridges have the same.
const HOOKS: [&str; 5] = ["prerouting", "input", "forward", "output", "postrouting"];

/// The names that nft has for priorities (`std_prios` of its src/rule.c), each with the one hook where it is used; no hook:
/// all.
const PRIORITIES: [(&str, i32, &str); 6] = [
    ("raw", -300, ""),
    ("mangle", -150, ""),
    ("dstnat", -100, "prerouting"),
    ("filter", 0, ""),
    ("security", 50, ""),
    ("srcnat", 100, "postrouting"),
];
const BRIDGE_PRIORITIES: [(&str, i32, &str); 4] = [
    ("dstnat", -300, "prerouting"),
    ("filter", -200, ""),
    ("out", 100, "output"),
    ("srcnat", 300, "postrouting"),
];
/// How far from a named priority nft still prints the name.
const REACH: u32 = 10;

fn priority_text(family: u8, hook: &str, priority: i32) -> String {
    let named = match family == TableFamily::Bridge as u8 {
        true => &BRIDGE_PRIORITIES[..],
        false => &PRIORITIES[..],
    };
    let near = named
        .iter()
        .find(|(_, value, only)| value.abs_diff(priority) <= REACH && (only.is_empty() || *only == hook));
    match near.map(|(name, value, _)| (name, i64::from(priority) - i64::from(*value))) {
        Some((name, 0)) => (*name).to_owned(),
        Some((name, more @ 1..)) => format!("{name} + {more}"),
        Some((name, less)) => format!("{name} - {}", -less),
        None => priority.to_string(),
    }
}

/// A chain with all its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) name: &'static str,
    pub(crate) anchor: Option<Anchor>,
    pub(crate) rules: Vec<Rule>,
}
