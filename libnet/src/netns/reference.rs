//! How a user points at a namespace: by its name, by a path, by a process that lives in it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::NetNs;

/// Where names are, for `ip netns` (iproute2's `NETNS_RUN_DIR`) and for us.
pub const NAMES: &str = "/run/netns";

/// What was said of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reference {
    /// A name in the folder of names.
    Name(String),
    /// A file that the namespace is mounted on, or a link in `/proc`.
    Path(PathBuf),
    /// A process in it.
    Process(u32),
}

/// A reference leads to no network namespace.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing can be called so.
    #[error("{0:?} is no name of a namespace: letters, digits, and . _ - + behind the first")]
    Malformed(String),
    /// There is no such name.
    #[error("network namespace {0} not found: \"pontoon netns ls --all\" shows what there is")]
    NoName(String),
    /// There is no such process.
    #[error("network namespace of process {0} not found: there is no such process")]
    NoProcess(u32),
    /// There is no such file.
    #[error("network namespace {} not found: there is no such file", .0.display())]
    NoFile(PathBuf),
    /// There is a file, and it is something else.
    #[error("{0} is not a network namespace")]
    NoNamespace(String),
    /// It is there, and can't be opened.
    #[error("cannot open network namespace {name}")]
    Open {
        /// The reference.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Reference {
    /// Reads a reference: what has a slash is a path, a number is a process unless `names` has a namespace of that name,
    /// and anything else is a name there.
    ///
    /// # Errors
    /// [`ReferenceError::Malformed`].
    pub fn read(text: &str, names: &Path) -> Result<Self, ReferenceError> {
        if text.contains('/') {
            return Ok(Self::Path(text.into()));
        }
        let named = is_name(text);
        match text.parse() {
            Ok(process) if !names.join(text).exists() => Ok(Self::Process(process)),
            _ if named => Ok(Self::Name(text.to_owned())),
            _ => Err(ReferenceError::Malformed(text.to_owned())),
        }
    }

    /// The same, as a name where the path of one was given, so that one namespace is not known in two ways.
    #[must_use]
    pub fn canonical(self, names: &Path) -> Self {
        match &self {
            Self::Path(path) if path.parent() == Some(names) => {
                let name = path.file_name().and_then(|name| name.to_str()).filter(|name| is_name(name));
                name.map(|name| Self::Name(name.to_owned())).unwrap_or(self)
            }
            _ => self,
        }
    }

    /// The file that leads to the namespace.
    pub fn path(&self, names: &Path) -> PathBuf {
        match self {
            Self::Name(name) => names.join(name),
            Self::Path(path) => path.clone(),
            Self::Process(process) => PathBuf::from(format!("/proc/{process}/ns/net")),
        }
    }

    /// The namespace.
    ///
    /// # Errors
    /// What it leads to instead.
    pub fn open(&self, names: &Path) -> Result<NetNs, ReferenceError> {
        NetNs::open(&self.path(names)).map_err(|source| match (source.kind(), self) {
            (io::ErrorKind::NotFound, Self::Name(name)) => ReferenceError::NoName(name.clone()),
            (io::ErrorKind::NotFound, Self::Process(process)) => ReferenceError::NoProcess(*process),
            (io::ErrorKind::NotFound, Self::Path(path)) => ReferenceError::NoFile(path.clone()),
            (io::ErrorKind::InvalidInput, _) => ReferenceError::NoNamespace(self.to_string()),
            _ => ReferenceError::Open { name: self.to_string(), source },
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Process(process) => write!(f, "{process}"),
        }
    }
}

/// Stricter than `ip netns`, which takes anything that makes a file: a name must be typed and shown without quotes.
pub fn is_name(text: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    text.len() <= 255 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_as_it_is_meant() {
        let names = tempfile::tempdir().unwrap();
        std::fs::write(names.path().join("42"), "").unwrap();
        let read = |text: &str| Reference::read(text, names.path()).map_err(|error| error.to_string());
        let table = [
            ("blue", Ok(Reference::Name("blue".to_owned()))),
            ("42", Ok(Reference::Name("42".to_owned()))),
            ("43", Ok(Reference::Process(43))),
            ("./blue", Ok(Reference::Path("./blue".into()))),
            ("/proc/1/ns/net", Ok(Reference::Path("/proc/1/ns/net".into()))),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text}");
        }
        for text in ["", ".", "..", "-x", "a b", "ä"] {
            assert!(read(text).unwrap_err().contains("is no name of a namespace"), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let names = tempfile::tempdir().unwrap();
        std::fs::write(names.path().join("stale"), "").unwrap();
        let open = |reference: Reference| reference.open(names.path()).unwrap_err().to_string();
        assert!(open(Reference::Name("blue".to_owned())).starts_with("network namespace blue not found"));
        assert!(open(Reference::Process(u32::MAX)).contains("no such process"));
        assert!(open(Reference::Path("/nonexistent".into())).contains("there is no such file"));
        assert_eq!(open(Reference::Name("stale".to_owned())), "stale is not a network namespace");
        let mount = Reference::Path("/proc/self/ns/mnt".into());
        assert_eq!(open(mount), "/proc/self/ns/mnt is not a network namespace");
    }
}
