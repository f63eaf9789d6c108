//! Docker's frames: eight bytes (stream, three zeros, length in network order), then so many bytes. Pure.

use crate::output::To;

/// Takes frames apart, however they are cut when they arrive.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    header: Vec<u8>,
    to: Option<To>,
    left: usize,
}

impl Demux {
    /// The pieces that these bytes hold, in order.
    pub(crate) fn feed<'b>(&mut self, mut bytes: &'b [u8]) -> Vec<(To, &'b [u8])> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            if self.left == 0 {
                let take = (8 - self.header.len()).min(bytes.len());
                self.header.extend_from_slice(&bytes[..take]);
                bytes = &bytes[take..];
                self.begin();
                continue;
            }
            let take = self.left.min(bytes.len());
            if let Some(to) = self.to {
                pieces.push((to, &bytes[..take]));
            }
            self.left -= take;
            bytes = &bytes[take..];
        }
        pieces
    }

    /// A frame, once its header is whole. The daemon's own errors are stream 3.
    fn begin(&mut self) {
        let [stream, _, _, _, a, b, c, d] = self.header[..] else { return };
        self.to = Some(if stream == 0 || stream == 1 { To::Stdout } else { To::Stderr });
        self.left = u32::from_be_bytes([a, b, c, d]) as usize;
        self.header.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(stream: u8, text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0][..], &length, text].concat()
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_frames_are_cut(
            frames in prop::collection::vec((1u8..3, prop::collection::vec(any::<u8>(), 0..20)), 0..8),
            cut in 1usize..13,
        ) {
            let wire: Vec<u8> = frames.iter().flat_map(|(s, t)| frame(*s, t)).collect();
            let mut demux = Demux::default();
            let (mut out, mut err) = (Vec::new(), Vec::new());
            for chunk in wire.chunks(cut) {
                for (to, bytes) in demux.feed(chunk) {
                    if to == To::Stdout { out.extend_from_slice(bytes) } else { err.extend_from_slice(bytes) }
                }
            }
            let of = |n: u8| frames.iter().filter(|(s, _)| *s == n).flat_map(|(_, t)| t.clone()).collect::<Vec<u8>>();
            prop_assert_eq!(out, of(1));
            prop_assert_eq!(err, of(2));
        }
    }
}
