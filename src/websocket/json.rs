//! The one shape of JSON that a heartbeat has: `{"type":"ping","id":7}`.
//!
//! Not a JSON parser: it finds two members of an object and steps over the rest. Total, and without
//! recursion, so no text can make it fail or run deep.

/// What of an object makes it a heartbeat, each as it stands in the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Members<'a> {
    /// The string in the member `type`, without its quotes.
    pub(super) kind: Option<&'a str>,
    /// The number or string in the member `id`, a string with its quotes.
    pub(super) id: Option<&'a str>,
}

/// The members of the object that `text` is; `None` when it is anything else.
///
/// White space, further members and their order do not matter; of two members with one name the
/// last counts, as in a browser. A `type` or a name that is written with escapes is not seen.
pub(super) fn members(text: &str) -> Option<Members<'_>> {
    let mut rest = Scanner { text, at: 0 };
    let mut found = Members::default();
    rest.expect(b'{')?;
    if rest.next_is(b'}') {
        return rest.is_at_end().then_some(found);
    }
    loop {
        let name = rest.string()?;
        rest.expect(b':')?;
        let value = rest.value()?;
        match (name, value) {
            ("\"type\"", Value::String(kind)) => found.kind = kind.get(1..kind.len() - 1),
            ("\"type\"", _) => found.kind = None,
            ("\"id\"", Value::String(id) | Value::Number(id)) => found.id = Some(id),
            ("\"id\"", Value::Other) => found.id = None,
            _ => {}
        }
        if rest.next_is(b'}') {
            return rest.is_at_end().then_some(found);
        }
        rest.expect(b',')?;
    }
}

enum Value<'a> {
    /// With its quotes.
    String(&'a str),
    Number(&'a str),
    Other,
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Steps over `byte`, if it is what comes next.
    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.next_is(byte).then_some(())
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.peek().is_none()
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.at;
        self.expect(b'"')?;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.text.get(start..self.at)
    }

    fn value(&mut self) -> Option<Value<'a>> {
        self.skip_space();
        match self.peek()? {
            b'"' => self.string().map(Value::String),
            b'{' | b'[' => self.skip_nested(),
            _ => self.word(),
        }
    }

    /// Steps over an object or array by counting brackets.
    fn skip_nested(&mut self) -> Option<Value<'a>> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(Value::Other);
            }
        }
    }

    /// A number, or one of the three words.
    fn word(&mut self) -> Option<Value<'a>> {
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E')
        ) {
            self.at += 1;
        }
        match self.text.get(start..self.at)? {
            "true" | "false" | "null" => Some(Value::Other),
            word => is_number(word).then_some(Value::Number(word)),
        }
    }
}

/// Whether `word` is a number as JSON writes it (RFC 8259, section 6).
fn is_number(word: &str) -> bool {
    fn digits(bytes: &[u8]) -> usize {
        bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    }
    let mut rest = word.strip_prefix('-').unwrap_or(word).as_bytes();
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let [b'.', fraction @ ..] = rest {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found<'a>(kind: &'a str, id: &'a str) -> Option<Members<'a>> {
        let [kind, id] = [kind, id].map(|part| (!part.is_empty()).then_some(part));
        Some(Members { kind, id })
    }

    #[test]
    fn the_two_members_are_found_wherever_they_stand() {
        for text in [
            r#"{"type":"ping","id":7}"#,
            r#"{"id":7,"type":"ping"}"#,
            "\n{ \"type\" :\t\"ping\" ,\r\n\"id\" : 7 } ",
            r#"{"at":[1,{"type":"x"},"]}"],"type":"ping","id":7,"ok":true}"#,
            r#"{"id":1,"type":"pong","type":"ping","id":7}"#,
        ] {
            assert_eq!(members(text), found("ping", "7"), "{text}");
        }
        assert_eq!(
            members(r#"{"type":"ping","id":"a\"b"}"#),
            found("ping", r#""a\"b""#)
        );
        assert_eq!(
            members(r#"{"type":"ping","id":-1.5e+3}"#),
            found("ping", "-1.5e+3")
        );
        assert_eq!(members(r#"{"type":5,"id":[7]}"#), found("", ""));
        assert_eq!(members("{}"), found("", ""));
    }

    #[test]
    fn anything_else_is_nothing() {
        for text in [
            "",
            " ",
            "ping",
            "7",
            "null",
            "[]",
            "{",
            "}",
            r#"{"type""#,
            r#"{"type":"#,
            r#"{"type":"ping""#,
            r#"{"type":"ping",}"#,
            r#"{"type":"ping"} x"#,
            r#"{"id":07}"#,
            r#"{"id":7.}"#,
            r#"{"id":+7}"#,
            r#"{"id":1e}"#,
            r#"{"id":nan}"#,
            r#"{"id":}"#,
            r#"{type:"ping"}"#,
            "{\"type\":\"pi\nng\"}",
            r#"{"a":[}"#,
            r#"{"a":"\"#,
            r#"{"a":"\é"#,
        ] {
            assert_eq!(members(text), None, "{text:?}");
        }
    }

    #[test]
    fn deep_nesting_is_stepped_over() {
        let deep = format!(
            r#"{{"a":{}1{},"id":7}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(members(&deep), found("", "7"));
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in ".{0,40}") {
            let _ = members(&text);
        }

        #[test]
        fn nor_is_one_made_of_the_right_pieces(text in r#"[{}\[\]",:\\ a1eé.-]{0,24}"#) {
            let _ = members(&text);
        }

        /// Every object that `serde_json` writes is read, with the same two members.
        #[test]
        fn what_a_real_writer_writes_is_read(
            kind in "[a-z]{0,6}", id in any::<i64>(), extra in ".{0,12}", float in any::<f64>(),
        ) {
            let value = serde_json::json!({
                "extra": extra, "type": kind, "deep": { "x": [extra, float] }, "id": id,
            });
            let text = value.to_string();
            prop_assert_eq!(
                members(&text),
                Some(Members { kind: Some(&kind), id: Some(&id.to_string()) })
            );
        }

        /// What is taken for a heartbeat is an object to `serde_json` too, whenever that reads it.
        #[test]
        fn no_other_value_is_mistaken_for_one(text in r#"[{}\[\]",:1 a]{0,12}"#) {
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
                prop_assert_eq!(members(&text).is_some(), value.is_object());
            }
        }
    }
}
