//! The options of a network on a link of the host (`-d macvlan` and `-d ipvlan`): from text to values, and what two
//! networks may share.

use std::collections::BTreeMap;

use libnet::{
    host::{Child, IpvlanFlag, IpvlanMode, MacvlanMode, Parent},
    types::{IfName, Mtu, NetworkId},
};

use super::{
    Driver, NetworkError,
    inner::Inner,
    options::{self, AnnounceOptions},
    record::{NetworkRecord, ParentRecord},
};

/// The link; without it, the network leads nowhere.
const PARENT: &str = "parent";
const MACVLAN_MODE: &str = "macvlan_mode";
const IPVLAN_MODE: &str = "ipvlan_mode";
const IPVLAN_FLAG: &str = "ipvlan_flag";

/// What the options of a macvlan or ipvlan network say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParentOptions {
    pub(super) link: Option<IfName>,
    pub(super) kind: Child,
    pub(super) mtu: Option<Mtu>,
    pub(super) ifname_prefix: String,
    pub(super) announce: AnnounceOptions,
}

impl ParentOptions {
    /// `kind` is what interfaces are unless the options say otherwise.
    pub(super) fn read(options: &BTreeMap<String, String>, kind: Child) -> Result<Self, NetworkError> {
        let announce = AnnounceOptions::default();
        let mut read = Self { link: None, kind, mtu: None, ifname_prefix: "eth".to_owned(), announce };
        for (key, value) in options {
            read.set(key, value)?;
        }
        Ok(read)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), NetworkError> {
        match (key, &mut self.kind) {
            (PARENT, kind) => self.link = parent(value, *kind)?,
            (MACVLAN_MODE, Child::Macvlan(mode)) => *mode = macvlan_mode(value)?,
            (IPVLAN_MODE, Child::Ipvlan(mode, _)) => *mode = ipvlan_mode(value)?,
            (IPVLAN_FLAG, Child::Ipvlan(_, flag)) => *flag = ipvlan_flag(value)?,
            (options::MTU, _) => self.mtu = options::mtu(value)?,
            (options::PREFIX, _) => self.ifname_prefix = options::ifname_prefix(value)?,
            (options::ENABLE_V4 | options::ENABLE_V6, _) => {}
            (options::ADVERTISE_TIMES, _) => self.announce.times = Some(options::advertise_times(value)?),
            (options::ADVERTISE_EVERY, _) => self.announce.every = Some(options::advertise_every(value)?),
            (_, kind) => unknown(key, *kind)?,
        }
        Ok(())
    }

    /// What is written down of a network with these options.
    pub(super) fn record(self, id: NetworkId) -> Result<ParentRecord, NetworkError> {
        let parent = match self.link {
            Some(link) => Parent::Link(link),
            None => Parent::Island(island(self.kind, id)?),
        };
        let Self { kind, mtu, ifname_prefix, announce, .. } = self;
        Ok(ParentRecord { parent, kind, mtu, ifname_prefix, announce: announce.value() })
    }
}

/// Docker's names for the parent of a network that was given none.
fn island(kind: Child, id: NetworkId) -> Result<IfName, NetworkError> {
    let prefix = if let Child::Macvlan(_) = kind { "dm" } else { "di" };
    format!("{prefix}-{}", id.short(12)).parse().map_err(|error| NetworkError::Invalid(format!("{error}")))
}

/// The driver of such interfaces.
pub(super) const fn driver(kind: Child) -> Driver {
    match kind {
        Child::Macvlan(_) => Driver::Macvlan,
        Child::Ipvlan(..) => Driver::Ipvlan,
    }
}

impl Inner {
    /// The drivers that networks can have here. One that the kernel can't be asked about is not among them.
    pub(super) fn drivers(&self) -> Vec<Driver> {
        let ipvlan = Child::Ipvlan(IpvlanMode::default(), IpvlanFlag::default());
        let has = |kind: &Child| self.kernel.supports(*kind).unwrap_or(false);
        let parents = [ipvlan, Child::Macvlan(MacvlanMode::default())].into_iter().filter(has).map(driver);
        [Driver::Bridge, Driver::Host].into_iter().chain(parents).chain([Driver::Null]).collect()
    }
}

