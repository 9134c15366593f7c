//! The laws of the sans-I/O core, as properties over random scripts, and the mistakes of others, as
//! one short test each.
//!
//! | law | where |
//! | --- | --- |
//! | 1 never early | `detector`, `idle::law_1`, `keepalive::law_7`, `keepalive::law_8` |
//! | 2 prompt, 3 progress, 4 spurious calls, 5 time | `machine`, for `idle`, `keepalive` and `looks`; `detector` |
//! | 6 suspicion | `detector`, at every step |
//! | 7 ask first | `keepalive::law_7` on any calls, `out::law_7` by what stands before a ping, `keepalive::law_8` on connections |
//! | 8 detection bound | `keepalive::law_8`, `the_bound_is_sharp`; `bounds::law_8` for each part of `Bound`; `out::law_8` during uploads |
//! | 9 directions | `keepalive::law_9`, `keepalive::the_promise_to_be_heard_is_kept` |
//! | 10 the monitor and its model | `monitor::law_10_*`, which play laws 1 to 5 on the way |
//! | 11 nothing postpones for ever | `bounds::law_11`, `keepalive::law_11`, `detector::forgiveness_ends` |
//!
//! The promises about a peer have a test of their name in `keepalive`: `no_false_alarm`,
//! `one_question_at_a_time`, `pings_come_in_no_bursts`,
//! `an_own_stall_is_not_the_death_of_the_peer`.
//!
//! # Mistakes that were made elsewhere
//!
//! | mistake | where |
//! | --- | --- |
//! | 1.5 keep alives rounded, or overflown | `cases::numbers::every_keep_alive_is_exact` |
//! | verdicts late by the grain of a sweep | no sweep: law 2 is exact to the nanosecond |
//! | an interval of the server ignored, its 0 taken as absent | `cases::changes::the_interval_of_the_server_is_taken` |
//! | a reset that changed the flags | `systems::netty_handler::flags_after_reset_*` |
//! | slow writers called idle | `systems::netty_handler::observed_output_is_not_idle` |
//! | a read of nothing taken as activity | `systems::netty_handler::a_read_complete_without_a_read_is_nothing` |
//! | idle in the middle of a long read | `systems::netty_handler::a_long_read_is_not_idle` |
//! | wall clocks, timers that fire early | only `Instant`s; laws 4 and 5 |
//! | started twice, or after the end | `new` is the only start; the simulation calls on after `Dead` |
//! | a ping each interval *and* reply timeout | `cases::questions::the_interval_does_not_stretch_by_the_round_trip` |
//! | a storm of pings after a stall | `keepalive::pings_come_in_no_bursts`, `cases::stalls::one_ping_after_a_stall_and_not_five` |
//! | an own stall charged to the peer | `keepalive::an_own_stall_is_not_the_death_of_the_peer`, `cases::stalls` |
//! | two layers, one taken for the other | cannot happen here: only what the caller reports counts |
//! | a take-over reported as death | cannot happen here: a verdict comes from a limit only |
//! | peers that never say goodbye | what the verdict is for |
//! | all connections beat in step | `cases::numbers::jitter_only_shortens_and_spreads` |
//! | own writes defer the question | `cases::directions::writes_do_not_defer_the_question` |
//! | the dead check moved with the ping | `keepalive::law_9_writes_prove_nothing` |
//! | receiving stops the pings | `cases::directions::reads_do_not_stop_what_the_peer_needs_to_hear` |
//! | answers read and not counted | `cases::directions::a_pong_is_received_bytes` |
//! | misses that add up over days | `cases::questions::misses_days_apart_do_not_add_up` |
//! | any empty answer counts | `cases::directions::only_the_answer_counts_where_it_is_asked_for` |
//! | half a packet | `cases::directions::half_a_packet_is_a_question_of_policy` |
//! | pings though data flows | `cases::directions::fresh_bytes_make_a_ping_unnecessary` |
//! | the clock runs while the ping waits in a queue | `cases::questions::the_reply_clock_starts_when_the_ping_left` |
//! | one late answer is death | `cases::questions::a_busy_peer_may_miss_some` |
//! | no reply timeout of its own | `reply_timeout` beside `interval`; `the_bound_is_sharp` |
//! | the first ping twice, or at once | `cases::questions::the_first_ping_comes_once_and_not_at_once` |
//! | pings earlier than promised | law 2: 1 ns before the deadline nothing happens |
//! | an interval equal to the peer's limit | `mqtt_client` speaks at nine tenths: `every_keep_alive_is_exact` |
//! | pings for ever and no verdict | `cases::questions::a_reply_timeout_beyond_the_interval_still_ends` |
//! | "ping" and "keep alive" confused | `PingWhen` names the duties; `cases::directions` |
//! | a peer without pings taken for dead | `cases::questions::an_unsupported_ping_is_not_death` |
//! | a pending ping survives a reconnect | `cases::questions::a_new_connection_knows_nothing_of_the_old_one` |
//! | interval 0 | `cases::numbers::zero_is_off_everywhere` |
//! | the default taken for unset | `cases::numbers::a_default_that_is_set_is_not_unset` |
//! | no "check now" | `cases::questions::probe_now_asks_now` |
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: any instant will do as the origin, and what is unexpected is a failure"
)]

mod bounds;
mod cases;
mod config;
mod connection;
mod detector;
mod faults;
mod idle;
mod keepalive;
mod looks;
mod machine;
mod measures;
mod monitor;
mod monitor_model;
mod out;

use std::sync::LazyLock;
use std::time::Instant;

use proptest::test_runner::Config;

/// One instant for the whole run: every other one is an offset from it.
fn origin() -> Instant {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    *ORIGIN
}

/// So many runs of a property, or `LAWS_TIMES` times as many, which may be a fraction. What fails
/// is shrunk and printed; it becomes a named test in `cases`.
fn runs(cases: u32) -> Config {
    let times = std::env::var("LAWS_TIMES").map_or(1.0, |times| times.parse().expect("a number"));
    let cases = (f64::from(cases) * times).ceil() as u32;
    Config {
        cases,
        failure_persistence: None,
        // Where a law asks for a kind of configuration, others are passed over.
        max_global_rejects: 100 * cases,
        max_local_rejects: 100 * cases,
        ..Config::default()
    }
}
