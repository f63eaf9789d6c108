//! A network as a request wants it, checked: everything that can be refused without looking at the host or at other
//! networks is refused here, before anything is made.

use std::collections::{BTreeMap, HashMap};

use libnet::{
    host::{Child, IpvlanFlag, IpvlanMode, MacvlanMode},
    types::{Family, Internal, Mtu},
};
use netd_api::{models, parse_bool};

use super::{
    Driver, NetworkError, Scope, Traffic, egress,
    options::{self, BridgeOptions},
    parent::ParentOptions,
    record::{Configuration, IpamDriver},
    subnet::{self, Families, GatewayNeed, SubnetAsks},
    template,
};

/// Names that no user may give: Docker's, with `default` standing for `bridge`.
pub(super) const PREDEFINED: [&str; 4] = ["bridge", "host", "none", "default"];

/// A checked request for a network.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) scope: Scope,
    pub(super) configuration: Configuration,
    pub(super) internal: Internal,
    pub(super) attachable: bool,
    pub(super) families: Families,
    pub(super) subnets: SubnetAsks,
    pub(super) driver: DriverOptions,
    pub(super) ipam: IpamDriver,
    pub(super) options: BTreeMap<String, String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) ipam_options: Option<BTreeMap<String, String>>,
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

    fn mtu(&self) -> Option<Mtu> {
        match self {
            Self::Bridge(bridge) => bridge.mtu,
            Self::Parent(parent) => parent.mtu,
        }
    }

    /// Whether the network spends an address on a gateway if nobody names one.
    fn gateway_need(&self, family: Family, internal: Internal) -> GatewayNeed {
        match self {
            Self::Bridge(bridge) => bridge.gateway_need(family, internal),
            Self::Parent(_) => GatewayNeed::First,
        }
    }
}

impl Draft {
    /// Reads a request; `defaults` are the options that new networks of a driver get (`default-network-opts`).
    pub(super) fn read(
        ask: models::NetworkCreateRequest,
        defaults: &BTreeMap<String, BTreeMap<String, String>>,
    ) -> Result<Self, NetworkError> {
        let driver = read_driver(&ask)?;
        let scope = scope(&ask)?;
        let from = template::source(&ask).map(str::to_owned);
        let ipam = ask.ipam.unwrap_or_default();
        let ipam_driver = read_ipam_driver(ipam.driver.as_deref())?;
        let internal = if ask.internal.unwrap_or_default() { Internal::Yes } else { Internal::No };
        // A configuration network has them already.
        let defaults = defaults.get(driver.as_str()).filter(|_| from.is_none());
        let mut options = defaults.cloned().unwrap_or_default();
        options.extend(sorted(ask.options));
        let families = families(ask.enable_ipv4, ask.enable_ipv6, &mut options)?;
        egress::check_options(driver, &options)?;
        Traffic::read(|key| options.get(key)).map_err(NetworkError::Invalid)?.check(driver)?;
        let driver = DriverOptions::read(driver, &options, internal)?;
        if !families.v4 && !families.v6 {
            return Err(NetworkError::Invalid("IPv4 or IPv6 must be enabled".to_owned()));
        }
        if let Some(mtu) = driver.mtu().filter(|mtu| families.v6 && *mtu < Mtu::LEAST_V6) {
            let text = format!("invalid MTU number: {mtu}: IPv6 needs {} at least", Mtu::LEAST_V6);
            return Err(NetworkError::Invalid(text));
        }
        let config = ipam.config.unwrap_or_default();
        if ipam_driver == IpamDriver::Null {
            check_without_addresses(&driver, &config)?;
        }
        let mut subnets = subnet::read(&config, families)?;
        if !subnets.more.is_empty() && matches!(driver, DriverOptions::Bridge(_)) {
            return Err(NetworkError::MultipleSubnets);
        }
        subnets.v4.gateway_need = driver.gateway_need(Family::V4, internal);
        subnets.v6.gateway_need = driver.gateway_need(Family::V6, internal);
        Ok(Self {
            name: ask.name,
            scope,
            configuration: from.map_or(Configuration::Own, Configuration::From),
            internal,
            attachable: ask.attachable.unwrap_or_default(),
            families,
            subnets,
            driver,
            ipam: ipam_driver,
            options,
            labels: sorted(ask.labels),
            ipam_options: ipam.options.map(|options| sorted(Some(options))),
            default: false,
        })
    }
}

