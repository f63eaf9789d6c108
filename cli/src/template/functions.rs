//! The functions of a template: Go's own, and those that Docker adds.

use std::cmp::Ordering;

use serde_json::Value;

use super::printf::{go_type, printf};
use super::show;

/// `and` and `or` are here by name only: they decide what is evaluated, so the evaluator does them.
const NAMES: [&str; 26] = [
    "and", "or", "not", "len", "index", "slice", "print", "printf", "println", "eq", "ne", "lt", "le", "gt",
    "ge", "html", "js", "urlquery", "json", "split", "join", "title", "lower", "upper", "pad", "truncate",
];

pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// Calls a function; the error is the text behind `error calling NAME: `, or a complete one.
pub(super) fn call(name: &str, values: &[Value]) -> Result<Value, String> {
    match name {
        "not" => one(name, values).map(|v| Value::Bool(!truth(v))),
        "len" => length(one(name, values)?),
        "index" => index(values),
        "slice" => slice(values),
        "print" => Ok(Value::String(print(values))),
        "println" => Ok(Value::String(values.iter().map(nested).collect::<Vec<_>>().join(" ") + "\n")),
        "printf" => match values.split_first() {
            Some((Value::String(format), rest)) => Ok(Value::String(printf(format, rest))),
            Some((other, _)) => Err(wrong_type("string", other)),
            None => Err(count("printf", "at least 1", 0)),
        },
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => compare(name, values),
        "json" => one(name, values).map(|v| Value::String(show::compact(v))),
        "html" => Ok(Value::String(escape_html(&print(values)))),
        "js" => {
            Ok(Value::String(print(values).replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"")))
        }
        "urlquery" => Ok(Value::String(crate::client::query_escape(&print(values)))),
        "lower" => string(one(name, values)?).map(|s| Value::String(s.to_lowercase())),
        "upper" => string(one(name, values)?).map(|s| Value::String(s.to_uppercase())),
        "title" => string(one(name, values)?).map(|s| Value::String(title(s))),
        "split" => split(values),
        "join" => join(values),
        "pad" => pad(values),
        "truncate" => truncate(values),
        other => Err(format!("{other:?} is not a defined function")),
    }
}

fn one<'v>(name: &str, values: &'v [Value]) -> Result<&'v Value, String> {
    match values {
        [value] => Ok(value),
        values => Err(count(name, "1", values.len())),
    }
}

fn two<'v>(name: &str, values: &'v [Value]) -> Result<(&'v Value, &'v Value), String> {
    match values {
        [a, b] => Ok((a, b)),
        values => Err(count(name, "2", values.len())),
    }
}

fn count(name: &str, want: &str, got: usize) -> String {
    format!("wrong number of args for {name}: want {want} got {got}")
}

fn wrong_type(want: &str, value: &Value) -> String {
    format!("wrong type for value; expected {want}; got {}", go_type(value))
}

fn string(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| wrong_type("string", value))
}

fn length(value: &Value) -> Result<Value, String> {
    let length = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        Value::Null => return Err("error calling len: len of nil pointer".to_owned()),
        other => return Err(format!("error calling len: len of type {}", go_type(other))),
    };
    Ok(Value::from(length))
}

fn index(values: &[Value]) -> Result<Value, String> {
    let Some((value, keys)) = values.split_first() else { return Err(count("index", "at least 1", 0)) };
    let mut value = value;
    for key in keys {
        value = match (value, key) {
            (Value::Object(fields), Value::String(key)) => fields.get(key).unwrap_or(&Value::Null),
            (Value::Array(items), Value::Number(at)) => {
                let found = at.as_u64().and_then(|at| usize::try_from(at).ok()).and_then(|at| items.get(at));
                found.ok_or_else(|| format!("error calling index: index out of range: {at}"))?
            }
            (Value::Null, _) => return Err("error calling index: index of untyped nil".to_owned()),
            (Value::Object(_) | Value::Array(_), key) => {
                return Err(format!(
                    "error calling index: cannot index slice/array with type {}",
                    go_type(key)
                ));
            }
            (other, _) => {
                return Err(format!("error calling index: can't index item of type {}", go_type(other)));
            }
        };
    }
    Ok(value.clone())
}

