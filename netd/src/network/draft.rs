//! A network as a request wants it, checked: everything that can be refused without looking at the host or at other
//! networks is refused here, before anything is made.

use std::collections::{BTreeMap, HashMap};

use libnet::{
    host::{Child, IpvlanFlag, IpvlanMode, MacvlanMode},
    types::Internal,
};
use netd_api::models;

use super::{
    Driver, NetworkError,
    options::BridgeOptions,
    parent::ParentOptions,
    record::IpamDriver,
    subnet::{self, Families, SubnetAsks},
};

/// Names that no user may give: Docker's, with `default` standing for `bridge`.
pub(super) const PREDEFINED: [&str; 4] = ["bridge", "host", "none", "default"];

/// A checked request for a network.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) internal: Internal,
    pub(super) attachable: bool,
    pub(super) families: Families,
    pub(super) subnets: SubnetAsks,
    pub(super) driver: DriverOptions,
    pub(super) ipam: IpamDriver,
    pub(super) options: BTreeMap<String, String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) ipam_options: BTreeMap<String, String>,
    /// Whether it is the daemon's own.
    pub(super) default: bool,
}

/// What the options of a network say, by its driver.
#[derive(Clone, Debug)]
pub(super) enum DriverOptions {
    Bridge(BridgeOptions),
    Parent(ParentOptions),
}

impl DriverOptions {
    fn read(
        driver: Driver,
        options: &BTreeMap<String, String>,
        internal: Internal,
    ) -> Result<Self, NetworkError> {
        Ok(match driver {
            Driver::Macvlan => {
                Self::Parent(ParentOptions::read(options, Child::Macvlan(MacvlanMode::default()))?)
            }
            Driver::Ipvlan => {
                let kind = Child::Ipvlan(IpvlanMode::default(), IpvlanFlag::default());
                Self::Parent(ParentOptions::read(options, kind)?)
            }
            Driver::Bridge | Driver::Host | Driver::Null => {
                Self::Bridge(BridgeOptions::read(options, internal)?)
            }
        })
    }

    /// Whether they turn IPv4 and IPv6 on or off.
    const fn families(&self) -> (Option<bool>, Option<bool>) {
        match self {
            Self::Bridge(bridge) => (bridge.enable_v4, bridge.enable_v6),
            Self::Parent(parent) => (parent.enable_v4, parent.enable_v6),
        }
    }
}

impl Draft {
    /// Reads a request; `defaults` are the options that new networks of a driver get (`default-network-opts`).
    pub(super) fn read(
        ask: models::NetworkCreateRequest,
        defaults: &BTreeMap<String, BTreeMap<String, String>>,
    ) -> Result<Self, NetworkError> {
        check_name(&ask.name)?;
        let driver = read_driver(&ask)?;
        let ipam = ask.ipam.unwrap_or_default();
        let ipam_driver = read_ipam_driver(ipam.driver.as_deref())?;
        let internal = if ask.internal.unwrap_or_default() { Internal::Yes } else { Internal::No };
        let mut options = defaults.get(driver.as_str()).cloned().unwrap_or_default();
        options.extend(sorted(ask.options));
        let driver = DriverOptions::read(driver, &options, internal)?;
        let (v4, v6) = driver.families();
        let families = Families {
            v4: ask.enable_ipv4.or(v4).unwrap_or(true),
            v6: ask.enable_ipv6.or(v6).unwrap_or(false),
        };
        if !families.v4 && !families.v6 {
            return Err(NetworkError::Invalid("IPv4 or IPv6 must be enabled".to_owned()));
        }
        let config = ipam.config.unwrap_or_default();
        if ipam_driver == IpamDriver::Null {
            check_without_addresses(&driver, &config)?;
        }
        Ok(Self {
            name: ask.name,
            internal,
            attachable: ask.attachable.unwrap_or_default(),
            families,
            subnets: subnet::read(&config, families)?,
            driver,
            ipam: ipam_driver,
            options,
            labels: sorted(ask.labels),
            ipam_options: sorted(ipam.options),
            default: false,
        })
    }
}

fn check_name(name: &str) -> Result<(), NetworkError> {
    if PREDEFINED.contains(&name) {
        return Err(NetworkError::Predefined(name.to_owned()));
    }
    if name.trim().is_empty() {
        return Err(NetworkError::InvalidName("name is empty"));
    }
    // What goes into link aliases, DNS zones and paths of the API.
    if name.len() > 128 {
        return Err(NetworkError::InvalidName("name is longer than 128 bytes"));
    }
    if name.chars().any(|c| c.is_control() || c == '/') {
        return Err(NetworkError::InvalidName("name has control characters or slashes"));
    }
    Ok(())
}

