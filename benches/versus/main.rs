//! Ours beside the others: one table, each row with its ratio to the baseline of the same run.
//!
//! ```text
//! cargo bench --bench versus                      all rows
//! cargo bench --bench versus -- duplex            those whose name contains "duplex"
//! cargo bench --bench versus -- --json FILE       writes them to a file, too
//! cargo bench --bench versus -- --quick           every row once
//! ```
//!
//! How it measures: `harness.rs`. One file of rows for each part of the crate.
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, and so do those that we compare with"
)]
#![allow(
    clippy::expect_used,
    reason = "what cannot be set up cannot be measured"
)]

#[cfg(feature = "tokio")]
mod core;
#[cfg(feature = "tokio")]
mod harness;
#[cfg(feature = "tokio")]
mod memory;
#[cfg(all(feature = "tokio", feature = "mqtt"))]
mod mqtt;
#[cfg(feature = "tokio")]
mod ping_pong;
#[cfg(feature = "tokio")]
mod table;
#[cfg(all(feature = "tokio", feature = "tungstenite"))]
mod websocket;
#[cfg(feature = "tokio")]
mod wrappers;

#[cfg(feature = "tokio")]
fn main() -> std::io::Result<()> {
    let options = table::Options::parse(std::env::args().skip(1));
    let contests = [
        core::contests(),
        wrappers::contests(),
        ping_pong::contests(),
        memory::contests(),
        #[cfg(feature = "tungstenite")]
        websocket::contests(),
        #[cfg(feature = "mqtt")]
        mqtt::contests(),
    ];
    table::run(contests.into_iter().flatten().collect(), &options)
}

/// The rows need features, and `cargo bench` alone turns none on: asks Cargo again, with all.
#[cfg(not(feature = "tokio"))]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("the rows need all features: cargo bench --all-features --bench versus");
        return std::process::ExitCode::SUCCESS;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let ran = std::process::Command::new(cargo)
        .args(["bench", "--all-features", "--bench", "versus", "--"])
        .args(arguments)
        .status();
    match ran {
        Ok(status) if status.success() => std::process::ExitCode::SUCCESS,
        _ => std::process::ExitCode::FAILURE,
    }
}
