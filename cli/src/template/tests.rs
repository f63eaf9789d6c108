use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Data, Template, TemplateError};

fn container() -> Value {
    json!({
        "Id": "0123456789abcdef", "Name": "/web", "Up": true, "Count": 3, "Nothing": null, "Load": 1.5,
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "53/udp": null},
        "Networks": {"b": {"IPAddress": "10.0.0.2"}, "a": {"IPAddress": "10.0.1.2"}},
        "Args": ["x", "y z"], "Empty": [],
    })
}

fn try_fill(template: &str) -> Result<String, TemplateError> {
    let root = container();
    let method = |name: &str, arguments: &[Value]| match (name, arguments) {
        ("Label", [Value::String(key)]) => Some(Value::String(format!("<{key}>"))),
        _ => None,
    };
    Template::parse(template)?.render(&Data { root: &root, method: &method, type_name: "" })
}

fn fill(template: &str) -> String {
    try_fill(template).unwrap_or_else(|error| format!("! {error}"))
}

#[test]
fn templates_say_what_go_says() {
    let table = [
        ("plain {text}", "plain {text}"),
        ("{{.Id}}", "0123456789abcdef"),
        ("{{.ID}}", "0123456789abcdef"),
        ("{{ .Name | upper }}", "/WEB"),
        ("{{println .Name .Count}}", "/web 3\n"),
        ("{{.Up}} {{.Count}} {{.Load}} {{.Nothing}}", "true 3 1.5 <no value>"),
        ("{{.Args}} {{.Networks}}", "[x y z] map[a:map[IPAddress:10.0.1.2] b:map[IPAddress:10.0.0.2]]"),
        ("{{json .Args}}", r#"["x","y z"]"#),
        ("{{json .Nothing}}", "null"),
        ("{{range .Networks}}{{.IPAddress}} {{end}}", "10.0.1.2 10.0.0.2 "),
        ("{{range $k, $v := .Networks}}{{$k}}={{$v.IPAddress}};{{end}}", "a=10.0.1.2;b=10.0.0.2;"),
        ("{{range $i, $x := .Args}}{{if $i}},{{end}}{{$x}}{{end}}", "x,y z"),
        ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ("{{range .Args}}{{.}}{{break}}{{end}}", "x"),
        ("{{range .Args}}{{if eq . \"x\"}}{{continue}}{{end}}{{.}}{{end}}", "y z"),
        ("{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080"),
        ("{{index .Args 1}}", "y z"),
        ("{{with index .Ports \"80/tcp\"}}{{(index . 0).HostIp}}{{end}}", "0.0.0.0"),
        ("{{if .Up}}up{{else}}down{{end}}", "up"),
        ("{{if not .Up}}a{{else if eq .Count 3}}b{{else}}c{{end}}", "b"),
        ("{{if and .Up (gt .Count 2)}}y{{end}}{{if or .Nothing .Empty}}n{{end}}", "y"),
        ("{{if eq .Name \"a\" \"/web\"}}y{{end}}{{if ne .Count 3}}n{{end}}", "y"),
        ("{{len .Args}} {{len .Name}} {{len .Ports}}", "2 4 2"),
        ("{{join .Args \"+\"}}", "x+y z"),
        ("{{split .Name \"w\"}}", "[/ eb]"),
        (
            "{{printf \"%s-%d|%5s|%-4s|%03d|%q|%v\" .Name .Count \"a\" \"b\" 7 \"q\" .Up}}",
            "/web-3|    a|b   |007|\"q\"|true",
        ),
        (
            "{{printf \"%d\" .Name}} {{printf \"%s\"}} {{printf \"a\" 1}}",
            "%!d(string=/web) %!s(MISSING) a%!(EXTRA int=1)",
        ),
        ("{{.Count | printf \"%d%%\"}}", "3%"),
        ("{{$x := .Name}}{{$x}}{{$x = \"b\"}}{{$x}}", "/webb"),
        ("{{range .Args}}{{$.Count}}{{end}}", "33"),
        ("a {{- .Count -}} b {{/* note */}}c", "a3b c"),
        ("{{slice .Id 0 4}} {{truncate .Id 3}} {{title \"ab cd\"}} {{lower \"AB\"}}", "0123 012 Ab Cd ab"),
        ("{{pad \"x\" 1 2}}|", " x  |"),
        ("{{.Label \"k\"}}", "<k>"),
        ("{{print 1 2 \"a\" \"b\" 3}}", "1 2ab3"),
        ("{{\"a\\tb\"}} {{`raw\\t`}} {{'x'}} {{-4}} {{0x10}}", "a\tb raw\\t 120 -4 16"),
        ("{{html \"<a>\"}}", "&lt;a&gt;"),
    ];
    for (template, expected) in table {
        assert_eq!(fill(template), expected, "{template}");
    }
}

#[test]
fn errors_are_go_s() {
    let table = [
        ("{{.Id", "template: :1: unclosed action"),
        ("{{.Foo}}", "template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\""),
        (
            "a\n {{.Networks.x}}",
            "template: :2:12: executing \"\" at <.Networks.x>: map has no entry for key \"x\"",
        ),
        ("{{foo}}", "template: :1: function \"foo\" not defined"),
        ("{{if .Up}}", "template: :1: unexpected EOF"),
        ("{{end}}", "template: :1: unexpected {{end}}"),
        ("{{}}", "template: :1: missing value for command"),
        ("{{$x}}", "template: :1: undefined variable \"$x\""),
        ("{{(.Id}}", "template: :1: unclosed left paren"),
        (
            "{{.Name.Foo}}",
            "template: :1:7: executing \"\" at <.Name.Foo>: can't evaluate field Foo in type string",
        ),
        (
            "{{index .Args 9}}",
            "template: :1:2: executing \"\" at <index .Args 9>: error calling index: index out of range: 9",
        ),
        ("{{\"abc}}", "template: :1: unterminated quoted string"),
        ("{{break}}", "template: :1: {{break}} outside {{range}}"),
        ("{{.Id | 3}}", "template: :1: non executable command in pipeline stage 2"),
    ];
    for (template, expected) in table {
        assert_eq!(fill(template), format!("! {expected}"), "{template}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    let template = "{{".to_owned() + &"(".repeat(100_000) + &")".repeat(100_000) + "}}";
    assert!(try_fill(&template).is_err());
}

proptest! {
    #[test]
    fn any_text_is_answered(text in ".*") {
        let _ = try_fill(&text);
    }

    #[test]
    fn any_mix_of_pieces_is_answered(pieces in prop::collection::vec(prop::sample::select(vec![
        "{{", "}}", "{{-", "-}}", " ", ".", ".Id", ".Ports", "$x", "$", ":=", "=", ",", "|", "(", ")", "if", "else",
        "end", "range", "with", "index", "len", "json", "printf", "\"%s\"", "\"", "`", "'a'", "1", "-2", "1.5", "eq",
        "and", "or", "not", "slice", "join", "pad", "truncate", "/*", "*/", "\n", "break", "é", "@", "{{end}}",
        "{{range .Args}}", "{{if .Up}}", "{{else}}", "{{.Id}}",
    ]), 0..24)) {
        let _ = try_fill(&pieces.concat());
    }
}
