//! The schema of a store: its version, and the steps from each older one. A step runs in the transaction that also writes
//! the new version, so that a crash in the middle leaves the old file.
//!
//! 1. one table `records`, keys `<table>/<key>`;
//! 2. a table of its own for each kind of record; the version in table `schema`.

use ::redb::{
    Database, Error, ReadableDatabase, ReadableTable, TableDefinition, TableHandle, WriteTransaction,
};

use super::redb::table_of;

/// What this program writes.
pub(super) const VERSION: u32 = 2;

const SCHEMA: TableDefinition<'_, &str, u32> = TableDefinition::new("schema");
const VERSION_KEY: &str = "version";

type Step = fn(&WriteTransaction) -> Result<(), Error>;

/// The step from version `n + 1` to `n + 2` is at index `n`.
const STEPS: [Step; VERSION as usize - 1] = [split_records];

/// Brings the file to [`VERSION`]; a version that is newer than that is left alone and returned.
pub(super) fn upgrade(database: &Database) -> Result<Option<u32>, Error> {
    let found = version(database)?;
    if found >= VERSION {
        return Ok((found > VERSION).then_some(found));
    }
    let transaction = database.begin_write()?;
    for step in STEPS.iter().skip(found.saturating_sub(1) as usize).filter(|_| found > 0) {
        step(&transaction)?;
    }
    transaction.open_table(SCHEMA)?.insert(VERSION_KEY, VERSION)?;
    transaction.commit()?;
    tracing::debug!(schema.from = found, schema.to = VERSION, "state file upgraded");
    Ok(None)
}

/// The version of the file; 0 if nothing is in it yet.
fn version(database: &Database) -> Result<u32, Error> {
    let transaction = database.begin_read()?;
    let names: Vec<String> = transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
    if names.iter().any(|name| name == SCHEMA.name()) {
        let version = transaction.open_table(SCHEMA)?.get(VERSION_KEY)?.map(|version| version.value());
        return Ok(version.unwrap_or(0));
    }
    Ok(u32::from(!names.is_empty()))
}

fn split_records(transaction: &WriteTransaction) -> Result<(), Error> {
    let old = table_of("records");
    for record in transaction.open_table(old)?.iter()? {
        let (key, value) = record?;
        if let Some((table, key)) = key.value().split_once('/') {
            transaction.open_table(table_of(table))?.insert(key, value.value())?;
        }
    }
    transaction.delete_table(old)?;
    Ok(())
}
