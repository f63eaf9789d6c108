//! What older versions of the API say otherwise about a new container: a request of theirs, as the newest version would
//! put it. Texts are Docker's.

use std::collections::HashMap;

use netd_api::models::{ContainerCreateBody, EndpointSettings};

use super::{
    status::{Answer, Failure},
    version::Version,
};
use crate::{error::Kind, network::ENDPOINT_SYSCTLS};

/// Puts a request of this version into the words of the newest one; what its user should hear of it. `mac` is the
/// address that once was the container's, and is an endpoint's now.
pub(super) fn translate(
    body: &mut ContainerCreateBody,
    mac: Option<&str>,
    version: Version,
) -> Answer<Vec<String>> {
    let mut warnings = Vec::new();
    if !version.knows(44) {
        one_network(body)?;
        endpoints(body).values_mut().for_each(|endpoint| endpoint.mac_address = None);
    }
    if let Some(mac) = mac {
        container_mac(body, mac, version)?;
    }
    if mac.is_some() && version.knows(44) {
        warnings.push(
            "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."
                .to_owned(),
        );
    }
    if !version.knows(48) {
        endpoints(body).values_mut().for_each(|endpoint| endpoint.gw_priority = None);
    }
    warnings.extend(interface_sysctls(body, version)?);
    Ok(warnings)
}

fn refuse<T>(message: impl Into<String>) -> Answer<T> {
    Err(Failure::new(Kind::InvalidParameter, message))
}

/// Before API 1.44 a container was created in one network and connected to others afterwards.
fn one_network(body: &mut ContainerCreateBody) -> Answer<()> {
    let mut names: Vec<String> = endpoints(body).keys().cloned().collect();
    if names.len() < 2 {
        return Ok(());
    }
    names.sort_unstable();
    refuse(format!("Container cannot be created with multiple network endpoints: {}", names.join(", ")))
}

fn endpoints(body: &mut ContainerCreateBody) -> &mut HashMap<String, EndpointSettings> {
    let networking = body.networking_config.get_or_insert_default();
    networking.endpoints_config.get_or_insert_default()
}

/// Once the container had an Ethernet address; its main endpoint has it now.
fn container_mac(body: &mut ContainerCreateBody, mac: &str, version: Version) -> Answer<()> {
    let mode = body.host_config.as_ref().and_then(|host| host.network_mode.clone()).unwrap_or_default();
    let shared = mode.starts_with("container:");
    if shared || matches!(mode.as_str(), "host" | "none") {
        // Docker ignores it from API 1.44 on, which nobody can mean who shares another container's network.
        return match shared || !version.knows(44) {
            true => refuse("conflicting options: mac-address and the network mode"),
            false => Ok(()),
        };
    }
    let Some(endpoint) = main_endpoint(body, &mode, version) else {
        return refuse(
            "unable to migrate container-wide MAC address to a specific network: HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks",
        );
    };
    match &endpoint.mac_address {
        Some(own) if !own.is_empty() && own != mac => refuse(
            "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
        ),
        _ => {
            endpoint.mac_address = Some(mac.to_owned());
            Ok(())
        }
    }
}

/// `--sysctl net.ipv4.conf.eth0.x=y` sets an interface, which is not there when the others are set: it is an option of the
/// endpoint. Before API 1.48 such a setting of `eth0` is taken for one of the first network's.
fn interface_sysctls(body: &mut ContainerCreateBody, version: Version) -> Answer<Option<String>> {
    let host = body.host_config.get_or_insert_default();
    let mode = host.network_mode.clone().unwrap_or_default();
    if mode == "host" || mode.starts_with("container:") {
        return Ok(None);
    }
    let mut found: Vec<_> =
        host.sysctls.iter().flatten().filter_map(|(key, value)| interface(key, value)).collect();
    found.sort();
    let Some((first, ..)) = found.first() else { return Ok(None) };
    if version.knows(48) {
        return refuse(format!(
            "interface specific sysctl setting \"{first}\" must be supplied using driver option '{ENDPOINT_SYSCTLS}'"
        ));
    }
    if let Some((key, ..)) = found.iter().find(|(_, name, _)| name != "eth0") {
        return refuse(format!(
            "unable to determine network endpoint for sysctl {key}, use driver option '{ENDPOINT_SYSCTLS}' to set per-interface sysctls"
        ));
    }
    let keys: Vec<_> = found.iter().map(|(key, ..)| key.clone()).collect();
    let option = found.iter().map(|(_, _, setting)| setting.as_str()).collect::<Vec<_>>().join(",");
    if let Some(sysctls) = &mut host.sysctls {
        keys.iter().for_each(|key| _ = sysctls.remove(key));
    }
    let Some(endpoint) = main_endpoint(body, &mode, version) else {
        return refuse(format!(
            "unable to find a network for sysctl {}: HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks",
            keys[0]
        ));
    };
    let warning = format!(
        "Migrated sysctl \"{}\" to DriverOpts{{\"{ENDPOINT_SYSCTLS}\":\"{option}\"}}.",
        keys.join(",")
    );
    let options = endpoint.driver_opts.get_or_insert_default();
    // What the endpoint says itself comes last, and holds.
    let own = options.get(ENDPOINT_SYSCTLS).map(|own| format!(",{own}")).unwrap_or_default();
    options.insert(ENDPOINT_SYSCTLS.to_owned(), option + &own);
    Ok(Some(warning))
}

/// Key, interface, and the setting as an endpoint has it.
fn interface(key: &str, value: &str) -> Option<(String, String, String)> {
    let parts: Vec<_> = key.splitn(5, '.').collect();
    let ["net", family, group, name, rest] = parts[..] else { return None };
    let of_interface = name.starts_with("eth");
    of_interface
        .then(|| (key.to_owned(), name.to_owned(), format!("net.{family}.{group}.IFNAME.{rest}={value}")))
}

