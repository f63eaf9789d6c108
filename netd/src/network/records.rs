//! The zone of a network beyond its containers: static records, which live as long as the network, and the names that
//! Docker Desktop gives the host.

use std::net::IpAddr;

use dns::{StaticData, StaticRecord};
use libnet::{store::Change, types::NetworkId};
use netd_api::dns::{DnsName, DnsRecord};

use super::{
    EndpointView, NetworkError,
    inner::Inner,
    options::{HOST_NAMES, is_on},
    record::{NETWORKS, NetworkRecord},
};
use crate::names::records;

/// What Docker Desktop and podman call the host.
const HOST: [&str; 2] = ["host.docker.internal", "host.containers.internal"];

/// The most records of one network: each change writes them all down.
const MOST: usize = 10_000;

impl Inner {
    /// Makes a network's zone what its record says; its containers stay in it.
    pub(super) fn publish_zone(&self, network: &NetworkRecord) {
        if !network.has_names() {
            return;
        }
        let (zone, fixed) = (network.id.to_string().into(), self.fixed(network));
        self.names.update(|editor| {
            editor.set_zone(network.id.to_string(), &network.name);
            editor.set_records(&zone, &fixed);
        });
    }

    fn fixed(&self, network: &NetworkRecord) -> Vec<StaticRecord> {
        let host = self.host_names(network).map(|(name, ip)| {
            let data = match ip {
                IpAddr::V4(v4) => StaticData::A(v4),
                IpAddr::V6(v6) => StaticData::Aaaa(v6),
            };
            StaticRecord { name: name.to_owned(), ttl: None, data }
        });
        // They were checked when they came.
        let own = network.records.iter().filter_map(|record| records::read(record).ok());
        host.chain(own.map(|(_, fixed)| fixed)).collect()
    }

    /// The host as this network's containers reach it: at what `host-gateway` is configured to be, else at the bridge.
    fn host_names(&self, network: &NetworkRecord) -> impl Iterator<Item = (&'static str, IpAddr)> + use<> {
        let named = is_on(&network.options, HOST_NAMES);
        let ips: Vec<IpAddr> = match &self.config.defaults.host_gateway[..] {
            _ if !named => Vec::new(),
            [] => network.subnets().filter_map(|subnet| subnet.gateway).collect(),
            configured => configured.to_vec(),
        };
        HOST.into_iter().flat_map(move |name| ips.clone().into_iter().map(move |ip| (name, ip)))
    }

    pub(super) fn records(&self, reference: &str) -> Result<Vec<DnsRecord>, NetworkError> {
        let state = self.state();
        Ok(with_names(state.resolve(reference)?)?.records.clone())
    }

    pub(super) fn add_record(&self, reference: &str, record: &DnsRecord) -> Result<(), NetworkError> {
        let (record, _) = records::read(record).map_err(NetworkError::Invalid)?;
        self.change_records(reference, |network| {
            let same_name = |known: &&DnsRecord| known.name.eq_ignore_ascii_case(&record.name);
            let others = || network.records.iter().filter(same_name);
            let same = |known: &DnsRecord| (&known.kind, &known.value) == (&record.kind, &record.value);
            if others().any(same) {
                return Err(NetworkError::RecordTaken {
                    record: text(&record),
                    network: network.name.clone(),
                });
            }
            // A name that is another name is nothing else beside (RFC 1034, 3.6.2).
            if others().any(|known| known.kind == "CNAME" || record.kind == "CNAME") {
                return Err(NetworkError::Invalid(format!(
                    "{} already has records in network {}, and a CNAME can't stand beside others",
                    record.name, network.name
                )));
            }
            if network.records.len() >= MOST {
                return Err(NetworkError::Invalid(format!(
                    "network {} has {MOST} records already",
                    network.name
                )));
            }
            network.records.push(record);
            Ok(())
        })
    }

