//! The demands of the specification, each with its number in each version.
//!
//! Versions 3.1.1 and 5 number the same statement differently, and one number means different
//! things in the two. So a rule carries both, and an error cites the number of the version in use.

use std::fmt;

use super::Version;
use super::reason::{CLIENT_ID_NOT_VALID, MALFORMED, PROTOCOL_ERROR, UNSUPPORTED_VERSION};

/// A demand of the MQTT specification, in an error about bytes that broke it.
///
/// ```
/// use liveness::mqtt::{MqttError, Scanner, Version};
///
/// let error = Scanner::from_client().scan(&[0xc0, 0x00]).unwrap_err();
/// let MqttError::Broken { rule, .. } = error else { panic!() };
/// assert_eq!(rule.what(), "the first packet is not CONNECT");
/// assert_eq!(rule.number(Version::V5), "[MQTT-3.1.0-1]");
/// assert_eq!(rule.reason(), 0x82);
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    what: &'static str,
    v3: &'static str,
    v5: &'static str,
    reason: u8,
    /// The return code of a CONNACK before version 5.
    code: Option<u8>,
}

impl Rule {
    const fn malformed(what: &'static str, v3: &'static str, v5: &'static str) -> Self {
        Self {
            what,
            v3,
            v5,
            reason: MALFORMED,
            code: None,
        }
    }

    const fn violation(what: &'static str, v3: &'static str, v5: &'static str) -> Self {
        Self {
            what,
            v3,
            v5,
            reason: PROTOCOL_ERROR,
            code: None,
        }
    }

    const fn refusal(
        what: &'static str,
        number: &'static str,
        reason: u8,
        code: Option<u8>,
    ) -> Self {
        Self {
            what,
            v3: number,
            v5: number,
            reason,
            code,
        }
    }

    /// The fault.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// The number of the statement in `version`, in brackets, or the section where the statement
    /// has no number. Version 3.1 has no numbers and gets those of 3.1.1.
    #[must_use]
    pub const fn number(&self, version: Version) -> &'static str {
        match version {
            Version::V3_1 | Version::V3_1_1 => self.v3,
            Version::V5 => self.v5,
        }
    }

    /// The reason code of version 5 for the peer that broke it: 0x81 for a malformed packet, 0x82
    /// for a protocol error, 0x84 for an unsupported version, 0x85 for the client identifier.
    #[must_use]
    pub const fn reason(&self) -> u8 {
        self.reason
    }

    pub(super) const fn code(&self) -> Option<u8> {
        self.code
    }

    pub(super) const fn cited(&'static self, version: Option<Version>) -> Cited {
        Cited {
            rule: self,
            version,
        }
    }
}

/// The number of a rule, for error texts.
pub(super) struct Cited {
    rule: &'static Rule,
    version: Option<Version>,
}

impl fmt::Display for Cited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { v3, v5, .. } = self.rule;
        match self.version {
            Some(Version::V3_1) => write!(f, "MQTT 3.1, as {v3} of 3.1.1"),
            Some(version) => write!(f, "{version} {}", self.rule.number(version)),
            None if v3 == v5 => write!(f, "{v5} of MQTT 3.1.1 and 5"),
            None => write!(f, "{v3} of MQTT 3.1.1, {v5} of MQTT 5"),
        }
    }
}

// The fixed header.
pub(super) static RESERVED_TYPE: Rule = Rule::malformed(
    "packet type 0 is reserved",
    "section 2.2.1",
    "section 2.1.2",
);
pub(super) static RESERVED_FLAGS: Rule = Rule::malformed(
    "the reserved flag bits are not as listed",
    "[MQTT-2.2.2-2]",
    "[MQTT-2.1.3-1]",
);
pub(super) static PUBLISH_QOS: Rule =
    Rule::malformed("both QoS bits are set", "[MQTT-3.3.1-4]", "[MQTT-3.3.1-4]");
