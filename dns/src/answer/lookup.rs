//! What a name means to an asker.
//!
//! In this order: an alias of the asker's own links; a name in any of its networks, dots and all; `name.network`,
//! where both may have dots; a service of such a name; a wildcard over it. All networks are searched, and what they
//! know is put together in their order.

use std::net::IpAddr;

use hickory_proto::rr::Name;

use crate::snapshot::{AskerView, Named, ServiceAt, Snapshot, Wanted, Zone};

/// What was found, one entry per network that knows the name.
pub(super) type Names<'s> = Vec<Named<'s>>;

pub(super) enum Found<'s> {
    Names(Names<'s>),
    /// The question is a service of hosts that we know; they may have none such.
    Services(Vec<ServiceAt>),
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
    let names = named(snapshot, view, key);
    if !names.is_empty() {
        return Found::Names(names);
    }
    if let Some((wanted, host)) = Wanted::parse(key) {
        let hosts = named_or_covered(snapshot, view, host);
        if hosts.iter().any(|named| !named.hosts.is_empty()) {
            return Found::Services(hosts.iter().flat_map(|named| named.services(wanted)).collect());
        }
    }
    let names = covered(snapshot, view, key);
    if !names.is_empty() {
        return Found::Names(names);
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

fn named<'s>(snapshot: &'s Snapshot, view: &AskerView, key: &[u8]) -> Names<'s> {
    if let Some(targets) = view.linked(key) {
        return targets.iter().flat_map(|target| unlinked(snapshot, view, target)).collect();
    }
    let whole: Names<'s> = zones(snapshot, view).filter_map(|zone| zone.named(key)).collect();
    if whole.is_empty() && key.contains(&b'.') { qualified(snapshot, view, key) } else { whole }
}

/// What a link stands for is a name that others know too, so its own aliases are not looked at again.
fn unlinked<'s>(snapshot: &'s Snapshot, view: &AskerView, key: &[u8]) -> Names<'s> {
    zones(snapshot, view)
        .filter_map(|zone| zone.named(key).or_else(|| zone.named(zone.strip(key)?)))
        .collect()
}

/// `name.network`, where the name may be a link's alias.
fn qualified<'s>(snapshot: &'s Snapshot, view: &AskerView, key: &[u8]) -> Names<'s> {
    let mut found = Names::new();
    for zone in zones(snapshot, view) {
        let Some(name) = zone.strip(key) else { continue };
        match view.linked(name) {
            Some(targets) => found.extend(targets.iter().filter_map(|target| zone.named(target))),
            None => found.extend(zone.named(name)),
        }
    }
    found
}

/// What stands for a name that nobody has: under the name itself, or under the one before the network's.
fn covered<'s>(snapshot: &'s Snapshot, view: &AskerView, key: &[u8]) -> Names<'s> {
    zones(snapshot, view)
        .filter_map(|zone| zone.covering(key).or_else(|| zone.covering(zone.strip(key)?)))
        .collect()
}

fn named_or_covered<'s>(snapshot: &'s Snapshot, view: &AskerView, key: &[u8]) -> Names<'s> {
    let names = named(snapshot, view, key);
    if names.is_empty() { covered(snapshot, view, key) } else { names }
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
