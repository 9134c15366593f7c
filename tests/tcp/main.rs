//! Frames on a raw TCP stream, alone and under `PingPong`, and the kernel's own keepalive.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod codec;
mod kernel;
mod ping_pong;
mod send_queue;
