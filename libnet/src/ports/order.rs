//! In which order ports are taken: who asks for one exactly comes before those who take any, and who asks for any on
//! several addresses gets the same number on all of them.

use std::{collections::HashMap, net::IpAddr};

use super::{HostPort, PortRequest};
use crate::types::Family;

/// Requests that one number is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Where the first of them stands.
    pub(super) index: usize,
    /// The first of them.
    pub(super) request: PortRequest,
    /// The addresses; none: all.
    pub(super) ips: Vec<IpAddr>,
}

/// The groups, in the order in which they are to be taken.
pub(super) fn groups(requests: &[PortRequest]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    // Where those stand that differ in their address alone.
    let mut alike: HashMap<PortRequest, Vec<usize>> = HashMap::new();
    for (index, request) in requests.iter().enumerate() {
        let alike = alike.entry(PortRequest { host_ip: None, ..*request }).or_default();
        let joined = alike.iter().find(|group| groups[**group].can_take(request));
        match (joined, request.host_ip) {
            (Some(group), Some(ip)) => groups[*group].ips.push(ip),
            _ => {
                alike.push(groups.len());
                groups.push(Group { index, request: *request, ips: request.host_ip.into_iter().collect() });
            }
        }
    }
    groups.sort_by_key(|group| !matches!(group.request.host, HostPort::Exactly(_)));
    groups
}

impl Group {
    /// Whether the address of a request that is like these otherwise is none of theirs.
    fn can_take(&self, request: &PortRequest) -> bool {
        let apart = |ip: IpAddr| !self.ips.is_empty() && self.ips.iter().all(|other| !overlap(*other, ip));
        request.host_ip.is_some_and(apart)
    }
}

fn overlap(one: IpAddr, other: IpAddr) -> bool {
    let either = one == other || one.is_unspecified() || other.is_unspecified();
    Family::of(one) == Family::of(other) && either
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Port, Proto};

    fn ask(ip: &str, host: HostPort, container: u16) -> PortRequest {
        let container = Port::new(container).unwrap();
        PortRequest { host_ip: ip.parse().ok(), host, container, proto: Proto::Tcp }
    }

    fn texts(requests: &[PortRequest]) -> Vec<String> {
        let text = |group: &Group| {
            let ips: Vec<_> = group.ips.iter().map(ToString::to_string).collect();
            format!("{} {} {}", group.index, group.request.container, ips.join(","))
        };
        groups(requests).iter().map(text).collect()
    }

    #[test]
    fn exactly_comes_first_and_any_is_the_same_on_all_addresses() {
        let any = HostPort::Ephemeral;
        let exactly = HostPort::Exactly(Port::new(8000).unwrap());
        let requests = [
            ask("127.0.0.1", any, 80),
            ask("", any, 81),
            ask("::1", any, 80),
            ask("127.0.0.1", exactly, 82),
            // Its own number: the address has one already.
            ask("127.0.0.1", any, 80),
            ask("0.0.0.0", any, 80),
            ask("::", any, 80),
            ask("", any, 81),
        ];
        let expected =
            ["3 82 127.0.0.1", "0 80 127.0.0.1,::1", "1 81 ", "4 80 127.0.0.1,::", "5 80 0.0.0.0", "7 81 "];
        assert_eq!(texts(&requests), expected);
    }
}
