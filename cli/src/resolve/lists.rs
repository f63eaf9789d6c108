//! Lists of `key=value`, variables of the environment and labels.

use std::collections::{BTreeMap, HashMap};

use super::Invalid;

/// `key=value` or `key` (then the value is empty) to a map; a later one wins.
pub(crate) fn map(items: &[String]) -> HashMap<String, String> {
    let pair = |item: &String| {
        let (key, value) = item.split_once('=').unwrap_or((item, ""));
        (key.to_owned(), value.to_owned())
    };
    items.iter().map(pair).collect()
}

/// As [`map`], for flags where the value must be given.
pub(crate) fn pairs(items: &[String], error: &str) -> Result<HashMap<String, String>, Invalid> {
    let mut all = HashMap::new();
    for item in items {
        let (key, value) = item.split_once('=').ok_or_else(|| Invalid::new(error))?;
        all.insert(key.trim().to_lowercase(), value.trim().to_owned());
    }
    Ok(all)
}

/// Variables in order: first the lines of files, then flags. A name without a value takes the caller's, and is left
/// out where the caller has none.
pub(crate) fn environment(
    files: &[(String, String)],
    flags: &[String],
    own: &BTreeMap<String, String>,
) -> Result<Vec<String>, Invalid> {
    let mut all = Vec::new();
    for (path, content) in files {
        for line in lines(content) {
            let name = line.split_once('=').map_or(line, |(name, _)| name);
            if name.contains(char::is_whitespace) {
                return Err(Invalid(format!(
                    "invalid env file ({path}): variable '{name}' contains whitespaces"
                )));
            }
            if name.is_empty() {
                return Err(Invalid(format!("invalid env file ({path}): no variable name on line '{line}'")));
            }
            all.extend(variable(line, own));
        }
    }
    all.extend(flags.iter().filter_map(|flag| variable(flag, own)));
    Ok(all)
}

/// Labels: first the lines of files, then flags.
pub(crate) fn labels(
    files: &[(String, String)],
    flags: &[String],
) -> Result<HashMap<String, String>, Invalid> {
    let mut all = Vec::new();
    for (path, content) in files {
        for line in lines(content) {
            super::values::label(line).map_err(|e| Invalid(format!("invalid label file ({path}): {e}")))?;
            all.push(line.to_owned());
        }
    }
    all.extend(flags.iter().cloned());
    Ok(map(&all))
}

fn variable(text: &str, own: &BTreeMap<String, String>) -> Option<String> {
    if text.contains('=') {
        return Some(text.to_owned());
    }
    own.get(text).map(|value| format!("{text}={value}"))
}

/// The lines that say something: neither empty nor a comment.
fn lines(content: &str) -> impl Iterator<Item = &str> {
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    content.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_from_files_flags_and_the_caller() {
        let file = ("f".to_owned(), "# note\nA=1\n\n  HOME\nNONE\n".to_owned());
        let own = BTreeMap::from([("HOME".to_owned(), "/h".to_owned())]);
        let flags = ["B=x=y".to_owned(), "HOME".to_owned(), "NONE".to_owned()];
        let all = environment(&[file], &flags, &own).unwrap();
        assert_eq!(all, ["A=1", "HOME=/h", "B=x=y", "HOME=/h"]);
    }

    #[test]
    fn a_bad_line_names_its_file() {
        let file = ("f".to_owned(), "a b=1".to_owned());
        let error = environment(&[file], &[], &BTreeMap::new()).unwrap_err();
        assert_eq!(error.0, "invalid env file (f): variable 'a b' contains whitespaces");
    }
}
