//! Is the other side still alive? Idle events, heartbeats, round trips and a verdict with its
//! reason, for the socket, stream or runtime you already have.
//!
//! Nothing here spawns a task, owns a socket or picks a runtime. The core is a handful of small
//! state machines that are told what happens and what time it is; around it stand wrappers for
//! sockets and streams, which keep the timers for you.
//!
//! # Which type do I need?
//!
//! | I have | I want | use |
//! | --- | --- | --- |
//! | a socket | to be told when it is idle, and decide myself | [`io::track`] |
//! | a socket for other people's code | reads and writes to fail when it is idle | [`io::IdleTimeout`] |
//! | a stream of messages | heartbeats, round trips, a verdict | [`PingPong`] with a [`Protocol`] |
//! | a TCP stream of my own making | the same, with framing and ping included | [`PingPong`] with [`tcp`] |
//! | a WebSocket stream, client or server | the same, in one line | [`PingPong`] with [`websocket::Frames`] |
//! | browsers on the other side | to know that the *page* lives | [`PingPong`] with [`websocket::Text`] |
//! | a library that takes the socket and keeps it | heartbeats below that library | [`io::KeepaliveStream`] with [`websocket::Wire`], [`mqtt::Wire`] or your own |
//! | an MQTT client, broker or proxy | its keep alive, both halves, with wills and take-over | [`mqtt`] |
//! | a TCP socket, and no say in what is on it | the kernel's own keepalive, set right | [`tcp::KernelKeepalive`] |
//! | services that report to each other | beats with a payload, a watcher with levels | [`heartbeat`] |
//! | an event loop of my own | the state machine alone | [`Keepalive`], [`IdleDetector`] |
//! | beats that arrive some other way | only the deadline | [`detector`] |
//! | a thousand peers, or a million | one timeout for all | [`Monitor`], [`fleet::transitions`] |
//!
//! # What is promised
//!
//! * **Never early.** No event and no verdict before its time; a date that is not exact errs in
//!   the peer's favour.
//! * **Ask first.** Nobody is [`Dead`] for not answering unless a ping was
//!   [out](Keepalive#when-a-ping-is-out) for the whole reply timeout. Input that has arrived is
//!   taken in before silence is judged.
//! * **Bounded.** A configuration knows the longest time to a verdict, on a quiet connection, on
//!   one whose input never ends and behind an upload: [`Bound`].
//! * **Any byte is life**, unless you ask for pongs only ([`Proof`]). Own writes never are.
//! * **Our own pause is not the peer's death.** After a suspend, a debugger or a blocked executor
//!   the peer is asked afresh ([`KeepaliveConfig::forgive_stall`]).
//! * **For almost nothing.** Reading and writing touches no timer and, after the first 16
//!   operations of a burst, no clock.
//!
//! # The manual
//!
//! [Choosing](manual::choosing), [driving the machines by hand](manual::run_loop), [why the
//! defaults are what they are](manual::defaults), [slow handlers, slow links,
//! pauses](manual::slow), [servers of requests and responses](manual::http_servers), [cancel
//! safety](manual::cancel_safety), [reconnecting](manual::reconnecting),
//! [testing](manual::testing).
//!
//! # The core alone
//!
//! Three verbs: `on_*(.., now)` reports a fact, `poll_timeout()` says when to come back, and
//! `handle_timeout(now)` moves time. `examples/sans_io_loop.rs` is a loop around a blocking socket.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use liveness::{Keepalive, KeepaliveConfig, KeepaliveEvent};
//!
//! let start = Instant::now();
//! let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
//! // Wait for input until this, report what came, then move time:
//! let due = keepalive.poll_timeout().unwrap();
//! assert_eq!(due, start + Duration::from_secs(20));
//! while let Some(event) = keepalive.handle_timeout(due) {
//!     match event {
//!         KeepaliveEvent::Ping(seq) => keepalive.on_ping_sent(seq, due), // send it first
//!         KeepaliveEvent::Dead(dead) => println!("{dead}"),
//!         KeepaliveEvent::Look => {} // comes only after `on_more_input`
//!     }
//! }
//! # Ok::<(), liveness::ConfigError>(())
//! ```
//!
//! # Runtimes
//!
//! A [`Runtime`] is a clock and its timers, passed as a value: [`Tokio`], [`Smol`], or your own in
//! a few lines (`examples/own_runtime.rs`). There is no default to forget: without one the program
//! does not compile.
//!
//! # Features
//!
//! None is on by default; the core needs none.
//!
//! | feature | adds |
//! | --- | --- |
//! | `tokio` | [`Tokio`]; tokio-io traits on what wraps a socket; `tokio_util` codecs |
//! | `smol` | [`Smol`]; `asynchronous_codec` codecs |
//! | `tcp` | [`tcp`]: frames with ping and pong, the kernel's keepalive |
//! | `udp` | [`heartbeat::udp`]: beats as datagrams |
//! | `websocket` | [`websocket`]: ping frames, text beats, heartbeats below any library |
//! | `tungstenite`, `axum` | `websocket`, in the messages of `tungstenite` 0.30 and of `axum` 0.8 |
//! | `json` | [`websocket::Json`]: text beats in JSON |
//! | `mqtt` | [`mqtt`]: keep alive of clients, brokers and proxies; 3.1, 3.1.1 and 5 |
//! | `metrics` | counters and a histogram through the `metrics` facade: see [`metrics`] |
//! | `tracing` | one TRACE event per heartbeat, one DEBUG event per verdict |
//! | `test-util` | [`test_util`]: a simulated clock, executor and network for your tests |
//!
//! # Stability
//!
//! The minimum Rust version is 1.85; raising it is a minor change. Default durations and limits,
//! and the texts of errors and events, may change in a minor version: set what you depend on, and
//! match on variants and fields. The wire formats carry a version of their own.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

