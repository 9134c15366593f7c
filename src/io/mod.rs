//! On a socket that you already have.
//!
//! | you want | use |
//! | --- | --- |
//! | to be told when it is idle, and decide yourself | [`track`] |
//! | reads and writes to fail when it is idle | [`IdleTimeout`] |
//! | heartbeats below the library that uses it | [`KeepaliveStream`] with a [`Wire`] |
//!
//! All of them work by the traits of futures-io and, with feature `tokio`, of tokio-io.
//! [`Dead::find`](crate::Dead::find) gives the reason inside any error that a library makes of it;
//! [`Activity`] tells a [`PingPong`](crate::PingPong) above the socket which bytes move below its
//! messages.

mod adapt;
mod forward;
mod framing;
mod idle_timeout;
mod keepalive_stream;
mod track;
pub(crate) mod wire;

pub use crate::driver::Activity;
pub use framing::Framing;
pub use idle_timeout::IdleTimeout;
pub use keepalive_stream::KeepaliveStream;
pub use track::{IdleEvents, Tracked, track};
pub use wire::{Incoming, MOST_HELD, Stage, Wire};
