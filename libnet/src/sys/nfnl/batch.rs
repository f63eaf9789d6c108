//! Messages of nfnetlink (linux/netfilter/nfnetlink.h) laid one after the other, so that one send hands all to the
//! kernel. Which message is which is known by its sequence number.

use super::attr::Writer;

/// Length of `struct nlmsghdr`.
pub(crate) const HEADER: usize = 16;
/// Length of `struct nfgenmsg`.
pub(crate) const FAMILY_HEADER: usize = 4;
/// `NLM_F_REQUEST`, `NLM_F_ACK`.
pub(crate) const REQUEST: u16 = 1;
pub(crate) const ACK: u16 = 4;
/// `NFNL_SUBSYS_NFTABLES`.
const NFTABLES: u16 = 10;
/// `NFNL_MSG_BATCH_BEGIN`, `NFNL_MSG_BATCH_END`.
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;
/// `NFNL_BATCH_GENID`.
const GENERATION: u16 = 1;
const NO_FAMILY: u8 = 0;

/// How a batch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The kernel takes all of it, or nothing if it refuses any.
    Commit,
    /// The kernel checks all of it and takes nothing: a batch without its end is aborted.
    Check,
}

/// Messages to be sent in one go. Sequence numbers count from zero within it: zero is the beginning of a transaction,
/// `n` is the n-th message.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    /// Where each message begins.
    starts: Vec<usize>,
}

impl Messages {
    /// One request outside of any transaction.
    pub(crate) fn single(kind: u16, flags: u16, family: u8, fill: impl FnOnce(&mut Writer<'_>)) -> Self {
        let mut messages = Self::default();
        messages.push(kind, flags, family, 0, fill);
        messages
    }

    /// One acknowledged request about a group of whoever logs packets.
    pub(crate) fn of_group(kind: u16, group: u16, fill: impl FnOnce(&mut Writer<'_>)) -> Self {
        let mut messages = Self::default();
        messages.push(kind, ACK, NO_FAMILY, group, fill);
        messages
    }

    /// The beginning of an nf_tables transaction; refused by the kernel if its rules are not those of `generation`.
    pub(crate) fn transaction(generation: Option<u32>) -> Self {
        let mut messages = Self::default();
        messages.push(BEGIN, 0, NO_FAMILY, NFTABLES, |attrs| {
            if let Some(generation) = generation {
                attrs.number(GENERATION, generation);
            }
        });
        messages
    }

    /// Adds a message.
    pub(crate) fn add(&mut self, kind: u16, flags: u16, family: u8, fill: impl FnOnce(&mut Writer<'_>)) {
        self.push(kind, flags, family, 0, fill);
    }

    /// Asks for the acknowledgement of the last message, and closes the transaction.
    pub(crate) fn end(&mut self, ending: Ending) {
        if let Some(&start) = self.starts.last() {
            self.bytes[start + 6] |= ACK.to_ne_bytes()[0];
        }
        if ending == Ending::Commit {
            self.push(END, 0, NO_FAMILY, NFTABLES, |_| {});
        }
    }

    /// How many messages there are.
    pub(crate) fn count(&self) -> usize {
        self.starts.len()
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of one message.
    pub(crate) fn message(&self, index: usize) -> Option<&[u8]> {
        let start = *self.starts.get(index)?;
        let end = self.starts.get(index + 1).copied().unwrap_or(self.bytes.len());
        self.bytes.get(start..end)
    }

    /// Moves all sequence numbers to begin at `first`.
    pub(crate) fn number_from(&mut self, first: u32) {
        for (index, start) in (0_u32..).zip(&self.starts) {
            self.bytes[start + 8..start + 12].copy_from_slice(&first.wrapping_add(index).to_ne_bytes());
        }
    }

    fn push(&mut self, kind: u16, flags: u16, family: u8, resource: u16, fill: impl FnOnce(&mut Writer<'_>)) {
        let start = self.bytes.len();
        self.starts.push(start);
        self.bytes.extend_from_slice(&[0; HEADER]);
        self.bytes[start + 4..start + 6].copy_from_slice(&kind.to_ne_bytes());
        self.bytes[start + 6..start + 8].copy_from_slice(&(flags | REQUEST).to_ne_bytes());
        let [high, low] = resource.to_be_bytes();
        self.bytes.extend_from_slice(&[family, 0, high, low]);
        fill(&mut Writer::new(&mut self.bytes));
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }
}
