//! Queues of links, as far as we make some: who is limited to what, and whose received packets take a detour.

use std::collections::BTreeMap;

use netlink_packet_core::Nla as _;
use netlink_packet_route::{
    RouteNetlinkMessage,
    tc::{
        TcAction, TcActionAttribute, TcActionMirrorOption, TcActionOption, TcAttribute, TcFilterU32Option,
        TcMessage, TcOption,
    },
};

use super::ObserveError;
use crate::{
    link::shape,
    sys::{nfnl::attr::Attrs, rtnl::RtSocket},
    types::Rate,
};

/// Offset of the rate in `struct tc_tbf_qopt`; what stands there if it is in an attribute of its own.
const RATE: std::ops::Range<usize> = 8..12;

/// The queues of a host's links, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queues {
    limits: BTreeMap<u32, Rate>,
    /// Where what a link receives is sent to.
    detours: BTreeMap<u32, u32>,
}

impl Queues {
    /// Everything that is there now; detours of these links alone.
    pub(crate) fn read(socket: &mut RtSocket, detoured: &[u32]) -> Result<Self, ObserveError> {
        let failed = |source| ObserveError { what: "queues", source };
        let found = socket.dump(&shape::show_queues()).map_err(failed)?;
        let limits = found.iter().filter_map(limit).collect();
        let mut detours = BTreeMap::new();
        for link in detoured {
            match socket.dump(&shape::show_detours(*link)) {
                // Nothing hangs there.
                Err(error) if error.is(nix::errno::Errno::EINVAL) => {}
                other => detours.extend(other.map_err(failed)?.iter().find_map(target).map(|to| (*link, to))),
            }
        }
        Ok(Self { limits, detours })
    }

    /// What a link is limited to.
    pub(crate) fn limit(&self, link: u32) -> Option<Rate> {
        self.limits.get(&link).copied()
    }

    /// Whether what a link receives is sent through another.
    pub(crate) fn leads(&self, link: u32, through: u32) -> bool {
        self.detours.get(&link) == Some(&through)
    }
}

fn limit(message: &RouteNetlinkMessage) -> Option<(u32, Rate)> {
    let RouteNetlinkMessage::NewQueueDiscipline(message) = message else { return None };
    let is_limit = message.attributes.contains(&TcAttribute::Kind("tbf".to_owned()));
    let options = options(message).filter(|_| is_limit)?;
    let [TcOption::Other(raw)] = options else { return None };
    let mut bytes = vec![0; raw.value_len()];
    raw.emit_value(&mut bytes);
    let attrs = Attrs::parse(&bytes).ok()?;
    let large = attrs.get(shape::TBF_RATE64).and_then(|rate| Some(u64::from_ne_bytes(rate.try_into().ok()?)));
    let small =
        || attrs.get(shape::TBF_PARMS)?.get(RATE)?.try_into().ok().map(u32::from_ne_bytes).map(u64::from);
    Some((message.header.index.cast_unsigned(), Rate::new(large.or_else(small)?)?))
}

fn options(message: &TcMessage) -> Option<&[TcOption]> {
    message.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Options(options) => Some(options.as_slice()),
        _ => None,
    })
}

/// Where a filter sends everything.
fn target(message: &RouteNetlinkMessage) -> Option<u32> {
    let RouteNetlinkMessage::NewTrafficFilter(message) = message else { return None };
    let actions = options(message)?.iter().find_map(|option| match option {
        TcOption::U32(TcFilterU32Option::Action(actions)) => Some(actions),
        _ => None,
    })?;
    actions.iter().find_map(redirected)
}

fn redirected(action: &TcAction) -> Option<u32> {
    action.attributes.iter().find_map(|attribute| match attribute {
        TcActionAttribute::Options(options) => options.iter().find_map(|option| match option {
            TcActionOption::Mirror(TcActionMirrorOption::Parms(mirror)) => Some(mirror.ifindex),
            _ => None,
        }),
        _ => None,
    })
}
