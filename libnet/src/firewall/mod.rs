//! The firewall of a host: tables `inet pontoon` and `bridge pontoon`, computed as one value from what is declared.
//!
//! A network or a published port is an element of a set or map, never a rule: what a packet costs and what a change
//! costs do not grow with their number. [`Ruleset::compute`] is pure; [`Firewall`] sends the difference of two values as
//! one atomic transaction over one long-lived netlink socket.

mod apply;
mod declared;
mod dns;
mod egress;
mod error;
mod events;
mod legacy;
mod listing;
mod nft;
mod observed;
mod ruleset;
mod transact;

pub use crate::sys::nfnl::NfSocket;
pub use apply::Firewall;
#[cfg(test)]
pub(crate) use apply::OtherFirewall;
pub(crate) use apply::{Examined, Suspects, other_firewalls};
pub use declared::{
    Change, DeclaredFirewall, DirectRouting, FirewallEndpoint, FirewallNetwork, FirewallOptions, Guard,
    Guarding, Opening,
};
pub(crate) use dns::dns_no_redirect;
pub use dns::dns_redirect;
pub use egress::{Allowance, Attempt, Fate, Restriction};
pub(crate) use egress::{Egress, Listener, told_must_hold};
pub use error::FirewallError;
pub(crate) use events::suspects;
pub use legacy::LegacyError;
pub use listing::{
    Concern, Counted, Counts, ListedChain, ListedElement, ListedElsewhere, ListedPassage, ListedRule,
    ListedSet, ListedTable, Listing, TableOwner,
};
pub(crate) use nft::dump::must_hold;
pub use ruleset::Ruleset;
pub(crate) use ruleset::any::written_must_hold;

/// All tables of the calling thread's namespace, anybody's: family and name. A kernel without nf_tables has none.
pub(crate) fn tables() -> std::io::Result<Vec<(&'static str, String)>> {
    let found = NfSocket::open().map(|mut socket| nft::dump::tables(&mut socket));
    match found {
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EPROTONOSUPPORT as i32) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
        Ok(tables) => tables.map_err(std::io::Error::other),
    }
}
