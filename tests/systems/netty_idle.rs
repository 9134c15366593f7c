//! The event sequence of Netty's `IdleStateHandler`, on 300 scripts recorded from the real one.
//!
//! `tests/systems/vectors/netty_idle.jsonl` holds one script a line: three periods in µs (0 is
//! off), what was read and written when, and every event that the handler fired, first ones marked.
#![allow(
    clippy::disallowed_methods,
    reason = "a test: any instant will do as the origin, and a bad vector file is a failure"
)]

use std::time::{Duration, Instant};

use liveness::{IdleConfig, IdleDetector, IdleKind};
use serde::Deserialize;

#[derive(Deserialize)]
struct Script {
    id: u32,
    reader_us: u64,
    writer_us: u64,
    all_us: u64,
    ops: Vec<(u64, Op)>,
    end_us: u64,
    events: Vec<Event>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Op {
    Read,
    Write,
}

/// µs, kind, first of its silence.
type Event = (u64, String, bool);

impl Script {
    fn config(&self) -> IdleConfig {
        IdleConfig::new()
            .reader(Duration::from_micros(self.reader_us))
            .writer(Duration::from_micros(self.writer_us))
            .all(Duration::from_micros(self.all_us))
    }

    /// Plays the script; `disturb` may call what it likes between two steps that lie `from` and
    /// `to` µs after the start.
    fn play(&self, mut disturb: impl FnMut(&mut IdleDetector, Instant, u64, u64)) -> Vec<Event> {
        let start = Instant::now();
        let at = |us| start + Duration::from_micros(us);
        let mut detector = IdleDetector::new(self.config(), start);
        let mut events = Vec::new();
        let mut now = 0;
        let ops = self.ops.iter().map(|&(us, op)| (us, Some(op)));
        for (us, op) in ops.chain([(self.end_us, None)]) {
            while let Some(due) = detector.poll_timeout().filter(|due| *due <= at(us)) {
                let due = micros(due.duration_since(start));
                disturb(&mut detector, start, now, due);
                now = due;
                while let Some(event) = detector.handle_timeout(at(now)) {
                    events.push((now, name(event.kind).to_owned(), event.is_first()));
                }
            }
            disturb(&mut detector, start, now, us);
            now = us;
            match op {
                Some(Op::Read) => detector.on_read(at(us)),
                Some(Op::Write) => detector.on_write(at(us)),
                None => {}
            }
        }
        // Netty's order within one instant is that of its timer queue; ours is by kind.
        events.sort();
        events
    }

    fn expected(&self) -> Vec<Event> {
        let mut events = self.events.clone();
        events.sort();
        events
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap()
}

fn name(kind: IdleKind) -> &'static str {
    match kind {
        IdleKind::Reader => "reader",
        IdleKind::Writer => "writer",
        IdleKind::All => "all",
    }
}

fn scripts() -> Vec<Script> {
    let scripts: Vec<Script> = include_str!("vectors/netty_idle.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a script on each line"))
        .collect();
    assert_eq!(scripts.len(), 300);
    scripts
}

#[test]
fn exactly_nettys_events() {
    let mut total = 0;
    for script in scripts() {
        let events = script.play(|_, _, _, _| {});
        assert_eq!(events, script.expected(), "script {}", script.id);
        total += events.len();
    }
    assert!(total > 3_000, "only {total} events in all scripts");
}

#[test]
fn the_same_with_calls_that_nobody_asked_for() {
    for script in scripts() {
        let events = script.play(|detector, start, from, to| {
            let at = |us| start + Duration::from_micros(us);
            // Nothing is due strictly before `to`, however often one asks, forwards or backwards.
            for us in [
                from,
                from + (to - from) / 3,
                to.saturating_sub(1).max(from),
                from,
                0,
            ] {
                if us < to {
                    assert_eq!(
                        detector.handle_timeout(at(us)),
                        None,
                        "script {}",
                        script.id
                    );
                }
            }
        });
        assert_eq!(events, script.expected(), "script {}", script.id);
    }
}
