//! What is lost when a future is dropped?
//!
//! Every future of this crate may be dropped at any await point, and its origin stays usable.
//!
//! | dropped | lost |
//! | --- | --- |
//! | `next()` of [`PingPong`](crate::PingPong), [`IdleEvents`](crate::io::IdleEvents), [`Watch`](crate::heartbeat::Watch) | nothing |
//! | [`Handle::changed`](crate::Handle::changed) | nothing; the next call sees the change |
//! | `send()` of a [`PingPong`](crate::PingPong) | perhaps the message, as with any sink |
//! | [`drive::Sender::send`](crate::drive::Sender::send) | the message, if it was not queued |
//! | [`Drive`](crate::drive::Drive) | the stream with it; both ends see the end |
//! | a read or write of a wrapped socket | as much as the socket itself loses |
//! | [`Beating`](crate::heartbeat::Beating) | nothing; it goes on when it is polled again |
//!
//! A write that was offered and then dropped for good is no stall, once the socket would take it.
//!
//! ```
//! # #[cfg(feature = "test-util")] {
//! use std::time::Duration;
//! use futures::StreamExt;
//! use liveness::io::track;
//! use liveness::test_util::{LinkConfig, World, bytes};
//! use liveness::IdleConfig;
//!
//! let second = Duration::from_secs(1);
//! let mut world = World::new();
//! let sim = world.sim.clone();
//! let (socket, _peer, _link) = bytes(&sim, LinkConfig::new());
//! let (_socket, mut idle) = track(socket, IdleConfig::new().reader(5 * second), sim.clone());
//! world.run(async {
//!     // Given up twice; the event comes at its time all the same.
//!     assert!(sim.timeout(second, idle.next()).await.is_none());
//!     assert!(sim.timeout(second, idle.next()).await.is_none());
//!     assert_eq!(idle.next().await.unwrap().idle_for, 5 * second);
//! });
//! # }
//! ```
