//! `pontoon image …`.

pub(super) mod ls;
