//! The firewall as a thing: one socket, what is declared, and the value that the kernel holds.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use nix::errno::Errno;
use tracing::{debug, info, warn};

use super::{
    Change, DeclaredFirewall, FirewallError, FirewallOptions, NfSocket, Ruleset, egress,
    nft::{
        chain::{Chain, Table, TableFamily},
        dump::{self, FoundChain, FoundElement, FoundSet},
        op::{ForeignChain, Op},
    },
    ruleset::{
        Delta, Elements, SetId, TABLE,
        base::{self, USER},
        foreign,
    },
    transact::{check, commit},
};
use crate::types::FwMark;

/// How often a transaction is tried anew because somebody else changed the rules between our look and our change.
const TRIES: usize = 16;

/// The firewall of the namespace that it was opened in. One lock: the kernel takes one transaction at a time anyway.
#[derive(Debug)]
pub struct Firewall {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    socket: NfSocket,
    declared: DeclaredFirewall,
    ruleset: Ruleset,
}

/// What may have been changed by somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suspects {
    /// Table `inet pontoon`.
    pub(crate) table: bool,
    /// Chains on the way of forwarded packets in other tables.
    pub(crate) foreign: bool,
    /// The tables of restricted endpoints.
    pub(crate) egress: bool,
}

impl std::ops::BitOrAssign for Suspects {
    fn bitor_assign(&mut self, other: Self) {
        self.table |= other.table;
        self.foreign |= other.foreign;
        self.egress |= other.egress;
    }
}

/// How the kernel's table was not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Divergence {
    None,
    /// So many elements too many or too few; one that differs counts twice.
    Elements(usize),
    /// Chains, rules or sets.
    Table,
}

impl Divergence {
    fn in_words(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Elements(1) => Some(format!("1 element of table {TABLE}")),
            Self::Elements(count) => Some(format!("{count} elements of table {TABLE}")),
            Self::Table => Some(format!("table {TABLE}")),
        }
    }
}

/// What table `inet pontoon` looks like.
struct Observed {
    generation: u32,
    chains: Vec<FoundChain>,
    sets: Vec<FoundSet>,
}

impl Firewall {
    /// [`Firewall::open_with`] nothing let through but what networks and ports say.
    ///
    /// # Errors
    /// As there.
    pub fn open() -> Result<Self, FirewallError> {
        Self::open_with(FirewallOptions::default())
    }

    /// Opens the socket and asks the kernel whether it could hold our table. Changes nothing.
    ///
    /// # Errors
    /// If the kernel lacks something, or the process may not change the firewall.
    pub fn open_with(options: FirewallOptions) -> Result<Self, FirewallError> {
        let mut socket = NfSocket::open().map_err(FirewallError::Open)?;
        // Under another name: our own table may be there, made by another version.
        check(
            &mut socket,
            &base::ops(Table { family: TableFamily::Inet, name: "pontoon-check" }, options.accept_mark),
        )?;
        let declared = DeclaredFirewall { options, ..DeclaredFirewall::default() };
        let state = State { socket, declared, ruleset: Ruleset::default() };
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

    /// Removes table `inet pontoon`. If the user has rules in it, those stay, with the chain they are in.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn clear(&self) -> Result<(), FirewallError> {
        self.lock().replace(DeclaredFirewall::default())
    }

