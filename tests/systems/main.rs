//! What well-known systems do, event by event and number by number.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod netty_handler;
mod netty_idle;
mod rebuild;
