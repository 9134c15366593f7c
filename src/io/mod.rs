//! On a socket that you already have.
//!
//! | you want | use |
//! | --- | --- |
//! | to be told when it is idle, and decide yourself | [`track`] |
//! | reads and writes to fail when it is idle | [`IdleTimeout`] |
//! | heartbeats below the library that uses it | [`KeepaliveStream`] with a [`Wire`] |

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
