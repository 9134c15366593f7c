//! Heartbeats between peers: [`beat`] on the one side, [`watch`] on the other, any transport between.
//!
//! Use this where a peer says of its own accord that it lives, and something with it: its load, its
//! version, the length of its queue. To *ask* a peer on a connection that carries other messages,
//! use [`PingPong`](crate::PingPong).
//!
//! A [`Heartbeat`] says who beats, in which life, which beat of it this is, and how soon the next one
//! comes; and it carries a [`Payload`] of your own. Three parts, each of which can be yours:
//!
//! | part | comes with | yours by |
//! | --- | --- | --- |
//! | what is sent | `()`, `u64`, `Bytes`, `String` | [`Payload`] |
//! | how it gets there | [`memory`], `framed` (feature `tcp`), `udp` (feature `udp`) | [`HeartbeatSender`], [`HeartbeatReceiver`] |
//! | when silence is death | [`FixedTimeout`](crate::detector::FixedTimeout) and others | [`FailureDetector`](crate::detector::FailureDetector) |
//!
//! ```
//! use std::time::Duration;
//! use futures::StreamExt;
//! use liveness::Tokio;
//! use liveness::detector::FixedTimeout;
//! use liveness::heartbeat::{Origin, Schedule, WatchEvent, beat, memory, watch};
//! use liveness::rt::Runtime;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let (sender, receiver) = memory::channel(8);
//!
//! // One side: a beat every second.
//! let beating = beat(sender, Schedule::new(Duration::from_secs(1)), Tokio, || 42_u64)?
//!     .origin(Origin::new("worker-1")?);
//! let worker = tokio::spawn(beating);
//!
//! // The other side: dead after five seconds of silence.
//! let mut events = watch(receiver, FixedTimeout::new(Duration::from_secs(5), Tokio.now()), Tokio);
//! assert_eq!(events.next().await.unwrap()?, WatchEvent::Alive);
//! let Some(Ok(WatchEvent::Beat(beat))) = events.next().await else { panic!() };
//! assert_eq!((beat.origin.as_str(), beat.payload), ("worker-1", 42));
//! # worker.abort();
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod beat;
#[cfg(feature = "tcp")]
pub mod framed;
pub mod memory;
mod schedule;
mod transport;
#[cfg(feature = "udp")]
pub mod udp;
mod watch;

pub use async_trait::async_trait;

pub use beat::{BeatError, Beating, Failure, beat};
pub use schedule::Schedule;
pub use transport::{HeartbeatReceiver, HeartbeatSender};
pub use watch::{Silence, Watch, WatchEvent, watch};

pub use crate::message::{Heartbeat, Origin, Payload};
