//! Interfaces in a sandbox that are on a link of the host: macvlan and ipvlan.

use std::os::fd::RawFd;

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        InfoData, InfoIpVlan, InfoKind, InfoMacVlan, IpVlanFlags, IpVlanMode, LinkAttribute, LinkInfo,
        LinkMessage, MacVlanMode,
    },
};

use super::{NEW, Which, info, mac_attribute};
use crate::{
    host::{Child, IpvlanFlag, IpvlanMode, MacvlanMode},
    sys::rtnl::Request,
    types::{IfName, MacAddr, Mtu},
};

/// An interface to make.
#[derive(Debug)]
pub(crate) struct New<'a> {
    /// What it is.
    pub(crate) kind: Child,
    /// Index of its parent, in the namespace of the socket that the request is sent through.
    pub(crate) parent: u32,
    /// Its name.
    pub(crate) name: &'a IfName,
    /// Its Ethernet address; an ipvlan interface has its parent's.
    pub(crate) mac: Option<MacAddr>,
    /// Its MTU, if not its parent's.
    pub(crate) mtu: Option<Mtu>,
    /// The sandbox that it is made in, open.
    pub(crate) sandbox: RawFd,
}

/// `ip link add NAME link PARENT netns SANDBOX type macvlan mode MODE`, in one message. `IFLA_LINK` is looked up in the
/// namespace of the socket (`rtnl_newlink` of net/core/rtnetlink.c), so that the interface never is in the host's.
pub(crate) fn create(new: &New<'_>) -> Request {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(new.name.to_string()),
        LinkAttribute::Link(new.parent),
        LinkAttribute::NetNsFd(new.sandbox),
    ];
    message.attributes.extend(new.mac.map(mac_attribute));
    message.attributes.extend(new.mtu.map(|mtu| LinkAttribute::Mtu(mtu.bytes())));
    message.attributes.push(match new.kind {
        Child::Macvlan(mode) => info(vec![
            LinkInfo::Kind(InfoKind::MacVlan),
            LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(macvlan(mode))])),
        ]),
        Child::Ipvlan(mode, flag) => info(vec![
            LinkInfo::Kind(InfoKind::IpVlan),
            LinkInfo::Data(InfoData::IpVlan(vec![
                InfoIpVlan::Mode(ipvlan(mode)),
                InfoIpVlan::Flags(ipvlan_flag(flag)),
            ])),
        ]),
    });
    Request { message: RouteNetlinkMessage::NewLink(message), flags: NEW }
}

/// `ip link set LINK alias ALIAS`, with `address MAC` where the interface did not take it at creation: on passthru, a new
/// interface has its parent's address, and the parent follows when it gets another.
pub(crate) fn mark(link: u32, alias: String, mac: Option<MacAddr>) -> Request {
    let mut message = Which::Index(link).message();
    message.attributes.push(LinkAttribute::IfAlias(alias));
    message.attributes.extend(mac.map(mac_attribute));
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

const fn macvlan(mode: MacvlanMode) -> MacVlanMode {
    match mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
        MacvlanMode::Passthru => MacVlanMode::Passthrough,
        MacvlanMode::Private => MacVlanMode::Private,
    }
}

const fn ipvlan(mode: IpvlanMode) -> IpVlanMode {
    match mode {
        IpvlanMode::L2 => IpVlanMode::L2,
        IpvlanMode::L3 => IpVlanMode::L3,
        IpvlanMode::L3s => IpVlanMode::L3S,
    }
}

const fn ipvlan_flag(flag: IpvlanFlag) -> IpVlanFlags {
    match flag {
        IpvlanFlag::Bridge => IpVlanFlags::empty(),
        IpvlanFlag::Private => IpVlanFlags::Private,
        IpvlanFlag::Vepa => IpVlanFlags::Vepa,
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::NetlinkSerializable as _;

    use super::*;

    fn message(kind: Child) -> LinkMessage {
        let name = "eth0".parse().unwrap();
        let mac = matches!(kind, Child::Macvlan(_)).then(|| MacAddr::local([7; 6]));
        let request =
            create(&New { kind, parent: 3, name: &name, mac, mtu: 1_400_u32.try_into().ok(), sandbox: 9 });
        assert_eq!(request.flags, NEW);
        match request.message {
            RouteNetlinkMessage::NewLink(message) => message,
            other => panic!("{other:?}"),
        }
    }

    fn data(message: &LinkMessage) -> &LinkAttribute {
        message.attributes.last().unwrap()
    }

    #[test]
    fn an_interface_is_made_in_place_by_one_message() {
        let made = message(Child::Macvlan(MacvlanMode::Private));
        for wanted in [
            LinkAttribute::IfName("eth0".to_owned()),
            LinkAttribute::Link(3),
            LinkAttribute::NetNsFd(9),
            LinkAttribute::Mtu(1400),
            mac_attribute(MacAddr::local([7; 6])),
        ] {
            assert!(made.attributes.contains(&wanted), "{wanted:?}: {made:?}");
        }
        let expected = info(vec![
            LinkInfo::Kind(InfoKind::MacVlan),
            LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Private)])),
        ]);
        assert_eq!(data(&made), &expected);
    }

    #[test]
    fn an_ipvlan_interface_has_its_parent_s_address() {
        let table = [
            (IpvlanMode::L2, IpvlanFlag::Bridge, IpVlanMode::L2, IpVlanFlags::empty()),
            (IpvlanMode::L3, IpvlanFlag::Private, IpVlanMode::L3, IpVlanFlags::Private),
            (IpvlanMode::L3s, IpvlanFlag::Vepa, IpVlanMode::L3S, IpVlanFlags::Vepa),
        ];
        for (mode, flag, kernel_mode, kernel_flag) in table {
            let made = message(Child::Ipvlan(mode, flag));
            let has_mac = made.attributes.iter().any(|part| matches!(part, LinkAttribute::Address(_)));
            assert!(!has_mac, "{made:?}");
            let expected = vec![InfoIpVlan::Mode(kernel_mode), InfoIpVlan::Flags(kernel_flag)];
            let expected =
                info(vec![LinkInfo::Kind(InfoKind::IpVlan), LinkInfo::Data(InfoData::IpVlan(expected))]);
            assert_eq!(data(&made), &expected);
        }
    }

    /// The bytes of `struct nlattr` as `ip -d link add … type ipvlan mode l3s vepa` sends them.
    #[test]
    fn ipvlan_options_are_two_short_numbers() {
        let message = message(Child::Ipvlan(IpvlanMode::L3s, IpvlanFlag::Vepa));
        let message = RouteNetlinkMessage::NewLink(message);
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        // IFLA_IPVLAN_MODE 1, IFLA_IPVLAN_FLAGS 2 of linux/if_link.h; l3s is mode 2, vepa is flag 2.
        let options = [6_u16, 1, 2, 0, 6, 2, 2, 0].map(u16::to_ne_bytes).concat();
        assert!(bytes.windows(options.len()).any(|part| part == options), "{bytes:?}");
    }
}
