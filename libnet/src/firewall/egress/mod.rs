//! Egress of containers that may not send anything to anybody: who is restricted, and what is allowed for how long.
//!
//! Apart from the firewall's own table, since it is there only while somebody is restricted, and since what is allowed
//! comes and goes with the answers of a resolver: those elements are no part of a value that is compared with the
//! kernel. All of it is in the host's namespace, where a container can't alter it. [`rules`] has the table, `inet
//! pontoon-egress`: it judges what is routed and what is for the host itself, by source address. That a restricted
//! container has no other source address than its own is seen to by its [`Guard`](super::Guard).
//!
//! Each change of who is restricted declares the table anew, in one transaction: it is small, and whatever somebody else
//! did to it is put right. What is allowed stays meanwhile.

mod refused;
mod rules;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    FirewallError, NfSocket,
    nft::{
        dump::{self, FoundElement},
        op::Op,
        set::{Data, Entry, SetSpec, Tuple, Value},
    },
    observed::observe,
    transact::{check, commit},
};
use crate::types::{Egress as Mode, EndpointId, Family, IfName, Port, Proto};
pub(crate) use refused::{Listener, told_must_hold};
use rules::{FLOWS, HOSTS, REFUSED, SEEN};
pub(in crate::firewall) use rules::{GROUP, HEADERS, TABLE, Told, chains, specs};

/// An endpoint whose packets are judged or noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its network's bridge: what stays in there is not judged.
    pub bridge: IfName,
    /// Its only IPv4 address.
    pub v4: Option<Ipv4Addr>,
    /// Its only global IPv6 address.
    pub v6: Option<Ipv6Addr>,
    /// What becomes of its packets.
    pub mode: Mode,
}

/// Something that a restricted endpoint may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The endpoint's address.
    pub from: IpAddr,
    /// Where to; of the same family.
    pub to: IpAddr,
    /// At this port alone.
    pub at: Option<(Proto, Port)>,
    /// For how long; `None` for as long as the endpoint is there.
    pub time: Option<Duration>,
}

/// Something that an endpoint tried to reach, in the last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// Where to.
    pub to: IpAddr,
    /// How.
    pub proto: Proto,
    /// At which port.
    pub port: Port,
    /// What became of it.
    pub fate: Fate,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It was let through and noted.
    Noted,
    /// It was dropped.
    Dropped,
}

/// The egress of a host's containers.
#[derive(Debug)]
pub(crate) struct Egress {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    socket: NfSocket,
    restricted: BTreeMap<EndpointId, Restriction>,
    /// Whether the kernel can tell what is dropped; not known before it is asked.
    told: Option<Told>,
}

impl Egress {
    /// Opens the socket; changes nothing.
    pub(crate) fn open() -> Result<Self, FirewallError> {
        let socket = NfSocket::open().map_err(FirewallError::Open)?;
        Ok(Self { state: Mutex::new(State { socket, restricted: BTreeMap::new(), told: None }) })
    }

    /// Restricts an endpoint, which need not exist yet: nothing of it gets out before.
    pub(crate) fn restrict(&self, restriction: Restriction) -> Result<(), FirewallError> {
        let mut state = self.lock();
        let endpoint = restriction.endpoint;
        let before = state.restricted.insert(endpoint, restriction);
        let done = state.declare();
        if done.is_err() {
            match before {
                Some(before) => state.restricted.insert(endpoint, before),
                None => state.restricted.remove(&endpoint),
            };
        }
        done
    }

    /// Restricts these endpoints beside those in use: what an earlier daemon left holds until here. Others are forgotten.
    pub(crate) fn restore(
        &self,
        restrictions: impl Iterator<Item = Restriction>,
        in_use: &BTreeSet<EndpointId>,
    ) -> Result<(), FirewallError> {
        let wanted: BTreeMap<_, _> = restrictions.map(|it| (it.endpoint, it)).collect();
        let mut state = self.lock();
        let is_gone = |id: &EndpointId| !wanted.contains_key(id) && !in_use.contains(id);
        let gone: Vec<_> = state.restricted.keys().copied().filter(is_gone).collect();
        gone.into_iter().try_for_each(|id| state.lift(id))?;
        state.restricted.extend(wanted);
        if state.restricted.is_empty() || state.differs()? { state.declare() } else { Ok(()) }
    }

