//! What the API says about names: static records, what is known, what a question is answered with, what was asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A static record of a network: `GET`, `POST` and `DELETE /dns/records/{network}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DnsRecord {
    /// Its name, without the network's; `*.foo` stands for every name under `foo` that nobody has.
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, `TXT`, `SRV` or `MX`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// As a zone file has it: an address, a name, a text, `PRIORITY WEIGHT PORT TARGET`, `PREFERENCE EXCHANGE`.
    pub value: String,
    /// How long clients may keep it, in seconds; the usual time if it is not there.
    #[serde(rename = "TTL", default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
}

/// A name that containers can ask for: `GET /dns`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DnsName {
    /// The network in which it is known.
    pub network: String,
    /// The name.
    pub name: String,
    /// The type of its record.
    #[serde(rename = "Type")]
    pub kind: String,
    /// What the record says.
    pub value: String,
    /// How long clients may keep it, in seconds.
    #[serde(rename = "TTL")]
    pub ttl: u32,
    /// Whose it is: a container's name, `record` or `host`.
    pub source: String,
}

/// What a container gets to a question: `GET /containers/{id}/dns`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DnsReply {
    /// The name that was asked for.
    pub name: String,
    /// The type that was asked for.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The response code: `NOERROR`, `NXDOMAIN`, …
    pub status: String,
    /// Where the reply is from: `local`, `cache`, `stale`, `upstream`, `none` (nobody answered) or `refused`.
    pub source: String,
    /// Microseconds that it took.
    pub micros: u64,
    /// The records of the answer.
    pub answers: Vec<DnsAnswer>,
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DnsAnswer {
    /// Whose.
    pub name: String,
    /// Its type.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Seconds that it may be kept.
    #[serde(rename = "TTL")]
    pub ttl: u32,
    /// What it says, as a zone file has it.
    pub value: String,
}

/// A question that a container asked, or a connection that it was refused: a line of `GET /containers/{id}/dns/log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DnsAsked {
    /// When it came, RFC 3339.
    pub time: String,
    /// The name that was asked for, as it was written; of a connection the last one that its address was given for, empty
    /// if there was none.
    pub name: String,
    /// The type that was asked for; of a connection its port and protocol, `443/tcp`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// What became of it: `answered`, `empty`, `cached`, `forwarded`, `stale`, `failed`, `refused` or `denied`; of a
    /// connection `dropped`.
    pub outcome: String,
    /// Microseconds that it took.
    pub micros: u64,
    /// Where a connection went; a question has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Lines that were lost to this reader before this one, since it was too slow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a container may send, and what it tried: `GET /containers/{id}/egress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EgressReport {
    /// `deny` or `learn`.
    pub mode: String,
    /// What it may reach, as it is written in `io.pontoon.egress.allow`.
    pub allow: Vec<String>,
    /// What it tried to reach in the last day: under `deny` what was dropped, under `learn` everything.
    pub attempts: Vec<EgressAttempt>,
    /// Names that it asked for and may not ask for, and how often.
    pub denied_names: BTreeMap<String, u64>,
    /// The entries of `io.pontoon.egress.allow` that would let the attempts through.
    pub needed: Vec<String>,
}

/// Something that a container tried to reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EgressAttempt {
    /// The name that it had asked for to get the address; empty if there was none.
    pub name: String,
    /// The address.
    pub address: String,
    /// The port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Whether it was dropped.
    pub dropped: bool,
}
