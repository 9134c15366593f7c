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
//! # A slow answer under an idle timeout
//!
//! [`IdleTimeout`](crate::io::IdleTimeout) sees bytes and nothing else, so a handler that thinks
//! for longer than the period is idle to it: see [`http_servers`](super::http_servers).
//!
//! # An hour of work
//!
//! A handler that takes an hour, in a task beside the driven stream: the peer is asked and heard.
//!
//! ```
//! # #[cfg(feature = "test-util")] {
//! use std::time::Duration;
//! use futures::{SinkExt, StreamExt};
//! use liveness::test_util::{LinkConfig, World, messages};
//! use liveness::{Answers, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};
//!
//! # struct Numbers;
//! # impl Protocol for Numbers {
//! #     type Message = u32;
//! #     fn ping(&mut self, _: Seq) -> u32 { 0 }
//! #     fn classify(&mut self, number: u32) -> Inbound<u32> {
//! #         match number {
//! #             0 => Inbound::Ping { reply: Some(1) },
//! #             1 => Inbound::Pong(Answers::Oldest),
//! #             data => Inbound::Data(data),
//! #         }
//! #     }
//! # }
//! let mut world = World::new();
//! let sim = world.sim.clone();
//! let (near, far, _link) = messages(&sim, LinkConfig::new());
//! let config = KeepaliveConfig::within(Duration::from_secs(10));
//! let server = PingPong::new(near, Numbers, config, sim.clone())?;
//! let mut client = PingPong::new(far, Numbers, config, sim.clone())?;
//!
//! let (sender, mut receiver, driving) = server.drive(16);
//! world.spawn(driving);
//! world.spawn(async move {
//!     while let Some(Ok(question)) = receiver.next().await {
//!         sim.sleep(Duration::from_secs(3600)).await;
//!         sender.send(question + 1).await.unwrap();
//!     }
//! });
//! let answer = world.run(async {
//!     client.send(41).await.unwrap();
//!     client.next().await
//! });
//! assert!(matches!(answer, Some(Ok(42))));
//! # }
//! # Ok::<(), liveness::ConfigError>(())
//! ```
