//! Rows of `dns ls` and `network record ls`.

use serde_json::{Map, Value, json};

use super::list::{Kind, Row};
use super::text;

pub(crate) const KIND: Kind = Kind {
    type_name: "*dns.nameContext",
    headings: &HEADINGS,
    table: "{{.Network}}\t{{.Name}}\t{{.Type}}\t{{.Value}}\t{{.Source}}",
    raw: "network: {{.Network}}\nname: {{.Name}}\ntype: {{.Type}}\nvalue: {{.Value}}\nttl: {{.TTL}}\n",
    quiet: "{{.Name}}",
};

pub(crate) const RECORD: Kind = Kind {
    type_name: "*dns.recordContext",
    headings: &HEADINGS,
    table: "{{.Name}}\t{{.Type}}\t{{.TTL}}\t{{.Value}}",
    raw: "name: {{.Name}}\ntype: {{.Type}}\nvalue: {{.Value}}\nttl: {{.TTL}}\n",
    quiet: "{{.Name}}",
};

const HEADINGS: [(&str, &str); 6] = [
    ("Network", "NETWORK"),
    ("Name", "NAME"),
    ("Type", "TYPE"),
    ("Value", "VALUE"),
    ("TTL", "TTL"),
    ("Source", "SOURCE"),
];

/// A row of a name or a record, as the daemon sent it. One without a time of its own has the usual one.
pub(crate) fn row(name: &Value) -> Row {
    let ttl = name.get("TTL").and_then(Value::as_u64).map_or_else(|| "-".to_owned(), |ttl| ttl.to_string());
    let cells = json!({
        "Network": text(name, "Network"),
        "Name": text(name, "Name"),
        "Type": text(name, "Type"),
        "Value": text(name, "Value"),
        "TTL": ttl,
        "Source": text(name, "Source"),
    });
    Row::new(cells, Map::new())
}
