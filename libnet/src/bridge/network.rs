//! Plans for networks.

use super::Step;
use crate::{
    host::{BridgeNetwork, Forwarding},
    types::{Icc, IfName, Internal, Setting},
};

/// How many ports a bridge has at most: `BR_MAX_PORTS` of net/bridge/br_private.h is 1,024, and STP numbers ports from 1.
pub(crate) const BRIDGE_PORTS: usize = 1_023;

const LOCALNET: &str = "route_localnet";
const FORWARDING: &str = "forwarding";

/// The steps that make a network. A bridge that is not ours keeps its alias and MTU.
pub(crate) fn create(net: &BridgeNetwork, forward: Forwarding) -> Vec<Step> {
    let (find, settings, raise) = match &net.lent {
        None => (
            Step::CreateBridge(Box::new(net.clone())),
            Step::Set(bridge_settings(net).into_iter().chain(apart(net)).collect()),
            Step::RaiseBridge(Box::new(net.clone())),
        ),
        Some(_) => (
            Step::BorrowBridge(Box::new(net.clone())),
            Step::SetOnHost(lent_settings(net).into_iter().chain(apart(net)).collect()),
            Step::Up(net.link.clone()),
        ),
    };
    let mut steps = vec![find, settings];
    steps.extend(net.gateways().map(|address| Step::AddAddress(net.link.clone(), address)));
    steps.push(raise);
    if net.internal == Internal::No && forward == Forwarding::Enable {
        steps.extend(forwarding(net));
    }
    steps.push(Step::AdmitNetwork(Box::new(net.clone())));
    steps
}

/// Those of the steps that change settings.
pub(crate) fn setting_steps(net: &BridgeNetwork, forward: Forwarding) -> Vec<Step> {
    let sets = |step: &Step| matches!(step, Step::Set(_) | Step::SetOnHost(_) | Step::ForwardV6);
    create(net, forward).into_iter().filter(sets).collect()
}

/// The settings that a network needs.
pub(crate) fn settings(net: &BridgeNetwork, forward: Forwarding) -> Vec<Setting> {
    let of_step = |step| match step {
        Step::Set(settings) | Step::SetOnHost(settings) => settings,
        Step::ForwardV6 => vec![Setting::new("ipv6/conf/all/forwarding", "1")],
        _ => Vec::new(),
    };
    setting_steps(net, forward).into_iter().flat_map(of_step).collect()
}

/// The steps that take a network away.
pub(crate) fn remove(net: &BridgeNetwork) -> Vec<Step> {
    let leave = match &net.lent {
        None => Step::Condemn(net.link.clone()),
        Some(_) => Step::ReturnBridge(Box::new(net.clone())),
    };
    vec![leave, Step::ExpelNetwork(net.id)]
}

/// The settings of a bridge that is not ours which a network on it changes.
pub(crate) fn lent_keys(link: &IfName) -> Vec<String> {
    let own = [v4_key(link, LOCALNET), v4_key(link, FORWARDING), v6_key(link, "disable_ipv6")];
    own.into_iter().chain(apart_v4(link).into_iter().chain(apart_v6(link)).map(|it| it.key)).collect()
}

fn lent_settings(net: &BridgeNetwork) -> Vec<Setting> {
    net.v6.map(|_| Setting::new(v6_key(&net.link, "disable_ipv6"), "0")).into_iter().collect()
}

/// The setting by which a bridge carries packets with 127.0.0.0/8, as those have it until they are rewritten that are
/// for a port published on 127.0.0.1. The firewall drops every other use of these addresses there.
pub(crate) fn loopback_settings(net: &BridgeNetwork, open: bool) -> Vec<Setting> {
    let key = v4_key(&net.link, LOCALNET);
    let former = net.lent.as_ref().map_or(Some("0"), |lent| lent.settings.get(&key).map(String::as_str));
    let value = if open { Some("1") } else { former };
    value.map(|value| Setting::new(key.clone(), value)).into_iter().collect()
}

/// Where neighbours are kept apart, the host answers for them when they are looked for, so that what they send each other
/// comes to the firewall, which lets through what links allow; and at once, not after a while of its own choosing.
fn apart(net: &BridgeNetwork) -> Vec<Setting> {
    if net.icc == Icc::Allowed {
        return Vec::new();
    }
    let v6 = net.v6.iter().flat_map(|_| apart_v6(&net.link));
    apart_v4(&net.link).into_iter().chain(v6).collect()
}

fn apart_v4(link: &IfName) -> [Setting; 2] {
    [
        Setting::new(v4_key(link, "proxy_arp_pvlan"), "1"),
        Setting::new(format!("ipv4/neigh/{link}/proxy_delay"), "0"),
    ]
}

/// Whom to answer for is said of each endpoint, see [`neighbour`](crate::link::neighbour).
fn apart_v6(link: &IfName) -> [Setting; 2] {
    [
        Setting::new(v6_key(link, "proxy_ndp"), "1"),
        Setting::new(format!("ipv6/neigh/{link}/proxy_delay"), "0"),
    ]
}

/// Settings of the bridge before it is raised.
fn bridge_settings(net: &BridgeNetwork) -> Vec<Setting> {
    let v6 = |key: &str, value: &str| Setting::new(v6_key(&net.link, key), value);
    vec![
        v6("disable_ipv6", if net.v6.is_some() { "0" } else { "1" }),
        v6("accept_ra", "0"),
        v6("autoconf", "0"),
        // A bridge without ports has no carrier, and what is checked for duplicates there stays unusable.
        v6("accept_dad", "0"),
    ]
}

/// A bridge that was made while only `all` was set has it off; both are looked at.
fn forwarding(net: &BridgeNetwork) -> Vec<Step> {
    let mut steps = Vec::new();
    if net.v4.is_some() {
        let own = Setting::new(v4_key(&net.link, FORWARDING), "1");
        steps.push(Step::SetOnHost(vec![Setting::new("ipv4/ip_forward", "1"), own]));
    }
    if net.v6.is_some() {
        steps.push(Step::ForwardV6);
    }
    steps
}

fn v4_key(link: &IfName, key: &str) -> String {
    format!("ipv4/conf/{link}/{key}")
}

fn v6_key(link: &IfName, key: &str) -> String {
    format!("ipv6/conf/{link}/{key}")
}
