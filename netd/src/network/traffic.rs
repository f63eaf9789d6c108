//! What labels and options say about the frames of a container, beyond where they may go: `io.pontoon.*` as labels of a
//! container, options of a network or driver options of an endpoint. What is nearer to the endpoint goes before. Pure.

use std::collections::BTreeMap;

use libnet::types::Spoof;
use serde::{Deserialize, Serialize};

use super::{Driver, NetworkError};

/// `deny` or `allow`: whether a container may send from addresses that it was not given.
const SPOOF: &str = "io.pontoon.spoof";

/// What is said; `None` where nothing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    pub(crate) spoof: Option<Spoof>,
}

impl Traffic {
    /// Reads labels or options; `get` finds one of them.
    pub(crate) fn read<'t>(get: impl Fn(&str) -> Option<&'t String>) -> Result<Self, String> {
        let spoof = get(SPOOF).filter(|value| !value.is_empty()).map(|value| spoof(value)).transpose()?;
        Ok(Self { spoof })
    }

    /// This, and where it says nothing what `other` says.
    pub(super) fn or(self, other: Self) -> Self {
        Self { spoof: self.spoof.or(other.spoof) }
    }

    /// What the options of a network say, which were read before.
    pub(super) fn of_network(options: &BTreeMap<String, String>) -> Self {
        Self::read(|key| options.get(key)).unwrap_or_default()
    }

    /// Whether it makes sense in a network of this driver.
    pub(super) fn check(self, driver: Driver) -> Result<Self, NetworkError> {
        match self.first() {
            Some(key) if driver != Driver::Bridge => Err(NetworkError::Invalid(format!(
                "{key} is for networks of driver bridge: the host has no hand in what passes through {driver}"
            ))),
            _ => Ok(self),
        }
    }

    /// The key of something that is said.
    pub(crate) fn first(self) -> Option<&'static str> {
        self.spoof.map(|_| SPOOF)
    }
}

fn spoof(value: &str) -> Result<Spoof, String> {
    match value {
        "deny" => Ok(Spoof::Deny),
        "allow" => Ok(Spoof::Allow),
        other => Err(format!("invalid value \"{other}\" of {SPOOF}: it should be deny or allow")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Traffic, String> {
        let all: BTreeMap<String, String> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Traffic::read(|key| all.get(key))
    }

    #[test]
    fn what_is_nearer_goes_before() {
        let allow = read(&[(SPOOF, "allow")]).unwrap();
        let deny = read(&[(SPOOF, "deny")]).unwrap();
        assert_eq!(allow.or(deny).spoof, Some(Spoof::Allow));
        assert_eq!(Traffic::default().or(deny).spoof, Some(Spoof::Deny));
        assert_eq!(read(&[]), Ok(Traffic::default()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let text = read(&[(SPOOF, "maybe")]).unwrap_err();
        assert_eq!(text, "invalid value \"maybe\" of io.pontoon.spoof: it should be deny or allow");
        let text = read(&[(SPOOF, "allow")]).unwrap().check(Driver::Macvlan).unwrap_err().to_string();
        assert!(text.starts_with("io.pontoon.spoof is for networks of driver bridge"), "{text}");
        assert!(Traffic::default().check(Driver::Macvlan).is_ok());
    }
}
