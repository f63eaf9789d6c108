//! The records of an answer.

use hickory_proto::rr::{Name, RData, Record, RecordType, rdata};
use rand::Rng;
use rand::seq::SliceRandom;

use super::LOCAL_TTL;
use super::lookup::Names;
use crate::snapshot::ServiceAt;

/// The records of the asked type, networks in order, shuffled within each. A name that is ours is ours for every
/// type: one without records is empty rather than unknown, since "unknown" denies the name as a whole (RFC 8020)
/// and a cache in the container would then lose its addresses too.
pub(super) fn push_named(
    name: &Name,
    kind: RecordType,
    all: &Names<'_>,
    records: &mut Vec<Record>,
    shuffle: &mut impl Rng,
) {
    let wanted = |has: RecordType| kind == has || kind == RecordType::ANY;
    for named in all {
        let start = records.len();
        let mut push = |ttl, data: RData| {
            if wanted(data.record_type()) {
                records.push(Record::from_rdata(name.clone(), ttl, data));
            }
        };
        for host in named.hosts {
            host.v4.into_iter().for_each(|v4| push(LOCAL_TTL, RData::A(rdata::A(v4))));
            host.v6.into_iter().for_each(|v6| push(LOCAL_TTL, RData::AAAA(rdata::AAAA(v6))));
        }
        for fixed in named.records.iter().filter(|fixed| wanted(fixed.data.record_type())) {
            push(fixed.ttl, fixed.data.clone());
        }
        records[start..].shuffle(shuffle);
    }
}

/// What a name is another name for.
pub(super) fn alias(name: &Name, all: &Names<'_>) -> Option<(Record, Name)> {
    let mut fixed = all.iter().flat_map(|named| named.records);
    fixed.find_map(|fixed| match &fixed.data {
        RData::CNAME(target) => {
            let record = Record::from_rdata(name.clone(), fixed.ttl, fixed.data.clone());
            Some((record, target.0.clone()))
        }
        _ => None,
    })
}

/// Where a service is, and beside that the addresses of its hosts, which are asked for next (RFC 2782).
pub(super) fn services(name: &Name, services: &[ServiceAt]) -> (Vec<Record>, Vec<Record>) {
    let mut beside = Vec::new();
    let one = |service: &ServiceAt| {
        let mut push = |data| beside.push(Record::from_rdata(service.target.clone(), LOCAL_TTL, data));
        service.v4.into_iter().for_each(|v4| push(RData::A(rdata::A(v4))));
        service.v6.into_iter().for_each(|v6| push(RData::AAAA(rdata::AAAA(v6))));
        let srv = rdata::SRV::new(0, 0, service.port, service.target.clone());
        Record::from_rdata(name.clone(), LOCAL_TTL, RData::SRV(srv))
    };
    (services.iter().map(one).collect(), beside)
}

pub(super) fn reverse(name: &Name, host: Name) -> Record {
    Record::from_rdata(name.clone(), LOCAL_TTL, RData::PTR(rdata::PTR(host)))
}
