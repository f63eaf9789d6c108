//! Configuration networks (`network create --config-only`): options, labels and subnets that other networks take over
//! (`--config-from`). No container can be in one, it holds no addresses, and nothing of it is in the kernel.

use std::collections::BTreeMap;

use libnet::types::NetworkId;
use netd_api::models;
use serde::{Deserialize, Serialize};

use super::{
    Driver, NetworkError,
    draft::{self, sorted},
    inner::Options,
    record::{Configuration, NetworkRecord},
    subnet,
};

/// What a configuration network keeps besides options and labels: texts as they were given, and checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Template {
    pub(super) v4: bool,
    pub(super) v6: bool,
    pub(super) ipam_driver: String,
    pub(super) subnets: Vec<SubnetText>,
}

/// A subnet as a request names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SubnetText {
    subnet: Option<String>,
    range: Option<String>,
    gateway: Option<String>,
    aux: BTreeMap<String, String>,
}

/// Reads a request for a configuration network.
pub(super) fn read(
    ask: models::NetworkCreateRequest,
    defaults: &BTreeMap<String, Options>,
    id: NetworkId,
    created: String,
) -> Result<NetworkRecord, NetworkError> {
    let said = |switch: Option<bool>| switch.unwrap_or_default();
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    if said(ask.ingress) || said(ask.internal) || said(ask.attachable) || given(&ask.scope) {
        return Err(NetworkError::OperatorFields);
    }
    if source(&ask).is_some() {
        return Err(NetworkError::NestedTemplate);
    }
    let mut options = defaults.get(draft::driver(&ask)).cloned().unwrap_or_default();
    options.extend(sorted(ask.options));
    let families = draft::families(ask.enable_ipv4, ask.enable_ipv6, &mut options)?;
    let ipam = ask.ipam.unwrap_or_default();
    let config = ipam.config.unwrap_or_default();
    subnet::check(&config, families)?;
    let template = Template {
        v4: families.v4,
        v6: families.v6,
        ipam_driver: ipam.driver.filter(|driver| !driver.is_empty()).unwrap_or_else(|| "default".to_owned()),
        subnets: config.into_iter().map(SubnetText::from).collect(),
    };
    Ok(NetworkRecord {
        configuration: Configuration::Only(template),
        options,
        labels: sorted(ask.labels),
        ipam_options: ipam.options.map(|options| sorted(Some(options))),
        // The driver is Docker's, so that nothing takes it for a network that could be used.
        ..NetworkRecord::without_kernel(id, ask.name, Driver::Null, created)
    })
}

/// The configuration network that a request refers to.
pub(super) fn source(ask: &models::NetworkCreateRequest) -> Option<&str> {
    ask.config_from.as_ref()?.network.as_deref().filter(|name| !name.is_empty())
}

/// Refuses a request that both refers to a configuration network and brings settings of its own.
pub(super) fn check_nothing_else(ask: &models::NetworkCreateRequest) -> Result<(), NetworkError> {
    let some =
        |map: &Option<std::collections::HashMap<_, _>>| map.as_ref().is_some_and(|map| !map.is_empty());
    let ipam = ask.ipam.clone().unwrap_or_default();
    let own_driver = ipam.driver.is_some_and(|driver| !matches!(driver.as_str(), "" | "default"));
    let own_subnets = ipam.config.is_some_and(|config| !config.is_empty());
    let own_families = ask.enable_ipv4 == Some(false) || ask.enable_ipv6 == Some(true);
    if own_driver || own_subnets || own_families || some(&ask.labels) || some(&ipam.options) {
        return Err(NetworkError::OwnConfiguration);
    }
    if some(&ask.options) { Err(NetworkError::OwnOptions) } else { Ok(()) }
}

/// The request with the settings of a configuration network.
pub(super) fn apply(record: &NetworkRecord, template: &Template, ask: &mut models::NetworkCreateRequest) {
    ask.enable_ipv4 = Some(template.v4);
    ask.enable_ipv6 = Some(template.v6);
    ask.options = Some(record.options.clone().into_iter().collect());
    ask.labels = Some(record.labels.clone().into_iter().collect());
    ask.ipam = Some(models::Ipam {
        driver: Some(template.ipam_driver.clone()),
        config: Some(template.subnets.iter().map(SubnetText::config).collect()),
        options: record.ipam_options.clone().map(|options| options.into_iter().collect()),
    });
}

impl SubnetText {
    /// As the API has it.
    pub(super) fn config(&self) -> models::IpamConfig {
        models::IpamConfig {
            subnet: self.subnet.clone(),
            ip_range: self.range.clone(),
            gateway: self.gateway.clone(),
            auxiliary_addresses: (!self.aux.is_empty()).then(|| self.aux.clone().into_iter().collect()),
        }
    }
}

impl From<models::IpamConfig> for SubnetText {
    fn from(config: models::IpamConfig) -> Self {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Self {
            subnet: config.subnet,
            range: given(config.ip_range),
            gateway: given(config.gateway),
            aux: sorted(config.auxiliary_addresses),
        }
    }
}
