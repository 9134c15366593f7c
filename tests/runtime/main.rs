//! Runtimes and the one timer driver: the simulated runtime, one of a user's own, and what `Alarm`
//! makes of any.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod alarm;
mod own;
mod simulated;
