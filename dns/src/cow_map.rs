//! A hash map that is cheap to copy and cheap to change after the copy: it is cut into shards, and a change copies
//! the one shard that it falls into. A directory with ten thousand names is changed for every container that
//! starts, so a full copy per change would make the start of the last one cost more than that of the first.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) struct CowMap<K, V> {
    /// A change copies this list and one shard: both are kept near the square root of the number of entries.
    shards: Vec<Option<Arc<HashMap<K, V>>>>,
    len: usize,
    spread: RandomState,
}

impl<K, V> Default for CowMap<K, V> {
    fn default() -> Self {
        Self { shards: vec![None], len: 0, spread: RandomState::new() }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> CowMap<K, V> {
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.shards[self.shard_of(key)].as_ref()?.get(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.len >= self.shards.len().pow(2) {
            self.grow();
        }
        let replaced = self.put(key, value);
        self.len += usize::from(replaced.is_none());
        replaced
    }

    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let index = self.shard_of(key);
        let slot = &mut self.shards[index];
        let shard = slot.as_mut().filter(|shard| shard.contains_key(key))?;
        let shard = Arc::make_mut(shard);
        let removed = shard.remove(key);
        if shard.is_empty() {
            *slot = None;
        }
        self.len -= 1;
        removed
    }

    fn put(&mut self, key: K, value: V) -> Option<V> {
        let index = self.shard_of(&key);
        Arc::make_mut(self.shards[index].get_or_insert_default()).insert(key, value)
    }

    /// Twice the shards for what will be four times the entries. It never shrinks: who had many will again.
    fn grow(&mut self) {
        let twice = vec![None; self.shards.len() * 2];
        for shard in std::mem::replace(&mut self.shards, twice).into_iter().flatten() {
            for (key, value) in &*shard {
                self.put(key.clone(), value.clone());
            }
        }
    }

    fn shard_of<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        usize::try_from(self.spread.hash_one(key) >> 32).unwrap_or(0) % self.shards.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is done to a copy, it behaves as a plain map does and the original stays as it was.
        #[test]
        fn a_copy_is_a_map_of_its_own(before in steps(), after in steps()) {
            let (mut map, mut plain) = (CowMap::default(), HashMap::new());
            run(&mut map, &mut plain, &before);
            let (kept, kept_plain) = (map.clone(), plain.clone());
            run(&mut map, &mut plain, &after);
            for key in 0..KEYS {
                prop_assert_eq!(map.get(&key), plain.get(&key));
                prop_assert_eq!(kept.get(&key), kept_plain.get(&key));
            }
        }
    }

    const KEYS: u16 = 300;

    fn steps() -> impl Strategy<Value = Vec<(u16, Option<u8>)>> {
        proptest::collection::vec((0..KEYS, proptest::option::of(any::<u8>())), 0..200)
    }

    fn run(map: &mut CowMap<u16, u8>, plain: &mut HashMap<u16, u8>, steps: &[(u16, Option<u8>)]) {
        for &(key, value) in steps {
            match value {
                Some(value) => assert_eq!(map.insert(key, value), plain.insert(key, value)),
                None => assert_eq!(map.remove(&key), plain.remove(&key)),
            }
        }
    }
}
