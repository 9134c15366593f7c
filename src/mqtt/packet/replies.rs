//! [`ConnAck`] and [`Disconnect`]: how a connection is accepted, refused and ended.

use bytes::BytesMut;

use super::read::{self, Properties, Reader, Value};
use super::rule;
use super::scanner::Side;
use super::write::{Writer, varint_len};
use super::{MqttError, PacketType, Version};

/// A CONNACK, as far as liveness needs it. The rest of it is checked and dropped.
///
/// ```
/// use liveness::mqtt::{Packet, Scanner};
///
/// // What Mosquitto 2.0 with `max_keepalive 10` answers:
/// let bytes = [0x20, 0x0c, 0, 0, 0x09, 0x22, 0, 0x0a, 0x13, 0, 0x0a, 0x21, 0, 0x14];
/// let (_, packet) = Scanner::from_server().scan(&bytes)?;
/// let Some(Packet::ConnAck(ack)) = packet else { panic!() };
/// assert_eq!((ack.code, ack.server_keep_alive), (0, Some(10)));
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ConnAck {
    /// Whether the server goes on with an earlier session of this client. Not in version 3.1.
    pub session_present: bool,
    /// 0 for accepted; else why not: the return code of 3.1 and 3.1.1, or the reason code of 5.
    pub code: u8,
    /// The keep alive that the client must use instead of its own, in seconds; 0 is off, `None` is
    /// the client's own.
    pub server_keep_alive: Option<u16>,
    /// The session expiry that the server uses instead of the client's, in seconds.
    pub session_expiry: Option<u32>,
    /// The client identifier that the server chose for a client without one.
    pub assigned_client_id: Option<String>,
    /// The server's words for it.
    pub reason_string: Option<String>,
}

impl ConnAck {
    /// A CONNACK with this code and nothing else; 0 is accepted.
    ///
    /// ```
    /// # use liveness::mqtt::ConnAck;
    /// let mut ack = ConnAck::new(0);
    /// ack.server_keep_alive = Some(60);
    /// ```
    #[must_use]
    pub fn new(code: u8) -> Self {
        Self {
            code,
            ..Self::default()
        }
    }

    /// Appends it as a packet of `version`. What the version does not have is left out.
    ///
    /// # Errors
    /// [`MqttError::Unencodable`] for text of more than 65535 bytes, [`MqttError::Broken`] for a code
    /// that the version does not have. Nothing is appended then.
    ///
    /// ```
    /// # use bytes::BytesMut;
    /// # use liveness::mqtt::{ConnAck, Version};
    /// let mut ack = ConnAck::new(0);
    /// ack.server_keep_alive = Some(60);
    /// let mut out = BytesMut::new();
    /// ack.encode(Version::V5, &mut out)?;
    /// assert_eq!(&out[..], [0x20, 6, 0, 0, 3, 0x13, 0, 60]);
    /// # Ok::<(), liveness::mqtt::MqttError>(())
    /// ```
    pub fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), MqttError> {
        let mut body = Writer::new(PacketType::ConnAck);
        body.byte(u8::from(self.session_present && version > Version::V3_1));
        body.byte(self.code);
        if version == Version::V5 {
            body.properties(|block| {
                block.number(read::SESSION_EXPIRY, self.session_expiry);
                block.text(read::ASSIGNED_ID, self.assigned_client_id.as_deref())?;
                if let Some(seconds) = self.server_keep_alive {
                    block.byte(read::SERVER_KEEP_ALIVE);
                    block.two(seconds);
                }
                block.text(read::REASON, self.reason_string.as_deref())
            })?;
        }
        Self::decode(Some(version), header_len(&body), body.body())?;
        body.finish(0, out)
    }

    /// Decodes a body. Without a `version` its length tells which it is: two bytes before version 5,
    /// more from there.
    pub(super) fn decode(
        version: Option<Version>,
        header: u8,
        body: &[u8],
    ) -> Result<(Version, Self), MqttError> {
        let version = version.unwrap_or(match body.len() {
            ..=2 => Version::V3_1_1,
            _ => Version::V5,
        });
        let mut reader = Reader::new(PacketType::ConnAck, Some(version), header, body);
        let at = reader.at();
        let flags = reader.byte()?;
        if version > Version::V3_1 && flags > 1 {
            return Err(reader.broken_at(&rule::CONNACK_FLAGS, at));
        }
        let code = reader.byte()?;
        let known = match version {
            Version::V3_1 | Version::V3_1_1 => code <= 5,
            Version::V5 => matches!(
                code,
                0 | 0x80..=0x8a | 0x8c | 0x90 | 0x95 | 0x97 | 0x99..=0x9d | 0x9f
            ),
        };
        if !known {
            return Err(reader.broken_at(&rule::CONNACK_CODE, at.saturating_add(1)));
        }
        let session_present = version > Version::V3_1 && flags == 1;
        if session_present && code != 0 {
            return Err(reader.broken_at(&rule::REFUSED_SESSION, at));
        }
        let mut ack = Self {
            session_present,
            code,
            ..Self::default()
        };
        if version == Version::V5 {
            reader.properties(Properties::CONNACK, |id, value, _| match (id, value) {
                (read::SERVER_KEEP_ALIVE, Value::Number(seconds)) => {
                    ack.server_keep_alive = Some(seconds as u16);
                }
                (read::SESSION_EXPIRY, Value::Number(seconds)) => {
                    ack.session_expiry = Some(seconds);
                }
                (read::ASSIGNED_ID, Value::Text(id)) => {
                    ack.assigned_client_id = Some(id.to_owned());
                }
                (read::REASON, Value::Text(text)) => ack.reason_string = Some(text.to_owned()),
                _ => {}
            })?;
        }
        reader.end()?;
        Ok((version, ack))
    }
}

