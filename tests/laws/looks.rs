//! `Keepalive` for a caller who reports what is left to read: laws 2 to 5 with the event `Look`,
//! with pauses and their limit.

use std::time::{Duration, Instant};

use liveness::{Answers, Cause, Keepalive, KeepaliveConfig, KeepaliveEvent, Seq};
use proptest::prelude::*;

use crate::config::{Setup, ms, setups};
use crate::keepalive::{self, Asking};
use crate::machine::{self, Machine, Step, script};
use crate::{origin, runs};

#[derive(Debug, Clone, Copy)]
enum Op {
    Drained,
    MoreInput,
    Other(keepalive::Op),
}

fn op(number: u16) -> Op {
    match number % 8 {
        0 | 1 => Op::Drained,
        2 | 3 => Op::MoreInput,
        _ => Op::Other(keepalive::op(number / 8)),
    }
}

/// Has said at the start that there may be more input than it reports.
#[derive(Clone)]
struct Looking {
    asking: Asking,
    /// The looks that were asked for since the last time that none was wanted.
    looks: u32,
}

impl Looking {
    fn new(config: KeepaliveConfig, now: Instant) -> Self {
        let mut asking = Asking::with(config, now);
        asking.keepalive.on_more_input(now);
        Self { asking, looks: 0 }
    }
}

impl Machine for Looking {
    type Op = Op;
    type Event = KeepaliveEvent;

