//! [`Head`]: the HTTP/1.1 head before the first frame, in one direction.

/// The longest head that is followed, in bytes; tungstenite reads no longer one either.
const LONGEST: u32 = 1 << 16;

/// What a response to an upgrade begins with; the minor version is not looked at.
const SWITCHING: &[u8] = b"HTTP/1.? 101";

/// Follows a head to the empty line that ends it. Lines end with a line feed, with or without a
/// carriage return before it; empty lines before the first are passed over, as HTTP parsers do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    seen: u32,
    /// Bytes of the current line, carriage returns not counted.
    line: u32,
    /// The first line has begun.
    begun: bool,
    /// The first line is over.
    first_over: bool,
    /// So far the first line is that of a response that switches protocols.
    switching: bool,
}

/// What a head has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    /// It has ended. `switching` is whether it is a response with status 101.
    Over {
        switching: bool,
    },
    TooLong,
}

impl Head {
    pub(super) const fn new() -> Self {
        Self {
            seen: 0,
            line: 0,
            begun: false,
            first_over: false,
            switching: true,
        }
    }

    /// Follows the bytes up to the end of the head; returns how many.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> (usize, Progress) {
        for (at, byte) in bytes.iter().enumerate() {
            self.seen += 1;
            if self.on_byte(*byte) {
                let switching = self.switching;
                return (at + 1, Progress::Over { switching });
            }
            if self.seen == LONGEST {
                return (bytes.len(), Progress::TooLong);
            }
        }
        (bytes.len(), Progress::More)
    }

    /// Takes one byte; returns whether it ends the head.
    fn on_byte(&mut self, byte: u8) -> bool {
        match byte {
            b'\r' => {}
            b'\n' if self.line == 0 => return self.begun,
            b'\n' => {
                self.switching &= self.first_over || self.line >= SWITCHING.len() as u32;
                self.first_over = true;
                self.line = 0;
            }
            _ => {
                if !self.first_over {
                    self.switching &= fits(self.line as usize, byte);
                }
                self.begun = true;
                self.line += 1;
            }
        }
        false
    }
}

/// Whether `byte` may stand at `at` in the first line of a response that switches protocols.
fn fits(at: usize, byte: u8) -> bool {
    match SWITCHING.get(at) {
        Some(b'?') => byte.is_ascii_digit(),
        Some(expected) => byte == *expected,
        None => at > SWITCHING.len() || byte == b' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(text: &[u8], step: usize) -> (usize, Progress) {
        let (mut head, mut at) = (Head::new(), 0);
        for chunk in text.chunks(step) {
            let (followed, progress) = head.follow(chunk);
            at += followed;
            if progress != Progress::More {
                return (at, progress);
            }
        }
        (at, Progress::More)
    }

    #[test]
    fn the_empty_line_ends_it_in_any_chunking() {
        let heads: [(&str, bool); 10] = [
            ("HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n", true),
            ("HTTP/1.0 101 x\r\n\r\n", true),
            ("HTTP/1.1 101\r\n\r\n", true),
            ("HTTP/1.1 101\n\n", true),
            ("\r\n\r\nHTTP/1.1 101 After empty lines\nA: b\r\n\n", true),
            ("HTTP/1.1 200 OK\r\nX: HTTP/1.1 101\r\n\r\n", false),
            ("HTTP/1.1 1010 x\r\n\r\n", false),
            ("HTTP/1.1 10\r\n1 101: x\r\n\r\n", false),
            ("HTTP/2 101 x\r\n\r\n", false),
            ("GET /HTTP/1.1 101 HTTP/1.1\r\nHost: a\r\n\r\n", false),
        ];
        for (text, switching) in heads {
            let mut bytes = text.as_bytes().to_vec();
            bytes.extend([0x81, 0x00]);
            for step in 1..=bytes.len() {
                let expected = (text.len(), Progress::Over { switching });
                assert_eq!(
                    follow(&bytes, step),
                    expected,
                    "{text:?} in steps of {step}"
                );
            }
        }
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        let endless = vec![b'a'; LONGEST as usize + 7];
        assert_eq!(follow(&endless, 1000).1, Progress::TooLong);
        assert_eq!(follow(&endless[..1000], 1000).1, Progress::More);
    }
}
