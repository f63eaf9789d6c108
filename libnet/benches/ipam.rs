//! What an address costs when a pool is empty, when it holds a million, and when others come and go all the time; and
//! what a subnet costs beside a thousand others. Run: `cargo bench -p libnet --bench ipam`.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)] // A program for people.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use libnet::{
    ipam::{Ipam, Pool, PoolAsk, PoolBase, Pools, Wanted, unique_local},
    types::Family,
};

const MILLION: usize = 1_000_000;
const SAMPLE: usize = 10_000;

fn main() {
    // Test runners start benches too, and want nothing of them.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    for subnet in ["10.0.0.0/12", "fd00::/64"] {
        fill(subnet);
    }
    subnets();
}

fn fill(subnet: &str) {
    let (mut ipam, pool) = with_pool(subnet);
    println!("{subnet}");
    let mut held: Vec<IpAddr> = Vec::with_capacity(MILLION);
    let first = timed(|| take(&mut ipam, pool, &mut held, SAMPLE));
    println!("  {:<44} {:>8.0?}", "the first 10,000 addresses, each", first);
    take(&mut ipam, pool, &mut held, MILLION - 2 * SAMPLE);
    let last = timed(|| take(&mut ipam, pool, &mut held, SAMPLE));
    println!("  {:<44} {:>8.0?}  ratio {:.2}", "the last 10,000 of a million", last, ratio(last, first));
    // Every other one goes: half a million holes.
    for ip in held.iter().step_by(2) {
        ipam.release_address(pool, *ip).unwrap();
    }
    let mut last = held.len() - 1;
    let churn = timed(|| {
        for n in 0..SAMPLE {
            let ip = ipam.request_address(pool, None).unwrap();
            ipam.release_address(pool, held[last]).unwrap();
            held[last] = ip;
            last = 2 * n + 1;
        }
    });
    println!("  {:<44} {:>8.0?}", "one comes, one goes, beside 500,000 holes", churn);
}

fn subnets() {
    let base = PoolBase::new("10.0.0.0/8".parse().unwrap(), 24).unwrap();
    let mut ipam = Ipam::new(Pools::configured(vec![base], &Pools::docker(unique_local([0; 5]))));
    let ask = PoolAsk { subnet: Wanted::Any, range: None, family: Family::V4 };
    println!("subnets of a /8");
    for count in [10, 1_000, 10_000] {
        while ipam.pools().count() < count {
            ipam.request_pool(&ask, &[]).unwrap();
        }
        let one = (0..100).map(|_| {
            let started = Instant::now();
            let pool = ipam.request_pool(&ask, &[]).unwrap();
            ipam.release_pool(pool).unwrap();
            started.elapsed()
        });
        println!("  one more beside {count:>6} networks {:>31.0?}", one.sum::<Duration>() / 100);
    }
}

fn with_pool(subnet: &str) -> (Ipam, Pool) {
    let mut ipam = Ipam::new(Pools::docker(unique_local([0; 5])));
    let subnet = subnet.parse().unwrap();
    let family = if matches!(subnet, ipnetwork::IpNetwork::V4(_)) { Family::V4 } else { Family::V6 };
    let ask = PoolAsk { subnet: Wanted::Exactly(subnet), range: None, family };
    let pool = ipam.request_pool(&ask, &[]).unwrap();
    (ipam, pool)
}

fn take(ipam: &mut Ipam, pool: Pool, held: &mut Vec<IpAddr>, count: usize) {
    held.extend((0..count).map(|_| ipam.request_address(pool, None).unwrap()));
}

/// How long one of [`SAMPLE`] takes.
fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed() / SAMPLE as u32
}

fn ratio(of: Duration, to: Duration) -> f64 {
    of.as_secs_f64() / to.as_secs_f64()
}
