//! What `loom` finds out about the record of a connection and its two tasks, in any order of turns:
//! nothing that moved is missed or dated too early, and nobody sleeps through what he waits for.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loom::thread;

use super::activity::Watch;
use super::dating::CREDIT;
use super::{BothTasks, Carrier, Direction, Half, Notes, Pinger, Seen, record};
use crate::keepalive::KeepaliveConfig;
use crate::rt::models::{ModelClock, block_on, model};
use crate::rt::{Alarm, Runtime};
use crate::seq::Seq;
use crate::sync::{AtomicU32, Mutex, Ordering};

/// Both ends of a record with that much credit left, and the alarm of the watching side.
fn ends(clock: &ModelClock, credit: u32) -> (Notes<ModelClock>, Watch, Alarm<ModelClock>) {
    let alarm = Alarm::new(clock.clone());
    let (notes, mut watch) = record(alarm.bell(), clock.clone(), credit > 0);
    for _ in credit..CREDIT {
        notes.note(Direction::Read, 1);
    }
    watch.look(clock.now());
    (notes, watch, alarm)
}

/// Two reads on one thread, one look on another at the same time, and one afterwards.
fn two_reads_and_a_look(credit: u32) {
    loom::model(move || {
        let clock = ModelClock::new();
        let (notes, mut watch, _alarm) = ends(&clock, credit);
        let activity = notes.activity();
        let before = activity.bytes_read();
        let reader = thread::spawn({
            let clock = clock.clone();
            move || {
                for millis in [10, 20] {
                    clock.set(millis);
                    notes.note(Direction::Read, 1);
                }
                notes
            }
        });
        let now = clock.now();
        let known = activity.bytes_read() - before;
        let first = watch.look(now).read;
        let notes = reader.join().unwrap();
        let then = clock.now();
        let second = watch.look(then).read;
        // What was known to have happened is seen, with its date or a later one.
        if let Some(at) = first {
            assert!(at <= now);
            assert!(at >= clock.at(10 * known).min(now));
        } else {
            assert_eq!(known, 0);
        }
        match (first, second) {
            (_, Some(at)) => assert_eq!(at, then),
            (Some(at), None) => assert_eq!(at, now),
            (None, None) => panic!("two reads were missed"),
        }
        drop(notes);
    });
}

#[test]
fn loom_dated_reads_are_seen_and_never_dated_too_early() {
    two_reads_and_a_look(CREDIT);
}

#[test]
fn loom_the_last_dated_read_and_an_undated_one_are_seen() {
    two_reads_and_a_look(1);
}

#[test]
fn loom_undated_reads_are_seen_and_never_dated_too_early() {
    two_reads_and_a_look(0);
}

#[test]
fn loom_the_watch_hears_that_dates_are_out() {
    model(|polls| {
        let (notes, watch, mut alarm) = ends(&ModelClock::new(), 1);
        let reader = thread::spawn(move || {
            notes.note(Direction::Read, 1);
            notes
        });
        block_on(polls, |cx| {
            alarm.listen(cx.waker());
            match watch.is_undated() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        drop(reader.join().unwrap());
    });
}

#[test]
fn loom_a_read_that_waits_ends_the_hold() {
    model(|polls| {
        let (notes, watch, mut alarm) = ends(&ModelClock::new(), 0);
        watch.set_hold(true);
        let reader = thread::spawn(move || {
            for waiting in [true, false, true] {
                notes.note_waiting(waiting);
            }
            notes
        });
        block_on(polls, |cx| {
            alarm.listen(cx.waker());
            match watch.is_awaited() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        drop(reader.join().unwrap());
    });
}

#[test]
fn loom_the_end_is_heard_and_nothing_before_it_is_missed() {
    model(|polls| {
        let clock = ModelClock::new();
        let (notes, mut watch, mut alarm) = ends(&clock, 0);
        let reader = thread::spawn(move || {
            notes.note(Direction::Read, 1);
            drop(notes);
        });
        block_on(polls, |cx| {
            alarm.listen(cx.waker());
            match watch.is_closed() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        assert!(watch.look(clock.now()).read.is_some());
        reader.join().unwrap();
    });
}

/// What lies beneath a connection: it keeps one waker, of the half that polled last, and is ready
/// after two steps.
#[derive(Default)]
struct Beneath {
    steps: AtomicU32,
    waker: Mutex<Option<Waker>>,
}

#[test]
fn loom_whichever_half_polled_last_both_are_woken() {
    model(|polls| {
        let both = Arc::new(Mutex::new(BothTasks::new()));
        let beneath = Arc::new(Beneath::default());
        let wait = |half: Half| {
            let (both, beneath) = (Arc::clone(&both), Arc::clone(&beneath));
            move || {
                block_on(polls, |cx| {
                    both.lock().unwrap().poll(half, cx, |cx| {
                        *beneath.waker.lock().unwrap() = Some(cx.waker().clone());
                        match beneath.steps.load(Ordering::Relaxed) {
                            2 => Poll::Ready(()),
                            _ => Poll::Pending,
                        }
                    })
                });
            }
        };
        let reader = thread::spawn(wait(Half::Read));
        let driver = thread::spawn({
            let beneath = Arc::clone(&beneath);
            move || {
                for step in [1, 2] {
                    beneath.steps.store(step, Ordering::Relaxed);
                    let waker = beneath.waker.lock().unwrap().clone();
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                }
            }
        });
        wait(Half::Write)();
        reader.join().unwrap();
        driver.join().unwrap();
    });
}

/// A transport that takes every ping.
struct Taker;

impl Carrier<ModelClock, ()> for Taker {
    type Error = Infallible;

    fn put_ping(&mut self, _seq: Seq) {}

    fn poll_own(
        &mut self,
        _pinger: &mut Pinger<ModelClock, ()>,
        _half: Half,
        _cx: &Context<'_>,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_unblock(
        &mut self,
        _pinger: &mut Pinger<ModelClock, ()>,
        _cx: &Context<'_>,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn loom_a_wish_is_granted_without_waiting_for_a_deadline() {
    model(|polls| {
        let config = |secs| KeepaliveConfig::new().interval(Duration::from_secs(secs));
        let mut pinger = Pinger::new(config(20), ModelClock::new()).unwrap();
        let handle = pinger.handle(true);
        let wisher = thread::spawn(move || {
            handle.set_config(config(30)).unwrap();
            handle.set_config(config(40)).unwrap();
        });
        block_on(polls, |cx| {
            if pinger.is_due() || !pinger.is_asleep(Half::Read, cx) {
                let judged = pinger.poll_judge(&mut Taker, Half::Read, Seen::Drained, cx);
                assert!(judged.is_pending());
            }
            match pinger.keepalive().config() == config(40) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        wisher.join().unwrap();
    });
}
