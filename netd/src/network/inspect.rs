//! Networks as the API shows them, and the filters of lists: pure functions of records.

use std::collections::HashMap;

use libnet::types::Internal;
use netd_api::{Filters, models};

use super::{
    NetworkError,
    options::MTU,
    record::{Configuration, EndpointRecord, IpamDriver, NetworkRecord, SubnetRecord},
    state::State,
    template::SubnetText,
};

/// The keys that a list of networks can be filtered by.
const KEYS: [&str; 7] = ["dangling", "driver", "id", "label", "name", "scope", "type"];

/// A network with the endpoints in it, in the shape of Docker's `GET /networks/{id}`.
pub(super) fn network(record: &NetworkRecord, state: &State) -> models::NetworkInspect {
    let map = |map: &super::inner::Options| Some(map.clone().into_iter().collect::<HashMap<_, _>>());
    let template = record.template();
    let texts = template.into_iter().flat_map(|template| &template.subnets).map(SubnetText::config);
    let config: Vec<_> = record.subnets().map(subnet).chain(texts).collect();
    let addressed = record.driver.attaches() && record.ipam == IpamDriver::Default;
    let own = if record.ipam == IpamDriver::Null { "null" } else { "default" };
    let ipam_driver = template.map_or(own, |template| &template.ipam_driver);
    let config_from = if let Configuration::From(name) = &record.configuration { name } else { "" };
    models::NetworkInspect {
        name: Some(record.name.clone()),
        id: Some(record.id.to_string()),
        created: Some(record.created.clone()),
        scope: Some(record.scope.as_str().to_owned()),
        driver: Some(record.driver.as_str().to_owned()),
        enable_ipv4: Some(template.map_or(record.v4.is_some() || !addressed, |template| template.v4)),
        enable_ipv6: Some(template.map_or(record.v6.is_some(), |template| template.v6)),
        ipam: Some(models::Ipam {
            driver: Some(ipam_driver.to_owned()),
            config: (!config.is_empty()).then_some(config),
            options: record.ipam_options.as_ref().and_then(map),
        }),
        internal: Some(record.internal == Internal::Yes),
        attachable: Some(record.attachable),
        ingress: Some(false),
        config_from: Some(models::ConfigReference { network: Some(config_from.to_owned()) }),
        config_only: Some(template.is_some()),
        options: map(&options(record)),
        labels: map(&record.labels),
        containers: Some(state.endpoints_in(record.id).map(|end| endpoint(record, end, state)).collect()),
        ..models::NetworkInspect::default()
    }
}

/// What was asked for; of the default bridge, Docker shows the MTU that it has.
fn options(record: &NetworkRecord) -> super::inner::Options {
    let mut options = record.options.clone();
    if let Some(bridge) = record.bridge.as_ref().filter(|_| record.default) {
        options.entry(MTU.to_owned()).or_insert_with(|| bridge.mtu.bytes().to_string());
    }
    options
}

fn subnet(record: &SubnetRecord) -> models::IpamConfig {
    let aux = record.aux.iter().map(|(name, ip)| (name.clone(), ip.to_string()));
    models::IpamConfig {
        subnet: Some(record.net.to_string()),
        ip_range: record.range.map(|range| range.to_string()),
        gateway: record.gateway.map(|ip| ip.to_string()),
        auxiliary_addresses: (!record.aux.is_empty()).then(|| aux.collect()),
    }
}

/// By the id of its container; Docker's key for an end that is no container's begins with `ep-`.
fn endpoint(
    network: &NetworkRecord,
    record: &EndpointRecord,
    state: &State,
) -> (String, models::EndpointResource) {
    let spec = record.spec.as_ref();
    let mac = spec.filter(|_| network.has_macs());
    let resource = models::EndpointResource {
        name: Some(record.name.clone()),
        endpoint_id: Some(record.id.to_string()),
        mac_address: Some(mac.map(|spec| spec.mac.to_string()).unwrap_or_default()),
        ipv4_address: Some(spec.and_then(|spec| spec.v4).map(|net| net.to_string()).unwrap_or_default()),
        ipv6_address: Some(spec.and_then(|spec| spec.v6).map(|net| net.to_string()).unwrap_or_default()),
    };
    let key = match state.is_borrowed(record.container) {
        true => format!("ep-{}", record.id),
        false => record.container.to_string(),
    };
    (key, resource)
}

/// What a list is narrowed by, checked.
pub(super) struct ListFilter {
    filters: Filters,
    dangling: Option<bool>,
}

impl ListFilter {
    pub(super) fn new(filters: &Filters) -> Result<Self, NetworkError> {
        let filters = filters.clone().only(&KEYS)?;
        let dangling = dangling(filters.get("dangling"))?;
        let wrong = filters.get("type").iter().find(|kind| !matches!(kind.as_str(), "custom" | "builtin"));
        match wrong {
            Some(kind) => Err(NetworkError::Invalid(format!("invalid filter: 'type'='{kind}'"))),
            None => Ok(Self { filters, dangling }),
        }
    }

    /// Whether a network passes; `used` if a running container is in it.
    pub(super) fn passes(&self, record: &NetworkRecord, used: bool) -> bool {
        let filters = &self.filters;
        let kind = if record.default { "builtin" } else { "custom" };
        let label = |name: &str| record.labels.get(name).map(String::as_str);
        let dangling = !record.default && !used;
        filters.exact("driver", record.driver.as_str())
            && filters.pattern("id", &record.id.to_string())
            && filters.pattern("name", &record.name)
            && filters.exact("scope", record.scope.as_str())
            && filters.exact("type", kind)
            && filters.labels("label", label)
            && self.dangling.is_none_or(|wanted| wanted == dangling)
    }
}

/// Stricter than other switches, as in Docker.
fn dangling(values: &[String]) -> Result<Option<bool>, NetworkError> {
    let invalid = |text: &str| NetworkError::Invalid(text.to_owned());
    match values {
        [] => Ok(None),
        [one] => match one.as_str() {
            "1" | "true" => Ok(Some(true)),
            "0" | "false" => Ok(Some(false)),
            _ => Err(invalid(
                r#"invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")"#,
            )),
        },
        _ => Err(invalid(r#"got more than one value for filter key "dangling""#)),
    }
}
