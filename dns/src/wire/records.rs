//! Where the records of a message are, without a look into them: the types that we don't know are as long as those
//! that we do.

const OPT: u16 = 41;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Answer,
    Authority,
    Additional,
}

/// One record of a message, by its places in it.
#[derive(Clone, Debug)]
pub(crate) struct RecordAt {
    pub(crate) section: Section,
    pub(crate) kind: u16,
    pub(crate) ttl_at: usize,
    /// Where it ends.
    end: usize,
}

impl RecordAt {
    /// An OPT record keeps other things there (RFC 6891, 6.1.3).
    pub(crate) fn has_ttl(&self) -> bool {
        self.kind != OPT
    }

    pub(crate) fn ttl(&self, message: &[u8]) -> u32 {
        four(message, self.ttl_at).unwrap_or(0)
    }

    /// The last field of a SOA record (RFC 1035, 3.3.13), behind two names and four other numbers.
    pub(crate) fn soa_minimum(&self, message: &[u8]) -> Option<u32> {
        const SHORTEST: usize = 2 + 5 * 4;
        let data = self.ttl_at + 6;
        (self.end - data >= SHORTEST).then(|| four(message, self.end - 4))?
    }
}

/// All records behind the one question. `None` if the message is not what its header says.
pub(crate) fn records(message: &[u8]) -> Option<Vec<RecordAt>> {
    let mut at = super::question_end(message)?;
    let mut records = Vec::new();
    for (counted_at, section) in [(6, Section::Answer), (8, Section::Authority), (10, Section::Additional)] {
        for _ in 0..two(message, counted_at)? {
            let fixed = name_end(message, at)?;
            let end = fixed + 10 + usize::from(two(message, fixed + 8)?);
            message.get(..end)?;
            records.push(RecordAt { section, kind: two(message, fixed)?, ttl_at: fixed + 4, end });
            at = end;
        }
    }
    (at == message.len()).then_some(records)
}

/// Where a name ends that may end in a pointer (RFC 1035, 4.1.4).
fn name_end(message: &[u8], mut at: usize) -> Option<usize> {
    const POINTER: u8 = 0xc0;
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            len if len < 64 => at += 1 + usize::from(len),
            len if len >= POINTER => return Some(at + 2),
            _ => return None,
        }
    }
}

fn two(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*message.get(at..)?.first_chunk()?))
}

fn four(message: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*message.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Message;
    use proptest::prelude::*;

    use super::super::HEADER;
    use super::*;

    proptest! {
        /// Nothing is read beyond the end, and whatever the bytes are, all places are in order and inside.
        #[test]
        fn places_are_inside(tail in proptest::collection::vec(prop_oneof![3 => 0..3u8, 1 => any::<u8>()], 0..90)) {
            let mut message = vec![0, 1, 0x80, 0, 0, 1, 0, 1, 0, 1, 0, 1];
            message.extend(tail);
            let mut before = HEADER;
            for record in records(&message).unwrap_or_default() {
                prop_assert!(before < record.ttl_at && record.ttl_at + 6 <= record.end);
                prop_assert!(record.end <= message.len());
                record.soa_minimum(&message);
                before = record.end;
            }
        }
    }

    #[test]
    fn the_same_records_as_another_decoder_sees() {
        let bytes = crate::cache::tests::sample();
        let message = Message::from_vec(&bytes).unwrap();
        let ours: Vec<_> = records(&bytes).unwrap().iter().map(|r| (r.kind, r.ttl(&bytes))).collect();
        let theirs = message.answers.iter().chain(&message.authorities);
        let theirs: Vec<_> = theirs.map(|r| (u16::from(r.record_type()), r.ttl)).collect();
        assert_eq!(ours, theirs);
        assert!(records(&bytes[..bytes.len() - 1]).is_none());
        assert!(records(&[&bytes[..], b"x"].concat()).is_none());
    }
}
