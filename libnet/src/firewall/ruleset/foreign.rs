//! The one thing that we do in other tables. A packet has to pass every base chain of the forward hook; where one drops
//! what it doesn't know (the FORWARD policy that Docker and ufw set, a last rule that rejects), our networks are cut off
//! whatever our own table says. There, and only there, each of our bridges is let through; what may really pass is
//! decided in our table. Our rules carry a mark, and go when the network goes or the chain no longer drops.
//!
//! Tables of the old iptables (`ip_tables`, not nf_tables) are another interface of the kernel (`firewall::legacy`); their
//! plan is the same.

use crate::{
    firewall::nft::{
        dump::{ForwardChain, FoundRule},
        expr::Expr,
        matches::Side,
        op::Op,
        rule::Rule,
        verdict::Verdict,
    },
    types::IfName,
};

/// The comment of our rules in other tables.
pub(crate) const MARK: &str = "pontoon";

/// A rule of somebody else's chain, as far as it matters where ours are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It carries our mark: which of those wanted it is, if any.
    Ours(Option<usize>),
    /// It lets nothing past it.
    Final,
    Other,
}

/// A change of a chain. Rules go by their place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amendment {
    Withdraw(usize),
    /// Adds one of those wanted: before that rule, or at the end.
    Admit {
        wanted: usize,
        before: Option<usize>,
    },
}

/// What is wanted in a chain that drops: each bridge, both ways.
pub(crate) fn admissions(links: &[IfName]) -> Vec<(IfName, Side)> {
    links.iter().flat_map(|link| [Side::In, Side::Out].map(|side| (link.clone(), side))).collect()
}

/// What is to be done in a chain, so that so many rules of ours are reached if anything in it drops; none otherwise.
pub(crate) fn amend(drops: bool, rules: &[Seen], wanted: usize) -> Vec<Amendment> {
    // Ours have to stand before the first that lets nothing past it. What its owner decided before that stays decided.
    let end = rules.iter().position(|rule| *rule == Seen::Final);
    let wanted = if drops || end.is_some() { wanted } else { 0 };
    let mut found = vec![false; wanted];
    let mut amendments = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let Seen::Ours(which) = rule else { continue };
        let is_reached = end.is_none_or(|end| index < end);
        match which.and_then(|which| found.get_mut(which)) {
            Some(found) if is_reached && !*found => *found = true,
            _ => amendments.push(Amendment::Withdraw(index)),
        }
    }
    let missing = (0..wanted).filter(|index| !found[*index]);
    amendments.extend(missing.map(|wanted| Amendment::Admit { wanted, before: end }));
    amendments
}

/// Whether a chain drops what none of its rules accepts, as far as that can be seen.
pub(crate) fn drops(chain: &ForwardChain) -> bool {
    chain.drops || (0..chain.rules.len()).any(|index| see(chain, index, &[]) == Seen::Final)
}

/// Whether a rule in somebody else's chain is one of ours.
pub(crate) fn is_ours(rule: &FoundRule) -> bool {
    rule.comment == MARK
}

/// What is to be done in these chains of nf_tables, so that packets of these bridges pass.
pub(crate) fn plan(chains: &[ForwardChain], links: &[IfName]) -> Vec<Op> {
    let wanted: Vec<Rule> = admissions(links).iter().map(|(link, side)| admission(link, *side)).collect();
    chains.iter().flat_map(|chain| plan_chain(chain, &wanted)).collect()
}

fn plan_chain(chain: &ForwardChain, wanted: &[Rule]) -> Vec<Op> {
    let rules: Vec<Seen> = (0..chain.rules.len()).map(|index| see(chain, index, wanted)).collect();
    let handle = |index: usize| chain.rules[index].handle;
    let op = |amendment| match amendment {
        Amendment::Withdraw(index) => Op::Withdraw(chain.name.clone(), handle(index)),
        Amendment::Admit { wanted: index, before } => {
            Op::Admit(chain.name.clone(), before.map(handle), wanted[index].clone())
        }
    };
    amend(chain.drops, &rules, wanted.len()).into_iter().map(op).collect()
}

fn admission(link: &IfName, side: Side) -> Rule {
    // The counter is what iptables expects of every rule, and shows whether it is needed.
    Rule::new().link_is(side, link.as_str()).counter().verdict(Verdict::Accept).comment(MARK)
}

fn see(chain: &ForwardChain, index: usize, wanted: &[Rule]) -> Seen {
    let rule = &chain.rules[index];
    if is_ours(rule) {
        return Seen::Ours(wanted.iter().position(|wanted| wanted.exprs == rule.exprs));
    }
    let led = chain.leads_to.get(index).and_then(Option::as_deref);
    if is_final(&rule.exprs) || led.is_some_and(is_final) { Seen::Final } else { Seen::Other }
}

/// The chain that every packet is sent to by a rule.
pub(crate) fn leads_to(exprs: &[Expr]) -> Option<&str> {
    match exprs {
        [Expr::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain))]
        | [Expr::Counter, Expr::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain))] => Some(chain),
        _ => None,
    }
}

fn is_final(exprs: &[Expr]) -> bool {
    let ends = |expr: &Expr| match expr {
        Expr::Verdict(Verdict::Drop) => true,
        Expr::Foreign(name) => name == "reject" || name == "target REJECT",
        _ => false,
    };
    match exprs {
        [last] | [Expr::Counter, last] => ends(last),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Amendment::{Admit, Withdraw};
    use Seen::{Final, Other, Ours};

    #[test]
    fn ours_stand_where_they_are_reached_and_only_where_something_drops() {
        let admit = |wanted, before| Admit { wanted, before };
        let table = [
            ("an accepting chain is left alone", false, vec![Other], vec![]),
            ("the policy drops: at the end", true, vec![Other], vec![admit(0, None), admit(1, None)]),
            (
                "a rule drops: before it",
                false,
                vec![Other, Final],
                vec![admit(0, Some(1)), admit(1, Some(1))],
            ),
            ("they are there", true, vec![Ours(Some(1)), Ours(Some(0))], vec![]),
            ("one is missing", true, vec![Ours(Some(1)), Other], vec![admit(0, None)]),
            (
                "one too many, one of a network that went",
                true,
                vec![Ours(Some(0)), Ours(Some(1)), Ours(Some(0)), Ours(None)],
                vec![Withdraw(2), Withdraw(3)],
            ),
            (
                "one is never reached",
                false,
                vec![Ours(Some(0)), Final, Ours(Some(1))],
                vec![Withdraw(2), admit(1, Some(1))],
            ),
            (
                "nothing drops any longer",
                false,
                vec![Ours(Some(0)), Other, Ours(Some(1))],
                vec![Withdraw(0), Withdraw(2)],
            ),
        ];
        for (what, drops, rules, expected) in table {
            assert_eq!(amend(drops, &rules, 2), expected, "{what}");
        }
    }
}