    fn apply(&mut self, op: &Op, now: Instant) {
        match op {
            Op::Drained => self.asking.keepalive.on_drained(now),
            Op::MoreInput => self.asking.keepalive.on_more_input(now),
            Op::Other(op) => {
                self.asking.apply(op, now);
                // It may have moved the deadline.
                self.looks = 0;
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.asking.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) -> Option<KeepaliveEvent> {
        let event = self.asking.handle_timeout(now);
        if event == Some(KeepaliveEvent::Look) {
            self.looks += 1;
            assert!(self.looks <= 2, "a third look for one deadline");
        }
        if !self.asking.keepalive.is_looking() {
            self.looks = 0;
        }
        event
    }

    fn may_be_quiet(&self, late: bool) -> bool {
        self.asking.may_be_quiet(late)
    }

    /// A caller who was asked to look and has not reported may be away; one who calls is not.
    fn minds_calls(&self) -> bool {
        self.asking.keepalive.is_looking()
    }
}

/// A configuration with a limit for pauses, or without.
fn configs() -> impl Strategy<Value = (Setup, KeepaliveConfig)> {
    (setups(), 0..80_u64).prop_map(|(setup, pause)| {
        let pause = if pause > 40 { pause } else { 0 };
        (setup, setup.config().pause_limit(ms(pause)))
    })
}

proptest! {
    #![proptest_config(runs(4_000))]

    #[test]
    fn law_2_prompt((_, config) in configs(), script in script(op)) {
        machine::prompt(Looking::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_3_progress((_, config) in configs(), script in script(op)) {
        machine::progress(Looking::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_4_spurious_calls((_, config) in configs(), script in script(op)) {
        machine::spurious(Looking::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_5_time_never_runs_back((_, config) in configs(), script in script(op)) {
        machine::monotone(Looking::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_5_shifted((_, config) in configs(), script in script(op)) {
        machine::shifted(|now| Looking::new(config, now), origin(), &script)?;
    }

    /// Silence is judged by nobody but a caller who looked: no verdict about it without a report
    /// since the first look. And a pause ends in one only after its whole limit.
    #[test]
    fn no_verdict_about_input_that_nobody_looked_at((setup, config) in configs(), script in script(op)) {
        let mut looking = Looking::new(config, origin());
        let mut now = origin();
        let (mut reported, mut paused) = (false, None);
        for Step { micros, op, asks } in script {
            now += Duration::from_micros(micros.unsigned_abs());
            looking.apply(&op, now);
            match op {
                Op::Drained | Op::MoreInput => reported = true,
                Op::Other(keepalive::Op::Pause) => paused = paused.or(Some(now)),
                Op::Other(keepalive::Op::Resume) => paused = None,
                Op::Other(_) => {}
            }
            let events = if asks { looking.drain(now) } else { Vec::new() };
            for event in events {
                match event {
                    KeepaliveEvent::Look if looking.looks < 2 => {}
                    KeepaliveEvent::Dead(dead) if dead.cause == Cause::Unread => {
                        prop_assert_eq!(dead.limit, config.pause_limit);
                        let paused = paused.expect("a pause");
                        prop_assert!(now - paused >= dead.limit, "{:?}", now - paused);
                    }
                    KeepaliveEvent::Dead(dead) if dead.cause != Cause::WriteStalled => {
                        prop_assert!(reported, "{dead} and nobody looked, {setup:?}");
                        prop_assert!(paused.is_none(), "{dead} in a pause");
                    }
                    _ => {}
                }
            }
        }
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(after: u64) -> Instant {
    origin() + seconds(after)
}

/// Asked at 20 s, silent at 25 s.
fn silent() -> Keepalive {
    let config = KeepaliveConfig::new()
        .interval(seconds(20))
        .reply_timeout(seconds(5))
        .upload_wait(seconds(10))
        .max_unanswered(1);
    let mut keepalive = Keepalive::new(config, 0, origin()).unwrap();
    keepalive.on_more_input(origin());
    keepalive
}

fn ping(keepalive: &mut Keepalive, now: u64) -> Seq {
    match keepalive.handle_timeout(at(now)) {
        Some(KeepaliveEvent::Ping(seq)) => seq,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_look_that_an_answer_ends_does_not_count_for_the_next_silence() {
    let mut keepalive = silent();
    let seq = ping(&mut keepalive, 20);
    keepalive.on_ping_sent(seq, at(20));
    assert_eq!(keepalive.handle_timeout(at(25)), Some(KeepaliveEvent::Look));
    keepalive.on_drained(at(25));
    keepalive.on_pong(Answers::Ping(seq), at(26));
    // Nobody moves time before the next silence: what is reported meanwhile is about none.
    assert!(!keepalive.is_looking());
    assert_eq!(keepalive.poll_timeout(), Some(at(46)));
    keepalive.on_drained(at(26));
    let seq = ping(&mut keepalive, 46);
    keepalive.on_ping_sent(seq, at(46));
    assert_eq!(keepalive.handle_timeout(at(51)), Some(KeepaliveEvent::Look));
    keepalive.on_drained(at(51));
    assert_eq!(keepalive.handle_timeout(at(51)), Some(KeepaliveEvent::Look));
}

#[test]
fn a_flush_after_the_upload_wait_gives_no_more_time() {
    let mut keepalive = silent();
    let seq = ping(&mut keepalive, 20);
    keepalive.on_ping_taken(seq, at(20));
    assert_eq!(keepalive.poll_timeout(), Some(at(35)));
    keepalive.on_ping_sent(seq, at(34));
    assert_eq!(keepalive.poll_timeout(), Some(at(35)));
}

#[test]
fn a_caller_who_was_away_while_input_was_waited_for_asks_afresh() {
    let mut keepalive = silent();
    let seq = ping(&mut keepalive, 20);
    keepalive.on_ping_sent(seq, at(20));
    assert_eq!(keepalive.handle_timeout(at(25)), Some(KeepaliveEvent::Look));
    keepalive.on_more_input(at(25));
    assert_eq!(keepalive.poll_timeout(), Some(at(30)));
    // Away for an hour, with the answer perhaps behind what is read now.
    keepalive.on_more_input(at(3625));
    let seq = ping(&mut keepalive, 3625);
    keepalive.on_ping_sent(seq, at(3625));
    assert_eq!(keepalive.poll_timeout(), Some(at(3630)));
}

#[test]
fn time_between_the_second_look_and_the_verdict_is_no_lateness() {
    let mut keepalive = silent();
    let seq = ping(&mut keepalive, 20);
    keepalive.on_ping_sent(seq, at(20));
    for _ in 0..2 {
        assert_eq!(keepalive.handle_timeout(at(25)), Some(KeepaliveEvent::Look));
        keepalive.on_drained(at(25));
    }
    let event = keepalive.handle_timeout(at(3625));
    assert!(matches!(event, Some(KeepaliveEvent::Dead(_))), "{event:?}");
}
