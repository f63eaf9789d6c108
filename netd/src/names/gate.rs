//! The gate of one sandbox: stands between its server and the world, opens the firewall for the addresses of names that
//! may be reached before the container hears of them, and remembers which name an address was given for.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use dns::{Gate, Judged, Told, hickory_proto::rr::Name};
use libnet::{
    firewall::{Allowance, Attempt},
    types::Egress,
};
use tokio::{sync::broadcast, time::Instant};

use super::policy::{Allowed, EgressPolicy, Target, plain};

/// Who resolves a name and then connects must make it, however short the name's own time is.
const SHORTEST: Duration = Duration::from_secs(30);

/// What is remembered of names; a container that asks for more of them forgets the rest.
const REMEMBERED: usize = 4_096;

/// Opens the firewall.
pub(crate) type Allow = Arc<dyn Fn(&[Allowance]) -> Result<(), String> + Send + Sync>;

/// What a sandbox is restricted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    pub(crate) policy: EgressPolicy,
    /// Its addresses in the networks that are restricted.
    pub(crate) sources: Vec<IpAddr>,
    /// Whether other names may be asked for: there is a network that is not restricted.
    pub(crate) others: Others,
}

/// What becomes of questions for names that are not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    /// They are not asked: a question to the world is a message to the world.
    Denied,
    /// They are asked.
    Asked,
}

/// A connection that was refused.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) at: Instant,
    /// The name that had been asked for to get the address; empty if there was none.
    pub(crate) name: String,
    pub(crate) attempt: Attempt,
}

/// The gate; open until it is told otherwise.
pub(crate) struct EgressGate {
    container: String,
    allow: Allow,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    watch: Option<Arc<Watch>>,
    /// The last name that each address was told for.
    names: HashMap<IpAddr, String>,
    /// How often each name was denied.
    denied: HashMap<String, u64>,
    /// Who watches what is refused, if somebody does.
    followers: Option<broadcast::Sender<Refused>>,
    /// Until when the firewall is open for an address of a name: names that share one may differ in their ports.
    open: HashMap<(String, IpAddr), Instant>,
}

impl EgressGate {
    pub(crate) fn new(container: String, allow: Allow) -> Self {
        Self { container, allow, state: Mutex::default() }
    }

    /// What the gate goes by from now on. Addresses that are allowed by themselves are opened at once.
    pub(crate) fn set(&self, watch: Option<Watch>) {
        let Some(watch) = watch else {
            self.state().watch = None;
            return;
        };
        let for_ever: Vec<_> = watch
            .policy
            .allow
            .iter()
            .filter_map(|allowed| match allowed.to {
                Target::Ip(ip) => Some(allowances(&watch, allowed, ip, None)),
                Target::Name(_) | Target::Below(_) => None,
            })
            .flatten()
            .collect();
        self.open(&for_ever);
        let mut state = self.state();
        state.open.clear();
        state.watch = Some(Arc::new(watch));
    }

    pub(crate) fn watch(&self) -> Option<Arc<Watch>> {
        self.state().watch.clone()
    }

    /// The name that an address was told for.
    pub(crate) fn name_of(&self, ip: IpAddr) -> Option<String> {
        self.state().names.get(&ip).cloned()
    }

    /// A connection was refused; tells those who watch, and gives the name that it was for.
    pub(crate) fn refused(&self, attempt: Attempt) -> String {
        let mut state = self.state();
        let name = state.names.get(&attempt.to).cloned().unwrap_or_default();
        let refused = Refused { at: Instant::now(), name: name.clone(), attempt };
        let nobody = |followers: &broadcast::Sender<_>| followers.send(refused).is_err();
        if state.followers.as_ref().is_some_and(nobody) {
            state.followers = None;
        }
        name
    }

    /// What is refused from now on; so much of it is kept for who is slow.
    pub(crate) fn follow(&self, capacity: usize) -> broadcast::Receiver<Refused> {
        let mut state = self.state();
        state.followers.get_or_insert_with(|| broadcast::Sender::new(capacity)).subscribe()
    }