// Floor by floor: a module uses those above it in this list and none below (`tests/floors.rs`).
// The ground: data, numbers, text.
mod sync;
mod time;
mod seq;
mod error;
mod jitter;
mod message;
mod grace;
mod patience;
// Machines: facts in, time in, at most one event out.
mod idle;
pub mod rtt;
pub mod flood;
pub mod keepalive;
pub mod detector;
pub mod monitor;
// The only clock, and what drives a machine by it.
pub mod rt;
pub mod metrics;
mod driver;
// Shells: around a socket, a stream of messages, a transport of heartbeats.
pub mod io;
mod ping_pong;
pub mod fleet;
// Protocols. A transport of heartbeats speaks the frames of `tcp`.
#[cfg(feature = "tcp")]
#[cfg_attr(docsrs, doc(cfg(feature = "tcp")))]
pub mod tcp;
pub mod heartbeat;
#[cfg(feature = "websocket")]
#[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
pub mod websocket;
#[cfg(feature = "mqtt")]
#[cfg_attr(docsrs, doc(cfg(feature = "mqtt")))]
pub mod mqtt;
pub mod manual;
// For tests, ours and yours.
#[cfg(feature = "test-util")]
#[cfg_attr(docsrs, doc(cfg(feature = "test-util")))]
pub mod test_util;

pub use driver::{Gone, Handle};
pub use error::{ConfigError, DecodeError};
pub use heartbeat::{HeartbeatReceiver, HeartbeatSender};
pub use idle::{IdleConfig, IdleDetector, IdleEvent, IdleKind};
pub use jitter::Jitter;
pub use keepalive::{Bound, Cause, Dead, Keepalive, KeepaliveConfig, KeepaliveEvent};
pub use keepalive::{PingWhen, Proof};
pub use message::{Heartbeat, Identity, Payload};
pub use monitor::Monitor;
pub use ping_pong::{Error, Inbound, PingPong, Protocol};

/// The ends of a [`PingPong`] that a task of its own drives: see [`PingPong::drive`].
pub mod drive {
    pub use crate::ping_pong::{Drive, Receiver, SendError, Sender};
}

pub use rt::Runtime;
#[cfg(feature = "smol")]
#[cfg_attr(docsrs, doc(cfg(feature = "smol")))]
pub use rt::Smol;
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub use rt::Tokio;
pub use seq::{Answers, Seq};

// The README's programs compile.
#[cfg(all(doctest, feature = "tokio", feature = "tcp"))]
#[doc = include_str!("../README.md")]
struct Readme;
