//! What does an idle timeout do to a server of requests and responses?
//!
//! [`IdleTimeout`](crate::io::IdleTimeout) closes a connection on which no byte has moved for a
//! while, below any HTTP or gRPC library, and so also one that has never said a word. Three things
//! to know before it is wrapped around a server's sockets:
//!
//! * **A handler that thinks is idle.** Nothing moves while a response is being made, and the
//!   connection is closed on it. Make the period longer than the longest handler, or take
//!   [`track`](crate::io::track) and decide with what you know: a request is under way, or none is.
//! * **A client that sends a byte now and then is not idle.** The time for a request's header is
//!   limited by the library: hyper's `http1::Builder::header_read_timeout`, which needs a timer
//!   (`http1::Builder::timer`) to work.
//! * **Nobody is asked.** An idle timeout passes no verdict about the peer. HTTP/2 has pings of its
//!   own: hyper's `keep_alive_interval` and `keep_alive_timeout`. After an upgrade to WebSocket
//!   there are messages: [`PingPong`](crate::PingPong).
//!
//! A server that thinks for longer than its idle timeout:
//!
//! ```
//! # #[cfg(feature = "test-util")] {
//! use std::time::Duration;
//! use futures::AsyncReadExt;
//! use futures::io::AsyncWriteExt;
//! use liveness::io::IdleTimeout;
//! use liveness::test_util::{LinkConfig, World, bytes};
//!
//! let second = Duration::from_secs(1);
//! let mut world = World::new();
//! let sim = world.sim.clone();
//! let (near, mut client, _link) = bytes(&sim, LinkConfig::new());
//! let mut server = IdleTimeout::new(near, 2 * second, sim.clone());
//! world.run(async {
//!     client.write_all(b"a question").await.unwrap();
//!     server.read_exact(&mut [0; 10]).await.unwrap();
//!     // The server reads for the next request while its handler thinks.
//!     let error = server.read(&mut [0]).await.unwrap_err();
//!     assert_eq!(error.to_string(), "no byte read or written for 2s");
//! });
//! # }
//! ```
