//! [`Responses`]: the HTTP/1.1 before the first frame, followed by its responses alone.
//!
//! A connection is used again: requests and responses may pass before one of them asks for an
//! upgrade, and an upgrade may be refused and asked for anew. Bodies have no border that can be
//! seen without reading the request too, and none is needed: a response is over when the asking
//! side speaks again.

/// The longest head that is followed, in bytes; tungstenite reads no longer one either.
const LONGEST: u32 = 1 << 16;

/// The status line of a response up to its status; the minor version is not looked at.
const STATUS_LINE: &[u8] = b"HTTP/1.? ???";

/// The field that only the answer to a WebSocket upgrade has (RFC 6455, 4.2.2).
const ACCEPT: &[u8] = b"sec-websocket-accept:";

/// The responses of one connection, up to the one that switches protocols.
#[derive(Debug, Clone, Copy)]
pub(super) enum Responses {
    /// The next byte belongs to a response's head.
    Head(Head),
    /// A response has come that leaves HTTP as it is. All bytes of the answering side are its body.
    Body,
}

/// What the responses have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Http,
    /// The next byte, in either direction, begins a frame.
    WebSocket,
    /// The connection has switched to another protocol.
    Other,
}

impl Responses {
    pub(super) const fn new() -> Self {
        Self::Head(Head::new())
    }

    /// The asking side has spoken. A head that has begun goes on: it may be an interim response in
    /// the middle of a request.
    pub(super) const fn on_request(&mut self) {
        if matches!(self, Self::Body) {
            *self = Self::new();
        }
    }

    /// Follows bytes of the answering side up to the end of a head; returns how many.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> (usize, Progress) {
        let Self::Head(head) = self else {
            return (bytes.len(), Progress::Http);
        };
        for (at, byte) in bytes.iter().enumerate() {
            match head.on_byte(*byte) {
                None => continue,
                Some(Response::Interim) => *self = Self::new(),
                Some(Response::Final) => *self = Self::Body,
                Some(Response::WebSocket) => return (at + 1, Progress::WebSocket),
                Some(Response::Other) => return (at + 1, Progress::Other),
            }
            return (at + 1, Progress::Http);
        }
        (bytes.len(), Progress::Http)
    }
}

/// What a response says about the bytes behind its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Response {
    /// 1xx: another response to the same request follows.
    Interim,
    /// The request is answered, or the bytes are no response that can be followed.
    Final,
    /// 101 for a WebSocket.
    WebSocket,
    /// 101 for another protocol.
    Other,
}

/// Follows one head to the empty line that ends it. Lines end with a line feed, with or without a
/// carriage return before it; empty lines before the first are passed over, as HTTP parsers do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    seen: u32,
    /// Bytes of the current line, carriage returns not counted.
    column: u32,
    is_first_line: bool,
    status: u16,
    /// So far the current line is the field [`ACCEPT`].
    may_accept: bool,
    accepts: bool,
}

impl Head {
    const fn new() -> Self {
        Self {
            seen: 0,
            column: 0,
            is_first_line: true,
            status: 0,
            may_accept: false,
            accepts: false,
        }
    }

    /// Takes one byte; `Some` when the head is over, or given up.
    fn on_byte(&mut self, byte: u8) -> Option<Response> {
        self.seen += 1;
        if self.seen > LONGEST {
            return Some(self.response(false));
        }
        match (byte, self.column) {
            (b'\r', _) => {}
            (b'\n', 0) if self.is_first_line => {}
            (b'\n', 0) => return Some(self.response(self.accepts)),
            (b'\n', column) => {
                if self.is_first_line && (column as usize) < STATUS_LINE.len() {
                    return Some(Response::Final);
                }
                self.is_first_line = false;
                self.column = 0;
                self.may_accept = true;
            }
            (byte, column) => {
                if self.is_first_line {
                    if !self.on_status_line(column as usize, byte) {
                        return Some(Response::Final);
                    }
                } else if self.may_accept {
                    self.on_field(column as usize, byte);
                }
                self.column += 1;
            }
        }
        None
    }

    /// Whether `byte` may stand at `column` of a response's first line.
    fn on_status_line(&mut self, column: usize, byte: u8) -> bool {
        match STATUS_LINE.get(column) {
            Some(b'?') if byte.is_ascii_digit() => {
                // The minor version is shifted out by the three digits of the status.
                self.status = self.status % 100 * 10 + u16::from(byte - b'0');
                true
            }
            Some(expected) => byte == *expected,
            None => column > STATUS_LINE.len() || byte == b' ',
        }
    }

    fn on_field(&mut self, column: usize, byte: u8) {
        self.may_accept = ACCEPT.get(column) == Some(&byte.to_ascii_lowercase());
        self.accepts |= self.may_accept && column + 1 == ACCEPT.len();
    }