    /// Declares anew who is restricted if somebody else changed the table; false: it is as it was left. What had been
    /// allowed and was removed with its set is allowed again when its name is next asked for.
    pub(crate) fn heal(&self) -> Result<bool, FirewallError> {
        let mut state = self.lock();
        let differs = state.differs()?;
        if differs {
            state.declare()?;
        }
        Ok(differs)
    }

    /// Whether somebody is restricted, and the table that does it is not as it was left.
    pub(crate) fn differs(&self) -> Result<bool, FirewallError> {
        self.lock().differs()
    }

    /// The port of the socket that changes are made with: who hears of changes knows ours by it.
    pub(crate) fn port(&self) -> Result<u32, FirewallError> {
        self.lock().socket.port().map_err(FirewallError::Socket)
    }

    /// Forgets an endpoint, and all that it was allowed: its addresses will be another's. That it was not restricted is
    /// no error.
    pub(crate) fn lift(&self, endpoint: EndpointId) -> Result<(), FirewallError> {
        self.lock().lift(endpoint)
    }

    /// Lets endpoints reach more. What they may reach already gets the new time.
    pub(crate) fn allow(&self, allowances: &[Allowance]) -> Result<(), FirewallError> {
        let mut sets: BTreeMap<&str, (SetSpec, BTreeMap<Tuple, Option<Duration>>)> = BTreeMap::new();
        for allowance in allowances {
            let Some((spec, key)) = element(allowance) else { continue };
            sets.entry(spec.name).or_insert((spec, BTreeMap::new())).1.insert(key, allowance.time);
        }
        let ops: Vec<Op> = sets.into_values().flat_map(|(spec, all)| renewal(spec, all)).collect();
        commit(&mut self.lock().socket, &ops, None)
    }

    /// What endpoints with these addresses tried to reach.
    pub(crate) fn attempts(&self, addresses: &[IpAddr]) -> Result<Vec<Attempt>, FirewallError> {
        let mut state = self.lock();
        if state.restricted.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = Vec::new();
        for (specs, fate) in [(REFUSED, Fate::Dropped), (SEEN, Fate::Noted)] {
            for spec in specs {
                let found = state.keys(spec, addresses)?;
                all.extend(found.iter().filter_map(|key| attempt(key, fate)));
            }
        }
        all.sort();
        Ok(all)
    }

