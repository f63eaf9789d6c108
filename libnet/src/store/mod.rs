//! Where state outlives a process: tables of JSON values, changed by atomic commits. Two of them make a host (DESIGN
//! section 4): what is declared, on disk, and what is live, on a tmpfs beside the kernel objects that it describes.

mod lock;
mod memory;
mod redb;
mod schema;

use std::path::PathBuf;

use serde::{Serialize, de::DeserializeOwned};

pub use self::{lock::HostLock, memory::MemoryStore, redb::RedbStore};

/// What went wrong with a store, on which file, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file can't be opened or made.
    #[error("cannot open the state file {path}{}", advice(.source))]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file can't be read.
    #[error("cannot read the state file {path}{}", advice(.source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A commit didn't reach the file; the state is what it was before.
    #[error("cannot write the state file {path}{}", advice(.source))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has the file open.
    #[error("the state file {path} is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is no store, or is damaged.
    #[error("the state file {path} is damaged: {reason}; move it away to start afresh")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database says.
        reason: String,
    },
    /// A later version wrote the file.
    #[error("the state file {path} was written by a later version (schema {found}, this one knows {known})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// A value is not what the program expects, or can't be written as JSON.
    #[error("bad record {key:?} in table {table:?}")]
    Value {
        /// The table.
        table: String,
        /// The record's key.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Another process owns the host.
    #[error("another daemon{} owns this host: it holds {path}", holder(.pid))]
    Owned {
        /// The lock file.
        path: PathBuf,
        /// The process that wrote itself into it.
        pid: Option<u32>,
    },
}

fn advice(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as Kind;
    match source.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => ": the disk is full, free some space there",
        Kind::ReadOnlyFilesystem => ": the file system is read-only, choose a writable data root",
        Kind::PermissionDenied => ": no permission, run as root or choose another data root",
        Kind::NotFound => ": its directory is missing",
        _ => "",
    }
}

fn holder(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Writes a record, new or not.
    Put {
        /// The table; made when first written.
        table: String,
        /// The record's key.
        key: String,
        /// JSON.
        value: Vec<u8>,
    },
    /// Removes a record, if it is there.
    Delete {
        /// The table.
        table: String,
        /// The record's key.
        key: String,
    },
}

impl Change {
    /// Writes `value` under `key`.
    pub fn put<T: Serialize>(table: &str, key: impl Into<String>, value: &T) -> Result<Self, StoreError> {
        let (table, key) = (table.to_owned(), key.into());
        match serde_json::to_vec(value) {
            Ok(value) => Ok(Self::Put { table, key, value }),
            Err(source) => Err(StoreError::Value { table, key, source }),
        }
    }

    /// Removes what is under `key`.
    pub fn delete(table: &str, key: impl Into<String>) -> Self {
        Self::Delete { table: table.to_owned(), key: key.into() }
    }
}

/// Tables of JSON values.
pub trait Store: Send + Sync {
    /// One record.
    fn get(&self, table: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// All records of a table in the order of their keys; none if there is no such table.
    fn list(&self, table: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError>;
    /// All changes or none; on return they are where a crash of this process can't reach them.
    fn commit(&self, changes: &[Change]) -> Result<(), StoreError>;
}

/// One record of `table`, read as a `T`.
pub fn get<T: DeserializeOwned>(store: &dyn Store, table: &str, key: &str) -> Result<Option<T>, StoreError> {
    store.get(table, key)?.map(|value| read(table, key, &value)).transpose()
}

/// All records of `table`, read as `T`s.
pub fn list<T: DeserializeOwned>(store: &dyn Store, table: &str) -> Result<Vec<(String, T)>, StoreError> {
    let records = store.list(table)?.into_iter();
    records.map(|(key, value)| read(table, &key, &value).map(|value| (key, value))).collect()
}

fn read<T: DeserializeOwned>(table: &str, key: &str, value: &[u8]) -> Result<T, StoreError> {
    let bad = |source| StoreError::Value { table: table.to_owned(), key: key.to_owned(), source };
    serde_json::from_slice(value).map_err(bad)
}
