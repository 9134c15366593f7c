//! [`Frames`]: ping and pong frames, as [`tungstenite`] messages.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use bytes::Bytes;
use tungstenite::Message;

use crate::error::ConfigError;
use crate::ping_pong::{Inbound, Protocol};
use crate::seq::{Answers, Seq};

/// The most a control frame carries (RFC 6455, 5.5).
const MOST_PAYLOAD: usize = 125;
/// The digits of the largest [`Seq`].
const MOST_DIGITS: usize = 20;

/// Ping and pong frames: the [`Protocol`] of a `WebSocketStream`, client or server.
///
/// * Each ping carries a payload of its own, such as `9f3a61c2.17`: a prefix of this connection and
///   the ping's number. Only a pong with that payload answers it, and all pings before it (RFC 6455,
///   5.5.3). The payload is plain ASCII, since some peers take it for text.
/// * Any other pong is a sign of life and answers nothing. So pongs may be sent as a one-way
///   heartbeat, and pings of your own, sent through the sink, do not disturb the measurement; their
///   pongs are not shown to you.
/// * A ping of the peer is answered by `tungstenite` itself, once. [`Frames`] adds no second
///   answer, and [`PingPong`](crate::PingPong) sees to it that the answer leaves at once instead of
///   with the next write. Do not answer pings by hand: `tungstenite` keeps one slot for a pong, and
///   yours would replace its own.
/// * A close is data: you see it, and the close handshake goes its way.
///
/// A browser answers ping frames from its network process, also while the page is frozen: to watch
/// the page use [`Text`](super::Text).
///
/// ```
/// use liveness::websocket::Frames;
/// use liveness::{Answers, Inbound, Protocol, Seq};
/// use tungstenite::Message;
///
/// let mut frames = Frames::new();
/// let Message::Ping(payload) = frames.ping(Seq::new(17)) else { panic!() };
/// assert_eq!(frames.classify(Message::Pong(payload)), Inbound::Pong(Answers::Ping(Seq::new(17))));
/// assert_eq!(frames.classify(Message::Ping("hi".into())), Inbound::Ping { reply: None });
/// assert_eq!(frames.classify("hi".into()), Inbound::Data("hi".into()));
/// ```
#[derive(Debug, Clone)]
pub struct Frames {
    prefix: String,
}

impl Frames {
    /// The longest prefix: a control frame's 125 bytes less the digits of a number.
    ///
    /// ```
    /// assert_eq!(liveness::websocket::Frames::LONGEST_PREFIX, 105);
    /// ```
    pub const LONGEST_PREFIX: usize = MOST_PAYLOAD - MOST_DIGITS;

    /// Pings with a random prefix of eight hexadecimal digits and a point.
    ///
    /// It comes from the standard library's hash keys: good enough to tell two heartbeats on one
    /// connection apart, and no secret.
    ///
    /// ```
    /// let frames = liveness::websocket::Frames::new();
    /// # drop(frames);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let random = RandomState::new().hash_one(MOST_PAYLOAD);
        let prefix = format!("{:08x}.", random as u32);
        Self { prefix }
    }

    /// Pings whose payload is `prefix` and then the number in decimal.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for more than [`LONGEST_PREFIX`](Self::LONGEST_PREFIX) bytes.
    ///
    /// ```
    /// use liveness::websocket::Frames;
    /// use liveness::{Protocol, Seq};
    /// use tungstenite::Message;
    ///
    /// let mut frames = Frames::with_prefix("beat ")?;
    /// assert_eq!(frames.ping(Seq::new(3)), Message::Ping("beat 3".into()));
    /// assert_eq!(
    ///     Frames::with_prefix("x".repeat(200)).unwrap_err().to_string(),
    ///     "prefix length (200) is outside 0..=105",
    /// );
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn with_prefix(prefix: impl Into<String>) -> Result<Self, ConfigError> {
        let prefix = prefix.into();
        if prefix.len() > Self::LONGEST_PREFIX {
            return Err(ConfigError::OutOfRange {
                name: "prefix length",
                value: prefix.len() as u64,
                least: 0,
                most: Self::LONGEST_PREFIX as u64,
            });
        }
        Ok(Self { prefix })
    }

    fn payload(&self, seq: Seq) -> Bytes {
        format!("{}{}", self.prefix, seq.value()).into()
    }

    /// The number in a pong's payload, if it is one that [`payload`](Self::payload) writes.
    fn number(&self, payload: &[u8]) -> Option<Seq> {
        let digits = payload.strip_prefix(self.prefix.as_bytes())?;
        let canonical = matches!(digits, [b'0'] | [b'1'..=b'9', ..]);
        let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
        canonical.then_some(Seq::new(number))
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

impl Protocol for Frames {
    type Message = Message;

    fn ping(&mut self, seq: Seq) -> Message {
        Message::Ping(self.payload(seq))
    }

    fn classify(&mut self, message: Message) -> Inbound<Message> {
        match message {
            Message::Ping(_) => Inbound::Ping { reply: None },
            Message::Pong(payload) => Inbound::Pong(
                self.number(&payload)
                    .map_or(Answers::Nothing, Answers::Ping),
            ),
            data => Inbound::Data(data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_connections_do_not_take_each_others_pongs() {
        let (mut ours, mut theirs) = (Frames::new(), Frames::new());
        let Message::Ping(payload) = theirs.ping(Seq::new(0)) else {
            panic!("not a ping")
        };
        let pong = Message::Pong(payload);
        assert_eq!(ours.classify(pong.clone()), Inbound::Pong(Answers::Nothing));
        assert_eq!(
            theirs.classify(pong),
            Inbound::Pong(Answers::Ping(Seq::new(0)))
        );
    }

    #[test]
    fn only_the_payload_as_written_answers() {
        let mut frames = Frames::with_prefix("p").unwrap();
        for payload in [
            "",
            "p",
            "p-1",
            "p+1",
            "p01",
            "p1 ",
            " p1",
            "1",
            "P1",
            "p1p1",
            "p\u{661}",
            "p18446744073709551616",
        ] {
            let pong = Message::Pong(payload.into());
            assert_eq!(
                frames.classify(pong),
                Inbound::Pong(Answers::Nothing),
                "{payload:?}"
            );
        }
        for number in [0, 1, 10, u64::MAX - 1] {
            let seq = Seq::new(number);
            let pong = Message::Pong(frames.payload(seq));
            assert_eq!(frames.classify(pong), Inbound::Pong(Answers::Ping(seq)));
        }
        let invalid = Message::Pong(Bytes::from_static(b"p\xff"));
        assert_eq!(frames.classify(invalid), Inbound::Pong(Answers::Nothing));
    }

    #[test]
    fn the_longest_payload_fits_a_control_frame() {
        let mut frames = Frames::with_prefix("x".repeat(Frames::LONGEST_PREFIX)).unwrap();
        let ping = frames.ping(Seq::new(u64::MAX));
        assert_eq!(ping.len(), MOST_PAYLOAD);
    }

    #[test]
    fn everything_but_heartbeats_is_data() {
        let mut frames = Frames::new();
        for message in [
            Message::text("ping"),
            Message::binary(vec![0x89, 0]),
            Message::Close(None),
        ] {
            assert_eq!(frames.classify(message.clone()), Inbound::Data(message));
        }
    }
}
