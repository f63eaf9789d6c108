//! Detach keys: what a user types on an attached terminal to leave it without ending the container. Pure: bytes in,
//! bytes for the container out.

use super::status::Failure;
use crate::error::Kind;

/// `ctrl-p,ctrl-q`: Docker's default.
const DEFAULT: [u8; 2] = [0x10, 0x11];

/// A sequence that can't be typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid detach keys ({0}) provided")]
pub(super) struct KeysError(String);

/// Watches what is typed for the sequence.
#[derive(Clone, Debug)]
pub(super) struct DetachKeys {
    sequence: Vec<u8>,
    /// How much of the sequence has just been typed; held back until it is clear whether the rest follows.
    matched: usize,
}

/// What to do with what was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// What the container gets.
    pub(super) forward: Vec<u8>,
    /// Whether the user leaves now.
    pub(super) detach: bool,
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        Self::new(Kind::InvalidParameter, error.to_string())
    }
}

impl DetachKeys {
    /// Reads `ctrl-p,ctrl-q`, `ctrl-@`, `a`, …; nothing said is the default.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, KeysError> {
        let sequence = match text.filter(|text| !text.is_empty()) {
            None => DEFAULT.to_vec(),
            Some(text) => {
                let keys: Option<_> = text.split(',').map(key).collect();
                keys.ok_or_else(|| KeysError(text.to_owned()))?
            }
        };
        Ok(Self { sequence, matched: 0 })
    }

    /// Takes what was typed.
    pub(super) fn take(&mut self, typed: &[u8]) -> Typed {
        let mut forward = Vec::with_capacity(typed.len());
        for &byte in typed {
            if byte == self.sequence[self.matched] {
                self.matched += 1;
                if self.matched == self.sequence.len() {
                    return Typed { forward, detach: true };
                }
                continue;
            }
            // The beginning was typed, but not the rest: it was meant for the container. As in Docker, the byte
            // that broke the sequence may begin it anew.
            forward.extend_from_slice(&self.sequence[..std::mem::take(&mut self.matched)]);
            if byte == self.sequence[0] {
                self.matched = 1;
            } else {
                forward.push(byte);
            }
        }
        Typed { forward, detach: false }
    }
}

fn key(text: &str) -> Option<u8> {
    match (text.strip_prefix("ctrl-"), text.as_bytes()) {
        (Some(key), _) => match key.as_bytes() {
            [letter @ b'a'..=b'z'] => Some(letter - b'a' + 1),
            b"@" => Some(0),
            b"[" => Some(27),
            b"\\" => Some(28),
            b"]" => Some(29),
            b"^" => Some(30),
            b"_" => Some(31),
            _ => None,
        },
        (None, [key]) if key.is_ascii() => Some(*key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(text: &str) -> DetachKeys {
        DetachKeys::parse(Some(text)).unwrap()
    }

    #[test]
    fn sequences_are_read_as_docker_reads_them() {
        assert_eq!(DetachKeys::parse(None).unwrap().sequence, [16, 17]);
        assert_eq!(keys("").sequence, [16, 17]);
        assert_eq!(keys("ctrl-@,a,ctrl-_").sequence, [0, b'a', 31]);
        for text in ["ctrl-", "ctrl-A", "ab", "ctrl-p,", "é"] {
            assert!(DetachKeys::parse(Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn the_sequence_detaches_even_in_pieces() {
        let mut default = keys("");
        assert_eq!(default.take(b"ls\x10"), Typed { forward: b"ls".to_vec(), detach: false });
        assert_eq!(default.take(b"\x11rest"), Typed { forward: Vec::new(), detach: true });
    }

    #[test]
    fn what_only_looks_like_it_reaches_the_container() {
        let mut default = keys("");
        assert_eq!(default.take(b"\x10x"), Typed { forward: b"\x10x".to_vec(), detach: false });
        assert_eq!(default.take(b"\x10\x10\x11"), Typed { forward: b"\x10".to_vec(), detach: true });
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_invented(chunks in proptest::collection::vec(proptest::collection::vec(14..18_u8, 0..6), 0..6)) {
            let mut keys = keys("ctrl-p,ctrl-q");
            let (mut typed, mut forwarded) = (Vec::new(), Vec::new());
            for chunk in &chunks {
                typed.extend_from_slice(chunk);
                let taken = keys.take(chunk);
                forwarded.extend(taken.forward);
                if taken.detach {
                    break;
                }
            }
            prop_assert!(typed.starts_with(&forwarded), "{:?} {:?}", typed, forwarded);
        }
    }
}
