//! [`Connect`] and [`Will`]: the first packet of a connection.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::read::{self, Properties, Reader, Value};
use super::rule;
use super::write::Writer;
use super::{MqttError, PacketType, Version};

/// A CONNECT: the fields that liveness, wills and take-over need.
///
/// All other fields are checked and dropped.
///
/// ```
/// use bytes::BytesMut;
/// use liveness::mqtt::{Connect, Packet, Scanner, Version, Will};
///
/// let mut connect = Connect::new(Version::V5, "meter 7");
/// connect.keep_alive = 30;
/// connect.session_expiry = 3600;
/// connect.will = Some(Will::new("meters/7", "gone"));
/// let mut bytes = BytesMut::new();
/// connect.encode(&mut bytes)?;
///
/// let (consumed, packet) = Scanner::from_client().scan(&bytes)?;
/// assert_eq!(consumed, bytes.len());
/// assert_eq!(packet, Some(Packet::Connect(Box::new(connect))));
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connect {
    /// The version of the connection.
    pub version: Version,
    /// Whether the client says that it is a bridge, by the top bit of the protocol level: a habit
    /// of Mosquitto, before version 5. Such a client is not to get its own messages back.
    pub is_bridge: bool,
    /// The client identifier; empty if the server is to choose one.
    pub client_id: String,
    /// The keep alive that the client asks for, in seconds; 0 is off.
    pub keep_alive: u16,
    /// Whether an earlier session ends; Clean Session before version 5.
    pub clean_start: bool,
    /// How long the session outlives the connection, in seconds; `u32::MAX` is for ever.
    ///
    /// Before version 5 it is not on the wire: 0 with Clean Session, for ever without.
    pub session_expiry: u32,
    /// The message to publish when the connection ends without DISCONNECT.
    pub will: Option<Will>,
    /// The user name.
    pub username: Option<String>,
    /// The password. `Debug` does not show it.
    pub password: Option<Bytes>,
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("is_bridge", &self.is_bridge)
            .field("client_id", &self.client_id)
            .field("keep_alive", &self.keep_alive)
            .field("clean_start", &self.clean_start)
            .field("session_expiry", &self.session_expiry)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "..."))
            .finish()
    }
}

/// A will: the message that the server publishes when a client ends without DISCONNECT.
///
/// ```
/// use bytes::BytesMut;
/// use liveness::mqtt::{Version, Will};
///
/// let mut will = Will::new("a", "bye");
/// will.retain = true;
/// let mut out = BytesMut::new();
/// will.publish(Version::V3_1_1, &mut out)?;
/// assert_eq!(&out[..], b"\x31\x06\x00\x01abye");
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Will {
    /// The topic; not empty, and without wildcards.
    pub topic: String,
    /// The payload.
    pub payload: Bytes,
    /// The quality of service, 0 to 2.
    pub qos: u8,
    /// Whether it is published as a retained message.
    pub retain: bool,
    /// The Will Delay Interval in seconds; 0 before version 5.
    pub delay: u32,
    /// The other will properties of version 5, as on the wire and without their length. They go
    /// into the PUBLISH, as in [`publish`](Self::publish).
    pub properties: Bytes,
}

