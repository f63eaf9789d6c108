//! Which ports are somebody's, by name: before a socket is tried for, and where there is none.

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::freed::Freed;
use crate::{
    ipam::RangeSet,
    types::{Family, Port, PortRange, Proto},
};

/// The ports of a host that are held.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Those of all addresses of a family: most are, and many in a row.
    everywhere: HashMap<(Proto, Family), RangeSet>,
    /// Those of one address.
    single: BTreeSet<(Proto, Port, IpAddr)>,
    /// Where the last search in a range ended: a port just given back is taken as late as possible.
    pub(super) last: HashMap<(Proto, PortRange), Port>,
    pub(super) freed: Freed,
}

impl Held {
    /// Claims a port of an address. The unspecified address stands for all of its family.
    pub(super) fn claim(&mut self, proto: Proto, port: Port, ip: IpAddr) -> bool {
        if !self.is_free(proto, port, ip) {
            return false;
        }
        if ip.is_unspecified() {
            self.everywhere.entry((proto, Family::of(ip))).or_default().insert(number(port), number(port));
        } else {
            self.single.insert((proto, port, ip));
        }
        true
    }

    pub(super) fn is_free(&self, proto: Proto, port: Port, ip: IpAddr) -> bool {
        let everywhere = self.everywhere.get(&(proto, Family::of(ip)));
        if everywhere.is_some_and(|ports| ports.contains(number(port))) {
            return false;
        }
        let last: IpAddr = match Family::of(ip) {
            _ if !ip.is_unspecified() => ip,
            Family::V4 => Ipv4Addr::BROADCAST.into(),
            Family::V6 => Ipv6Addr::from_bits(u128::MAX).into(),
        };
        self.single.range((proto, port, ip)..=(proto, port, last)).next().is_none()
    }

    pub(super) fn release(&mut self, proto: Proto, port: Port, ip: IpAddr) {
        if !ip.is_unspecified() {
            self.single.remove(&(proto, port, ip));
        } else if let Some(ports) = self.everywhere.get_mut(&(proto, Family::of(ip))) {
            ports.remove(number(port));
        }
    }
}

fn number(port: Port) -> u128 {
    port.get().into()
}

/// Looks at what is held, or changes it.
pub(super) fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    // Each change is one insertion or removal: there is no half of it.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unspecified_address_stands_for_all_of_its_family() {
        let port = |number: u16| Port::new(number).unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (held, asked, free) in [
            ("10.0.0.1", "10.0.0.1", false),
            ("10.0.0.1", "10.0.0.2", true),
            ("10.0.0.1", "0.0.0.0", false),
            ("0.0.0.0", "255.255.255.255", false),
            ("0.0.0.0", "::", true),
            ("::", "0.0.0.0", true),
            ("::", "ffff::1", false),
            ("fd00::1", "::", false),
            ("fd00::1", "fd00::2", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
        ] {
            let mut all = Held::default();
            assert!(all.claim(Proto::Tcp, port(80), ip(held)), "{held}");
            assert_eq!(all.claim(Proto::Tcp, port(80), ip(asked)), free, "{asked} beside {held}");
            assert!(
                all.is_free(Proto::Udp, port(80), ip(held)) && all.is_free(Proto::Tcp, port(81), ip(held))
            );
            all.release(Proto::Tcp, port(80), ip(held));
            assert!(all.claim(Proto::Tcp, port(80), ip(held)), "{held} once it is given back");
        }
    }
}
