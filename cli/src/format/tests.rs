//! The tables, as Docker's CLI 28 prints them from the same answers.

use insta::assert_snapshot;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::containers::Long;
use super::list::{self, Row};
use super::{containers, images, inspect, networks, stats};

const NOW: i64 = 1_795_228_556;

fn two_containers() -> Vec<Value> {
    vec![
        json!({
            "Id": "0123456789abcdef0123", "Names": ["/web"], "Image": "host", "ImageID": "sha256:1111",
            "Command": "python3 -m http.server 8000 --bind all", "Created": NOW - 200, "State": "running",
            "Status": "Up 3 minutes", "Labels": {"com.example.some-name": "x", "z": "y"}, "SizeRw": 1_234_567,
            "SizeRootFs": 99_999_999,
            "Ports": [
                {"IP": "0.0.0.0", "PrivatePort": 8000, "PublicPort": 8080, "Type": "tcp"},
                {"IP": "::", "PrivatePort": 8000, "PublicPort": 8080, "Type": "tcp"},
                {"PrivatePort": 90, "Type": "udp"}, {"PrivatePort": 91, "Type": "udp"},
            ],
            "NetworkSettings": {"Networks": {"web": {}, "bridge": {}}},
            "Mounts": [{"Type": "bind", "Source": "/run/lab/something/long", "Destination": "/www"}],
        }),
        json!({
            "Id": "fedcba9876543210fedc", "Names": ["/c2", "/web/link"], "Image": "host", "Command": "sh",
            "Created": NOW - 90_000, "State": "exited", "Status": "Exited (5) 2 hours ago", "Ports": [], "Labels": {},
        }),
    ]
}

fn ps(format: Option<&str>, long: Long) -> String {
    let rows: Vec<Row> =
        two_containers().iter().map(|c| containers::row(c, long, NOW, &TimeZone::UTC)).collect();
    list::render(&containers::KIND, format, false, &rows).unwrap_or_else(|error| format!("! {error}"))
}

#[test]
fn ps_is_a_table() {
    assert_snapshot!(ps(None, Long::Cut));
}

#[test]
fn ps_cuts_nothing_if_told() {
    assert_snapshot!(ps(None, Long::Whole));
}

#[test]
fn ps_takes_the_columns_of_a_template() {
    assert_snapshot!(ps(
        Some("table {{.ID}}\\t{{upper .State}}\\t{{.Label \"com.example.some-name\"}}\\t{{.Size}}"),
        Long::Cut
    ));
}

#[test]
fn ps_in_json_is_a_line_for_each() {
    assert_snapshot!(ps(Some("json"), Long::Cut));
}

#[test]
fn ps_raw_is_a_block_for_each() {
    assert_snapshot!(ps(Some("raw"), Long::Cut));
}

#[test]
fn a_template_that_does_not_fit_says_where() {
    assert_eq!(
        ps(Some("{{.Foo}}"), Long::Cut),
        "! template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in type *formatter.ContainerContext"
    );
}

#[test]
fn quiet_is_ids_only() {
    let rows: Vec<Row> =
        two_containers().iter().map(|c| containers::row(c, Long::Cut, NOW, &TimeZone::UTC)).collect();
    assert_eq!(list::render(&containers::KIND, None, true, &rows).unwrap(), "0123456789ab\nfedcba987654\n");
}

#[test]
fn networks_are_a_table() {
    let all = [
        json!({"Name": "bridge", "Id": "5e74fe4f18ea7418e971", "Driver": "bridge", "Scope": "local"}),
        json!({"Name": "monreseau0-is-long", "Id": "2603a81add530000", "Driver": "bridge", "Scope": "local",
               "Created": "2026-11-21T02:35:56.123456789Z", "EnableIPv4": true, "Labels": {"k": "v"}}),
    ];
    let rows: Vec<Row> = all.iter().map(|n| networks::row(n, Long::Cut, &TimeZone::UTC)).collect();
    let table = list::render(&networks::KIND, None, false, &rows).unwrap();
    let json = list::render(&networks::KIND, Some("json"), false, &rows).unwrap();
    assert_snapshot!(table + &json);
}

#[test]
fn images_are_a_table() {
    let image = json!({"Id": "sha256:0c8d1631d940aaaa", "RepoTags": ["host:latest"], "Created": NOW - 20 * 86_400, "Size": 0});
    let rows = images::rows(&image, Long::Cut, NOW, &TimeZone::UTC);
    assert_snapshot!(list::render(&images::KIND, None, false, &rows).unwrap());
}

#[test]
fn stats_are_shares_and_sizes() {
    let reading = json!({
        "id": "0123456789abcdef", "name": "/c1",
        "cpu_stats": {"cpu_usage": {"total_usage": 200_000_000}, "system_cpu_usage": 4_000_000_000_u64, "online_cpus": 2},
        "precpu_stats": {"cpu_usage": {"total_usage": 100_000_000}, "system_cpu_usage": 2_000_000_000_u64},
        "memory_stats": {"usage": 9_000_000, "limit": 1_000_000_000, "stats": {"inactive_file": 1_000_000}},
        "pids_stats": {"current": 3}, "networks": {"eth0": {"rx_bytes": 1234, "tx_bytes": 99}},
        "blkio_stats": {"io_service_bytes_recursive": [{"op": "read", "value": 4096}]},
    });
    let rows = [stats::row("c1", Some(&reading), Long::Cut), stats::row("c2", None, Long::Cut)];
    assert_snapshot!(list::render(&stats::KIND, None, false, &rows).unwrap());
}

#[test]
fn objects_are_json_with_four_blanks() {
    assert_snapshot!(
        inspect::render(&[json!({"Id": "a", "Args": [], "State": {"Running": true}})], None).unwrap()
    );
    assert_eq!(inspect::render(&[], None).unwrap(), "[]\n");
    assert_eq!(inspect::render(&[json!({"A": "<b>"})], Some("json")).unwrap(), "[{\"A\":\"<b>\"}]\n");
}