impl Will {
    /// A will with QoS 0, not retained, without delay.
    #[must_use]
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos: 0,
            retain: false,
            delay: 0,
            properties: Bytes::new(),
        }
    }

    /// Appends the will as a PUBLISH, for a connection that speaks `version`.
    ///
    /// Always with QoS 0, since a higher one takes a dialogue. A broker publishes wills by its own
    /// means; this is for a proxy in front of one.
    ///
    /// # Errors
    /// [`MqttError::Unencodable`] for a topic of more than 65535 bytes, or a payload that does not
    /// fit into a packet. Nothing is appended then.
    pub fn publish(&self, version: Version, out: &mut BytesMut) -> Result<(), MqttError> {
        let mut body = Writer::new(PacketType::Publish);
        body.data(self.topic.as_bytes())?;
        if version == Version::V5 {
            body.properties(|block| {
                block.raw(&self.properties);
                Ok(())
            })?;
        }
        body.raw(&self.payload);
        body.finish(u8::from(self.retain), out)
    }

    fn decode(reader: &mut Reader<'_>, flags: u8) -> Result<Self, MqttError> {
        let (mut delay, mut properties) = (0, BytesMut::new());
        if reader.version() == Some(Version::V5) {
            reader.properties(Properties::WILL, |id, value, bytes| match (id, value) {
                (read::WILL_DELAY, Value::Number(seconds)) => delay = seconds,
                _ => properties.extend_from_slice(bytes),
            })?;
        }
        let at = reader.at();
        let topic = reader.text()?;
        if topic.is_empty() {
            return Err(reader.broken_at(&rule::WILL_TOPIC_EMPTY, at));
        }
        if read::has_wildcard(topic) {
            return Err(reader.broken_at(&rule::WILL_TOPIC_WILDCARD, at));
        }
        Ok(Self {
            topic: topic.to_owned(),
            payload: Bytes::copy_from_slice(reader.data()?),
            qos: will_qos(flags),
            retain: flags & WILL_RETAIN != 0,
            delay,
            properties: properties.freeze(),
        })
    }

    fn encode(&self, version: Version, body: &mut Writer) -> Result<(), MqttError> {
        if version == Version::V5 {
            body.properties(|block| {
                block.number(
                    read::WILL_DELAY,
                    Some(self.delay).filter(|&delay| delay > 0),
                );
                block.raw(&self.properties);
                Ok(())
            })?;
        }
        body.data(self.topic.as_bytes())?;
        body.data(&self.payload)
    }
}

/// The bit of the protocol level that a bridge sets.
const BRIDGE: u8 = 0x80;

// The connect flags: section 3.1.2.3 of both versions.
const RESERVED: u8 = 0x01;
const CLEAN_START: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

const fn will_qos(flags: u8) -> u8 {
    flags >> 3 & 0b11
}

/// The fixed header of a CONNECT, which can be judged only once the version is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct FixedHeader {
    pub(super) len: u8,
    pub(super) flags: u8,
    pub(super) is_shortest: bool,
}

impl Connect {
    /// A CONNECT of a plain client with a clean start, no keep alive, no will and no credentials.
    #[must_use]
    pub fn new(version: Version, client_id: impl Into<String>) -> Self {
        Self {
            version,
            is_bridge: false,
            client_id: client_id.into(),
            keep_alive: 0,
            clean_start: true,
            session_expiry: 0,
            will: None,
            username: None,
            password: None,
        }
    }

