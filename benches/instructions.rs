//! Instructions of the hot paths: what a wrapper adds to one operation of the bare stream.
//!
//! ```text
//! cargo bench --bench instructions                all rows
//! ```
//!
//! Times of a few nanoseconds are decided by the linker; instructions are not. Each row runs under
//! `valgrind --tool=callgrind` with [`FEW`] and with [`MANY`] operations, and the difference is
//! what an operation costs. Set-up and the start of the process cancel out. Counts repeat to one
//! instruction on one compiler; another compiler makes other code, so [`RECORDED_WITH`] says which
//! one it was, and with any other nothing is compared.
#![allow(
    clippy::disallowed_methods,
    reason = "the rows that are timed elsewhere read the clock"
)]
#![allow(
    clippy::expect_used,
    reason = "what cannot be set up cannot be measured"
)]
#![cfg_attr(
    all(feature = "tokio", feature = "tungstenite"),
    allow(
        dead_code,
        reason = "`versus` needs all of its modules, this some of each"
    )
)]

#[cfg(all(feature = "tokio", feature = "tungstenite"))]
#[path = "versus/core.rs"]
mod core;
#[cfg(all(feature = "tokio", feature = "tungstenite"))]
#[path = "versus/harness.rs"]
mod harness;
#[cfg(all(feature = "tokio", feature = "tungstenite"))]
#[path = "versus/ping_pong.rs"]
mod ping_pong;
#[cfg(all(feature = "tokio", feature = "tungstenite"))]
#[path = "versus/websocket.rs"]
mod websocket;
#[cfg(all(feature = "tokio", feature = "tungstenite"))]
#[path = "versus/wrappers.rs"]
mod wrappers;

#[cfg(all(feature = "tokio", feature = "tungstenite"))]
mod count {
    use std::process::{Command, ExitCode};

    use crate::harness::Contest;

    /// The compiler of the recorded counts.
    const RECORDED_WITH: &str = "rustc 1.95.0";

    const FEW: u64 = 2000;
    const MANY: u64 = 12_000;

    /// By how many percent a count may grow, and by how many instructions at least.
    const TOLERANCE: (u64, u64) = (5, 3);

    struct Row {
        contest: &'static str,
        variant: &'static str,
        /// What is taken off.
        bare: &'static str,
        recorded: u64,
        bar: u64,
    }

    const fn row([contest, variant, bare]: [&'static str; 3], recorded: u64, bar: u64) -> Row {
        Row {
            contest,
            variant,
            bare,
            recorded,
            bar,
        }
    }

    const STORE: &str = "a bare store of the time";

    const ROWS: [Row; 8] = [
        row(["framed", "PingPong", "bare"], 476, 350),
        row(
            ["framed", "PingPong::framed, its bytes counted", "bare"],
            691,
            600,
        ),
        row(["websocket-send-64", "PingPong", "bare"], 188, 150),
        row(["duplex", "IdleTimeout", "bare"], 290, 280),
        row(["duplex", "Tracked", "bare"], 176, 175),
        row(["duplex", "a counter, by hand", "bare"], 126, 175),
        row(["core", "Keepalive::on_receive", STORE], 16, 20),
        row(["core", "IdleDetector::on_read", STORE], 18, 20),
    ];

    pub(super) fn main() -> ExitCode {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["--run", contest, variant, times] => run(contest, variant, times),
            _ if arguments.iter().any(|argument| argument == "--bench") => compare(),
            // `cargo test` starts benchmarks, too.
            _ => ExitCode::SUCCESS,
        }
    }

    fn contests() -> Vec<Contest> {
        [
            crate::core::contests(),
            crate::wrappers::contests(),
            crate::ping_pong::contests(),
            crate::websocket::contests(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Does what is counted: the operations of one variant.
    fn run(contest: &str, variant: &str, times: &str) -> ExitCode {
        let mut contests = contests().into_iter();
        let found = contests.find(|known| known.name == contest);
        let operation = found.and_then(|contest| contest.operation(variant));
        let (Some(mut operation), Ok(times)) = (operation, times.parse()) else {
            eprintln!("no row {contest}/{variant}, or no number {times}");
            return ExitCode::FAILURE;
        };
        operation(times);
        ExitCode::SUCCESS
    }

    fn compare() -> ExitCode {
        let compiler = compiler();
        let comparable = compiler.starts_with(RECORDED_WITH);
        println!("{compiler}; recorded with {RECORDED_WITH}");
        if !comparable {
            println!("another compiler: nothing is compared with what was recorded");
        }
        println!("instructions an operation adds to the bare one");
        println!("{:>8} {:>8} {:>8}", "recorded", "found", "bar");
        let mut grown = false;
        for row in &ROWS {
            let (variant, bare) = match (
                per_operation(row.contest, row.variant),
                per_operation(row.contest, row.bare),
            ) {
                (Ok(variant), Ok(bare)) => (variant, bare),
                (Err(error), _) | (_, Err(error)) => {
                    eprintln!("{}/{}: {error}", row.contest, row.variant);
                    return ExitCode::FAILURE;
                }
            };
            let found = variant.saturating_sub(bare);
            let (percent, least) = TOLERANCE;
            let limit = row.recorded + (row.recorded * percent / 100).max(least);
            let mut says = String::new();
            if found > row.bar {
                says.push_str("  bar MISSED");
            }
            if comparable && found > limit {
                says.push_str("  GROWN");
                grown = true;
            }
            println!(
                "{:>8} {found:>8} {:>8}  {}/{} (bare {bare}){says}",
                row.recorded, row.bar, row.contest, row.variant
            );
        }
        if grown {
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }

    fn compiler() -> String {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let said = Command::new(rustc).arg("--version").output();
        let text = said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
        text.unwrap_or_else(|_| "an unknown compiler".to_owned())
    }

    fn per_operation(contest: &str, variant: &str) -> Result<u64, String> {
        let few = count(contest, variant, FEW)?;
        let many = count(contest, variant, MANY)?;
        let operations = MANY - FEW;
        Ok((many.saturating_sub(few) + operations / 2) / operations)
    }

    /// All instructions of a process that does so many operations.
    fn count(contest: &str, variant: &str, times: u64) -> Result<u64, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let ran = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(this)
            .args(["--run", contest, variant, &times.to_string()])
            .output()
            .map_err(|error| format!("valgrind: {error}"))?;
        let said = String::from_utf8_lossy(&ran.stderr);
        let collected = said
            .lines()
            .find_map(|line| line.split_once("Collected :"))
            .and_then(|(_, count)| count.trim().parse().ok());
        match collected {
            Some(count) if ran.status.success() => Ok(count),
            _ => Err(format!("valgrind says: {said}")),
        }
    }
}

#[cfg(all(feature = "tokio", feature = "tungstenite"))]
fn main() -> std::process::ExitCode {
    count::main()
}

/// The rows need features: asks for them.
#[cfg(not(all(feature = "tokio", feature = "tungstenite")))]
fn main() {
    println!("the rows need all features: cargo bench --all-features --bench instructions");
}
