//! Is the other side still alive?
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod detector;
mod error;
pub mod flood;
pub mod heartbeat;
mod idle;
pub mod keepalive;
#[cfg(feature = "mqtt")]
pub mod mqtt;
mod ping_pong;
pub mod rt;
pub mod rtt;
mod seq;
mod time;

pub use error::{ConfigError, DecodeError, Error};
pub use heartbeat::Payload;
pub use idle::{IdleConfig, IdleDetector, IdleEvent, IdleKind};
pub use keepalive::{Cause, Dead, Keepalive, KeepaliveConfig, KeepaliveEvent};
pub use keepalive::{Limit, PingWhen, Proof};
pub use ping_pong::{Inbound, Protocol};
pub use rt::Runtime;
#[cfg(feature = "smol")]
pub use rt::Smol;
#[cfg(feature = "tokio")]
pub use rt::Tokio;
pub use seq::Seq;