/// Whether a new network may be on a link that `other` is on.
pub(super) fn check_shared(new: &ParentRecord, other: &NetworkRecord) -> Result<(), NetworkError> {
    let Some(old) = other.parent.as_ref().filter(|old| old.parent.link() == new.parent.link()) else {
        return Ok(());
    };
    let (name, link) = (&other.name, new.parent.link());
    const PASSTHRU: Child = Child::Macvlan(MacvlanMode::Passthru);
    let text = match (new.kind, old.kind) {
        (PASSTHRU, Child::Macvlan(_)) => format!(
            "cannot use mode passthru, macvlan network {name} is already using parent interface {link}"
        ),
        (Child::Macvlan(_), PASSTHRU) => {
            format!("macvlan network {name} is already using parent interface {link} in mode passthru")
        }
        (Child::Macvlan(_), Child::Macvlan(_)) => return Ok(()),
        _ => format!("network {name} is already using parent interface {link}"),
    };
    Err(NetworkError::ParentTaken(text))
}

fn parent(value: &str, kind: Child) -> Result<Option<IfName>, NetworkError> {
    match value {
        "" => Ok(None),
        "lo" => Err(NetworkError::Invalid(format!(
            "loopback interface is not a valid {} parent link",
            driver(kind)
        ))),
        name => name.parse().map(Some).map_err(|error| options::invalid(PARENT, value, error)),
    }
}

fn macvlan_mode(value: &str) -> Result<MacvlanMode, NetworkError> {
    match value {
        "" | "bridge" => Ok(MacvlanMode::Bridge),
        "vepa" => Ok(MacvlanMode::Vepa),
        "passthru" => Ok(MacvlanMode::Passthru),
        "private" => Ok(MacvlanMode::Private),
        _ => Err(NetworkError::Invalid(format!(
            "requested macvlan mode '{value}' is not valid, 'bridge' mode is the macvlan driver default"
        ))),
    }
}

fn ipvlan_mode(value: &str) -> Result<IpvlanMode, NetworkError> {
    match value {
        "" | "l2" => Ok(IpvlanMode::L2),
        "l3" => Ok(IpvlanMode::L3),
        "l3s" => Ok(IpvlanMode::L3s),
        _ => Err(NetworkError::Invalid(format!(
            "requested ipvlan mode '{value}' is not valid, 'l2' mode is the ipvlan driver default"
        ))),
    }
}

fn ipvlan_flag(value: &str) -> Result<IpvlanFlag, NetworkError> {
    match value {
        "" | "bridge" => Ok(IpvlanFlag::Bridge),
        "private" => Ok(IpvlanFlag::Private),
        "vepa" => Ok(IpvlanFlag::Vepa),
        _ => Err(NetworkError::Invalid(format!(
            "requested ipvlan flag '{value}' is not valid, 'bridge' is the ipvlan driver default"
        ))),
    }
}

/// Nobody would read it; keys of other tools pass as labels do.
fn unknown(key: &str, kind: Child) -> Result<(), NetworkError> {
    if key.contains('.') && !key.starts_with("com.docker.network.") {
        return Ok(());
    }
    let known = match kind {
        Child::Macvlan(_) => "parent, macvlan_mode",
        Child::Ipvlan(..) => "parent, ipvlan_mode, ipvlan_flag",
    };
    Err(NetworkError::Invalid(format!(
        "unknown option \"{key}\" for an {} network: see {known} and com.docker.network.driver.mtu",
        driver(kind)
    )))
}

#[cfg(test)]
mod tests {
    use libnet::types::{Announce, Times};

    use super::*;

    const MACVLAN: Child = Child::Macvlan(MacvlanMode::Bridge);
    const IPVLAN: Child = Child::Ipvlan(IpvlanMode::L2, IpvlanFlag::Bridge);

