//! Egress by name, as labels and options say it: which names of the world a container may reach. Pure.
//!
//! `io.pontoon.egress=deny` and `io.pontoon.egress.allow=github.com:443,*.pypi.org` on a container, or as options of a
//! network.

use std::{fmt, net::IpAddr};

use dns::hickory_proto::rr::Name;
use libnet::types::{Egress, Port, Proto};
use serde::{Deserialize, Serialize};

/// `deny`, `learn` or `open`.
pub(crate) const EGRESS: &str = "io.pontoon.egress";
/// What may be reached all the same.
pub(crate) const ALLOW: &str = "io.pontoon.egress.allow";

/// What a container may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressPolicy {
    pub(crate) mode: Egress,
    pub(crate) allow: Vec<Allowed>,
}

/// One thing that may be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allowed {
    pub(crate) to: Target,
    /// At these ports alone; all of them, if none is said.
    pub(crate) at: Vec<(Proto, Port)>,
}

/// What an entry names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Target {
    /// This name, in lower case.
    Name(String),
    /// Every name that ends with this, which begins with a dot.
    Below(String),
    /// An address, whatever its name.
    Ip(IpAddr),
}

impl EgressPolicy {
    /// Reads what labels or options say; `get` finds one of them.
    pub(crate) fn read<'t>(get: impl Fn(&str) -> Option<&'t String>) -> Result<Option<Self>, String> {
        let (mode, allow) = (get(EGRESS), get(ALLOW));
        let mode = match mode.map(String::as_str) {
            None | Some("" | "open") if allow.is_none_or(String::is_empty) => return Ok(None),
            None | Some("" | "open") => return Err(format!("{ALLOW} says nothing without {EGRESS}=deny")),
            Some("deny") => Egress::Deny,
            Some("learn") => Egress::Learn,
            Some(other) => {
                return Err(format!(
                    "invalid value \"{other}\" of {EGRESS}: it should be deny, learn or open"
                ));
            }
        };
        let entries = allow.map(String::as_str).unwrap_or_default().split([',', ' ', '\n']);
        let entries = entries.map(str::trim).filter(|entry| !entry.is_empty());
        let allow = entries.map(Allowed::read).collect::<Result<_, _>>()?;
        Ok(Some(Self { mode, allow }))
    }

    /// What may be reached under this name.
    pub(crate) fn matching(&self, name: &Name) -> impl Iterator<Item = &Allowed> {
        let name = plain(name);
        self.allow.iter().filter(move |allowed| allowed.to.covers(&name))
    }
}

/// A name as policies and reports have it: lower case, no dot at its end.
pub(crate) fn plain(name: &Name) -> String {
    name.to_lowercase().to_string().trim_end_matches('.').to_owned()
}

impl Target {
    fn covers(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Below(suffix) => name.len() > suffix.len() && name.ends_with(suffix.as_str()),
            Self::Ip(_) => false,
        }
    }
}

impl Allowed {
    /// Reads `NAME[:PORT[/PROTO]]`; a port without a protocol is one of TCP and of UDP, which HTTP/3 uses.
    fn read(entry: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("invalid entry \"{entry}\" of {ALLOW}: {why}");
        if let Ok(ip) = entry.parse() {
            return Ok(Self { to: Target::Ip(ip), at: Vec::new() });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (entry, None),
        };
        let at = port.map_or(Some(Vec::new()), ports).ok_or_else(|| wrong("it has no such port"))?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if let Ok(ip) = bare.unwrap_or(host).parse() {
            return Ok(Self { to: Target::Ip(ip), at });
        }
        let lower = host.trim_end_matches('.').to_ascii_lowercase();
        let (name, below) = match lower.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (lower.as_str(), false),
        };
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if !name.split('.').all(label) {
            return Err(wrong(
                "it should be of the form NAME[:PORT[/tcp|/udp]], where *.NAME is every name below",
            ));
        }
        let to = if below { Target::Below(format!(".{name}")) } else { Target::Name(name.to_owned()) };
        Ok(Self { to, at })
    }
}

fn ports(text: &str) -> Option<Vec<(Proto, Port)>> {
    let (number, proto) = match text.split_once('/') {
        Some((number, proto)) => (number, Some(proto.parse::<Proto>().ok()?)),
        None => (text, None),
    };
    let port: Port = number.parse().ok()?;
    Some(match proto {
        Some(proto) => vec![(proto, port)],
        None => vec![(Proto::Tcp, port), (Proto::Udp, port)],
    })
}

impl fmt::Display for Allowed {
    /// As it may be written in a label.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            Target::Name(name) => f.write_str(name)?,
            Target::Below(suffix) => write!(f, "*{suffix}")?,
            Target::Ip(IpAddr::V6(v6)) if !self.at.is_empty() => write!(f, "[{v6}]")?,
            Target::Ip(ip) => ip.fmt(f)?,
        }
        match self.at[..] {
            [] => Ok(()),
            [(proto, port)] => write!(f, ":{port}/{proto}"),
            [(_, port), ..] => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(mode: Option<&str>, allow: Option<&str>) -> Result<Option<EgressPolicy>, String> {
        let pairs = [(EGRESS, mode), (ALLOW, allow)];
        let all: BTreeMap<String, String> =
            pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))).collect();
        EgressPolicy::read(|key| all.get(key))
    }

    #[test]
    fn a_list_reads_as_it_is_written() {
        let text = "github.com:443, *.PyPI.org,192.0.2.7:53/udp,[2001:db8::1]:22/tcp,2001:db8::2,a.b.:80";
        let policy = read(Some("deny"), Some(text)).unwrap().unwrap();
        let shown: Vec<_> = policy.allow.iter().map(ToString::to_string).collect();
        let expected = [
            "github.com:443",
            "*.pypi.org",
            "192.0.2.7:53/udp",
            "[2001:db8::1]:22/tcp",
            "2001:db8::2",
            "a.b:80",
        ];
        assert_eq!(shown, expected);
        assert_eq!(read(Some("deny"), Some(&shown.join(","))).unwrap().unwrap(), policy);
    }

    #[test]
    fn names_are_covered_whole_or_below() {
        let policy = read(Some("deny"), Some("github.com:443,*.pypi.org")).unwrap().unwrap();
        let covered = |name: &str| policy.matching(&Name::from_ascii(name).unwrap()).count();
        for (name, count) in [
            ("GitHub.com.", 1),
            ("x.github.com.", 0),
            ("github.com.evil.org.", 0),
            ("files.pypi.org.", 1),
            ("a.b.pypi.org.", 1),
            ("pypi.org.", 0),
            ("notpypi.org.", 0),
        ] {
            assert_eq!(covered(name), count, "{name}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(read(None, None), Ok(None));
        assert_eq!(read(Some("open"), None), Ok(None));
        for (mode, allow, why) in [
            (Some("maybe"), None, "it should be deny, learn or open"),
            (None, Some("github.com"), "says nothing without io.pontoon.egress=deny"),
            (Some("deny"), Some("github.com:0"), "it has no such port"),
            (Some("deny"), Some("github.com:443/icmp"), "it has no such port"),
            (Some("deny"), Some("git hub.com:443,a..b"), "\"a..b\""),
            (Some("deny"), Some("*.*.org"), "\"*.*.org\""),
            (Some("deny"), Some("10.0.0.0/8"), "\"10.0.0.0/8\""),
        ] {
            let text = read(mode, allow).unwrap_err();
            assert!(text.contains(why), "{text}");
        }
    }
}
