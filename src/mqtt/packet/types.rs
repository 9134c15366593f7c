//! [`Version`] and [`PacketType`]: the two enumerations that everything else speaks of.

use std::fmt;

/// A version of MQTT.
///
/// ```
/// # use liveness::mqtt::Version;
/// assert_eq!(Version::V3_1_1.to_string(), "MQTT 3.1.1");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "the three versions on the wire: a closed sum"
)]
pub enum Version {
    /// 3.1: protocol name `MQIsdp`, level 3.
    V3_1,
    /// 3.1.1: protocol name `MQTT`, level 4.
    V3_1_1,
    /// 5: protocol name `MQTT`, level 5.
    V5,
}

impl Version {
    pub(in crate::mqtt) const fn name(self) -> &'static str {
        match self {
            Self::V3_1 => "MQIsdp",
            Self::V3_1_1 | Self::V5 => "MQTT",
        }
    }

    pub(in crate::mqtt) const fn level(self) -> u8 {
        match self {
            Self::V3_1 => 3,
            Self::V3_1_1 => 4,
            Self::V5 => 5,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3_1 => "MQTT 3.1",
            Self::V3_1_1 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5",
        })
    }
}

/// The type of a control packet, with its number on the wire.
///
/// ```
/// # use liveness::mqtt::PacketType;
/// assert_eq!(PacketType::PingReq as u8, 12);
/// assert_eq!(PacketType::PingReq.to_string(), "PINGREQ");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(
    clippy::exhaustive_enums,
    reason = "all values of the four bits: a closed sum"
)]
pub enum PacketType {
    /// 0, which no packet may have.
    Reserved = 0,
    /// The client's first packet.
    Connect = 1,
    /// The server's answer to it.
    ConnAck = 2,
    /// An application message.
    Publish = 3,
    /// The answer to a message with QoS 1.
    PubAck = 4,
    /// The first answer to a message with QoS 2.
    PubRec = 5,
    /// The answer to that.
    PubRel = 6,
    /// The last answer to a message with QoS 2.
    PubComp = 7,
    /// Asks for messages.
    Subscribe = 8,
    /// The answer to SUBSCRIBE.
    SubAck = 9,
    /// Asks for no more messages.
    Unsubscribe = 10,
    /// The answer to UNSUBSCRIBE.
    UnsubAck = 11,
    /// "Are you there", from the client.
    PingReq = 12,
    /// "I am", from the server.
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