    /// Appends it as a packet.
    ///
    /// # Errors
    /// [`MqttError::Unencodable`] for a field of more than 65535 bytes. [`MqttError::Broken`] for a
    /// field that no server may accept, such as a will with QoS 3. Nothing is appended then.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), MqttError> {
        let mut body = Writer::new(PacketType::Connect);
        body.data(self.version.name().as_bytes())?;
        body.byte(match self.is_bridge && self.version < Version::V5 {
            true => self.version.level() | BRIDGE,
            false => self.version.level(),
        });
        body.byte(self.flags());
        body.two(self.keep_alive);
        if self.version == Version::V5 {
            body.properties(|block| {
                let expiry = Some(self.session_expiry).filter(|&seconds| seconds > 0);
                block.number(read::SESSION_EXPIRY, expiry);
                Ok(())
            })?;
        }
        body.data(self.client_id.as_bytes())?;
        if let Some(will) = &self.will {
            will.encode(self.version, &mut body)?;
        }
        if let Some(username) = &self.username {
            body.data(username.as_bytes())?;
        }
        if let Some(password) = &self.password {
            body.data(password)?;
        }
        // The decoder knows all the rules, so they stand in one place.
        Self::decode(
            FixedHeader {
                len: body.header_len(),
                flags: 0,
                is_shortest: true,
            },
            body.body(),
        )?;
        body.finish(0, out)
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.clean_start {
            flags |= CLEAN_START;
        }
        if let Some(will) = &self.will {
            flags |= WILL | will.qos.min(3) << 3;
            if will.retain {
                flags |= WILL_RETAIN;
            }
        }
        if self.username.is_some() {
            flags |= USER_NAME;
        }
        if self.password.is_some() {
            flags |= PASSWORD;
        }
        flags
    }

    pub(super) fn decode(header: FixedHeader, body: &[u8]) -> Result<Self, MqttError> {
        let mut reader = Reader::new(PacketType::Connect, None, header.len, body);
        let (version, is_bridge) = Self::decode_level(&mut reader)?;
        reader.set_version(version);
        if version > Version::V3_1 && header.flags != 0 {
            return Err(reader.broken_at(&rule::RESERVED_FLAGS, 0));
        }
        if version == Version::V5 && !header.is_shortest {
            return Err(reader.broken_at(&rule::INTEGER_NOT_SHORTEST, 1));
        }
        let flags = Self::decode_flags(&mut reader, version)?;
        let clean_start = flags & CLEAN_START != 0;
        let keep_alive = reader.two()?;
        let mut session_expiry = 0;
        match version {
            Version::V5 => reader.properties(Properties::CONNECT, |id, value, _| {
                if let (read::SESSION_EXPIRY, Value::Number(seconds)) = (id, value) {
                    session_expiry = seconds;
                }
            })?,
            _ if !clean_start => session_expiry = u32::MAX,
            _ => {}
        }
        let at = reader.at();
        let client_id = reader.text()?;
        if client_id.is_empty()
            && (version == Version::V3_1 || version < Version::V5 && !clean_start)
        {
            return Err(reader.broken_at(&rule::CLIENT_ID_EMPTY, at));
        }
        let will = match flags & WILL {
            0 => None,
            _ => Some(Will::decode(&mut reader, flags)?),
        };
        // In 3.1 the remaining length takes precedence over these two flags.
        let is_cut = |reader: &Reader<'_>| version == Version::V3_1 && reader.is_empty();
        let username = match flags & USER_NAME {
            0 => None,
            _ if is_cut(&reader) => None,
            _ => Some(reader.text()?.to_owned()),
        };
        let password = match flags & PASSWORD {
            0 => None,
            _ if is_cut(&reader) => None,
            _ => Some(Bytes::copy_from_slice(reader.data()?)),
        };
        reader.end()?;
        Ok(Self {
            version,
            is_bridge,
            client_id: client_id.to_owned(),
            keep_alive,
            clean_start,
            session_expiry,
            will,
            username,
            password,
        })
    }

    /// Reads the protocol name and level: the version, and whether it is a bridge.
    pub(super) fn decode_level(reader: &mut Reader<'_>) -> Result<(Version, bool), MqttError> {
        let at = reader.at();
        let name = reader.data()?;
        if name != b"MQTT" && name != b"MQIsdp" {
            return Err(reader.broken_at(&rule::PROTOCOL_NAME, at));
        }
        let at = reader.at();
        let level = reader.byte()?;
        let version = match (name, level & !BRIDGE) {
            (b"MQIsdp", 3) => Version::V3_1,
            (b"MQTT", 4) => Version::V3_1_1,
            (b"MQTT", 5) if level & BRIDGE == 0 => Version::V5,
            _ => return Err(reader.broken_at(&rule::PROTOCOL_LEVEL, at)),
        };
        Ok((version, level & BRIDGE != 0))
    }

    fn decode_flags(reader: &mut Reader<'_>, version: Version) -> Result<u8, MqttError> {
        let at = reader.at();
        let flags = reader.byte()?;
        // In 3.1 these bits are unused and may have any value.
        let strict = version > Version::V3_1;
        let (has_will, qos) = (flags & WILL != 0, will_qos(flags));
        let rule = if strict && flags & RESERVED != 0 {
            &rule::CONNECT_FLAG
        } else if has_will && qos == 3 {
            &rule::WILL_QOS
        } else if strict && !has_will && qos != 0 {
            &rule::QOS_WITHOUT_WILL
        } else if strict && !has_will && flags & WILL_RETAIN != 0 {
            &rule::RETAIN_WITHOUT_WILL
        } else if version == Version::V3_1_1 && flags & USER_NAME == 0 && flags & PASSWORD != 0 {
            &rule::PASSWORD_ALONE
        } else {
            return Ok(flags);
        };
        Err(reader.broken_at(rule, at))
    }
}
