//! One entry of a table: a packet's description, matches, and what becomes of the packet. Numbers are the host's.

use crate::{
    firewall::{
        nft::{dump::Counted, matches::Side},
        ruleset::foreign::MARK,
    },
    sys::nfnl::attr::Malformed,
    types::{Family, IfName},
};

/// Length of `struct xt_entry_match` and of `struct xt_entry_target`, before what each has of its own: length, name,
/// revision.
const PART: usize = 32;
const PART_NAME: std::ops::Range<usize> = 2..31;
/// `sizeof(struct xt_comment_info)`.
const COMMENT_LEN: usize = 256;
/// `XT_ALIGN(sizeof(struct xt_standard_target))`.
const STANDARD_LEN: usize = PART + 8;
/// `-NF_DROP - 1`, `-NF_ACCEPT - 1`: verdicts of standard targets; those that are not negative are places in the table.
const DROP: i32 = -1;
const ACCEPT: i32 = -2;
const IFNAME: usize = 16;

/// Where things are in an entry of a family.
struct Format {
    /// Names of the ways in and out, then their masks.
    links: usize,
    /// `flags`, of which one says how a jump is taken.
    flags: usize,
    /// Where the description of packets ends.
    described: usize,
    /// `target_offset`; `next_offset` and `comefrom` follow.
    target_offset: usize,
    /// Where counters (two numbers of 64 bits) end and matches begin.
    length: usize,
}

const V4: Format = Format { links: 16, flags: 82, described: 84, target_offset: 88, length: 112 };
const V6: Format = Format { links: 64, flags: 131, described: 133, target_offset: 140, length: 168 };

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    family: Family,
    bytes: Vec<u8>,
}

/// What becomes of the packets that an entry describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Accept,
    Drop,
    Reject,
    /// They go to another place of the table.
    Jump(u32),
    Other,
}

impl Entry {
    /// The first entry of `bytes`.
    pub(super) fn parse(family: Family, bytes: &[u8]) -> Result<Self, Malformed> {
        let format = format(family);
        let half = |at: usize| -> Result<usize, Malformed> {
            let bytes = bytes.get(at..at + 2).ok_or(Malformed)?;
            Ok(u16::from_ne_bytes([bytes[0], bytes[1]]).into())
        };
        let (target, next) = (half(format.target_offset)?, half(format.target_offset + 2)?);
        if target < format.length || target + PART > next {
            return Err(Malformed);
        }
        Ok(Self { family, bytes: bytes.get(..next).ok_or(Malformed)?.to_vec() })
    }

    /// Lets a bridge through: as `iptables -i LINK -m comment --comment pontoon -j ACCEPT` makes it.
    pub(super) fn admission(family: Family, link: &IfName, side: Side) -> Self {
        let mut matched = vec![0; PART + COMMENT_LEN];
        put_part(&mut matched, "comment");
        matched[PART..PART + MARK.len()].copy_from_slice(MARK.as_bytes());
        let mut entry = Self::assemble(family, &matched, Target::Accept);
        let name = link.as_str().as_bytes();
        let at = format(family).links + if side == Side::In { 0 } else { IFNAME };
        entry.bytes[at..at + name.len()].copy_from_slice(name);
        // The mask takes in the name's end: no longer name is meant.
        entry.bytes[at + 2 * IFNAME..=at + 2 * IFNAME + name.len()].fill(0xff);
        entry
    }

    fn assemble(family: Family, matches: &[u8], target: Target) -> Self {
        let format = format(family);
        let (code, name) = match target {
            Target::Accept => (ACCEPT, ""),
            Target::Drop => (DROP, ""),
            Target::Jump(place) => (place.cast_signed(), ""),
            Target::Reject | Target::Other => (0, "REJECT"),
        };
        let mut bytes = vec![0; format.length];
        bytes.extend(matches);
        let target = bytes.len();
        bytes.resize(target + STANDARD_LEN, 0);
        put_part(&mut bytes[target..], name);
        bytes[target + PART..target + PART + 4].copy_from_slice(&code.to_ne_bytes());
        let lengths =
            [target, bytes.len()].map(|length| u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
        bytes[format.target_offset..format.target_offset + 4].copy_from_slice(lengths.as_flattened());
        Self { family, bytes }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it has our comment.
    pub(super) fn is_marked(&self) -> bool {
        let mut rest = &self.bytes[format(self.family).length..self.target_offset()];
        while rest.len() >= PART {
            let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
            let Some(part) = rest.get(..length).filter(|part| part.len() >= PART) else { return false };
            if text(&part[PART_NAME]) == b"comment" && text(&part[PART..]) == MARK.as_bytes() {
                return true;
            }
            rest = &rest[length..];
        }
        false
    }

    /// The name of the link that packets come in by, or go out by; nothing if they may by any.
    pub(super) fn link(&self, side: Side) -> String {
        let at = format(self.family).links + if side == Side::In { 0 } else { IFNAME };
        String::from_utf8_lossy(text(&self.bytes[at..at + IFNAME])).into_owned()
    }

    /// What it has counted.
    pub(super) fn counted(&self) -> Counted {
        let end = format(self.family).length;
        let number = |at: usize| {
            let bytes = self.bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            u64::from_ne_bytes(bytes.unwrap_or_default())
        };
        Counted { packets: number(end - 16), bytes: number(end - 8) }
    }

    /// Whether both are the same rule, whatever they have counted and whichever chains lead to them.
    pub(super) fn is_same_rule(&self, other: &Self) -> bool {
        let without_counts = |entry: &Self| {
            let format = format(entry.family);
            let mut bytes = entry.bytes.clone();
            bytes[format.described..format.target_offset].fill(0);
            bytes[format.target_offset + 4..format.length].fill(0);
            bytes
        };
        without_counts(self) == without_counts(other)
    }

    /// Whether it describes every packet.
    pub(super) fn is_unconditional(&self) -> bool {
        let format = format(self.family);
        let described = self.bytes[..format.described].iter().enumerate();
        self.target_offset() == format.length
            && described.filter(|(at, _)| *at != format.flags).all(|(_, byte)| *byte == 0)
    }

    pub(super) fn target(&self) -> Target {
        let target = &self.bytes[self.target_offset()..];
        match (text(&target[PART_NAME]), target.get(PART..PART + 4)) {
            (b"REJECT", _) => Target::Reject,
            (b"", Some(code)) => match i32::from_ne_bytes([code[0], code[1], code[2], code[3]]) {
                DROP => Target::Drop,
                ACCEPT => Target::Accept,
                place => u32::try_from(place).map_or(Target::Other, Target::Jump),
            },
            _ => Target::Other,
        }
    }

    /// Sends its packets to another place; for those that send them to one.
    pub(super) fn jump_to(&mut self, place: u32) {
        let at = self.target_offset() + PART;
        if let Some(code) = self.bytes.get_mut(at..at + 4) {
            code.copy_from_slice(&place.to_ne_bytes());
        }
    }

    fn target_offset(&self) -> usize {
        let at = format(self.family).target_offset;
        u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]]).into()
    }
}

const fn format(family: Family) -> &'static Format {
    match family {
        Family::V4 => &V4,
        Family::V6 => &V6,
    }
}

/// Writes length and name of a match or target that takes all of `part`.
fn put_part(part: &mut [u8], name: &str) {
    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
    part[..2].copy_from_slice(&length.to_ne_bytes());
    part[2..2 + name.len()].copy_from_slice(name.as_bytes());
}

/// Up to the NUL.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
impl Entry {
    /// An entry without conditions.
    pub(super) fn bare(family: Family, target: Target) -> Self {
        Self::assemble(family, &[], target)
    }
}
