//! The table at the head of [`driver`](super), a test a row.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use super::*;
use crate::idle::{IdleConfig, IdleEvent};
use crate::test_util::{Sim, SimTimer};

const SECOND: Duration = Duration::from_secs(1);

/// Simulated time, and a budget that is used up on request.
#[derive(Debug, Clone)]
struct Budgeted {
    sim: Sim,
    hides: Arc<AtomicBool>,
}

impl Runtime for Budgeted {
    type Timer = SimTimer;

    fn timer(&self, at: Instant) -> SimTimer {
        self.sim.timer(at)
    }

    fn now(&self) -> Instant {
        self.sim.now()
    }

    fn may_hide_input(&self) -> bool {
        self.hides.load(Ordering::SeqCst)
    }
}

/// A machine that keeps a record of what it was told.
#[derive(Debug)]
struct Told {
    quiet: Quiet,
    told: Vec<&'static str>,
}

impl Machine for Told {
    type Event = IdleEvent;
    type Dated = activity::Moved;

    fn on_dated(&mut self, moved: activity::Moved, now: Instant) {
        self.quiet.on_dated(moved, now);
    }

    fn on_drained(&mut self, now: Instant) {
        self.told.push("drained");
        self.quiet.on_drained(now);
    }

    fn on_more_input(&mut self, now: Instant) {
        self.told.push("more");
        self.quiet.on_more_input(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.quiet.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) -> Option<Happened<IdleEvent>> {
        let happened = self.quiet.handle_timeout(now);
        if happened == Some(Happened::Look) {
            self.told.push("LOOK");
        }
        happened
    }

    fn is_looking(&self) -> bool {
        self.quiet.is_looking()
    }
}

#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A driver of a silence that is due after 10 s.
struct Bench {
    rt: Budgeted,
    driver: Driver<Told, EitherWay, Budgeted>,
    wakes: Arc<Wakes>,
}

/// What a poll did: what the machine was told, whether the task was woken, and whether it was
/// judged.
type Did = (Vec<&'static str>, bool, bool);

impl Bench {
    fn new() -> Self {
        let rt = Budgeted {
            sim: Sim::new(),
            hides: Arc::default(),
        };
        let start = rt.now();
        let config = IdleConfig::new().all(10 * SECOND);
        let machine = Told {
            quiet: Quiet::new(config, start),
            told: Vec::new(),
        };
        let notes = EitherWay(Dating::new(config.shortest(), start));
        let mut driver = Driver::new(machine, notes, rt.clone(), start);
        driver.machine.told.clear();
        Self {
            rt,
            driver,
            wakes: Arc::default(),
        }
    }

    fn poll(&mut self, seconds: u32, seen: Seen) -> Did {
        let sim = &self.rt.sim;
        sim.advance_to(sim.start() + SECOND * seconds);
        let waker = Waker::from(Arc::clone(&self.wakes));
        // A ring of the timer before the poll is not its doing.
        let before = self.wakes.0.load(Ordering::SeqCst);
        let polled = self.driver.poll_due(seen, &mut Context::from_waker(&waker));
        let woken = self.wakes.0.load(Ordering::SeqCst) > before;
        let told = std::mem::take(&mut self.driver.machine.told);
        (told, woken, polled.is_ready())
    }

    fn wake_after(&self) -> Option<Duration> {
        self.driver.wake_at.map(|at| at - self.rt.sim.start())
    }
}

const ASLEEP: Did = (Vec::new(), false, false);

#[test]
fn with_nothing_due_every_poll_sets_the_timer_and_tells_nothing() {
    for seen in [Seen::Drained, Seen::More, Seen::Nothing] {
        for hides in [false, true] {
            let mut bench = Bench::new();
            bench.rt.hides.store(hides, Ordering::SeqCst);
            bench.driver.on_arrival();
            assert_eq!(bench.poll(3, seen), ASLEEP, "{seen:?}");
            assert_eq!(bench.wake_after(), Some(10 * SECOND));
        }
    }
}

#[test]
fn two_drained_polls_judge() {
    let mut bench = Bench::new();
    // The look at the deadline is the first of the two, so both are asked for at once.
    assert_eq!(
        bench.poll(10, Seen::Drained),
        (vec!["drained", "LOOK"], true, false)
    );
    assert!(bench.driver.is_due() && !bench.driver.is_asleep());
    assert_eq!(
        bench.poll(10, Seen::Drained),
        (vec!["drained"], false, true)
    );
    assert!(!bench.driver.looking);
}

#[test]
fn drained_means_little_where_the_runtime_may_hide_input() {
    let mut bench = Bench::new();
    bench.rt.hides.store(true, Ordering::SeqCst);
    assert_eq!(
        bench.poll(10, Seen::Drained),
        (vec!["more", "LOOK"], true, false)
    );
    assert_eq!(bench.poll(11, Seen::Drained), (vec!["more"], true, false));
    // It comes again by itself until a turn has budget, and then twice as ever.
    bench.rt.hides.store(false, Ordering::SeqCst);
    let (told, _, judged) = bench.poll(11, Seen::Drained);
    assert_eq!((told, judged), (vec!["drained", "LOOK"], false));
    assert_eq!(
        bench.poll(11, Seen::Drained),
        (vec!["drained"], false, true)
    );
}

#[test]
fn input_that_keeps_coming_is_judged_after_the_limit() {
    let mut bench = Bench::new();
    for (seconds, did) in [
        (10, (vec!["more", "LOOK"], true, false)),
        (11, (vec!["more"], false, false)),
        (20, (vec!["more"], false, false)),
        (21, (vec!["more", "LOOK"], true, false)),
        (22, (vec!["more"], false, true)),
    ] {
        bench.driver.on_arrival();
        assert_eq!(bench.poll(seconds, Seen::More), did, "{seconds} s");
    }
}

#[test]
fn more_without_an_arrival_tells_nothing() {
    let mut bench = Bench::new();
    assert_eq!(bench.poll(10, Seen::More), (vec!["LOOK"], true, false));
    assert!(bench.driver.is_due());
    for seconds in [10, 100] {
        assert_eq!(bench.poll(seconds, Seen::More), ASLEEP);
    }
}

#[test]
fn while_nobody_reads_the_reading_side_is_asked_to_look() {
    let mut bench = Bench::new();
    assert_eq!(bench.poll(10, Seen::Nothing), (vec!["LOOK"], true, false));
    for seconds in [10, 100] {
        assert_eq!(bench.poll(seconds, Seen::Nothing), ASLEEP);
        assert!(bench.driver.is_due(), "the reading side has to look");
    }
    let (told, _, judged) = bench.poll(100, Seen::Drained);
    assert_eq!((told, judged), (vec!["drained", "LOOK"], false));
    assert_eq!(
        bench.poll(100, Seen::Drained),
        (vec!["drained"], false, true)
    );
}

#[test]
fn a_ring_that_the_writer_answers_is_kept_for_the_reader() {
    let mut bench = Bench::new();
    assert_eq!(bench.poll(1, Seen::Drained), ASLEEP);
    assert!(!bench.driver.is_due() && bench.driver.is_asleep());
    bench.driver.due = true;
    assert_eq!(bench.poll(2, Seen::Nothing), ASLEEP);
    assert!(bench.driver.is_due());
    assert_eq!(bench.poll(2, Seen::Drained), ASLEEP);
    assert!(!bench.driver.is_due());
}

#[test]
fn a_look_that_input_ends_does_not_count_for_the_next_silence() {
    let mut bench = Bench::new();
    let asked = (vec!["drained", "LOOK"], true, false);
    assert_eq!(bench.poll(10, Seen::Drained), asked);
    let now = bench.rt.now();
    bench.driver.machine.quiet.on_moved(now);
    let (told, _, judged) = bench.poll(10, Seen::Drained);
    assert_eq!((told, judged), (vec!["drained"], false));
    assert!(bench.driver.is_asleep());
    // The next one is due at 20 s.
    assert_eq!(bench.poll(25, Seen::Drained), asked);
}
