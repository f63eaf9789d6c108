//! VLANs (IEEE 802.1Q).

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoVlan, LinkAttribute, LinkInfo, LinkMessage},
};

use super::{NEW, info};
use crate::{
    sys::rtnl::Request,
    types::{IfName, VlanId},
};

/// `ip link add LINK link PARENT type vlan id ID`
pub(crate) fn create(link: &IfName, parent: u32, id: VlanId) -> Request {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(link.to_string()),
        LinkAttribute::Link(parent),
        info(vec![
            LinkInfo::Kind(InfoKind::Vlan),
            LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(id.get())])),
        ]),
    ];
    Request { message: RouteNetlinkMessage::NewLink(message), flags: NEW }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vlan_is_one_message() {
        let request = create(&"eth0.10".parse().unwrap(), 3, VlanId::try_from(10).unwrap());
        let RouteNetlinkMessage::NewLink(message) = request.message else { panic!("no new link") };
        let data = LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(10)]));
        let expected = [
            LinkAttribute::IfName("eth0.10".to_owned()),
            LinkAttribute::Link(3),
            info(vec![LinkInfo::Kind(InfoKind::Vlan), data]),
        ];
        assert_eq!(message.attributes, expected);
    }
}
