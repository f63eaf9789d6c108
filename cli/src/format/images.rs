//! Rows of `images`.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::containers::Long;
use super::list::{Kind, Row, labels_of};
use super::{human, short_id, text};

pub(crate) const KIND: Kind = Kind {
    type_name: "*formatter.imageContext",
    headings: &[
        ("ID", "IMAGE ID"),
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("Digest", "DIGEST"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("Size", "SIZE"),
        ("Containers", "CONTAINERS"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
        ("VirtualSize", "VIRTUAL SIZE"),
    ],
    table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
    raw: "repository: {{.Repository}}\ntag: {{.Tag}}\nimage_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n",
    quiet: "{{.ID}}",
};

/// As [`KIND`], with digests.
pub(crate) const WITH_DIGESTS: Kind =
    Kind { table: "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}", ..KIND };

/// A row for each name of an image, or one without a name.
pub(crate) fn rows(image: &Value, long: Long, now: i64, zone: &TimeZone) -> Vec<Row> {
    let tags: Vec<&str> =
        image["RepoTags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let digest = image["RepoDigests"].get(0).and_then(Value::as_str).and_then(|d| d.split_once('@'));
    let digest = digest.map_or("<none>", |(_, digest)| digest);
    let names = if tags.is_empty() { vec!["<none>:<none>"] } else { tags };
    names.into_iter().map(|name| row(image, name, digest, long, (now, zone))).collect()
}

fn row(image: &Value, name: &str, digest: &str, long: Long, (now, zone): (i64, &TimeZone)) -> Row {
    let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "<none>"));
    let id = text(image, "Id");
    let created = image.get("Created").and_then(Value::as_i64).unwrap_or(0);
    let size = |name: &str| match image.get(name).and_then(Value::as_f64) {
        Some(bytes) if bytes >= 0.0 => human::short_size(bytes),
        _ => "N/A".to_owned(),
    };
    let since =
        if created > 0 { format!("{} ago", human::duration(now - created)) } else { "N/A".to_owned() };
    let cells = json!({
        "ID": match long { Long::Cut => short_id(id), Long::Whole => id.to_owned() },
        "Repository": repository,
        "Tag": tag,
        "Digest": digest,
        "CreatedSince": since,
        "CreatedAt": if created > 0 { super::moment(created, zone) } else { "N/A".to_owned() },
        "Size": size("Size"),
        "Containers": match image.get("Containers").and_then(Value::as_i64) {
            Some(count) if count >= 0 => count.to_string(),
            _ => "N/A".to_owned(),
        },
        "SharedSize": size("SharedSize"),
        "UniqueSize": "N/A",
        "VirtualSize": size("Size"),
    });
    Row::new(cells, labels_of(image))
}
