//! The sans-I/O core: what one reported fact costs when the time is given.

use std::hint::black_box;
use std::time::{Duration, Instant};

use liveness::detector::{Detector, FailureDetector, FixedTimeout, MissedCount, Rule, Sample};
use liveness::{IdleConfig, IdleDetector, Keepalive, KeepaliveConfig, Seq};

use crate::harness::{Bar, Contest};

/// So many facts are reported to one detector before a new one takes its place: time only runs
/// forward for a detector, and the instants are made beforehand.
const LAP: usize = 4096;

pub(crate) fn contests() -> Vec<Contest> {
    vec![facts(), beats()]
}

fn facts() -> Contest {
    let idle = IdleConfig::new()
        .reader(Duration::from_secs(60))
        .writer(Duration::from_secs(30))
        .all(Duration::from_secs(120));
    Contest::new("core", "one fact reported, the time given", "ns")
        .timed("a bare store of the time", || {
            laps(|now| now, |slot, now, _| *slot = now)
        })
        .timed("Instant::now()", || {
            |times| {
                for _ in 0..times {
                    black_box(Instant::now());
                }
            }
        })
        .timed("IdleDetector::on_read", move || {
            laps(
                move |now| IdleDetector::new(idle, now),
                |detector, now, _| detector.on_read(now),
            )
        })
        .bar(Bar::Is(2.0))
        .timed("IdleDetector::on_write", move || {
            laps(
                move |now| IdleDetector::new(idle, now),
                |detector, now, _| detector.on_write(now),
            )
        })
        .bar(Bar::Is(2.0))
        .timed("Keepalive::on_receive", || {
            laps(keepalive, |keepalive, now, _| keepalive.on_receive(now))
        })
        .bar(Bar::Is(3.0))
        .timed("Keepalive::on_send", || {
            laps(keepalive, |keepalive, now, _| keepalive.on_send(now))
        })
        .bar(Bar::Is(3.0))
}

fn beats() -> Contest {
    let fixed = |now| met(FixedTimeout::new(Duration::from_secs(30)), now);
    let missed = |now| met(MissedCount::new(Duration::from_secs(10), 3), now);
    Contest::new("beat", "one heartbeat reported, the time given", "ns")
        .timed("a bare store of the time", || {
            laps(|now| now, |slot, now, _| *slot = now)
        })
        .timed("FixedTimeout", move || {
            laps(fixed, |detector, now, _| {
                detector.on_heartbeat(Sample::new(), now);
            })
        })
        .timed("FixedTimeout, and its deadline", move || {
            laps(fixed, |detector, now, _| {
                detector.on_heartbeat(Sample::new(), now);
                black_box(detector.dead_at());
            })
        })
        .timed("MissedCount", move || {
            laps(missed, |detector, now, _| {
                detector.on_heartbeat(Sample::new(), now);
            })
        })
        .timed("MissedCount, and its deadline", move || {
            laps(missed, |detector, now, _| {
                detector.on_heartbeat(Sample::new(), now);
                black_box(detector.dead_at());
            })
        })
}

fn met<R: Rule>(rule: R, now: Instant) -> Detector<R> {
    let mut detector = Detector::new(rule);
    detector.meet(now);
    detector
}

fn keepalive(now: Instant) -> Keepalive {
    Keepalive::new(KeepaliveConfig::new(), 0, now).expect("the default is valid")
}

/// Reports facts to what `make` makes, lap after lap. `black_box` sees it before each fact, so that
/// what a fact stores is stored.
fn laps<D>(make: impl Fn(Instant) -> D, fact: impl Fn(&mut D, Instant, Seq)) -> impl FnMut(u64) {
    let start = Instant::now();
    let times: Vec<Instant> = (0..LAP as u64)
        .map(|at| start + Duration::from_micros(at))
        .collect();
    move |facts| {
        let mut left = facts;
        while left > 0 {
            let mut detector = make(start);
            let lap = left.min(LAP as u64);
            left -= lap;
            for (seq, now) in (0..lap).zip(black_box(&times)) {
                fact(black_box(&mut detector), *now, Seq::new(seq));
            }
        }
    }
}
