//! `pontoon network …`.

pub(super) mod connect;
pub(super) mod create;
pub(super) mod disconnect;
pub(super) mod graph;
pub(super) mod ls;
pub(super) mod prune;
pub(super) mod record;
pub(super) mod rm;
