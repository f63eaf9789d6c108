//! The command line as meant: what was parsed becomes the requests that the daemon gets, or an error with the text
//! that Docker's users know. Pure, but for files that flags name ([`files`]). Called by [`crate::commands`].

pub(crate) mod container;
pub(crate) mod files;
pub(crate) mod filters;
pub(crate) mod host;
pub(crate) mod ipam;
pub(crate) mod lists;
pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod ports;
#[cfg(test)]
mod tests;
pub(crate) mod times;
pub(crate) mod units;
pub(crate) mod values;

/// What a flag or a word can't be: the text that the user sees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Invalid(pub(crate) String);

impl Invalid {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
