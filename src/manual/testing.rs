//! How do I test my own code with this?
//!
//! The runtime is a value, so a test hands in another one. Three ways, from exact to real:
//!
//! * **The machines alone.** [`Keepalive`](crate::Keepalive) and
//!   [`IdleDetector`](crate::IdleDetector) take the time as an argument: an hour is an addition.
//! * **Simulated time** (feature `test-util`): `test_util::Sim` is a runtime whose clock moves when
//!   nothing else is left to do, `World` its executor, and `Link` a network that can be slow, full,
//!   deaf or cut. Any runtime of this crate's users can be tested so; nothing of tokio is needed.
//! * **Tokio's paused clock** (`start_paused`): [`Tokio`](crate::Runtime) goes by it. It moves in
//!   whole milliseconds.
//!
//! Traps:
//!
//! * *Do not poll by hand.* A stream that finds its time over looks once more for input and wakes
//!   itself for that; a test that ignores the wake-up sees no verdict.
//! * *Do not jump where you mean to wait.* `tokio::time::advance(60 s)` and `Sim::advance` are a
//!   stall of the whole process: nothing was seen on time, and a stall of our own is not the peer's
//!   death. Sleeping waits.
//! * Verdicts for a test of your own policy can be made: [`Dead::new`](crate::Dead::new),
//!   [`IdleEvent::new`](crate::IdleEvent::new).
//!
//! ```
//! use std::time::Duration;
//! use liveness::{Cause, Dead};
//!
//! fn reconnects_at_once(dead: &Dead) -> bool {
//!     dead.cause == Cause::WriteStalled
//! }
//!
//! let mut dead = Dead::new(Cause::NoReply, Duration::from_secs(10));
//! dead.unanswered = 2;
//! assert!(!reconnects_at_once(&dead));
//! assert_eq!(
//!     dead.to_string(),
//!     "no reply to 2 pings within 10s each; silent for 10s, no round trip measured",
//! );
//! ```