/// The endpoint in the network that the container is made in; before API 1.44 the only one that there is.
fn main_endpoint<'a>(
    body: &'a mut ContainerCreateBody,
    mode: &str,
    version: Version,
) -> Option<&'a mut EndpointSettings> {
    let endpoints = endpoints(body);
    let default = |name: &str| matches!(name, "" | "default" | "bridge");
    let same = |name: &str| name == mode || default(name) && default(mode);
    match endpoints.keys().find(|name| same(name) || !version.knows(44)).cloned() {
        Some(name) => endpoints.get_mut(&name),
        None if endpoints.is_empty() => Some(endpoints.entry(mode.to_owned()).or_default()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use netd_api::ApiVersion;
    use serde_json::{Value, json};

    use super::*;

    fn translated(body: Value, mac: Option<&str>, minor: u16) -> Result<(Value, Vec<String>), String> {
        let mut body = serde_json::from_value(body).unwrap();
        let warnings = translate(&mut body, mac, Version(ApiVersion::new(1, minor)));
        let warnings = warnings.map_err(|failure| failure.message().to_owned())?;
        Ok((serde_json::to_value(body).unwrap(), warnings))
    }

    #[test]
    fn old_clients_know_one_network_no_priority_and_no_address_of_an_endpoint() {
        let two = json!({"NetworkingConfig": {"EndpointsConfig": {"b": {}, "a": {}}}});
        let error = translated(two.clone(), None, 43).unwrap_err();
        assert_eq!(error, "Container cannot be created with multiple network endpoints: a, b");
        translated(two, None, 44).unwrap();
        let one =
            json!({"NetworkingConfig": {"EndpointsConfig": {"a": {"GwPriority": 7, "MacAddress": "02::1"}}}});
        let endpoint = |minor| {
            let body = translated(one.clone(), None, minor).unwrap().0;
            let endpoint = &body["NetworkingConfig"]["EndpointsConfig"]["a"];
            (endpoint["GwPriority"].clone(), endpoint["MacAddress"].clone())
        };
        assert_eq!(endpoint(43), (Value::Null, Value::Null));
        assert_eq!(endpoint(47), (Value::Null, json!("02::1")));
        assert_eq!(endpoint(48), (json!(7), json!("02::1")));
    }

    #[test]
    fn the_container_s_ethernet_address_is_its_main_endpoint_s() {
        let mac = "02:42::1";
        let of = |mode: &str, endpoints: Value| json!({"HostConfig": {"NetworkMode": mode}, "NetworkingConfig": {"EndpointsConfig": endpoints}});
        let address = |body: Value, network: &str, minor| {
            let (body, warnings) = translated(body, Some(mac), minor).unwrap();
            assert_eq!(warnings.len(), usize::from(minor >= 44));
            body["NetworkingConfig"]["EndpointsConfig"][network]["MacAddress"].clone()
        };
        assert_eq!(address(json!({}), "", 43), mac);
        assert_eq!(address(of("web", json!({"web": {}})), "web", 44), mac);
        assert_eq!(address(of("web", json!({"x": {"MacAddress": "02::2"}})), "x", 43), mac);
        assert_eq!(address(of("host", json!({"host": {}})), "host", 44), Value::Null);
        let refusal = |body: Value, minor| translated(body, Some(mac), minor).unwrap_err();
        let conflict = "conflicting options: mac-address and the network mode";
        for (mode, minor) in [("host", 43), ("none", 43), ("container:x", 43), ("container:x", 44)] {
            assert_eq!(refusal(of(mode, json!({})), minor), conflict, "{mode} {minor}");
        }
        assert!(refusal(of("web", json!({"x": {}})), 44).contains("HostConfig.NetworkMode must match"));
        let other = of("web", json!({"web": {"MacAddress": "02::2"}}));
        assert!(refusal(other, 44).contains("must match the endpoint-specific MAC address"));
    }

    #[test]
    fn settings_of_eth0_become_the_endpoint_s() {
        let of = |key: &str| json!({"HostConfig": {"NetworkMode": "web", "Sysctls": {key: "1", "net.ipv4.ip_forward": "0"}}});
        let key = "net.ipv4.conf.eth0.log_martians";
        let (body, warnings) = translated(of(key), None, 47).unwrap();
        assert_eq!(body["HostConfig"]["Sysctls"], json!({"net.ipv4.ip_forward": "0"}));
        let option = "net.ipv4.conf.IFNAME.log_martians=1";
        let options = &body["NetworkingConfig"]["EndpointsConfig"]["web"]["DriverOpts"];
        assert_eq!(*options, json!({ENDPOINT_SYSCTLS: option}));
        assert_eq!(
            warnings,
            [format!("Migrated sysctl \"{key}\" to DriverOpts{{\"{ENDPOINT_SYSCTLS}\":\"{option}\"}}.")]
        );
        assert_eq!(
            translated(of(key), None, 48).unwrap_err(),
            format!(
                "interface specific sysctl setting \"{key}\" must be supplied using driver option '{ENDPOINT_SYSCTLS}'"
            )
        );
        let error = translated(of("net.ipv4.conf.eth1.log_martians"), None, 47).unwrap_err();
        assert!(error.starts_with("unable to determine network endpoint for sysctl"), "{error}");
        let mut elsewhere = of(key);
        elsewhere["NetworkingConfig"] = json!({"EndpointsConfig": {"other": {}}});
        let error = translated(elsewhere, None, 47).unwrap_err();
        assert!(error.starts_with("unable to find a network for sysctl"), "{error}");
    }
}