    const fn response(&self, accepts: bool) -> Response {
        match (self.status, accepts) {
            (101, true) => Response::WebSocket,
            (101, false) => Response::Other,
            (100..=199, _) if self.seen <= LONGEST => Response::Interim,
            _ => Response::Final,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the first head of `text` ends, and what it says.
    fn head(text: &[u8]) -> (usize, Option<Response>) {
        let mut head = Head::new();
        for (at, byte) in text.iter().enumerate() {
            if let Some(response) = head.on_byte(*byte) {
                return (at + 1, Some(response));
            }
        }
        (text.len(), None)
    }

    #[test]
    fn only_a_101_that_accepts_begins_frames() {
        use Response::{Final, Interim, Other, WebSocket};
        let heads: [(&str, Response); 14] = [
            (
                "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n",
                WebSocket,
            ),
            ("HTTP/1.1 101\nA: b\nSEC-WEBSOCKET-ACCEPT:x\n\n", WebSocket),
            (
                "\r\n\nHTTP/1.0 101 x\r\nsec-websocket-accept: x\r\nB: c\r\n\n",
                WebSocket,
            ),
            ("HTTP/1.1 101 x\r\nUpgrade: tcp\r\n\r\n", Other),
            ("HTTP/1.1 101 x\r\nX-Sec-WebSocket-Accept: x\r\n\r\n", Other),
            (
                "HTTP/1.1 101 x\r\nA: Sec-WebSocket-Accept: x\r\n\r\n",
                Other,
            ),
            (
                "HTTP/1.1 101 x\r\nA: b\r\n Sec-WebSocket-Accept: x\r\n\r\n",
                Other,
            ),
            ("HTTP/1.1 101 x\r\nSec-WebSocket-Accept x\r\n\r\n", Other),
            ("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", Interim),
            ("HTTP/1.1 100\r\n\r\n", Interim),
            ("HTTP/1.1 200 OK\r\nSec-WebSocket-Accept: x\r\n\r\n", Final),
            ("HTTP/1.1 401 x\r\nX: HTTP/1.1 101\r\n\r\n", Final),
            ("HTTP/1.1 999 x\r\n\r\n", Final),
            ("HTTP/1.1 001 x\r\n\r\n", Final),
        ];
        for (text, response) in heads {
            let bytes = [text.as_bytes(), &[0x81, 0]].concat();
            assert_eq!(head(&bytes), (text.len(), Some(response)), "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_response_are_given_up_at_the_first_wrong_one() {
        for (text, at) in [
            ("HTTP/2 101 x\r\n\r\n", 6),
            ("GET / HTTP/1.1\r\n", 1),
            ("HTTP/1.1 1010 x\r\n", 13),
            ("HTTP/1.1 10\r\n1 101: x\r\n\r\n", 13),
            ("HTTP/1.1  101\r\n\r\n", 10),
            ("\x16\x03\x01", 1),
        ] {
            assert_eq!(
                head(text.as_bytes()),
                (at, Some(Response::Final)),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        let endless = |status: &str| {
            let mut head = format!("HTTP/1.1 {status} x\r\nSec-WebSocket-Accept: ").into_bytes();
            head.resize(LONGEST as usize + 7, b'a');
            head
        };
        for (status, response) in [
            ("101", Response::Other),
            ("103", Response::Final),
            ("200", Response::Final),
        ] {
            let text = endless(status);
            assert_eq!(head(&text), (LONGEST as usize + 1, Some(response)));
            assert_eq!(head(&text[..LONGEST as usize]).1, None);
        }
    }

    /// The places where heads end, and what the responses come to, in pieces of `step`.
    fn follow(bytes: &[u8], step: usize) -> (usize, Progress) {
        let (mut responses, mut at) = (Responses::new(), 0);
        for mut chunk in bytes.chunks(step) {
            while !chunk.is_empty() {
                let (followed, progress) = responses.follow(chunk);
                at += followed;
                if progress != Progress::Http {
                    return (at, progress);
                }
                chunk = &chunk[followed..];
            }
        }
        (at, Progress::Http)
    }

    #[test]
    fn interim_responses_lead_to_the_next_head_in_any_chunking() {
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        let switch = "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: x\r\n\r\n";
        let over = interim.len() + switch.len();
        let bytes = [interim, switch, "frames"].concat();
        let refused = [interim, "HTTP/1.1 403 No\r\n\r\n", switch].concat();
        for step in 1..=bytes.len() {
            assert_eq!(follow(bytes.as_bytes(), step), (over, Progress::WebSocket));
            // In the body of a response a head is only text.
            let whole = (refused.len(), Progress::Http);
            assert_eq!(follow(refused.as_bytes(), step), whole);
        }
    }

    #[test]
    fn the_next_request_leads_to_the_next_head() {
        let switch = b"HTTP/1.1 101 x\r\nSec-WebSocket-Accept: x\r\n\r\n";
        let mut responses = Responses::new();
        for _ in 0..3 {
            responses.on_request();
            let refusal = b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n";
            assert_eq!(responses.follow(refusal), (refusal.len(), Progress::Http));
            assert_eq!(responses.follow(b"no"), (2, Progress::Http));
        }
        responses.on_request();
        let (first, rest) = switch.split_at(20);
        assert_eq!(responses.follow(first).1, Progress::Http);
        responses.on_request(); // the body of the request; the head that has begun goes on
        assert_eq!(responses.follow(rest), (rest.len(), Progress::WebSocket));
    }
}
