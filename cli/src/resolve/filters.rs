//! `--filter key=value`, to the map that the daemon gets.

use std::collections::HashMap;

/// Filters by key, in the order of the flags.
pub(crate) type Filters = HashMap<String, Vec<String>>;

/// The shape of each was checked when the flag was parsed.
pub(crate) fn parse(flags: &[String]) -> Filters {
    let mut filters = Filters::new();
    for (key, value) in flags.iter().filter_map(|flag| flag.split_once('=')) {
        filters.entry(key.trim().to_lowercase()).or_default().push(value.trim().to_owned());
    }
    filters
}

/// As the query of a request has it: `{"label":{"a=b":true}}`, or `None` where there is nothing to filter by.
pub(crate) fn query(filters: &Filters) -> Option<String> {
    if filters.is_empty() {
        return None;
    }
    let by_key = filters.iter().map(|(key, values)| {
        let values = values.iter().map(|v| (v.clone(), serde_json::Value::Bool(true))).collect();
        (key.clone(), serde_json::Value::Object(values))
    });
    Some(serde_json::Value::Object(by_key.collect()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_a_map_of_sets() {
        let filters = parse(&["Label=a=b".to_owned(), "label = c".to_owned()]);
        assert_eq!(query(&filters).unwrap(), r#"{"label":{"a=b":true,"c":true}}"#);
        assert_eq!(query(&Filters::new()), None);
    }
}
