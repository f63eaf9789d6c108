//! The text of a listing, as `nft list ruleset` prints it: blocks, which are what is between a table's brackets.

use std::fmt;

use super::{ListedChain, ListedElement, ListedElsewhere, ListedSet, ListedTable, Listing, words};

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tables.iter().try_for_each(|table| table.fmt(f))?;
        self.elsewhere.iter().try_for_each(|other| other.fmt(f))
    }
}

impl fmt::Display for ListedElsewhere {
    /// Comments: nft knows nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules.iter().try_for_each(|rule| writeln!(f, "# {} {}", self.program, rule.text))
    }
}

impl fmt::Display for ListedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {{", self.heading())?;
        if !self.comment.is_empty() {
            writeln!(f, "\tcomment \"{}\"", self.comment)?;
        }
        let blocks = self.sets.iter().map(ListedSet::block).chain(self.chains.iter().map(ListedChain::block));
        f.write_str(&blocks.collect::<Vec<_>>().join("\n"))?;
        writeln!(f, "}}")
    }
}

impl ListedTable {
    /// `table inet pontoon`
    pub fn heading(&self) -> String {
        format!("table {} {}", self.family, self.name)
    }
}

impl ListedSet {
    /// `set` or `map`.
    pub const fn word(&self) -> &'static str {
        if self.is_map { "map" } else { "set" }
    }

    /// Its lines.
    pub fn block(&self) -> String {
        let mut block = format!("\t{} {} {{\n", self.word(), self.name);
        for line in &self.declared {
            block += &format!("\t\t{line}\n");
        }
        let elements: Vec<String> = self.elements.iter().map(ToString::to_string).collect();
        if !elements.is_empty() {
            block += &format!("\t\telements = {{ {} }}\n", elements.join(",\n\t\t\t     "));
        }
        block + "\t}\n"
    }
}

impl fmt::Display for ListedElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some((lasts, left)) = self.time {
            if lasts > 0 {
                write!(f, " timeout {}", duration(lasts))?;
            }
            if left > 0 {
                write!(f, " expires {}", duration(left))?;
            }
        }
        if let Some(counted) = &self.counted {
            write!(f, " {}", words::counter(Some(counted)))?;
        }
        if !self.comment.is_empty() {
            write!(f, " comment \"{}\"", self.comment)?;
        }
        self.data.as_ref().map_or(Ok(()), |data| write!(f, " : {data}"))
    }
}

impl ListedChain {
    /// Its lines.
    pub fn block(&self) -> String {
        let mut block = format!("\tchain {} {{\n", self.name);
        if let Some(hook) = &self.hook {
            block += &format!("\t\t{hook}\n");
        }
        for rule in &self.rules {
            match &rule.text {
                Some(text) => block += &format!("\t\t{text}\n"),
                None => block += &format!("\t\t# rule with handle {}: only nft can print it\n", rule.handle),
            }
        }
        block + "\t}\n"
    }
}

/// As nft prints times: `1d2h3m4s5ms`, without what is nought.
pub(super) fn duration(millis: u64) -> String {
    let parts = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest = millis;
    let mut text = String::new();
    for (unit, length) in parts {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            text += &format!("{count}{unit}");
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_nft_prints_them() {
        for (millis, text) in [(0, "0s"), (86_400_000, "1d"), (90_061_001, "1d1h1m1s1ms"), (9_948, "9s948ms")]
        {
            assert_eq!(duration(millis), text);
        }
    }
}
