//! [`Disconnect`]: the last packet of a connection.

use bytes::BytesMut;

use super::read::{self, Properties, Reader, Value};
use super::rule;
use super::scanner::Side;
use super::write::Writer;
use super::{MqttError, PacketType, Version};

/// A DISCONNECT.
///
/// ```
/// use bytes::BytesMut;
/// use liveness::mqtt::{Disconnect, Version, reason};
///
/// let mut out = BytesMut::new();
/// Disconnect::new(reason::KEEP_ALIVE_TIMEOUT).encode(Version::V5, &mut out)?;
/// assert_eq!(&out[..], [0xe0, 0x01, 0x8d]);
/// // Before version 5 a DISCONNECT has no reason.
/// assert!(Disconnect::new(reason::KEEP_ALIVE_TIMEOUT).encode(Version::V3_1_1, &mut out).is_err());
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Disconnect {
    /// The reason code, one of [`reason`](super::reason) or another; 0 before version 5.
    pub reason: u8,
    /// A client's new session expiry, in seconds.
    pub session_expiry: Option<u32>,
    /// The reason in words.
    pub reason_string: Option<String>,
}

impl Disconnect {
    /// A DISCONNECT with this reason code and nothing else.
    #[must_use]
    pub fn new(reason: u8) -> Self {
        Self {
            reason,
            ..Self::default()
        }
    }

    /// Appends it as a packet of `version`.
    ///
    /// Before version 5 only a client sends DISCONNECT, and it means a normal end. There a server
    /// closes without one, and so does a client whose will is to be published.
    ///
    /// # Errors
    /// [`MqttError::Unencodable`] for text of more than 65535 bytes. [`MqttError::Broken`] for a
    /// reason that the version does not have: before 5 any but 0. Nothing is appended then.
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
        Self::decode(Side::Client, Some(version), body.header_len(), body.body())?;
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
                | 0x8b..=0x90
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
