//! [`MqttError`]: the one error of this module.

use super::reason::PACKET_TOO_LARGE;
use super::rule::Rule;
use super::{PacketType, Version};

/// A fault in the bytes of a peer, or in a packet to encode.
///
/// The text names the packet, the fault, its place, and the statement of the specification in the
/// version of the connection. Compare the variants, not the text.
///
/// ```
/// use liveness::mqtt::Scanner;
///
/// let error = Scanner::from_client().scan(&[0xc0, 0x00]).unwrap_err();
/// // For a DISCONNECT of version 5; before it a server closes without a word.
/// assert_eq!((error.reason(), error.return_code()), (0x82, None));
/// assert_eq!(
///     error.to_string(),
///     "PINGREQ: the first packet is not CONNECT, at byte 0 ([MQTT-3.1.0-1] of MQTT 3.1.1 and 5)",
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MqttError {
    /// A rule of the specification was broken.
    #[error("{packet}: {what}, at byte {at} ({cited})", what = rule.what(), cited = rule.cited(*version))]
    Broken {
        /// The packet that broke it.
        packet: PacketType,
        /// The rule.
        rule: &'static Rule,
        /// Where, in bytes from the start of the packet.
        at: u32,
        /// The version of the connection, as far as known.
        version: Option<Version>,
    },
    /// A packet announces more than a limit allows; nothing of it was buffered.
    #[error("{packet}: {size} bytes announced, the limit is {limit} (MQTT 5 reason code 0x95)")]
    TooLarge {
        /// The packet.
        packet: PacketType,
        /// Its whole size with the fixed header.
        size: u32,
        /// The limit: `packet` or `kept` of [`Limits`](super::Limits).
        limit: u32,
    },
    /// The stream ended inside a packet.
    #[error("{packet}: the stream ended after {received} bytes of it")]
    Truncated {
        /// The packet.
        packet: PacketType,
        /// How many bytes of it came.
        received: u32,
    },
    /// A client before version 5 asks for a longer keep alive than the server allows. These
    /// versions have no way to tell it a shorter one.
    #[error(
        "CONNECT: a keep alive of {asked} s where at most {most} s are allowed (0 is no limit)"
    )]
    KeepAlive {
        /// The client's keep alive, in seconds; 0 is off.
        asked: u16,
        /// The longest that is allowed, in seconds.
        most: u16,
    },
    /// A field too large for its place in a packet that was to be encoded.
    #[error("{packet}: a field of {size} bytes, the most is {most}")]
    Unencodable {
        /// The packet.
        packet: PacketType,
        /// The size of the field, or of the packet.
        size: usize,
        /// The most that MQTT can express.
        most: usize,
    },
}

impl MqttError {
    /// The reason code of version 5, for a DISCONNECT or for the CONNACK that refuses a CONNECT.
    #[must_use]
    pub const fn reason(&self) -> u8 {
        match self {
            Self::Broken { rule, .. } => rule.reason(),
            Self::TooLarge { .. } | Self::Unencodable { .. } => PACKET_TOO_LARGE,
            Self::Truncated { .. } => super::reason::MALFORMED,
            Self::KeepAlive { .. } => super::reason::UNSPECIFIED,
        }
    }

    /// The return code of a CONNACK of version 3.1 or 3.1.1 that refuses the CONNECT: 1 for an
    /// unsupported version, 2 for the client identifier or, as in Mosquitto, for the keep alive.
    /// `None` where these versions close without a word ([MQTT-3.1.4-1] of 3.1.1).
    #[must_use]
    pub const fn return_code(&self) -> Option<u8> {
        match self {
            Self::Broken { rule, .. } => rule.code(),
            Self::KeepAlive { .. } => Some(2),
            _ => None,
        }
    }
}
