//! `pontoon firewall`.

pub(super) mod show;
