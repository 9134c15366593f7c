//! [`ConnAck`]: the server's answer to CONNECT.

use bytes::BytesMut;

use super::read::{self, Properties, Reader, Value};
use super::rule;
use super::write::Writer;
use super::{MqttError, PacketType, Version};

/// A CONNACK: the fields that liveness needs. All other fields are checked and dropped.
///
/// ```
/// use bytes::BytesMut;
/// use liveness::mqtt::{ConnAck, Packet, Scanner, Version};
///
/// // From Mosquitto 2.0 with `max_keepalive 10`.
/// let bytes = [0x20, 0x0c, 0, 0, 0x09, 0x22, 0, 0x0a, 0x13, 0, 0x0a, 0x21, 0, 0x14];
/// let (_, packet) = Scanner::from_server().scan(&bytes)?;
/// let Some(Packet::ConnAck(ack)) = packet else { panic!() };
/// assert_eq!((ack.code, ack.server_keep_alive), (0, Some(10)));
///
/// let mut ack = ConnAck::new(0);
/// ack.server_keep_alive = Some(60);
/// let mut out = BytesMut::new();
/// ack.encode(Version::V5, &mut out)?;
/// assert_eq!(&out[..], [0x20, 6, 0, 0, 3, 0x13, 0, 60]);
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ConnAck {
    /// Whether the server goes on with an earlier session of the client. Not in version 3.1.
    pub session_present: bool,
    /// 0 for accepted, else the reason: the return code of 3.1 and 3.1.1, or the reason code of 5.
    pub code: u8,
    /// The keep alive that the client must use, in seconds; 0 is off, `None` is the client's own.
    pub server_keep_alive: Option<u16>,
    /// The session expiry that the server uses instead of the client's, in seconds.
    pub session_expiry: Option<u32>,
    /// The client identifier that the server chose for a client without one.
    pub assigned_client_id: Option<String>,
    /// The reason in words.
    pub reason_string: Option<String>,
}

impl ConnAck {
    /// A CONNACK with this code and nothing else; 0 is accepted.
    #[must_use]
    pub fn new(code: u8) -> Self {
        Self {
            code,
            ..Self::default()
        }
    }

    /// Appends it as a packet of `version`, without the fields that the version does not have.
    ///
    /// # Errors
    /// [`MqttError::Unencodable`] for text of more than 65535 bytes. [`MqttError::Broken`] for a
    /// code that the version does not have. Nothing is appended then.
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
        Self::decode(Some(version), body.header_len(), body.body())?;
        body.finish(0, out)
    }

    /// Whether this is the refusal of a server that does not speak version 5, which is in the
    /// format of 3.1.1 ([MQTT-3.1.2-2] of 3.1.1).
    fn is_refusal_of_3(body: &[u8]) -> bool {
        matches!(body, [_, 1..=5])
    }

    /// Decodes a body. Without a `version` the length tells it: two bytes before version 5, more
    /// from there.
    pub(super) fn decode(
        version: Option<Version>,
        header: u8,
        body: &[u8],
    ) -> Result<(Version, Self), MqttError> {
        let version = version.unwrap_or(match body.len() {
            ..=2 => Version::V3_1_1,
            _ => Version::V5,
        });
        let version = match Self::is_refusal_of_3(body) {
            true => version.min(Version::V3_1_1),
            false => version,
        };
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
