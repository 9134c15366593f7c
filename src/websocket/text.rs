//! [`Text`]: heartbeats as text messages, for browsers; and how a text says ping and pong.

use std::borrow::Cow;

use super::close::last_word;
use super::library::{Content, Library, Tungstenite};
use crate::keepalive::Dead;
use crate::ping_pong::{Inbound, Protocol};
use crate::seq::{Answers, Seq};

/// Heartbeats as text messages: the [`Protocol`] for browsers, whose scripts can neither send nor
/// see ping frames. It asks and it answers, so it serves as client and as server.
///
/// A [`TextHeartbeat`] says how a text says ping and pong: [`Json`](super::Json), [`Fixed`], or
/// your own. A [`Library`] says how a message holds a text.
///
/// # What vanishes and what passes
/// **A text that the [`TextHeartbeat`] takes for a heartbeat vanishes**, and so do ping and pong
/// frames: you never see them. **All other messages pass untouched**, in their order.
///
/// Ping frames of the peer are answered by the library; they and pong frames are signs of life.
/// Should a frame not count, since it may come from a browser's network process, set
/// [`Proof::PongOnly`](crate::Proof): then only the page's own pongs prove life.
///
/// ```
/// use liveness::websocket::{Fixed, Text};
/// use liveness::{Answers, Inbound, Protocol, Seq};
/// use tungstenite::Message;
///
/// let mut text = Text::new(Fixed::new("ping", "pong"));
/// assert_eq!(text.ping(Seq::new(7)), Message::text("ping"));
/// assert_eq!(text.classify("pong".into()), Inbound::Pong(Answers::Oldest));
/// assert_eq!(text.classify("ping".into()), Inbound::Ping { reply: Some("pong".into()) });
/// assert_eq!(text.classify("hello".into()), Inbound::Data("hello".into()));
/// ```
#[derive(Debug, Clone)]
pub struct Text<B, L = Tungstenite> {
    library: L,
    beats: B,
}

#[cfg(feature = "tungstenite")]
#[cfg_attr(docsrs, doc(cfg(feature = "tungstenite")))]
impl<B: TextHeartbeat> Text<B> {
    /// Heartbeats in the messages of `tungstenite` 0.30:
    /// [`over(Tungstenite, beats)`](Self::over).
    #[must_use]
    pub const fn new(beats: B) -> Self {
        Self::over(Tungstenite, beats)
    }
}

impl<B: TextHeartbeat, L: Library> Text<B, L> {
    /// Heartbeats in the messages of `library`.
    #[must_use]
    pub const fn over(library: L, beats: B) -> Self {
        Self { library, beats }
    }
}

impl<B: TextHeartbeat, L: Library> Protocol for Text<B, L> {
    type Message = L::Message;

    fn ping(&mut self, seq: Seq) -> L::Message {
        self.library.text(self.beats.ping(seq))
    }

    fn classify(&mut self, message: L::Message) -> Inbound<L::Message> {
        let beat = match self.library.content(&message) {
            Content::Text(text) => self.beats.read(text),
            Content::Ping => Some(TextBeat::Ping { reply: None }),
            Content::Pong(_) => Some(TextBeat::Pong(Answers::Nothing)),
            Content::Other => None,
        };
        match beat {
            Some(TextBeat::Ping { reply }) => Inbound::Ping {
                reply: reply.map(|text| self.library.text(text)),
            },
            Some(TextBeat::Pong(answers)) => Inbound::Pong(answers),
            None => Inbound::Data(message),
        }
    }

    fn farewell(&mut self, dead: &Dead) -> Option<L::Message> {
        Some(last_word(&self.library, dead))
    }
}

/// How a text message says ping and pong.
///
/// Two ready-made ones are [`Fixed`] and [`Json`](super::Json); write your own for anything else.
///
/// # Implementing
/// `ping` is called once per ping, with numbers that only grow. `read` sees every text that comes
/// in, from a peer that may send anything; a text that is no heartbeat is `None`, and passes
/// untouched.
///
/// ```
/// use liveness::{Answers, Seq};
/// use liveness::websocket::{TextBeat, TextHeartbeat};
///
/// /// `hb 7` is answered with `ok 7`.
/// struct Terse;
///
/// impl TextHeartbeat for Terse {
///     fn ping(&mut self, seq: Seq) -> String {
///         format!("hb {}", seq.value())
///     }
///
///     fn read(&mut self, text: &str) -> Option<TextBeat> {
///         if let Some(number) = text.strip_prefix("hb ") {
///             return Some(TextBeat::Ping { reply: Some(format!("ok {number}")) });
///         }
///         let number = text.strip_prefix("ok ")?;
///         Some(TextBeat::Pong(number.parse().map_or(Answers::Nothing, Answers::Ping)))
///     }
/// }
///
/// assert_eq!(Terse.ping(Seq::new(7)), "hb 7");
/// assert_eq!(Terse.read("ok 7"), Some(TextBeat::Pong(Answers::Ping(Seq::new(7)))));
/// assert_eq!(Terse.read("hb x"), Some(TextBeat::Ping { reply: Some("ok x".into()) }));
/// assert_eq!(Terse.read("okay"), None);
/// ```
pub trait TextHeartbeat {
    /// The ping with the number `seq`.
    fn ping(&mut self, seq: Seq) -> String;

