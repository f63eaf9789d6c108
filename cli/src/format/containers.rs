//! Rows of `ps`.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::list::{Kind, Row, labels_of, labels_text};
use super::{ellipsis, human, ports, short_id, text};

pub(crate) const KIND: Kind = Kind {
    type_name: "*formatter.ContainerContext",
    headings: &[
        ("ID", "CONTAINER ID"),
        ("Names", "NAMES"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"),
        ("Ports", "PORTS"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("Size", "SIZE"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Networks", "NETWORKS"),
        ("Platform", "PLATFORM"),
    ],
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
    raw: "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\nlabels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n",
    quiet: "{{.ID}}",
};

/// As [`KIND`], with sizes.
pub(crate) const SIZED: Kind = Kind {
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}",
    ..KIND
};

/// Whether long values are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Long {
    Cut,
    Whole,
}

/// A row from one entry of the list of containers.
pub(crate) fn row(container: &Value, long: Long, now: i64, zone: &TimeZone) -> Row {
    let labels = labels_of(container);
    let id = text(container, "Id");
    let created = container.get("Created").and_then(Value::as_i64).unwrap_or(0);
    let command = match long {
        Long::Cut => ellipsis(text(container, "Command"), 20),
        Long::Whole => text(container, "Command").to_owned(),
    };
    let mounts = mounts(container, long);
    let volumes =
        container["Mounts"].as_array().into_iter().flatten().filter(|m| text(m, "Driver") == "local");
    let cells = json!({
        "ID": match long { Long::Cut => short_id(id), Long::Whole => id.to_owned() },
        "Names": names(container, long),
        "Image": image(container, long),
        "Command": Value::String(command).to_string(),
        "CreatedAt": super::moment(created, zone),
        "RunningFor": format!("{} ago", human::duration(now - created)),
        "Ports": ports::column(&container["Ports"]),
        "State": text(container, "State"),
        "Status": text(container, "Status"),
        "Size": size(container),
        "Labels": labels_text(&labels),
        "Mounts": mounts.join(","),
        "LocalVolumes": volumes.count().to_string(),
        "Networks": networks(container).join(","),
        "Platform": Value::Null,
    });
    Row::new(cells, labels)
}

/// All names without the slash; names of links (`/a/b`) only where nothing is cut.
fn names(container: &Value, long: Long) -> String {
    let all = container["Names"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let all = all.map(|name| name.strip_prefix('/').unwrap_or(name));
    let kept = all.filter(|name| long == Long::Whole || !name.contains('/'));
    kept.collect::<Vec<_>>().join(",")
}

fn image(container: &Value, long: Long) -> String {
    let image = text(container, "Image");
    if image.is_empty() {
        return "<no image>".to_owned();
    }
    let id = text(container, "ImageID");
    if long == Long::Cut && !id.is_empty() && (image == id || Some(image) == id.strip_prefix("sha256:")) {
        return short_id(image);
    }
    match long {
        Long::Cut => image.split_once('@').map_or(image, |(name, _)| name).to_owned(),
        Long::Whole => image.to_owned(),
    }
}

fn size(container: &Value) -> String {
    let number = |name: &str| container.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let (own, all) = (number("SizeRw"), number("SizeRootFs"));
    let text = human::short_size(own);
    if all > 0.0 { format!("{text} (virtual {})", human::short_size(all)) } else { text }
}

fn mounts(container: &Value, long: Long) -> Vec<String> {
    let name = |mount: &Value| match text(mount, "Name") {
        "" => text(mount, "Source").to_owned(),
        name => name.to_owned(),
    };
    let all = container["Mounts"].as_array().into_iter().flatten().map(name);
    all.map(|name| if long == Long::Cut { ellipsis(&name, 15) } else { name }).collect()
}

fn networks(container: &Value) -> Vec<String> {
    let mut names: Vec<String> = container["NetworkSettings"]["Networks"]
        .as_object()
        .map(|networks| networks.keys().cloned().collect())
        .unwrap_or_default();
    names.sort();
    names
}
