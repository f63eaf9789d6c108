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
    const fn name(self) -> &'static str {
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
        let hook = match self.hook {
            Hook::Prerouting => "prerouting",
            Hook::Input => "input",
            Hook::Forward => "forward",
            Hook::Output => "output",
            Hook::Postrouting => "postrouting",
        };
        // The names that nft has for a priority depend on the hook and on the family.
        let priority = match (self.priority, self.hook) {
            (-300, _) if family == TableFamily::Bridge => "dstnat".to_owned(),
            (-300, _) => "raw".to_owned(),
            (-100, Hook::Prerouting) => "dstnat".to_owned(),
            (0, _) => "filter".to_owned(),
            (100, Hook::Postrouting) => "srcnat".to_owned(),
            (number, _) => number.to_string(),
        };
        format!("type {} hook {hook} priority {priority}; policy accept;", self.kind)
    }
}

/// A chain with all its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) name: &'static str,
    pub(crate) anchor: Option<Anchor>,
    pub(crate) rules: Vec<Rule>,
}
