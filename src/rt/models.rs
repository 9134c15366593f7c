//! What `loom` finds out about [`Alarm`] and its bell: no ring is lost, in any order of turns.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use loom::sync::Condvar;
use loom::thread;

use super::{Alarm, Runtime, Timer};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering};

/// A clock that a model sets, and one timer of it at a time.
#[derive(Clone)]
pub(crate) struct ModelClock(Arc<Hands>);

struct Hands {
    start: Instant,
    millis: AtomicU64,
    timer: Mutex<Option<Waker>>,
}

pub(crate) struct ModelTimer {
    clock: ModelClock,
    at: Instant,
}

impl ModelClock {
    #[allow(clippy::disallowed_methods, reason = "any instant will do to begin at")]
    pub(crate) fn new() -> Self {
        Self(Arc::new(Hands {
            start: Instant::now(),
            millis: AtomicU64::new(0),
            timer: Mutex::new(None),
        }))
    }

    pub(crate) fn at(&self, millis: u64) -> Instant {
        self.0.start + Duration::from_millis(millis)
    }

    pub(crate) fn set(&self, millis: u64) {
        self.0.millis.store(millis, Ordering::Release);
        let timer = self.0.timer.lock().unwrap().clone();
        if let Some(timer) = timer {
            timer.wake();
        }
    }
}

impl Runtime for ModelClock {
    type Timer = ModelTimer;

    fn timer(&self, at: Instant) -> ModelTimer {
        let clock = self.clone();
        ModelTimer { clock, at }
    }

    fn now(&self) -> Instant {
        self.at(self.0.millis.load(Ordering::Acquire))
    }
}

impl Timer for ModelTimer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.at = at;
    }

    fn poll_expired(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        *self.clock.0.timer.lock().unwrap() = Some(cx.waker().clone());
        match self.clock.now() >= self.at {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// A task that remembers whether it was woken.
#[derive(Default)]
struct Task {
    woken: Mutex<bool>,
    wakes: Condvar,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap() = true;
        self.wakes.notify_one();
    }
}

impl Task {
    fn new() -> (Arc<Self>, Waker) {
        let task = Arc::new(Self::default());
        (Arc::clone(&task), Waker::from(task))
    }

    /// Waits until it is woken.
    fn sleep(&self) {
        let mut woken = self.woken.lock().unwrap();
        while !std::mem::take(&mut *woken) {
            woken = self.wakes.wait(woken).unwrap();
        }
    }
}

/// Tries every order of turns. `run` is told how often a task is polled each time it is woken:
/// once, or once more out of turn.
pub(crate) fn model(run: fn(usize)) {
    for polls in [1, 2] {
        loom::model(move || run(polls));
    }
}

/// Runs a task on this thread until it is ready.
pub(crate) fn block_on<T>(polls: usize, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let (task, waker) = Task::new();
    loop {
        for _ in 0..polls {
            if let Poll::Ready(value) = poll(&mut Context::from_waker(&waker)) {
                return value;
            }
        }
        task.sleep();
    }
}

#[test]
fn loom_what_a_ring_tells_of_is_seen() {
    model(|polls| {
        let mut alarm = Alarm::new(ModelClock::new());
        let (bell, told) = (alarm.bell(), Arc::new(AtomicU32::new(0)));
        let teller = thread::spawn({
            let told = Arc::clone(&told);
            move || {
                for n in 1..=2 {
                    told.store(n, Ordering::Relaxed);
                    bell.ring();
                }
            }
        });
        block_on(polls, |cx| {
            alarm.listen(cx.waker());
            match told.load(Ordering::Relaxed) {
                2 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        });
        teller.join().unwrap();
    });
}

#[test]
fn loom_a_ring_is_for_the_task_that_listened_last() {
    loom::model(|| {
        let mut alarm = Alarm::new(ModelClock::new());
        let (bell, told) = (alarm.bell(), Arc::new(AtomicBool::new(false)));
        let ((_first, first), (task, second)) = (Task::new(), Task::new());
        alarm.listen(&first);
        let teller = thread::spawn({
            let told = Arc::clone(&told);
            move || {
                told.store(true, Ordering::Relaxed);
                bell.ring();
            }
        });
        alarm.listen(&second);
        let seen = told.load(Ordering::Relaxed);
        teller.join().unwrap();
        assert!(seen || *task.woken.lock().unwrap());
    });
}

/// Another task has set the timer; this one relies on it.
fn a_deadline(polls: usize, rung_before: bool) {
    let clock = ModelClock::new();
    let mut alarm = Alarm::new(clock.clone());
    let (bell, due) = (alarm.bell(), clock.at(10));
    let (_other, waker) = Task::new();
    let polled = alarm.poll_at(Some(due), &mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let time = thread::spawn(move || {
        if rung_before {
            bell.ring();
        }
        clock.set(10);
    });
    let now = block_on(polls, |cx| alarm.poll_at(Some(due), cx));
    assert_eq!(now, due);
    time.join().unwrap();
}

#[test]
fn loom_a_deadline_is_not_slept_through() {
    model(|polls| a_deadline(polls, false));
}

#[test]
fn loom_a_deadline_after_a_ring_is_not_slept_through() {
    model(|polls| a_deadline(polls, true));
}
