//! [`TextHeartbeat`]: how a text says ping and pong, and the two ways that are in common use.

use std::borrow::Cow;

use super::json;
use crate::seq::{Answers, Seq};

/// How a text message says ping and pong.
///
/// Two ready-made ones are [`Fixed`] and [`Json`]; write your own for anything else.
///
/// # Implementing
/// `ping` is called once per ping, with numbers that only grow. `read` sees every text that comes
/// in; what it does not know is `None`, and passes untouched.
///
/// ```
/// use liveness::{Answers, Seq};
/// use liveness::websocket::{TextBeat, TextHeartbeat};
///
/// /// `{"op":"ping","t":7}` is answered with `{"op":"pong","t":7}`.
/// struct Exchange;
///
/// impl TextHeartbeat for Exchange {
///     fn ping(&mut self, seq: Seq) -> String {
///         format!(r#"{{"op":"ping","t":{}}}"#, seq.value())
///     }
///
///     fn read(&mut self, text: &str) -> Option<TextBeat> {
///         if let Some(rest) = text.strip_prefix(r#"{"op":"ping""#) {
///             return Some(TextBeat::Ping { reply: Some(format!(r#"{{"op":"pong"{rest}"#)) });
///         }
///         let number = text.strip_prefix(r#"{"op":"pong","t":"#)?.strip_suffix('}')?;
///         Some(TextBeat::Pong(number.parse().map_or(Answers::Nothing, Answers::Ping)))
///     }
/// }
///
/// assert_eq!(Exchange.read(r#"{"op":"pong","t":7}"#), Some(TextBeat::Pong(Answers::Ping(Seq::new(7)))));
/// assert_eq!(Exchange.read(r#"{"op":"trade"}"#), None);
/// ```
pub trait TextHeartbeat {
    /// The ping with the number `seq`.
    ///
    /// ```
    /// # use liveness::Seq;
    /// use liveness::websocket::{TextHeartbeat, Json};
    /// assert_eq!(Json::new().ping(Seq::new(7)), r#"{"type":"ping","id":7}"#);
    /// ```
    fn ping(&mut self, seq: Seq) -> String;

    /// What a text that came in is, or `None` when it is no heartbeat.
    ///
    /// ```
    /// use liveness::websocket::{TextBeat, TextHeartbeat, Fixed};
    /// let mut beats = Fixed::new("ping", "pong");
    /// assert_eq!(beats.read("ping"), Some(TextBeat::Ping { reply: Some("pong".into()) }));
    /// assert_eq!(beats.read("pinging"), None);
    /// ```
    fn read(&mut self, text: &str) -> Option<TextBeat>;
}

/// A heartbeat that came in as text, by its [`TextHeartbeat`].
///
/// ```
/// use liveness::Answers;
/// # use liveness::websocket::TextBeat;
/// assert_ne!(TextBeat::Ping { reply: None }, TextBeat::Pong(Answers::Oldest));
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
    /// The peer answers, with the number of the ping; `None` where there are no numbers: then it
    /// answers the oldest ping that is open.
    Pong(Answers),
}

/// Two fixed texts, such as `ping` and `pong`, or Engine.IO's `2` and `3`.
///
/// They carry no number, so an answer that comes after its reply timeout is taken for the answer to
/// the next ping. Where the peer is yours to write, prefer [`Json`].
///
/// With the same text for both, each side's beats are the other's answers, and nothing is replied:
/// two such peers would otherwise answer each other for ever.
///
/// ```
/// # use liveness::{Answers, Seq};
/// use liveness::websocket::{TextBeat, TextHeartbeat, Fixed};
///
/// let mut beats = Fixed::new("2", "3");
/// assert_eq!(beats.ping(Seq::new(7)), "2");
/// assert_eq!(beats.read("3"), Some(TextBeat::Pong(Answers::Oldest)));
/// assert_eq!(Fixed::new("tick", "tick").read("tick"), Some(TextBeat::Pong(Answers::Oldest)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    ping: Cow<'static, str>,
    pong: Cow<'static, str>,
}

