//! Queue disciplines that limit how fast a link sends, and the detour by which what a link receives is limited too.

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage},
    tc::{TcAttribute, TcHandle, TcMessage},
};

use super::{NEW, Which, info, no_address, raise};
use crate::{
    sys::{nfnl::attr::Writer, rtnl::Request, sysctl::LinksV6},
    types::{IfName, Mtu, Rate},
};

/// Of linux/pkt_sched.h: `TCA_TBF_PARMS`, `TCA_TBF_RATE64`, `TCA_TBF_BURST`, `TC_LINKLAYER_ETHERNET`.
pub(crate) const TBF_PARMS: u16 = 1;
pub(crate) const TBF_RATE64: u16 = 4;
const TBF_BURST: u16 = 6;
const ETHERNET: u8 = 1;
/// Of linux/pkt_cls.h: `TCA_U32_SEL`, `TCA_U32_ACT`, `TC_U32_TERMINAL`, `TCA_ACT_KIND`, `TCA_ACT_OPTIONS`; of
/// linux/tc_act/tc_mirred.h: `TCA_MIRRED_PARMS`, `TCA_EGRESS_REDIR`; `TC_ACT_STOLEN`.
const U32_SELECTOR: u16 = 5;
const U32_ACTIONS: u16 = 7;
const TERMINAL: u8 = 1;
const ACTION_KIND: u16 = 1;
const ACTION_OPTIONS: u16 = 2;
const MIRRED_PARMS: u16 = 2;
const REDIRECT: u32 = 1;
const STOLEN: u32 = 4;
/// `TCA_OPTIONS`, which the crate knows of other kinds alone.
const OPTIONS: u16 = 2;
/// `ETH_P_ALL`.
const EVERY_PROTOCOL: u16 = 3;
/// Where the queue of received packets hangs, and where rules about them do.
const INGRESS: TcHandle = TcHandle { major: 0xffff, minor: 0 };

/// `ip link add LINK mtu MTU group GROUP type ifb`; what is sent there comes back as received where it came from.
pub(crate) fn create_detour(link: &IfName, mtu: Mtu, group: u32) -> Request {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(link.to_string()),
        LinkAttribute::Mtu(mtu.bytes()),
        LinkAttribute::NumTxQueues(1),
        LinkAttribute::NumRxQueues(1),
        LinkAttribute::Group(group),
        info(vec![LinkInfo::Kind(InfoKind::Ifb)]),
    ];
    Request { message: RouteNetlinkMessage::NewLink(message), flags: NEW }
}

/// `ip link set LINK alias ALIAS addrgenmode none up`: nobody is to be reached there. The kernel takes neither at creation.
pub(crate) fn own_detour(link: &IfName, alias: String, mtu: Mtu, kernel: &LinksV6) -> Request {
    let mut message = Which::Name(link).message();
    raise(&mut message);
    message.attributes.push(LinkAttribute::IfAlias(alias));
    message.attributes.extend(no_address(mtu, kernel));
    Request { message: RouteNetlinkMessage::NewLink(message), flags: 0 }
}

/// `tc qdisc replace dev LINK root tbf rate RATE burst .. limit ..`
pub(crate) fn limit(link: u32, rate: Rate, mtu: Mtu) -> Request {
    let bytes = rate.bytes();
    let mut message = of_kind(link, TcHandle::ROOT, "tbf");
    message.attributes.push(options(|attrs| {
        attrs.bytes(TBF_PARMS, &tbf_parms(bytes, mtu));
        if bytes > u64::from(u32::MAX) {
            attrs.bytes(TBF_RATE64, &bytes.to_ne_bytes());
        }
        attrs.bytes(TBF_BURST, &burst(bytes, mtu).to_ne_bytes());
    }));
    Request { message: RouteNetlinkMessage::NewQueueDiscipline(message), flags: NLM_F_CREATE | NLM_F_REPLACE }
}

