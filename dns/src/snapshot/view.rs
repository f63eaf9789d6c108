//! A view as the answer needs it: links by alias.

use std::collections::HashMap;

use super::{Key, fold};
use crate::types::{BareNames, Forward, View, ZoneId};

#[derive(Debug)]
pub(crate) struct AskerView {
    pub(crate) zones: Box<[ZoneId]>,
    pub(crate) forward: Forward,
    pub(crate) bare_names: BareNames,
    links: HashMap<Key, Vec<Key>>,
}

impl AskerView {
    pub(super) fn new(view: View) -> Self {
        let mut links: HashMap<_, Vec<_>> = HashMap::new();
        for (alias, name) in view.links {
            links.entry(fold(&alias)).or_default().push(fold(&name));
        }
        Self { zones: view.zones.into(), forward: view.forward, bare_names: view.bare_names, links }
    }

    /// The names that a link alias stands for.
    pub(crate) fn linked(&self, alias: &[u8]) -> Option<&[Key]> {
        if self.links.is_empty() { None } else { self.links.get(alias).map(Vec::as_slice) }
    }
}
