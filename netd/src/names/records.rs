//! Static records, from the words of a user to what a zone takes. The values are those of a zone file (RFC 1035, 5.1),
//! without quotes: what the command line hands over is one word already.

use std::{fmt::Display, str::FromStr};

use dns::{LOCAL_TTL, StaticData, StaticRecord};
use netd_api::dns::DnsRecord;

/// Longer than a week nobody should have to keep anything (RFC 8767 caps what resolvers keep at that too).
const LONGEST_TTL: u32 = 7 * 86_400;

/// Checks a record; gives it as it is kept, and as a zone takes it.
pub(crate) fn read(record: &DnsRecord) -> Result<(DnsRecord, StaticRecord), String> {
    let wrong = |why: &dyn Display| {
        format!("invalid record {} {} \"{}\": {why}", record.name, record.kind, record.value)
    };
    let name = record.name.trim_end_matches('.').to_owned();
    if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(wrong(&"the name has blanks or control characters"));
    }
    if record.ttl.is_some_and(|ttl| ttl > LONGEST_TTL) {
        return Err(wrong(&format!("the TTL is more than {LONGEST_TTL} seconds")));
    }
    let kind = record.kind.to_ascii_uppercase();
    let data = data(&kind, record.value.trim()).map_err(|why| wrong(&why))?;
    let fixed = StaticRecord { name: name.clone(), ttl: record.ttl, data };
    fixed.check().map_err(|error| wrong(&crate::error::chain(&error)))?;
    let kept = DnsRecord { name, kind, value: value(&fixed.data), ttl: record.ttl };
    Ok((kept, fixed))
}

/// The time that clients may keep a record.
pub(crate) fn ttl(record: &DnsRecord) -> u32 {
    record.ttl.unwrap_or(LOCAL_TTL)
}

fn data(kind: &str, value: &str) -> Result<StaticData, String> {
    match kind {
        "A" => Ok(StaticData::A(parsed(value, "an IPv4 address")?)),
        "AAAA" => Ok(StaticData::Aaaa(parsed(value, "an IPv6 address")?)),
        "CNAME" => Ok(StaticData::Cname(target(value)?)),
        "TXT" => Ok(StaticData::Txt(texts(value))),
        "SRV" => match value.split_whitespace().collect::<Vec<_>>()[..] {
            [priority, weight, port, host] => Ok(StaticData::Srv {
                priority: parsed(priority, "a priority")?,
                weight: parsed(weight, "a weight")?,
                port: parsed(port, "a port")?,
                target: target(host)?,
            }),
            _ => Err("the value of an SRV record is PRIORITY WEIGHT PORT TARGET".to_owned()),
        },
        "MX" => match value.split_whitespace().collect::<Vec<_>>()[..] {
            [preference, host] => Ok(StaticData::Mx {
                preference: parsed(preference, "a preference")?,
                exchange: target(host)?,
            }),
            _ => Err("the value of an MX record is PREFERENCE HOST".to_owned()),
        },
        _ => Err("the type should be A, AAAA, CNAME, TXT, SRV or MX".to_owned()),
    }
}

fn parsed<T: FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("\"{text}\" is not {what}"))
}

fn target(text: &str) -> Result<String, String> {
    let name = text.trim_end_matches('.');
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(format!("\"{text}\" is not a host name"));
    }
    Ok(name.to_owned())
}

/// A long text is several strings of at most 255 bytes (RFC 1035, 3.3.14), which readers put together again.
fn texts(value: &str) -> Vec<String> {
    const MOST: usize = 255;
    let mut texts = vec![String::new()];
    for c in value.chars() {
        match texts.last_mut() {
            Some(last) if last.len() + c.len_utf8() <= MOST => last.push(c),
            _ => texts.push(c.to_string()),
        }
    }
    texts
}

fn value(data: &StaticData) -> String {
    match data {
        StaticData::A(v4) => v4.to_string(),
        StaticData::Aaaa(v6) => v6.to_string(),
        StaticData::Cname(name) => name.clone(),
        StaticData::Txt(texts) => texts.concat(),
        StaticData::Srv { priority, weight, port, target } => format!("{priority} {weight} {port} {target}"),
        StaticData::Mx { preference, exchange } => format!("{preference} {exchange}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, kind: &str, value: &str) -> DnsRecord {
        DnsRecord { name: name.to_owned(), kind: kind.to_owned(), value: value.to_owned(), ttl: None }
    }

    #[test]
    fn records_are_kept_in_one_form() {
        let table = [
            ("db.", "a", " 10.0.0.1 ", "db", "A", "10.0.0.1"),
            ("*.app", "AAAA", "FD00:0::1", "*.app", "AAAA", "fd00::1"),
            ("www", "cname", "web.example.", "www", "CNAME", "web.example"),
            ("_http._tcp.web", "srv", "0  5 80 web.", "_http._tcp.web", "SRV", "0 5 80 web"),
            ("example", "mx", "10 mail.example.", "example", "MX", "10 mail.example"),
            ("t", "txt", "v=spf1 -all", "t", "TXT", "v=spf1 -all"),
        ];
        for (name, kind, value, kept_name, kept_kind, kept_value) in table {
            let (kept, _) = read(&record(name, kind, value)).unwrap();
            assert_eq!(kept, record(kept_name, kept_kind, kept_value));
            assert_eq!(read(&kept).unwrap().0, kept, "reading what was kept changes nothing");
        }
        let long = "ä".repeat(200);
        let (kept, fixed) = read(&record("t", "TXT", &long)).unwrap();
        assert_eq!(kept.value, long);
        assert!(matches!(fixed.data, StaticData::Txt(texts) if texts.len() == 2));
    }

    #[test]
    fn what_can_t_be_is_refused_with_its_words() {
        for (name, kind, value, why) in [
            ("db", "A", "fd00::1", "\"fd00::1\" is not an IPv4 address"),
            ("db", "NS", "x", "the type should be A, AAAA, CNAME, TXT, SRV or MX"),
            ("", "A", "10.0.0.1", "a record needs a name"),
            ("a b", "A", "10.0.0.1", "the name has blanks or control characters"),
            ("db", "SRV", "1 2 web", "the value of an SRV record is PRIORITY WEIGHT PORT TARGET"),
            ("db", "SRV", "1 2 65536 web", "\"65536\" is not a port"),
            ("db", "CNAME", "..", "\"..\" is not a host name"),
        ] {
            let text = read(&record(name, kind, value)).unwrap_err();
            assert_eq!(text, format!("invalid record {name} {kind} \"{value}\": {why}"));
        }
        assert!(read(&record(&"x".repeat(64), "A", "10.0.0.1")).unwrap_err().contains("is no name of DNS"));
    }
}
