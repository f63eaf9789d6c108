//! The graph on a terminal: each network with who is in it.

use super::{End, Graph, Member, Network};
use crate::format::colour::{BOLD, CYAN, Colour, FAINT, GREEN};

/// All of it, a line for each network and each of its members.
pub(crate) fn tree(graph: &Graph, colour: Colour) -> String {
    let mut out = String::new();
    for (index, network) in graph.networks.iter().enumerate() {
        let rows: Vec<Row> =
            graph.members_of(index).map(|(member, end)| Row::of(graph, member, end)).collect();
        out.push_str(&head(network, rows.is_empty(), colour));
        let widths =
            [0, 1].map(|cell| rows.iter().map(|row| row.cells[cell].chars().count()).max().unwrap_or(0));
        for (at, row) in rows.iter().enumerate() {
            let branch = if at + 1 == rows.len() { "└─ " } else { "├─ " };
            out.push_str(&colour.of(FAINT, branch));
            out.push_str(&row.line(widths, colour));
        }
    }
    out
}

/// What is known of a member in one network: name, addresses, ports, remarks.
struct Row {
    cells: [String; 4],
}

impl Row {
    fn of(graph: &Graph, member: &Member, end: &End) -> Self {
        let others = member.ends.iter().filter(|other| other.network != end.network);
        let others: Vec<_> = others.map(|other| graph.networks[other.network].name.as_str()).collect();
        let also = (!others.is_empty()).then(|| format!("also in {}", others.join(", ")));
        let remarks = member.remark().map(str::to_owned).into_iter().chain(also);
        Self {
            cells: [
                member.name.clone(),
                end.addresses.join(" "),
                member.ports.join(", "),
                remarks.collect::<Vec<_>>().join(", "),
            ],
        }
    }

    fn line(&self, widths: [usize; 2], colour: Colour) -> String {
        let [name, addresses, ports, remarks] = &self.cells;
        let mut line = colour.of(BOLD, &format!("{name:0$}", widths[0]));
        if widths[1] > 0 {
            line += &format!("  {addresses:0$}", widths[1]);
        }
        if !ports.is_empty() {
            line += &format!("  {}", colour.of(GREEN, ports));
        }
        if !remarks.is_empty() {
            line += &format!("  {}", colour.of(FAINT, &format!("({remarks})")));
        }
        format!("{}\n", line.trim_end())
    }
}

fn head(network: &Network, empty: bool, colour: Colour) -> String {
    let facts = colour.of(FAINT, &network.facts().join("  "));
    let empty = if empty { colour.of(FAINT, "  (empty)") } else { String::new() };
    format!("{}  {facts}{empty}\n", colour.of(CYAN, &network.name))
}
