//! Fields that Docker always writes and the models leave out where they have no value: programs index them without
//! looking. A template says what they are and in which order; what an answer has of them stays.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::version::Version;

static NETWORK: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "Name": "", "Id": "", "Created": netd_api::time::NEVER, "Scope": "local", "Driver": "", "EnableIPv4": true,
        "EnableIPv6": false, "IPAM": {"Driver": "default", "Options": null, "Config": null}, "Internal": false,
        "Attachable": false, "Ingress": false, "ConfigFrom": {"Network": ""}, "ConfigOnly": false, "Containers": {},
        "Options": {}, "Labels": {},
    })
});

static CONTAINER: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "Id": "", "Names": [], "Image": "", "ImageID": "", "Command": "", "Created": 0, "Ports": [], "Labels": {},
        "State": "", "Status": "", "HostConfig": {"NetworkMode": ""}, "NetworkSettings": {"Networks": {}}, "Mounts": [],
    })
});

static ENDPOINT: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "IPAMConfig": null, "Links": null, "Aliases": null, "MacAddress": "", "DriverOpts": null, "GwPriority": 0,
        "NetworkID": "", "EndpointID": "", "Gateway": "", "IPAddress": "", "IPPrefixLen": 0, "IPv6Gateway": "",
        "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "DNSNames": null,
    })
});

static VOLUME: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "CreatedAt": "", "Driver": "local", "Labels": null, "Mountpoint": "", "Name": "", "Options": null,
        "Scope": "local",
    })
});

/// Where a container's details have keys that users choose.
const CHOSEN: [&str; 11] = [
    "/Config/ExposedPorts",
    "/Config/Labels",
    "/Config/Volumes",
    "/HostConfig/Annotations",
    "/HostConfig/LogConfig/Config",
    "/HostConfig/PortBindings",
    "/HostConfig/StorageOpt",
    "/HostConfig/Sysctls",
    "/HostConfig/Tmpfs",
    "/NetworkSettings/Networks",
    "/NetworkSettings/Ports",
];

/// A network, as listed or inspected.
pub(super) fn network(network: &impl Serialize) -> Value {
    shaped(network, &NETWORK)
}

/// A line of the list of containers.
pub(super) fn container(container: &impl Serialize) -> Value {
    let mut container = shaped(container, &CONTAINER);
    endpoints(&mut container);
    container
}

/// All there is to say of a container: its endpoints are completed, and old clients find the names that it goes by
/// among its aliases.
pub(super) fn container_detail(mut container: Value, version: Version) -> Value {
    endpoints(&mut container);
    for path in CHOSEN {
        if let Some(Value::Object(map)) = container.pointer_mut(path) {
            *map = sorted(std::mem::take(map));
        }
    }
    if !version.knows(45) {
        names_as_aliases(&mut container);
    }
    container
}

/// Before API 1.45 there was no list of all names: short id and host name were added to the aliases.
fn names_as_aliases(container: &mut Value) {
    let short_id = container["Id"].as_str().map(|id| id.chars().take(12).collect());
    let host_name = container.pointer("/Config/Hostname").and_then(Value::as_str).map(str::to_owned);
    let names: Vec<String> = [short_id, host_name].into_iter().flatten().collect();
    let Some(Value::Object(networks)) = container.pointer_mut("/NetworkSettings/Networks") else { return };
    for (network, endpoint) in networks {
        if ["bridge", "host", "none"].contains(&network.as_str()) {
            continue;
        }
        let mut aliases = endpoint["Aliases"].as_array().cloned().unwrap_or_default();
        for name in &names {
            if !aliases.iter().any(|alias| alias == name) {
                aliases.push(name.clone().into());
            }
        }
        endpoint["Aliases"] = aliases.into();
    }
}

/// A volume.
pub(super) fn volume(volume: &impl Serialize) -> Value {
    shaped(volume, &VOLUME)
}

