//! The frame of every reply of ours.

use hickory_proto::op::{Edns, Message, ResponseCode};

/// What we take in one UDP message, and say so to clients that speak EDNS. Questions travel over loopback, whose
/// MTU is 64 KiB, so there is no fragmentation to fear; a question of more than this is nobody's.
pub(crate) const MAX_UDP: u16 = 4096;

/// A reply without records: the question as it came (with the case of its letters, which clients that randomise it
/// check), recursion offered, EDNS where the client speaks it.
pub(crate) fn reply(query: &Message, code: ResponseCode) -> Message {
    let asked = &query.metadata;
    let mut reply = Message::error_msg(asked.id, asked.op_code, code);
    reply.metadata.recursion_desired = asked.recursion_desired;
    reply.metadata.checking_disabled = asked.checking_disabled;
    reply.metadata.recursion_available = true;
    if let [question] = &query.queries[..] {
        reply.queries.push(question.clone());
    }
    reply.edns = query.edns.as_ref().map(|asked| {
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_UDP).set_dnssec_ok(asked.flags().dnssec_ok);
        edns
    });
    reply
}
