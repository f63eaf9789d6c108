//! The firewall as a thing: one socket, what is declared, and the value that the kernel holds.

mod examine;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use nix::errno::Errno;
use tracing::{debug, info, warn};

use super::{
    Change, DeclaredFirewall, FirewallError, FirewallOptions, Guarding, Listing, NfSocket, Ruleset, egress,
    legacy, listing,
    nft::{
        chain::Table,
        dump::{self, FoundElement},
        op::{ForeignChain, Op},
    },
    observed::{is_ours, observe, rebuild, removal},
    ruleset::{
        Delta, Elements, SetId, TABLE, TABLES, Taken,
        base::{self, BRIDGED},
        foreign,
    },
    transact::{check, commit},
};
use crate::{conntrack, netns::NetNs, types::IfName};
#[cfg(test)]
pub(crate) use examine::OtherFirewall;
pub(crate) use examine::{Examined, other_firewalls};

/// How often a transaction is tried anew because somebody else changed the rules between our look and our change.
const TRIES: usize = 16;

/// The firewall of the namespace that it was opened in. One lock: the kernel takes one transaction at a time anyway.
#[derive(Debug)]
pub struct Firewall {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    netns: NetNs,
    socket: NfSocket,
    declared: DeclaredFirewall,
    /// The elements of what is declared.
    taken: Taken,
}

/// What may have been changed by somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suspects {
    /// Our own tables.
    pub(crate) table: bool,
    /// Chains on the way of forwarded packets in other tables.
    pub(crate) foreign: bool,
    /// The same in tables of the old iptables.
    pub(crate) legacy: bool,
    /// The tables of restricted endpoints.
    pub(crate) egress: bool,
}

impl Suspects {
    /// Each by itself: that one can't be put right is no reason to leave another.
    pub(crate) fn parts(self) -> [Self; 3] {
        let none = Self::default();
        [
            Self { table: self.table, ..none },
            Self { foreign: self.foreign, ..none },
            Self { legacy: self.legacy, ..none },
        ]
    }
}

impl std::ops::BitOrAssign for Suspects {
    fn bitor_assign(&mut self, other: Self) {
        self.table |= other.table;
        self.foreign |= other.foreign;
        self.legacy |= other.legacy;
        self.egress |= other.egress;
    }
}

/// How a table of the kernel's was not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Divergence {
    /// So many elements too many or too few; one that differs counts twice.
    Elements(usize),
    /// Chains, rules or sets.
    Table,
}

/// What puts tables right, and how each that needs it differs.
type Differences = (Vec<Op>, Vec<(Table, Divergence)>);

impl Divergence {
    fn in_words(self, table: Table) -> String {
        match self {
            Self::Elements(1) => format!("1 element of table {table}"),
            Self::Elements(count) => format!("{count} elements of table {table}"),
            Self::Table => format!("table {table}"),
        }
    }
}

impl Firewall {
    /// [`Firewall::open_with`] nothing let through but what networks and ports say.
    ///
    /// # Errors
    /// As there.
    pub fn open() -> Result<Self, FirewallError> {
        Self::open_with(FirewallOptions::default())
    }

    /// Opens the socket and asks the kernel whether it could hold our tables. Changes nothing. That it can't filter what is
    /// bridged is no error: then nobody is guarded.
    ///
    /// # Errors
    /// If the kernel lacks something, or the process may not change the firewall.
    pub fn open_with(options: FirewallOptions) -> Result<Self, FirewallError> {
        let mut socket = NfSocket::open().map_err(FirewallError::Open)?;
        let netns = NetNs::current().map_err(FirewallError::Open)?;
        // Under another name: our own tables may be there, made by another version.
        let mut try_out = |table| check(&mut socket, &base::ops(table, "pontoon-check", options.accept_mark));
        try_out(TABLE)?;
        let guarding = match try_out(BRIDGED) {
            Err(error @ FirewallError::Unsupported { .. }) => {
                warn!(error = %error, "containers can send from addresses of others: this needs CONFIG_NF_TABLES_BRIDGE");
                Guarding::Off
            }
            done => done.map(|()| options.guarding)?,
        };
        let options = FirewallOptions { guarding, ..options };
        let declared = DeclaredFirewall { options, ..DeclaredFirewall::default() };
        let state = State { netns, socket, declared, taken: Taken::default() };
        Ok(Self { state: Mutex::new(state) })
    }

    /// Makes one change, in one transaction of the size of the change. If the kernel's rules turn out not to be what
    /// we left there, they are put right on the way.
    ///
    /// # Errors
    /// Then nothing has changed.
    pub fn apply(&self, change: Change) -> Result<(), FirewallError> {
        self.lock().apply(change)
    }

