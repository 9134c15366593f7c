//! [`Text`]: heartbeats as text messages, for browsers.

use std::fmt;

use tungstenite::Message;

use super::beats::{TextBeat, TextHeartbeat};
use crate::ping_pong::{Inbound, Protocol};
use crate::seq::{Answers, Seq};

/// What a message of some WebSocket library holds, as far as a heartbeat cares; see
/// [`Text::over`].
///
/// ```
/// use liveness::websocket::Content;
/// use tungstenite::Message;
///
/// fn content(message: &Message) -> Content<'_> {
///     match message {
///         Message::Text(text) => Content::Text(text),
///         Message::Ping(_) => Content::PingFrame,
///         Message::Pong(_) => Content::PongFrame,
///         _ => Content::Other,
///     }
/// }
/// assert_eq!(content(&"hi".into()), Content::Text("hi"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "text, the two control frames, all else: a closed sum"
)]
pub enum Content<'a> {
    /// Text: a heartbeat, perhaps.
    Text(&'a str),
    /// A ping frame, which the library answers by itself.
    PingFrame,
    /// A pong frame.
    PongFrame,
    /// Anything else.
    Other,
}

/// Heartbeats as text messages: the [`Protocol`] for browsers, whose scripts can neither send nor
/// see ping frames.
///
/// How a text says ping and pong is up to its [`TextHeartbeat`]: [`Json`](super::Json),
/// [`Fixed`](super::Fixed), or your own. All other messages pass untouched, in their order. It asks
/// and it answers, so it serves as client and as server.
///
/// Ping frames that the peer sends none the less are answered by the WebSocket library; they and
/// pong frames are signs of life, and are not shown to you. Should a frame not count, since it may
/// come from a browser's network process, set [`Proof::PongOnly`](crate::Proof): then only the
/// page's own pongs prove life.
///
/// ```
/// use liveness::websocket::{Json, Text};
/// use liveness::{Answers, Inbound, Protocol, Seq};
/// use tungstenite::Message;
///
/// let mut text = Text::new(Json::new());
/// assert_eq!(text.ping(Seq::new(7)), Message::text(r#"{"type":"ping","id":7}"#));
/// let pong = Message::text(r#"{"type":"pong","id":7}"#);
/// assert_eq!(text.classify(pong), Inbound::Pong(Answers::Ping(Seq::new(7))));
/// assert_eq!(text.classify("hi".into()), Inbound::Data("hi".into()));
/// ```
#[derive(Clone)]
pub struct Text<B, M = Message> {
    beats: B,
    wrap: fn(String) -> M,
    content: fn(&M) -> Content<'_>,
}

impl<B: TextHeartbeat> Text<B> {
    /// Heartbeats in `tungstenite`'s messages.
    ///
    /// ```
    /// use liveness::websocket::{Fixed, Text};
    /// let text = Text::new(Fixed::new("ping", "pong"));
    /// # drop(text);
    /// ```
    #[must_use]
    pub fn new(beats: B) -> Self {
        Self::over(beats, Message::text::<String>, |message| match message {
            Message::Text(text) => Content::Text(text),
            Message::Ping(_) => Content::PingFrame,
            Message::Pong(_) => Content::PongFrame,
            _ => Content::Other,
        })
    }
}

impl<B: TextHeartbeat, M> Text<B, M> {
    /// Heartbeats in the messages of any other library: `wrap` makes a message of a text, `content`
    /// looks into one.
    ///
    /// ```
    /// use axum::extract::ws::Message;
    /// use liveness::websocket::{Content, Json, Text};
    ///
    /// let text = Text::over(Json::new(), Message::text::<String>, |message| match message {
    ///     Message::Text(text) => Content::Text(text),
    ///     Message::Ping(_) => Content::PingFrame,
    ///     Message::Pong(_) => Content::PongFrame,
    ///     _ => Content::Other,
    /// });
    /// # drop(text);
    /// ```
    #[must_use]
    pub fn over(beats: B, wrap: fn(String) -> M, content: fn(&M) -> Content<'_>) -> Self {
        Self {
            beats,
            wrap,
            content,
        }
    }
}

impl<B: TextHeartbeat, M> Protocol for Text<B, M> {
    type Message = M;

    fn ping(&mut self, seq: Seq) -> M {
        (self.wrap)(self.beats.ping(seq))
    }

    fn classify(&mut self, message: M) -> Inbound<M> {
        let beat = match (self.content)(&message) {
            Content::Text(text) => self.beats.read(text),
            Content::PingFrame => Some(TextBeat::Ping { reply: None }),
            Content::PongFrame => Some(TextBeat::Pong(Answers::Nothing)),
            Content::Other => None,
        };
        match beat {
            Some(TextBeat::Ping { reply }) => Inbound::Ping {
                reply: reply.map(self.wrap),
            },
            Some(TextBeat::Pong(seq)) => Inbound::Pong(seq),
            None => Inbound::Data(message),
        }
    }
}

impl<B: fmt::Debug, M> fmt::Debug for Text<B, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text")
            .field("beats", &self.beats)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::{Fixed, Json};

    #[test]
    fn both_sides_understand_each_other() {
        let (mut asks, mut answers) = (Text::new(Json::new()), Text::new(Json::new()));
        let ping = asks.ping(Seq::new(41));
        let Inbound::Ping { reply: Some(pong) } = answers.classify(ping) else {
            panic!("not a ping that is answered")
        };
        assert_eq!(
            asks.classify(pong),
            Inbound::Pong(Answers::Ping(Seq::new(41)))
        );
    }

    #[test]
    fn other_messages_pass_untouched() {
        let mut text = Text::new(Fixed::new("ping", "pong"));
        for message in [
            Message::text("ping "),
            Message::text(""),
            Message::text(r#"{"type":"ping"}"#),
            Message::binary("ping"),
            Message::Close(None),
        ] {
            assert_eq!(text.classify(message.clone()), Inbound::Data(message));
        }
    }

    #[test]
    fn frames_are_life_and_no_answer() {
        let mut text = Text::new(Json::new());
        let ping = Message::Ping("x".into());
        assert_eq!(text.classify(ping), Inbound::Ping { reply: None });
        let pong = Message::Pong("x".into());
        assert_eq!(text.classify(pong), Inbound::Pong(Answers::Nothing));
    }

    #[test]
    fn any_message_type_will_do() {
        let mut lines = Text::over(
            Fixed::new("ping", "pong"),
            |text| text,
            |line: &String| Content::Text(line),
        );
        assert_eq!(lines.ping(Seq::new(1)), "ping");
        let reply = Some("pong".to_owned());
        assert_eq!(lines.classify("ping".into()), Inbound::Ping { reply });
    }
}
