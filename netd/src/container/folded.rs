//! What a request says about ports, as a record keeps it: as text. Ten thousand ports are tens of thousands of pieces of
//! memory as maps of texts, 260 bytes for each port, and what a request leaves free in between nobody else can have; as one
//! text they are some sixty bytes each.

use std::{ops::Deref, sync::Arc};

use netd_api::models::{ContainerConfig, HostConfig, PortMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

/// A part of a request that names ports.
pub(super) trait NamesPorts: Clone {
    /// How it names them.
    type Ports: Serialize + DeserializeOwned;

    fn ports_mut(&mut self) -> &mut Option<Self::Ports>;
}

impl NamesPorts for HostConfig {
    type Ports = PortMap;

    fn ports_mut(&mut self) -> &mut Option<PortMap> {
        &mut self.port_bindings
    }
}

impl NamesPorts for ContainerConfig {
    type Ports = Vec<String>;

    fn ports_mut(&mut self) -> &mut Option<Vec<String>> {
        &mut self.exposed_ports
    }
}

/// Such a part, with its ports folded away: what it derefs to has none. Shared by all copies: it can be long, and seldom
/// changes.
#[derive(Clone, Debug)]
pub(super) struct Folded<T> {
    rest: Arc<T>,
    /// As JSON.
    ports: Option<Arc<str>>,
}

impl<T: NamesPorts> Folded<T> {
    pub(super) fn new(mut whole: T) -> Self {
        let ports = whole.ports_mut().take();
        let mut folded = Self { rest: Arc::new(whole), ports: None };
        folded.set_ports(ports.as_ref());
        folded
    }

    pub(super) fn whole(&self) -> T {
        let mut whole = T::clone(&self.rest);
        *whole.ports_mut() = self.ports();
        whole
    }

    /// The ports that it names.
    pub(super) fn ports(&self) -> Option<T::Ports> {
        // Nobody else writes that text: it reads as it was written.
        self.ports.as_deref().and_then(|text| serde_json::from_str(text).ok())
    }

    pub(super) fn set_ports(&mut self, ports: Option<&T::Ports>) {
        self.ports = ports.and_then(|ports| serde_json::to_string(ports).ok()).map(Arc::from);
    }

    /// All but the ports, to change.
    pub(super) fn rest_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.rest)
    }
}

impl<T> Deref for Folded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.rest
    }
}

/// On disk it is whole.
impl<T: NamesPorts + Serialize> Serialize for Folded<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.whole().serialize(to)
    }
}

impl<'de, T: NamesPorts + Deserialize<'de>> Deserialize<'de> for Folded<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::deserialize(from).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_folded_is_whole_on_disk_and_when_asked_for() {
        let host = json!({
            "Memory": 7,
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "0"}, {"HostIp": "[::1]"}], "9/sctp": null, "5/udp": []},
        });
        for host in [host, json!({"PortBindings": {}}), json!({})] {
            let folded: Folded<HostConfig> = serde_json::from_value(host.clone()).unwrap();
            assert_eq!(serde_json::to_value(&folded).unwrap(), host);
            assert_eq!(folded.whole(), serde_json::from_value(host.clone()).unwrap());
            assert!(folded.port_bindings.is_none());
            assert_eq!(
                serde_json::to_value(folded.ports()).unwrap(),
                *host.get("PortBindings").unwrap_or(&Value::Null)
            );
        }
    }

    #[test]
    fn a_copy_keeps_its_own() {
        let config = json!({"ExposedPorts": {"80/tcp": {}, "81/tcp": {}}, "User": "me"});
        let folded: Folded<ContainerConfig> = serde_json::from_value(config.clone()).unwrap();
        let mut other = folded.clone();
        other.set_ports(None);
        other.rest_mut().user = None;
        assert_eq!(serde_json::to_value(&other).unwrap(), json!({}));
        assert_eq!(serde_json::to_value(&folded).unwrap(), config);
    }
}
