//! Names of containers: which ones are legal, which are free, and how one is made up. Randomness comes in as bytes.

use libnet::types::ContainerId;

use super::{
    ContainerError,
    registry::Registry,
    words::{ADJECTIVES, SURNAMES},
};
use crate::network::Networks;

/// How often a name is made up anew when it is taken, before a number is put behind it.
pub(super) const TRIES: usize = 6;

/// The name without its slash, if Docker would take it: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`.
pub(super) fn check(name: &str) -> Result<&str, ContainerError> {
    let bare = name.strip_prefix('/').unwrap_or(name);
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let first = bare.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && bare.len() > 1 && bare.chars().all(legal) {
        Ok(bare)
    } else {
        Err(ContainerError::InvalidName(name.to_owned()))
    }
}

/// Takes a name that neither a container has nor a namespace in a network.
pub(super) fn take(
    registry: &Registry,
    networks: &Networks,
    name: &str,
    id: ContainerId,
) -> Result<(), ContainerError> {
    // First of all: whoever attaches a namespace has the name here until the networks know of it.
    registry.take_name(name, id)?;
    match networks.namespace_named(name) {
        None => Ok(()),
        Some(owner) => {
            registry.drop_name(name, id);
            Err(ContainerError::NameTaken { name: name.to_owned(), id: owner.to_string() })
        }
    }
}

/// `adjective_surname` of these random bytes; from the second half of the tries on, with a number behind it.
pub(super) fn make_up(random: [u8; 8], attempt: usize) -> String {
    let [a, b, c, d, e, f, ..] = random;
    let pick = |words: &[&'static str], high: u8, low: u8| {
        words[usize::from(u16::from_be_bytes([high, low])) % words.len()]
    };
    let name = format!("{}_{}", pick(ADJECTIVES, a, b), pick(SURNAMES, c, d));
    if attempt < TRIES / 2 { name } else { format!("{name}{}", u16::from_be_bytes([e, f])) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_docker_takes() {
        for name in ["c1", "/c1", "web-1.a_b", "0x"] {
            assert_eq!(check(name).unwrap(), name.trim_start_matches('/'));
        }
        for name in ["", "/", "a", "-bad", "_x", "a b", "a/b", "é1", "//x"] {
            assert!(check(name).is_err(), "{name}");
        }
        assert_eq!(
            check("-bad/").unwrap_err().to_string(),
            "Invalid container name (-bad/), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        );
    }

    #[test]
    fn the_words_are_many_and_each_is_there_once() {
        for words in [ADJECTIVES, SURNAMES] {
            let unique: std::collections::BTreeSet<_> = words.iter().collect();
            assert!(unique.len() == words.len() && words.len() > 90);
        }
    }

    proptest! {
        #[test]
        fn what_is_made_up_is_legal(random: [u8; 8], attempt in 0..2 * TRIES) {
            let name = make_up(random, attempt);
            prop_assert_eq!(check(&name).unwrap(), name.as_str());
        }
    }
}
