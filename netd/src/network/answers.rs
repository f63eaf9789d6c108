//! Which ports are what a container got for which request: found without holding each against each, since a container may
//! have ten thousand of both.

use std::collections::HashMap;

use libnet::{
    ports::{HostPort, PortRequest, PublishedPort},
    types::{Family, Port, Proto},
};

/// Where a port leads to inside.
type Inside = (Port, Proto);

/// Requests, to be found by a port.
#[derive(Debug, Default)]
pub(super) struct Requests<'a> {
    /// Those that name one port of the host.
    exact: HashMap<(Inside, Port), Vec<&'a PortRequest>>,
    /// Those that leave a choice.
    open: HashMap<Inside, Vec<&'a PortRequest>>,
    all: HashMap<Inside, Vec<&'a PortRequest>>,
}

impl<'a> Requests<'a> {
    pub(super) fn new(requests: &'a [PortRequest]) -> Self {
        let mut this = Self::default();
        for request in requests {
            let inside = (request.container, request.proto);
            match request.host {
                HostPort::Exactly(number) => this.exact.entry((inside, number)).or_default().push(request),
                _ => this.open.entry(inside).or_default().push(request),
            }
            this.all.entry(inside).or_default().push(request);
        }
        this
    }

    /// Those that this port can be the answer to.
    pub(super) fn answered_by(&self, port: &PublishedPort) -> impl Iterator<Item = &'a PortRequest> {
        let inside = (port.container, port.proto);
        let found = match port.host_port {
            Some(number) => [self.exact.get(&(inside, number)), self.open.get(&inside)],
            None => [self.all.get(&inside), None],
        };
        found.into_iter().flatten().flatten().copied().filter(|request| answers(port, request))
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
            let (asked, has) = (Requests::new(&requests), Published::new(&ports));
            for port in &ports {
                let wanted = requests.iter().filter(|request| answers(port, request)).count();
                prop_assert_eq!(asked.answered_by(port).count(), wanted);
            }
            for request in &requests {
                prop_assert_eq!(has.answer(request), ports.iter().any(|port| answers(port, request)));
            }
        }
    }
}