    /// Makes the kernel's rules those of `declared`, whatever they are now; the options stay those that it was opened with. Rules that are right already stay as they
    /// are; the user's chain is left alone.
    ///
    /// # Errors
    /// Then nothing has changed.
    pub fn replace(&self, declared: DeclaredFirewall) -> Result<(), FirewallError> {
        self.lock().replace(declared)
    }

    /// Looks at the kernel's rules as far as they are suspected, and puts right what is not as it was left there. What
    /// was put right comes back, in words.
    ///
    /// # Errors
    /// If the kernel can't be read, or refuses; nothing has changed then.
    pub(crate) fn heal(&self, suspects: Suspects) -> Result<Vec<String>, FirewallError> {
        self.lock().heal(suspects)
    }

    /// The port of the socket that changes are made with: who hears of changes knows ours by it.
    pub(crate) fn port(&self) -> Result<u32, FirewallError> {
        self.lock().socket.port().map_err(FirewallError::Socket)
    }

    /// Whether endpoints with a guard are kept to their own addresses.
    ///
    /// # Errors
    /// If they are not.
    pub(crate) fn must_guard(&self) -> Result<(), FirewallError> {
        match self.lock().declared.options.guarding {
            Guarding::On => Ok(()),
            Guarding::Off => Err(FirewallError::Unguarded),
        }
    }