pub(super) static INTEGER_TOO_LONG: Rule = Rule::malformed(
    "a variable byte integer of more than four bytes",
    "section 2.2.3",
    "section 1.5.5",
);
pub(super) static INTEGER_NOT_SHORTEST: Rule = Rule::malformed(
    "a variable byte integer with more bytes than it needs",
    "section 2.2.3",
    "[MQTT-1.5.5-1]",
);
pub(super) static PING_BODY: Rule = Rule::malformed(
    "the remaining length is not 0",
    "sections 3.12.1 and 3.13.1",
    "sections 3.12.1 and 3.13.1",
);

// Sides and moments.
pub(super) static FIRST_CONNECT: Rule = Rule::violation(
    "the first packet is not CONNECT",
    "[MQTT-3.1.0-1]",
    "[MQTT-3.1.0-1]",
);
pub(in crate::mqtt) static SECOND_CONNECT: Rule = Rule::violation(
    "a second CONNECT on one connection",
    "[MQTT-3.1.0-2]",
    "[MQTT-3.1.0-2]",
);
pub(super) static FIRST_CONNACK: Rule = Rule::violation(
    "the first packet is not CONNACK",
    "[MQTT-3.2.0-1]",
    "[MQTT-3.2.0-1]",
);
pub(super) static SECOND_CONNACK: Rule = Rule::violation(
    "a second CONNACK on one connection",
    "[MQTT-4.8.0-1]",
    "[MQTT-3.2.0-2]",
);
pub(super) static NOT_FROM_CLIENT: Rule = Rule::violation(
    "a packet that only a server sends",
    "[MQTT-4.8.0-1], table 2.1",
    "section 2.1.2, table 2-1",
);
pub(super) static NOT_FROM_SERVER: Rule = Rule::violation(
    "a packet that only a client sends",
    "[MQTT-4.8.0-1], table 2.1",
    "section 2.1.2, table 2-1",
);
pub(super) static AUTH_BEFORE_5: Rule = Rule::malformed(
    "packet type 15 is reserved before MQTT 5",
    "section 2.2.1",
    "section 3.15",
);
pub(super) static SERVER_DISCONNECT_BEFORE_5: Rule = Rule::violation(
    "no server sends DISCONNECT before MQTT 5",
    "section 3.14",
    "section 3.14",
);
pub(super) static AFTER_DISCONNECT: Rule = Rule::violation(
    "a packet after DISCONNECT",
    "[MQTT-3.14.4-2]",
    "[MQTT-3.14.4-1]",
);

// Fields.
pub(super) static CUT: Rule = Rule::malformed(
    "a field runs past the end of the packet",
    "[MQTT-4.8.0-1]",
    "[MQTT-4.13.1-1]",
);
pub(super) static LEFT_OVER: Rule = Rule::malformed(
    "bytes are left over after the last field",
    "[MQTT-4.8.0-1]",
    "[MQTT-4.13.1-1]",
);
pub(super) static CONNECT_CUT: Rule = Rule::malformed(
    "a field runs past the end of the packet",
    "[MQTT-3.1.4-1]",
    "[MQTT-3.1.4-1]",
);
pub(super) static CONNECT_LEFT_OVER: Rule = Rule::malformed(
    "bytes are left over after the last field",
    "[MQTT-3.1.4-1]",
    "[MQTT-3.1.4-1]",
);
pub(super) static NOT_UTF8: Rule =
    Rule::malformed("text that is not UTF-8", "[MQTT-1.5.3-1]", "[MQTT-1.5.4-1]");
pub(super) static NUL: Rule = Rule::malformed(
    "text with the null character",
    "[MQTT-1.5.3-2]",
    "[MQTT-1.5.4-2]",
);

// Properties; version 5 only.
pub(super) static FOREIGN_PROPERTY: Rule = Rule::malformed(
    "a property that this packet does not have",
    "",
    "section 2.2.2.2",
);
pub(super) static PROPERTY_TWICE: Rule =
    Rule::violation("a property that comes twice", "", "section 2.2.2.2");
pub(super) static PROPERTY_VALUE: Rule = Rule::violation(
    "a property with a value that it may not have",
    "",
    "section 2.2.2.2",
);
pub(super) static PROPERTY_LENGTH: Rule = Rule::malformed(
    "a property runs past the property length",
    "",
    "section 2.2.2.1",
);
pub(super) static RESPONSE_TOPIC: Rule =
    Rule::violation("a response topic with a wildcard", "", "[MQTT-3.3.2-14]");