fn read_driver(ask: &models::NetworkCreateRequest) -> Result<Driver, NetworkError> {
    let driver = ask.driver.as_deref().filter(|driver| !driver.is_empty()).unwrap_or("bridge");
    let swarm =
        ask.scope.as_deref() == Some("swarm") || ask.ingress.unwrap_or_default() || driver == "overlay";
    if swarm {
        return Err(NetworkError::NoSwarm);
    }
    let from = ask.config_from.as_ref().and_then(|from| from.network.as_deref()).unwrap_or_default();
    if ask.config_only.unwrap_or_default() || !from.is_empty() {
        return Err(NetworkError::NotImplemented("config-only networks are not supported".to_owned()));
    }
    match driver {
        "bridge" => Ok(Driver::Bridge),
        "macvlan" => Ok(Driver::Macvlan),
        "ipvlan" => Ok(Driver::Ipvlan),
        "host" => Err(NetworkError::SingleInstance(Driver::Host)),
        "null" => Err(NetworkError::SingleInstance(Driver::Null)),
        other => Err(NetworkError::UnknownDriver(other.to_owned())),
    }
}

fn read_ipam_driver(name: Option<&str>) -> Result<IpamDriver, NetworkError> {
    match name {
        None | Some("" | "default") => Ok(IpamDriver::Default),
        Some("null") => Ok(IpamDriver::Null),
        Some(other) => Err(NetworkError::UnknownDriver(other.to_owned())),
    }
}

/// Without addresses, a network can have no subnets, and what is told apart by addresses alone can't work.
fn check_without_addresses(
    driver: &DriverOptions,
    config: &[models::IpamConfig],
) -> Result<(), NetworkError> {
    if config.iter().any(|entry| *entry != models::IpamConfig::default()) {
        let text = "null IPAM driver does not handle specific address pool requests";
        return Err(NetworkError::Invalid(text.to_owned()));
    }
    match driver {
        DriverOptions::Parent(ParentOptions { kind: Child::Ipvlan(mode, _), .. })
            if *mode != IpvlanMode::L2 =>
        {
            Err(NetworkError::Invalid("ipv4 pool is empty".to_owned()))
        }
        _ => Ok(()),
    }
}

fn sorted(map: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    map.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn ask(name: &str) -> models::NetworkCreateRequest {
        models::NetworkCreateRequest { name: name.to_owned(), ..Default::default() }
    }

    fn refused(ask: models::NetworkCreateRequest) -> (Kind, String) {
        let error = Draft::read(ask, &BTreeMap::new()).unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn defaults_are_docker_s() {
        let draft = Draft::read(ask("web"), &BTreeMap::new()).unwrap();
        assert_eq!((draft.families.v4, draft.families.v6, draft.internal), (true, false, Internal::No));
        let DriverOptions::Bridge(bridge) = draft.driver else { panic!("{draft:?}") };
        assert_eq!(bridge, BridgeOptions::default());
    }

    #[test]
    fn default_options_give_way_to_the_request_s() {
        let option =
            |value: &str| BTreeMap::from([("com.docker.network.driver.mtu".to_owned(), value.to_owned())]);
        let defaults = BTreeMap::from([("bridge".to_owned(), option("1400"))]);
        let mtu = |ask| match Draft::read(ask, &defaults).unwrap().driver {
            DriverOptions::Bridge(bridge) => bridge.mtu.unwrap().bytes(),
            other => panic!("{other:?}"),
        };
        assert_eq!(mtu(ask("web")), 1400);
        let own = models::NetworkCreateRequest {
            options: Some(option("1300").into_iter().collect()),
            ..ask("web")
        };
        assert_eq!(mtu(own), 1300);
    }

    #[test]
    fn what_can_t_be_made_is_refused_in_docker_s_words() {
        let driver =
            |driver: &str| models::NetworkCreateRequest { driver: Some(driver.to_owned()), ..ask("web") };
        let table = [
            (ask("bridge"), Kind::Forbidden, "operation is not permitted on predefined bridge network "),
            (ask("default"), Kind::Forbidden, "operation is not permitted on predefined default network "),
            (ask(" "), Kind::InvalidParameter, "invalid name: name is empty"),
            (driver("foo"), Kind::NotFound, "plugin \"foo\" not found"),
            (driver("host"), Kind::Forbidden, "only one instance of \"host\" network is allowed"),
            (
                models::NetworkCreateRequest { enable_ipv4: Some(false), ..ask("web") },
                Kind::InvalidParameter,
                "IPv4 or IPv6 must be enabled",
            ),
        ];
        for (ask, kind, text) in table {
            assert_eq!(refused(ask), (kind, text.to_owned()));
        }
        assert!(refused(driver("overlay")).1.starts_with("This node is not a swarm manager."));
    }
}