    /// Removes our tables. If the user has rules in it, those stay, with the chain they are in.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn clear(&self) -> Result<(), FirewallError> {
        self.lock().replace(DeclaredFirewall::default())
    }

    /// Everything of ours in the kernel, whoever made it, with what it counted.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn listing(&self) -> Result<Listing, FirewallError> {
        let mut state = self.lock();
        let listing = listing::read(&mut state.socket)?;
        let elsewhere = listing::of_legacy(legacy::look(&state.netns, &[])?);
        Ok(Listing { elsewhere, ..listing })
    }

    /// The connections that the kernel follows.
    pub(crate) fn connections(&self) -> Result<Vec<conntrack::Connection>, FirewallError> {
        conntrack::connections(&mut self.lock().socket)
    }

    /// The value that the kernel holds.
    pub fn ruleset(&self) -> Ruleset {
        self.lock().ruleset()
    }

    /// What is declared.
    pub fn declared(&self) -> DeclaredFirewall {
        self.lock().declared.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state changes after the kernel's agreement only, in steps that can't panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What the kernel is to hold.
    fn ruleset(&self) -> Ruleset {
        Ruleset::of(&self.declared)
    }

    fn apply(&mut self, change: Change) -> Result<(), FirewallError> {
        let delta = self.taken.delta(&self.declared, &change)?;
        if self.taken.len() == 0 || self.leaves_nothing(&delta) {
            // The table comes or goes: what is there already, and whether the user has rules in it, matters.
            return self.replace_with(change);
        }
        match commit(&mut self.socket, &delta.ops(), None) {
            Err(error) if is_divergence(&error) => {
                warn!(error = %error, "firewall differs from what was left there, replacing it");
                return self.replace_with(change);
            }
            done => done?,
        }
        debug!(gone = delta.gone.len(), come = delta.come.len(), "firewall changed");
        let concerns_links = matches!(change, Change::AddNetwork(_) | Change::RemoveNetwork(_))
            && !(delta.gone.is_empty() && delta.come.is_empty());
        self.declared.change(change)?;
        self.taken.apply(&delta);
        if concerns_links {
            self.admit_or_warn();
        }
        Ok(())
    }

    /// Our own table is complete without: what fails here is reported and no more.
    fn admit_or_warn(&mut self) {
        for admitted in [self.admit(), self.admit_legacy()] {
            let Err(error) = admitted else { continue };
            let source = std::error::Error::source(&error).map(ToString::to_string);
            warn!(error = %error, source, "packets of networks may be dropped by another firewall's chain");
        }
    }

    /// Sees to it that the packets of our networks are let through where somebody else's chain drops what it doesn't
    /// know; the chains that were changed for it.
    fn admit(&mut self) -> Result<Vec<String>, FirewallError> {
        let chains = dump::forward_chains(&mut self.socket, &[TABLE, egress::TABLE])?;
        if chains.is_empty() {
            return Ok(Vec::new());
        }
        let ops = foreign::plan(&chains, &self.links());
        commit(&mut self.socket, &ops, None)?;
        let changed: BTreeSet<&ForeignChain> = ops.iter().filter_map(Op::foreign_chain).collect();
        Ok(changed.into_iter().map(ToString::to_string).collect())
    }

    /// The same in tables of the old iptables.
    fn admit_legacy(&self) -> Result<Vec<String>, FirewallError> {
        Ok(legacy::admit(&self.netns, || self.links())?)
    }

    /// The bridges of our networks.
    fn links(&self) -> Vec<IfName> {
        self.declared.networks.values().map(|network| network.link.clone()).collect()
    }

    fn heal(&mut self, suspects: Suspects) -> Result<Vec<String>, FirewallError> {
        let mut healed = Vec::new();
        if suspects.table {
            let wanted = self.ruleset();
            let diverged = self.match_kernel(&wanted)?;
            healed.extend(diverged.into_iter().map(|(table, how)| how.in_words(table)));
        }
        let mut chains = if suspects.foreign { self.admit()? } else { Vec::new() };
        if suspects.legacy {
            chains.extend(self.admit_legacy()?);
        }
        healed.extend(chains.iter().map(|chain| format!("rules of ours in {chain}")));
        Ok(healed)
    }

    fn replace_with(&mut self, change: Change) -> Result<(), FirewallError> {
        let mut declared = self.declared.clone();
        declared.change(change)?;
        self.replace(declared)
    }

    fn leaves_nothing(&self, delta: &Delta) -> bool {
        delta.come.is_empty() && delta.gone.len() == self.taken.len()
    }

    fn replace(&mut self, declared: DeclaredFirewall) -> Result<(), FirewallError> {
        let declared = DeclaredFirewall { options: self.declared.options.clone(), ..declared };
        let wanted = Ruleset::compute(&declared)?;
        let diverged = self.match_kernel(&wanted)?;
        if !wanted.is_empty() && diverged.iter().any(|(_, how)| *how == Divergence::Table) {
            info!("firewall table made anew");
        }
        (self.declared, self.taken) = (declared, Taken::of(&wanted));
        self.admit_or_warn();
        Ok(())
    }

    /// Makes the kernel's rules those of `wanted`; how they differed, table by table.
    fn match_kernel(&mut self, wanted: &Ruleset) -> Result<Vec<(Table, Divergence)>, FirewallError> {
        for _ in 0..TRIES {
            let generation = dump::generation(&mut self.socket)?;
            let (ops, diverged) = self.diverges(wanted)?;
            match commit(&mut self.socket, &ops, Some(generation)) {
                Err(error) if error.errno() == Some(Errno::ERESTART as i32) => {}
                done => return done.map(|()| diverged),
            }
        }
        Err(FirewallError::Socket(Errno::ERESTART.into()))
    }

    /// What makes the kernel's rules those of `wanted`, and how they differ, table by table.
    fn diverges(&mut self, wanted: &Ruleset) -> Result<Differences, FirewallError> {
        let (mut all, mut diverged) = (Vec::new(), Vec::new());
        for table in TABLES {
            let (ops, divergence) = self.match_table(table, wanted)?;
            if !ops.is_empty() {
                diverged.push((table, divergence));
            }
            all.extend(ops);
        }
        Ok((all, diverged))
    }

    /// The operations that make one table what is wanted.
    fn match_table(
        &mut self,
        table: Table,
        wanted: &Ruleset,
    ) -> Result<(Vec<Op>, Divergence), FirewallError> {
        let observed = observe(&mut self.socket, table)?;
        Ok(if !wanted.has(table) {
            (removal(&observed), Divergence::Table)
        } else if is_ours(&observed, wanted.accept_mark) {
            let ops = self.difference(table, wanted)?;
            let count = ops.iter().map(Op::elements).sum();
            (ops, Divergence::Elements(count))
        } else {
            (rebuild(&observed, wanted), Divergence::Table)
        })
    }

    /// The operations from the elements that the kernel holds in a table to those wanted. A set with elements that we can't
    /// read is emptied first.
    fn difference(&mut self, table: Table, wanted: &Ruleset) -> Result<Vec<Op>, FirewallError> {
        let mut ops = Vec::new();
        let mut held = Elements::new();
        for set in SetId::of(table) {
            let found = dump::elements(&mut self.socket, table, &set.spec())?;
            if found.contains(&FoundElement::Foreign) {
                ops.push(Op::FlushSet(table, set.spec()));
                continue;
            }
            held.extend(found.into_iter().filter_map(|element| match element {
                FoundElement::Ours(key, entry) => Some(((set, key), entry)),
                FoundElement::Foreign => None,
            }));
        }
        ops.extend(Delta::between(&held, &wanted.elements_of(table)).ops());
        Ok(ops)
    }
}

/// Whether the kernel refused because its rules are not what we think they are: no such table, set or element, or an
/// element that is there already.
fn is_divergence(error: &FirewallError) -> bool {
    let divergent = [Errno::ENOENT, Errno::EEXIST, Errno::ENOTEMPTY, Errno::EBUSY].map(|errno| errno as i32);
    error.errno().is_some_and(|errno| divergent.contains(&errno))
}
