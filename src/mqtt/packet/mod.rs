//! The packets of MQTT: bytes and fields. Nothing here knows time, a socket or a connection's
//! state.

pub(super) mod borders;
mod connack;
mod connect;
mod disconnect;
mod error;
pub(super) mod front;
mod limits;
mod packet_type;
mod read;
pub mod reason;
pub(super) mod rule;
mod scanner;
mod version;
mod write;

pub use connack::ConnAck;
pub use connect::{Connect, Will};
pub use disconnect::Disconnect;
pub use error::MqttError;
pub use limits::Limits;
pub use packet_type::PacketType;
pub use rule::Rule;
pub use scanner::Scanner;
pub use version::Version;

/// A whole PINGREQ.
pub const PINGREQ: [u8; 2] = [0xc0, 0x00];

/// A whole PINGRESP.
pub const PINGRESP: [u8; 2] = [0xd0, 0x00];

/// A packet that a [`Scanner`] has seen from its first byte to its last.
///
/// ```
/// use liveness::mqtt::{PINGREQ, PINGRESP, Packet, PacketType, Scanner, Version};
///
/// let mut scanner = Scanner::from_client();
/// scanner.scan(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c")?;
/// let (_, packet) = scanner.scan(&PINGREQ)?;
/// assert_eq!(packet.as_ref().map(Packet::packet_type), Some(PacketType::PingReq));
/// assert_eq!(packet.and_then(|packet| packet.reply()), Some(PINGRESP));
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet {
    /// The client's first packet.
    Connect(Box<Connect>),
    /// The server's answer to CONNECT.
    ConnAck(Box<ConnAck>),
    /// The last packet.
    Disconnect(Box<Disconnect>),
    /// A client's question whether the server is there.
    PingReq,
    /// The answer to PINGREQ.
    PingResp,
    /// Any other packet. Only its fixed header was read.
    Other(PacketType),
}

impl Packet {
    /// Its type.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Other(packet) => *packet,
        }
    }

    /// A server's answer: a PINGRESP for a PINGREQ ([MQTT-3.12.4-1] of both versions), nothing for
    /// any other packet.
    #[must_use]
    pub const fn reply(&self) -> Option<[u8; 2]> {
        match self {
            Self::PingReq => Some(PINGRESP),
            _ => None,
        }
    }
}

/// A packet that is still arriving: the answer of [`Scanner::under_way`].
///
/// ```
/// use liveness::mqtt::{PacketType, Scanner};
///
/// let mut scanner = Scanner::from_client();
/// scanner.scan(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c")?;
///
/// // Its length takes two bytes, and one of them is still missing.
/// scanner.scan(b"\x30\xe8")?;
/// assert_eq!(scanner.under_way().unwrap().size, None);
/// scanner.scan(b"\x07\x00\x05topic")?;
/// let packet = scanner.under_way().unwrap();
/// assert_eq!(packet.packet_type, PacketType::Publish);
/// assert_eq!((packet.received, packet.size), (10, Some(1003)));
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnderWay {
    /// Its type.
    pub packet_type: PacketType,
    /// How many bytes of it have come.
    pub received: u32,
    /// How many bytes it has, once its fixed header is complete.
    pub size: Option<u32>,
}
