//! [`Json`]: heartbeats as JSON objects, for pages that speak JSON anyway.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::text::{TextBeat, TextHeartbeat};
use crate::seq::{Answers, Seq};

/// JSON: `{"type":"ping","id":7}` is answered with `{"type":"pong","id":7}`.
///
/// # What vanishes and what passes
/// **Any object of at most [256 bytes](Self::LONGEST) whose `type` is `ping` or `pong` vanishes,
/// with all its other members. Everything else passes untouched**: other types, longer texts, texts
/// that are no JSON. An application with pings of its own gives these [other names](Self::names) or
/// [other words](Self::words).
///
/// White space and the order of members do not matter; of two members with one name the last
/// counts, as in a browser. The id comes back as it came, whatever it is. A pong without an id, or
/// with `null`, answers the oldest open ping; one with a foreign id is life and answers nothing.
///
/// # The page's half
/// ```js
/// socket.onmessage = ({ data }) => {
///   const message = JSON.parse(data);
///   if (message.type === "ping") {
///     socket.send(JSON.stringify({ type: "pong", id: message.id }));
///   }
/// };
/// ```
///
/// # Example
/// ```
/// # use liveness::{Answers, Seq};
/// use liveness::websocket::{TextBeat, TextHeartbeat, Json};
///
/// let mut beats = Json::new();
/// assert_eq!(beats.ping(Seq::new(7)), r#"{"type":"ping","id":7}"#);
/// let pong = beats.read(r#"{"id": 7, "type": "pong"}"#);
/// assert_eq!(pong, Some(TextBeat::Pong(Answers::Ping(Seq::new(7)))));
/// let reply = Some(r#"{"type":"pong","id":"a1"}"#.into());
/// assert_eq!(beats.read(r#"{"type":"ping","id":"a1"}"#), Some(TextBeat::Ping { reply }));
/// assert_eq!(beats.read(r#"{"type":"chat","id":7}"#), None);
///
/// // Beside an application whose own messages have `"type":"ping"`:
/// let mut beats = Json::new().names("op", "t").words("alive?", "alive");
/// assert_eq!(beats.ping(Seq::new(7)), r#"{"op":"alive?","t":7}"#);
/// assert_eq!(beats.read(r#"{"type":"ping","player":"bob"}"#), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json {
    kind: Cow<'static, str>,
    id: Cow<'static, str>,
    ping: Cow<'static, str>,
    pong: Cow<'static, str>,
}

impl Json {
    /// The longest text that is looked at, in bytes: large messages cost nothing.
    pub const LONGEST: usize = 256;

    /// Asks with `{"type":"ping","id":7}` and answers with `{"type":"pong","id":7}`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            kind: Cow::Borrowed("type"),
            id: Cow::Borrowed("id"),
            ping: Cow::Borrowed("ping"),
            pong: Cow::Borrowed("pong"),
        }
    }

    /// The names of the two members. Default `type` and `id`.
    #[must_use]
    pub fn names(
        mut self,
        kind: impl Into<Cow<'static, str>>,
        id: impl Into<Cow<'static, str>>,
    ) -> Self {
        (self.kind, self.id) = (kind.into(), id.into());
        self
    }

    /// The values of the first member in a ping and in a pong. Default `ping` and `pong`. With one
    /// word for both nothing is replied, as with [`Fixed`](super::Fixed).
    #[must_use]
    pub fn words(
        mut self,
        ping: impl Into<Cow<'static, str>>,
        pong: impl Into<Cow<'static, str>>,
    ) -> Self {
        (self.ping, self.pong) = (ping.into(), pong.into());
        self
    }

    /// The object whose first member says `word`, with this id if there is one.
    fn write(&self, word: &str, id: Option<&str>) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let (kind, word) = (quoted(&self.kind), quoted(word));
        match id {
            Some(id) => format!("{{{kind}:{word},{}:{id}}}", quoted(&self.id)),
            None => format!("{{{kind}:{word}}}"),
        }
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::new()
    }
}

impl TextHeartbeat for Json {
    fn ping(&mut self, seq: Seq) -> String {
        self.write(&self.ping, Some(&seq.value().to_string()))
    }

