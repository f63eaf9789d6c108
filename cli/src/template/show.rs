//! How Go prints a value.

use std::fmt::Write as _;

use serde_json::Value;

/// As `%v` prints it; what is absent is `<no value>` on its own and `<nil>` inside something.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(text) => text.clone(),
        other => {
            let mut out = String::new();
            write_value(&mut out, other);
            out
        }
    }
}

/// JSON on one line, fields in their order.
pub(crate) fn compact(value: &Value) -> String {
    let mut out = String::new();
    write_json(&mut out, value);
    out
}

/// As [`compact`], with `<`, `>` and `&` written as Go writes them by default.
pub(crate) fn compact_escaped(value: &Value) -> String {
    compact(value).replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::String(text) => out.push_str(text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { " " } else { "" });
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push_str("map[");
            for (i, (key, item)) in sorted(fields).into_iter().enumerate() {
                let _ = write!(out, "{}{key}:", if i > 0 { " " } else { "" });
                write_value(out, item);
            }
            out.push(']');
        }
    }
}

fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_json(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (i, (key, item)) in fields.iter().enumerate() {
                let key = Value::String(key.clone());
                let _ = write!(out, "{}{key}:", if i > 0 { "," } else { "" });
                write_json(out, item);
            }
            out.push('}');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}

/// The fields in order of name: the order in which Go walks and prints a map.
pub(super) fn sorted(fields: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(key, _)| key.as_str());
    fields
}
