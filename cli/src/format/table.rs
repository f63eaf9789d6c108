//! Columns as Go's tabwriter lays them out for Docker: at least ten wide, three blanks between, the last one unpadded.

/// At least so wide, blanks included.
const NARROWEST: usize = 10;
/// Blanks behind the widest cell.
const GAP: usize = 3;

/// Lays out lines whose cells are separated by tabs. As in Go, a column is a run of lines that have it.
pub(crate) fn columns(text: &str) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|cells| vec![0; cells.len()]).collect();
    let most = lines.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..most.saturating_sub(1) {
        let mut start = 0;
        while start < lines.len() {
            let run = lines[start..].iter().take_while(|cells| cells.len() > column + 1).count();
            let block = start..start + run;
            let widest = lines[block.clone()].iter().map(|cells| width(cells[column]) + GAP).max();
            let widest = widest.unwrap_or(0).max(NARROWEST);
            for line in &mut widths[block] {
                line[column] = widest;
            }
            start += run + 1;
        }
    }
    let laid = lines.iter().zip(&widths).map(|(cells, widths)| line(cells, widths));
    laid.collect::<Vec<_>>().join("\n")
}

fn line(cells: &[&str], widths: &[usize]) -> String {
    let mut out = String::new();
    for (cell, &wanted) in cells.iter().zip(widths) {
        out.push_str(cell);
        out.extend(std::iter::repeat_n(' ', wanted.saturating_sub(width(cell))));
    }
    out
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        assert_eq!(columns("A\tB\nlonger than ten\tx"), "A                 B\nlonger than ten   x");
        assert_eq!(columns("ID\tNAME"), "ID        NAME");
        assert_eq!(columns("no columns"), "no columns");
    }
}
