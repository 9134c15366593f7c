//! [`Packet`], [`UnderWay`] and [`Limits`]: what a scanner finds, and how much of it there may be.

pub(super) mod borders;
mod connect;
mod error;
mod read;
pub mod reason;
mod replies;
pub(super) mod rule;
mod scanner;
mod types;
mod write;

pub use connect::{Connect, Will};
pub use error::MqttError;
pub use replies::{ConnAck, Disconnect};
pub use rule::Rule;
pub use scanner::Scanner;
pub use types::{PacketType, Version};

use super::PINGRESP;
use write::LONGEST;

/// A whole packet that went by.
///
/// ```
/// # use liveness::mqtt::{Packet, PacketType};
/// assert_eq!(Packet::PingReq.packet_type(), PacketType::PingReq);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet {
    /// The client's first packet.
    Connect(Box<Connect>),
    /// The server's answer to it.
    ConnAck(Box<ConnAck>),
    /// The last packet.
    Disconnect(Box<Disconnect>),
    /// A question whether the server is there.
    PingReq,
    /// Its answer.
    PingResp,
    /// A packet that is none of ours; nothing of it was looked at but its fixed header.
    Other(PacketType),
}

impl Packet {
    /// What it is.
    ///
    /// ```
    /// # use liveness::mqtt::{Packet, PacketType};
    /// assert_eq!(Packet::Other(PacketType::Publish).packet_type(), PacketType::Publish);
    /// ```
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

    /// What a server has to answer at once: a PINGRESP for a PINGREQ ([MQTT-3.12.4-1] of both
    /// versions), nothing for anything else.
    ///
    /// ```
    /// # use liveness::mqtt::{PINGRESP, Packet};
    /// assert_eq!(Packet::PingReq.reply(), Some(PINGRESP));
    /// ```
    #[must_use]
    pub const fn reply(&self) -> Option<[u8; 2]> {
        match self {
            Self::PingReq => Some(PINGRESP),
            _ => None,
        }
    }
}

/// How much a peer may send at once.
///
/// ```
/// # use liveness::mqtt::{Limits, Scanner};
/// const SMALL: Limits = Limits::new().packet(64 * 1024).kept(4 * 1024);
/// let scanner = Scanner::from_client().limits(SMALL);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    packet: u32,
    kept: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl Limits {
    /// Packets as large as MQTT allows, 268 435 460 bytes; of those that are kept, 64 KiB.
    ///
    /// ```
    /// # use liveness::mqtt::Limits;
    /// assert_eq!(Limits::new(), Limits::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            packet: LONGEST as u32 + 5,
            kept: 64 * 1024,
        }
    }

    /// The largest packet, in bytes with its fixed header: what version 5 calls Maximum Packet Size.
    ///
    /// ```
    /// # use liveness::mqtt::{Limits, Scanner};
    /// let mut scanner = Scanner::from_client().limits(Limits::new().packet(10));
    /// let error = scanner.scan(&[0x10, 0x7f]).unwrap_err();
    /// assert!(error.to_string().starts_with("CONNECT: 129 bytes announced, the limit is 10"));
    /// ```
    #[must_use]
    pub const fn packet(mut self, bytes: u32) -> Self {
        self.packet = bytes;
        self
    }

    /// The largest packet of those that are kept to be decoded (CONNECT, CONNACK, DISCONNECT), in
    /// bytes with its fixed header. Default 64 KiB, which leaves room for a large will.
    ///
    /// It bounds the memory of a scanner: never more than twice this, and never more than twice what
    /// the peer really sent.
    ///
    /// ```
    /// # use liveness::mqtt::Limits;
    /// let frugal = Limits::new().kept(1024);
    /// # assert_ne!(frugal, Limits::new());
    /// ```
    #[must_use]
    pub const fn kept(mut self, bytes: u32) -> Self {
        self.kept = bytes;
        self
    }

    pub(super) const fn for_any(self) -> u32 {
        self.packet
    }

    pub(super) const fn for_kept(self) -> u32 {
        if self.kept < self.packet {
            self.kept
        } else {
            self.packet
        }
    }
}

/// A packet of which a part has come.
///
/// ```
/// # use liveness::mqtt::{PacketType, Scanner};
/// # let mut scanner = Scanner::from_client();
/// scanner.scan(&[0x10, 0x20, 0x00])?;
/// let under_way = scanner.under_way().unwrap();
/// assert_eq!(under_way.packet_type, PacketType::Connect);
/// assert_eq!((under_way.received, under_way.size), (3, Some(34)));
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnderWay {
    /// What it is.
    pub packet_type: PacketType,
    /// How many bytes of it have come.
    pub received: u32,
    /// How many it has, once its fixed header is complete.
    pub size: Option<u32>,
}