impl Fixed {
    /// Asks with `ping` and answers with `pong`.
    ///
    /// ```
    /// let beats = liveness::websocket::Fixed::new("ping", "pong");
    /// # drop(beats);
    /// ```
    #[must_use]
    pub fn new(ping: impl Into<Cow<'static, str>>, pong: impl Into<Cow<'static, str>>) -> Self {
        Self {
            ping: ping.into(),
            pong: pong.into(),
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

/// JSON: `{"type":"ping","id":7}` is answered with `{"type":"pong","id":7}`.
///
/// Read with tolerance: white space, further members and their order do not matter, and an id that
/// is no number of ours, or none, comes back as it came. A pong without an id answers the oldest
/// open ping; one with a foreign id is life and answers nothing. A text of more than
/// [`LONGEST`](Self::LONGEST) bytes is never a heartbeat, so that large messages cost nothing.
///
/// The page's half in JavaScript:
///
/// ```js
/// socket.onmessage = ({ data }) => {
///   const message = JSON.parse(data);
///   if (message.type === "ping") {
///     socket.send(JSON.stringify({ type: "pong", id: message.id }));
///   }
/// };
/// ```
///
/// ```
/// # use liveness::{Answers, Seq};
/// use liveness::websocket::{TextBeat, TextHeartbeat, Json};
///
/// let mut beats = Json::new();
/// assert_eq!(beats.read(r#"{"id": 7, "type": "pong"}"#), Some(TextBeat::Pong(Answers::Ping(Seq::new(7)))));
/// let reply = Some(r#"{"type":"pong","id":"a1"}"#.into());
/// assert_eq!(beats.read(r#"{"type":"ping","id":"a1"}"#), Some(TextBeat::Ping { reply }));
/// assert_eq!(beats.read(r#"{"type":"chat","id":7}"#), None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Json;

impl Json {
    /// The longest text that is looked at, in bytes.
    ///
    /// ```
    /// assert_eq!(liveness::websocket::Json::LONGEST, 256);
    /// ```
    pub const LONGEST: usize = 256;

    /// Asks and answers in JSON.
    ///
    /// ```
    /// let beats = liveness::websocket::Json::new();
    /// # let _ = beats;
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl TextHeartbeat for Json {
    fn ping(&mut self, seq: Seq) -> String {
        format!(r#"{{"type":"ping","id":{}}}"#, seq.value())
    }

    fn read(&mut self, text: &str) -> Option<TextBeat> {
        if text.len() > Self::LONGEST {
            return None;
        }
        let members = json::members(text)?;
        match (members.kind?, members.id) {
            ("ping", Some(id)) => Some(TextBeat::Ping {
                reply: Some(format!(r#"{{"type":"pong","id":{id}}}"#)),
            }),
            ("ping", None) => Some(TextBeat::Ping {
                reply: Some(r#"{"type":"pong"}"#.to_owned()),
            }),
            ("pong", Some(id)) => Some(TextBeat::Pong(
                id.parse().map_or(Answers::Nothing, Answers::Ping),
            )),
            ("pong", None) => Some(TextBeat::Pong(Answers::Oldest)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_peers_with_one_text_do_not_answer_each_other_for_ever() {
        let mut tick = Fixed::new("tick", "tick");
        let text = tick.ping(Seq::new(0));
        assert!(matches!(
            tick.read(&text),
            Some(TextBeat::Pong(Answers::Oldest))
        ));
    }

    #[test]
    fn odd_ids_come_back_as_they_came() {
        for (ping, pong) in [
            (r#"{"type":"ping"}"#, r#"{"type":"pong"}"#),
            (r#"{"type":"ping","id":null}"#, r#"{"type":"pong"}"#),
            (r#"{"type":"ping","id":{"a":1}}"#, r#"{"type":"pong"}"#),
            (
                r#"{"type":"ping","id":-0.5}"#,
                r#"{"type":"pong","id":-0.5}"#,
            ),
            (
                r#"{"type":"ping","id":-2.3841319506018237e-293}"#,
                r#"{"type":"pong","id":-2.3841319506018237e-293}"#,
            ),
            (
                r#"{"type":"ping","id":"\"\\"}"#,
                r#"{"type":"pong","id":"\"\\"}"#,
            ),
        ] {
            let reply = Some(pong.to_owned());
            assert_eq!(Json.read(ping), Some(TextBeat::Ping { reply }), "{ping}");
            assert!(serde_json::from_str::<serde_json::Value>(pong).is_ok());
        }
    }

    #[test]
    fn foreign_pongs_answer_nothing() {
        for id in ["-1", "1.5", "1e3", "\"7\"", "18446744073709551616"] {
            let pong = format!(r#"{{"type":"pong","id":{id}}}"#);
            assert_eq!(
                Json.read(&pong),
                Some(TextBeat::Pong(Answers::Nothing)),
                "{id}"
            );
        }
    }

    #[test]
    fn long_texts_are_not_looked_at() {
        let ping = |length: usize| format!("{:length$}", r#"{"type":"ping"}"#);
        assert!(Json.read(&ping(Json::LONGEST)).is_some());
        assert_eq!(Json.read(&ping(Json::LONGEST + 1)), None);
    }

    proptest! {
        /// Two sides that both speak JSON understand each other, whatever the number.
        #[test]
        fn a_ping_comes_back_as_its_pong(number in any::<u64>()) {
            let (mut ours, mut theirs) = (Json::new(), Json::new());
            let ping = ours.ping(Seq::new(number));
            let Some(TextBeat::Ping { reply: Some(pong) }) = theirs.read(&ping) else {
                return Err(TestCaseError::fail(ping));
            };
            prop_assert_eq!(ours.read(&pong), Some(TextBeat::Pong(Answers::Ping(Seq::new(number)))));
        }

        /// A reply is JSON whenever the ping was.
        #[test]
        fn replies_are_json(id in any::<f64>(), text in ".{0,20}") {
            for id in [serde_json::Value::from(id), text.clone().into()] {
                let ping = serde_json::json!({ "type": "ping", "id": id }).to_string();
                if let Some(TextBeat::Ping { reply: Some(pong) }) = Json.read(&ping) {
                    let expected = format!(r#"{{"type":"pong","id":{id}}}"#);
                    prop_assert_eq!(&pong, &expected);
                    prop_assert!(serde_json::from_str::<serde_json::Value>(&pong).is_ok());
                }
            }
        }
    }
}
