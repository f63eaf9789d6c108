//! The entry of the fuzz target (libnet/fuzz), also run over its corpus by a normal test: a datagram of netfilter's
//! netlink goes through everything that reads such answers, and what must always hold is checked.

use crate::{conntrack, firewall, sys::nfnl};

/// Panics if something that must hold does not.
pub fn netfilter(datagram: &[u8]) {
    nfnl::read_all(datagram, |family, attrs| {
        firewall::must_hold(family, attrs);
        conntrack::must_hold(attrs);
    });
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::prelude::*;

    use super::netfilter;

    fn seeds() -> Vec<Vec<u8>> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/netfilter");
        let files = fs::read_dir(corpus).expect("the seed corpus is in the repository");
        files.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
    }

    #[test]
    fn the_corpus_holds() {
        let seeds = seeds();
        assert!(seeds.len() >= 10, "{} seeds", seeds.len());
        seeds.iter().for_each(|seed| netfilter(seed));
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
            let seeds = seeds();
            let mut bytes = seed.get(&seeds).clone();
            for (at, with) in damage {
                let at = at.index(bytes.len());
                bytes[at] = with;
            }
            netfilter(&bytes);
        }
    }
}