/// Refuses names that no network can have.
pub(super) fn check_name(name: &str) -> Result<(), NetworkError> {
    if PREDEFINED.contains(&name) {
        return Err(NetworkError::Predefined(name.to_owned()));
    }
    if name.trim().is_empty() {
        return Err(NetworkError::InvalidName("name is empty"));
    }
    // Docker takes any, and no terminal shows them.
    if name.chars().any(char::is_control) {
        return Err(NetworkError::InvalidName("name has control characters"));
    }
    Ok(())
}

/// The driver that a request names.
pub(super) fn driver(ask: &models::NetworkCreateRequest) -> &str {
    ask.driver.as_deref().filter(|driver| !driver.is_empty()).unwrap_or("bridge")
}

/// The families that a request wants: what it says itself, else what its options say. An option that is overruled is
/// taken out, or it would look wrong where options are shown.
pub(super) fn families(
    v4: Option<bool>,
    v6: Option<bool>,
    options: &mut BTreeMap<String, String>,
) -> Result<Families, NetworkError> {
    let mut family = |said: Option<bool>, key: &str, default: bool| match said {
        Some(said) => {
            options.remove(key);
            Ok(said)
        }
        None => options.get(key).map_or(Ok(default), |value| {
            parse_bool(value).ok_or_else(|| NetworkError::NotBool(key.to_owned()))
        }),
    };
    Ok(Families { v4: family(v4, options::ENABLE_V4, true)?, v6: family(v6, options::ENABLE_V6, false)? })
}

fn read_driver(ask: &models::NetworkCreateRequest) -> Result<Driver, NetworkError> {
    let found = match (Driver::named(driver(ask)), driver(ask)) {
        (Some(single @ (Driver::Host | Driver::Null)), _) => {
            return Err(NetworkError::SingleInstance(single));
        }
        (Some(found), _) => found,
        (None, "overlay") => return Err(NetworkError::NoSwarm),
        (None, other) => return Err(NetworkError::UnknownDriver(other.to_owned())),
    };
    if ask.ingress.unwrap_or_default() { Err(NetworkError::LocalIngress) } else { Ok(found) }
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

fn scope(ask: &models::NetworkCreateRequest) -> Result<Scope, NetworkError> {
    match ask.scope.as_deref().unwrap_or_default() {
        "" | "local" => Ok(Scope::Local),
        "global" => Ok(Scope::Global),
        "swarm" => Err(NetworkError::SwarmScope),
        other => Err(NetworkError::Invalid(format!(
            "invalid scope \"{other}\": must be \"local\", \"global\" or \"swarm\""
        ))),
    }
}

/// In the order of the keys.
pub(super) fn sorted(map: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
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
        let subnet =
            |subnet: &str| models::IpamConfig { subnet: Some(subnet.to_owned()), ..Default::default() };
        let config = Some(vec![subnet("10.0.0.0/24"), subnet("10.0.1.0/24")]);
        let ipam = Some(models::Ipam { config, ..Default::default() });
        let two_subnets = models::NetworkCreateRequest { ipam, ..ask("web") };
        let options = [("com.docker.network.driver.mtu".to_owned(), "1279".to_owned())].into();
        let short =
            models::NetworkCreateRequest { enable_ipv6: Some(true), options: Some(options), ..ask("web") };
        let table = [
            (driver("foo"), Kind::NotFound, "plugin \"foo\" not found"),
            (driver("host"), Kind::Forbidden, "only one instance of \"host\" network is allowed"),
            (short, Kind::InvalidParameter, "invalid MTU number: 1279: IPv6 needs 1280 at least"),
            (two_subnets, Kind::Forbidden, "bridge driver doesn't support multiple subnets"),
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
