//! [`Borders`]: where packets begin and end, for one who lets everything pass.
//!
//! A [`Scanner`](super::Scanner) is a judge, and loses the borders with the first fault. Below a
//! library that judges for itself it is enough to count: as long as the length of a packet can be
//! read, there is a next packet.

use crate::io::wire::counted::{Counted, Header, Length};

/// Follows the packets of one direction behind the handshake, whatever they are. A fifth byte of
/// length loses the borders.
pub(in crate::mqtt) type Borders = Counted<FixedHeader>;

/// The remaining length of a packet, as far as it was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::mqtt) struct FixedHeader(u32);

impl Header for FixedHeader {
    #[inline]
    fn on_byte(&mut self, nth: u8, byte: u8) -> Length {
        if nth == 0 {
            self.0 = 0;
            return Length::More;
        }
        self.0 |= u32::from(byte & 0x7f) << (7 * (nth - 1));
        match (byte & 0x80, nth) {
            (0, _) => Length::Body(self.0.into()),
            (_, 4) => Length::Lost,
            _ => Length::More,
        }
    }

    #[inline]
    fn on_short(&mut self, bytes: &[u8]) -> Option<(usize, u64)> {
        match *bytes {
            [_, length @ 0..=0x7f, ..] => Some((2, length.into())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::wire::counted::ends;

    #[test]
    fn every_length_of_length_in_any_chunking() {
        let mut bytes = vec![0xc0, 0x00];
        bytes.extend([0x30, 0x03, 1, 2, 3]);
        bytes.extend([0x00, 0x81, 0x00, 9]); // a reserved type; not the shortest form
        bytes.extend([0x30, 0x80, 0x01]);
        bytes.extend([7; 128]);
        bytes.extend([0x30, 0x81, 0x80, 0x80, 0x00, 5]);
        bytes.extend([0xd0, 0x80, 0x80, 0x00]);
        let expected = [2, 7, 11, 142, 148, 152];
        for step in 1..=bytes.len() {
            assert_eq!(ends::<FixedHeader>(&bytes, step), expected, "step {step}");
        }
    }

    #[test]
    fn the_longest_packet_is_only_a_number() {
        let mut borders = Borders::default();
        assert_eq!(borders.follow(&[0x30, 0xff, 0xff, 0xff, 0x7f]), 5);
        let chunk = [0xc0; 4096];
        for _ in 0..0x0fff_ffff / chunk.len() {
            assert_eq!(borders.follow(&chunk), chunk.len());
        }
        assert!(!borders.is_at_border() && !borders.is_lost());
        assert_eq!(borders.follow(&chunk), chunk.len() - 1);
        assert!(borders.is_at_border());
    }

    #[test]
    fn a_fifth_byte_of_length_loses_the_borders() {
        for step in 1..8 {
            let mut borders = Borders::default();
            for chunk in [0x30, 0x80, 0x80, 0x80, 0x80, 0x00, 0xc0, 0x00].chunks(step) {
                assert_eq!(borders.follow(chunk), chunk.len(), "step {step}");
            }
            assert!(borders.is_lost() && !borders.is_at_border());
        }
    }
}
