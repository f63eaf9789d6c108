//! The rules of table `bridge pontoon`: what comes in by the port of a guarded endpoint is from the addresses that the
//! endpoint was given. Each frame of a bridge passes here, so the first look-up lets through what is right; who is not
//! guarded costs one more. In the host's namespace, where a container can't alter it.

use super::SetId;
use crate::{
    firewall::nft::{
        chain::{Anchor, Chain, Hook},
        rule::Rule,
        verdict::Verdict,
    },
    types::Family,
};

/// Before everything that looks at a frame.
const PRIORITY: i32 = -300;

pub(super) fn chain() -> Chain {
    let (ports, senders4, senders6) = (SetId::Guarded.name(), SetId::Sender4.name(), SetId::Sender6.name());
    let accept = |rule: Rule| rule.verdict(Verdict::Accept);
    let rules = vec![
        accept(Rule::new().source_of(Family::V4, senders4)),
        // Neighbours believe an advertisement, whoever sent it: what it is about counts as a source.
        Rule::new()
            .advertises_other_than(senders6)
            .iifname_in(ports)
            .counter()
            .verdict(Verdict::Drop)
            .comment("addresses of others"),
        accept(Rule::new().source_of(Family::V6, senders6)),
        accept(Rule::new().iifname_not_in(ports)),
        accept(Rule::new().arp_source_of(senders4).arp_sender_of(senders4)),
        Rule::new().counter().verdict(Verdict::Drop).comment("from addresses that were not given"),
    ];
    let anchor = Some(Anchor { kind: "filter", hook: Hook::Prerouting, priority: PRIORITY });
    Chain { name: "senders", anchor, rules }
}
