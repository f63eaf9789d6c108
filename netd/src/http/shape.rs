//! Fields that Docker always writes and the models leave out where they have no value: programs index them without
//! looking. A template says what they are and in which order; what an answer has of them stays.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value, json};

static NETWORK: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "Name": "", "Id": "", "Created": netd_api::time::NEVER, "Scope": "local", "Driver": "", "EnableIPv4": true,
        "EnableIPv6": false, "IPAM": {"Driver": "default", "Options": null, "Config": []}, "Internal": false,
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

/// All there is to say of a container: its endpoints are completed.
pub(super) fn container_detail(mut container: Value) -> Value {
    endpoints(&mut container);
    container
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
            all.extend(given);
            Value::Object(all)
        }
        (value, _) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netd_api::models;

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
    fn endpoints_are_whole() {
        let detail = json!({"NetworkSettings": {"Networks": {"web": {"IPAddress": "10.0.0.2", "New": 1}}}});
        let detail = container_detail(detail);
        let endpoint = &detail["NetworkSettings"]["Networks"]["web"];
        assert_eq!(endpoint["IPAddress"], "10.0.0.2");
        assert_eq!(endpoint["IPv6Gateway"], "");
        assert_eq!(endpoint["New"], 1);
    }
}
