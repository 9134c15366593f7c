//! What is told to metrics and logs: pings, pongs and verdicts.
//!
//! With the feature `metrics` through the [`metrics`](https://docs.rs/metrics) facade, to whatever
//! recorder the program installed; with the feature `tracing` as events under the target
//! `liveness`: TRACE for each ping and pong, DEBUG for each verdict. Without them nothing is left
//! of either.
//!
//! | name | kind | labels | what |
//! | --- | --- | --- | --- |
//! | [`PINGS`] | counter | | pings handed to the transport |
//! | [`PONGS`] | counter | | pongs that answered one of them |
//! | [`ROUND_TRIP`] | histogram, seconds | | the round trips they measured |
//! | [`VERDICTS`] | counter | `cause`: `no_reply`, `silent`, `write_stalled`, `too_slow`, `unread` | peers found dead |
//!
//! Told by [`PingPong`](crate::PingPong) and [`io::KeepaliveStream`](crate::io::KeepaliveStream),
//! pings and pongs by [`heartbeat::framed`](crate::heartbeat::framed) too. The state machines, and
//! [`heartbeat::watch`](crate::heartbeat::watch()), tell by what they return.
//!
//! A peer's address is no label, since a label per connection would grow without bound; per
//! connection there is `rtt()` on everything that heartbeats.

use std::time::Duration;

use crate::keepalive::{Cause, Dead};
use crate::seq::Seq;

/// Counter: pings handed to the transport.
pub const PINGS: &str = "liveness_pings_total";
/// Counter: pongs that answered a ping.
pub const PONGS: &str = "liveness_pongs_total";
/// Histogram, in seconds: the time from a ping's flush to its pong.
pub const ROUND_TRIP: &str = "liveness_round_trip_seconds";
/// Counter: peers found dead, by the label `cause`.
pub const VERDICTS: &str = "liveness_verdicts_total";

/// Gives the recorder the units and the help texts; call it once, after installing one.
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub fn describe() {
    use ::metrics::{Unit, describe_counter, describe_histogram};

    describe_counter!(PINGS, Unit::Count, "Pings handed to the transport");
    describe_counter!(PONGS, Unit::Count, "Pongs that answered a ping");
    describe_histogram!(ROUND_TRIP, Unit::Seconds, "From a ping's flush to its pong");
    describe_counter!(VERDICTS, Unit::Count, "Peers found dead, by cause");
}

/// The ping `seq` left.
pub(crate) fn ping_sent(seq: Seq) {
    #[cfg(feature = "metrics")]
    ::metrics::counter!(PINGS).increment(1);
    #[cfg(feature = "tracing")]
    tracing::trace!(target: "liveness", seq = seq.value(), "ping");
    let _ = seq;
}

/// A pong came that answers a ping sent `rtt` ago.
pub(crate) fn pong(rtt: Duration) {
    #[cfg(feature = "metrics")]
    {
        ::metrics::counter!(PONGS).increment(1);
        ::metrics::histogram!(ROUND_TRIP).record(rtt.as_secs_f64());
    }
    #[cfg(feature = "tracing")]
    tracing::trace!(target: "liveness", ?rtt, "pong");
    let _ = rtt;
}

/// The peer was found dead.
pub(crate) fn verdict(dead: &Dead) {
    #[cfg(feature = "metrics")]
    ::metrics::counter!(VERDICTS, "cause" => label(dead.cause)).increment(1);
    #[cfg(feature = "tracing")]
    tracing::debug!(
        target: "liveness",
        cause = label(dead.cause),
        silent_for = ?dead.silent_for,
        unanswered = dead.unanswered,
        last_rtt = ?dead.last_rtt,
        "peer dead: {dead}",
    );
    let _ = (dead, label);
}

/// A shell does not beat, and why.
pub(crate) fn not_beating(reason: &'static str) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "liveness", reason, "not beating");
    let _ = reason;
}

/// The cause as a label's value.
const fn label(cause: Cause) -> &'static str {
    match cause {
        Cause::NoReply => "no_reply",
        Cause::Silent => "silent",
        Cause::WriteStalled => "write_stalled",
        Cause::Unread => "unread",
        Cause::TooSlow => "too_slow",
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use ::metrics::Label;
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::*;

    #[test]
    fn everything_is_counted_under_its_documented_name() {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        ::metrics::with_local_recorder(&recorder, || {
            describe();
            ping_sent(Seq::new(0));
            ping_sent(Seq::new(1));
            pong(Duration::from_millis(250));
            verdict(&Dead {
                cause: Cause::Silent,
                limit: Duration::from_secs(1),
                silent_for: Duration::from_secs(1),
                unanswered: 0,
                last_rtt: None,
            });
        });
        let mut seen: Vec<_> = snapshotter.snapshot().into_vec();
        seen.sort_by_key(|(key, ..)| key.key().name().to_owned());
        let names: Vec<_> = seen.iter().map(|(key, ..)| key.key().name()).collect();
        assert_eq!(names, [PINGS, PONGS, ROUND_TRIP, VERDICTS]);
        assert_eq!(seen[0].3, DebugValue::Counter(2));
        assert_eq!(seen[1].3, DebugValue::Counter(1));
        assert_eq!(seen[2].3, DebugValue::Histogram(vec![0.25.into()]));
        assert_eq!(seen[3].3, DebugValue::Counter(1));
        let labels: Vec<_> = seen[3].0.key().labels().cloned().collect();
        assert_eq!(labels, [Label::new("cause", "silent")]);
        assert!(
            seen.iter()
                .all(|(_, unit, help, _)| unit.is_some() && help.is_some())
        );
    }
}