/// `tc qdisc add dev LINK ingress`
pub(crate) fn watch_received(link: u32) -> Request {
    let mut message = of_kind(link, TcHandle::INGRESS, "ingress");
    message.header.handle = INGRESS;
    Request { message: RouteNetlinkMessage::NewQueueDiscipline(message), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// `tc qdisc del dev LINK ingress`
pub(crate) fn unwatch_received(link: u32) -> Request {
    let mut message = of_kind(link, TcHandle::INGRESS, "ingress");
    message.header.handle = INGRESS;
    Request { message: RouteNetlinkMessage::DelQueueDiscipline(message), flags: 0 }
}

/// `tc filter add dev LINK ingress u32 match u32 0 0 action mirred egress redirect dev DETOUR`
pub(crate) fn send_through(link: u32, detour: u32) -> Request {
    let mut message = of_kind(link, INGRESS, "u32");
    // Priority and protocol, the latter in network order.
    message.header.info = 1 << 16 | u32::from(EVERY_PROTOCOL.to_be());
    message.attributes.push(options(|attrs| {
        attrs.bytes(U32_SELECTOR, &everything());
        attrs.nested(U32_ACTIONS, |actions| {
            actions.nested(1, |action| {
                action.text(ACTION_KIND, "mirred");
                action.nested(ACTION_OPTIONS, |mirred| mirred.bytes(MIRRED_PARMS, &redirect(detour)));
            });
        });
    }));
    Request { message: RouteNetlinkMessage::NewTrafficFilter(message), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// `tc qdisc show`
pub(crate) fn show_queues() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default())
}

/// `tc filter show dev LINK ingress`
pub(crate) fn show_detours(link: u32) -> RouteNetlinkMessage {
    let mut message = TcMessage::with_index(link.cast_signed());
    message.header.parent = INGRESS;
    RouteNetlinkMessage::GetTrafficFilter(message)
}

/// What may leave at once after a pause: ten milliseconds' worth, as the clock of the queue is no finer on all machines, and
/// a few packets in any case.
pub(crate) fn burst(bytes: u64, mtu: Mtu) -> u32 {
    let least = 4 * (u64::from(mtu.bytes()) + ETHERNET_HEADER);
    u32::try_from((bytes / 100).max(least)).unwrap_or(u32::MAX)
}

/// `ETH_HLEN`, and a VLAN tag.
const ETHERNET_HEADER: u64 = 18;

/// What waits at most: a tenth of a second's worth, and a window of TCP in any case.
fn waiting(bytes: u64, mtu: Mtu) -> u32 {
    u32::try_from(u64::from(burst(bytes, mtu)) + (bytes / 10).max(64 * 1024)).unwrap_or(u32::MAX)
}

/// `struct tc_tbf_qopt`: rate and peak rate (`struct tc_ratespec`), limit, buffer, MTU. The burst has an attribute of its own.
fn tbf_parms(bytes: u64, mtu: Mtu) -> Vec<u8> {
    let mut parms = vec![0, ETHERNET, 0, 0, 0, 0, 0, 0];
    parms.extend(u32::try_from(bytes).unwrap_or(u32::MAX).to_ne_bytes());
    parms.extend([0; 12]);
    parms.extend(waiting(bytes, mtu).to_ne_bytes());
    parms.extend([0; 8]);
    parms
}

/// `struct tc_u32_sel` with one key (`struct tc_u32_key`) that fits everything.
fn everything() -> Vec<u8> {
    let mut selector = vec![TERMINAL, 0, 1, 0];
    selector.resize(16 + 16, 0);
    selector
}

/// `struct tc_mirred`: index, capabilities, action, reference and bind counts, what to do, where.
fn redirect(detour: u32) -> Vec<u8> {
    [0, 0, STOLEN, 0, 0, REDIRECT, detour].iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn of_kind(link: u32, parent: TcHandle, kind: &str) -> TcMessage {
    let mut message = TcMessage::with_index(link.cast_signed());
    message.header.parent = parent;
    message.attributes.push(TcAttribute::Kind(kind.to_owned()));
    message
}

fn options(fill: impl FnOnce(&mut Writer<'_>)) -> TcAttribute {
    let mut bytes = Vec::new();
    fill(&mut Writer::new(&mut bytes));
    TcAttribute::Other(DefaultNla::new(OPTIONS, bytes))
}
