//! What an event of rtnetlink says, as far as it may concern us. Pure.

use crate::{
    bridge::names::{CONDEMNED, GROUP as GROUP_OF_OURS, Owner},
    sys::nfnl::attr::Attrs,
    types::{Family, MacAddr},
};

/// `RTM_NEWLINK`, `RTM_DELLINK`, `RTM_DELADDR`, `RTM_NEWROUTE`, `RTM_DELROUTE`, `RTM_NEWNETCONF` of linux/rtnetlink.h.
const NEW_LINK: u16 = 16;
const DEL_LINK: u16 = 17;
const DEL_ADDRESS: u16 = 21;
const NEW_ROUTE: u16 = 24;
const DEL_ROUTE: u16 = 25;
const NEW_NETCONF: u16 = 80;
/// `RTM_NEWQDISC`, `RTM_DELQDISC`, `RTM_DELTFILTER`.
const NEW_QUEUE: u16 = 36;
const DEL_QUEUE: u16 = 37;
const DEL_FILTER: u16 = 45;
/// Lengths of `struct ifinfomsg`, `struct rtmsg` and `struct netconfmsg`, the latter with its padding.
const LINK_HEADER: usize = 16;
const ROUTE_HEADER: usize = 12;
const NETCONF_HEADER: usize = 4;
/// `AF_UNSPEC`: about the link as such. Bridges tell of their ports in a family of their own.
const UNSPECIFIED: u8 = 0;
/// `AF_INET`, `AF_INET6`.
const INET: u8 = 2;
const INET6: u8 = 10;
/// `IFF_UP`.
const UP: u32 = 1;
/// `IFLA_ADDRESS`, `IFLA_MTU`, `IFLA_MASTER`, `IFLA_IFALIAS`, `IFLA_GROUP` of linux/if_link.h.
const MAC: u16 = 1;
const MTU: u16 = 4;
const MASTER: u16 = 10;
const ALIAS: u16 = 20;
const GROUP: u16 = 27;
/// `RT_TABLE_MAIN`, `RTN_UNICAST` and `RTA_OIF` of linux/rtnetlink.h.
const MAIN_TABLE: u8 = 254;
const UNICAST: u8 = 1;
const OUT: u16 = 4;
/// `NETCONFA_IFINDEX`, `NETCONFA_FORWARDING` of linux/netconf.h.
const NETCONF_INDEX: u16 = 1;
const NETCONF_FORWARDING: u16 = 2;
/// `NETCONFA_IFINDEX_ALL`, `NETCONFA_IFINDEX_DEFAULT`, as unsigned numbers.
const EVERY_LINK: u32 = u32::MAX;
const NEW_LINKS: u32 = u32::MAX - 1;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A link came, or is different now.
    Link(ToldLink),
    /// A link went.
    LinkGone(ToldLink),
    /// A link has an address less.
    AddressGone {
        /// Index of the link.
        link: u32,
    },
    /// A link has a route less.
    RouteGone {
        /// Index of the link.
        link: u32,
    },
    /// Some link has another queue, or sends what it receives by another way.
    QueueGone,
    /// A default route came or went.
    WayOut,
    /// Packets of a family that come in by a link are not forwarded.
    NotForwarding {
        /// Which family.
        family: Family,
        /// Index of the link; `None`: any link.
        link: Option<u32>,
    },
}

impl Told {
    /// Whether packets for nobody near may leave by another link now, or by one that is another.
    pub(super) fn is_of_the_way_out(&self) -> bool {
        match self {
            Self::WayOut => true,
            Self::Link(link) | Self::LinkGone(link) => {
                link.owner.is_none() && link.group != GROUP_OF_OURS && link.group != CONDEMNED
            }
            _ => false,
        }
    }
}

/// A link, as an event tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ToldLink {
    pub(crate) index: u32,
    /// Whose it is, by its alias.
    pub(crate) owner: Option<Owner>,
    pub(crate) up: bool,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) mtu: u32,
    /// Index of the bridge that it is a port of.
    pub(crate) bridge: Option<u32>,
    pub(crate) group: u32,
}

