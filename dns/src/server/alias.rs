//! A name of ours that is another name for one of the world's: the world is asked, and its reply comes behind ours.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::Name;

use crate::forward::{Question, Transport};

/// Asks for `target` as `query` asks for its name.
pub(super) fn onward(query: &Message, target: &Name, transport: Transport, limit: usize) -> Option<Question> {
    let mut onward = Message::query();
    onward.metadata = query.metadata;
    onward.edns.clone_from(&query.edns);
    onward.queries.clone_from(&query.queries);
    for question in &mut onward.queries {
        question.name = target.clone();
    }
    Question::new(&onward.to_vec().ok()?, transport, limit)
}

/// The world's reply behind ours. `None` if it is no answer.
pub(super) fn join(mut ours: Message, theirs: &[u8]) -> Option<Vec<u8>> {
    let theirs = Message::from_vec(theirs).ok()?;
    let said = theirs.metadata;
    if !matches!(said.response_code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return None;
    }
    ours.metadata.authoritative = false;
    ours.metadata.response_code = said.response_code;
    ours.metadata.truncation = said.truncation;
    ours.answers.extend(theirs.answers);
    ours.authorities = theirs.authorities;
    ours.to_vec().ok()
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{MessageType, OpCode, Query};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What an upstream says is anything; what comes of it is a reply to our question or nothing.
        #[test]
        fn anything_may_come_behind(theirs in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut ours = Message::response(7, OpCode::Query);
            ours.add_query(Query::query(Name::from_ascii("a.").unwrap(), "A".parse().unwrap()));
            let questions = ours.queries.clone();
            if let Some(joined) = join(ours, &theirs) {
                let joined = Message::from_vec(&joined).unwrap();
                prop_assert_eq!(joined.metadata.id, 7);
                prop_assert_eq!(joined.metadata.message_type, MessageType::Response);
                prop_assert_eq!(joined.queries, questions);
            }
        }
    }
}
