//! [`Borders`]: where packets begin and end, in a stream that is not judged.
//!
//! A [`Scanner`](super::Scanner) judges, and loses the borders with the first fault. Below a
//! library that judges for itself it is enough to count: a packet with a readable length has a next
//! packet.

/// Follows the packets of one direction, whatever they hold.
#[derive(Debug, Clone, Copy)]
pub(in crate::mqtt) struct Borders {
    /// How many bytes of a fixed header were seen; 0 between packets and in a body.
    seen: u8,
    /// The remaining length as far as it was seen, then the rest of the body.
    left: u32,
    lost: bool,
}

impl Borders {
    pub(in crate::mqtt) const fn new() -> Self {
        Self {
            seen: 0,
            left: 0,
            lost: false,
        }
    }

    /// Whether the next byte begins a packet.
    #[inline]
    pub(in crate::mqtt) const fn is_at_border(self) -> bool {
        self.left == 0 && self.seen == 0 && !self.lost
    }

    /// Whether a length had a fifth byte: there is no border any more.
    pub(in crate::mqtt) const fn is_lost(self) -> bool {
        self.lost
    }

    /// Follows the bytes to the end of the packet, or to their own end. Returns how many were
    /// followed.
    #[inline]
    pub(in crate::mqtt) fn follow(&mut self, bytes: &[u8]) -> usize {
        // The common case: a short packet that is here from its first byte to its last.
        if let (true, &[_, len @ 0..=0x7f, ..]) = (self.is_at_border(), bytes) {
            let size = 2 + usize::from(len);
            if size <= bytes.len() {
                return size;
            }
        }
        self.step(bytes)
    }

    fn step(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        if self.lost {
            return bytes.len();
        }
        if self.left == 0 || self.seen > 0 {
            while let Some(&byte) = bytes.get(at) {
                at += 1;
                if self.on_header(byte) {
                    break;
                }
            }
            if self.lost {
                return bytes.len();
            }
            if self.seen > 0 {
                return at;
            }
        }
        let body = bytes.len().saturating_sub(at).min(self.left as usize);
        self.left -= body as u32;
        at + body
    }

    /// Takes one byte of a fixed header; returns whether it was the last.
    #[inline]
    fn on_header(&mut self, byte: u8) -> bool {
        let seen = self.seen;
        self.seen += 1;
        if seen == 0 {
            return false;
        }
        self.left |= u32::from(byte & 0x7f) << (7 * (seen - 1));
        let is_last = byte & 0x80 == 0;
        if is_last {
            self.seen = 0;
        } else if seen == 4 {
            self.lost = true;
            return true;
        }
        is_last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(bytes: &[u8], step: usize) -> Vec<usize> {
        let (mut borders, mut at, mut ends) = (Borders::new(), 0, Vec::new());
        for mut chunk in bytes.chunks(step) {
            while !chunk.is_empty() {
                let followed = borders.follow(chunk);
                assert!((1..=chunk.len()).contains(&followed));
                chunk = &chunk[followed..];
                at += followed;
                if borders.is_at_border() {
                    ends.push(at);
                }
            }
        }
        ends
    }

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
            assert_eq!(ends(&bytes, step), expected, "step {step}");
        }
    }

    #[test]
    fn the_longest_packet_is_only_a_number() {
        let mut borders = Borders::new();
        assert_eq!(borders.follow(&[0x30, 0xff, 0xff, 0xff, 0x7f]), 5);
        assert_eq!(borders.follow(&[0xc0; 4096]), 4096);
        assert_eq!(borders.left, 0x0fff_ffff - 4096);
        assert!(!borders.is_at_border() && !borders.is_lost());
    }

    #[test]
    fn a_fifth_byte_of_length_loses_the_borders() {
        for step in 1..8 {
            let mut borders = Borders::new();
            for chunk in [0x30, 0x80, 0x80, 0x80, 0x80, 0x00, 0xc0, 0x00].chunks(step) {
                assert_eq!(borders.follow(chunk), chunk.len(), "step {step}");
            }
            assert!(borders.is_lost() && !borders.is_at_border());
        }
    }
}
