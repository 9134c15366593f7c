//! [`Frames`]: ping and pong frames as messages.

use bytes::Bytes;

use super::close::last_word;
use super::library::{Content, Library, Tungstenite};
use crate::error::ConfigError;
use crate::jitter::seed;
use crate::keepalive::Dead;
use crate::ping_pong::{Inbound, Protocol};
use crate::seq::{Answers, Seq};

/// The most a control frame carries (RFC 6455, 5.5).
const MOST_PAYLOAD: usize = 125;
/// The digits of the largest [`Seq`].
const MOST_DIGITS: usize = 20;

/// Ping and pong frames: the [`Protocol`] of a WebSocket stream, client or server, in the messages
/// of the library `L`.
///
/// * Each ping carries a payload of its own, such as `9f3a61c2.17`: a prefix of this connection and
///   the ping's number. Only a pong with that payload answers it, and all pings before it (RFC
///   6455, 5.5.3). The payload is plain ASCII, since some peers take it for text.
/// * Any other pong is a sign of life and answers nothing. So pongs may be sent as a one-way
///   heartbeat, and pings of your own, sent through the sink, do not disturb the measurement; their
///   pongs are not shown to you.
/// * A ping of the peer is answered by the library itself, once. No second answer is added, and
///   [`PingPong`](crate::PingPong) sees to it that the answer leaves at once instead of with the
///   next write. Do not answer pings by hand: `tungstenite` keeps one slot for a pong, and yours
///   would replace its own.
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
/// let mut frames = Frames::new().prefix("beat ")?;
/// assert_eq!(frames.ping(Seq::new(17)), Message::Ping("beat 17".into()));
/// let pong = frames.classify(Message::Pong("beat 17".into()));
/// assert_eq!(pong, Inbound::Pong(Answers::Ping(Seq::new(17))));
/// let foreign = frames.classify(Message::Pong("17".into()));
/// assert_eq!(foreign, Inbound::Pong(Answers::Nothing));
/// assert_eq!(frames.classify(Message::Ping("hi".into())), Inbound::Ping { reply: None });
/// assert_eq!(frames.classify("hi".into()), Inbound::Data("hi".into()));
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Frames<L = Tungstenite> {
    library: L,
    prefix: String,
}

#[cfg(feature = "tungstenite")]
#[cfg_attr(docsrs, doc(cfg(feature = "tungstenite")))]
impl Frames {
    /// Pings in the messages of `tungstenite` 0.30: [`over(Tungstenite)`](Self::over).
    #[must_use]
    pub fn new() -> Self {
        Self::over(Tungstenite)
    }
}

impl<L: Library> Frames<L> {
    /// The longest prefix: a control frame's 125 bytes less the digits of a number.
    pub const LONGEST_PREFIX: usize = MOST_PAYLOAD - MOST_DIGITS;

    /// Pings in the messages of `library`, with a random prefix of eight hexadecimal digits and a
    /// point.
    ///
    /// It comes from the standard library's hash keys: good enough to tell two heartbeats on one
    /// connection apart, and no secret.
    #[must_use]
    pub fn over(library: L) -> Self {
        let prefix = format!("{:08x}.", seed() as u32);
        Self { library, prefix }
    }

    /// Pings whose payload is `prefix` and then the number in decimal.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for more than [`LONGEST_PREFIX`](Self::LONGEST_PREFIX) bytes.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Result<Self, ConfigError> {
        self.prefix = prefix.into();
        if self.prefix.len() > Self::LONGEST_PREFIX {
            return Err(ConfigError::OutOfRange {
                name: "prefix length",
                value: self.prefix.len() as u64,
                least: 0,
                most: Self::LONGEST_PREFIX as u64,
            });
        }
        Ok(self)
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

#[cfg(feature = "tungstenite")]
#[cfg_attr(docsrs, doc(cfg(feature = "tungstenite")))]
impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

impl<L: Library> Protocol for Frames<L> {
    type Message = L::Message;

    fn ping(&mut self, seq: Seq) -> L::Message {
        self.library.ping(self.payload(seq))
    }

    fn classify(&mut self, message: L::Message) -> Inbound<L::Message> {
        match self.library.content(&message) {
            Content::Ping => Inbound::Ping { reply: None },
            Content::Pong(payload) => {
                let number = self.number(payload);
                Inbound::Pong(number.map_or(Answers::Nothing, Answers::Ping))
            }
            Content::Text(_) | Content::Other => Inbound::Data(message),
        }
    }

    fn farewell(&mut self, dead: &Dead) -> Option<L::Message> {
        Some(last_word(&self.library, dead))
    }
}

#[cfg(all(test, feature = "tungstenite"))]
mod tests {
    use tungstenite::Message;

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
        let mut frames = Frames::new().prefix("p").unwrap();
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
        let mut frames = Frames::new().prefix("x".repeat(105)).unwrap();
        let ping = frames.ping(Seq::new(u64::MAX));
        assert_eq!(ping.len(), MOST_PAYLOAD);
        assert_eq!(
            Frames::new()
                .prefix("x".repeat(106))
                .unwrap_err()
                .to_string(),
            "prefix length (106) is outside 0..=105",
        );
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
