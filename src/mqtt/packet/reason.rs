//! Reason codes of version 5 that this crate sends or acts upon (its section 2.4).

/// DISCONNECT: a normal end; the will is discarded.
///
/// ```
/// # use liveness::mqtt::reason;
/// assert_eq!(reason::NORMAL, 0x00);
/// ```
pub const NORMAL: u8 = 0x00;

/// DISCONNECT: a normal end, and the will is to be published all the same.
///
/// ```
/// # use liveness::mqtt::reason;
/// assert_eq!(reason::WITH_WILL, 0x04);
/// ```
pub const WITH_WILL: u8 = 0x04;

/// An error for which there is no other code.
///
/// ```
/// # use liveness::mqtt::reason;
/// assert_eq!(reason::UNSPECIFIED, 0x80);
/// ```
pub const UNSPECIFIED: u8 = 0x80;

/// Malformed packet: bytes that cannot be read.
///
/// ```
/// # use liveness::mqtt::reason;
/// assert_eq!(reason::MALFORMED, 0x81);
/// ```
pub const MALFORMED: u8 = 0x81;

/// Protocol error: a packet that may not stand where it stands.
///
/// ```
/// # use liveness::mqtt::reason;
/// assert_eq!(reason::PROTOCOL_ERROR, 0x82);
/// ```
pub const PROTOCOL_ERROR: u8 = 0x82;

/// CONNACK: a version that is not spoken here.
///
/// ```
/// # use liveness::mqtt::reason;
/// assert_eq!(reason::UNSUPPORTED_VERSION, 0x84);
/// ```
pub const UNSUPPORTED_VERSION: u8 = 0x84;

/// CONNACK: a client identifier that is not accepted.
///
/// ```
/// # use liveness::mqtt::reason;
/// assert_eq!(reason::CLIENT_ID_NOT_VALID, 0x85);
/// ```
pub const CLIENT_ID_NOT_VALID: u8 = 0x85;

/// DISCONNECT from a server that shuts down.
///
/// ```
/// # use liveness::mqtt::reason;
/// assert_eq!(reason::SHUTTING_DOWN, 0x8b);
/// ```
pub const SHUTTING_DOWN: u8 = 0x8b;

/// DISCONNECT from a server to a client that was silent for 1.5 keep alives.
///
/// A courtesy: closing is what the specification demands ([MQTT-3.1.2-22] of MQTT 5).
///
/// ```
/// # use liveness::mqtt::reason;
/// assert_eq!(reason::KEEP_ALIVE_TIMEOUT, 0x8d);
/// ```
pub const KEEP_ALIVE_TIMEOUT: u8 = 0x8d;

/// DISCONNECT from a server to a client whose identifier another connection uses now.
///
/// ```
/// # use liveness::mqtt::reason;
/// assert_eq!(reason::SESSION_TAKEN_OVER, 0x8e);
/// ```
pub const SESSION_TAKEN_OVER: u8 = 0x8e;

/// A packet above the receiver's limit.
///
/// ```
/// # use liveness::mqtt::reason;
/// assert_eq!(reason::PACKET_TOO_LARGE, 0x95);
/// ```
pub const PACKET_TOO_LARGE: u8 = 0x95;
