//! `--network` and the flags around it, to endpoint settings.

use std::collections::HashMap;

use bollard::models::{EndpointIpamConfig, EndpointSettings};

use super::{Invalid, lists};
use crate::args::NetworkFlags;

/// One `--network`: a name, or the long form with its settings.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Attachment {
    pub(crate) target: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) links: Vec<String>,
    pub(crate) ipv4: Option<String>,
    pub(crate) ipv6: Option<String>,
    pub(crate) link_local: Vec<String>,
    pub(crate) mac: Option<String>,
    pub(crate) driver_opts: Vec<String>,
    pub(crate) gw_priority: i64,
}

/// Reads one `--network`. The long form is chosen as Docker chooses it: by a `key=value` anywhere.
pub(crate) fn parse(text: &str) -> Result<Attachment, String> {
    if !is_long(text) {
        return Ok(Attachment { target: text.to_owned(), ..Attachment::default() });
    }
    let mut attachment = Attachment::default();
    for field in super::mounts::csv(text)? {
        let Some((key, value)) = field.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(format!("invalid field {field}"));
        };
        let (key, value) = (key.trim().to_lowercase(), value.trim().to_lowercase());
        match key.as_str() {
            "name" => attachment.target = value,
            "alias" => attachment.aliases.push(value),
            "ip" => attachment.ipv4 = Some(value),
            "ip6" => attachment.ipv6 = Some(value),
            "link-local-ip" => attachment.link_local.push(value),
            "mac-address" => attachment.mac = Some(value),
            "driver-opt" if value.split_once('=').is_none_or(|(key, _)| key.is_empty()) => {
                return Err("invalid key value pair format in driver options".to_owned());
            }
            "driver-opt" => attachment.driver_opts.push(value),
            "gw-priority" => {
                attachment.gw_priority = value
                    .parse()
                    .map_err(|error| format!("invalid gw-priority ({value}): {}", no_number(&error)))?;
            }
            _ => return Err(format!("invalid field key {key}")),
        }
    }
    if attachment.target.is_empty() {
        return Err("network name/id is not specified".to_owned());
    }
    Ok(attachment)
}

/// Why a text is no number, in the words of Go.
fn no_number(error: &std::num::ParseIntError) -> &'static str {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    match error.kind() {
        PosOverflow | NegOverflow => "value out of range",
        _ => "invalid syntax",
    }
}

/// Docker's regular expression `\w+=\w+(,\w+=\w+)*`, matched anywhere.
fn is_long(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut parts = text.split('=').peekable();
    while let Some(part) = parts.next() {
        let next = parts.peek();
        if part.ends_with(word) && next.is_some_and(|n| n.starts_with(word)) {
            return true;
        }
    }
    false
}

/// What the container's networks come to: the mode of the first, and the settings by network.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Networks {
    pub(crate) mode: String,
    pub(crate) endpoints: HashMap<String, EndpointSettings>,
}

/// The first network takes the plain flags (`--ip`, `--network-alias`, …) as well.
pub(crate) fn networks(flags: &NetworkFlags) -> Result<Networks, Invalid> {
    let mut attachments = Vec::new();
    for text in &flags.network {
        attachments.push(parse(text).map_err(Invalid)?);
    }
    if attachments.is_empty() {
        attachments.push(Attachment { target: "default".to_owned(), ..Attachment::default() });
    }
    if attachments.len() > 1 && attachments.iter().any(|a| !user_defined(&a.target)) {
        return Err(Invalid::new(
            "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
        ));
    }
    take_plain_flags(&mut attachments[0], flags)?;
    let mode = attachments[0].target.clone();
    let mut endpoints = HashMap::new();
    for attachment in attachments {
        let target = attachment.target.clone();
        let settings = endpoint(attachment)?;
        if endpoints.insert(target.clone(), settings).is_some() {
            return Err(Invalid(format!("network {target:?} is specified multiple times")));
        }
    }
    Ok(Networks { mode, endpoints })
}

/// Any network but Docker's own kinds; `container:x` is not one.
pub(crate) fn user_defined(target: &str) -> bool {
    !matches!(target, "default" | "bridge" | "host" | "none") && !target.starts_with("container:")
}

