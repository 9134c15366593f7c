//! [`Reader`]: the fields of one packet, in order, each checked. Any bytes give a value or one
//! error that names the rule.

use super::rule::{self, Rule};
use super::{MqttError, PacketType, Version};

/// The unread rest of a packet's body.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// The place of `rest` in the packet.
    at: u32,
    packet: PacketType,
    version: Option<Version>,
    /// The rule that a missing byte breaks.
    short: &'static Rule,
}

impl<'a> Reader<'a> {
    /// A reader of `body`, which stands behind a fixed header of `header` bytes.
    pub(super) fn new(
        packet: PacketType,
        version: Option<Version>,
        header: u8,
        body: &'a [u8],
    ) -> Self {
        let short = match packet {
            PacketType::Connect => &rule::CONNECT_CUT,
            _ => &rule::CUT,
        };
        Self {
            rest: body,
            at: u32::from(header),
            packet,
            version,
            short,
        }
    }

    pub(super) const fn version(&self) -> Option<Version> {
        self.version
    }

    pub(super) fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) const fn at(&self) -> u32 {
        self.at
    }

    /// The error of a rule broken at the current place.
    pub(super) const fn broken(&self, rule: &'static Rule) -> MqttError {
        self.broken_at(rule, self.at)
    }

    pub(super) const fn broken_at(&self, rule: &'static Rule, at: u32) -> MqttError {
        MqttError::Broken {
            packet: self.packet,
            rule,
            at,
            version: self.version,
        }
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], MqttError> {
        let Some((taken, rest)) = self.rest.split_at_checked(size) else {
            return Err(self.broken(self.short));
        };
        self.rest = rest;
        // A packet has fewer than 2^28 + 5 bytes.
        self.at = self.at.saturating_add(size as u32);
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MqttError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, MqttError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn two(&mut self) -> Result<u16, MqttError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn four(&mut self) -> Result<u32, MqttError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A variable byte integer.
    fn varint(&mut self) -> Result<u32, MqttError> {
        let (mut value, start) = (0, self.at);
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.broken_at(&rule::INTEGER_NOT_SHORTEST, start));
                }
                return Ok(value);
            }
        }
        Err(self.broken_at(&rule::INTEGER_TOO_LONG, start))
    }

    /// Bytes behind a length of two.
    pub(super) fn data(&mut self) -> Result<&'a [u8], MqttError> {
        let size = self.two()?;
        self.take(usize::from(size))
    }

    /// Text behind a length of two.
    pub(super) fn text(&mut self) -> Result<&'a str, MqttError> {
        let data = self.data()?;
        let start = self.at.saturating_sub(data.len() as u32);
        let text = std::str::from_utf8(data).map_err(|error| {
            self.broken_at(
                &rule::NOT_UTF8,
                start.saturating_add(error.valid_up_to() as u32),
            )
        })?;
        match text.find('\0') {
            Some(nul) => Err(self.broken_at(&rule::NUL, start.saturating_add(nul as u32))),
            None => Ok(text),
        }
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), MqttError> {
        if self.is_empty() {
            return Ok(());
        }
        Err(self.broken(match self.packet {
            PacketType::Connect => &rule::CONNECT_LEFT_OVER,
            _ => &rule::LEFT_OVER,
        }))
    }

    /// The properties that come next. Each is checked against `allowed` and handed over with the
    /// bytes that encode it.
    pub(super) fn properties(
        &mut self,
        allowed: Properties,
        mut each: impl FnMut(u8, Value<'a>, &'a [u8]),
    ) -> Result<(), MqttError> {
        let size = self.varint()?;
        let at = self.at;
        let block = self.take(size as usize)?;
        let mut inner = Self {
            rest: block,
            at,
            short: &rule::PROPERTY_LENGTH,
            ..*self
        };
        let mut seen = Properties::NONE;
        while !inner.is_empty() {
            let (from, start) = (inner.rest, inner.at);
            let id = inner.byte()?;
            if !allowed.has(id) {
                return Err(inner.broken_at(&rule::FOREIGN_PROPERTY, start));
            }
            if seen.has(id) && id != USER {
                return Err(inner.broken_at(&rule::PROPERTY_TWICE, start));
            }
            seen = seen.with(id);
            let value = inner.value(id)?;
            let bytes = &from[..from.len() - inner.rest.len()];
            each(id, value, bytes);
        }
        let is_connect = self.packet == PacketType::Connect;
        if is_connect && seen.has(AUTH_DATA) && !seen.has(AUTH_METHOD) {
            return Err(self.broken_at(&rule::AUTH_DATA, at));
        }
        Ok(())
    }

    fn value(&mut self, id: u8) -> Result<Value<'a>, MqttError> {
        let start = self.at;
        let value = match Kind::of(id) {
            None => return Err(self.broken_at(&rule::FOREIGN_PROPERTY, start)),
            Some(Kind::Small) => Value::Small(u32::from(self.byte()?)),
            Some(Kind::Two) => Value::Number(u32::from(self.two()?)),
            Some(Kind::Four) => Value::Number(self.four()?),
            Some(Kind::Text) => Value::Text(self.text()?),
            Some(Kind::Data) => {
                self.data()?;
                Value::Other
            }
            Some(Kind::Pair) => {
                self.text()?;
                self.text()?;
                Value::Other
            }
        };
        match (id, value) {
            (_, Value::Small(2..)) | (RECEIVE_MAX | MAX_PACKET, Value::Number(0)) => {
                Err(self.broken_at(&rule::PROPERTY_VALUE, start))
            }
            (RESPONSE_TOPIC, Value::Text(topic)) if has_wildcard(topic) => {
                Err(self.broken_at(&rule::RESPONSE_TOPIC, start))
            }
            (_, value) => Ok(value),
        }
    }
}