    /// Removes the records of this name; of them, those of this type and with this value.
    pub(super) fn remove_records(
        &self,
        reference: &str,
        name: &str,
        kind: Option<&str>,
        value: Option<&str>,
    ) -> Result<Vec<DnsRecord>, NetworkError> {
        self.change_records(reference, |network| {
            let goes = |record: &mut DnsRecord| {
                record.name.eq_ignore_ascii_case(name.trim_end_matches('.'))
                    && kind.is_none_or(|kind| record.kind.eq_ignore_ascii_case(kind))
                    && value.is_none_or(|value| record.value == value)
            };
            let gone: Vec<_> = network.records.extract_if(.., goes).collect();
            if gone.is_empty() {
                let wanted = [Some(name), kind, value].into_iter().flatten().collect::<Vec<_>>().join(" ");
                return Err(NetworkError::NoRecord { record: wanted, network: network.name.clone() });
            }
            Ok(gone)
        })
    }

    /// On disk first, then for all to see. One change at a time, so that the disk ends with the last.
    fn change_records<T>(
        &self,
        reference: &str,
        change: impl FnOnce(&mut NetworkRecord) -> Result<T, NetworkError>,
    ) -> Result<T, NetworkError> {
        let _one = self.changing_records();
        let mut network = self.state().resolve(reference)?.clone();
        with_names(&network)?;
        let done = change(&mut network)?;
        self.declared.commit(&[Change::put(NETWORKS, network.id, &network)?])?;
        self.state().set_records(network.id, network.records.clone());
        self.publish_zone(&network);
        Ok(done)
    }

    /// All names that are known in these networks, or in all.
    pub(super) fn known_names(&self, networks: Option<&[NetworkId]>) -> Vec<DnsName> {
        let state = self.state();
        let shown = |network: &&NetworkRecord| {
            network.has_names() && networks.is_none_or(|wanted| wanted.contains(&network.id))
        };
        let mut all = Vec::new();
        for network in state.networks().filter(shown) {
            let views = state
                .endpoints_in(network.id)
                .filter_map(|record| Some((record.name.as_str(), state.view(record.container, network.id)?)));
            all.extend(views.flat_map(|(container, view)| of_container(container, &view)));
            let host = self.host_names(network);
            all.extend(host.flat_map(|(name, ip)| addresses(&network.name, name, "host", [ip])));
            all.extend(network.records.iter().map(|record| of_record(&network.name, record)));
        }
        all.sort_by(|a, b| {
            (&a.network, &a.name, &a.kind, &a.value).cmp(&(&b.network, &b.name, &b.kind, &b.value))
        });
        all
    }
}

fn with_names(network: &NetworkRecord) -> Result<&NetworkRecord, NetworkError> {
    if network.has_names() {
        return Ok(network);
    }
    let text = format!("network {} has no names: records need a user-defined network", network.name);
    Err(NetworkError::Invalid(text))
}

fn text(record: &DnsRecord) -> String {
    format!("{} {} {}", record.name, record.kind, record.value)
}

fn of_container(container: &str, view: &EndpointView) -> Vec<DnsName> {
    view.dns_names
        .iter()
        .flat_map(|name| addresses(&view.network_name, name, container, view.addresses()))
        .collect()
}

fn addresses(
    network: &str,
    name: &str,
    source: &str,
    ips: impl IntoIterator<Item = IpAddr>,
) -> impl Iterator<Item = DnsName> {
    ips.into_iter().map(move |ip| DnsName {
        network: network.to_owned(),
        name: name.to_owned(),
        kind: if ip.is_ipv4() { "A" } else { "AAAA" }.to_owned(),
        value: ip.to_string(),
        ttl: dns::LOCAL_TTL,
        source: source.to_owned(),
    })
}

fn of_record(network: &str, record: &DnsRecord) -> DnsName {
    DnsName {
        network: network.to_owned(),
        name: record.name.clone(),
        kind: record.kind.clone(),
        value: record.value.clone(),
        ttl: records::ttl(record),
        source: "record".to_owned(),
    }
}