fn endpoints(container: &mut Value) {
    if let Some(Value::Object(networks)) = container.pointer_mut("/NetworkSettings/Networks") {
        for endpoint in networks.values_mut() {
            *endpoint = fill(endpoint.take(), &ENDPOINT);
        }
    }
}

fn shaped(value: &impl Serialize, template: &Value) -> Value {
    fill(serde_json::to_value(value).unwrap_or(Value::Null), template)
}

/// What `value` says, in the order of `template`, with what it lacks; what the template does not know comes last.
fn fill(value: Value, template: &Value) -> Value {
    match (value, template) {
        (Value::Object(mut given), Value::Object(template)) => {
            let mut all = Map::with_capacity(template.len().max(given.len()));
            for (key, default) in template {
                let value = match given.shift_remove(key) {
                    Some(value) => fill(value, default),
                    None => default.clone(),
                };
                all.insert(key.clone(), value);
            }
            all.extend(sorted(given));
            Value::Object(all)
        }
        (Value::Object(given), _) => Value::Object(sorted(given)),
        (value, _) => value,
    }
}

/// Maps whose keys users choose have no order of their own; Go sorts them, so that two answers can be compared.
fn sorted(map: Map<String, Value>) -> Map<String, Value> {
    let mut entries: Vec<_> = map.into_iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use netd_api::{ApiVersion, models};

    #[test]
    fn what_is_missing_is_added_and_what_is_there_stays() {
        let given = models::NetworkInspect {
            name: Some("web".to_owned()),
            internal: Some(true),
            ..Default::default()
        };
        let shaped = network(&given);
        assert_eq!(shaped["Name"], "web");
        assert_eq!(shaped["Internal"], true);
        assert_eq!(shaped["Containers"], json!({}));
        assert_eq!(shaped["IPAM"]["Driver"], "default");
        assert_eq!(shaped.as_object().unwrap().keys().next().unwrap(), "Name");
    }

    #[test]
    fn keys_that_users_choose_are_sorted() {
        let labels = (0..20).map(|n| (format!("k{n:02}"), String::new())).collect();
        let network = network(&models::NetworkInspect { labels: Some(labels), ..Default::default() });
        assert!(network["Labels"].as_object().unwrap().keys().is_sorted());
        let detail = json!({"Config": {"Labels": {"b": "1", "a": "2"}, "Cmd": ["z", "y"]}});
        let detail = container_detail(detail, Version(ApiVersion::new(1, 50)));
        assert_eq!(detail.to_string(), r#"{"Config":{"Labels":{"a":"2","b":"1"},"Cmd":["z","y"]}}"#);
    }

    #[test]
    fn endpoints_are_whole() {
        let detail = json!({"NetworkSettings": {"Networks": {"web": {"IPAddress": "10.0.0.2", "New": 1}}}});
        let detail = container_detail(detail, Version(ApiVersion::new(1, 50)));
        let endpoint = &detail["NetworkSettings"]["Networks"]["web"];
        assert_eq!(endpoint["IPAddress"], "10.0.0.2");
        assert_eq!(endpoint["IPv6Gateway"], "");
        assert_eq!(endpoint["New"], 1);
    }

    #[test]
    fn old_clients_find_names_among_aliases() {
        let detail = |minor| {
            let networks = json!({"web": {"Aliases": ["search"]}, "bridge": {}});
            let id = "c0ffee00c0ffee00";
            let all =
                json!({"Id": id, "Config": {"Hostname": "h"}, "NetworkSettings": {"Networks": networks}});
            container_detail(all, Version(ApiVersion::new(1, minor)))["NetworkSettings"]["Networks"].take()
        };
        assert_eq!(detail(44)["web"]["Aliases"], json!(["search", "c0ffee00c0ff", "h"]));
        assert_eq!(detail(44)["bridge"]["Aliases"], Value::Null);
        assert_eq!(detail(45)["web"]["Aliases"], json!(["search"]));
    }
}