fn take_plain_flags(first: &mut Attachment, flags: &NetworkFlags) -> Result<(), Invalid> {
    let conflict = |flag: &str, what: &str| {
        Invalid(format!("conflicting options: cannot specify both --{flag} and per-network {what}"))
    };
    if !flags.network_alias.is_empty() && !first.aliases.is_empty() {
        return Err(conflict("network-alias", "alias"));
    }
    if !flags.link.is_empty() && !first.links.is_empty() {
        return Err(conflict("link", "links"));
    }
    if flags.ip.is_some() && first.ipv4.is_some() {
        return Err(conflict("ip", "IPv4 address"));
    }
    if flags.ip6.is_some() && first.ipv6.is_some() {
        return Err(conflict("ip6", "IPv6 address"));
    }
    if flags.mac_address.is_some() && first.mac.is_some() {
        return Err(conflict("mac-address", "MAC address"));
    }
    if !flags.link_local_ip.is_empty() && !first.link_local.is_empty() {
        return Err(conflict("link-local-ip", "link-local IP addresses"));
    }
    first.aliases.extend(flags.network_alias.iter().cloned());
    if user_defined(&first.target) {
        first.links.extend(flags.link.iter().cloned());
    }
    first.ipv4 = first.ipv4.take().or_else(|| flags.ip.clone());
    first.ipv6 = first.ipv6.take().or_else(|| flags.ip6.clone());
    first.mac = first.mac.take().or_else(|| flags.mac_address.clone());
    first.link_local.extend(flags.link_local_ip.iter().cloned());
    Ok(())
}

fn endpoint(attachment: Attachment) -> Result<EndpointSettings, Invalid> {
    if attachment.target.trim().is_empty() {
        return Err(Invalid::new("no name set for network"));
    }
    if !attachment.aliases.is_empty() && !user_defined(&attachment.target) {
        return Err(Invalid::new("network-scoped aliases are only supported for user-defined networks"));
    }
    if let Some(mac) = &attachment.mac {
        mac.parse::<libnet::types::MacAddr>()
            .map_err(|_| Invalid(format!("{mac} is not a valid mac address")))?;
    }
    let driver_opts =
        lists::pairs(&attachment.driver_opts, "invalid key/value pair format in driver options")?;
    Ok(EndpointSettings {
        aliases: some(attachment.aliases),
        links: some(attachment.links),
        mac_address: attachment.mac,
        driver_opts: (!driver_opts.is_empty()).then_some(driver_opts),
        gw_priority: (attachment.gw_priority != 0).then_some(attachment.gw_priority),
        ipam_config: ipam(attachment.ipv4, attachment.ipv6, attachment.link_local),
        ..EndpointSettings::default()
    })
}

/// The addresses that were asked for, if any.
pub(crate) fn ipam(
    ipv4: Option<String>,
    ipv6: Option<String>,
    link_local: Vec<String>,
) -> Option<EndpointIpamConfig> {
    let asked = ipv4.is_some() || ipv6.is_some() || !link_local.is_empty();
    asked.then(|| EndpointIpamConfig {
        ipv4_address: ipv4,
        ipv6_address: ipv6,
        link_local_ips: some(link_local),
    })
}

/// `None` where the list is empty.
pub(crate) fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_form_is_lower_case_and_refused_in_docker_s_words() {
        let read = parse("name=Web,alias=A,alias=B,\"driver-opt=com.Docker.x=net.IFNAME.a=1,b\"").unwrap();
        assert_eq!(
            (read.target.as_str(), read.aliases.as_slice()),
            ("web", &["a".to_owned(), "b".to_owned()][..])
        );
        assert_eq!(read.driver_opts, ["com.docker.x=net.ifname.a=1,b"]);
        for (text, error) in [
            ("name=a,driver-opt=x", "invalid key value pair format in driver options"),
            ("name=a,gw-priority=x", "invalid gw-priority (x): invalid syntax"),
            (
                "name=a,gw-priority=99999999999999999999",
                "invalid gw-priority (99999999999999999999): value out of range",
            ),
            ("name=a,colour=red", "invalid field key colour"),
            ("name=a,b", "invalid field b"),
            ("alias=a", "network name/id is not specified"),
        ] {
            assert_eq!(parse(text).unwrap_err(), error, "{text}");
        }
    }
}
