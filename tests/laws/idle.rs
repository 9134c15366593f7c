//! `IdleDetector`: laws 1 to 5, and the event sequence of a model that works as Netty does, with
//! timers that are set again and again.

use std::time::{Duration, Instant};

use liveness::{IdleConfig, IdleDetector, IdleEvent, IdleKind};
use proptest::prelude::*;

use crate::config::ms;
use crate::machine::{self, Machine, Step, script};
use crate::{origin, runs};

#[derive(Debug, Clone)]
enum Op {
    Nothing,
    Read,
    Write,
    ResetRead,
    ResetWrite,
    Pause,
    Resume,
    Config(IdleConfig),
}

#[derive(Clone)]
struct Idle {
    detector: IdleDetector,
    config: IdleConfig,
}

impl Idle {
    fn new(config: IdleConfig, now: Instant) -> Self {
        Self {
            detector: IdleDetector::new(config, now),
            config,
        }
    }
}

impl Machine for Idle {
    type Op = Op;
    type Event = IdleEvent;

    fn apply(&mut self, op: &Op, now: Instant) {
        let detector = &mut self.detector;
        // Setting the same periods changes nothing and tells the time.
        detector.set_config(self.config, now);
        match op {
            Op::Nothing => {}
            Op::Read => detector.on_read(now),
            Op::Write => detector.on_write(now),
            Op::ResetRead => detector.reset_read(now),
            Op::ResetWrite => detector.reset_write(now),
            Op::Pause => detector.pause_reader(),
            Op::Resume => detector.resume_reader(now),
            Op::Config(config) => {
                self.config = *config;
                detector.set_config(*config, now);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.detector.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) -> Option<IdleEvent> {
        self.detector.handle_timeout(now)
    }
}

/// Off, 1 to 40 ms, less, or for ever.
fn period(number: u16) -> Duration {
    let rest = u64::from(number / 16);
    match number % 16 {
        0..=2 => Duration::ZERO,
        3..=12 => Duration::from_millis(rest % 40),
        13..=14 => Duration::from_micros(rest % 3_000),
        _ => Duration::MAX,
    }
}

fn config_of([reader, writer, all]: [Duration; 3]) -> IdleConfig {
    IdleConfig::new().reader(reader).writer(writer).all(all)
}

fn config() -> impl Strategy<Value = IdleConfig> {
    any::<[u16; 3]>().prop_map(|numbers| config_of(numbers.map(period)))
}

/// What Netty's handler has, too.
fn traffic(number: u16) -> Op {
    match number % 16 {
        0..=2 => Op::Nothing,
        3..=6 => Op::Read,
        7..=10 => Op::Write,
        11 => Op::ResetRead,
        12 => Op::ResetWrite,
        13 => Op::Pause,
        _ => Op::Resume,
    }
}

fn op(number: u16) -> Op {
    let numbers = [number, number.rotate_left(5), number.rotate_left(10)];
    if number % 11 == 10 {
        return Op::Config(config_of(numbers.map(period)));
    }
    traffic(number / 11)
}

/// `IdleStateHandler` as it is built: three timers that look, when they fire, how long the silence
/// has been, and are set again for the rest of the period or for a full one.
struct Netty {
    periods: [Duration; 3],
    timers: [Option<Instant>; 3],
    read: Instant,
    written: Instant,
    first: [bool; 3],
    reading: bool,
}

impl Netty {
    fn new(periods: [Duration; 3], now: Instant) -> Self {
        Self {
            periods,
            timers: periods.map(|period| {
                if period.is_zero() {
                    None
                } else {
                    now.checked_add(period)
                }
            }),
            read: now,
            written: now,
            first: [true; 3],
            reading: false,
        }
    }

    fn apply(&mut self, op: &Op, now: Instant) {
        let [first_read, first_write, first_all] = &mut self.first;
        match op {
            Op::Nothing | Op::Config(_) => {}
            Op::Read => {
                (*first_read, *first_all) = (true, true);
                self.read = now;
            }
            Op::Write => {
                (*first_write, *first_all) = (true, true);
                self.written = now;
            }
            Op::ResetRead => self.read = now,
            Op::ResetWrite => self.written = now,
            Op::Pause => self.reading = true,
            Op::Resume if self.reading => {
                self.reading = false;
                self.read = now;
            }
            Op::Resume => {}
        }
    }

    fn run(&mut self, now: Instant) -> Vec<(usize, bool)> {
        let mut events = Vec::new();
        for kind in 0..3 {
            if self.timers[kind].is_none_or(|timer| timer > now) {
                continue;
            }
            let last = [self.read, self.written, self.read.max(self.written)][kind];
            let held = self.reading && kind != 1;
            let silent_for = if held { Duration::ZERO } else { now - last };
            if silent_for >= self.periods[kind] {
                events.push((kind, std::mem::replace(&mut self.first[kind], false)));
                self.timers[kind] = Some(now + self.periods[kind]);
            } else {
                self.timers[kind] = Some(now + (self.periods[kind] - silent_for));
            }
        }
        events
    }
}

fn summary(event: &IdleEvent) -> (usize, bool) {
    (event.kind as usize, event.is_first())
}

/// Scripts that go forward only, as Netty's clock does.
fn forward(script: &[Step<Op>]) -> impl Iterator<Item = (Duration, &Op)> {
    let micros = |step: &Step<Op>| Duration::from_micros(step.micros.unsigned_abs());
    script.iter().map(move |step| (micros(step), &step.op))
}

proptest! {
    #![proptest_config(runs(2_000))]

    #[test]
    fn law_2_prompt(config in config(), script in script(op)) {
        machine::prompt(Idle::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_3_progress(config in config(), script in script(op)) {
        machine::progress(Idle::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_4_spurious_calls(config in config(), script in script(op)) {
        machine::spurious(Idle::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_5_time_never_runs_back(config in config(), script in script(op)) {
        machine::monotone(Idle::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_5_shifted(config in config(), script in script(op)) {
        machine::shifted(|now| Idle::new(config, now), origin(), &script)?;
    }

    /// Law 1: a full period lies between an event and the last activity, and between two events.
    #[test]
    fn law_1_never_early(
        numbers in any::<[u16; 3]>(),
        script in script(traffic),
    ) {
        let periods = numbers.map(period);
        let config = config_of(periods);
        let periods = periods.map(|period| period.max(Duration::from_millis(1)));
        let mut idle = Idle::new(config, origin());
        let mut now = origin();
        let (mut read, mut written) = (now, now);
        let (mut last_event, mut paused) = ([now; 3], false);
        for (span, op) in forward(&script) {
            now += span;
            for event in idle.drain(now) {
                let kind = event.kind as usize;
                let active = [read, written, read.max(written)][kind];
                prop_assert_eq!(event.idle_for, now - active);
                prop_assert!(event.idle_for >= periods[kind]);
                prop_assert!(now - last_event[kind] >= periods[kind]);
                prop_assert!(event.streak >= 1);
                last_event[kind] = now;
            }
            idle.apply(op, now);
            match op {
                Op::Pause => paused = true,
                Op::Resume if std::mem::take(&mut paused) => read = now,
                Op::Read | Op::ResetRead => read = now,
                Op::Write | Op::ResetWrite => written = now,
                _ => {}
            }
        }
    }

    /// The same events as Netty's timers give, called at the same times, be they early or late.
    #[test]
    fn as_a_model_with_timers(
        periods in [0..40_u64, 0..40_u64, 0..40_u64],
        script in script(traffic),
    ) {
        let periods = periods.map(Duration::from_millis);
        let config = config_of(periods);
        let mut now = origin();
        let mut idle = Idle::new(config, now);
        let mut netty = Netty::new(periods, now);
        for (span, op) in forward(&script) {
            now += span;
            let mut events: Vec<_> = idle.drain(now).iter().map(summary).collect();
            events.sort_unstable();
            prop_assert_eq!(events, netty.run(now));
            idle.apply(op, now);
            netty.apply(op, now);
        }
    }

    /// Activity only moves the next deadline later: a timer that is set may stay as it is.
    #[test]
    fn activity_never_hurries(config in config(), script in script(op)) {
        let mut now = origin();
        let mut idle = Idle::new(config, now);
        for (span, op) in forward(&script) {
            now += span;
            idle.apply(op, now);
            idle.drain(now);
            for act in [IdleDetector::on_read, IdleDetector::on_write] {
                let before = idle.detector.poll_timeout();
                let mut after = idle.detector.clone();
                act(&mut after, now);
                let no_sooner = match (before, after.poll_timeout()) {
                    (Some(before), Some(after)) => after >= before,
                    (None, Some(_)) => false,
                    (_, None) => true,
                };
                prop_assert!(no_sooner);
            }
        }
    }
}

#[test]
fn kinds_are_in_order() {
    assert_eq!(
        [IdleKind::Reader, IdleKind::Writer, IdleKind::All].map(|kind| kind as usize),
        [0, 1, 2]
    );
}

/// A period of nothing is off, the shortest is 1 ms, the longest is never over.
#[test]
fn extreme_periods() {
    let start = origin();
    let due = |period| IdleDetector::new(IdleConfig::new().reader(period), start).poll_timeout();
    assert_eq!(due(Duration::ZERO), None);
    assert_eq!(due(Duration::from_nanos(1)), Some(start + ms(1)));
    assert_eq!(due(Duration::from_nanos(999_999)), Some(start + ms(1)));
    assert_eq!(due(Duration::MAX), None);
    let mut never = IdleDetector::new(IdleConfig::new().all(Duration::MAX), start);
    assert_eq!(
        never.handle_timeout(start + Duration::from_secs(1 << 32)),
        None
    );
}

/// A period that was on keeps the silence it has seen; one that is switched on begins then.
#[test]
fn periods_change_while_it_runs() {
    let start = origin();
    let mut detector = IdleDetector::new(IdleConfig::new().reader(ms(60)), start);
    detector.set_config(IdleConfig::new().reader(ms(30)), start + ms(40));
    assert_eq!(detector.poll_timeout(), Some(start + ms(30)));
    let event = detector.handle_timeout(start + ms(40)).unwrap();
    assert_eq!((event.streak, event.idle_for), (1, ms(40)));

    detector.set_config(IdleConfig::new(), start + ms(50));
    assert_eq!(detector.poll_timeout(), None);
    detector.set_config(IdleConfig::new().reader(ms(30)), start + ms(90));
    assert_eq!(detector.poll_timeout(), Some(start + ms(120)));
    assert!(detector.handle_timeout(start + ms(120)).unwrap().is_first());
}

/// What was due at one call comes in the order of the deadlines, then reader, writer, all.
#[test]
fn events_of_one_call_are_in_order() {
    let config = IdleConfig::new().reader(ms(3)).writer(ms(2)).all(ms(2));
    let mut detector = IdleDetector::new(config, origin());
    let late = origin() + ms(10);
    let kinds: Vec<_> = std::iter::from_fn(|| detector.handle_timeout(late))
        .map(|e| e.kind)
        .collect();
    assert_eq!(kinds, [IdleKind::Writer, IdleKind::All, IdleKind::Reader]);
}

#[test]
fn streaks_are_counted_in_english() {
    let mut detector = IdleDetector::new(IdleConfig::new().reader(ms(1)), origin());
    let texts: Vec<_> = (1..=121)
        .map(|n| {
            detector
                .handle_timeout(origin() + ms(n))
                .unwrap()
                .to_string()
        })
        .collect();
    for (nth, suffix) in [
        (1, "st"),
        (2, "nd"),
        (3, "rd"),
        (4, "th"),
        (11, "th"),
        (12, "th"),
        (13, "th"),
        (21, "st"),
        (101, "st"),
        (102, "nd"),
        (111, "th"),
        (113, "th"),
        (121, "st"),
    ] {
        let text = format!("reader idle for {nth}ms ({nth}{suffix} in a row)");
        assert_eq!(texts[nth - 1], text);
    }
}
