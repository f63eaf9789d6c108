//! The entries of the fuzz targets (libnet/fuzz), also run over their corpora by normal tests: a datagram of netfilter's
//! netlink goes through everything that reads such answers and packets that rules hand over, a ruleset of any bytes through the encoder and back, and what
//! must always hold is checked.

use crate::{conntrack, firewall, sys::nfnl};

/// Panics if something that must hold does not.
pub fn netfilter(datagram: &[u8]) {
    nfnl::read_all(datagram, |family, attrs| {
        firewall::must_hold(family, attrs);
        conntrack::must_hold(attrs);
    });
    firewall::told_must_hold(datagram);
}

/// Panics if a ruleset that these bytes stand for is not read back as it was written.
pub fn ruleset(bytes: &[u8]) {
    firewall::written_must_hold(bytes);
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::prelude::*;

    use super::{netfilter, ruleset};

    fn seeds(target: &str) -> Vec<Vec<u8>> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let files = fs::read_dir(corpus).expect("the seed corpus is in the repository");
        files.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
    }

    fn corpus_holds(target: &str, run: fn(&[u8])) {
        let seeds = seeds(target);
        assert!(seeds.len() >= 10, "{} seeds of {target}", seeds.len());
        seeds.iter().for_each(|seed| run(seed));
    }

    #[test]
    fn the_corpora_hold() {
        corpus_holds("netfilter", netfilter);
        corpus_holds("ruleset", ruleset);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            netfilter(&bytes);
        }

        /// Every damage to an answer of a real kernel.
        #[test]
        fn damaged_answers(
            seed: prop::sample::Index,
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let seeds = seeds("netfilter");
            let mut bytes = seed.get(&seeds).clone();
            for (at, with) in damage {
                let at = at.index(bytes.len());
                bytes[at] = with;
            }
            netfilter(&bytes);
        }
    }
}
