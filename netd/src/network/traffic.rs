//! What labels and options say about the frames of a container, beyond where they may go: `io.pontoon.*` as labels of a
//! container, options of a network or driver options of an endpoint. What is nearer to the endpoint goes before. Pure.

use std::collections::BTreeMap;

use libnet::types::{Rate, Rates, Spoof};
use serde::{Deserialize, Serialize};

use super::{Driver, NetworkError};

/// `deny` or `allow`: whether a container may send from addresses that it was not given.
const SPOOF: &str = "io.pontoon.spoof";
/// How fast packets may come to a container, and from it: `10mbit`.
const RATE_IN: &str = "io.pontoon.rate.in";
const RATE_OUT: &str = "io.pontoon.rate.out";

/// What is said; `None` where nothing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    pub(crate) spoof: Option<Spoof>,
    #[serde(default)]
    pub(crate) rates: Rates,
}

impl Traffic {
    /// Reads labels or options; `get` finds one of them.
    pub(crate) fn read<'t>(get: impl Fn(&str) -> Option<&'t String>) -> Result<Self, String> {
        let said = |key| get(key).map(String::as_str).filter(|value| !value.is_empty());
        let rate = |key| said(key).map(|value| rate(key, value)).transpose();
        Ok(Self {
            spoof: said(SPOOF).map(spoof).transpose()?,
            rates: Rates { into: rate(RATE_IN)?, out: rate(RATE_OUT)? },
        })
    }

    /// This, and where it says nothing what `other` says.
    pub(super) fn or(self, other: Self) -> Self {
        let (rates, others) = (self.rates, other.rates);
        Self {
            spoof: self.spoof.or(other.spoof),
            rates: Rates { into: rates.into.or(others.into), out: rates.out.or(others.out) },
        }
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
        let said = [
            (self.spoof.is_some(), SPOOF),
            (self.rates.into.is_some(), RATE_IN),
            (self.rates.out.is_some(), RATE_OUT),
        ];
        said.into_iter().find(|(is_said, _)| *is_said).map(|(_, key)| key)
    }
}

fn spoof(value: &str) -> Result<Spoof, String> {
    match value {
        "deny" => Ok(Spoof::Deny),
        "allow" => Ok(Spoof::Allow),
        other => Err(format!("invalid value \"{other}\" of {SPOOF}: it should be deny or allow")),
    }
}

fn rate(key: &str, value: &str) -> Result<Rate, String> {
    value.parse().map_err(|error| format!("invalid value of {key}: {error}"))
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
        let container = read(&[(RATE_IN, "10mbit")]).unwrap();
        let network = read(&[(RATE_IN, "1mbit"), (RATE_OUT, "2mbit")]).unwrap();
        let rates = container.or(network).rates;
        assert_eq!(rates.into.map(|rate| rate.to_string()).as_deref(), Some("10mbit"));
        assert_eq!(rates.out.map(|rate| rate.to_string()).as_deref(), Some("2mbit"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let text = read(&[(SPOOF, "maybe")]).unwrap_err();
        assert_eq!(text, "invalid value \"maybe\" of io.pontoon.spoof: it should be deny or allow");
        let text = read(&[(RATE_OUT, "10")]).unwrap_err();
        assert!(text.starts_with("invalid value of io.pontoon.rate.out: \"10\" is no rate"), "{text}");
        let text = read(&[(SPOOF, "allow")]).unwrap().check(Driver::Macvlan).unwrap_err().to_string();
        assert!(text.starts_with("io.pontoon.spoof is for networks of driver bridge"), "{text}");
        assert!(Traffic::default().check(Driver::Macvlan).is_ok());
    }
}
