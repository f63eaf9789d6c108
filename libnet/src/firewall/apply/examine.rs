//! Looks at the firewall without changing it: what differs from what was left there, and who else judges packets.

use super::{Firewall, State};
use crate::{
    firewall::{
        FirewallError, NfSocket, egress, legacy,
        nft::dump::{self, ForwardChain},
        ruleset::{TABLE, foreign},
    },
    netns::NetNs,
    types::IfName,
};

/// What the firewall is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Examined {
    /// How our tables are not as they should be, in words.
    pub(crate) tables: Vec<String>,
    /// Chains of others that drop forwarded packets that they don't know.
    pub(crate) others: Vec<OtherFirewall>,
}

/// A chain of somebody else's that drops forwarded packets that it doesn't know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherFirewall {
    /// Family, table and chain.
    pub(crate) name: String,
    /// How many rules of ours are in it, and whether they are all that are needed.
    pub(crate) ours: usize,
    pub(crate) lets_through: bool,
}

impl Firewall {
    /// Looks, and changes nothing.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub(crate) fn examine(&self) -> Result<Examined, FirewallError> {
        self.lock().examine()
    }
}

impl State {
    fn examine(&mut self) -> Result<Examined, FirewallError> {
        let wanted = self.ruleset();
        let (_, diverged) = self.diverges(&wanted)?;
        let tables = diverged.into_iter().map(|(table, how)| how.in_words(table)).collect();
        let links = self.links();
        let mut others = others(&mut self.socket, &links)?;
        others.extend(legacy_others(&self.netns, &links)?);
        Ok(Examined { tables, others })
    }
}

/// The chains of others that drop forwarded packets, in the calling thread's namespace; no daemon need be there.
pub(crate) fn other_firewalls() -> Result<Vec<OtherFirewall>, FirewallError> {
    let mut found = others(&mut NfSocket::open().map_err(FirewallError::Open)?, &[])?;
    found.extend(legacy_others(&NetNs::current().map_err(FirewallError::Open)?, &[])?);
    Ok(found)
}

fn others(socket: &mut NfSocket, links: &[IfName]) -> Result<Vec<OtherFirewall>, FirewallError> {
    let chains = dump::forward_chains(socket, &[TABLE, egress::TABLE])?;
    let other = |chain: &ForwardChain| OtherFirewall {
        name: chain.name.to_string(),
        ours: chain.rules.iter().filter(|rule| foreign::is_ours(rule)).count(),
        lets_through: foreign::plan(std::slice::from_ref(chain), links).is_empty(),
    };
    Ok(chains.iter().filter(|chain| foreign::drops(chain)).map(other).collect())
}

/// The same of the old iptables.
fn legacy_others(netns: &NetNs, links: &[IfName]) -> Result<Vec<OtherFirewall>, FirewallError> {
    let drop = legacy::look(netns, links)?.into_iter().filter(|look| look.drops);
    let other = |look: legacy::Look| OtherFirewall {
        name: format!("{} FORWARD", look.program),
        ours: look.ours.len(),
        lets_through: look.lets_through,
    };
    Ok(drop.map(other).collect())
}
