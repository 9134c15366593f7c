//! [`PacketType`]: the control packets.

use std::fmt;

/// The type of a control packet, with its number on the wire. Its text is the specification's name.
///
/// ```
/// use liveness::mqtt::{Packet, PacketType, Scanner};
///
/// let mut scanner = Scanner::from_client();
/// scanner.scan(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c")?;
/// let subscribe = b"\x82\x06\x00\x01\x00\x01a\x00";
/// let (_, Some(packet)) = scanner.scan(subscribe)? else { panic!("a whole packet") };
/// assert_eq!(packet, Packet::Other(PacketType::Subscribe));
/// // For a log, and for a table by number.
/// assert_eq!(packet.packet_type().to_string(), "SUBSCRIBE");
/// assert_eq!(packet.packet_type() as u8, subscribe[0] >> 4);
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(
    clippy::exhaustive_enums,
    reason = "all values of the four bits: a closed sum"
)]
pub enum PacketType {
    /// No packet may have this type.
    Reserved = 0,
    /// The client's first packet.
    Connect = 1,
    /// The server's answer to CONNECT.
    ConnAck = 2,
    /// An application message.
    Publish = 3,
    /// The answer to a message with QoS 1.
    PubAck = 4,
    /// The first answer to a message with QoS 2.
    PubRec = 5,
    /// The answer to PUBREC.
    PubRel = 6,
    /// The last answer to a message with QoS 2.
    PubComp = 7,
    /// A request for messages.
    Subscribe = 8,
    /// The answer to SUBSCRIBE.
    SubAck = 9,
    /// A request for no more messages.
    Unsubscribe = 10,
    /// The answer to UNSUBSCRIBE.
    UnsubAck = 11,
    /// A client's question whether the server is there.
    PingReq = 12,
    /// The answer to PINGREQ.
    PingResp = 13,
    /// The last packet; before version 5 only a client's.
    Disconnect = 14,
    /// Enhanced authentication; version 5 only.
    Auth = 15,
}

impl PacketType {
    /// The type of a packet with this first byte.
    #[inline]
    pub(in crate::mqtt) const fn of(first: u8) -> Self {
        match first >> 4 {
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => Self::Reserved,
        }
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reserved => "packet of type 0",
            Self::Connect => "CONNECT",
            Self::ConnAck => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::SubAck => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::UnsubAck => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        })
    }
}