    /// The heartbeat in a text that came in, or `None` when it is none.
    fn read(&mut self, text: &str) -> Option<TextBeat>;
}

/// A heartbeat that came in as text, by its [`TextHeartbeat`].
///
/// ```
/// use liveness::Answers;
/// use liveness::websocket::{Fixed, TextBeat, TextHeartbeat};
///
/// // The client's half of Engine.IO: the server asks with 2.
/// let mut beats = Fixed::engine_io();
/// let Some(TextBeat::Ping { reply }) = beats.read("2") else { panic!("a question") };
/// assert_eq!(reply.as_deref(), Some("3"));
/// // It carries no number, so it answers the oldest ping.
/// assert_eq!(beats.read("3"), Some(TextBeat::Pong(Answers::Oldest)));
/// // A message of Engine.IO is no heartbeat.
/// assert_eq!(beats.read("4hello"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a question or an answer: a closed sum"
)]
pub enum TextBeat {
    /// The peer asks. `reply` is sent back, if there is one.
    Ping {
        /// The answer.
        reply: Option<String>,
    },
    /// The peer answers these pings.
    Pong(Answers),
}

/// Two fixed texts, such as `ping` and `pong`. **A message with exactly one of these texts
/// vanishes; every other passes.**
///
/// They carry no number, so an answer that comes after its reply timeout is taken for the answer to
/// the next ping. Where the peer is yours to write, prefer [`Json`](super::Json).
///
/// With the same text for both, each side's beats are the other's answers, and nothing is replied:
/// two such peers would otherwise answer each other for ever.
///
/// ```
/// # use liveness::{Answers, Seq};
/// use liveness::websocket::{TextBeat, TextHeartbeat, Fixed};
///
/// let mut beats = Fixed::new("are you there?", "yes");
/// assert_eq!(beats.ping(Seq::new(7)), "are you there?");
/// assert_eq!(beats.read("yes"), Some(TextBeat::Pong(Answers::Oldest)));
/// assert_eq!(beats.read("yes!"), None);
/// let mut tick = Fixed::new("tick", "tick");
/// assert_eq!(tick.read("tick"), Some(TextBeat::Pong(Answers::Oldest)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    ping: Cow<'static, str>,
    pong: Cow<'static, str>,
}

impl Fixed {
    /// Asks with `ping` and answers with `pong`.
    #[must_use]
    pub fn new(ping: impl Into<Cow<'static, str>>, pong: impl Into<Cow<'static, str>>) -> Self {
        Self {
            ping: ping.into(),
            pong: pong.into(),
        }
    }

    /// Asks with `2` and answers with `3`, the packets ping and pong of Engine.IO and so of
    /// Socket.IO.
    ///
    /// **In version 4 only the server may ask: it cuts off a client that does.** Take
    /// [`KeepaliveConfig::engine_io_client`] or [`KeepaliveConfig::engine_io_server`] with it.
    ///
    /// [`KeepaliveConfig::engine_io_client`]: crate::KeepaliveConfig::engine_io_client
    /// [`KeepaliveConfig::engine_io_server`]: crate::KeepaliveConfig::engine_io_server
    #[must_use]
    pub const fn engine_io() -> Self {
        Self {
            ping: Cow::Borrowed("2"),
            pong: Cow::Borrowed("3"),
        }
    }
}

impl TextHeartbeat for Fixed {
    fn ping(&mut self, _seq: Seq) -> String {
        self.ping.to_string()
    }

    fn read(&mut self, text: &str) -> Option<TextBeat> {
        if text == self.pong {
            return Some(TextBeat::Pong(Answers::Oldest));
        }
        (text == self.ping).then(|| TextBeat::Ping {
            reply: Some(self.pong.to_string()),
        })
    }
}
