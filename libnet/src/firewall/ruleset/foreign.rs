//! The one thing that we do in other tables. A packet has to pass every base chain of the forward hook; where one drops
//! what it doesn't know (the FORWARD policy that Docker and ufw set through iptables-nft, firewalld's last rule), our
//! networks are cut off whatever our own table says. There, and only there, each of our bridges is let through; what may
//! really pass is decided in our table. Our rules carry a mark, and go when the network goes or the chain no longer drops.
//!
//! Tables of the old iptables (`ip_tables`, not nf_tables) are another interface of the kernel; a plan for them would
//! take the same input and answer in other operations.

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
const MARK: &str = "pontoon";

/// Whether a chain drops what none of its rules accepts, as far as that can be seen.
pub(crate) fn drops(chain: &ForwardChain) -> bool {
    chain.drops || place(&chain.rules).is_some()
}

/// Whether a rule in somebody else's chain is one of ours.
pub(crate) fn is_ours(rule: &FoundRule) -> bool {
    rule.comment == MARK
}

/// What is to be done in these chains, so that packets of these bridges pass.
pub(crate) fn plan(chains: &[ForwardChain], links: &[IfName]) -> Vec<Op> {
    chains.iter().flat_map(|chain| plan_chain(chain, if drops(chain) { links } else { &[] })).collect()
}

fn plan_chain(chain: &ForwardChain, links: &[IfName]) -> Vec<Op> {
    let sides = |link| [Side::In, Side::Out].map(|side| admission(link, side));
    let wanted: Vec<Rule> = links.iter().flat_map(sides).collect();
    let place = place(&chain.rules);
    let mut ops = Vec::new();
    let mut found: Vec<&[Expr]> = Vec::new();
    for (index, rule) in chain.rules.iter().enumerate().filter(|(_, rule)| is_ours(rule)) {
        let is_wanted = wanted.iter().any(|wanted| wanted.exprs == rule.exprs);
        let is_reached = place.is_none_or(|(end, _)| index < end);
        if is_wanted && is_reached && !found.contains(&rule.exprs.as_slice()) {
            found.push(&rule.exprs);
        } else {
            ops.push(Op::Withdraw(chain.name.clone(), rule.handle));
        }
    }
    let missing = wanted.iter().filter(|wanted| !found.contains(&wanted.exprs.as_slice()));
    let before = place.map(|(_, handle)| handle);
    ops.extend(missing.map(|rule| Op::Admit(chain.name.clone(), before, rule.clone())));
    ops
}

fn admission(link: &IfName, side: Side) -> Rule {
    // The counter is what iptables expects of every rule, and shows whether it is needed.
    Rule::new().link_is(side, link.as_str()).counter().verdict(Verdict::Accept).comment(MARK)
}

/// The first rule that lets nothing past it, by index and handle: ours have to stand before it. What its owner decided
/// in the rules before stays decided.
fn place(rules: &[FoundRule]) -> Option<(usize, u64)> {
    let index = rules.iter().position(|rule| is_final(&rule.exprs))?;
    Some((index, rules[index].handle))
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