    /// Removes the table.
    pub(crate) fn clear(&self) -> Result<(), FirewallError> {
        let mut state = self.lock();
        state.restricted.clear();
        state.declare()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What a panic left behind is declared as a whole by the next change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lift(&mut self, endpoint: EndpointId) -> Result<(), FirewallError> {
        let Some(gone) = self.restricted.remove(&endpoint) else { return Ok(()) };
        if self.restricted.is_empty() {
            return self.declare();
        }
        let addresses: Vec<IpAddr> =
            gone.v4.map(IpAddr::V4).into_iter().chain(gone.v6.map(IpAddr::V6)).collect();
        let mut ops = Vec::new();
        for spec in [FLOWS, HOSTS, REFUSED, SEEN].into_iter().flatten() {
            let of_it = self.keys(spec, &addresses)?;
            if !of_it.is_empty() {
                ops.extend(removal(spec, of_it));
            }
        }
        ops.extend(self.declaration());
        commit(&mut self.socket, &ops, None)
    }

    fn declare(&mut self) -> Result<(), FirewallError> {
        let ops = match self.restricted.is_empty() {
            true => rules::remove(&dump::tables(&mut self.socket)?),
            false => self.declaration(),
        };
        commit(&mut self.socket, &ops, None)
    }

    fn declaration(&mut self) -> Vec<Op> {
        let told = self.told();
        rules::declare(self.restricted.values(), told)
    }

    /// A kernel without nfnetlink_log refuses to tell.
    fn told(&mut self) -> Told {
        let check = |socket: &mut NfSocket| match check(socket, &rules::declare([].into_iter(), Told::Yes)) {
            Ok(()) => Told::Yes,
            Err(_) => Told::No,
        };
        *self.told.get_or_insert_with(|| check(&mut self.socket))
    }

    fn differs(&mut self) -> Result<bool, FirewallError> {
        if self.restricted.is_empty() {
            return Ok(false);
        }
        let observed = observe(&mut self.socket, TABLE)?;
        if !observed.has(&chains(self.told()), specs().into_iter()) {
            return Ok(true);
        }
        for (spec, wanted) in rules::members(self.restricted.values()) {
            let found = dump::elements(&mut self.socket, TABLE, &spec)?;
            let key = |element| match element {
                FoundElement::Ours(key, _) => Some(key),
                FoundElement::Foreign => None,
            };
            if found.into_iter().map(key).collect::<Option<BTreeSet<Tuple>>>().as_ref() != Some(&wanted) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The keys of a set that begin with one of these addresses.
    fn keys(&mut self, spec: SetSpec, addresses: &[IpAddr]) -> Result<Vec<Tuple>, FirewallError> {
        let found = dump::elements(&mut self.socket, TABLE, &spec)?;
        let of_them = |key: &Tuple| key.0.first().and_then(ip).is_some_and(|from| addresses.contains(&from));
        Ok(found
            .into_iter()
            .filter_map(|element| match element {
                FoundElement::Ours(key, _) if of_them(&key) => Some(key),
                _ => None,
            })
            .collect())
    }
}

fn family(ip: IpAddr) -> Family {
    if ip.is_ipv4() { Family::V4 } else { Family::V6 }
}

fn ip(value: &Value) -> Option<IpAddr> {
    match value {
        Value::V4(v4) => Some(IpAddr::V4(*v4)),
        Value::V6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

fn value(ip: IpAddr) -> Value {
    match ip {
        IpAddr::V4(v4) => Value::V4(v4),
        IpAddr::V6(v6) => Value::V6(v6),
    }
}

fn element(allowance: &Allowance) -> Option<(SetSpec, Tuple)> {
    let family = family(allowance.from);
    if family != self::family(allowance.to) {
        return None;
    }
    let index = usize::from(family == Family::V6);
    let mut key = vec![value(allowance.from), value(allowance.to)];
    Some(match allowance.at {
        None => (HOSTS[index], Tuple(key)),
        Some((proto, port)) => {
            key.extend([Value::Proto(proto), Value::Port(port)]);
            (FLOWS[index], Tuple(key))
        }
    })
}

fn attempt(key: &Tuple, fate: Fate) -> Option<Attempt> {
    match key.0[..] {
        [_, ref to, Value::Proto(proto), Value::Port(port)] => {
            Some(Attempt { to: ip(to)?, proto, port, fate })
        }
        _ => None,
    }
}

/// Kernels before 6.13 don't give an element that is there another time: it is taken out and put in again, and nobody
/// sees the gap, as all is one transaction.
fn renewal(spec: SetSpec, keys: BTreeMap<Tuple, Option<Duration>>) -> Vec<Op> {
    let all: Vec<_> = keys.into_iter().collect();
    let mut ops = removal(spec, all.iter().map(|(key, _)| key.clone()).collect());
    ops.push(Op::AddTimed(TABLE, spec, all));
    ops
}

/// An element may end by itself at any moment, and to delete one that is not there is an error: it is put in first.
fn removal(spec: SetSpec, keys: Vec<Tuple>) -> Vec<Op> {
    let nothing = || Entry { data: Data::None, comment: String::new() };
    let there = keys.iter().map(|key| (key.clone(), None)).collect();
    let gone = keys.into_iter().map(|key| (key, nothing())).collect();
    vec![Op::AddTimed(TABLE, spec, there), Op::DeleteElements(TABLE, spec, gone)]
}
