//! Objects as `inspect` prints them: JSON with four blanks, one line of JSON, or a template per object.

use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::template::{Data, Template, TemplateError, compact};

/// All objects. Without a format they are one list, even if empty.
pub(crate) fn render(objects: &[Value], format: Option<&str>) -> Result<String, TemplateError> {
    match format.unwrap_or_default() {
        "" => Ok(pretty(&Value::Array(objects.to_vec())) + "\n"),
        "json" => Ok(compact(&Value::Array(objects.to_vec())) + "\n"),
        template => {
            let template = Template::parse(template)?;
            let mut out = String::new();
            for object in objects {
                out.push_str(&fill(&template, object)?);
                out.push('\n');
            }
            Ok(out)
        }
    }
}

/// One object through a template; `json` means its JSON.
pub(crate) fn one(object: &Value, format: &str) -> Result<String, TemplateError> {
    if format == "json" {
        return Ok(compact(object));
    }
    fill(&Template::parse(format)?, object)
}

fn fill(template: &Template, object: &Value) -> Result<String, TemplateError> {
    template.render(&Data { root: object, method: &|_, _| None, type_name: "" })
}

/// JSON with four blanks per level.
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(b"    "));
    match serde::Serialize::serialize(value, &mut serializer) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(_) => compact(value),
    }
}
