//! Which ports are what a container got for which request: found without holding each against each, since a container may
//! have ten thousand of both.

use std::collections::{BTreeMap, HashMap};

use libnet::{
    ports::{HostPort, PortRequest, PublishedPort},
    types::{Family, Port, Proto},
};

/// Where a port leads to inside.
type Inside = (Port, Proto);

/// What the requests of a container got. A number is one request's; those who may have any take what others leave.
#[derive(Debug, Default)]
pub(super) struct Matched<'a> {
    /// Of those that name an address.
    pub(super) named: Vec<PublishedPort>,
    /// Of those that don't, wherever it is.
    pub(super) nameless: Vec<PublishedPort>,
    /// Those that got nothing yet.
    pub(super) unanswered: Vec<&'a PortRequest>,
}

impl<'a> Matched<'a> {
    pub(super) fn new(requests: &'a [PortRequest], published: &[PublishedPort]) -> Self {
        let mut inside: BTreeMap<Inside, (Vec<&PortRequest>, Vec<PublishedPort>)> = BTreeMap::new();
        for request in requests {
            inside.entry((request.container, request.proto)).or_default().0.push(request);
        }
        for port in published {
            // What nobody asks for any more is nobody's.
            inside.entry((port.container, port.proto)).and_modify(|(_, ports)| ports.push(*port));
        }
        let mut matched = Self::default();
        for (mut requests, ports) in inside.into_values() {
            requests.sort_by_key(|request| (freedom(request.host), request.host_ip.is_none()));
            matched.add(requests, ports);
        }
        matched
    }

    /// Requests for one port inside, those that have the least choice first, and what there is for it.
    fn add(&mut self, requests: Vec<&'a PortRequest>, ports: Vec<PublishedPort>) {
        let (mut free, direct): (Vec<_>, Vec<_>) =
            ports.into_iter().partition(|port| port.host_port.is_some());
        for request in requests {
            let mut got: Vec<_> = direct.iter().copied().filter(|port| answers(port, request)).collect();
            if let Some(first) = free.iter().copied().find(|port| answers(port, request)) {
                let is_it = |port: &PublishedPort| *port == first || is_same_number(request, &first, port);
                got.extend(free.extract_if(.., |port| is_it(port)));
            }
            if got.is_empty() {
                self.unanswered.push(request);
            }
            let all = if request.host_ip.is_some() { &mut self.named } else { &mut self.nameless };
            got.retain(|port| port.host_port.is_some() || !all.contains(port));
            all.extend(got);
        }
    }
}

/// Ports, to be found by a request.
#[derive(Debug, Default)]
pub(super) struct Published<'a> {
    numbered: HashMap<(Inside, Port), Vec<&'a PublishedPort>>,
    /// Those without a port of the host.
    direct: HashMap<Inside, Vec<&'a PublishedPort>>,
    all: HashMap<Inside, Vec<&'a PublishedPort>>,
}

impl<'a> Published<'a> {
    pub(super) fn new(ports: impl IntoIterator<Item = &'a PublishedPort>) -> Self {
        let mut this = Self::default();
        for port in ports {
            let inside = (port.container, port.proto);
            match port.host_port {
                Some(number) => this.numbered.entry((inside, number)).or_default().push(port),
                None => this.direct.entry(inside).or_default().push(port),
            }
            this.all.entry(inside).or_default().push(port);
        }
        this
    }

    /// Whether one of them can be the answer to this request.
    pub(super) fn answer(&self, request: &PortRequest) -> bool {
        let inside = (request.container, request.proto);
        let found = match request.host {
            HostPort::Exactly(number) => [self.numbered.get(&(inside, number)), self.direct.get(&inside)],
            _ => [self.all.get(&inside), None],
        };
        found.into_iter().flatten().flatten().any(|port| answers(port, request))
    }
}

/// How many ports would do.
const fn freedom(host: HostPort) -> u8 {
    match host {
        HostPort::Exactly(_) => 0,
        HostPort::OneOf(_) => 1,
        HostPort::Ephemeral | HostPort::Direct => 2,
    }
}

/// Whether two ports are one number of a request that names no address.
fn is_same_number(request: &PortRequest, one: &PublishedPort, other: &PublishedPort) -> bool {
    request.host_ip.is_none() && PublishedPort { host_ip: one.host_ip, ..*other } == *one
}

/// Whether a port can be what the request got.
fn answers(port: &PublishedPort, request: &PortRequest) -> bool {
    if (port.container, port.proto) != (request.container, request.proto) {
        return false;
    }
    let Some(given) = port.host_port else {
        return request.host_ip.is_none_or(|ip| Family::of(ip) == Family::of(port.host_ip));
    };
    let number = match request.host {
        HostPort::Exactly(number) => number == given,
        HostPort::OneOf(range) => range.iter().any(|number| number == given),
        HostPort::Ephemeral => true,
        HostPort::Direct => false,
    };
    number && request.host_ip.is_none_or(|ip| ip == port.host_ip)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn port() -> impl Strategy<Value = Port> {
        (80_u16..84).prop_map(|number| Port::new(number).unwrap())
    }

    fn ip() -> impl Strategy<Value = std::net::IpAddr> {
        prop_oneof![Just("0.0.0.0"), Just("::"), Just("127.0.0.1")].prop_map(|ip| ip.parse().unwrap())
    }

    fn request() -> impl Strategy<Value = PortRequest> {
        let range = (port(), port()).prop_filter_map("backwards", |(a, b)| {
            libnet::types::PortRange::new(a, b).ok().map(HostPort::OneOf)
        });
        let host = prop_oneof![
            port().prop_map(HostPort::Exactly),
            range,
            Just(HostPort::Ephemeral),
            Just(HostPort::Direct)
        ];
        (proptest::option::of(ip()), host, port()).prop_map(|(host_ip, host, container)| PortRequest {
            host_ip,
            host,
            container,
            proto: Proto::Tcp,
        })
    }

    fn published() -> impl Strategy<Value = PublishedPort> {
        (ip(), proptest::option::of(port()), port()).prop_map(|(host_ip, host_port, container)| {
            PublishedPort { host_ip, host_port, container, proto: Proto::Tcp }
        })
    }

    proptest! {
        /// The same as if each was held against each.
        #[test]
        fn nothing_is_overlooked(requests in prop::collection::vec(request(), 0..12),
                                 ports in prop::collection::vec(published(), 0..12)) {
            let has = Published::new(&ports);
            for request in &requests {
                prop_assert_eq!(has.answer(request), ports.iter().any(|port| answers(port, request)));
            }
            let matched = Matched::new(&requests, &ports);
            for request in matched.unanswered {
                prop_assert!(requests.iter().any(|known| known == request));
                prop_assert!(!ports.iter().any(|port| port.host_port.is_none() && answers(port, request)));
            }
            for port in matched.named.iter().chain(&matched.nameless) {
                prop_assert!(requests.iter().any(|request| answers(port, request)));
            }
        }
    }
}
