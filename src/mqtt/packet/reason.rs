//! The reason codes of version 5 (its section 2.4) that this crate sends or acts upon.

/// DISCONNECT: a normal end; the will is discarded.
pub const NORMAL: u8 = 0x00;

/// DISCONNECT: a normal end, but the will is to be published.
pub const WITH_WILL: u8 = 0x04;

/// An error without a code of its own.
pub const UNSPECIFIED: u8 = 0x80;

/// Malformed packet: the bytes cannot be read.
pub const MALFORMED: u8 = 0x81;

/// Protocol error: a packet in the wrong place.
pub const PROTOCOL_ERROR: u8 = 0x82;

/// CONNACK: an unsupported version.
pub const UNSUPPORTED_VERSION: u8 = 0x84;

/// CONNACK: the client identifier is not accepted.
pub const CLIENT_ID_NOT_VALID: u8 = 0x85;

/// DISCONNECT from a server that shuts down.
pub const SHUTTING_DOWN: u8 = 0x8b;

/// DISCONNECT from a server to a client that was silent for 1.5 keep alives.
///
/// A courtesy: the specification demands only to close ([MQTT-3.1.2-22] of MQTT 5).
pub const KEEP_ALIVE_TIMEOUT: u8 = 0x8d;

/// DISCONNECT from a server: another connection uses the client identifier now.
pub const SESSION_TAKEN_OVER: u8 = 0x8e;

/// A packet above the receiver's limit.
pub const PACKET_TOO_LARGE: u8 = 0x95;