    /// Names that were denied, and how often.
    pub(crate) fn denied_names(&self) -> Vec<(String, u64)> {
        let mut all: Vec<_> =
            self.state().denied.iter().map(|(name, count)| (name.clone(), *count)).collect();
        all.sort();
        all
    }

    fn open(&self, allowances: &[Allowance]) {
        if allowances.is_empty() {
            return;
        }
        if let Err(error) = (self.allow)(allowances) {
            tracing::error!(container.id = self.container, error, "allowed addresses can't be reached");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for EgressGate {
    fn judge(&self, name: &Name) -> Judged {
        let Some(watch) = self.watch() else { return Judged::Free };
        if watch.policy.mode == Egress::Learn || watch.policy.matching(name).next().is_some() {
            return Judged::Watched;
        }
        match watch.others {
            Others::Denied => Judged::Denied,
            Others::Asked => Judged::Free,
        }
    }

    fn told(&self, name: &Name, addresses: &[Told]) {
        let (now, plain) = (Instant::now(), plain(name));
        let (watch, fresh) = {
            let mut state = self.state();
            let Some(watch) = state.watch.clone() else { return };
            for told in addresses {
                remember(&mut state.names, told.ip, plain.clone());
            }
            // A name that is asked for again and again is opened again once half of its time is over.
            let late = |told: &&Told| {
                state
                    .open
                    .get(&(plain.clone(), told.ip))
                    .is_none_or(|until| *until < now + told.ttl.max(SHORTEST) / 2)
            };
            let fresh: Vec<Told> = addresses.iter().filter(late).copied().collect();
            (watch, fresh)
        };
        if watch.policy.mode != Egress::Deny || fresh.is_empty() {
            return;
        }
        let to_open = fresh.iter().flat_map(|told| {
            let time = Some(told.ttl.max(SHORTEST));
            let watch = &watch;
            watch.policy.matching(name).flat_map(move |allowed| allowances(watch, allowed, told.ip, time))
        });
        self.open(&to_open.collect::<Vec<_>>());
        let mut state = self.state();
        for told in fresh {
            remember(&mut state.open, (plain.clone(), told.ip), now + told.ttl.max(SHORTEST));
        }
    }

    fn denied(&self, name: &Name) {
        let name = plain(name);
        let mut state = self.state();
        let known = state.denied.contains_key(&name);
        if !known && state.denied.len() >= REMEMBERED {
            return;
        }
        *state.denied.entry(name.clone()).or_default() += 1;
        drop(state);
        if !known {
            tracing::info!(container.id = self.container, name, "name denied");
        }
    }
}

/// Bounded: when it is full, all that is known goes.
fn remember<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, value: V) {
    if map.len() >= REMEMBERED && !map.contains_key(&key) {
        map.clear();
    }
    map.insert(key, value);
}

fn allowances(watch: &Watch, allowed: &Allowed, to: IpAddr, time: Option<Duration>) -> Vec<Allowance> {
    let sources = watch.sources.iter().filter(|from| from.is_ipv4() == to.is_ipv4());
    sources
        .flat_map(|from| {
            let one = |at| Allowance { from: *from, to, at, time };
            match allowed.at[..] {
                [] => vec![one(None)],
                ref ports => ports.iter().map(|port| one(Some(*port))).collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use libnet::{firewall::Fate, types::Proto};

    use super::*;

    fn gate(mode: Egress, allow: &str) -> (EgressGate, Arc<Mutex<Vec<String>>>) {
        let opened = Arc::new(Mutex::new(Vec::new()));
        let log = opened.clone();
        let allow_all: Allow = Arc::new(move |allowances| {
            let one = |a: &Allowance| {
                let at = a.at.map_or_else(String::new, |(proto, port)| format!(" {port}/{proto}"));
                format!("{} {}{at} {:?}", a.from, a.to, a.time.map(|time| time.as_secs()))
            };
            log.lock().unwrap().extend(allowances.iter().map(one));
            Ok(())
        });
        let gate = EgressGate::new("c".to_owned(), allow_all);
        let words = [
            ("io.pontoon.egress", if mode == Egress::Deny { "deny" } else { "learn" }),
            ("io.pontoon.egress.allow", allow),
        ];
        let words: HashMap<_, _> = words.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let policy = EgressPolicy::read(|key| words.get(key)).unwrap().unwrap();
        let sources = vec!["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()];
        gate.set(Some(Watch { policy, sources, others: Others::Denied }));
        (gate, opened)
    }

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn told(ip: &str, ttl: u64) -> Told {
        Told { ip: ip.parse().unwrap(), ttl: Duration::from_secs(ttl) }
    }

    #[test]
    fn what_is_told_is_open_before_and_for_as_long_as_it_lasts() {
        let (gate, opened) = gate(Egress::Deny, "a.example:443/tcp,b.example,192.0.2.9:53/udp");
        let take = || std::mem::take(&mut *opened.lock().unwrap());
        assert_eq!(take(), ["10.0.0.2 192.0.2.9 53/udp None"]);
        assert_eq!(gate.judge(&name("A.example.")), Judged::Watched);
        assert_eq!(gate.judge(&name("evil.example.")), Judged::Denied);
        gate.told(&name("A.example."), &[told("192.0.2.1", 5), told("2001:db8::1", 600)]);
        let both = ["10.0.0.2 192.0.2.1 443/tcp Some(30)", "fd00::2 2001:db8::1 443/tcp Some(600)"];
        assert_eq!(take(), both);
        gate.told(&name("a.example."), &[told("192.0.2.1", 5)]);
        assert_eq!(take(), Vec::<String>::new(), "it is open");
        gate.told(&name("b.example."), &[told("192.0.2.1", 5)]);
        assert_eq!(take(), ["10.0.0.2 192.0.2.1 Some(30)"], "another name, other ports");
        gate.told(&name("a.example."), &[told("192.0.2.1", 600)]);
        assert_eq!(take(), ["10.0.0.2 192.0.2.1 443/tcp Some(600)"], "for longer than before");
        assert_eq!(gate.name_of("192.0.2.1".parse().unwrap()).as_deref(), Some("a.example"));
        gate.set(None);
        assert_eq!(gate.judge(&name("evil.example.")), Judged::Free);
    }

    #[test]
    fn who_watches_is_told_what_is_refused_and_its_name() {
        let (gate, _) = gate(Egress::Deny, "a.example:443");
        let attempt = |to: &str| {
            let (to, port) = (to.parse().unwrap(), "80".parse().unwrap());
            Attempt { to, proto: Proto::Tcp, port, fate: Fate::Dropped }
        };
        gate.told(&name("A.example."), &[told("192.0.2.1", 5)]);
        assert_eq!(gate.refused(attempt("192.0.2.1")), "a.example", "nobody need watch");
        let mut watching = [gate.follow(4), gate.follow(4)];
        assert_eq!(gate.refused(attempt("192.0.2.1")), "a.example");
        assert_eq!(gate.refused(attempt("192.0.2.2")), "");
        for one in &mut watching {
            let seen = [(); 2].map(|()| one.try_recv().map(|seen| (seen.name, seen.attempt)).unwrap());
            let expected = [("a.example", "192.0.2.1"), ("", "192.0.2.2")];
            assert_eq!(seen, expected.map(|(name, to)| (name.to_owned(), attempt(to))));
        }
        drop(watching);
        gate.refused(attempt("192.0.2.1"));
        assert!(gate.state().followers.is_none(), "nothing is kept while nobody watches");
    }

    #[test]
    fn who_learns_opens_nothing_and_a_flood_of_names_is_bounded() {
        let (learning, opened) = gate(Egress::Learn, "");
        assert_eq!(learning.judge(&name("any.example.")), Judged::Watched);
        learning.told(&name("any.example."), &[told("192.0.2.1", 5)]);
        assert_eq!(*opened.lock().unwrap(), Vec::<String>::new());
        let (denying, _) = gate(Egress::Deny, "");
        for number in 0..2 * REMEMBERED {
            denying.denied(&name(&format!("n{number}.example.")));
        }
        assert_eq!(denying.denied_names().len(), REMEMBERED);
    }
}
