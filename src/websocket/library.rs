//! [`Library`]: the messages of one WebSocket library, as far as heartbeats care.

use bytes::Bytes;

/// The messages of one WebSocket library: [`Frames`](super::Frames) and [`Text`](super::Text) speak
/// through it.
///
/// There are two, [`Tungstenite`] and [`Axum`](super::Axum). For any other, and for any other
/// version of these, implement it on a type of your own.
///
/// # Implementing
/// The library must answer pings of the peer by itself, as nearly all do; no second answer is
/// sent here.
///
/// ```
/// use bytes::Bytes;
/// use liveness::websocket::{Content, Frames, Library};
/// use liveness::{Answers, Inbound, Protocol, Seq};
///
/// /// The messages of some library.
/// #[derive(Debug, Clone, PartialEq)]
/// enum Message { Text(String), Binary(Bytes), Ping(Bytes), Pong(Bytes), Close(u16, String) }
///
/// struct Other;
///
/// impl Library for Other {
///     type Message = Message;
///     fn ping(&self, payload: Bytes) -> Message { Message::Ping(payload) }
///     fn text(&self, text: String) -> Message { Message::Text(text) }
///     fn close(&self, code: u16, reason: String) -> Message { Message::Close(code, reason) }
///     fn content<'a>(&self, message: &'a Message) -> Content<'a> {
///         match message {
///             Message::Text(text) => Content::Text(text),
///             Message::Ping(_) => Content::Ping,
///             Message::Pong(payload) => Content::Pong(payload),
///             _ => Content::Other,
///         }
///     }
/// }
///
/// let mut frames = Frames::over(Other);
/// let Message::Ping(payload) = frames.ping(Seq::new(7)) else { panic!() };
/// let pong = frames.classify(Message::Pong(payload));
/// assert_eq!(pong, Inbound::Pong(Answers::Ping(Seq::new(7))));
/// ```
pub trait Library {
    /// A message of this library.
    type Message;

    /// A ping frame with this payload, of at most 125 bytes.
    fn ping(&self, payload: Bytes) -> Self::Message;

    /// A text message.
    fn text(&self, text: String) -> Self::Message;

    /// A Close frame with this code and this reason, of at most 123 bytes.
    fn close(&self, code: u16, reason: String) -> Self::Message;

    /// The content of a message that came in.
    fn content<'a>(&self, message: &'a Self::Message) -> Content<'a>;
}

/// The content of a message, as far as heartbeats care: see [`Library::content`].
///
/// ```
/// use liveness::websocket::{Content, Library, Tungstenite};
/// # use tungstenite::Message;
///
/// let pong = Message::Pong("7".into());
/// assert_eq!(Tungstenite.content(&pong), Content::Pong(b"7"));
/// assert_eq!(Tungstenite.content(&Message::text("hello")), Content::Text("hello"));
/// // Its payload is the library's business, and so is the answer.
/// assert_eq!(Tungstenite.content(&Message::Ping("7".into())), Content::Ping);
/// // No heartbeat is binary.
/// assert_eq!(Tungstenite.content(&Message::binary("hello")), Content::Other);
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
    Ping,
    /// A pong frame with this payload.
    Pong(&'a [u8]),
    /// Anything else.
    Other,
}

/// The messages of `tungstenite` 0.30: of `tokio-tungstenite` 0.30 and of `async-tungstenite` 0.35.
/// It is a [`Library`] with feature `tungstenite`.
///
/// ```
/// use liveness::websocket::{Fixed, Text, Tungstenite};
/// use liveness::{Inbound, Protocol, Seq};
/// # use tungstenite::Message;
///
/// // The same as `Text::new`.
/// let mut text = Text::over(Tungstenite, Fixed::new("ping", "pong"));
/// assert_eq!(text.ping(Seq::new(7)), Message::text("ping"));
/// let data = Message::binary("ping");
/// assert_eq!(text.classify(data.clone()), Inbound::Data(data));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a name for a library, and no more"
)]
pub struct Tungstenite;

#[cfg(feature = "tungstenite")]
#[cfg_attr(docsrs, doc(cfg(feature = "tungstenite")))]
impl Library for Tungstenite {
    type Message = tungstenite::Message;

    fn ping(&self, payload: Bytes) -> Self::Message {
        Self::Message::Ping(payload)
    }

