//! WebSocket: messages of real libraries under `PingPong`, and `websocket::Wire` below them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

#[path = "../common/mod.rs"]
mod common;
mod messages;
mod streams;
mod wire;
