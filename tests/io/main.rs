//! What wraps a socket: `track`, `IdleTimeout`, `KeepaliveStream`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod handle;
mod idle_timeout;
mod keepalive_stream;
mod lines;
mod track;
