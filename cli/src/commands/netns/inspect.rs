//! `pontoon netns inspect`.

use libnet::netns::Process;
use libnet::observe::{Inside, Link, Owned};
use serde_json::{Map, Value, json};

use super::look::{Seen, Surroundings};
use super::{names, read};
use crate::args::NetnsInspect;
use crate::error::CliError;
use crate::format;
use crate::output;

pub(super) fn run(args: &NetnsInspect) -> Result<(), CliError> {
    let around = Surroundings::look()?;
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for text in &args.namespaces {
        match inspect(text, &around) {
            Ok(value) => found.push(value),
            Err(error) => errors.push(error),
        }
    }
    let text = format::inspect::render(&found, args.format.as_deref()).map_err(CliError::Template)?;
    output::data(&text)?;
    if errors.is_empty() { Ok(()) } else { Err(CliError::Several(errors)) }
}

fn inspect(text: &str, around: &Surroundings) -> Result<Value, CliError> {
    let reference = read(text)?;
    let netns = reference.open(names()).map_err(CliError::library)?;
    let seen = Seen::look(reference.path(names()), &netns)?;
    Ok(value(text, &seen, around))
}

fn value(text: &str, seen: &Seen, around: &Surroundings) -> Value {
    let names = around.named.iter().filter(|named| named.namespace == Some(seen.identity));
    let names: Vec<&str> = names.map(|named| named.name.as_str()).collect();
    let processes = around.processes_in(seen.identity).iter().map(|pid| Process::read(*pid));
    let processes: Vec<Value> =
        processes.map(|process| json!({ "Pid": process.pid, "Name": process.name })).collect();
    let links = seen.inside.snapshot.links.iter().map(|link| self::link(link, seen, around));
    json!({
        "Name": text,
        "Names": names,
        "Path": seen.path.to_string_lossy(),
        "Inode": seen.identity.inode(),
        "Processes": processes,
        "Links": links.collect::<Vec<_>>(),
        "Routes": routes(&seen.inside),
        "Neighbours": neighbours(&seen.inside),
        "Listening": listening(&seen.inside),
        "Tables": tables(&seen.inside),
        "Sysctls": sysctls(&seen.inside),
    })
}

fn link(link: &Link, seen: &Seen, around: &Surroundings) -> Value {
    let snapshot = &seen.inside.snapshot;
    let mut value = json!({
        "Name": link.name.as_str(),
        "Index": link.index,
        "Kind": if link.kind.is_empty() { "device" } else { &link.kind },
        "Up": link.up,
        "MacAddress": mac(&link.mac),
        "Addresses": seen.addresses(Some(link)),
    });
    // That of loopback is more than any Ethernet link has.
    if let Some(mtu) = link.mtu {
        value["Mtu"] = json!(u32::from(mtu));
    }
    if let Some(bridge) = link.bridge.and_then(|index| snapshot.link(index)) {
        value["Bridge"] = json!(bridge.name.as_str());
    }
    if let Some(alias) = &link.alias {
        value["Alias"] = json!(alias);
    }
    if let Some(end) = around.host_end(seen, link) {
        let bridge = end.bridge.and_then(|index| around.here.link(index));
        value["HostLink"] = json!({
            "Name": end.name.as_str(),
            "Index": end.index,
            "Up": end.up,
            "Bridge": bridge.map(|bridge| bridge.name.as_str()),
        });
    } else if let Some(peer) = link.peer.filter(|peer| peer.namespace.is_none()) {
        value["Peer"] = json!(snapshot.link(peer.index).map(|peer| peer.name.as_str()));
    }
    if let Some(Owned::Endpoint { id, network, container }) = around.owner(seen, link) {
        value["Endpoint"] =
            json!({ "EndpointID": id.to_string(), "Network": network, "Container": container });
    }
    value
}

fn mac(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn link_name(inside: &Inside, index: u32) -> String {
    inside.snapshot.link(index).map_or_else(|| format!("#{index}"), |link| link.name.to_string())
}

fn routes(inside: &Inside) -> Vec<Value> {
    let route = |route: &libnet::observe::Route| {
        let to = if route.to.prefix() == 0 { "default".to_owned() } else { route.to.to_string() };
        json!({
            "Destination": to,
            "Family": if route.to.is_ipv4() { "IPv4" } else { "IPv6" },
            "Gateway": route.gateway.map(|gateway| gateway.to_string()),
            "Link": route.link.map(|index| link_name(inside, index)),
        })
    };
    inside.snapshot.routes.iter().map(route).collect()
}

fn neighbours(inside: &Inside) -> Vec<Value> {
    let neighbour = |neighbour: &libnet::observe::Neighbour| {
        json!({
            "Address": neighbour.address.to_string(),
            "MacAddress": mac(&neighbour.mac),
            "Link": link_name(inside, neighbour.link),
            "State": neighbour.state,
        })
    };
    inside.neighbours.iter().map(neighbour).collect()
}

fn listening(inside: &Inside) -> Vec<String> {
    inside.listening.iter().map(|socket| format!("{}/{}", socket.address, socket.proto)).collect()
}

fn tables(inside: &Inside) -> Vec<String> {
    inside.tables.iter().map(|table| format!("{} {}", table.family, table.name)).collect()
}

fn sysctls(inside: &Inside) -> Map<String, Value> {
    let name = |key: &String| format!("net.{}", key.replace('/', "."));
    inside.settings.iter().map(|(key, value)| (name(key), json!(value))).collect()
}
