//! `pontoon network create`.

use bollard::models::{ConfigReference, Ipam, NetworkCreateRequest};

use crate::args::NetworkCreate;
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::resolve::{Invalid, ipam, lists};

pub(crate) async fn run(args: &NetworkCreate, context: &Context<'_>) -> Result<(), CliError> {
    let request = request(args)?;
    let created = context.client()?.docker().await?.create_network(request).await?;
    if !created.warning.is_empty() {
        output::talk(&format!("WARNING: {}", created.warning));
    }
    output::line(&created.id)
}

fn request(args: &NetworkCreate) -> Result<NetworkCreateRequest, Invalid> {
    let pools = ipam::Pools {
        subnets: &args.subnet,
        ranges: &args.ip_range,
        gateways: &args.gateway,
        auxiliary: &args.aux_address,
    };
    let ipam = Ipam {
        driver: Some(args.ipam_driver.clone()),
        options: Some(lists::map(&args.ipam_opt)),
        config: Some(ipam::consolidate(&pools)?),
    };
    Ok(NetworkCreateRequest {
        name: args.network.clone(),
        driver: Some(args.driver.clone()),
        scope: args.scope.clone(),
        internal: Some(args.internal),
        attachable: Some(args.attachable),
        ingress: Some(args.ingress),
        config_only: Some(args.config_only),
        config_from: args.config_from.clone().map(|network| ConfigReference { network: Some(network) }),
        ipam: Some(ipam),
        enable_ipv4: args.ipv4,
        enable_ipv6: args.ipv6,
        options: Some(lists::map(&args.opt)),
        labels: Some(lists::map(&args.label)),
    })
}
