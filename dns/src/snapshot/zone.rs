//! The names of one network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hickory_proto::rr::Name;

use super::names::Names;
use super::{Fixed, Key, ServiceAt, Wanted, fold};
use crate::cow_map::CowMap;
use crate::types::{Host, HostId, StaticRecord};

#[derive(Clone, Debug)]
pub(crate) struct Zone {
    /// As the user wrote it, for reverse answers.
    name: String,
    folded: Key,
    hosts: CowMap<Id, Arc<Host>>,
    by_name: Names<Arc<[Addresses]>>,
    records: Names<Arc<[Fixed]>>,
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

/// All that one zone has under one name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'s> {
    zone: &'s Zone,
    pub(crate) hosts: &'s [Addresses],
    pub(crate) records: &'s [Fixed],
}

impl Zone {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            folded: fold(name),
            hosts: CowMap::default(),
            by_name: Names::default(),
            records: Names::default(),
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
            let others = self.by_name.own(&name).map_or(&[][..], |entries| entries);
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
            let Some(entries) = self.by_name.own(&name) else { continue };
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

    pub(super) fn set_records(&mut self, records: &[StaticRecord]) {
        self.records = Names::default();
        for record in records {
            let Ok(fixed) = Fixed::new(record) else { continue };
            let name = fold(&record.name);
            let others = self.records.own(&name).map_or(&[][..], |records| records);
            let all = others.iter().cloned().chain([fixed]).collect();
            self.records.insert(name, all);
        }
    }

    /// What has this folded name.
    pub(crate) fn named(&self, name: &[u8]) -> Option<Named<'_>> {
        self.all(self.by_name.own(name), self.records.own(name))
    }

    /// What stands for this folded name, if nothing has it.
    pub(crate) fn covering(&self, name: &[u8]) -> Option<Named<'_>> {
        self.all(self.by_name.covering(name), self.records.covering(name))
    }

    fn all<'s>(
        &'s self,
        hosts: Option<&'s Arc<[Addresses]>>,
        records: Option<&'s Arc<[Fixed]>>,
    ) -> Option<Named<'s>> {
        let (hosts, records) = (hosts.map_or(&[][..], |all| all), records.map_or(&[][..], |all| all));
        (!hosts.is_empty() || !records.is_empty()).then_some(Named { zone: self, hosts, records })
    }

    /// `name` without this zone's own name at its end.
    pub(crate) fn strip<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        let host = name.strip_suffix(&*self.folded)?.strip_suffix(b".")?;
        (!host.is_empty() && !self.folded.is_empty()).then_some(host)
    }

    /// What a reverse lookup of this address gives: `name.network`. `None` also where that is no DNS name.
    pub(crate) fn name_of(&self, address: IpAddr) -> Option<Name> {
        self.full_name(self.hosts.get(&**self.by_address.get(&address)?)?)
    }

    fn full_name(&self, host: &Host) -> Option<Name> {
        let first = host.names.iter().find(|name| !name.starts_with('*'))?;
        let labels = first.split('.').chain(self.name.split('.'));
        Name::from_labels(labels.map(str::as_bytes)).ok()
    }
}

impl Named<'_> {
    /// Where these hosts have a service.
    pub(crate) fn services(&self, wanted: Wanted<'_>) -> Vec<ServiceAt> {
        let mut found = Vec::new();
        for &Addresses { host: ref id, v4, v6 } in self.hosts {
            let Some(host) = self.zone.hosts.get(&**id) else { continue };
            let Some(target) = self.zone.full_name(host) else { continue };
            // One published at several addresses of the host is still one.
            let mut ports: Vec<_> = host
                .services
                .iter()
                .filter(|service| wanted.is(service))
                .map(|service| service.port)
                .collect();
            ports.sort_unstable();
            ports.dedup();
            found.extend(ports.into_iter().map(|port| ServiceAt { target: target.clone(), port, v4, v6 }));
        }
        found
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
