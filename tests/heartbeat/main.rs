//! Heartbeats between services: their bytes, the sending loop, the watcher, and each transport.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod beat;
mod bytes;
mod framed;
mod safe;
mod smol;
mod udp;
mod watch;

use liveness::heartbeat::{Identity, Origin};

/// The peer that beats where its name does not matter.
fn me() -> Identity {
    Identity::new(Origin::default(), 1)
}
