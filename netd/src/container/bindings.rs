//! `HostConfig.PortBindings` of a container that exists already: bindings come and go. Pure.

use netd_api::models::{PortBinding, PortMap};

use super::{ContainerError, create::ports::port};

/// What is to become of a container's bindings.
#[derive(Clone, Debug, PartialEq)]
pub enum PortsAsk {
    /// These come.
    Add(PortMap),
    /// Those that look like these go; what a binding leaves empty may be anything.
    Remove(PortMap),
}

/// Changes the bindings of container `name`.
pub(super) fn change(bindings: &mut PortMap, ask: PortsAsk, name: &str) -> Result<(), ContainerError> {
    match ask {
        PortsAsk::Add(more) => {
            for (key, more) in more {
                let here = bindings.entry(normal(&key)?).or_default().get_or_insert_default();
                here.extend(more.unwrap_or_default());
            }
            Ok(())
        }
        PortsAsk::Remove(gone) => {
            gone.into_iter().try_for_each(|(key, gone)| remove(bindings, &key, gone.as_deref(), name))
        }
    }
}

fn remove(
    bindings: &mut PortMap,
    key: &str,
    patterns: Option<&[PortBinding]>,
    name: &str,
) -> Result<(), ContainerError> {
    let key = normal(key)?;
    let any = [PortBinding { host_ip: None, host_port: None }];
    let patterns = patterns.filter(|patterns| !patterns.is_empty()).unwrap_or(&any);
    let here = bindings.entry(key.clone()).or_default().get_or_insert_default();
    for pattern in patterns {
        let before = here.len();
        here.retain(|binding| !is_like(binding, pattern));
        if here.len() == before {
            let host = [said(pattern.host_ip.as_ref()), said(pattern.host_port.as_ref())];
            let host: Vec<&str> = host.into_iter().filter(|text| !text.is_empty()).collect();
            let port = if host.is_empty() { key } else { format!("{}:{key}", host.join(":")) };
            return Err(ContainerError::Missing(format!("No public port '{port}' published for {name}")));
        }
    }
    bindings.retain(|_, here| here.as_ref().is_none_or(|here| !here.is_empty()));
    Ok(())
}

fn is_like(binding: &PortBinding, pattern: &PortBinding) -> bool {
    let like = |wanted: Option<&String>, found: Option<&String>| {
        said(wanted).is_empty() || said(wanted) == said(found)
    };
    like(pattern.host_ip.as_ref(), binding.host_ip.as_ref())
        && like(pattern.host_port.as_ref(), binding.host_port.as_ref())
}

fn said(text: Option<&String>) -> &str {
    text.map(String::as_str).unwrap_or_default()
}

/// `80` is `80/tcp`.
fn normal(key: &str) -> Result<String, ContainerError> {
    let (number, proto) = port(key)?;
    Ok(format!("{number}/{proto}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: serde_json::Value) -> PortMap {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn bindings_come_and_go() {
        let mut bindings = map(serde_json::json!({"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}));
        let more = serde_json::json!({"80": [{"HostIp": "127.0.0.1", "HostPort": "9090"}], "53/udp": [{}]});
        change(&mut bindings, PortsAsk::Add(map(more)), "web").unwrap();
        let expected = serde_json::json!({
            "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "127.0.0.1", "HostPort": "9090"}],
            "53/udp": [{}],
        });
        assert_eq!(bindings, map(expected));

        let mut go = |value| change(&mut bindings, PortsAsk::Remove(map(value)), "web");
        go(serde_json::json!({"53/udp": null})).unwrap();
        go(serde_json::json!({"80/tcp": [{"HostPort": "9090"}]})).unwrap();
        let error =
            go(serde_json::json!({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]})).unwrap_err();
        assert_eq!(error.to_string(), "No public port '127.0.0.1:8080:80/tcp' published for web");
        let error = go(serde_json::json!({"81": []})).unwrap_err();
        assert_eq!(error.to_string(), "No public port '81/tcp' published for web");
        assert!(go(serde_json::json!({"80/icmp": []})).is_err());
        go(serde_json::json!({"80/tcp": []})).unwrap();
        assert!(bindings.is_empty());
    }
}
