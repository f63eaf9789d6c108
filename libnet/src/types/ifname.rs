//! The name of a network interface.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// `IFNAMSIZ - 1` of linux/if.h: the kernel keeps the last byte for the NUL.
const MAX_LEN: usize = 15;

/// A name that the kernel accepts for an interface (`dev_valid_name` in net/core/dev.c): 1 to 15 bytes, neither `.` nor
/// `..`, without `/`, `:` and white space. `%` is refused too: the kernel would take it for a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IfName(String);

/// A text that is no interface name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid interface name \"{0}\": it should have 1 to {MAX_LEN} characters, without '/', ':', '%' and blanks"
)]
pub struct IfNameError(String);

impl IfName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IfName {
    type Error = IfNameError;

    fn try_from(text: String) -> Result<Self, IfNameError> {
        let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%');
        let sized = (1..=MAX_LEN).contains(&text.len());
        if sized && text != "." && text != ".." && text.chars().all(legal) {
            Ok(Self(text))
        } else {
            Err(IfNameError(text))
        }
    }
}

impl FromStr for IfName {
    type Err = IfNameError;

    fn from_str(text: &str) -> Result<Self, IfNameError> {
        text.to_owned().try_into()
    }
}

impl From<IfName> for String {
    fn from(name: IfName) -> Self {
        name.0
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for IfName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_kernel_takes() {
        for name in ["eth0", "br-0123456789ab", "a", "eth0.10", "veth@x"] {
            assert!(name.parse::<IfName>().is_ok(), "{name}");
        }
        for name in ["", ".", "..", "a/b", "a b", "a:1", "veth%d", "sixteen-bytes-xx", "é"] {
            assert!(name.parse::<IfName>().is_err(), "{name}");
        }
    }
}
