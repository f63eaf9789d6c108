//! Requests that make no sense: each is refused with a status and a text, and nothing is made.

use super::{daemon::Daemon, wire};

const JSON: Option<&str> = Some("application/json");

/// Method, path, type and text of the body; status and message of the answer.
type Refusal = (&'static str, &'static str, Option<&'static str>, &'static str, u16, &'static str);

const REFUSALS: &[Refusal] = &[
    ("GET", "/nope", None, "", 404, "page not found"),
    ("GET", "/", None, "", 404, "page not found"),
    ("GET", "/v1.50", None, "", 404, "page not found"),
    ("GET", "/v1.50//info", None, "", 404, "page not found"),
    ("PUT", "/info", None, "", 404, "page not found"),
    ("DELETE", "/networks", None, "", 404, "page not found"),
    ("POST", "/networks/create", None, "", 400, "invalid JSON: got EOF while reading request body"),
    (
        "POST",
        "/networks/create",
        JSON,
        "{",
        400,
        "invalid JSON: EOF while parsing an object at line 1 column 1",
    ),
    ("POST", "/networks/create", JSON, "[]", 400, "invalid JSON: the body should be an object"),
    ("POST", "/networks/create", JSON, "{} {}", 400, "invalid JSON: trailing characters at line 1 column 4"),
    (
        "POST",
        "/networks/create",
        JSON,
        "{\"Name\":7}",
        400,
        "invalid JSON: invalid type: integer `7`, expected a string",
    ),
    (
        "POST",
        "/networks/create",
        Some("text/plain"),
        "{}",
        400,
        "unsupported Content-Type header (text/plain): must be 'application/json'",
    ),
    (
        "GET",
        "/networks?filters={",
        None,
        "",
        400,
        "invalid filter: EOF while parsing an object at line 1 column 1",
    ),
    ("GET", "/networks?filters={\"colour\":[\"red\"]}", None, "", 400, "invalid filter 'colour'"),
    ("GET", "/networks/nope", None, "", 404, "network nope not found"),
    ("GET", "/containers/nope/json", None, "", 404, "No such container: nope"),
    ("POST", "/containers/nope/start", None, "", 404, "No such container: nope"),
    ("POST", "/containers/nope/wait", None, "", 404, "No such container: nope"),
    ("POST", "/containers/nope/attach?stream=1", None, "", 404, "No such container: nope"),
    ("POST", "/containers/nope/wait?condition=rain", None, "", 400, "invalid condition: \"rain\""),
    ("GET", "/containers/nope/logs", None, "", 400, "Bad parameters: you must choose at least one stream"),
    (
        "POST",
        "/containers/nope/attach?detachKeys=ctrl-%C3%A9",
        None,
        "",
        400,
        "Invalid detach keys (ctrl-é) provided",
    ),
    (
        "GET",
        "/containers/nope/stats?stream=1&one-shot=1",
        None,
        "",
        400,
        "cannot have stream=true and one-shot=true",
    ),
    (
        "POST",
        "/v1.43/containers/create",
        JSON,
        r#"{"Image":"host","NetworkingConfig":{"EndpointsConfig":{"b":{},"a":null}}}"#,
        400,
        "Container cannot be created with multiple network endpoints: a, b",
    ),
    ("POST", "/exec/nope/start", JSON, "{}", 404, "No such exec instance: nope"),
    ("GET", "/exec/nope/json", None, "", 404, "No such exec instance: nope"),
    ("GET", "/volumes/nope", None, "", 404, "get nope: no such volume"),
    (
        "GET",
        "/events?since=yesterday",
        None,
        "",
        400,
        "failed to parse value as time or duration: \"yesterday\"",
    ),
    ("GET", "/events?filters={\"colour\":[\"red\"]}", None, "", 400, "invalid filter 'colour'"),
];

#[test]
fn requests_that_make_no_sense_are_refused() {
    let daemon = Daemon::start(&[]);
    let before = daemon.get("/networks").body;
    for (method, path, kind, body, status, message) in REFUSALS {
        let path = path.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        let reply = wire::request(&daemon.socket(), method, &path, *kind, body);
        let said = reply.message();
        assert_eq!((reply.status, said.as_str()), (*status, *message), "{method} {path} {body}");
        assert_eq!(reply.header("Content-Type"), Some("application/json"), "{method} {path}");
    }
    let size = daemon.post("/containers/nope/resize?h=x&w=1", "");
    assert_eq!(size.status, 400, "{size:?}");
    assert_eq!(daemon.get("/networks").body, before, "nothing was made");
}

#[test]
fn a_body_without_end_is_cut_off() {
    let daemon = Daemon::start(&[]);
    let body = format!("{{\"Name\":\"{}\"}}", "x".repeat(9 << 20));
    let reply = daemon.post("/networks/create", &body);
    assert_eq!((reply.status, reply.message().as_str()), (413, "the request body is too large"));
    assert_eq!(daemon.get("/_ping").status, 200);
}

#[test]
fn what_is_no_http_harms_nobody() {
    let daemon = Daemon::start(&[]);
    for noise in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let reply = wire::say(&daemon.socket(), noise);
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    drop(std::os::unix::net::UnixStream::connect(daemon.socket()).unwrap());
    assert_eq!(daemon.get("/_ping").status, 200);
}
