//! The graph in the language of Graphviz: `pontoon network graph --format dot | dot -Tpng`.

use super::{Graph, Kind};

/// Networks are boxes, members are rounded ones, addresses are on the lines between them.
pub(crate) fn dot(graph: &Graph) -> String {
    let mut out = "graph pontoon {\n  rankdir=LR;\n  node [fontname=\"sans-serif\", shape=box];\n".to_owned();
    out += "  edge [fontname=\"sans-serif\", fontsize=10];\n";
    for (index, network) in graph.networks.iter().enumerate() {
        let lines: Vec<&str> = [network.name.as_str()].into_iter().chain(network.facts()).collect();
        out += &format!("  network{index} [label={}, style=filled, fillcolor=lightblue];\n", quoted(&lines));
    }
    for (index, member) in graph.members.iter().enumerate() {
        let ports = member.ports.iter().map(String::as_str);
        let lines: Vec<&str> =
            [member.name.as_str()].into_iter().chain(member.remark()).chain(ports).collect();
        let style = if member.kind == Kind::Namespace { "rounded,dashed" } else { "rounded" };
        out += &format!("  member{index} [label={}, style=\"{style}\"];\n", quoted(&lines));
        for end in &member.ends {
            let addresses: Vec<&str> = end.addresses.iter().map(String::as_str).collect();
            out += &format!("  network{} -- member{index} [label={}];\n", end.network, quoted(&addresses));
        }
    }
    out + "}\n"
}

/// A string of the DOT language, one line under the other.
fn quoted(lines: &[&str]) -> String {
    let escaped = lines.iter().map(|line| line.replace('\\', "\\\\").replace('"', "\\\""));
    format!("\"{}\"", escaped.collect::<Vec<_>>().join("\\n"))
}
