//! `pontoon netns attach`.

use std::collections::HashMap;

use bollard::models::EndpointSettings;
use serde_json::{Value, json};

use super::for_daemon;
use crate::args::NetnsAttach;
use crate::client::Body;
use crate::context::Context;
use crate::error::CliError;
use crate::format::text;
use crate::output;
use crate::resolve::{Invalid, network, ports};

/// The driver's option for the name of an interface inside.
const IFNAME: &str = "com.docker.network.endpoint.ifname";

/// Prints the addresses that the namespace has got, one a line.
pub(super) async fn run(args: &NetnsAttach, context: &Context<'_>) -> Result<(), CliError> {
    let request = json!({
        "Namespace": for_daemon(&args.namespace, context)?,
        "Network": args.network,
        "Name": args.name,
        "EndpointConfig": endpoint(args),
        "PortBindings": bindings(args)?,
    });
    let attached = context.client()?.post("/pontoon/namespaces/attach", Body::Json(&request)).await?;
    for warning in attached["Warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        output::talk(&format!("WARNING: {warning}"));
    }
    let networks = attached["Namespace"]["Networks"].as_object().into_iter().flat_map(|map| map.iter());
    let mut networks = networks.filter(|(name, of)| **name == args.network || is_id(of, &args.network));
    let Some((_, endpoint)) = networks.next() else { return Ok(()) };
    let addresses = [text(endpoint, "IPAddress"), text(endpoint, "GlobalIPv6Address")];
    addresses.into_iter().filter(|address| !address.is_empty()).try_for_each(output::line)
}

/// Whether a network was meant by its id, or the beginning of it.
fn is_id(endpoint: &Value, network: &str) -> bool {
    text(endpoint, "NetworkID").starts_with(network)
}

fn endpoint(args: &NetnsAttach) -> EndpointSettings {
    let interface = args.interface.clone().map(|name| HashMap::from([(IFNAME.to_owned(), name)]));
    EndpointSettings {
        aliases: network::some(args.alias.clone()),
        driver_opts: interface,
        gw_priority: args.gw_priority,
        ipam_config: network::ipam(args.ip.clone(), args.ip6.clone(), Vec::new()),
        mac_address: args.mac_address.clone(),
        ..EndpointSettings::default()
    }
}

fn bindings(args: &NetnsAttach) -> Result<ports::Bindings, Invalid> {
    Ok(ports::ports(&args.ports, &[])?.bindings)
}
