//! Findings of `doctor`, a line each, with what to do next below.

use serde_json::Value;

use super::colour::{Colour, FAINT, GREEN, RED, YELLOW};
use super::text;

/// The whole page: what was put right, what could not be, how things are.
pub(crate) fn page(examination: &Value, colour: Colour) -> String {
    let repaired = strings(&examination["Repaired"]).map(|what| line(colour, GREEN, "fixed", "", what));
    let failed = strings(&examination["Errors"]).map(|what| line(colour, RED, "failed", "", what));
    let findings = examination["Findings"].as_array().into_iter().flatten();
    repaired.chain(failed).chain(findings.map(|finding| self::finding(finding, colour))).collect()
}

/// Whether nothing is wrong.
pub(crate) fn is_well(examination: &Value) -> bool {
    let findings = examination["Findings"].as_array().into_iter().flatten();
    let mut wrong = findings.filter(|finding| text(finding, "Severity") == "wrong");
    wrong.next().is_none() && strings(&examination["Errors"]).next().is_none()
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn finding(finding: &Value, colour: Colour) -> String {
    let severity = text(finding, "Severity");
    let code = match severity {
        "ok" => GREEN,
        "note" => YELLOW,
        _ => RED,
    };
    let mut out = line(colour, code, severity, text(finding, "Area"), text(finding, "What"));
    let advice = text(finding, "Advice");
    if !advice.is_empty() {
        out += &format!("{:25}{}\n", "", colour.of(FAINT, &format!("→ {advice}")));
    }
    out
}

fn line(colour: Colour, code: &str, word: &str, area: &str, what: &str) -> String {
    format!("{}{area:17}{what}\n", colour.of(code, &format!("{word:8}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_says_what_to_do() {
        let examination = json!({
            "Findings": [
                {"Area": "kernel", "Severity": "ok", "What": "overlayfs"},
                {"Area": "links", "Severity": "wrong", "What": "bridge br-1 is down", "Advice": "raise it"},
            ],
            "Repaired": ["network web (br-2)"],
            "Errors": [],
        });
        let expected = "\
fixed                    network web (br-2)
ok      kernel           overlayfs
wrong   links            bridge br-1 is down
                         → raise it
";
        assert_eq!(page(&examination, Colour::Plain), expected);
        assert!(!is_well(&examination));
        assert!(is_well(&json!({"Findings": [{"Severity": "note"}]})));
        assert!(!is_well(&json!({"Errors": ["x"]})));
    }
}
