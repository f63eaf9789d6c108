//! The names of one network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hickory_proto::rr::Name;

use super::{Key, fold};
use crate::cow_map::CowMap;
use crate::types::{Host, HostId};

#[derive(Clone, Debug)]
pub(crate) struct Zone {
    /// As the user wrote it, for reverse answers.
    name: String,
    folded: Key,
    hosts: CowMap<Id, Arc<Host>>,
    by_name: CowMap<Key, Arc<[Addresses]>>,
    by_address: CowMap<IpAddr, Id>,
}

/// A host's id, shared by all that refer to it: changes copy references, never texts.
type Id = Arc<str>;

/// One of the hosts that share a name.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    host: Id,
    pub(crate) v4: Option<Ipv4Addr>,
    pub(crate) v6: Option<Ipv6Addr>,
}

impl Zone {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            folded: fold(name),
            hosts: CowMap::default(),
            by_name: CowMap::default(),
            by_address: CowMap::default(),
        }
    }

    pub(super) fn renamed(&self, name: &str) -> Self {
        Self { name: name.to_owned(), folded: fold(name), ..self.clone() }
    }

    pub(super) fn set_host(&mut self, id: &HostId, host: Host) {
        self.remove_host(id);
        let id = Id::from(&*id.0);
        for name in distinct(&host.names) {
            let entry = Addresses { host: id.clone(), v4: host.v4, v6: host.v6 };
            let others = self.by_name.get(&name).map_or(&[][..], |entries| entries);
            let entries = others.iter().cloned().chain([entry]).collect();
            self.by_name.insert(name, entries);
        }
        for address in addresses(&host) {
            self.by_address.insert(address, id.clone());
        }
        self.hosts.insert(id, Arc::new(host));
    }

    pub(super) fn remove_host(&mut self, id: &HostId) {
        let Some(host) = self.hosts.remove(&*id.0) else { return };
        for name in distinct(&host.names) {
            let Some(entries) = self.by_name.get(&name) else { continue };
            let left: Arc<[_]> = entries.iter().filter(|entry| *entry.host != id.0).cloned().collect();
            if left.is_empty() {
                self.by_name.remove(&name);
            } else {
                self.by_name.insert(name, left);
            }
        }
        for address in addresses(&host) {
            // An address may have a new owner before the old one is taken out.
            if self.by_address.get(&address).is_some_and(|owner| **owner == id.0) {
                self.by_address.remove(&address);
            }
        }
    }

    /// The hosts with this folded name.
    pub(crate) fn hosts_named(&self, name: &[u8]) -> Option<&[Addresses]> {
        self.by_name.get(name).map(AsRef::as_ref)
    }

    /// `name` without this zone's own name at its end.
    pub(crate) fn strip<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        let host = name.strip_suffix(&*self.folded)?.strip_suffix(b".")?;
        (!host.is_empty() && !self.folded.is_empty()).then_some(host)
    }

    /// What a reverse lookup of this address gives: `name.network`. `None` also where that is no DNS name.
    pub(crate) fn name_of(&self, address: IpAddr) -> Option<Name> {
        let host = self.hosts.get(&**self.by_address.get(&address)?)?;
        let labels = host.names.first()?.split('.').chain(self.name.split('.'));
        Name::from_labels(labels.map(str::as_bytes)).ok()
    }
}

fn distinct(names: &[String]) -> Vec<Key> {
    let mut folded: Vec<_> = names.iter().map(|name| fold(name)).filter(|name| !name.is_empty()).collect();
    folded.sort_unstable();
    folded.dedup();
    folded
}

fn addresses(host: &Host) -> impl Iterator<Item = IpAddr> + use<> {
    host.v4.map(IpAddr::V4).into_iter().chain(host.v6.map(IpAddr::V6))
}
