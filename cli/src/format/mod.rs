//! How lists and objects are printed: tables, templates, JSON. Pure: values and the time in, text out.

pub(crate) mod colour;
pub(crate) mod containers;
pub(crate) mod doctor;
pub(crate) mod firewall;
pub(crate) mod graph;
pub(crate) mod human;
pub(crate) mod images;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod names;
pub(crate) mod namespaces;
pub(crate) mod natural;
pub(crate) mod networks;
pub(crate) mod ports;
pub(crate) mod stats;
pub(crate) mod table;
#[cfg(test)]
mod tests;

/// The first twelve characters of an ID, without the name of its hash.
pub(crate) fn short_id(id: &str) -> String {
    let id = id.split_once(':').map_or(id, |(_, digest)| digest);
    id.chars().take(12).collect()
}

/// At most `most` characters, the last an ellipsis if any were cut.
pub(crate) fn ellipsis(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A string field, or nothing.
pub(crate) fn text<'v>(value: &'v serde_json::Value, name: &str) -> &'v str {
    value.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
}

/// A moment as Docker prints it in lists: `2026-11-21 02:35:56 +0000 UTC`.
pub(crate) fn moment(seconds: i64, zone: &jiff::tz::TimeZone) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string(),
        Err(_) => "N/A".to_owned(),
    }
}
