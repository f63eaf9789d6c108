//! Which hosts a name means to an asker.
//!
//! In this order: an alias of the asker's own links; a name in any of its networks, dots and all; `name.network`,
//! where both may have dots. All networks are searched, and what they know is put together in their order.

use std::net::IpAddr;

use hickory_proto::rr::Name;

use crate::snapshot::{Addresses, AskerView, Snapshot, Zone};

/// What was found, one slice per network that knows the name.
pub(super) type Hosts<'s> = Vec<&'s [Addresses]>;

pub(super) enum Found<'s> {
    Hosts(Hosts<'s>),
    /// The question is the address of a host with this name.
    Reverse(Name),
    Unknown {
        /// The name has one label.
        bare: bool,
    },
}

pub(super) fn find<'s>(snapshot: &'s Snapshot, view: &AskerView, name: &Name) -> Found<'s> {
    let mut space = [0; Name::MAX_LENGTH];
    let Some(key) = fold(name, &mut space) else {
        return Found::Unknown { bare: false };
    };
    let hosts = named(snapshot, view, key);
    if !hosts.is_empty() {
        return Found::Hosts(hosts);
    }
    match reverse(snapshot, view, name, key) {
        Some(host) => Found::Reverse(host),
        None => Found::Unknown { bare: !key.contains(&b'.') },
    }
}

/// The name as the snapshot keeps it: lower case, dots between labels. A label that itself has a dot in it is no
/// container's, and must not pass for two labels.
fn fold<'b>(name: &Name, space: &'b mut [u8; Name::MAX_LENGTH]) -> Option<&'b [u8]> {
    let mut end = 0;
    for label in name {
        if label.contains(&b'.') {
            return None;
        }
        if end > 0 {
            *space.get_mut(end)? = b'.';
            end += 1;
        }
        let place = space.get_mut(end..end + label.len())?;
        place.copy_from_slice(label);
        place.make_ascii_lowercase();
        end += label.len();
    }
    space.get(..end).filter(|key| !key.is_empty())
}

fn named<'s>(snapshot: &'s Snapshot, view: &AskerView, key: &[u8]) -> Hosts<'s> {
    if let Some(targets) = view.linked(key) {
        return targets.iter().flat_map(|target| unlinked(snapshot, view, target)).collect();
    }
    let whole: Hosts<'s> = zones(snapshot, view).filter_map(|zone| zone.hosts_named(key)).collect();
    if whole.is_empty() && key.contains(&b'.') { qualified(snapshot, view, key) } else { whole }
}

/// What a link stands for is a name that others know too, so its own aliases are not looked at again.
fn unlinked<'s>(snapshot: &'s Snapshot, view: &AskerView, key: &[u8]) -> Hosts<'s> {
    zones(snapshot, view)
        .filter_map(|zone| zone.hosts_named(key).or_else(|| zone.hosts_named(zone.strip(key)?)))
        .collect()
}

/// `name.network`, where the name may be a link's alias.
fn qualified<'s>(snapshot: &'s Snapshot, view: &AskerView, key: &[u8]) -> Hosts<'s> {
    let mut found = Hosts::new();
    for zone in zones(snapshot, view) {
        let Some(name) = zone.strip(key) else { continue };
        match view.linked(name) {
            Some(targets) => found.extend(targets.iter().filter_map(|target| zone.hosts_named(target))),
            None => found.extend(zone.hosts_named(name)),
        }
    }
    found
}

fn reverse(snapshot: &Snapshot, view: &AskerView, name: &Name, key: &[u8]) -> Option<Name> {
    if !key.ends_with(b".arpa") {
        return None;
    }
    let net = name.parse_arpa_name().ok()?;
    let address: IpAddr = (net.prefix_len() == net.max_prefix_len()).then(|| net.addr())?;
    zones(snapshot, view).find_map(|zone| zone.name_of(address))
}

fn zones<'s>(snapshot: &'s Snapshot, view: &AskerView) -> impl Iterator<Item = &'s Zone> {
    view.zones.iter().filter_map(|id| snapshot.zone(id))
}
