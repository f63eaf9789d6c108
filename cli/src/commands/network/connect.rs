//! `pontoon network connect`.

use bollard::models::{EndpointSettings, NetworkConnectRequest};

use crate::args::NetworkConnect;
use crate::context::Context;
use crate::error::CliError;
use crate::resolve::{Invalid, lists, network};

pub(crate) async fn run(args: &NetworkConnect, context: &Context<'_>) -> Result<(), CliError> {
    let request =
        NetworkConnectRequest { container: args.container.clone(), endpoint_config: Some(endpoint(args)?) };
    Ok(context.client()?.docker().await?.connect_network(&args.network, request).await?)
}

fn endpoint(args: &NetworkConnect) -> Result<EndpointSettings, Invalid> {
    let driver_opts = lists::pairs(&args.driver_opt, "invalid key/value pair format in driver options")?;
    Ok(EndpointSettings {
        aliases: network::some(args.alias.clone()),
        links: network::some(args.link.clone()),
        driver_opts: (!driver_opts.is_empty()).then_some(driver_opts),
        gw_priority: args.gw_priority,
        ipam_config: network::ipam(args.ip.clone(), args.ip6.clone(), args.link_local_ip.clone()),
        ..EndpointSettings::default()
    })
}