/// Reads an event of this message type; `payload` is what follows its header. `None`: nothing that concerns us.
pub(crate) fn read(kind: u16, payload: &[u8]) -> Option<Told> {
    match kind {
        NEW_LINK => link(payload).map(Told::Link),
        DEL_LINK => link(payload).map(Told::LinkGone),
        DEL_ADDRESS => word(payload, 4).map(|link| Told::AddressGone { link }),
        NEW_ROUTE | DEL_ROUTE => route(kind, payload),
        NEW_NETCONF => forwarding(payload),
        NEW_QUEUE | DEL_QUEUE | DEL_FILTER => Some(Told::QueueGone),
        _ => None,
    }
}

fn link(payload: &[u8]) -> Option<ToldLink> {
    if *payload.first()? != UNSPECIFIED {
        return None;
    }
    let attrs = Attrs::parse(payload.get(LINK_HEADER..)?).ok()?;
    Some(ToldLink {
        index: word(payload, 4)?,
        owner: attrs.text(ALIAS).ok().and_then(Owner::of_alias),
        up: word(payload, 8)? & UP != 0,
        mac: attrs.get(MAC).and_then(|mac| MacAddr::from_octets(mac.try_into().ok()?)),
        mtu: attrs.native(MTU).unwrap_or_default(),
        bridge: attrs.native(MASTER),
        group: attrs.native(GROUP).unwrap_or_default(),
    })
}

fn route(kind: u16, payload: &[u8]) -> Option<Told> {
    // `struct rtmsg`: family, length of the prefix that it is for, the rest.
    let (length, table, is_for_hosts) = (*payload.get(1)?, *payload.get(4)?, *payload.get(7)? == UNICAST);
    if length == 0 {
        return Some(Told::WayOut);
    }
    if kind != DEL_ROUTE || table != MAIN_TABLE || !is_for_hosts {
        return None;
    }
    let attrs = Attrs::parse(payload.get(ROUTE_HEADER..)?).ok()?;
    attrs.native(OUT).map(|link| Told::RouteGone { link })
}

fn forwarding(payload: &[u8]) -> Option<Told> {
    let family = match *payload.first()? {
        INET => Family::V4,
        INET6 => Family::V6,
        _ => return None,
    };
    let attrs = Attrs::parse(payload.get(NETCONF_HEADER..)?).ok()?;
    let index = attrs.native(NETCONF_INDEX).filter(|index| *index != NEW_LINKS)?;
    let is_off = attrs.native(NETCONF_FORWARDING)? == 0;
    is_off.then_some(Told::NotForwarding { family, link: (index != EVERY_LINK).then_some(index) })
}

