//! Which ports of the host an endpoint is to have, of those that it asks for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    firewall::FirewallEndpoint,
    host::BridgeNetwork,
    ports::{HostPort, PortRequest},
    types::{Family, GatewayMode},
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
}
