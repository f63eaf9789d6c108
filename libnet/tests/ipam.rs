//! Address management as a whole, against a plain list of who owns what.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic as the test may")]

use std::{collections::BTreeMap, net::IpAddr};

use ipnetwork::IpNetwork;
use libnet::{
    ipam::{Ipam, Pool, PoolAsk, PoolBase, Pools, Wanted, overlaps, unique_local},
    types::Family,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// A subnet of the pools, or a /28 of a network's own choice.
    MakePool(Option<u8>),
    RemovePool(usize),
    Take(usize),
    TakeThis(usize, u8),
    GiveBack(usize),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<Option<u8>>().prop_map(Step::MakePool),
        1 => any::<usize>().prop_map(Step::RemovePool),
        8 => any::<usize>().prop_map(Step::Take),
        4 => (any::<usize>(), 0..20_u8).prop_map(|(pool, n)| Step::TakeThis(pool, n)),
        6 => any::<usize>().prop_map(Step::GiveBack),
        1 => Just(Step::Restart),
    ]
}

fn fresh() -> Ipam {
    let base = PoolBase::new("10.0.0.0/24".parse().unwrap(), 29).unwrap();
    Ipam::new(Pools::configured(vec![base], &Pools::docker(unique_local([0; 5]))))
}

/// Who owns what: pools with their addresses, each of them once.
#[derive(Default)]
struct Owners(BTreeMap<Pool, Vec<IpAddr>>);

impl Owners {
    fn pool(&self, number: usize) -> Option<Pool> {
        let count = self.0.len().max(1);
        self.0.keys().nth(number % count).copied()
    }

    fn one(&self, number: usize) -> Option<(Pool, IpAddr)> {
        let all: Vec<_> = self.0.iter().flat_map(|(pool, ips)| ips.iter().map(|ip| (*pool, *ip))).collect();
        all.get(number % all.len().max(1)).copied()
    }

    fn add(&mut self, pool: Pool, ip: IpAddr) -> Result<(), TestCaseError> {
        let ips = self.0.entry(pool).or_default();
        prop_assert!(!ips.contains(&ip), "{} has two owners", ip);
        prop_assert!(pool.subnet().contains(ip));
        ips.push(ip);
        Ok(())
    }

    /// What a daemon does at its start: it takes in what was written down.
    fn restart(&self) -> Ipam {
        let mut ipam = fresh();
        for (pool, ips) in &self.0 {
            let ask = PoolAsk { subnet: Wanted::Exactly(pool.subnet()), range: None, family: Family::V4 };
            ipam.request_pool(&ask, &[]).unwrap();
            ips.iter().for_each(|ip| _ = ipam.restore_address(*pool, *ip).unwrap());
        }
        ipam
    }
}

proptest! {
    #[test]
    fn nothing_has_two_owners_and_what_is_given_back_is_free(steps in prop::collection::vec(step(), 0..200)) {
        let (mut ipam, mut owners) = (fresh(), Owners::default());
        for step in steps {
            play(&mut ipam, &mut owners, &step)?;
            for (pool, ips) in &owners.0 {
                let usage = ipam.usage(*pool).unwrap();
                let reserved = 2;
                prop_assert_eq!(usage.in_use, ips.len() as u128 + reserved);
            }
        }
        // Whatever was left is there for others, all of it.
        for (pool, ips) in &owners.0 {
            let left = std::iter::from_fn(|| ipam.request_address(*pool, None).ok()).count();
            prop_assert_eq!(left + ips.len() + 2, size(*pool));
        }
    }
}

fn play(ipam: &mut Ipam, owners: &mut Owners, step: &Step) -> Result<(), TestCaseError> {
    match step {
        Step::MakePool(own) => {
            let own = own.map(|n| IpNetwork::new([10, 0, 0, n & 0xf0].into(), 28).unwrap());
            let subnet = own.map_or(Wanted::Any, Wanted::Exactly);
            if let Ok(pool) = ipam.request_pool(&PoolAsk { subnet, range: None, family: Family::V4 }, &[]) {
                let other = owners.0.keys().find(|other| overlaps(&other.subnet(), &pool.subnet()));
                prop_assert_eq!(other, None);
                owners.0.insert(pool, Vec::new());
            }
        }
        Step::RemovePool(number) => {
            if let Some(pool) = owners.pool(*number) {
                ipam.release_pool(pool).unwrap();
                owners.0.remove(&pool);
            }
        }
        Step::Take(number) => {
            if let Some(pool) = owners.pool(*number) {
                match ipam.request_address(pool, None) {
                    Ok(ip) => owners.add(pool, ip)?,
                    Err(_) => prop_assert_eq!(owners.0[&pool].len() + 2, size(pool)),
                }
            }
        }
        Step::TakeThis(number, last) => {
            if let Some(pool) = owners.pool(*number)
                && let Some(ip) = pool.subnet().iter().nth(usize::from(*last))
                && ipam.request_address(pool, Some(ip)).is_ok()
            {
                owners.add(pool, ip)?;
            }
        }
        Step::GiveBack(number) => {
            if let Some((pool, ip)) = owners.one(*number) {
                ipam.release_address(pool, ip).unwrap();
                owners.0.get_mut(&pool).unwrap().retain(|held| *held != ip);
            }
        }
        Step::Restart => *ipam = owners.restart(),
    }
    Ok(())
}

fn size(pool: Pool) -> usize {
    pool.subnet().iter().count()
}