pub(super) fn has_wildcard(topic: &str) -> bool {
    topic.contains(['+', '#'])
}

/// The encoding of a property's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A byte that is 0 or 1.
    Small,
    /// A number of two bytes.
    Two,
    /// A number of four bytes.
    Four,
    /// Bytes behind a length of two.
    Data,
    /// Text behind a length of two.
    Text,
    /// Two texts.
    Pair,
}

impl Kind {
    /// The encoding of the property `id`; `None` for one that none of the packets here has.
    pub(super) const fn of(id: u8) -> Option<Self> {
        Some(match id {
            PAYLOAD_FORMAT | PROBLEM_INFO | RESPONSE_INFO_WANTED | MAX_QOS | RETAIN_AVAILABLE
            | WILDCARDS | SUBSCRIPTION_IDS | SHARED => Self::Small,
            SERVER_KEEP_ALIVE | RECEIVE_MAX | TOPIC_ALIAS_MAX => Self::Two,
            MESSAGE_EXPIRY | SESSION_EXPIRY | WILL_DELAY | MAX_PACKET => Self::Four,
            CORRELATION | AUTH_DATA => Self::Data,
            CONTENT_TYPE | RESPONSE_TOPIC | ASSIGNED_ID | AUTH_METHOD | RESPONSE_INFO
            | SERVER_REFERENCE | REASON => Self::Text,
            USER => Self::Pair,
            _ => return None,
        })
    }
}

/// A property's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// A byte that is 0 or 1.
    Small(u32),
    Number(u32),
    Text(&'a str),
    /// Checked and not needed.
    Other,
}

/// A set of property identifiers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Properties(u64);

impl Properties {
    const NONE: Self = Self(0);

    const fn of(ids: &[u8]) -> Self {
        let (mut set, mut n) = (Self::NONE, 0);
        while n < ids.len() {
            set = set.with(ids[n]);
            n += 1;
        }
        set
    }

    const fn has(self, id: u8) -> bool {
        id < 64 && self.0 & (1 << id) != 0
    }

    const fn with(self, id: u8) -> Self {
        Self(self.0 | 1 << id)
    }

    pub(super) const CONNECT: Self = Self::of(&[
        SESSION_EXPIRY,
        AUTH_METHOD,
        AUTH_DATA,
        PROBLEM_INFO,
        RESPONSE_INFO_WANTED,
        RECEIVE_MAX,
        TOPIC_ALIAS_MAX,
        USER,
        MAX_PACKET,
    ]);

    pub(super) const WILL: Self = Self::of(&[
        PAYLOAD_FORMAT,
        MESSAGE_EXPIRY,
        CONTENT_TYPE,
        RESPONSE_TOPIC,
        CORRELATION,
        WILL_DELAY,
        USER,
    ]);

    pub(super) const CONNACK: Self = Self::of(&[
        SESSION_EXPIRY,
        ASSIGNED_ID,
        SERVER_KEEP_ALIVE,
        AUTH_METHOD,
        AUTH_DATA,
        RESPONSE_INFO,
        SERVER_REFERENCE,
        REASON,
        RECEIVE_MAX,
        TOPIC_ALIAS_MAX,
        MAX_QOS,
        RETAIN_AVAILABLE,
        USER,
        MAX_PACKET,
        WILDCARDS,
        SUBSCRIPTION_IDS,
        SHARED,
    ]);

    pub(super) const DISCONNECT: Self = Self::of(&[SESSION_EXPIRY, SERVER_REFERENCE, REASON, USER]);
}

// Property identifiers: section 2.2.2.2 of MQTT 5.
const PAYLOAD_FORMAT: u8 = 0x01;
const MESSAGE_EXPIRY: u8 = 0x02;
const CONTENT_TYPE: u8 = 0x03;
const RESPONSE_TOPIC: u8 = 0x08;
const CORRELATION: u8 = 0x09;
pub(super) const SESSION_EXPIRY: u8 = 0x11;
pub(super) const ASSIGNED_ID: u8 = 0x12;
pub(super) const SERVER_KEEP_ALIVE: u8 = 0x13;
const AUTH_METHOD: u8 = 0x15;
const AUTH_DATA: u8 = 0x16;
const PROBLEM_INFO: u8 = 0x17;
pub(super) const WILL_DELAY: u8 = 0x18;
const RESPONSE_INFO_WANTED: u8 = 0x19;
const RESPONSE_INFO: u8 = 0x1a;
const SERVER_REFERENCE: u8 = 0x1c;
pub(super) const REASON: u8 = 0x1f;
const RECEIVE_MAX: u8 = 0x21;
const TOPIC_ALIAS_MAX: u8 = 0x22;
const MAX_QOS: u8 = 0x24;
const RETAIN_AVAILABLE: u8 = 0x25;
const USER: u8 = 0x26;
const MAX_PACKET: u8 = 0x27;
const WILDCARDS: u8 = 0x28;
const SUBSCRIPTION_IDS: u8 = 0x29;
const SHARED: u8 = 0x2a;