pub(super) static AUTH_DATA: Rule = Rule::violation(
    "authentication data without a method",
    "",
    "section 3.1.2.11.10",
);

// CONNECT.
pub(super) static PROTOCOL_NAME: Rule = Rule::refusal(
    "the protocol name is neither \"MQTT\" nor \"MQIsdp\"",
    "[MQTT-3.1.2-1]",
    UNSUPPORTED_VERSION,
    // 3.1.1 closes without a word: [MQTT-3.1.4-1].
    None,
);
pub(super) static PROTOCOL_LEVEL: Rule = Rule::refusal(
    "the protocol level is none of 3 (of \"MQIsdp\"), 4 and 5 (of \"MQTT\")",
    "[MQTT-3.1.2-2]",
    UNSUPPORTED_VERSION,
    Some(1),
);
pub(super) static CONNECT_FLAG: Rule = Rule::malformed(
    "the reserved connect flag is set",
    "[MQTT-3.1.2-3]",
    "[MQTT-3.1.2-3]",
);
pub(super) static WILL_QOS: Rule =
    Rule::malformed("a will with QoS 3", "[MQTT-3.1.2-14]", "[MQTT-3.1.2-12]");
pub(super) static QOS_WITHOUT_WILL: Rule = Rule::malformed(
    "will QoS without a will",
    "[MQTT-3.1.2-13]",
    "[MQTT-3.1.2-11]",
);
pub(super) static RETAIN_WITHOUT_WILL: Rule = Rule::malformed(
    "will retain without a will",
    "[MQTT-3.1.2-15]",
    "[MQTT-3.1.2-13]",
);
pub(super) static PASSWORD_ALONE: Rule = Rule::malformed(
    "a password without a user name",
    "[MQTT-3.1.2-22]",
    "section 3.1.2.9",
);
pub(super) static WILL_TOPIC_EMPTY: Rule =
    Rule::malformed("an empty will topic", "[MQTT-4.7.3-1]", "[MQTT-4.7.3-1]");
pub(super) static WILL_TOPIC_WILDCARD: Rule = Rule::malformed(
    "a will topic with a wildcard",
    "[MQTT-4.7.1-1]",
    "[MQTT-4.7.0-1]",
);
pub(super) static CLIENT_ID_EMPTY: Rule = Rule::refusal(
    "an empty client identifier without a clean session",
    "[MQTT-3.1.3-8]",
    CLIENT_ID_NOT_VALID,
    Some(2),
);

// CONNACK and DISCONNECT.
pub(super) static CONNACK_FLAGS: Rule = Rule::malformed(
    "the reserved acknowledge flags are not 0",
    "section 3.2.2.1",
    "[MQTT-3.2.2-1]",
);
pub(super) static CONNACK_CODE: Rule = Rule::violation(
    "a code that CONNACK does not have",
    "section 3.2.2.3",
    "[MQTT-3.2.2-8]",
);
pub(super) static REFUSED_SESSION: Rule = Rule::violation(
    "a session is present though the connection is refused",
    "[MQTT-3.2.2-4]",
    "[MQTT-3.2.2-6]",
);
pub(super) static DISCONNECT_BODY: Rule = Rule::malformed(
    "the remaining length is not 0",
    "section 3.14.1",
    "section 3.14.1",
);
pub(super) static DISCONNECT_REASON: Rule = Rule::violation(
    "a reason code that DISCONNECT does not have",
    "section 3.14",
    "[MQTT-3.14.2-1]",
);
pub(super) static SERVER_EXPIRY: Rule = Rule::violation(
    "a server's DISCONNECT with a session expiry",
    "section 3.14",
    "[MQTT-3.14.2-2]",
);
pub(in crate::mqtt) static EXPIRY_FROM_ZERO: Rule = Rule::violation(
    "a session expiry where CONNECT had none",
    "section 3.14",
    "section 3.14.2.2.2",
);
