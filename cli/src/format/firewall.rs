//! The firewall as a page: figures as comments, then tables as `nft` prints them, each part below what it is for.

use serde_json::Value;

use super::colour::{CYAN, Colour, FAINT};
use super::{human, table, text};

/// The whole page.
pub(crate) fn page(report: &Value, colour: Colour) -> String {
    let mut page = Page { out: String::new(), colour };
    page.figures("What containers received and sent, counted at their links", &endpoints(report));
    page.figures(
        "No end of these is the host's (macvlan, ipvlan): it filters and counts nothing there",
        &apart(report),
    );
    page.figures(ports_heading(report), &ports(report));
    for found in list(&report["Tables"]) {
        page.table(found);
    }
    for found in list(&report["Elsewhere"]) {
        page.elsewhere(found);
    }
    page.out
}

struct Page {
    out: String,
    colour: Colour,
}

impl Page {
    fn comment(&mut self, indent: &str, words: &str) {
        if !words.is_empty() {
            let comment = self.colour.of(FAINT, &format!("# {words}"));
            self.out += &format!("{indent}{comment}\n");
        }
    }

    /// Rows with a heading; nothing without rows.
    fn figures(&mut self, heading: &str, rows: &[String]) {
        if rows.len() < 2 {
            return;
        }
        self.comment("", &format!("{heading}:"));
        for row in table::columns(&rows.join("\n")).lines() {
            self.comment("", &format!("  {}", row.trim_end()));
        }
        self.out.push('\n');
    }

    fn table(&mut self, found: &Value) {
        self.comment("", text(found, "About"));
        let heading = format!("table {} {}", text(found, "Family"), text(found, "Name"));
        self.out += &format!("{} {{\n", self.colour.of(CYAN, &heading));
        let comment = text(found, "Comment");
        if !comment.is_empty() {
            self.out += &format!("\tcomment \"{comment}\"\n\n");
        }
        let parts: Vec<&Value> = list(&found["Sets"]).chain(list(&found["Chains"])).collect();
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                self.out.push('\n');
            }
            self.comment("\t", text(part, "About"));
            self.out += text(part, "Text");
        }
        self.out += "}\n\n";
    }

    /// Comments: it is no part of what `nft` reads.
    fn elsewhere(&mut self, found: &Value) {
        self.comment("", text(found, "About"));
        for rule in list(&found["Rules"]) {
            let counted = match rule.get("Packets") {
                Some(_) => format!("  ({} packets, {})", number(rule, "Packets"), size(rule, "Bytes")),
                None => String::new(),
            };
            self.comment("", &format!("  {} {}{counted}", text(found, "Program"), text(rule, "Text")));
        }
        self.out.push('\n');
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn endpoints(report: &Value) -> Vec<String> {
    let rows = list(&report["Endpoints"]).filter(|end| end.get("RxBytes").is_some()).map(|end| {
        let addresses: Vec<&str> = list(&end["Addresses"]).filter_map(Value::as_str).collect();
        let passed = |bytes: &str, packets: &str, dropped: &str| {
            let lost = match number(end, dropped) {
                0 => String::new(),
                lost => format!(", {lost} dropped"),
            };
            format!("{} ({} packets{lost})", size(end, bytes), number(end, packets))
        };
        format!(
            "{}\t{}\t{}\t{}\t{}",
            text(end, "Container"),
            text(end, "Network"),
            addresses.join(" "),
            passed("RxBytes", "RxPackets", "RxDropped"),
            passed("TxBytes", "TxPackets", "TxDropped"),
        )
    });
    std::iter::once("CONTAINER\tNETWORK\tADDRESS\tRECEIVED\tSENT".to_owned()).chain(rows).collect()
}

/// Endpoints that nothing is counted of.
fn apart(report: &Value) -> Vec<String> {
    let rows = list(&report["Endpoints"]).filter(|end| end.get("RxBytes").is_none());
    let rows = rows.map(|end| {
        let addresses: Vec<&str> = list(&end["Addresses"]).filter_map(Value::as_str).collect();
        format!("{}\t{}\t{}", text(end, "Container"), text(end, "Network"), addresses.join(" "))
    });
    std::iter::once("CONTAINER\tNETWORK\tADDRESS".to_owned()).chain(rows).collect()
}

fn ports_heading(report: &Value) -> &'static str {
    match report["Accounting"] == true {
        true => "Published ports: connections since they are published, and what those of now moved",
        false => {
            "Published ports: connections since they are published \
             (bytes are counted while net.netfilter.nf_conntrack_acct is 1)"
        }
    }
}

fn ports(report: &Value) -> Vec<String> {
    let rows = list(&report["Ports"]).map(|port| {
        let bytes = |name: &str| port.get(name).map_or("-".to_owned(), |_| size(port, name));
        let connections = port.get("Connections").map_or("-".to_owned(), ToString::to_string);
        format!(
            "{}\t{}\t{}\t{connections}\t{}\t{}\t{}",
            outside(port),
            text(port, "Container"),
            inside(port),
            number(port, "Living"),
            bytes("RxBytes"),
            bytes("TxBytes"),
        )
    });
    let heading = "PORT\tCONTAINER\tLEADS TO\tCONNECTIONS\tNOW\tRECEIVED\tSENT".to_owned();
    std::iter::once(heading).chain(rows).collect()
}

fn outside(port: &Value) -> String {
    let (ip, protocol) = (text(port, "HostIp"), text(port, "Protocol"));
    match port.get("HostPort").and_then(Value::as_u64) {
        Some(number) => format!("{}/{protocol}", socket(ip, number)),
        None => format!("direct/{protocol}"),
    }
}

fn inside(port: &Value) -> String {
    match text(port, "ContainerIp") {
        "" => "not by NAT".to_owned(),
        ip => socket(ip, number(port, "ContainerPort")),
    }
}

fn socket(ip: &str, port: u64) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn size(value: &Value, name: &str) -> String {
    human::short_size(number(value, name) as f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_is_a_file_of_nft_with_comments() {
        let report = json!({
            "Accounting": false,
            "Endpoints": [{"Container": "c1", "Network": "web", "Addresses": ["10.9.0.2"], "RxBytes": 1200,
                           "RxPackets": 10, "RxDropped": 0, "TxBytes": 90, "TxPackets": 1, "TxDropped": 2}],
            "Ports": [
                {"Container": "c1", "HostIp": "::", "HostPort": 8080, "ContainerIp": "fd09::2",
                 "ContainerPort": 80, "Protocol": "tcp", "Connections": 3, "Living": 1},
                {"Container": "c1", "HostIp": "::1", "HostPort": 81, "ContainerIp": "",
                 "ContainerPort": 80, "Protocol": "tcp", "Living": 0},
            ],
            "Tables": [{"Family": "inet", "Name": "pontoon", "About": "All of it.", "Comment": "ours",
                        "Sets": [{"About": "Bridges.", "Text": "\tset bridges {\n\t\ttype ifname\n\t}\n"}],
                        "Chains": [{"About": "", "Text": "\tchain mine {\n\t}\n"}]}],
            "Elsewhere": [{"Program": "iptables-legacy", "About": "Of the old iptables.",
                           "Rules": [{"Text": "-A FORWARD -i br-web -j ACCEPT", "Packets": 12, "Bytes": 720}]}],
        });
        insta::assert_snapshot!(page(&report, Colour::Plain));
    }
}
