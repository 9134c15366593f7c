//! The laws of the sans-I/O core, as properties over random scripts.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: any instant will do as the origin, and what is unexpected is a failure"
)]

mod config;
mod idle;
mod keepalive;
mod machine;
mod sim;

use std::sync::LazyLock;
use std::time::Instant;

use proptest::test_runner::Config;

/// One instant for the whole run: every other one is an offset from it.
fn origin() -> Instant {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    *ORIGIN
}

/// `cases` cases of a property. What fails is shrunk and printed; it becomes a named test.
fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        // Where a law asks for a kind of configuration, others are passed over.
        max_global_rejects: 100 * cases,
        ..Config::default()
    }
}
