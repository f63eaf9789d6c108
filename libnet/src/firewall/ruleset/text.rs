//! The ruleset as `nft -s list table` prints it: without what was counted.

use std::fmt;

use super::{
    Ruleset, SetId,
    base::{TABLES, chains, comment},
};
use crate::firewall::nft::{
    chain::{Chain, Table},
    set::element_text,
};

impl fmt::Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TABLES.into_iter().filter(|table| self.has(*table)).try_for_each(|table| self.write_table(f, table))
    }
}

impl Ruleset {
    fn write_table(&self, f: &mut fmt::Formatter<'_>, table: Table) -> fmt::Result {
        writeln!(f, "table {table} {{\n\tcomment \"{}\"", comment(table))?;
        for (index, set) in SetId::of(table).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            self.write_set(f, set)?;
        }
        for chain in chains(table, self.accept_mark) {
            writeln!(f)?;
            write_chain(f, table, &chain)?;
        }
        writeln!(f, "}}")
    }

    fn write_set(&self, f: &mut fmt::Formatter<'_>, set: SetId) -> fmt::Result {
        let spec = set.spec();
        let (word, body) = spec.text();
        write!(f, "\t{word} {} {{\n{body}", spec.name)?;
        let all = self.elements.iter().filter(|((of, _), _)| *of == set);
        let elements: Vec<String> = all.map(|((_, key), entry)| element_text(&spec, key, entry)).collect();
        if !elements.is_empty() {
            writeln!(f, "\t\telements = {{ {} }}", elements.join(",\n\t\t\t     "))?;
        }
        writeln!(f, "\t}}")
    }
}

fn write_chain(f: &mut fmt::Formatter<'_>, table: Table, chain: &Chain) -> fmt::Result {
    writeln!(f, "\tchain {} {{", chain.name)?;
    if let Some(anchor) = chain.anchor {
        writeln!(f, "\t\t{}", anchor.text(table.family))?;
    }
    for rule in &chain.rules {
        writeln!(f, "\t\t{}", rule.text())?;
    }
    writeln!(f, "\t}}")
}
