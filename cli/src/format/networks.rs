//! Rows of `network ls`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::containers::Long;
use super::list::{Kind, Row, labels_of, labels_text};
use super::{short_id, text};

pub(crate) const KIND: Kind = Kind {
    type_name: "*network.networkContext",
    headings: &[
        ("ID", "NETWORK ID"),
        ("Name", "NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("IPv4", "IPV4"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("CreatedAt", "CREATED AT"),
    ],
    table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    raw: "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
    quiet: "{{.ID}}",
};

/// A row from one entry of the list of networks.
pub(crate) fn row(network: &Value, long: Long, zone: &TimeZone) -> Row {
    let labels = labels_of(network);
    let id = text(network, "Id");
    let flag = |name: &str| network.get(name).and_then(Value::as_bool).unwrap_or(false).to_string();
    let cells = json!({
        "ID": match long { Long::Cut => short_id(id), Long::Whole => id.to_owned() },
        "Name": text(network, "Name"),
        "Driver": text(network, "Driver"),
        "Scope": text(network, "Scope"),
        "IPv4": flag("EnableIPv4"),
        "IPv6": flag("EnableIPv6"),
        "Internal": flag("Internal"),
        "Labels": labels_text(&labels),
        "CreatedAt": created(text(network, "Created"), zone),
    });
    Row::new(cells, labels)
}

fn created(text: &str, zone: &TimeZone) -> String {
    match text.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.f %z %Z").to_string(),
        Err(_) => text.to_owned(),
    }
}
