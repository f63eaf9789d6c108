//! The stores, on real files: what is committed is there again, what an older version wrote is read, and a full, read-only
//! or damaged file is an error that says so.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

use std::{fs, path::Path, thread};

use libnet::store::{self, Change, MemoryStore, RedbStore, Store, StoreError};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use proptest::prelude::*;
use serde_json::json;

fn put(table: &str, key: &str, value: &serde_json::Value) -> Change {
    Change::put(table, key, value).unwrap()
}

#[test]
fn what_is_committed_is_there_again() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("pontoon.redb");
    let store = RedbStore::open(&path).unwrap();
    store.commit(&[put("networks", "b", &json!({"n": 1})), put("networks", "a", &json!(2))]).unwrap();
    store.commit(&[Change::delete("networks", "a"), Change::delete("none", "x")]).unwrap();
    assert!(matches!(RedbStore::open(&path), Err(StoreError::InUse { .. })));
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    let all: Vec<(String, serde_json::Value)> = store::list(&store, "networks").unwrap();
    assert_eq!(all, [("b".to_owned(), json!({"n": 1}))]);
    assert_eq!(store.get("networks", "a").unwrap(), None);
    assert_eq!(store.list("never written").unwrap(), []);
    let wrong = store::get::<String>(&store, "networks", "b").unwrap_err().to_string();
    assert_eq!(wrong, r#"bad record "b" in table "networks""#);
}

#[test]
fn a_daemon_killed_while_it_makes_the_file_leaves_no_half_of_one() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("live.redb");
    fs::write(root.path().join("live.new"), [0; 4_096]).unwrap();
    RedbStore::open(&path).unwrap().commit(&[put("networks", "a", &json!(1))]).unwrap();
    assert!(!root.path().join("live.new").exists());
    assert_eq!(RedbStore::open(&path).unwrap().list("networks").unwrap().len(), 1);
}

#[test]
fn a_file_of_schema_1_is_upgraded() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("old.redb");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema-1.redb"), &path).unwrap();
    for _ in 0..2 {
        let store = RedbStore::open(&path).unwrap();
        let name: Option<serde_json::Value> = store::get(&store, "networks", "n1").unwrap();
        assert_eq!(name, Some(json!({"name": "web/1"})));
        assert_eq!(store.list("networks").unwrap().len(), 2);
        assert_eq!(store.list("endpoints").unwrap().len(), 1);
        assert_eq!(store.list("records").unwrap(), []);
    }
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("new.redb");
    drop(RedbStore::open(&path).unwrap());
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let schema = redb::TableDefinition::<&str, u32>::new("schema");
    transaction.open_table(schema).unwrap().insert("version", 9).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let text = RedbStore::open(&path).unwrap_err().to_string();
    assert!(text.contains("new.redb was written by a later version (schema 9, this one knows 2)"), "{text}");
}

#[test]
fn what_is_no_store_is_named() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("pontoon.redb");
    fs::write(&path, "not a database at all ".repeat(1000)).unwrap();
    let text = RedbStore::open(&path).unwrap_err().to_string();
    assert!(text.contains("pontoon.redb is damaged"), "{text}");
    let text = RedbStore::open(&root.path().join("none/pontoon.redb")).unwrap_err().to_string();
    assert!(text.ends_with("none/pontoon.redb: its directory is missing"), "{text}");
}

/// Runs `work` in a directory that is a tmpfs of its own, in a mount namespace that ends with the thread.
fn on_tmpfs(options: &'static str, work: impl FnOnce(&Path) + Send + 'static) {
    let inside = move || {
        let root = tempfile::tempdir().unwrap();
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        mount(Some("tmpfs"), root.path(), Some("tmpfs"), MsFlags::empty(), Some(options)).unwrap();
        work(root.path());
        nix::mount::umount2(root.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
    };
    thread::spawn(inside).join().unwrap();
}

#[test]
fn a_full_disk_is_an_error_and_no_loss() {
    on_tmpfs("size=8m", |root| {
        let path = root.join("pontoon.redb");
        let store = RedbStore::open(&path).unwrap();
        store.commit(&[put("t", "kept", &json!("before"))]).unwrap();
        let room = nix::sys::statvfs::statvfs(root).unwrap();
        let room = room.blocks_available() as usize * room.fragment_size() as usize;
        fs::write(root.join("ballast"), vec![0; room]).unwrap();
        let big = json!("x".repeat(4 << 20));
        let text = store.commit(&[put("t", "big", &big)]).unwrap_err().to_string();
        assert!(text.contains("pontoon.redb: the disk is full"), "{text}");
        fs::remove_file(root.join("ballast")).unwrap();
        store.commit(&[put("t", "after", &json!("room"))]).unwrap();
        let keys: Vec<_> = store.list("t").unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["after", "kept"]);
    });
}

#[test]
fn a_read_only_data_root_is_named() {
    on_tmpfs("size=8m", |root| {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, root, None::<&str>, flags, None::<&str>).unwrap();
        let text = RedbStore::open(&root.join("pontoon.redb")).unwrap_err().to_string();
        assert!(text.contains("pontoon.redb: the file system is read-only"), "{text}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn the_file_and_memory_agree(commits in prop::collection::vec(
        prop::collection::vec((0..3_u8, 0..6_u8, any::<Option<u16>>()), 0..5), 0..12,
    )) {
        let root = tempfile::tempdir().unwrap();
        let (file, memory) = (RedbStore::open(&root.path().join("s.redb")).unwrap(), MemoryStore::new());
        for commit in commits {
            let change = |(table, key, value): (u8, u8, Option<u16>)| match value {
                Some(value) => put(&table.to_string(), &key.to_string(), &json!(value)),
                None => Change::delete(&table.to_string(), key.to_string()),
            };
            let changes: Vec<_> = commit.into_iter().map(change).collect();
            file.commit(&changes).unwrap();
            memory.commit(&changes).unwrap();
        }
        for table in ["0", "1", "2"] {
            prop_assert_eq!(file.list(table).unwrap(), memory.list(table).unwrap());
        }
    }
}
