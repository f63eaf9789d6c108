//! Which endpoint leads a container out: the one with the highest priority, among equals the one whose network's name
//! sorts first, as in Docker. Only networks that lead anywhere count. Names are searched in the same order.

use std::cmp::Reverse;

use libnet::types::NetworkId;

/// An endpoint, as far as the choice needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) network: NetworkId,
    pub(super) name: String,
    pub(super) priority: i64,
    /// Whether packets can leave through the network.
    pub(super) leads_out: bool,
}

/// The candidates, the best first; those that lead nowhere behind those that do.
pub(super) fn order(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| key(a).cmp(&key(b)));
    candidates
}

/// The network that leads out.
pub(super) fn choose(candidates: &[Candidate]) -> Option<NetworkId> {
    let leading = candidates.iter().filter(|candidate| candidate.leads_out);
    leading.min_by(|a, b| key(a).cmp(&key(b))).map(|candidate| candidate.network)
}

fn key(candidate: &Candidate) -> (Reverse<bool>, Reverse<i64>, &str) {
    (Reverse(candidate.leads_out), Reverse(candidate.priority), &candidate.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, priority: i64, leads_out: bool) -> Candidate {
        let mut id = [0; 32];
        id[..name.len()].copy_from_slice(name.as_bytes());
        Candidate { network: NetworkId::from_bytes(id), name: name.to_owned(), priority, leads_out }
    }

    #[test]
    fn priority_then_name_then_nobody() {
        let table: [(&[Candidate], Option<&str>); 4] = [
            (&[candidate("web", 0, true), candidate("db", 0, true)], Some("db")),
            (&[candidate("web", 1, true), candidate("db", 0, true)], Some("web")),
            (&[candidate("web", 0, true), candidate("db", 9, false)], Some("web")),
            (&[candidate("db", 9, false)], None),
        ];
        for (candidates, chosen) in table {
            let chosen = chosen.map(|name| candidate(name, 0, true).network);
            assert_eq!(choose(candidates), chosen, "{candidates:?}");
        }
        let names = |list: Vec<Candidate>| order(list).into_iter().map(|c| c.name).collect::<Vec<_>>();
        let all = vec![candidate("b", 0, true), candidate("z", 9, false), candidate("a", 0, true)];
        assert_eq!(names(all), ["a", "b", "z"]);
    }
}
