//! [`Borders`]: where WebSocket frames begin and end (RFC 6455, section 5.2), without their bodies.

use crate::io::wire::counted::{Counted, Header, Length};

/// The opcode of a Close frame.
const CLOSE: u8 = 0x8;

/// Follows the frames of one direction. All bytes have a length: reserved opcodes and bits, lengths
/// in more bytes than they need and up to 2^64 - 1, a mask where there should be none, control
/// frames in fragments or above 125 bytes.
pub(super) type Borders = Counted<FrameHeader>;

/// The header of a frame as far as it was seen, and whether a Close frame has begun.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FrameHeader {
    /// The second byte: a bit for the mask, and the length or how many bytes of it follow.
    second: u8,
    length: u64,
    closed: bool,
}

impl Borders {
    /// Whether a Close frame has begun.
    #[inline]
    pub(super) const fn is_closed(&self) -> bool {
        self.header().closed
    }
}

impl FrameHeader {
    /// How many bytes of length follow the first two bytes.
    const fn length_bytes(self) -> u8 {
        match self.second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    const fn mask_bytes(self) -> u8 {
        (self.second >> 7) * 4
    }
}

impl Header for FrameHeader {
    fn on_byte(&mut self, nth: u8, byte: u8) -> Length {
        match nth {
            0 => {
                self.closed |= byte & 0xf == CLOSE;
                return Length::More;
            }
            1 => {
                self.second = byte;
                let short = byte & 0x7f;
                self.length = if short < 126 { short.into() } else { 0 };
            }
            nth if nth < 2 + self.length_bytes() => {
                self.length = self.length << 8 | u64::from(byte);
            }
            _ => {}
        }
        if nth + 1 == 2 + self.length_bytes() + self.mask_bytes() {
            Length::Body(self.length)
        } else {
            Length::More
        }
    }

    #[inline]
    fn on_short(&mut self, bytes: &[u8]) -> Option<(usize, u64)> {
        let [first, second, ..] = *bytes else {
            return None;
        };
        let (length, header) = (second & 0x7f, 2 + usize::from(second >> 7) * 4);
        if length >= 126 || bytes.len() < header {
            return None;
        }
        self.closed |= first & 0xf == CLOSE;
        Some((header, length.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::wire::counted::ends;

    #[test]
    fn every_form_of_header_in_any_chunking() {
        let mut bytes = vec![0x81, 0x00]; // empty
        bytes.extend([0x82, 0x03, 1, 2, 3]);
        bytes.extend([0x89, 0x81, 9, 9, 9, 9, 7]); // masked
        bytes.extend([0x82, 0x7e, 0x00, 0x01, 5]); // not minimal
        bytes.extend([0x02, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 1, 1, 8, 8]); // longest header
        bytes.extend([0xf3, 0x7e, 0, 0]); // reserved bits and opcode
        let expected = [2, 7, 14, 19, 35, 39];
        for step in 1..=bytes.len() {
            assert_eq!(ends::<FrameHeader>(&bytes, step), expected, "step {step}");
        }
    }

    #[test]
    fn the_longest_length_is_only_a_number() {
        let mut borders = Borders::default();
        assert_eq!(borders.follow(&[0x82, 0x7f]), 2);
        assert_eq!(borders.follow(&[0xff; 8]), 8);
        assert_eq!(borders.follow(&[0x88; 4096]), 4096);
        assert!(!borders.is_at_border() && !borders.is_closed());
    }

    #[test]
    fn a_close_is_seen_at_its_first_byte() {
        let mut borders = Borders::default();
        borders.follow(&[0x81, 0x01, 0x88]);
        assert!(!borders.is_closed());
        borders.follow(&[0x88]);
        assert!(borders.is_closed());
    }
}
