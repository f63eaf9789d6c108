//! Which ports of the host an endpoint is to have, of those that it asks for, and which of them need a relay.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{
    firewall::FirewallEndpoint,
    host::BridgeNetwork,
    ports::{HostPort, PortRequest, PublishedPort},
    types::{Family, GatewayMode, Internal, Proto},
};

/// The requests of an endpoint as its network has them: where the network says if they name no address, and without a
/// port of the host in a family that is routed.
pub(crate) fn requests(
    net: &BridgeNetwork,
    who: &FirewallEndpoint,
    asked: &[PortRequest],
) -> Vec<PortRequest> {
    asked.iter().flat_map(|request| in_network(net, who, request)).collect()
}

fn in_network(net: &BridgeNetwork, who: &FirewallEndpoint, request: &PortRequest) -> Vec<PortRequest> {
    let request = PortRequest { host_ip: request.host_ip.or(net.default_host_ip), ..*request };
    let is_routed = |family: &Family| net.exposure.mode(*family) == GatewayMode::Routed;
    let families = request.host_ip.map_or(vec![Family::V4, Family::V6], |ip| vec![Family::of(ip)]);
    if !families.iter().any(is_routed) {
        return vec![request];
    }
    let has = |family: &Family| who.addresses().any(|ip| Family::of(ip) == *family);
    let one = |family: Family| {
        let everywhere = Some(unspecified(family));
        if is_routed(&family) {
            PortRequest { host_ip: everywhere, host: HostPort::Direct, ..request }
        } else {
            PortRequest { host_ip: request.host_ip.or(everywhere), ..request }
        }
    };
    families.into_iter().filter(has).map(one).collect()
}

/// Whether one of these requests of an endpoint leads to a port that is reached by 127.0.0.1.
pub(crate) fn ask_for_loopback(
    net: &BridgeNetwork,
    who: &FirewallEndpoint,
    requests: &[PortRequest],
) -> bool {
    let asks = |request: &PortRequest| {
        request.host != HostPort::Direct && request.host_ip.is_none_or(is_reached_by_loopback)
    };
    can_be_reached_by_loopback(net, who) && requests.iter().any(asks)
}

/// Whether a port of an endpoint is reached by 127.0.0.1.
pub(crate) fn reaches_loopback(net: &BridgeNetwork, who: &FirewallEndpoint) -> bool {
    let reaches = |port: &PublishedPort| port.host_port.is_some() && is_reached_by_loopback(port.host_ip);
    can_be_reached_by_loopback(net, who) && who.ports.iter().any(reaches)
}

/// What has no IPv4 is relayed.
fn can_be_reached_by_loopback(net: &BridgeNetwork, who: &FirewallEndpoint) -> bool {
    net.internal == Internal::No && who.v4.is_some()
}

fn is_reached_by_loopback(ip: IpAddr) -> bool {
    ip.is_ipv4() && (ip.is_unspecified() || ip.is_loopback())
}

/// Where clients of a port are to be led that can't be led by rewriting addresses: those who speak the family that the
/// container doesn't have, and those who ask for the host as `::1` or by a link-local address.
pub(crate) fn relayed(
    net: &BridgeNetwork,
    who: &FirewallEndpoint,
    port: &PublishedPort,
) -> Option<SocketAddr> {
    if net.internal == Internal::Yes || port.host_port.is_none() || port.proto == Proto::Sctp {
        return None;
    }
    let (v4, v6) = (who.v4.map(IpAddr::V4), who.v6.map(IpAddr::V6));
    let to = match port.host_ip {
        IpAddr::V4(_) => v6.filter(|_| v4.is_none()),
        IpAddr::V6(ip) => {
            let near = ip.is_unspecified() || ip.is_loopback() || ip.is_unicast_link_local();
            if v6.is_some() { v6.filter(|_| near) } else { v4 }
        }
    };
    to.map(|ip| SocketAddr::new(ip, port.container.get()))
}

const fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{EndpointId, Exposure, Mtu, NetworkId, Port, Proto};

    fn network(v4: GatewayMode, v6: GatewayMode) -> BridgeNetwork {
        BridgeNetwork {
            id: NetworkId::from_bytes([1; 32]),
            name: "net".to_owned(),
            link: "br".parse().unwrap(),
            mtu: Mtu::ETHERNET,
            v4: Some("10.0.0.1/24".parse().unwrap()),
            v6: Some("fd00::1/64".parse().unwrap()),
            internal: Default::default(),
            icc: Default::default(),
            masquerade: Default::default(),
            default_host_ip: None,
            exposure: Exposure { v4, v6, ..Exposure::default() },
            announce: Default::default(),
            lent: None,
        }
    }

    fn who(v6: bool) -> FirewallEndpoint {
        FirewallEndpoint {
            id: EndpointId::from_bytes([2; 32]),
            network: NetworkId::from_bytes([1; 32]),
            sandbox: None,
            v4: Some([10, 0, 0, 2].into()),
            v6: v6.then(|| "fd00::2".parse().unwrap()),
            ports: Vec::new(),
            guard: None,
        }
    }

    fn ask(ip: &str) -> PortRequest {
        let port = |number| Port::new(number).unwrap();
        PortRequest {
            host_ip: (!ip.is_empty()).then(|| ip.parse().unwrap()),
            host: HostPort::Exactly(port(8080)),
            container: port(80),
            proto: Proto::Tcp,
        }
    }

    fn texts(net: &BridgeNetwork, who: &FirewallEndpoint, ip: &str) -> String {
        let text = |request: &PortRequest| {
            let ip = request.host_ip.map_or("any".to_owned(), |ip| ip.to_string());
            format!("{ip} {}", if request.host == HostPort::Direct { "direct" } else { "held" })
        };
        requests(net, who, &[ask(ip)]).iter().map(text).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_routed_family_has_no_port_of_the_host() {
        use GatewayMode::{Nat, Routed};
        let table = [
            (Nat, Nat, true, "", "any held"),
            (Nat, Nat, false, "", "any held"),
            (Routed, Nat, true, "", "0.0.0.0 direct, :: held"),
            (Routed, Nat, false, "", "0.0.0.0 direct"),
            (Nat, Routed, true, "", "0.0.0.0 held, :: direct"),
            (Nat, Routed, false, "", "0.0.0.0 held"),
            (Routed, Routed, true, "127.0.0.1", "0.0.0.0 direct"),
            (Routed, Nat, true, "::1", "::1 held"),
            (Nat, Routed, false, "::1", ""),
        ];
        for (v4, v6, has_v6, ip, expected) in table {
            assert_eq!(texts(&network(v4, v6), &who(has_v6), ip), expected, "{v4} {v6} {has_v6} {ip}");
        }
        let local = BridgeNetwork { default_host_ip: Some([127, 0, 0, 1].into()), ..network(Nat, Routed) };
        assert_eq!(texts(&local, &who(true), ""), "127.0.0.1 held");
    }
    #[test]
    fn ports_of_127_0_0_1_and_of_all_addresses_are_reached_by_it() {
        let (net, both) = (network(GatewayMode::Nat, GatewayMode::Nat), who(true));
        let six = FirewallEndpoint { v4: None, ..who(true) };
        for (ip, expected) in [
            ("", true),
            ("0.0.0.0", true),
            ("127.0.0.9", true),
            ("192.0.2.1", false),
            ("::", false),
            ("::1", false),
        ] {
            assert_eq!(ask_for_loopback(&net, &both, &[ask(ip)]), expected, "{ip}");
            assert!(!ask_for_loopback(&net, &six, &[ask(ip)]), "{ip}");
            let port = PublishedPort {
                host_ip: ip.parse().unwrap_or([0, 0, 0, 0].into()),
                host_port: Port::new(8080),
                container: Port::new(80).unwrap(),
                proto: Proto::Tcp,
            };
            let published = FirewallEndpoint { ports: vec![port], ..both.clone() };
            assert_eq!(reaches_loopback(&net, &published), expected, "{ip}");
            let internal = BridgeNetwork { internal: Internal::Yes, ..net.clone() };
            assert!(!reaches_loopback(&internal, &published), "{ip}");
        }
        let direct = PortRequest { host: HostPort::Direct, ..ask("") };
        assert!(!ask_for_loopback(&net, &both, &[direct]));
    }

    #[test]
    fn what_nat_can_t_lead_is_relayed() {
        let (both, four, six) = (who(true), who(false), FirewallEndpoint { v4: None, ..who(true) });
        let (to4, to6) = ("10.0.0.2:80", "[fd00::2]:80");
        let table = [
            (&both, "0.0.0.0", ""),
            (&both, "127.0.0.1", ""),
            (&both, "2001:db8::1", ""),
            (&both, "::", to6),
            (&both, "::1", to6),
            (&four, "0.0.0.0", ""),
            (&four, "::", to4),
            (&four, "::1", to4),
            (&four, "2001:db8::1", to4),
            (&six, "0.0.0.0", to6),
            (&six, "127.0.0.1", to6),
            (&six, "2001:db8::1", ""),
            (&six, "::1", to6),
        ];
        let net = network(GatewayMode::Nat, GatewayMode::Nat);
        let port = |ip: &str, proto| PublishedPort {
            host_ip: ip.parse().unwrap(),
            host_port: Port::new(8080),
            container: Port::new(80).unwrap(),
            proto,
        };
        let internal = BridgeNetwork { internal: Internal::Yes, ..net.clone() };
        for (who, ip, expected) in table {
            let to = relayed(&net, who, &port(ip, Proto::Udp));
            assert_eq!(to.map(|to| to.to_string()).unwrap_or_default(), expected, "{ip}");
            assert_eq!(relayed(&net, who, &port(ip, Proto::Sctp)), None);
            assert_eq!(relayed(&internal, who, &port(ip, Proto::Tcp)), None);
            let direct = PublishedPort { host_port: None, ..port(ip, Proto::Tcp) };
            assert_eq!(relayed(&net, who, &direct), None);
        }
    }
}
