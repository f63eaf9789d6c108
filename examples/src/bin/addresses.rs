//! Addresses alone: subnets that keep clear of what the host has, gateways, leases. Pure values: no kernel, no disk.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use ipnetwork::IpNetwork;
use libnet::{
    ipam::{Ipam, PoolAsk, Pools, Wanted, unique_local},
    types::Family,
};

fn main() -> anyhow::Result<()> {
    let mut ipam = Ipam::new(Pools::docker(unique_local([1, 2, 3, 4, 5])));
    // Where the host is already, by address or by route; `Host::routes_and_links` tells.
    let taken: [IpNetwork; 2] = ["172.17.0.0/16".parse()?, "172.19.5.0/24".parse()?];
    let any = |family| PoolAsk { subnet: Wanted::Any, range: None, family };

    let first = ipam.request_pool(&any(Family::V4), &taken)?;
    let second = ipam.request_pool(&any(Family::V4), &taken)?;
    let six = ipam.request_pool(&any(Family::V6), &taken)?;
    println!("subnets: {}, {}, {}", first.subnet(), second.subnet(), six.subnet());

    let own = PoolAsk {
        subnet: Wanted::Exactly("192.168.0.0/24".parse()?),
        range: Some("192.168.0.128/25".parse()?),
        family: Family::V4,
    };
    let own = ipam.request_pool(&own, &taken)?;
    println!("gateway of {}: {}", own.subnet(), ipam.request_gateway(own, None)?);
    let (a, b) = (ipam.request_address(own, None)?, ipam.request_address(own, None)?);
    println!("leases: {a}, {b}");
    ipam.release_address(own, a)?;
    // An address rests as long as possible: somebody may still believe that it is the former owner's.
    println!("{a} given back; next: {}", ipam.request_address(own, None)?);
    let taken_address = ipam.request_address(own, Some(b)).err();
    println!("{b} again: {}", taken_address.map(|error| error.to_string()).unwrap_or_default());
    let wide = Wanted::Exactly("192.168.0.0/16".parse()?);
    let overlap = PoolAsk { subnet: wide, range: None, family: Family::V4 };
    let refused = ipam.request_pool(&overlap, &taken).err();
    println!("192.168.0.0/16: {}", refused.map(|error| error.to_string()).unwrap_or_default());
    Ok(())
}
