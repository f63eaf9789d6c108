//! Rulesets of every kind against the real kernel: what is sent is what is there, and what is there is read.

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};

use super::*;
use crate::firewall::ruleset::any::{self, PIECE};

/// A transaction and its dumps take a few milliseconds.
const CASES: u32 = 64;

fn rulesets() -> impl Strategy<Value = Ruleset> {
    let piece = prop::collection::vec(any::<u8>(), PIECE);
    (any::<u8>(), prop::collection::vec(piece, 0..24))
        .prop_map(|(head, pieces)| any::ruleset(&[vec![head], pieces.concat()].concat()))
}

fn failed(error: &FirewallError) -> TestCaseError {
    let source = std::error::Error::source(error).map(ToString::to_string);
    TestCaseError::fail(format!("{error}: {source:?}"))
}

fn elements(socket: &mut NfSocket, wanted: &Ruleset) -> Result<Elements, TestCaseError> {
    let mut held = Elements::new();
    for set in SetId::ALL.into_iter().filter(|set| wanted.has(set.table())) {
        for found in
            dump::elements(socket, set.table(), &set.spec()).map_err(|error| failed(&error.into()))?
        {
            match found {
                FoundElement::Ours(key, entry) => held.insert((set, key), entry),
                FoundElement::Foreign => {
                    return Err(TestCaseError::fail(format!("{set:?}: not known again")));
                }
            };
        }
    }
    Ok(held)
}

/// Sends it, and looks with the eyes of the dump, of the comparison and of the listing.
fn holds(state: &mut State, wanted: &Ruleset) -> Result<(), TestCaseError> {
    state.match_kernel(wanted).map_err(|error| failed(&error))?;
    let listing = listing::read(&mut state.socket).map_err(|error| failed(&error))?;
    if wanted.is_empty() {
        prop_assert!(listing.tables.is_empty(), "{listing}");
        return Ok(());
    }
    prop_assert_eq!(&elements(&mut state.socket, wanted)?, &wanted.elements);
    let (ops, _) = state.diverges(wanted).map_err(|error| failed(&error))?;
    prop_assert!(ops.is_empty(), "{ops:?}");
    let sets = listing.tables.iter().flat_map(|table| &table.sets);
    let listed: usize = sets.map(|set| set.elements.len()).sum();
    prop_assert_eq!(listed, wanted.elements.len());
    let chains = listing.tables.iter().flat_map(|table| &table.chains);
    prop_assert!(chains.flat_map(|chain| &chain.rules).all(|rule| rule.text.is_some()), "{listing}");
    Ok(())
}

#[test]
fn a_ruleset_goes_to_the_kernel_and_comes_back() {
    ::tests::Lab::new().host("roundtrip").run(|| {
        let firewall = Firewall::open().unwrap();
        let mut runner = TestRunner::new(Config { cases: CASES, ..Config::default() });
        let done = runner.run(&(rulesets(), rulesets()), |(first, second)| {
            let mut state = firewall.lock();
            holds(&mut state, &first)?;
            // From one to the other, of which some is there already.
            holds(&mut state, &second)
        });
        done.unwrap_or_else(|failure| panic!("{failure}"));
    });
}
