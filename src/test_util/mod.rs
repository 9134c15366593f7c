//! A simulated world for tests: a clock, an executor, and links that fail on request.
//!
//! [`Sim`] is a [`Runtime`] whose clock stands still while anything can run. [`World`] runs tasks
//! until all of them wait, then moves the clock to the next timer. So an hour of silence takes a
//! microsecond, and every run is the same. There is no thread, no socket and no other runtime in
//! it.
//!
//! The code under test takes its runtime as a value, as everything in this crate does. It gets a
//! runtime of the network in production and a `Sim` in a test.
//!
//! # An hour of silence
//!
//! ```
//! use std::time::Duration;
//! use futures::StreamExt;
//! use liveness::io::track;
//! use liveness::test_util::{LinkConfig, World, bytes};
//! use liveness::{IdleConfig, IdleKind};
//!
//! const HOUR: Duration = Duration::from_secs(3600);
//!
//! let mut world = World::new();
//! let (socket, _peer, _link) = bytes(&world.sim, LinkConfig::new());
//! let (_socket, mut idle) = track(socket, IdleConfig::new().reader(HOUR), world.sim.clone());
//! let event = world.run(async { idle.next().await });
//! assert_eq!(event.map(|event| event.kind), Some(IdleKind::Reader));
//! assert_eq!(world.sim.elapsed(), HOUR); // to the nanosecond
//! ```
//!
//! # A pair of message ends, and a link that is cut
//!
//! [`bytes()`] makes a pair of sockets, [`messages`] a pair of message streams. The third value, a
//! [`Link`], changes the network between them: slow, narrow, lossy, cut in one direction or both,
//! healed, reset.
//!
//! ```
//! use std::time::Duration;
//! use futures::StreamExt;
//! use liveness::test_util::{LinkConfig, World, messages};
//! use liveness::{Answers, Cause, Error, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};
//!
//! enum Message { Text(String), Ping, Pong }
//!
//! struct Chat;
//! impl Protocol for Chat {
//!     type Message = Message;
//!     fn ping(&mut self, _: Seq) -> Message { Message::Ping }
//!     fn classify(&mut self, message: Message) -> Inbound<Message> {
//!         match message {
//!             Message::Ping => Inbound::Ping { reply: Some(Message::Pong) },
//!             Message::Pong => Inbound::Pong(Answers::Oldest),
//!             text => Inbound::Data(text),
//!         }
//!     }
//! }
//!
//! const S: Duration = Duration::from_secs(1);
//! let config = KeepaliveConfig::new().interval(20 * S).reply_timeout(10 * S).max_unanswered(1);
//!
//! let mut world = World::new();
//! let sim = world.sim.clone();
//! let (near, far, link) = messages(&sim, LinkConfig::new().delay(S / 20));
//! let mut stream = PingPong::new(near, Chat, config, sim.clone())?;
//! let mut peer = PingPong::new(far, Chat, config, sim.clone())?;
//!
//! // The peer answers for as long as somebody reads from it.
//! world.spawn(async move { while let Some(Ok(_)) = peer.next().await {} });
//! world.spawn(async move {
//!     sim.sleep(3600 * S).await;
//!     link.cut();
//! });
//! let verdict = world.run(stream.next());
//! assert!(matches!(verdict, Some(Err(Error::Dead(dead))) if dead.cause == Cause::NoReply));
//! assert!(world.sim.elapsed() <= 3630 * S); // interval + reply_timeout after the cut
//! # Ok::<(), liveness::ConfigError>(())
//! ```
//!
//! # Traps
//!
//! * **Do not poll by hand.** A stream that finds its time over looks once more for input, and
//!   wakes itself for that. A test that polls and ignores the wake-up sees no verdict.
//!   [`World::run`] and [`World::run_for`] heed it.
//! * **Do not jump where you mean to wait.** [`Sim::advance`] is a stall of the whole process: no
//!   timer in between is seen on time, and an own stall is not the peer's death. [`Sim::sleep`] and
//!   [`World::run_for`] wait.
//! * **A world without an end is a failed test.** Nothing left to happen, or a task that wakes
//!   itself for ever, is a panic with the simulated time in it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken test world is a failed test"
)]

mod ends;
mod link;
mod sim;
mod world;

#[cfg(doc)]
use crate::rt::Runtime;

pub use ends::{ByteEnd, MessageEnd, bytes, messages};
pub use link::{Link, LinkConfig, Side};
pub use sim::{Counts, Sim, SimTimer};
pub use world::{Spawner, Task, World, simulate};
