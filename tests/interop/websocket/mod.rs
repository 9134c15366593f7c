//! WebSocket: real libraries, a real browser, and a conformance suite as the peers.
//!
//! `.ci/setup-websocket` installs them all.

mod browser;
mod conformance;
mod dashboard;
mod libraries;
mod proxies;
mod socket_io;

use std::path::PathBuf;

use crate::program::Program;

/// Where `.ci/setup-websocket` puts what it installs, and where pictures and reports go.
fn tools() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("websocket")
}