    fn text(&self, text: String) -> Self::Message {
        Self::Message::text(text)
    }

    fn close(&self, code: u16, reason: String) -> Self::Message {
        Self::Message::Close(Some(tungstenite::protocol::CloseFrame {
            code: code.into(),
            reason: reason.into(),
        }))
    }

    fn content<'a>(&self, message: &'a Self::Message) -> Content<'a> {
        match message {
            Self::Message::Text(text) => Content::Text(text),
            Self::Message::Ping(_) => Content::Ping,
            Self::Message::Pong(payload) => Content::Pong(payload),
            _ => Content::Other,
        }
    }
}

/// The messages of `axum` 0.8, in its `extract::ws`.
///
/// ```
/// use axum::extract::ws::Message;
/// use liveness::websocket::{Axum, Frames};
/// use liveness::{Answers, Inbound, Protocol, Seq};
///
/// let mut frames = Frames::over(Axum);
/// let Message::Ping(payload) = frames.ping(Seq::new(7)) else { panic!("a ping frame") };
/// let pong = frames.classify(Message::Pong(payload));
/// assert_eq!(pong, Inbound::Pong(Answers::Ping(Seq::new(7))));
/// let data = Message::Text("hello".into());
/// assert_eq!(frames.classify(data.clone()), Inbound::Data(data));
/// ```
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a name for a library, and no more"
)]
pub struct Axum;

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl Library for Axum {
    type Message = axum::extract::ws::Message;

    fn ping(&self, payload: Bytes) -> Self::Message {
        Self::Message::Ping(payload)
    }

    fn text(&self, text: String) -> Self::Message {
        Self::Message::text(text)
    }

    fn close(&self, code: u16, reason: String) -> Self::Message {
        Self::Message::Close(Some(axum::extract::ws::CloseFrame {
            code,
            reason: reason.into(),
        }))
    }

    fn content<'a>(&self, message: &'a Self::Message) -> Content<'a> {
        match message {
            Self::Message::Text(text) => Content::Text(text),
            Self::Message::Ping(_) => Content::Ping,
            Self::Message::Pong(payload) => Content::Pong(payload),
            _ => Content::Other,
        }
    }
}

#[cfg(all(test, any(feature = "axum", feature = "tungstenite")))]
mod tests {
    use super::*;
    use crate::ping_pong::{Inbound, Protocol};
    use crate::seq::{Answers, Seq};
    use crate::websocket::{Fixed, Frames, Text};

    /// Tells frames and texts of `library` from its other messages.
    #[allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]
    fn speaks<L: Library + Copy>(library: L, pong: impl Fn(Bytes) -> L::Message)
    where
        L::Message: Clone + PartialEq + std::fmt::Debug,
    {
        let seven = Inbound::Pong(Answers::Ping(Seq::new(7)));
        let mut frames = Frames::over(library).prefix("p").unwrap();
        assert_eq!(frames.ping(Seq::new(7)), library.ping("p7".into()));
        assert_eq!(frames.classify(pong("p7".into())), seven);
        assert_eq!(
            frames.classify(pong("7".into())),
            Inbound::Pong(Answers::Nothing)
        );
        let ping = library.ping("x".into());
        assert_eq!(frames.classify(ping.clone()), Inbound::Ping { reply: None });

        let mut text = Text::over(library, Fixed::new("ping", "pong"));
        assert_eq!(text.ping(Seq::new(7)), library.text("ping".into()));
        assert_eq!(text.classify(ping), Inbound::Ping { reply: None });
        let reply = Some(library.text("pong".into()));
        assert_eq!(
            text.classify(library.text("ping".into())),
            Inbound::Ping { reply }
        );
        for other in [
            library.text("pinging".into()),
            library.close(1011, "x".into()),
        ] {
            assert_eq!(text.classify(other.clone()), Inbound::Data(other.clone()));
            assert_eq!(frames.classify(other.clone()), Inbound::Data(other));
        }
    }

    #[cfg(feature = "tungstenite")]
    #[test]
    fn messages_of_tungstenite() {
        speaks(Tungstenite, tungstenite::Message::Pong);
    }

    #[cfg(feature = "axum")]
    #[test]
    fn messages_of_axum() {
        speaks(Axum, axum::extract::ws::Message::Pong);
    }
}
