//! `pontoon container …`, and the same verbs without the noun.

pub(super) mod attach;
pub(super) mod create;
pub(super) mod exec;
mod joined;
pub(super) mod kill;
pub(super) mod logs;
pub(super) mod ls;
pub(super) mod pause;
pub(super) mod port;
pub(super) mod prune;
pub(super) mod rename;
pub(super) mod restart;
pub(super) mod rm;
pub(super) mod run;
pub(super) mod start;
pub(super) mod stats;
pub(super) mod stop;
pub(super) mod top;
pub(super) mod unpause;
pub(super) mod update;
pub(super) mod wait;
