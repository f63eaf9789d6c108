//! A network as a request wants it, checked: everything that can be refused without looking at the host or at other
//! networks is refused here, before anything is made.

use std::collections::{BTreeMap, HashMap};

use libnet::types::Internal;
use netd_api::models;

use super::{
    Driver, NetworkError,
    options::BridgeOptions,
    subnet::{self, Families, SubnetAsks},
};

/// Names that no user may give: Docker's, with `default` standing for `bridge`.
pub(super) const PREDEFINED: [&str; 4] = ["bridge", "host", "none", "default"];

/// A checked request for a bridge network.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) internal: Internal,
    pub(super) attachable: bool,
    pub(super) families: Families,
    pub(super) subnets: SubnetAsks,
    pub(super) bridge: BridgeOptions,
    pub(super) options: BTreeMap<String, String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) ipam_options: BTreeMap<String, String>,
    /// Whether it is the daemon's own.
    pub(super) default: bool,
}

impl Draft {
    /// Reads a request; `defaults` are the options that new networks of a driver get (`default-network-opts`).
    pub(super) fn read(
        ask: models::NetworkCreateRequest,
        defaults: &BTreeMap<String, BTreeMap<String, String>>,
    ) -> Result<Self, NetworkError> {
        check_name(&ask.name)?;
        check_kind(&ask)?;
        let ipam = ask.ipam.unwrap_or_default();
        if let Some(driver) = ipam.driver.filter(|driver| !matches!(driver.as_str(), "" | "default")) {
            return Err(NetworkError::UnknownDriver(driver));
        }
        let internal = if ask.internal.unwrap_or_default() { Internal::Yes } else { Internal::No };
        let mut options = defaults.get(Driver::Bridge.as_str()).cloned().unwrap_or_default();
        options.extend(sorted(ask.options));
        let bridge = BridgeOptions::read(&options, internal)?;
        let families = Families {
            v4: ask.enable_ipv4.or(bridge.enable_v4).unwrap_or(true),
            v6: ask.enable_ipv6.or(bridge.enable_v6).unwrap_or(false),
        };
        if !families.v4 && !families.v6 {
            return Err(NetworkError::Invalid("IPv4 or IPv6 must be enabled".to_owned()));
        }
        Ok(Self {
            name: ask.name,
            internal,
            attachable: ask.attachable.unwrap_or_default(),
            families,
            subnets: subnet::read(&ipam.config.unwrap_or_default(), families)?,
            bridge,
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

fn check_kind(ask: &models::NetworkCreateRequest) -> Result<(), NetworkError> {
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
        "bridge" => Ok(()),
        "host" => Err(NetworkError::SingleInstance(Driver::Host)),
        "null" => Err(NetworkError::SingleInstance(Driver::Null)),
        other => Err(NetworkError::UnknownDriver(other.to_owned())),
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
        assert_eq!(draft.bridge, BridgeOptions::default());
    }

    #[test]
    fn default_options_give_way_to_the_request_s() {
        let option =
            |value: &str| BTreeMap::from([("com.docker.network.driver.mtu".to_owned(), value.to_owned())]);
        let defaults = BTreeMap::from([("bridge".to_owned(), option("1400"))]);
        let mtu = |ask| Draft::read(ask, &defaults).unwrap().bridge.mtu.unwrap().bytes();
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
