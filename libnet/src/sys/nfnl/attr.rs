//! Netlink attributes as bytes (`struct nlattr` of linux/netlink.h): a writer that can't be wrong, and a reader that
//! takes anything and answers with an error at worst.

/// Length of an attribute's header.
const HEADER: usize = 4;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;
/// `NLA_TYPE_MASK`: the type without its two flags.
const TYPE_MASK: u16 = 0x3fff;

/// Bytes that are no attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed netlink attributes")]
pub struct Malformed;

/// Appends attributes to a message.
#[derive(Debug)]
pub(crate) struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    /// Appends to these bytes, which end on a multiple of four.
    pub(crate) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self(bytes)
    }

    /// An attribute of raw bytes. Callers keep it below 64 KiB, the most that its length field can say.
    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) {
        let start = self.open(kind);
        self.0.extend_from_slice(value);
        self.close(start);
    }

    /// A text, with the NUL that the kernel wants.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        let start = self.open(kind);
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
        self.close(start);
    }

    /// A number in network order: nfnetlink's only one.
    pub(crate) fn number(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// A single byte.
    pub(crate) fn byte(&mut self, kind: u16, value: u8) {
        self.bytes(kind, &[value]);
    }

    /// Attributes inside of an attribute.
    pub(crate) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Writer<'_>)) {
        let start = self.open(kind | NESTED);
        fill(&mut Writer(self.0));
        self.close(start);
    }

    /// Attributes inside of an attribute, written already.
    pub(crate) fn nested_bytes(&mut self, kind: u16, value: &[u8]) {
        self.bytes(kind | NESTED, value);
    }

    /// How long the whole message is by now.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn open(&mut self, kind: u16) -> usize {
        let start = self.0.len();
        self.0.extend_from_slice(&[0, 0]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    fn close(&mut self, start: usize) {
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

/// The attributes of a message, read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attrs<'a>(Vec<(u16, &'a [u8])>);

impl<'a> Attrs<'a> {
    /// Reads attributes up to the end of `bytes`.
    pub(crate) fn parse(mut bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut found = Vec::new();
        while bytes.len() >= HEADER {
            let length = usize::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
            let kind = u16::from_ne_bytes([bytes[2], bytes[3]]) & TYPE_MASK;
            let value = bytes.get(HEADER..length).ok_or(Malformed)?;
            found.push((kind, value));
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(Self(found))
    }

    /// The value of an attribute.
    pub(crate) fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.0.iter().find(|(found, _)| *found == kind).map(|(_, value)| *value)
    }

    /// The value of an attribute that has to be there.
    pub(crate) fn need(&self, kind: u16) -> Result<&'a [u8], Malformed> {
        self.get(kind).ok_or(Malformed)
    }

    /// The attributes inside of an attribute; none if it isn't there.
    pub(crate) fn nested(&self, kind: u16) -> Result<Self, Malformed> {
        self.get(kind).map_or(Ok(Self::default()), Self::parse)
    }

    /// A number in network order.
    pub(crate) fn number(&self, kind: u16) -> Result<u32, Malformed> {
        let bytes = self.need(kind)?.try_into().map_err(|_| Malformed)?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// A number in network order, or zero.
    pub(crate) fn number_or_zero(&self, kind: u16) -> Result<u32, Malformed> {
        if self.get(kind).is_some() { self.number(kind) } else { Ok(0) }
    }

    /// A number of 64 bits in network order.
    pub(crate) fn long(&self, kind: u16) -> Option<u64> {
        Some(u64::from_be_bytes(self.get(kind)?.try_into().ok()?))
    }

    /// A number in the host's order, as rtnetlink writes them.
    pub(crate) fn native(&self, kind: u16) -> Option<u32> {
        Some(u32::from_ne_bytes(self.get(kind)?.try_into().ok()?))
    }

    /// A text, up to its NUL.
    pub(crate) fn text(&self, kind: u16) -> Result<&'a str, Malformed> {
        let bytes = self.need(kind)?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        std::str::from_utf8(&bytes[..end]).map_err(|_| Malformed)
    }

    /// All attributes in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &'a [u8])> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_it_wrote(values in prop::collection::vec((1..100u16, prop::collection::vec(any::<u8>(), 0..50)), 0..20)) {
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes);
            for (kind, value) in &values {
                writer.bytes(*kind, value);
            }
            let read = Attrs::parse(&bytes).unwrap();
            let read: Vec<(u16, Vec<u8>)> = read.iter().map(|(kind, value)| (kind, value.to_vec())).collect();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn takes_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(attrs) = Attrs::parse(&bytes) {
                for (kind, _) in attrs.iter() {
                    let _ = (attrs.number(kind), attrs.text(kind), attrs.nested(kind).is_ok());
                }
            }
        }
    }
}
