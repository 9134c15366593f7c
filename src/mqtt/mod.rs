//! MQTT keep alive, both halves, versions 3.1, 3.1.1 and 5; feature `mqtt`.
//!
//! Everything a client, a broker, a bridge or a proxy needs to keep its connections alive and to know
//! when they are dead, and nothing about topics, QoS flows or subscriptions. No socket, no clock: bytes
//! and times go in, decisions come out.
//!
//! | you write | take |
//! | --- | --- |
//! | nothing: you have a library, and its socket | [`Wire`] for [`KeepaliveStream`](crate::io::KeepaliveStream) |
//! | a client | [`ClientKeepalive`]: when to send PINGREQ, and when the broker is dead |
//! | a broker | [`BrokerKeepalive`] a connection: the 1.5 keep alives, the CONNECT that never comes, packets that dribble |
//! | | [`Sessions`] for all of them: who takes over whom, and which will is due when |
//! | a proxy | the broker's half towards the client, a [`Scanner`] for what the server answers |
//! | something else | [`Scanner`]: where packets begin and end, in any chunking, without buffering them |
//!
//! # Which clock does what
//!
//! A keep alive of K seconds is two duties that are easily crossed:
//!
//! * *The client is heard*: something leaves it at least every K, whatever it receives. Receiving does
//!   not postpone the PINGREQ.
//! * *The peer is checked*: something is received, whatever is sent. Publishing does not postpone the
//!   question whether the broker is there, nor the verdict about it.
//!
//! # Numbers of rules
//!
//! Versions 3.1.1 and 5 number their statements differently. A number here always stands beside the
//! version that it belongs to, in error texts too.

mod broker;
mod broker_config;
mod client;
mod packet;
mod sessions;
mod wire;

pub use broker::{BrokerKeepalive, Expired, FromClient};
pub use broker_config::{BrokerConfig, KeepAlivePolicy, PartialPacket};
pub use client::{ClientConfig, ClientKeepalive, FromServer};
pub use packet::{
    ConnAck, Connect, Disconnect, Limits, MqttError, Packet, PacketType, Rule, Scanner, UnderWay,
    Version, Will, reason,
};
pub use sessions::{Action, Actions, Admitted, Sessions, TakeOverWill};
pub use wire::Wire;

/// A PINGREQ, all of it.
///
/// ```
/// # use liveness::mqtt;
/// assert_eq!(mqtt::PINGREQ, [0xc0, 0x00]);
/// ```
pub const PINGREQ: [u8; 2] = [0xc0, 0x00];

/// A PINGRESP, all of it.
///
/// ```
/// # use liveness::mqtt;
/// assert_eq!(mqtt::PINGRESP, [0xd0, 0x00]);
/// ```
pub const PINGRESP: [u8; 2] = [0xd0, 0x00];
