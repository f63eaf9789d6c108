//! Filters of lists, events and prunes, as they come in the query parameter `filters`: JSON, either the map form of
//! the docker CLI (`{"name":{"web":true}}`) or the list form of most libraries (`{"name":["web"]}`). Values of one
//! key are alternatives; keys must all hold.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::truth::parse_bool;

/// What a list, an event stream or a prune is narrowed by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<String, Vec<String>>);

/// Filters that can't be understood; the texts are Docker's.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// Not JSON, or neither of the two forms.
    #[error("invalid filter: {0}")]
    Malformed(#[source] serde_json::Error),
    /// A key that this request has no meaning for.
    #[error("invalid filter '{0}'")]
    UnknownKey(String),
    /// A value that its key has no meaning for.
    #[error("invalid filter '{key}={value}'")]
    BadValue {
        /// The filter.
        key: String,
        /// What it can't be.
        value: String,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wire {
    Map(BTreeMap<String, bool>),
    List(Vec<String>),
}

impl Filters {
    /// Reads the query parameter; no parameter and an empty one are no filter.
    ///
    /// # Errors
    /// [`FilterError::Malformed`].
    pub fn parse(text: Option<&str>) -> Result<Self, FilterError> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Self::default()) };
        let wire: Option<BTreeMap<String, Wire>> =
            serde_json::from_str(text).map_err(FilterError::Malformed)?;
        let values = |wire| match wire {
            Wire::Map(map) => map.into_iter().filter_map(|(value, on)| on.then_some(value)).collect(),
            Wire::List(list) => list,
        };
        let all = wire.unwrap_or_default().into_iter().map(|(key, wire)| (key, values(wire)));
        Ok(Self(all.filter(|(_, values): &(_, Vec<String>)| !values.is_empty()).collect()))
    }

    /// These filters, if every key is among `known`.
    ///
    /// # Errors
    /// [`FilterError::UnknownKey`].
    pub fn only(self, known: &[&str]) -> Result<Self, FilterError> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(FilterError::UnknownKey(key.clone())),
            None => Ok(self),
        }
    }

    /// One more alternative for `key`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.0.entry(key.to_owned()).or_default().push(value.to_owned());
        self
    }

    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a filter of this key.
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The alternatives of a key; none if it is not filtered by.
    pub fn get(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// Whether `test` holds for one alternative of `key`, or there is no such filter.
    pub fn any(&self, key: &str, test: impl Fn(&str) -> bool) -> bool {
        let values = self.get(key);
        values.is_empty() || values.iter().any(|value| test(value))
    }

    /// Whether `source` is one of the alternatives.
    pub fn exact(&self, key: &str, source: &str) -> bool {
        self.any(key, |value| value == source)
    }

    /// Whether `source` begins with one of the alternatives: how ids are filtered.
    pub fn prefix(&self, key: &str, source: &str) -> bool {
        self.any(key, |value| source.starts_with(value))
    }

    /// Whether one of the alternatives, read as a regular expression, is found in `source`: how names are filtered.
    /// What is no regular expression must be equal.
    pub fn pattern(&self, key: &str, source: &str) -> bool {
        self.any(key, |value| {
            value == source || regex_lite::Regex::new(value).is_ok_and(|pattern| pattern.is_match(source))
        })
    }

    /// Whether all of `key`'s values (`name` or `name=value`) are among the labels; labels don't have alternatives.
    pub fn labels<'a>(&self, key: &str, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.get(key).iter().all(|wanted| match wanted.split_once('=') {
            Some((name, value)) => label(name) == Some(value),
            None => label(wanted).is_some(),
        })
    }

    /// Whether `label` and `label!` both hold, as prunes read them.
    pub fn keeps_labels<'a>(&self, label: impl Fn(&str) -> Option<&'a str> + Copy) -> bool {
        self.labels("label", label) && (!self.contains("label!") || !self.labels("label!", label))
    }

    /// The one truth value of `key`, such as `dangling=true`; `default` if it is not filtered by.
    ///
    /// # Errors
    /// [`FilterError::BadValue`] if it is neither true nor false, or both.
    pub fn truth(&self, key: &str, default: bool) -> Result<bool, FilterError> {
        let values = self.get(key);
        let Some(value) = values.first() else { return Ok(default) };
        let truth = parse_bool(value);
        let one = truth.filter(|_| values.iter().all(|value| parse_bool(value) == truth));
        one.ok_or_else(|| FilterError::BadValue { key: key.to_owned(), value: value.clone() })
    }

    /// The JSON that a client sends.
    pub fn to_json(&self) -> String {
        let map = |values: &[String]| {
            serde_json::Value::Object(values.iter().map(|value| (value.clone(), true.into())).collect())
        };
        let all: serde_json::Map<_, _> =
            self.0.iter().map(|(key, values)| (key.clone(), map(values))).collect();
        serde_json::Value::Object(all).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Filters {
        Filters::parse(Some(text)).unwrap()
    }

    #[test]
    fn both_forms_mean_the_same() {
        assert_eq!(parse(r#"{"name":{"a":true,"b":true}}"#), parse(r#"{"name":["a","b"]}"#));
        assert_eq!(parse(r#"{"name":{"a":true,"b":false}}"#), parse(r#"{"name":["a"]}"#));
        for nothing in ["", "{}", "null", r#"{"name":[]}"#, r#"{"name":{}}"#] {
            assert!(parse(nothing).is_empty(), "{nothing}");
        }
        assert!(Filters::parse(None).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in ["{", "[]", r#"{"name":"a"}"#, r#"{"name":{"a":1}}"#, "name=a"] {
            assert!(Filters::parse(Some(text)).is_err(), "{text}");
        }
        let unknown = parse(r#"{"colour":["red"]}"#).only(&["name", "label"]).unwrap_err();
        assert_eq!(unknown.to_string(), "invalid filter 'colour'");
    }

    #[test]
    fn names_are_patterns_and_ids_are_prefixes() {
        let filters = parse(r#"{"name":["^web"],"id":["ab12"]}"#);
        assert!(filters.pattern("name", "web1"));
        assert!(!filters.pattern("name", "myweb"));
        assert!(filters.prefix("id", "ab12cd"));
        assert!(!filters.prefix("id", "cdab12"));
        assert!(filters.exact("driver", "anything goes where nothing is asked"));
        assert!(parse(r#"{"name":["a["]}"#).pattern("name", "a["));
    }

    #[test]
    fn labels_must_all_be_there() {
        let labels = BTreeMap::from([("tier", "front"), ("on", "")]);
        let label = |name: &str| labels.get(name).copied();
        assert!(parse(r#"{"label":["tier=front","on"]}"#).labels("label", label));
        assert!(!parse(r#"{"label":["tier=front","off"]}"#).labels("label", label));
        assert!(!parse(r#"{"label":["tier=back"]}"#).labels("label", label));
        assert!(!parse(r#"{"label!":["tier"]}"#).keeps_labels(label));
        assert!(parse(r#"{"label!":["off"],"label":["on"]}"#).keeps_labels(label));
    }

    #[test]
    fn truth_is_one_of_two() {
        assert!(parse(r#"{"dangling":["1"]}"#).truth("dangling", false).unwrap());
        assert!(!parse(r#"{"dangling":["false"]}"#).truth("dangling", true).unwrap());
        assert!(parse("{}").truth("dangling", true).unwrap());
        let both = parse(r#"{"dangling":["true","false"]}"#).truth("dangling", true).unwrap_err();
        assert_eq!(both.to_string(), "invalid filter 'dangling=true'");
        assert!(parse(r#"{"dangling":["maybe"]}"#).truth("dangling", true).is_err());
    }

    proptest! {
        #[test]
        fn filters_read_what_they_write(pairs in proptest::collection::vec(("[a-z!]{1,6}", ".{0,8}"), 0..6)) {
            let filters = pairs.iter().fold(Filters::default(), |all, (key, value)| all.with(key, value));
            let back = Filters::parse(Some(&filters.to_json())).unwrap();
            for (key, value) in &pairs {
                prop_assert!(back.get(key).contains(value));
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in ".*") {
            let _ = Filters::parse(Some(&text));
        }
    }
}
