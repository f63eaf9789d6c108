//! The PORTS column: `0.0.0.0:8080->80/tcp, [::]:8080->80/tcp`, with ranges where ports follow each other.

use serde_json::Value;

/// One entry of `Ports` in the list of containers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    ip: String,
    private: u16,
    public: u16,
    proto: String,
}

/// A run of ports that are printed as one.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: u16,
    last: u16,
}

/// As Docker prints it.
pub(crate) fn column(ports: &Value) -> String {
    let mut entries: Vec<Entry> = ports.as_array().into_iter().flatten().filter_map(entry).collect();
    entries
        .sort_by(|a, b| (a.private, &a.ip, a.public, &a.proto).cmp(&(b.private, &b.ip, b.public, &b.proto)));
    let mut groups: Vec<((String, String), Run)> = Vec::new();
    let mut single: Vec<String> = Vec::new();
    let mut keys: Vec<(String, String)> = Vec::new();
    let mut out = Vec::new();
    for entry in &entries {
        if entry.public != 0 && entry.public != entry.private {
            single.push(format!("{}->{}/{}", address(entry), entry.private, entry.proto));
            continue;
        }
        let ip = if entry.public == 0 { String::new() } else { entry.ip.clone() };
        let key = (ip, entry.proto.clone());
        match groups.iter_mut().find(|(known, _)| *known == key) {
            None => {
                keys.push(key.clone());
                groups.push((key, Run { first: entry.private, last: entry.private }));
            }
            Some((_, run)) if entry.private == run.last => {}
            Some((_, run)) if entry.private == run.last.wrapping_add(1) => run.last = entry.private,
            Some((known, run)) => {
                out.push(grouped(known, *run));
                *run = Run { first: entry.private, last: entry.private };
            }
        }
    }
    for key in keys {
        if let Some((known, run)) = groups.iter().find(|(known, _)| *known == key) {
            out.push(grouped(known, *run));
        }
    }
    out.extend(single);
    out.join(", ")
}

fn entry(port: &Value) -> Option<Entry> {
    let number = |name: &str| port.get(name).and_then(Value::as_u64).and_then(|n| u16::try_from(n).ok());
    Some(Entry {
        ip: super::text(port, "IP").to_owned(),
        private: number("PrivatePort")?,
        public: number("PublicPort").unwrap_or(0),
        proto: super::text(port, "Type").to_owned(),
    })
}

fn address(entry: &Entry) -> String {
    if entry.ip.is_empty() { entry.public.to_string() } else { joined(&entry.ip, &entry.public.to_string()) }
}

/// Go's `net.JoinHostPort`.
fn joined(ip: &str, port: &str) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

fn grouped((ip, proto): &(String, String), run: Run) -> String {
    let ports =
        if run.first == run.last { run.first.to_string() } else { format!("{}-{}", run.first, run.last) };
    if ip.is_empty() {
        format!("{ports}/{proto}")
    } else {
        format!("{}->{ports}/{proto}", joined(ip, &ports))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ports_that_follow_each_other_are_one() {
        let port = |ip: &str, private: u16, public: u16, proto: &str| match public {
            0 => json!({"PrivatePort": private, "Type": proto}),
            _ => json!({"IP": ip, "PrivatePort": private, "PublicPort": public, "Type": proto}),
        };
        let table = [
            (
                json!([port("0.0.0.0", 80, 8080, "tcp"), port("::", 80, 8080, "tcp")]),
                "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
            ),
            (json!([port("", 90, 0, "udp"), port("", 91, 0, "udp")]), "90-91/udp"),
            (
                json!([port("0.0.0.0", 80, 80, "tcp"), port("0.0.0.0", 81, 81, "tcp")]),
                "0.0.0.0:80-81->80-81/tcp",
            ),
            (
                json!([port("", 80, 0, "tcp"), port("", 443, 0, "tcp"), port("1.2.3.4", 9, 99, "tcp")]),
                "80/tcp, 443/tcp, 1.2.3.4:99->9/tcp",
            ),
            (json!(null), ""),
        ];
        for (ports, expected) in table {
            assert_eq!(column(&ports), expected, "{ports}");
        }
    }
}
