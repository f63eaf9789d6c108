//! Lists: every row is an object of named cells, and how it is printed is a template. The tables that Docker shows by
//! default are templates too.

use serde_json::{Map, Value};

use super::table;
use crate::template::{Data, Template, TemplateError, compact_escaped};

/// A kind of list.
pub(crate) struct Kind {
    /// How the rows' type is called in errors.
    pub(crate) type_name: &'static str,
    /// The heading of each field that a table may show.
    pub(crate) headings: &'static [(&'static str, &'static str)],
    /// The template of the default table.
    pub(crate) table: &'static str,
    /// The template of `--format raw`.
    pub(crate) raw: &'static str,
    /// The template of `--quiet`.
    pub(crate) quiet: &'static str,
}

/// A row: its cells, and the labels that `.Label "name"` looks into.
pub(crate) struct Row {
    cells: Value,
    labels: Map<String, Value>,
}

impl Row {
    /// The cells come in order of name, as Go writes a map.
    pub(crate) fn new(cells: Value, labels: Map<String, Value>) -> Self {
        let Value::Object(cells) = cells else { return Self { cells, labels } };
        let mut cells: Vec<_> = cells.into_iter().collect();
        cells.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self { cells: cells.into_iter().collect(), labels }
    }
}

/// What `--format` and `--quiet` ask for.
#[derive(Debug, PartialEq, Eq)]
enum Shape {
    Table(String),
    Template(String),
    Json,
}

fn shape(kind: &Kind, format: Option<&str>, quiet: bool) -> Shape {
    match format.unwrap_or_default() {
        "" if quiet => Shape::Template(kind.quiet.to_owned()),
        "table" if quiet => Shape::Template(kind.quiet.to_owned()),
        "" | "table" => Shape::Table(kind.table.to_owned()),
        "raw" => Shape::Template(kind.raw.to_owned()),
        "json" => Shape::Json,
        text => match text.strip_prefix("table ") {
            Some(template) => Shape::Table(unescape(template)),
            None => Shape::Template(unescape(text)),
        },
    }
}

/// `\t` and `\n` typed in a shell mean tab and newline.
fn unescape(text: &str) -> String {
    text.trim().replace("\\t", "\t").replace("\\n", "\n")
}

/// The whole list, with a newline at the end of each row.
pub(crate) fn render(
    kind: &Kind,
    format: Option<&str>,
    quiet: bool,
    rows: &[Row],
) -> Result<String, TemplateError> {
    match shape(kind, format, quiet) {
        Shape::Json => Ok(rows.iter().map(|row| compact_escaped(&row.cells) + "\n").collect()),
        Shape::Template(template) => lines(kind, &Template::parse(&template)?, rows),
        Shape::Table(template) => {
            let parsed = Template::parse(&template)?;
            let heading = heading(kind, &template)? + "\n";
            Ok(table::columns(&(heading + &lines(kind, &parsed, rows)?)))
        }
    }
}

fn lines(kind: &Kind, template: &Template, rows: &[Row]) -> Result<String, TemplateError> {
    let mut out = String::new();
    for row in rows {
        let label = |name: &str, arguments: &[Value]| match (name, arguments) {
            ("Label", [Value::String(key)]) => {
                Some(row.labels.get(key).cloned().unwrap_or_else(|| Value::String(String::new())))
            }
            _ => None,
        };
        let data = Data { root: &row.cells, method: &label, type_name: kind.type_name };
        out.push_str(&template.render(&data)?);
        out.push('\n');
    }
    Ok(out)
}

/// The template filled with headings: functions that change a value must not change these, so they are left out as
/// Docker does it, by giving fields the headings and ignoring `json` and friends.
fn heading(kind: &Kind, template: &str) -> Result<String, TemplateError> {
    let cells: Map<String, Value> = kind
        .headings
        .iter()
        .map(|(name, heading)| ((*name).to_owned(), Value::String((*heading).to_owned())))
        .collect();
    let label = |name: &str, arguments: &[Value]| match (name, arguments) {
        ("Label", [Value::String(key)]) => {
            let last = key.rsplit(['.', '/']).next().unwrap_or(key);
            Some(Value::String(last.replace(['-', '_'], " ")))
        }
        _ => None,
    };
    let plain = without_functions(template);
    let root = Value::Object(cells);
    Template::parse(&plain)?.render(&Data { root: &root, method: &label, type_name: kind.type_name })
}

/// `{{json .X}}`, `{{.X | upper}}` and the like with only the field left.
fn without_functions(template: &str) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(open) = rest.find("{{") {
        let Some(close) = rest[open..].find("}}") else { break };
        out.push_str(&rest[..open]);
        let action = &rest[open + 2..open + close];
        out.push_str(&format!("{{{{{}}}}}", plain_action(action)));
        rest = &rest[open + close + 2..];
    }
    out + rest
}

fn plain_action(action: &str) -> String {
    const DROPPED: [&str; 8] = ["json", "title", "lower", "upper", "join", "split", "truncate", "pad"];
    let first = action.trim().split(char::is_whitespace).next().unwrap_or_default();
    if DROPPED.contains(&first) {
        let field = action.split(char::is_whitespace).find(|word| word.starts_with('.') && word.len() > 1);
        return field.unwrap_or(action).to_owned();
    }
    let stages: Vec<&str> = action.split('|').collect();
    let kept = stages.iter().enumerate().filter(|(i, stage)| {
        *i == 0 || !DROPPED.contains(&stage.trim().split(char::is_whitespace).next().unwrap_or_default())
    });
    kept.map(|(_, stage)| *stage).collect::<Vec<_>>().join("|")
}

/// Labels as a list shows them: `a=b,c=d`, in order of name.
pub(crate) fn labels_text(labels: &Map<String, Value>) -> String {
    let mut pairs: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    pairs.sort();
    pairs.join(",")
}

/// The labels of an object.
pub(crate) fn labels_of(value: &Value) -> Map<String, Value> {
    value.get("Labels").and_then(Value::as_object).cloned().unwrap_or_default()
}
