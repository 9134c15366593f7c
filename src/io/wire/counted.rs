//! [`Counted`]: where frames begin and end whose header says how long the body is.
//!
//! For a [`Wire`](super::Wire) below a library that judges the frames itself. Bodies are counted
//! and not kept, so the state is a few bytes, and no input is too odd: a length is only a number.

/// A protocol's frame header, followed byte by byte.
pub(crate) trait Header: Copy {
    /// Takes the next byte of a header, the `nth` of it from zero.
    fn on_byte(&mut self, nth: u8, byte: u8) -> Length;

    /// Takes the whole header that `bytes` begin with, if it is of the most common form; returns
    /// its size and the body's. `None` leaves the header as it was.
    fn on_short(&mut self, bytes: &[u8]) -> Option<(usize, u64)>;
}

/// What a header has said so far about the body behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// The header goes on.
    More,
    /// That was the header's last byte; so many bytes of body follow.
    Body(u64),
    /// The length cannot be read: no border is known from here on.
    Lost,
}

/// Follows the frames of one direction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted<H> {
    header: H,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// In a header of which so many bytes were seen; none of them at a border.
    Header(u8),
    /// In a body, of which so many bytes are left: at least one.
    Body(u64),
    Lost,
}

impl Default for Place {
    fn default() -> Self {
        Self::Header(0)
    }
}

impl<H: Header> Counted<H> {
    pub(crate) const fn header(&self) -> &H {
        &self.header
    }

    /// Whether the next byte begins a frame.
    #[inline]
    pub(crate) const fn is_at_border(&self) -> bool {
        matches!(self.place, Place::Header(0))
    }

    /// Whether a header could not be read: there is no border any more.
    pub(crate) const fn is_lost(&self) -> bool {
        matches!(self.place, Place::Lost)
    }

    /// Follows the bytes up to and with the end of the frame they are in, or to their end; returns
    /// how many.
    #[inline]
    pub(crate) fn follow(&mut self, bytes: &[u8]) -> usize {
        let (at, body) = match self.place {
            Place::Body(left) => (0, left),
            Place::Header(seen) => {
                let short = if seen == 0 {
                    self.header.on_short(bytes)
                } else {
                    None
                };
                match short.or_else(|| self.on_header(seen, bytes)) {
                    Some(header) => header,
                    None => return bytes.len(),
                }
            }
            Place::Lost => return bytes.len(),
        };
        let here = (bytes.len() - at).min(usize::try_from(body).unwrap_or(usize::MAX));
        let left = body - here as u64;
        self.place = if left == 0 {
            Place::Header(0)
        } else {
            Place::Body(left)
        };
        at + here
    }

    /// Follows a header to its end; returns how many bytes that took and the size of the body.
    /// `None` if all the bytes were taken and no body has begun.
    fn on_header(&mut self, mut seen: u8, bytes: &[u8]) -> Option<(usize, u64)> {
        for (at, byte) in bytes.iter().enumerate() {
            match self.header.on_byte(seen, *byte) {
                Length::More => seen += 1,
                Length::Body(body) => return Some((at + 1, body)),
                Length::Lost => {
                    self.place = Place::Lost;
                    return None;
                }
            }
        }
        self.place = Place::Header(seen);
        None
    }
}

/// Where the frames in `bytes` end, when they are followed in pieces of `step`.
#[cfg(test)]
pub(crate) fn ends<H: Header + Default>(bytes: &[u8], step: usize) -> Vec<usize> {
    let (mut borders, mut at, mut ends) = (Counted::<H>::default(), 0, Vec::new());
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Two bytes of length; 0xffff cannot be read. A body of one byte is the common form.
    #[derive(Debug, Clone, Copy, Default)]
    struct Two(u8);

    impl Header for Two {
        fn on_byte(&mut self, nth: u8, byte: u8) -> Length {
            match (nth, self.0, byte) {
                (0, ..) => {
                    self.0 = byte;
                    Length::More
                }
                (_, 0xff, 0xff) => Length::Lost,
                (_, first, second) => Length::Body(u64::from(first) << 8 | u64::from(second)),
            }
        }

        fn on_short(&mut self, bytes: &[u8]) -> Option<(usize, u64)> {
            bytes.starts_with(&[0, 1]).then_some((2, 1))
        }
    }

    #[test]
    fn frames_end_in_the_same_places_in_any_chunking() {
        let mut bytes = vec![0, 1, 9, 0, 0, 0, 3, 7, 7, 7, 1, 0];
        bytes.extend([0; 256]);
        for step in 1..=bytes.len() {
            assert_eq!(ends::<Two>(&bytes, step), [3, 5, 10, 268], "step {step}");
        }
    }

    #[test]
    fn a_lost_border_never_comes_back() {
        for step in 1..8 {
            let bytes = [0, 1, 9, 0xff, 0xff, 0, 0, 0, 1, 9];
            assert_eq!(ends::<Two>(&bytes, step), [3], "step {step}");
            let mut borders = Counted::<Two>::default();
            for chunk in bytes[3..].chunks(step) {
                assert_eq!(borders.follow(chunk), chunk.len());
            }
            assert!(borders.is_lost() && !borders.is_at_border());
        }
    }
}