    fn read(&mut self, text: &str) -> Option<TextBeat> {
        // Spelled without escapes, a heartbeat holds one of the two words as it is.
        let holds = |word: &str| text.contains(word);
        if text.len() > Self::LONGEST || !(holds("\\") || holds(&self.ping) || holds(&self.pong)) {
            return None;
        }
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        let word: String = serde_json::from_str(members.get(&*self.kind)?.get()).ok()?;
        let id = members.get(&*self.id).map(|id| id.get());
        if word == self.pong {
            return Some(TextBeat::Pong(match id {
                None | Some("null") => Answers::Oldest,
                Some(id) => id.parse().map_or(Answers::Nothing, Answers::Ping),
            }));
        }
        (word == self.ping).then(|| TextBeat::Ping {
            reply: Some(self.write(&self.pong, id)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The reply to a ping; `None` for a text that is none.
    fn reply(text: &str) -> Option<String> {
        match Json::new().read(text) {
            Some(TextBeat::Ping { reply }) => reply,
            _ => None,
        }
    }

    #[test]
    fn ids_come_back_as_they_came() {
        assert_eq!(
            reply(r#" { "type" : "ping" } "#).as_deref(),
            Some(r#"{"type":"pong"}"#)
        );
        for id in [
            "7",
            "-0.5",
            "-2.3841319506018237e-293",
            "18446744073709551616",
            r#""\"\\é\u0000""#,
            "null",
            r#"{"a":[1,{"b":2}]}"#,
        ] {
            let ping = format!(r#"{{"type":"ping","x":[],"id":{id}}}"#);
            let pong = format!(r#"{{"type":"pong","id":{id}}}"#);
            assert_eq!(reply(&ping), Some(pong));
        }
    }

    #[test]
    fn a_pong_answers_by_its_id() {
        let answers = |id: &str| Json::new().read(&format!(r#"{{"type":"pong"{id}}}"#));
        let seven = Answers::Ping(Seq::new(7));
        for (id, expected) in [
            (r#","id":7"#, seven),
            (r#","id":8,"id":7"#, seven),
            ("", Answers::Oldest),
            (r#","id":null"#, Answers::Oldest),
            (r#","id":-1"#, Answers::Nothing),
            (r#","id":1.5"#, Answers::Nothing),
            (r#","id":1e3"#, Answers::Nothing),
            (r#","id":"7""#, Answers::Nothing),
            (r#","id":18446744073709551616"#, Answers::Nothing),
            (r#","id":[7]"#, Answers::Nothing),
        ] {
            assert_eq!(answers(id), Some(TextBeat::Pong(expected)), "{id}");
        }
    }

    /// Texts that look like heartbeats and are no JSON, or other JSON.
    #[test]
    fn anything_else_passes() {
        for text in [
            r#"{"type":"ping","x":[true}}"#,
            r#"{"type":"ping","x":[,]}"#,
            r#"{"x":"\x","type":"ping"}"#,
            r#"{"id":"\x","type":"ping"}"#,
            r#"{"type":"ping","t\u0079pe":"chat"}"#,
            r#"{"type":"ping","type":5}"#,
            r#"{"type":"ping",}"#,
            r#"{"type":"ping"} x"#,
            r#"{"type":"ping""#,
            r#"{"type":["ping"]}"#,
            r#"{"Type":"ping"}"#,
            r#"{"type":"Ping"}"#,
            r#"["type","ping"]"#,
            r#""ping""#,
            "ping",
            "pong",
            "",
        ] {
            assert_eq!(Json::new().read(text), None, "{text}");
        }
    }

    #[test]
    fn escapes_mean_what_they_say() {
        let pong = TextBeat::Pong(Answers::Oldest);
        let text = r#"{"t\u0079pe":"p\u006fng"}"#;
        assert_eq!(Json::new().read(text), Some(pong.clone()));
        // And names and words are written so that they can be read.
        let mut odd = Json::new().names("a\"b", "\\").words("\n", "é\u{1}");
        let ping = odd.ping(Seq::new(7));
        assert_eq!(ping, r#"{"a\"b":"\n","\\":7}"#);
        let Some(TextBeat::Ping { reply: Some(pong) }) = odd.read(&ping) else {
            panic!("{ping}")
        };
        let answered = TextBeat::Pong(Answers::Ping(Seq::new(7)));
        assert_eq!(odd.read(&pong), Some(answered));
    }

    #[test]
    fn long_and_deep_texts_are_not_looked_at() {
        let ping = |length: usize| format!("{:length$}", r#"{"type":"ping"}"#);
        assert!(reply(&ping(Json::LONGEST)).is_some());
        assert_eq!(reply(&ping(Json::LONGEST + 1)), None);
        let deep = r#"{"type":"ping","id":"#.to_owned() + &"[".repeat(200);
        assert_eq!(reply(&deep), None);
    }

    #[test]
    fn one_word_for_both_is_never_answered() {
        let mut tick = Json::new().words("tick", "tick");
        let text = tick.ping(Seq::new(3));
        let pong = TextBeat::Pong(Answers::Ping(Seq::new(3)));
        assert_eq!(tick.read(&text), Some(pong));
    }

    /// Pieces of JSON, and objects that begin as a heartbeat does.
    const TEXTS: &str = concat!(
        r#"[{}\[\]",:\\ 1e.-]{0,6}"#,
        "|",
        r#"\{"type":"p[io]ng"[,:{}\[\]"id1e\\]{0,12}\}"#,
    );

    proptest! {
        /// Two sides that both speak JSON understand each other, whatever the number.
        #[test]
        fn a_ping_comes_back_as_its_pong(number in any::<u64>()) {
            let (mut ours, mut theirs) = (Json::new(), Json::new());
            let ping = ours.ping(Seq::new(number));
            let Some(TextBeat::Ping { reply: Some(pong) }) = theirs.read(&ping) else {
                return Err(TestCaseError::fail(ping));
            };
            let answered = TextBeat::Pong(Answers::Ping(Seq::new(number)));
            prop_assert_eq!(ours.read(&pong), Some(answered));
        }

        /// A text is a heartbeat exactly when `serde_json` reads an object with that member, and
        /// the reply is an object too.
        #[test]
        fn no_text_is_mistaken(text in TEXTS) {
            let object = serde_json::from_str::<serde_json::Map<_, _>>(&text).ok();
            let word = object.as_ref().and_then(|object| object.get("type"));
            let is_beat = word.is_some_and(|word| word == "ping" || word == "pong");
            let beat = Json::new().read(&text);
            prop_assert_eq!(beat.is_some(), is_beat);
            if let Some(TextBeat::Ping { reply: Some(reply) }) = beat {
                let reply = serde_json::from_str::<serde_json::Map<_, _>>(&reply);
                prop_assert!(reply.is_ok(), "{:?}", reply);
            }
        }
    }
}
