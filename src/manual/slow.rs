//! What do a slow handler, a slow link and a pause do?
//!
//! # A slow handler
//!
//! A stream that is polled by the loop that handles its messages is judged by that loop. While the
//! handler works, nobody answers the peer's pings: the *peer* passes its verdict on us. Our own
//! verdict waits: after the handler, what has arrived is read before anything is judged, and
//! lateness of ours is forgiven once.
//!
//! The same holds for `select! { next, inbox => send().await }`: while the send is blocked, nothing
//! is read, so no answer is heard. Only [`write_stall`](crate::KeepaliveConfig::write_stall())
//! judges then.
//!
//! [`PingPong::drive`](crate::PingPong::drive) ends both: a task of its own keeps the heartbeats
//! going, and the [bound](crate::PingPong::detection_bound) holds whatever the user's loop does.
//! Where a queue is full because nobody takes what comes in, reading has to stop. The judging
//! pauses, for [`pause_limit`](crate::KeepaliveConfig::pause_limit()) at the most.
//!
//! # A slow link
//!
//! *Coming in.* Any byte is life, so a message that takes minutes to arrive is no silence, if the
//! bytes are seen. A message layer alone shows whole messages; give it the bytes with
//! [`with_activity`](crate::PingPong::with_activity) or
//! [`PingPong::framed`](crate::PingPong::framed).
//!
//! *Going out.* A socket takes megabytes at once and sends them over a minute. A ping behind them
//! is taken, and not out. Its answer is due only once it is out: see
//! [`Keepalive`](crate::Keepalive#when-a-ping-is-out). So an upload over a slow link is no death,
//! and a link that is cut in the middle of it is found later than on a quiet connection: by
//! `write_stall` when the socket is full, otherwise within [`Bound::uploading`](crate::Bound).
//!
//! # A pause of this side
//!
//! Suspended, stopped in a debugger, blocked: this side notices a deadline late. Beyond a quarter
//! of the limit it blames itself first: what has arrived is read, the peer is asked afresh, and all
//! its limits begin anew, once for each silence
//! ([`forgive_stall`](crate::KeepaliveConfig::forgive_stall())). A peer that is really dead is
//! found one window later.
//!
//! On Linux `Instant` stands still while the machine is suspended, so a night's sleep is no gap: no
//! deadline is overdue afterwards, and the peer is asked when its interval ends. Whoever hears of a
//! resume asks at once with [`probe_now`](crate::Handle::probe_now).
//!
//! # A slow server under an idle timeout
//!
//! [`IdleTimeout`](crate::io::IdleTimeout) and [`track`](crate::io::track) see bytes and nothing
//! else: a handler that thinks for longer than the period is idle to them, and the connection is
//! closed on it. Make the period longer than the longest handler, or track the connection and
//! decide with what you know. Nor do they stop a client that sends a byte now and then: that is the
//! job of the HTTP library's own header timeout.
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