fn slice(values: &[Value]) -> Result<Value, String> {
    let Some((value, bounds)) = values.split_first() else { return Err(count("slice", "at least 1", 0)) };
    let length = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.len(),
        other => return Err(format!("error calling slice: can't slice item of type {}", go_type(other))),
    };
    let bound = |i: usize, default: usize| match bounds.get(i) {
        None => Ok(default),
        Some(at) => at
            .as_u64()
            .and_then(|at| usize::try_from(at).ok())
            .filter(|&at| at <= length)
            .ok_or_else(|| format!("error calling slice: index out of range: {}", show::text(at))),
    };
    let (from, to) = (bound(0, 0)?, bound(1, length)?);
    let cut = match value {
        Value::String(text) => text.get(from..to).map(|t| Value::String(t.to_owned())),
        Value::Array(items) => items.get(from..to).map(|i| Value::Array(i.to_vec())),
        _ => None,
    };
    cut.ok_or_else(|| format!("error calling slice: invalid slice index: {from} > {to}"))
}

/// Operands side by side, with a space between two where neither is a string.
fn print(values: &[Value]) -> String {
    let mut out = String::new();
    for (i, value) in values.iter().enumerate() {
        if i > 0 && !value.is_string() && !values[i - 1].is_string() {
            out.push(' ');
        }
        out.push_str(&nested(value));
    }
    out
}

fn nested(value: &Value) -> String {
    if value.is_null() { "<nil>".to_owned() } else { show::text(value) }
}

fn compare(name: &str, values: &[Value]) -> Result<Value, String> {
    let Some((first, rest)) = values.split_first() else {
        return Err(count(name, "at least 1", 0));
    };
    if rest.is_empty() {
        return Err(format!("error calling {name}: missing argument for comparison"));
    }
    if name == "eq" {
        return rest.iter().try_fold(false, |found, v| Ok(found || equal(name, first, v)?)).map(Value::Bool);
    }
    let [second] = rest else { return Err(count(name, "2", values.len())) };
    if name == "ne" {
        return equal(name, first, second).map(|equal| Value::Bool(!equal));
    }
    let order = order(first, second).ok_or_else(|| incompatible(name))?;
    Ok(Value::Bool(match name {
        "lt" => order == Ordering::Less,
        "le" => order != Ordering::Greater,
        "gt" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

fn incompatible(name: &str) -> String {
    format!("error calling {name}: incompatible types for comparison")
}

fn equal(name: &str, a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Ok(a == b),
        (Value::Number(_), Value::Number(_)) => Ok(order(a, b) == Some(Ordering::Equal)),
        (Value::Bool(_), Value::Bool(_)) | (Value::String(_), Value::String(_)) => Ok(a == b),
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => {
            Err(format!("error calling {name}: non-comparable type"))
        }
        _ => Err(incompatible(name)),
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Number(x), Value::Number(y)) => match (x.as_i64(), y.as_i64()) {
            (Some(x), Some(y)) => Some(x.cmp(&y)),
            _ => x.as_f64()?.partial_cmp(&y.as_f64()?),
        },
        _ => None,
    }
}

fn split(values: &[Value]) -> Result<Value, String> {
    let (text, separator) = two("split", values)?;
    let (text, separator) = (string(text)?, string(separator)?);
    if separator.is_empty() {
        return Ok(text.chars().map(|c| Value::String(c.to_string())).collect());
    }
    Ok(text.split(separator).map(|part| Value::String(part.to_owned())).collect())
}

fn join(values: &[Value]) -> Result<Value, String> {
    let (items, separator) = two("join", values)?;
    let separator = string(separator)?;
    let items = match items {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        other => return Err(wrong_type("[]string", other)),
    };
    let items: Vec<String> = items.iter().map(show::text).collect();
    Ok(Value::String(items.join(separator)))
}

/// Blanks before and behind, unless there is nothing to pad.
fn pad(values: &[Value]) -> Result<Value, String> {
    let [text, before, behind] = values else { return Err(count("pad", "3", values.len())) };
    let text = string(text)?;
    if text.is_empty() {
        return Ok(Value::String(String::new()));
    }
    let blanks = |v: &Value| " ".repeat(v.as_u64().map_or(0, |n| n.min(4096)) as usize);
    Ok(Value::String(format!("{}{text}{}", blanks(before), blanks(behind))))
}

fn truncate(values: &[Value]) -> Result<Value, String> {
    let (text, most) = two("truncate", values)?;
    let text = string(text)?;
    let most = most.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    Ok(Value::String(text.chars().take(most).collect()))
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut boundary = true;
    for c in text.chars() {
        if boundary {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        boundary = !(c.is_alphanumeric() || c == '_' || c == '\'');
    }
    out
}

fn escape_html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&#34;").replace('\'', "&#39;")
}