    /// The value that the kernel holds.
    pub fn ruleset(&self) -> Ruleset {
        self.lock().ruleset.clone()
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
    fn apply(&mut self, change: Change) -> Result<(), FirewallError> {
        let delta = self.ruleset.delta(&self.declared, &change)?;
        if self.ruleset.is_empty() || self.leaves_nothing(&delta) {
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
        let concerns_links = matches!(change, Change::AddNetwork(_) | Change::RemoveNetwork(_));
        self.declared.change(change)?;
        self.ruleset.apply(delta);
        if concerns_links {
            self.admit_or_warn();
        }
        Ok(())
    }

    /// Our own table is complete without: what fails here is reported and no more.
    fn admit_or_warn(&mut self) {
        if let Err(error) = self.admit() {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            warn!(error = %error, source, "packets of networks may be dropped by another firewall's chain");
        }
    }

    /// Sees to it that the packets of our networks are let through where somebody else's chain drops what it doesn't
    /// know; the chains that were changed for it.
    fn admit(&mut self) -> Result<BTreeSet<ForeignChain>, FirewallError> {
        let links: Vec<_> = self.declared.networks.values().map(|network| network.link.clone()).collect();
        let ops = foreign::plan(&dump::forward_chains(&mut self.socket, &[TABLE, egress::TABLE])?, &links);
        commit(&mut self.socket, &ops, None)?;
        Ok(ops.iter().filter_map(Op::foreign_chain).cloned().collect())
    }

    fn heal(&mut self, suspects: Suspects) -> Result<Vec<String>, FirewallError> {
        let mut healed = Vec::new();
        if suspects.table {
            let wanted = self.ruleset.clone();
            healed.extend(self.match_kernel(&wanted)?.in_words());
        }
        if suspects.foreign {
            healed.extend(self.admit()?.iter().map(|chain| format!("rules of ours in {chain}")));
        }
        Ok(healed)
    }

    fn replace_with(&mut self, change: Change) -> Result<(), FirewallError> {
        let mut declared = self.declared.clone();
        declared.change(change)?;
        self.replace(declared)
    }

    fn leaves_nothing(&self, delta: &Delta) -> bool {
        delta.come.is_empty() && delta.gone.len() == self.ruleset.elements.len()
    }

    fn replace(&mut self, declared: DeclaredFirewall) -> Result<(), FirewallError> {
        let declared = DeclaredFirewall { options: self.declared.options, ..declared };
        let wanted = Ruleset::compute(&declared)?;
        if self.match_kernel(&wanted)? == Divergence::Table && !wanted.is_empty() {
            info!("firewall table made anew");
        }
        (self.declared, self.ruleset) = (declared, wanted);
        self.admit_or_warn();
        Ok(())
    }

    /// Makes the kernel's rules those of `wanted`; how they differed.
    fn match_kernel(&mut self, wanted: &Ruleset) -> Result<Divergence, FirewallError> {
        for _ in 0..TRIES {
            let observed = observe(&mut self.socket)?;
            let (ops, divergence) = if wanted.is_empty() {
                (removal(&observed), Divergence::Table)
            } else if is_ours(&observed, wanted.accept_mark) {
                let ops = self.difference(wanted)?;
                let count = ops.iter().map(Op::elements).sum();
                (ops, Divergence::Elements(count))
            } else {
                (rebuild(&observed, wanted), Divergence::Table)
            };
            match commit(&mut self.socket, &ops, Some(observed.generation)) {
                Err(error) if error.errno() == Some(Errno::ERESTART as i32) => {}
                done => return done.map(|()| if ops.is_empty() { Divergence::None } else { divergence }),
            }
        }
        Err(FirewallError::Socket(Errno::ERESTART.into()))
    }

    /// The operations from the elements that the kernel holds to those wanted. A set with elements that we can't read
    /// is emptied first.
    fn difference(&mut self, wanted: &Ruleset) -> Result<Vec<Op>, FirewallError> {
        let mut ops = Vec::new();
        let mut held = Elements::new();
        for set in SetId::ALL {
            let found = dump::elements(&mut self.socket, TABLE, &set.spec())?;
            if found.contains(&FoundElement::Foreign) {
                ops.push(Op::FlushSet(TABLE, set.spec()));
                continue;
            }
            held.extend(found.into_iter().filter_map(|element| match element {
                FoundElement::Ours(key, entry) => Some(((set, key), entry)),
                FoundElement::Foreign => None,
            }));
        }
        ops.extend(Ruleset { elements: held, accept_mark: wanted.accept_mark }.diff(wanted).ops());
        Ok(ops)
    }
}

fn observe(socket: &mut NfSocket) -> Result<Observed, FirewallError> {
    let generation = dump::generation(socket)?;
    let (chains, sets) = (dump::chains(socket, TABLE)?, dump::sets(socket, TABLE)?);
    Ok(Observed { generation, chains, sets })
}

/// Whether chains, rules and sets are as we make them; elements may differ.
fn is_ours(observed: &Observed, mark: Option<FwMark>) -> bool {
    let chain_is_there = |wanted: &Chain| {
        let anchor =
            wanted.anchor.map(|anchor| (anchor.kind.to_owned(), anchor.hook as u32, anchor.priority));
        let same_rules = |found: &FoundChain| {
            wanted.name == USER || found.rules.iter().eq(wanted.rules.iter().map(|rule| &rule.exprs))
        };
        let mut found = observed.chains.iter().filter(|found| found.name == wanted.name);
        found.any(|found| found.anchor == anchor && same_rules(found))
    };
    let set_is_there = |set: SetId| {
        let spec = set.spec();
        observed.sets.iter().any(|found| found.name == spec.name && found.is(&spec))
    };
    base::chains(mark).iter().all(chain_is_there) && SetId::ALL.into_iter().all(set_is_there)
}

/// Everything of ours out, all of it in again.
fn rebuild(observed: &Observed, wanted: &Ruleset) -> Vec<Op> {
    let mut ops = without_ours(observed);
    ops.extend(base::ops(TABLE, wanted.accept_mark));
    ops.extend(Ruleset::default().diff(wanted).ops());
    ops
}

/// Everything of ours out; the table too, unless the user has something in it.
fn removal(observed: &Observed) -> Vec<Op> {
    if observed.chains.is_empty() && observed.sets.is_empty() {
        return Vec::new();
    }
    let theirs = |chain: &FoundChain| !is_our_chain(&chain.name);
    let used = |chain: &FoundChain| chain.name == USER && !chain.rules.is_empty();
    if observed.chains.iter().any(|chain| theirs(chain) || used(chain)) {
        return without_ours(observed);
    }
    vec![Op::DeleteTable(TABLE)]
}

/// Deletes our chains and sets, but not the user's chain.
fn without_ours(observed: &Observed) -> Vec<Op> {
    let ours = || {
        let names = observed.chains.iter().map(|chain| chain.name.clone());
        names.filter(|name| is_our_chain(name) && name != USER)
    };
    // First the rules: chains and sets that rules refer to can't be deleted.
    let mut ops: Vec<Op> = ours().map(|name| Op::FlushChain(TABLE, name)).collect();
    ops.extend(ours().map(|name| Op::DeleteChain(TABLE, name)));
    let sets = observed.sets.iter().filter(|set| SetId::ALL.iter().any(|id| id.spec().name == set.name));
    ops.extend(sets.map(|set| Op::DeleteSet(TABLE, set.name.clone())));
    ops
}

fn is_our_chain(name: &str) -> bool {
    base::chains(None).iter().any(|chain| chain.name == name)
}

/// Whether the kernel refused because its rules are not what we think they are: no such table, set or element, or an
/// element that is there already.
fn is_divergence(error: &FirewallError) -> bool {
    let divergent = [Errno::ENOENT, Errno::EEXIST, Errno::ENOTEMPTY, Errno::EBUSY].map(|errno| errno as i32);
    error.errno().is_some_and(|errno| divergent.contains(&errno))
}
