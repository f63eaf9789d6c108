//! Versions of the API, and the version a path begins with.

use std::{fmt, str::FromStr};

/// A version of the Engine API, such as 1.50.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// The part before the dot.
    pub major: u16,
    /// The part after the dot.
    pub minor: u16,
}

/// The newest version that is spoken here.
pub const NEWEST: ApiVersion = ApiVersion::new(1, 50);
/// The oldest version that is spoken here.
pub const OLDEST: ApiVersion = ApiVersion::new(1, 24);

/// A version that can't be spoken; the texts are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not of the form `<major>.<minor>`.
    #[error("invalid API version \"{0}\": it should be of the form 1.50")]
    Malformed(String),
    /// The client is newer than we are.
    #[error("client version {0} is too new. Maximum supported API version is {NEWEST}")]
    TooNew(ApiVersion),
    /// The client is older than what we speak.
    #[error(
        "client version {0} is too old. Minimum supported API version is {OLDEST}, please upgrade your client to a newer version"
    )]
    TooOld(ApiVersion),
}

impl ApiVersion {
    /// The version of these two numbers.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// This version, if it is one that is spoken here.
    ///
    /// # Errors
    /// [`VersionError::TooNew`] and [`VersionError::TooOld`].
    pub fn supported(self) -> Result<Self, VersionError> {
        if self > NEWEST {
            Err(VersionError::TooNew(self))
        } else if self < OLDEST {
            Err(VersionError::TooOld(self))
        } else {
            Ok(self)
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ApiVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError::Malformed(text.to_owned());
        let (major, minor) = text.split_once('.').ok_or_else(wrong)?;
        let number =
            |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        Ok(Self::new(number(major).ok_or_else(wrong)?, number(minor).ok_or_else(wrong)?))
    }
}

/// Splits `/v1.41/containers/json` into the version and `/containers/json`. A path whose first part does not look
/// like a version has none and is left whole.
pub fn split_path(path: &str) -> (Option<ApiVersion>, &str) {
    let versioned = path.strip_prefix("/v").and_then(|rest| {
        let end = rest.find('/')?;
        Some((rest[..end].parse().ok()?, &rest[end..]))
    });
    match versioned {
        Some((version, rest)) => (Some(version), rest),
        None => (None, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_gives_up_its_version() {
        assert_eq!(split_path("/v1.41/info"), (Some(ApiVersion::new(1, 41)), "/info"));
        assert_eq!(split_path("/info"), (None, "/info"));
        assert_eq!(split_path("/volumes"), (None, "/volumes"));
        assert_eq!(split_path("/v1.41"), (None, "/v1.41"));
        assert_eq!(split_path("/vx.y/info"), (None, "/vx.y/info"));
        assert_eq!(split_path("/v1.+4/info"), (None, "/v1.+4/info"));
    }

    #[test]
    fn versions_out_of_reach_are_refused_in_dockers_words() {
        let text = |major, minor| ApiVersion::new(major, minor).supported().unwrap_err().to_string();
        assert_eq!(text(1, 51), "client version 1.51 is too new. Maximum supported API version is 1.50");
        assert_eq!(
            text(1, 23),
            "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"
        );
        assert_eq!(ApiVersion::new(1, 44).supported(), Ok(ApiVersion::new(1, 44)));
    }

    proptest! {
        #[test]
        fn a_version_reads_what_it_writes(major: u16, minor: u16) {
            let version = ApiVersion::new(major, minor);
            prop_assert_eq!(version.to_string().parse(), Ok(version));
        }

        #[test]
        fn no_path_is_too_strange(path in ".*") {
            let (_, rest) = split_path(&path);
            prop_assert!(path.ends_with(rest));
        }
    }
}
