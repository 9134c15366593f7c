//! Heartbeats between peers.

mod payload;

pub use payload::Payload;
