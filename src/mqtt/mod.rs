//! MQTT keep alive, both halves, versions 3.1, 3.1.1 and 5; feature `mqtt`.
//!
//! It keeps the connections of clients, brokers, bridges and proxies alive, and tells when they are
//! dead. Topics, QoS flows and subscriptions are not its business. It has no socket and no clock:
//! bytes and times go in, decisions come out.
//!
//! | you write | take |
//! | --- | --- |
//! | nothing: you have a library, and its socket | [`Wire`] for [`KeepaliveStream`](crate::io::KeepaliveStream) |
//! | a client | [`ClientKeepalive`]: when to send PINGREQ, and when the broker is dead |
//! | a broker | [`BrokerKeepalive`] a connection: the 1.5 keep alives, a CONNECT that never comes, slow packets |
//! | | [`Clients`] for all of them: take-over and wills |
//! | a proxy | the broker's half towards the client, a [`Scanner`] for the answers of the server |
//! | something else | [`Scanner`]: where packets begin and end, in any chunking, without buffering them |
//!
//! # Which clock does what
//!
//! A keep alive of K seconds is two duties:
//!
//! * *The client is heard*: something leaves it at least every K. Receiving does not postpone the
//!   PINGREQ.
//! * *The peer is checked*: something is received. Publishing postpones neither the question to the
//!   broker nor the verdict about it.
//!
//! # Numbers of rules
//!
//! Versions 3.1.1 and 5 number their statements differently. A number stands beside its version,
//! here and in error texts.

// The packets know no time; the machines know no byte.
mod packet;
mod exchange;
mod client;
mod broker;
mod clients;
mod wire;

pub use broker::{
    BrokerConfig, BrokerKeepalive, Expired, FromClient, KeepAlivePolicy, PartialPacket,
};
pub use client::{ClientConfig, ClientKeepalive, FromServer};
pub use clients::{Action, Actions, Admitted, Clients, TakeOverWill};
pub use packet::{
    ConnAck, Connect, Disconnect, Limits, MqttError, PINGREQ, PINGRESP, Packet, PacketType, Rule,
    Scanner, UnderWay, Version, Will, reason,
};
pub use wire::Wire;
