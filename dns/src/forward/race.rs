//! Who is asked when, and whose word counts: the order of the upstreams as a value without clocks or sockets.
//!
//! Servers are asked in turn, the next when one fails or patience with it ends; those asked before are still
//! listened to. The first good answer wins, with one exception: "no such name" from a server that was only asked
//! because an earlier one is slow waits a little for the earlier one, which may know names that the rest of the
//! world does not (a company's server before a public one).

use std::collections::VecDeque;

/// What the next step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Another server can be asked beside those that are slow: it costs them nothing.
    ToHedge,
    /// Only patience is left: for the word of an earlier server against a denial, or before a server is asked again.
    Patiently,
}

/// Servers are known by their place in the list.
pub(super) type Place = usize;

#[derive(Debug)]
pub(super) struct Race<R> {
    turns: VecDeque<Place>,
    silent: Vec<Place>,
    /// "No such name", while an earlier server may still know better.
    denial: Option<(Place, R)>,
}

impl<R> Race<R> {
    /// Every server gets `rounds` turns, unless it says something in the first.
    pub(super) fn new(servers: usize, rounds: usize) -> Self {
        let turns = (0..rounds).flat_map(|_| 0..servers).collect();
        Self { turns, silent: Vec::new(), denial: None }
    }

    /// Whom to ask now.
    pub(super) fn next(&mut self) -> Option<Place> {
        if self.denial.is_some() {
            return None;
        }
        let server = self.turns.pop_front()?;
        self.silent.push(server);
        Some(server)
    }

    /// Nobody is left to ask or to wait for.
    pub(super) fn is_over(&self) -> bool {
        self.silent.is_empty()
    }

    /// Before what to wait, unless there is nothing left to do but to listen.
    pub(super) fn wait(&self) -> Option<Wait> {
        if self.denial.is_some() {
            return Some(Wait::Patiently);
        }
        let next = self.turns.front()?;
        Some(if self.silent.contains(next) { Wait::Patiently } else { Wait::ToHedge })
    }

    /// A server has failed. Gives the answer, if that decides it.
    pub(super) fn failed(&mut self, server: Place) -> Option<R> {
        self.turns.retain(|turn| *turn != server);
        self.silent.retain(|silent| *silent != server);
        let (by, _) = self.denial.as_ref()?;
        if self.waits_before(*by) { None } else { self.patience_ended() }
    }

    /// A server knows no such name. Gives the answer, if that decides it.
    pub(super) fn denied(&mut self, server: Place, reply: R) -> Option<R> {
        if !self.waits_before(server) {
            return Some(reply);
        }
        self.denial = Some((server, reply));
        self.failed(server)
    }

    /// Waited long enough. Gives the answer, if there is one by now.
    pub(super) fn patience_ended(&mut self) -> Option<R> {
        self.denial.take().map(|(_, reply)| reply)
    }

    fn waits_before(&self, server: Place) -> bool {
        self.silent.iter().any(|silent| *silent < server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_gets_their_turns_in_order() {
        let mut race = Race::<()>::new(2, 2);
        assert_eq!(race.wait(), Some(Wait::ToHedge));
        assert_eq!((race.next(), race.wait()), (Some(0), Some(Wait::ToHedge)));
        assert_eq!((race.next(), race.wait()), (Some(1), Some(Wait::Patiently)), "all have been asked once");
        assert_eq!((race.next(), race.wait()), (Some(0), Some(Wait::Patiently)));
        assert_eq!((race.next(), race.wait()), (Some(1), None));
        assert_eq!(race.next(), None);
        assert!(!race.is_over());
    }

    #[test]
    fn who_fails_is_not_asked_again() {
        let mut race = Race::<()>::new(2, 2);
        race.next();
        assert_eq!(race.failed(0), None);
        assert_eq!([race.next(), race.next(), race.next()], [Some(1), Some(1), None]);
        race.failed(1);
        assert!(race.is_over());
    }

    #[test]
    fn the_first_server_may_deny_at_once() {
        let mut race = Race::new(2, 1);
        race.next();
        race.next();
        assert_eq!(race.denied(0, "no"), Some("no"));
    }

    #[test]
    fn a_later_denial_waits_for_the_earlier_server() {
        let held = || {
            let mut race = Race::new(3, 2);
            race.next();
            race.next();
            assert_eq!(race.denied(1, "no"), None);
            assert_eq!(race.next(), None, "nobody further is asked");
            assert_eq!(race.wait(), Some(Wait::Patiently));
            assert!(!race.is_over());
            race
        };
        assert_eq!(held().failed(0), Some("no"));
        assert_eq!(held().patience_ended(), Some("no"));
        assert_eq!(held().denied(0, "no, says the first"), Some("no, says the first"));
    }
}
