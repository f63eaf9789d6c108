//! `printf`: Go's verbs that make sense for JSON values, with width, precision and the flags `-`, `0`, `+`, `#`, space.

use serde_json::Value;

use super::show;

/// Wider than any terminal: a width is cut here so that a template can't ask for gigabytes.
const WIDEST: usize = 4096;

#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
}

pub(super) fn printf(format: &str, values: &[Value]) -> String {
    let mut out = String::new();
    let mut values = values.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let spec = spec(&mut chars);
        match chars.next() {
            Some('%') => out.push('%'),
            Some(verb) => match values.next() {
                Some(value) => out.push_str(&pad(&spec, formatted(&spec, verb, value))),
                None => out.push_str(&format!("%!{verb}(MISSING)")),
            },
            None => out.push_str("%!(NOVERB)"),
        }
    }
    let rest: Vec<String> = values.map(|v| format!("{}={}", go_type(v), show::text(v))).collect();
    if !rest.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", rest.join(", ")));
    }
    out
}

fn spec(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Spec {
    let mut spec = Spec::default();
    while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '0' | '+' | '#' | ' ')) {
        match flag {
            '-' => spec.left = true,
            '0' => spec.zero = true,
            '+' => spec.plus = true,
            _ => {}
        }
    }
    spec.width = number(chars).unwrap_or(0);
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = Some(number(chars).unwrap_or(0));
    }
    spec
}

fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut value: Option<usize> = None;
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        let digit = digit.to_digit(10).map_or(0, |d| d as usize);
        value = Some((value.unwrap_or(0).saturating_mul(10).saturating_add(digit)).min(WIDEST));
    }
    value
}

fn formatted(spec: &Spec, verb: char, value: &Value) -> String {
    match (verb, value) {
        ('v', value) => nested(value),
        ('s', Value::String(text)) => match spec.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.clone(),
        },
        ('s', Value::Array(_) | Value::Object(_)) => nested(value),
        ('q', Value::String(text)) => show::compact(&Value::String(text.clone())),
        ('t', Value::Bool(flag)) => flag.to_string(),
        ('d', Value::Number(number)) if !number.is_f64() => {
            let sign = if spec.plus && number.as_i64().is_none_or(|n| n >= 0) { "+" } else { "" };
            format!("{sign}{number}")
        }
        ('x', Value::Number(number)) if number.is_i64() => format!("{:x}", number.as_i64().unwrap_or(0)),
        ('X', Value::Number(number)) if number.is_i64() => format!("{:X}", number.as_i64().unwrap_or(0)),
        ('o', Value::Number(number)) if number.is_i64() => format!("{:o}", number.as_i64().unwrap_or(0)),
        ('x', Value::String(text)) => text.bytes().map(|b| format!("{b:02x}")).collect(),
        ('c', Value::Number(number)) => {
            let point = number.as_u64().and_then(|n| u32::try_from(n).ok()).and_then(char::from_u32);
            point.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
        }
        ('f' | 'F' | 'g' | 'e', Value::Number(number)) if number.is_f64() => {
            let float = number.as_f64().unwrap_or(0.0);
            format!("{float:.*}", spec.precision.unwrap_or(6))
        }
        (verb, Value::Null) => format!("%!{verb}(<nil>)"),
        (verb, value) => format!("%!{verb}({}={})", go_type(value), show::text(value)),
    }
}

/// Inside a call, what is absent prints as `<nil>`.
fn nested(value: &Value) -> String {
    if value.is_null() { "<nil>".to_owned() } else { show::text(value) }
}

fn pad(spec: &Spec, text: String) -> String {
    let missing = spec.width.saturating_sub(text.chars().count());
    if missing == 0 {
        text
    } else if spec.left {
        text + &" ".repeat(missing)
    } else if spec.zero {
        "0".repeat(missing) + &text
    } else {
        " ".repeat(missing) + &text
    }
}

pub(super) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
