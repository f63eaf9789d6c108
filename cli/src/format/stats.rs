//! Rows of `stats`, from two readings of counters.

use serde_json::{Map, Value, json};

use super::containers::Long;
use super::list::{Kind, Row};
use super::{human, short_id, text};

pub(crate) const KIND: Kind = Kind {
    type_name: "*container.statsContext",
    headings: &[
        ("Container", "CONTAINER"),
        ("ID", "CONTAINER ID"),
        ("Name", "NAME"),
        ("CPUPerc", "CPU %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"),
        ("NetIO", "NET I/O"),
        ("BlockIO", "BLOCK I/O"),
        ("PIDs", "PIDS"),
    ],
    table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
    raw: "id: {{.ID}}\nname: {{.Name}}\ncpu: {{.CPUPerc}}\nmemory: {{.MemUsage}}\n",
    quiet: "{{.ID}}",
};

/// A row; what has no reading yet shows dashes.
pub(crate) fn row(asked: &str, reading: Option<&Value>, long: Long) -> Row {
    let Some(reading) = reading else {
        let cells = json!({
            "Container": asked, "ID": short_id(asked), "Name": "--", "CPUPerc": "--", "MemUsage": "-- / --",
            "MemPerc": "--", "NetIO": "--", "BlockIO": "--", "PIDs": "--",
        });
        return Row::new(cells, Map::new());
    };
    let id = text(reading, "id");
    let name = text(reading, "name");
    let (used, limit) = memory(reading);
    let share = if limit > 0.0 { used / limit * 100.0 } else { 0.0 };
    let (received, sent) = network(reading);
    let (read, written) = block(reading);
    let cells = json!({
        "Container": asked,
        "ID": if long == Long::Cut { short_id(id) } else { id.to_owned() },
        "Name": name.strip_prefix('/').unwrap_or(name),
        "CPUPerc": format!("{:.2}%", cpu(reading)),
        "MemUsage": format!("{} / {}", human::binary_size(used), human::binary_size(limit)),
        "MemPerc": format!("{share:.2}%"),
        "NetIO": format!("{} / {}", human::short_size(received), human::short_size(sent)),
        "BlockIO": format!("{} / {}", human::short_size(read), human::short_size(written)),
        "PIDs": number(&reading["pids_stats"], "current").to_string(),
    });
    Row::new(cells, Map::new())
}

fn number(value: &Value, name: &str) -> f64 {
    value.get(name).and_then(Value::as_f64).unwrap_or(0.0)
}

/// The container's share of the machine's time between two readings, 100 % for each CPU.
fn cpu(reading: &Value) -> f64 {
    let (now, before) = (&reading["cpu_stats"], &reading["precpu_stats"]);
    let used = number(&now["cpu_usage"], "total_usage") - number(&before["cpu_usage"], "total_usage");
    let all = number(now, "system_cpu_usage") - number(before, "system_cpu_usage");
    let online = match number(now, "online_cpus") {
        0.0 => now["cpu_usage"]["percpu_usage"].as_array().map_or(1.0, |cpus| cpus.len() as f64),
        online => online,
    };
    if used > 0.0 && all > 0.0 { used / all * online * 100.0 } else { 0.0 }
}

/// Without the page cache that could be dropped, as Docker counts.
fn memory(reading: &Value) -> (f64, f64) {
    let memory = &reading["memory_stats"];
    let usage = number(memory, "usage");
    let cache = ["total_inactive_file", "inactive_file"];
    let cache = cache.iter().map(|name| number(&memory["stats"], name)).find(|&c| c > 0.0 && c < usage);
    (usage - cache.unwrap_or(0.0), number(memory, "limit"))
}

fn network(reading: &Value) -> (f64, f64) {
    let all = reading["networks"].as_object().into_iter().flat_map(|n| n.values());
    all.fold((0.0, 0.0), |(rx, tx), n| (rx + number(n, "rx_bytes"), tx + number(n, "tx_bytes")))
}

fn block(reading: &Value) -> (f64, f64) {
    let entries = reading["blkio_stats"]["io_service_bytes_recursive"].as_array();
    entries.into_iter().flatten().fold((0.0, 0.0), |(read, written), entry| {
        match text(entry, "op").to_lowercase().as_str() {
            "read" => (read + number(entry, "value"), written),
            "write" => (read, written + number(entry, "value")),
            _ => (read, written),
        }
    })
}
