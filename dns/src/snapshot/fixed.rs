//! Static records as the answer needs them: checked, and in the wire library's terms.

use hickory_proto::ProtoError;
use hickory_proto::rr::{Name, RData, rdata};
use thiserror::Error;

use crate::answer::LOCAL_TTL;
use crate::types::{StaticData, StaticRecord};

#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    pub(crate) ttl: u32,
    pub(crate) data: RData,
}

/// Why a record can't be.
#[derive(Debug, Error)]
pub enum RecordError {
    /// A name of the record.
    #[error("{0:?} is no name of DNS")]
    Name(String, #[source] ProtoError),
    /// A record without a name.
    #[error("a record needs a name")]
    NoName,
    /// One of its texts.
    #[error("a text of a TXT record has at most 255 bytes, and this one has {0}")]
    LongText(usize),
    /// A TXT record with nothing in it.
    #[error("a TXT record needs a text")]
    NoText,
}

/// The most of one character string (RFC 1035, 3.3).
const TEXT: usize = 255;

impl StaticRecord {
    /// Whether a zone takes it.
    ///
    /// # Errors
    /// If a name or a text in it is none.
    pub fn check(&self) -> Result<(), RecordError> {
        Fixed::new(self).map(drop)
    }
}

impl Fixed {
    pub(super) fn new(record: &StaticRecord) -> Result<Self, RecordError> {
        if super::fold(&record.name).is_empty() {
            return Err(RecordError::NoName);
        }
        name(&record.name)?;
        let data = match &record.data {
            StaticData::A(v4) => RData::A(rdata::A(*v4)),
            StaticData::Aaaa(v6) => RData::AAAA(rdata::AAAA(*v6)),
            StaticData::Cname(target) => RData::CNAME(rdata::CNAME(name(target)?)),
            StaticData::Txt(texts) => RData::TXT(txt(texts)?),
            StaticData::Srv { priority, weight, port, target } => {
                RData::SRV(rdata::SRV::new(*priority, *weight, *port, name(target)?))
            }
            StaticData::Mx { preference, exchange } => {
                RData::MX(rdata::MX::new(*preference, name(exchange)?))
            }
        };
        Ok(Self { ttl: record.ttl.unwrap_or(LOCAL_TTL), data })
    }
}

fn name(text: &str) -> Result<Name, RecordError> {
    let labels = text.trim_end_matches('.').split('.').map(str::as_bytes);
    Name::from_labels(labels).map_err(|error| RecordError::Name(text.to_owned(), error))
}

fn txt(texts: &[String]) -> Result<rdata::TXT, RecordError> {
    match texts.iter().map(String::len).max() {
        None => Err(RecordError::NoText),
        Some(len) if len > TEXT => Err(RecordError::LongText(len)),
        Some(_) => Ok(rdata::TXT::new(texts.to_vec())),
    }
}
