//! 256-bit identifiers, written as 64 lower-case hex digits, as Docker writes them. One type per kind of object, so
//! that a network id can't be handed in where an endpoint id is meant. Randomness comes in as bytes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A text that is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {kind} id \"{text}\": it should be 64 hexadecimal digits")]
pub struct IdError {
    kind: &'static str,
    text: String,
}

fn parse(kind: &'static str, text: &str) -> Result<[u8; 32], IdError> {
    let wrong = || IdError { kind, text: text.to_owned() };
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let high = hex(pair[0]).ok_or_else(wrong)?;
        let low = hex(pair[1]).ok_or_else(wrong)?;
        *byte = high << 4 | low;
    }
    Ok(bytes)
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

macro_rules! id {
    ($name:ident, $kind:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 32]);

        impl $name {
            /// The id of these 256 random bits.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 256 bits.
            pub const fn bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first `digits` hex digits: what names of links and namespaces carry, and what a user sees.
            pub fn short(&self, digits: usize) -> String {
                let mut text = self.to_string();
                text.truncate(digits);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short(12))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse($kind, text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id!(NetworkId, "network", "Identifies a network.");
id!(EndpointId, "endpoint", "Identifies an endpoint: one container's end in one network.");
id!(SandboxId, "sandbox", "Identifies a sandbox: a container's network namespace with its endpoints.");
id!(ContainerId, "container", "Identifies a container.");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "abc", &"g".repeat(64), &"A".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
            assert!(text.parse::<NetworkId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_id_are_the_same(bytes: [u8; 32]) {
            let id = EndpointId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.short(7).len(), 7);
        }
    }
}
