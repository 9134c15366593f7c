//! Heartbeats between peers: [`beat`] on the one side, [`watch`] on the other, any transport
//! between.
//!
//! Use this where a peer says of its own accord that it lives, and something with it: its load, its
//! version, the length of its queue. To *ask* a peer on a connection that carries other messages,
//! use [`PingPong`](crate::PingPong).
//!
//! A [`Heartbeat`] says who beats, in which life, which beat of it this is, and how soon the next
//! one comes; and it carries a [`Payload`] of your own. Three parts, each of which can be yours:
//!
//! | part | comes with | yours by |
//! | --- | --- | --- |
//! | what is sent | `()`, `u64`, `Bytes`, `String` | [`Payload`] |
//! | how it gets there | [`memory`], `framed` (feature `tcp`), `udp` (feature `udp`) | [`HeartbeatSender`] |
//! | when silence is death | [`FixedTimeout`] and others | [`Rule`] |
//!
//! [`FixedTimeout`]: crate::detector::FixedTimeout
//! [`Rule`]: crate::detector::Rule
//!
//! ```
//! use std::time::Duration;
//! use futures::StreamExt;
//! use liveness::Tokio;
//! use liveness::detector::FixedTimeout;
//! use liveness::heartbeat::{Identity, Origin, Schedule, WatchEvent, beat, memory, watch};
//!
//! # tokio::runtime::Builder::new_current_thread()
//! #     .enable_time().start_paused(true).build().unwrap().block_on(async {
//! let second = Duration::from_secs(1);
//! let (sender, receiver) = memory::channel(8);
//!
//! // One side: who beats, in which life; and a beat every second.
//! let identity = Identity::new(Origin::new("worker-1")?, 1);
//! let beating = beat(sender, Schedule::new(second), Tokio, &identity, || 42_u64)?;
//! let worker = tokio::spawn(beating);
//!
//! // The other side: dead after five seconds of silence.
//! let mut events = watch(receiver, FixedTimeout::new(5 * second), Tokio);
//! assert_eq!(events.next().await, Some(WatchEvent::Alive));
//! let Some(WatchEvent::Beat(beat)) = events.next().await else { panic!() };
//! assert_eq!((beat.origin.as_str(), beat.payload), ("worker-1", 42));
//! # worker.abort();
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod schedule;
mod pace;
mod beating;
mod event;
mod nudge;
mod watch;
mod transport;
pub mod memory;
#[cfg(feature = "tcp")]
#[cfg_attr(docsrs, doc(cfg(feature = "tcp")))]
pub mod framed;
#[cfg(feature = "udp")]
#[cfg_attr(docsrs, doc(cfg(feature = "udp")))]
pub mod udp;

pub use async_trait::async_trait;

pub use beating::{BeatError, Beating, Failure, beat};
pub use event::WatchEvent;
pub use schedule::Schedule;
pub use transport::{HeartbeatReceiver, HeartbeatSender};
pub use watch::{Watch, watch};

pub use crate::detector::Silence;
pub use crate::message::{Heartbeat, Identity, Origin, Payload};
