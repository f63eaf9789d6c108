//! A store that lives as long as its process: for programs without state, and the fake in tests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Change, Store, StoreError};

type Tables = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// Tables in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Tables>);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A commit is a few map operations that don't panic: what another thread left behind is whole.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, table: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tables().get(table).and_then(|records| records.get(key)).cloned())
    }

    fn list(&self, table: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let records = self.tables().get(table).cloned().unwrap_or_default();
        Ok(records.into_iter().collect())
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for change in changes.iter().cloned() {
            match change {
                Change::Put { table, key, value } => {
                    tables.entry(table).or_default().insert(key, value);
                }
                Change::Delete { table, key } => {
                    tables.get_mut(&table).and_then(|records| records.remove(&key));
                }
            }
        }
        Ok(())
    }
}
