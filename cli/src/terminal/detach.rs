//! The keys that leave a container without ending it. Pure.

/// A sequence of keys, and how much of it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetachKeys {
    keys: Vec<u8>,
    typed: usize,
}

impl Default for DetachKeys {
    /// ctrl-p, ctrl-q.
    fn default() -> Self {
        Self { keys: vec![16, 17], typed: 0 }
    }
}

impl DetachKeys {
    /// Reads `ctrl-a,b,…`: single characters, or `ctrl-` and one of `a-z @ [ \ ] ^ _`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let keys = text.split(',').map(key).collect::<Option<Vec<u8>>>();
        match keys {
            Some(keys) => Ok(Self { keys, typed: 0 }),
            None => Err(format!("invalid detach keys ({text})")),
        }
    }

    /// What was typed: the bytes to hand on, and whether the sequence is complete. Keys that turn out to be none of
    /// the sequence are handed on later.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut onward = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if byte == self.keys[self.typed] {
                self.typed += 1;
                if self.typed == self.keys.len() {
                    self.typed = 0;
                    return (onward, true);
                }
                continue;
            }
            onward.extend_from_slice(&self.keys[..self.typed]);
            self.typed = 0;
            if byte == self.keys[0] && self.keys.len() > 1 {
                self.typed = 1;
            } else {
                onward.push(byte);
            }
        }
        (onward, false)
    }
}

fn key(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() => Some(*byte),
        [b'c', b't', b'r', b'l', b'-', letter] => match letter {
            b'a'..=b'z' => Some(letter - b'a' + 1),
            b'@' => Some(0),
            b'['..=b'_' => Some(letter - b'[' + 27),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_found_across_reads() {
        let mut keys = DetachKeys::default();
        assert_eq!(keys.feed(b"ab\x10"), (b"ab".to_vec(), false));
        assert_eq!(keys.feed(b"\x11rest"), (Vec::new(), true));
        assert_eq!(keys.feed(b"\x10x"), (b"\x10x".to_vec(), false));
        assert_eq!(keys.feed(b"\x10\x10\x11"), (b"\x10".to_vec(), true));
    }

    #[test]
    fn keys_are_letters_or_ctrl() {
        assert_eq!(DetachKeys::parse("ctrl-a,x").unwrap().keys, [1, b'x']);
        assert_eq!(DetachKeys::parse("ctrl-@,ctrl-\\").unwrap().keys, [0, 28]);
        for text in ["", "ctrl-", "foo", "ctrl-A", "a,,b"] {
            assert!(DetachKeys::parse(text).is_err(), "{text}");
        }
    }
}
