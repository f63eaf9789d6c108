//! Ports that may be chosen freely: the kernel's own range, without what its administrator set apart.

use std::fs;

use crate::types::{Port, PortRange};

/// Where the kernel says which ports it gives out itself.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Ports that the kernel is told not to give out by itself, as in `8080,9148-9150`.
const RESERVED: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";
/// The kernel's own default for the first.
const EPHEMERAL_DEFAULT: (u16, u16) = (32_768, 60_999);

/// The range that the kernel gives ports out of.
pub(super) fn ephemeral() -> PortRange {
    let read = || {
        let text = fs::read_to_string(EPHEMERAL).ok()?;
        let mut numbers = text.split_whitespace().map(|number| number.parse().ok().and_then(Port::new));
        PortRange::new(numbers.next()??, numbers.next()??).ok()
    };
    read().unwrap_or_else(|| {
        let (first, last) = EPHEMERAL_DEFAULT;
        let port = |number| Port::new(number).unwrap_or_else(|| unreachable!("not zero"));
        PortRange::new(port(first), port(last)).unwrap_or_else(|_| port(last).into())
    })
}

/// What of it is not to be given out.
pub(super) fn reserved() -> Vec<PortRange> {
    let text = fs::read_to_string(RESERVED).unwrap_or_default();
    text.trim().split(',').filter_map(|range| range.parse().ok()).collect()
}
