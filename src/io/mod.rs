//! On a socket that you already have.
//!
//! | you want | use |
//! | --- | --- |
//! | to be told when it is idle, and decide yourself | [`track`] |
//! | reads and writes to fail when it is idle | [`IdleTimeout`] |
//! | heartbeats below the library that uses it | [`KeepaliveStream`] with a [`Wire`] |
//!
//! All of them work by the traits of futures-io and, with feature `tokio`, of tokio-io. [`verdict`]
//! finds the reason in whatever error a library makes of it; [`Activity`] tells a
//! [`PingPong`](crate::PingPong) above the socket which bytes move below its messages.

mod activity;
pub(crate) mod dating;
mod idle_timeout;
mod keepalive_stream;
mod track;
mod verdict;
mod wire;

pub use activity::Activity;
pub use idle_timeout::IdleTimeout;
pub use keepalive_stream::KeepaliveStream;
pub use track::{IdleEvents, Tracked, track};
pub use verdict::verdict;
pub use wire::{Incoming, MOST_HELD, Wire};