    fn read(kind: Child, options: &[(&str, &str)]) -> Result<ParentOptions, String> {
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ParentOptions::read(&options, kind).map_err(|error| error.to_string())
    }

    #[test]
    fn options_become_values() {
        let read_one = |kind, key, value| read(kind, &[(key, value)]).unwrap();
        assert_eq!(read_one(MACVLAN, PARENT, "eth0.10").link.unwrap().as_str(), "eth0.10");
        assert_eq!(read_one(MACVLAN, PARENT, "").link, None);
        assert_eq!(read_one(MACVLAN, options::MTU, "1400").mtu, 1400_u32.try_into().ok());
        assert_eq!(read_one(MACVLAN, "org.example.owner", "me"), read(MACVLAN, &[]).unwrap());
        for (word, mode) in [
            ("", MacvlanMode::Bridge),
            ("bridge", MacvlanMode::Bridge),
            ("vepa", MacvlanMode::Vepa),
            ("passthru", MacvlanMode::Passthru),
            ("private", MacvlanMode::Private),
        ] {
            assert_eq!(read_one(MACVLAN, MACVLAN_MODE, word).kind, Child::Macvlan(mode));
        }
        let every = options::advertise_every("100").unwrap();
        let announce = read_one(MACVLAN, options::ADVERTISE_EVERY, "100").announce.value();
        assert_eq!(announce, Announce::Always { times: Times::DEFAULT, every });
        for (word, mode) in [("l2", IpvlanMode::L2), ("l3", IpvlanMode::L3), ("l3s", IpvlanMode::L3s)] {
            let kind = Child::Ipvlan(mode, IpvlanFlag::Private);
            assert_eq!(read(IPVLAN, &[(IPVLAN_MODE, word), (IPVLAN_FLAG, "private")]).unwrap().kind, kind);
        }
    }

    #[test]
    fn what_can_t_be_is_refused_in_docker_s_words() {
        for (kind, key, value, text) in [
            (MACVLAN, PARENT, "lo", "loopback interface is not a valid macvlan parent link"),
            (IPVLAN, PARENT, "lo", "loopback interface is not a valid ipvlan parent link"),
            (
                MACVLAN,
                MACVLAN_MODE,
                "x",
                "requested macvlan mode 'x' is not valid, 'bridge' mode is the macvlan driver default",
            ),
            (
                IPVLAN,
                IPVLAN_MODE,
                "l4",
                "requested ipvlan mode 'l4' is not valid, 'l2' mode is the ipvlan driver default",
            ),
            (
                IPVLAN,
                IPVLAN_FLAG,
                "x",
                "requested ipvlan flag 'x' is not valid, 'bridge' is the ipvlan driver default",
            ),
            (
                MACVLAN,
                options::ADVERTISE_TIMES,
                "4",
                "com.docker.network.advertise_addr_nmsgs must be in the range 0 to 3",
            ),
            (
                IPVLAN,
                options::ADVERTISE_EVERY,
                "soon",
                "value for option com.docker.network.advertise_addr_ms \"soon\" must be integer milliseconds",
            ),
        ] {
            assert_eq!(read(kind, &[(key, value)]).unwrap_err(), text);
        }
        for (kind, key) in [(MACVLAN, IPVLAN_MODE), (IPVLAN, MACVLAN_MODE), (MACVLAN, "parrent")] {
            assert!(read(kind, &[(key, "l2")]).unwrap_err().contains("unknown option"), "{key}");
        }
        assert!(read(MACVLAN, &[(PARENT, "sixteen-bytes-xx")]).is_err());
    }

    #[test]
    fn a_parent_is_named_after_the_network_that_was_given_none() {
        let id = NetworkId::from_bytes([0xab; 32]);
        for (kind, link) in [(MACVLAN, "dm-abababababab"), (IPVLAN, "di-abababababab")] {
            let record = read(kind, &[]).unwrap().record(id).unwrap();
            assert_eq!(record.parent, Parent::Island(link.parse().unwrap()));
        }
    }
}
