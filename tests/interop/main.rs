//! What only real processes, real kernels and real programs can show.
//!
//! Every test here is ignored by default, because it needs a program, a privilege or seconds of
//! real time; `.ci/run` installs what is missing and runs them all:
//!
//! ```sh
//! cargo test --all-features --test interop -- --ignored
//! ```

// Real processes are timed with real clocks, and a helper that fails fails its test.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[cfg(feature = "mqtt")]
mod mqtt;
mod network;
mod peer;
mod processes;
#[cfg(any(feature = "mqtt", all(feature = "tungstenite", feature = "json")))]
mod program;
mod uplink;
#[cfg(all(feature = "tungstenite", feature = "json"))]
mod websocket;
