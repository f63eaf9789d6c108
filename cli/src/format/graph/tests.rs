use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::format::colour::Colour;

fn example() -> Graph {
    let networks = json!([
        {"Name": "web", "Id": "1111aa", "Driver": "bridge", "Internal": false,
         "IPAM": {"Config": [{"Subnet": "192.168.7.0/24"}, {"Subnet": "fd00:7::/64"}]}},
        {"Name": "db", "Id": "2222bb", "Driver": "bridge", "Internal": true,
         "IPAM": {"Config": [{"Subnet": "10.1.0.0/16"}]}},
        {"Name": "none", "Id": "3333cc", "Driver": "null", "IPAM": {"Config": []}},
    ]);
    let end =
        |id: &str, v4: &str, v6: &str| json!({"NetworkID": id, "IPAddress": v4, "GlobalIPv6Address": v6});
    let containers = json!([
        {"Names": ["/shop"], "Id": "c1", "State": "running",
         "NetworkSettings": {"Networks": {"web": end("1111aa", "192.168.7.2", "fd00:7::2"), "db": end("2222bb", "10.1.0.2", "")}},
         "Ports": [
            {"IP": "0.0.0.0", "PrivatePort": 443, "PublicPort": 8443, "Type": "tcp"},
            {"IP": "::", "PrivatePort": 443, "PublicPort": 8443, "Type": "tcp"},
            {"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
            {"PrivatePort": 9000, "Type": "udp"}]},
        {"Names": ["/postgres"], "Id": "c2", "State": "exited",
         "NetworkSettings": {"Networks": {"db": end("2222bb", "", "")}}, "Ports": []},
        {"Names": ["/host"], "Id": "c3", "State": "running", "NetworkSettings": {"Networks": {"host": end("", "", "")}}},
    ]);
    let namespaces = json!([
        {"Name": "<lab>", "Networks": {"web": end("1111aa", "192.168.7.3", "")},
         "Ports": {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": "2222"}]}},
    ]);
    let answers = Answers { networks: &networks, containers: &containers, namespaces: &namespaces };
    Graph::read(&answers, &[]).unwrap()
}

#[test]
fn the_same_graph_in_every_form() {
    let graph = example();
    assert_snapshot!("tree", tree(&graph, Colour::Plain));
    assert_snapshot!("coloured", tree(&graph, Colour::Ansi).replace('\u{1b}', "ESC"));
    assert_snapshot!("dot", dot(&graph));
    assert_snapshot!("svg", svg(&graph));
    assert_snapshot!("json", crate::format::inspect::pretty(&graph.json()));
}

#[test]
fn networks_are_chosen_by_name_and_id() {
    let networks = json!([
        {"Name": "web", "Id": "1111aa", "Driver": "bridge"}, {"Name": "db", "Id": "2222bb", "Driver": "bridge"}]);
    let nothing = json!(null);
    let answers = Answers { networks: &networks, containers: &nothing, namespaces: &nothing };
    let named = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Graph::read(&answers, &names).map(|graph| tree(&graph, Colour::Plain))
    };
    assert_eq!(named(&["web"]).unwrap(), "web  bridge  (empty)\n");
    assert_eq!(named(&["2222"]).unwrap(), "db  bridge  (empty)\n");
    assert_eq!(named(&["web", "nope"]).unwrap_err(), "nope");
}
