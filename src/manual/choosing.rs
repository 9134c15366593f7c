//! Which type, which layer, which configuration?
//!
//! # Above or below the message layer?
//!
//! *Above*, where you hold a stream of messages: [`PingPong`](crate::PingPong). Your program
//! answers pings, so an answer proves that the peer's program reads and answers. A ping may stand
//! anywhere between two messages.
//!
//! *Below*, where a library holds the socket: [`KeepaliveStream`](crate::io::KeepaliveStream) with
//! a [`Wire`](crate::io::Wire) of its protocol. The peer's library answers, so an answer proves
//! that the library runs. A ping has to wait for the border of a frame.
//!
//! *Beside*, where the bytes are not yours to change: [`track`](crate::io::track) tells when they
//! stop and [`IdleTimeout`](crate::io::IdleTimeout) fails then; neither asks anything. The kernel's
//! own keepalive (`tcp::KernelKeepalive`) asks the remote kernel, which answers for a stopped
//! program too.
//!
//! Encryption has one right order: the wire goes *between* the protocol's library and TLS, where it
//! sees the protocol's bytes. Below TLS it sees none of them, and says so
//! ([`is_beating`](crate::io::KeepaliveStream::is_beating)).
//!
//! # Who asks?
//!
//! Either side, or both. Two duties are easily mixed up. To *check the peer*, something must be
//! received each interval, whatever is sent: [`PingWhen::RecvIdle`](crate::PingWhen), the default.
//! To *be heard*, something must be sent each interval, whatever is received:
//! [`PingWhen::SendIdle`](crate::PingWhen). A peer with a passive limit of its own needs the
//! latter, and [`PingWhen::EitherIdle`](crate::PingWhen) does both.
//!
//! # What proves life?
//!
//! Any byte, by default: a large message that takes its time is no silence.
//! [`Proof::PongOnly`](crate::Proof) also finds a peer that goes on talking and has stopped
//! listening; it wants a reply timeout that covers the queue in front of the answer.
//!
//! # How fast?
//!
//! [`KeepaliveConfig::within`](crate::KeepaliveConfig::within) derives all periods from one number.
//! A bound below a few seconds costs false verdicts on paths that are slow for a moment; a bound
//! above 30 s is longer than many a NAT remembers an idle connection.
//!
//! # One, or many?
//!
//! A stream is watched by the shell around it. Peers that report by themselves, over any transport,
//! are watched by [`heartbeat::watch`](crate::heartbeat::watch()) with a rule of
//! [`detector`](crate::detector).
