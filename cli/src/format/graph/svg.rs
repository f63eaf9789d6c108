//! The graph as a picture: networks on the left, who is in them on the right, a line for each address. Colours suit
//! light and dark pages: the page's preference chooses.

use std::fmt::Write;

use super::{Graph, Kind, Member, Network};

/// Width of a character of the type in use, in pixels; a little more than any monospaced one has at this size.
const CHAR: usize = 8;
const LINE: usize = 18;
const PAD: usize = 12;
const MARGIN: usize = 24;
/// Between the columns, for the lines.
const GAP: usize = 140;
/// Between boxes of a column.
const APART: usize = 20;
/// Narrower boxes look like mistakes.
const LEAST: usize = 140;

/// Colours of lines that are told apart on white and on black, and by most who see colours differently (after the
/// palette of Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#b8860b"];

const STYLE: &str = "\
text { font: 13px ui-monospace, Menlo, Consolas, \"DejaVu Sans Mono\", monospace; fill: #1f2328 }
.page { fill: #ffffff }
.box { fill: #f6f8fa; stroke: #8c959f }
.namespace { stroke-dasharray: 5 3 }
.name { font-weight: bold }
.less { fill: #59636e }
.port { fill: #1a7f37 }
.line { fill: none; stroke-width: 1.6 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.page { fill: #0d1117 }
.box { fill: #151b23; stroke: #656c76 }
.less { fill: #9198a1 }
.port { fill: #3fb950 }
}
";

/// A box with its lines of text, each of a class.
struct Card {
    lines: Vec<(&'static str, String)>,
    class: &'static str,
    /// The colour of its left edge.
    colour: Option<&'static str>,
    top: usize,
}

impl Card {
    fn network(network: &Network, colour: &'static str) -> Self {
        let facts = network.facts().into_iter().map(|fact| ("less", fact.to_owned()));
        let lines = [("name", network.name.clone())].into_iter().chain(facts).collect();
        Self { lines, class: "box", colour: Some(colour), top: 0 }
    }

    /// The name, a line for each end, a line for each port.
    fn member(graph: &Graph, member: &Member) -> Self {
        let remark = member.remark().map(|remark| format!(" ({remark})")).unwrap_or_default();
        let end = |end: &super::End| {
            let addresses = if end.addresses.is_empty() { "–".to_owned() } else { end.addresses.join(" ") };
            ("", format!("{addresses}  {}", graph.networks[end.network].name))
        };
        let ports = member.ports.iter().map(|port| ("port", port.clone()));
        let lines = [("name", format!("{}{remark}", member.name))].into_iter();
        let class = if member.kind == Kind::Namespace { "box namespace" } else { "box" };
        Self {
            lines: lines.chain(member.ends.iter().map(end)).chain(ports).collect(),
            class,
            colour: None,
            top: 0,
        }
    }

    fn height(&self) -> usize {
        self.lines.len() * LINE + PAD
    }

    fn width(&self) -> usize {
        let longest = self.lines.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0);
        (longest * CHAR + 2 * PAD).max(LEAST)
    }

    /// The middle of a line.
    fn line_at(&self, index: usize) -> usize {
        self.top + PAD / 2 + index * LINE + LINE / 2
    }

    fn draw(&self, left: usize, width: usize, out: &mut String) {
        let (top, height) = (self.top, self.height());
        let _ = writeln!(
            out,
            r#"<rect class="{}" x="{left}" y="{top}" width="{width}" height="{height}" rx="6"/>"#,
            self.class
        );
        if let Some(colour) = self.colour {
            let _ = writeln!(
                out,
                r#"<rect fill="{colour}" x="{left}" y="{top}" width="5" height="{height}" rx="2"/>"#
            );
        }
        for (index, (class, text)) in self.lines.iter().enumerate() {
            // The base line is a third of the size below the middle.
            let (x, y) = (left + PAD, self.line_at(index) + 4);
            let class = if class.is_empty() { String::new() } else { format!(r#" class="{class}""#) };
            let _ = writeln!(out, r#"<text x="{x}" y="{y}"{class}>{}</text>"#, escaped(text));
        }
    }
}

/// The picture.
pub(crate) fn svg(graph: &Graph) -> String {
    let colour = |index: usize| COLOURS[index % COLOURS.len()];
    let networks = graph.networks.iter().enumerate();
    let mut left: Vec<Card> =
        networks.map(|(index, network)| Card::network(network, colour(index))).collect();
    let order = order(graph);
    let mut right: Vec<Card> = order.iter().map(|member| Card::member(graph, member)).collect();
    let heights = [stack(&mut left), stack(&mut right)];
    let tallest = heights.into_iter().max().unwrap_or(0);
    // The shorter column stands in the middle of the longer one.
    for (column, height) in [(&mut left, heights[0]), (&mut right, heights[1])] {
        column.iter_mut().for_each(|card| card.top += MARGIN + (tallest - height) / 2);
    }
    let widths = [&left, &right].map(|column| column.iter().map(Card::width).max().unwrap_or(0));
    let second = MARGIN + widths[0] + GAP;
    let (width, height) = (second + widths[1] + MARGIN, tallest + 2 * MARGIN);

    let mut out = String::new();
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="Networks of this host">"#
    );
    let _ = writeln!(out, "<style>\n{STYLE}</style>");
    let _ = writeln!(out, r#"<rect class="page" width="{width}" height="{height}"/>"#);
    for (member, card) in order.iter().zip(&right) {
        for (line, end) in member.ends.iter().enumerate() {
            let from = (MARGIN + widths[0], left[end.network].top + left[end.network].height() / 2);
            draw_line(from, (second, card.line_at(line + 1)), colour(end.network), &mut out);
        }
    }
    left.iter().for_each(|card| card.draw(MARGIN, widths[0], &mut out));
    right.iter().for_each(|card| card.draw(second, widths[1], &mut out));
    out + "</svg>\n"
}

/// Members of the same networks stand together, in the order of the networks, so that few lines cross.
fn order(graph: &Graph) -> Vec<&Member> {
    let mut members: Vec<&Member> = graph.members.iter().collect();
    let key = |member: &Member| member.ends.iter().map(|end| end.network).collect::<Vec<_>>();
    members.sort_by_key(|member| key(member));
    members
}

/// Puts cards one under the other; how high they are together.
fn stack(cards: &mut [Card]) -> usize {
    let mut next = 0;
    for card in cards {
        card.top = next;
        next += card.height() + APART;
    }
    next.saturating_sub(APART)
}

fn draw_line(from: (usize, usize), to: (usize, usize), colour: &str, out: &mut String) {
    let bend = GAP / 2;
    let _ = writeln!(
        out,
        r#"<path class="line" stroke="{colour}" d="M{} {} C{} {} {} {} {} {}"/>"#,
        from.0,
        from.1,
        from.0 + bend,
        from.1,
        to.0 - bend,
        to.1,
        to.0,
        to.1
    );
    let _ = writeln!(out, r#"<circle fill="{colour}" cx="{}" cy="{}" r="3"/>"#, to.0, to.1);
}

/// Text of an XML document.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