/// A number in the host's order.
fn word(payload: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(payload.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{sys::nfnl::attr::Writer, types::NetworkId};

    fn link_event(family: u8, flags: u32, attrs: &[(u16, &[u8])]) -> Vec<u8> {
        let mut payload = vec![family, 0, 0, 0];
        payload.extend([7_u32, flags, 0].iter().flat_map(|word| word.to_ne_bytes()));
        let mut writer = Writer::new(&mut payload);
        attrs.iter().for_each(|(kind, value)| writer.bytes(*kind, value));
        payload
    }

    fn owner() -> Owner {
        Owner::Network(NetworkId::from_bytes([7; 32]))
    }

    fn netconf(family: u8, index: u32, forwarding: Option<u32>) -> Vec<u8> {
        let mut payload = vec![family, 0, 0, 0];
        let mut writer = Writer::new(&mut payload);
        writer.bytes(NETCONF_INDEX, &index.to_ne_bytes());
        forwarding.iter().for_each(|value| writer.bytes(NETCONF_FORWARDING, &value.to_ne_bytes()));
        payload
    }

    #[test]
    fn links_say_whose_they_are_and_where() {
        let alias = owner().alias("web");
        let mac = MacAddr::local([7; 6]);
        let attrs: [(u16, &[u8]); 5] = [
            (MAC, &mac.octets()),
            (MTU, &1_500_u32.to_ne_bytes()),
            (MASTER, &3_u32.to_ne_bytes()),
            (ALIAS, alias.as_bytes()),
            (GROUP, &9_u32.to_ne_bytes()),
        ];
        let expected = ToldLink {
            index: 7,
            owner: Some(owner()),
            up: true,
            mac: Some(mac),
            mtu: 1_500,
            bridge: Some(3),
            group: 9,
        };
        assert_eq!(read(NEW_LINK, &link_event(0, UP, &attrs)), Some(Told::Link(expected)));
        assert_eq!(read(DEL_LINK, &link_event(0, UP, &attrs)), Some(Told::LinkGone(expected)));
        // A bridge that tells of its port.
        assert_eq!(read(DEL_LINK, &link_event(7, UP, &attrs)), None);
        let bare = ToldLink { owner: None, up: false, mac: None, mtu: 0, bridge: None, group: 0, ..expected };
        assert_eq!(read(NEW_LINK, &link_event(0, 0, &[])), Some(Told::Link(bare)));
    }

    #[test]
    fn forwarding_that_was_turned_off() {
        let off = |family, link| Some(Told::NotForwarding { family, link });
        let table = [
            (netconf(INET, EVERY_LINK, Some(0)), off(Family::V4, None)),
            (netconf(INET, 4, Some(0)), off(Family::V4, Some(4))),
            (netconf(INET6, 4, Some(0)), off(Family::V6, Some(4))),
            (netconf(28, 4, Some(0)), None), // MPLS
            (netconf(INET, NEW_LINKS, Some(0)), None),
            (netconf(INET, 4, Some(1)), None),
            (netconf(INET, 4, None), None),
        ];
        for (payload, expected) in table {
            assert_eq!(read(NEW_NETCONF, &payload), expected, "{payload:?}");
        }
    }

    #[test]
    fn what_may_be_the_way_out() {
        // `struct rtmsg`: family, length of the destination's prefix, the rest.
        let route = |length| [2, length, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        assert_eq!(read(NEW_ROUTE, &route(0)), Some(Told::WayOut));
        assert_eq!(read(DEL_ROUTE, &route(0)), Some(Told::WayOut));
        assert_eq!(read(NEW_ROUTE, &route(24)), None);
        assert!(Told::WayOut.is_of_the_way_out());
        let link = |attrs: &[(u16, &[u8])]| read(NEW_LINK, &link_event(0, UP, attrs)).unwrap();
        assert!(link(&[(MTU, &1_400_u32.to_ne_bytes())]).is_of_the_way_out());
        let alias = owner().alias("web");
        assert!(!link(&[(ALIAS, alias.as_bytes())]).is_of_the_way_out());
        assert!(!link(&[(GROUP, &GROUP_OF_OURS.to_ne_bytes())]).is_of_the_way_out());
    }

    #[test]
    fn a_route_that_hosts_are_reached_by() {
        let route = |table, kind, attrs: &[(u16, &[u8])]| {
            let mut payload = vec![INET, 24, 0, 0, table, 2, 253, kind, 0, 0, 0, 0];
            let mut writer = Writer::new(&mut payload);
            attrs.iter().for_each(|(kind, value)| writer.bytes(*kind, value));
            payload
        };
        let by: (u16, &[u8]) = (OUT, &7_u32.to_ne_bytes());
        let gone = Some(Told::RouteGone { link: 7 });
        // 255: `RT_TABLE_LOCAL`; 3: `RTN_BROADCAST`.
        for (kind, payload, expected) in [
            (DEL_ROUTE, route(MAIN_TABLE, UNICAST, &[by]), gone),
            (NEW_ROUTE, route(MAIN_TABLE, UNICAST, &[by]), None),
            (DEL_ROUTE, route(255, UNICAST, &[by]), None),
            (DEL_ROUTE, route(MAIN_TABLE, 3, &[by]), None),
            (DEL_ROUTE, route(MAIN_TABLE, UNICAST, &[]), None),
        ] {
            assert_eq!(read(kind, &payload), expected, "{payload:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes(kind in prop_oneof![Just(16_u16), Just(17), Just(21), Just(24), Just(37), Just(80), any::<u16>()],
                     payload in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = read(kind, &payload);
        }
    }
}
