//! [`Borders`]: where WebSocket frames begin and end (RFC 6455, section 5.2), without their bodies.

/// The opcode of a Close frame.
const CLOSE: u8 = 0x8;

/// Follows the frames of one direction. Whatever the bytes are, they have a length: reserved
/// opcodes and bits, lengths in more bytes than they need and up to 2^64 - 1, a mask where there
/// should be none, control frames in fragments or above 125 bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Borders {
    /// How many bytes of a header were seen; none between frames and in a body.
    seen: u8,
    /// The second of them.
    second: u8,
    /// The length as far as it was seen, then what is left of the body.
    left: u64,
    closed: bool,
}

impl Borders {
    /// Whether the next byte begins a frame.
    #[inline]
    pub(super) const fn is_at_border(&self) -> bool {
        self.seen == 0 && self.left == 0
    }

    /// Whether a Close frame has begun.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Follows the bytes up to and with the end of the frame they are in, or to their end; returns how
    /// many.
    #[inline]
    pub(super) fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        if self.seen > 0 || self.left == 0 {
            at = self.follow_header(bytes);
            if self.seen > 0 {
                return at;
            }
        }
        let body = usize::try_from(self.left).unwrap_or(usize::MAX);
        let body = body.min(bytes.len() - at);
        self.left -= body as u64;
        at + body
    }

    /// Follows a header to its end or to the end of the bytes; returns how many.
    #[inline]
    fn follow_header(&mut self, bytes: &[u8]) -> usize {
        // Most headers are short and whole.
        if let (0, [first, second, ..]) = (self.seen, bytes) {
            let (short, mask) = (second & 0x7f, usize::from(second >> 7) * 4);
            if short < 126 && bytes.len() >= 2 + mask {
                self.closed |= first & 0xf == CLOSE;
                self.left = u64::from(short);
                return 2 + mask;
            }
        }
        for (at, byte) in bytes.iter().enumerate() {
            if self.on_header(*byte) {
                return at + 1;
            }
        }
        bytes.len()
    }

    /// Takes one byte of a header; returns whether it was the last.
    fn on_header(&mut self, byte: u8) -> bool {
        match self.seen {
            0 => self.closed |= byte & 0xf == CLOSE,
            1 => {
                self.second = byte;
                let short = byte & 0x7f;
                self.left = if short < 126 { u64::from(short) } else { 0 };
            }
            nth if nth < 2 + self.length_bytes() => self.left = self.left << 8 | u64::from(byte),
            _ => {}
        }
        self.seen += 1;
        let mask = if self.second & 0x80 == 0 { 0 } else { 4 };
        let whole = self.seen >= 2 && self.seen == 2 + self.length_bytes() + mask;
        if whole {
            self.seen = 0;
        }
        whole
    }

    /// How many bytes of length follow the first two bytes.
    const fn length_bytes(&self) -> u8 {
        match self.second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the frames end, when the bytes are followed in pieces of `step`.
    fn ends(bytes: &[u8], step: usize) -> Vec<usize> {
        let (mut frames, mut at, mut ends) = (Borders::default(), 0, Vec::new());
        for chunk in bytes.chunks(step) {
            let mut rest = chunk;
            while !rest.is_empty() {
                let followed = frames.follow(rest);
                assert!((1..=rest.len()).contains(&followed));
                rest = &rest[followed..];
                at += followed;
                if frames.is_at_border() {
                    ends.push(at);
                }
            }
        }
        ends
    }

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
            assert_eq!(ends(&bytes, step), expected, "step {step}");
        }
    }

    #[test]
    fn the_longest_length_is_only_a_number() {
        let mut frames = Borders::default();
        assert_eq!(frames.follow(&[0x82, 0x7f]), 2);
        assert_eq!(frames.follow(&[0xff; 8]), 8);
        assert_eq!(frames.follow(&[0x88; 4096]), 4096);
        assert_eq!(frames.left, u64::MAX - 4096);
        assert!(!frames.is_at_border() && !frames.is_closed());
    }

    #[test]
    fn a_close_is_seen_at_its_first_byte() {
        let mut frames = Borders::default();
        frames.follow(&[0x81, 0x01, 0x88]);
        assert!(!frames.is_closed());
        frames.follow(&[0x88]);
        assert!(frames.is_closed());
    }
}
