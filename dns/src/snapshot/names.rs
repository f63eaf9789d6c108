//! What has a name, found by it or by a wildcard that covers it.

use super::Key;
use crate::cow_map::CowMap;

#[derive(Clone, Debug)]
pub(super) struct Names<V> {
    exact: CowMap<Key, V>,
    /// By what comes behind the `*.`.
    wild: CowMap<Key, V>,
    /// Most zones have no wildcard, and then a name that is not found costs nothing more.
    wildcards: usize,
}

impl<V> Default for Names<V> {
    fn default() -> Self {
        Self { exact: CowMap::default(), wild: CowMap::default(), wildcards: 0 }
    }
}

impl<V: Clone> Names<V> {
    /// What bears exactly this name, be it one with a star.
    pub(super) fn own(&self, name: &[u8]) -> Option<&V> {
        match behind_star(name) {
            Some(parent) => self.wild.get(parent),
            None => self.exact.get(name),
        }
    }

    /// What the wildcard next above this name stands for.
    pub(super) fn covering(&self, name: &[u8]) -> Option<&V> {
        if self.wildcards == 0 {
            return None;
        }
        let dots = name.iter().enumerate().filter(|(_, byte)| **byte == b'.');
        dots.filter_map(|(at, _)| self.wild.get(&name[at + 1..])).next()
    }

    pub(super) fn insert(&mut self, name: Key, value: V) {
        match behind_star(&name) {
            Some(parent) => {
                let added = self.wild.insert(parent.into(), value).is_none();
                self.wildcards += usize::from(added);
            }
            None => {
                self.exact.insert(name, value);
            }
        }
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        match behind_star(name) {
            Some(parent) => self.wildcards -= usize::from(self.wild.remove(parent).is_some()),
            None => {
                self.exact.remove(name);
            }
        }
    }
}

/// A star alone is a name like any other: it would stand for the whole Internet.
fn behind_star(name: &[u8]) -> Option<&[u8]> {
    name.strip_prefix(b"*.").filter(|parent| !parent.is_empty())
}
