//! The store on disk: redb, one redb table per table. After an I/O error redb refuses everything, although a full disk may
//! soon have room again: the file is then opened anew for the next call.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use ::redb::{Database, Error, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::{Change, Store, StoreError, schema};

/// Our records are few and small, and the page cache holds the file anyway; redb's default would be 1 GiB.
const CACHE: usize = 256 * 1024;

/// Tables in one file.
#[derive(Debug)]
pub struct RedbStore {
    path: PathBuf,
    /// None after an I/O error, until the next call opens the file again.
    database: RwLock<Option<Database>>,
}

pub(super) const fn table_of(name: &str) -> TableDefinition<'_, &'static str, &'static [u8]> {
    TableDefinition::new(name)
}

impl RedbStore {
    /// Opens the file, made if it is not there, and brings what an older version wrote to this one's schema.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = open(path)?;
        Ok(Self { path: path.to_owned(), database: RwLock::new(Some(database)) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Error>) -> Result<T, Failure> {
        self.reopen()?;
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let result = match guard.as_ref() {
            Some(database) => work(database),
            None => Err(Error::PreviousIo),
        };
        drop(guard);
        result.map_err(|error| {
            if matches!(error, Error::Io(_) | Error::PreviousIo) {
                self.database.write().unwrap_or_else(PoisonError::into_inner).take();
            }
            Failure::Database(error)
        })
    }

    fn reopen(&self) -> Result<(), Failure> {
        if self.database.read().unwrap_or_else(PoisonError::into_inner).is_none() {
            let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
            if slot.is_none() {
                *slot = Some(open(&self.path).map_err(Failure::Open)?);
            }
        }
        Ok(())
    }

    fn read<T>(&self, work: impl FnOnce(&Database) -> Result<T, Error>) -> Result<T, StoreError> {
        self.with(work).map_err(|failure| match failure {
            Failure::Open(error) => error,
            Failure::Database(error) => {
                explain(&self.path, error, |path, source| StoreError::Read { path, source })
            }
        })
    }
}

/// Either the file couldn't be opened again, or what was then tried went wrong.
enum Failure {
    Open(StoreError),
    Database(Error),
}

impl Store for RedbStore {
    fn get(&self, table: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|database| match database.begin_read()?.open_table(table_of(table)) {
            Ok(records) => Ok(records.get(key)?.map(|value| value.value().to_vec())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    fn list(&self, table: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.read(|database| match database.begin_read()?.open_table(table_of(table)) {
            Ok(records) => records
                .iter()?
                .map(|record| record.map(|(key, value)| (key.value().to_owned(), value.value().to_vec())))
                .collect::<Result<_, _>>()
                .map_err(Error::from),
            Err(TableError::TableDoesNotExist(_)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        })
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.with(|database| commit(database, changes)).map_err(|failure| match failure {
            Failure::Open(error) => error,
            Failure::Database(error) => {
                explain(&self.path, error, |path, source| StoreError::Write { path, source })
            }
        })
    }
}

fn open(path: &Path) -> Result<Database, StoreError> {
    let opening = |source| StoreError::Open { path: path.to_owned(), source };
    if !path.try_exists().map_err(opening)? {
        make(path)?;
    }
    open_file(path, path)
}

/// Makes the file under another name first: a daemon that is killed meanwhile leaves no half of one behind.
fn make(path: &Path) -> Result<(), StoreError> {
    let opening = |source| StoreError::Open { path: path.to_owned(), source };
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(opening(error)),
        _ => {}
    }
    drop(open_file(&draft, path)?);
    fs::rename(&draft, path).map_err(opening)?;
    // The name is durable only with its directory (fsync(2)).
    path.parent().map_or(Ok(()), |dir| fs::File::open(dir)?.sync_all()).map_err(opening)
}

/// Opens a file; errors speak of `path`.
fn open_file(file: &Path, path: &Path) -> Result<Database, StoreError> {
    let opened = Database::builder().set_cache_size(CACHE).create(file);
    let opening = |error: Error| explain(path, error, |path, source| StoreError::Open { path, source });
    let database = opened.map_err(|error| opening(error.into()))?;
    match schema::upgrade(&database) {
        Ok(None) => Ok(database),
        Ok(Some(found)) => Err(StoreError::Newer { path: path.to_owned(), found, known: schema::VERSION }),
        Err(error) => Err(opening(error)),
    }
}

fn commit(database: &Database, changes: &[Change]) -> Result<(), Error> {
    let transaction = database.begin_write()?;
    for change in changes {
        match change {
            Change::Put { table, key, value } => {
                transaction.open_table(table_of(table))?.insert(key.as_str(), value.as_slice())?;
            }
            Change::Delete { table, key } => {
                transaction.open_table(table_of(table))?.remove(key.as_str())?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn explain(path: &Path, error: Error, io: impl FnOnce(PathBuf, io::Error) -> StoreError) -> StoreError {
    let path = path.to_owned();
    match error {
        Error::Io(source) if source.kind() != io::ErrorKind::InvalidData => io(path, source),
        Error::DatabaseAlreadyOpen => StoreError::InUse { path },
        error @ (Error::PreviousIo | Error::DatabaseClosed) => io(path, io::Error::other(error)),
        error => StoreError::Damaged { path, reason: error.to_string() },
    }
}