/// A DISCONNECT.
///
/// ```
/// use bytes::BytesMut;
/// use liveness::mqtt::{Disconnect, Version, reason};
///
/// let mut out = BytesMut::new();
/// Disconnect::new(reason::KEEP_ALIVE_TIMEOUT).encode(Version::V5, &mut out)?;
/// assert_eq!(&out[..], [0xe0, 0x01, 0x8d]);
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Disconnect {
    /// Why: a code of [`reason`](super::reason); 0 before version 5.
    pub reason: u8,
    /// What the client wants its session expiry to be from here on, in seconds.
    pub session_expiry: Option<u32>,
    /// The sender's words for it.
    pub reason_string: Option<String>,
}

impl Disconnect {
    /// A DISCONNECT with this reason code and nothing else.
    ///
    /// ```
    /// # use liveness::mqtt::{Disconnect, reason};
    /// assert_eq!(Disconnect::new(reason::NORMAL), Disconnect::default());
    /// ```
    #[must_use]
    pub fn new(reason: u8) -> Self {
        Self {
            reason,
            ..Self::default()
        }
    }

    /// Appends it as a packet of `version`.
    ///
    /// Before version 5 a DISCONNECT is a client's, says nothing, and always means a normal end: there
    /// a server closes without one, and a client that wants its will published closes without one.
    ///
    /// # Errors
    /// [`MqttError::Unencodable`] for text of more than 65535 bytes, [`MqttError::Broken`] for a reason
    /// that the version does not have: before 5 that is any but 0. Nothing is appended then.
    ///
    /// ```
    /// # use bytes::BytesMut;
    /// # use liveness::mqtt::{Disconnect, Version};
    /// let mut out = BytesMut::new();
    /// Disconnect::default().encode(Version::V3_1_1, &mut out)?;
    /// assert_eq!(&out[..], [0xe0, 0x00]);
    /// assert!(Disconnect::new(0x8e).encode(Version::V3_1_1, &mut out).is_err());
    /// # Ok::<(), liveness::mqtt::MqttError>(())
    /// ```
    pub fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), MqttError> {
        let mut body = Writer::new(PacketType::Disconnect);
        let has_properties = self.session_expiry.is_some() || self.reason_string.is_some();
        if self.reason != 0 || has_properties {
            body.byte(self.reason);
        }
        if has_properties {
            body.properties(|block| {
                block.number(read::SESSION_EXPIRY, self.session_expiry);
                block.text(read::REASON, self.reason_string.as_deref())
            })?;
        }
        Self::decode(Side::Client, Some(version), header_len(&body), body.body())?;
        body.finish(0, out)
    }

    pub(super) fn decode(
        side: Side,
        version: Option<Version>,
        header: u8,
        body: &[u8],
    ) -> Result<Self, MqttError> {
        let mut reader = Reader::new(PacketType::Disconnect, version, header, body);
        let mut disconnect = Self::default();
        if reader.is_empty() {
            return Ok(disconnect);
        }
        if version != Some(Version::V5) {
            return Err(reader.broken_at(&rule::DISCONNECT_BODY, 1));
        }
        let at = reader.at();
        disconnect.reason = reader.byte()?;
        if !matches!(
            disconnect.reason,
            0 | 0x04
                | 0x80..=0x83
                | 0x87
                | 0x89
                | 0x8b
                | 0x8d..=0x90
                | 0x93..=0xa2
        ) {
            return Err(reader.broken_at(&rule::DISCONNECT_REASON, at));
        }
        let at = reader.at();
        if !reader.is_empty() {
            reader.properties(Properties::DISCONNECT, |id, value, _| match (id, value) {
                (read::SESSION_EXPIRY, Value::Number(seconds)) => {
                    disconnect.session_expiry = Some(seconds);
                }
                (read::REASON, Value::Text(text)) => {
                    disconnect.reason_string = Some(text.to_owned());
                }
                _ => {}
            })?;
        }
        if side == Side::Server && disconnect.session_expiry.is_some() {
            return Err(reader.broken_at(&rule::SERVER_EXPIRY, at));
        }
        reader.end()?;
        Ok(disconnect)
    }
}

fn header_len(body: &Writer) -> u8 {
    varint_len(body.body().len() as u32) + 1
}
