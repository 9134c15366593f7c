//! [`Sim`]: a runtime whose clock moves only when nothing else is left to do.
//!
//! [`World`] is the executor beside it: it runs its tasks until all are waiting, then moves the clock
//! to the next timer. An hour of silence takes a microsecond, and every run is the same.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::executor::LocalPool;
use futures::future::RemoteHandle;
use futures::task::{LocalSpawnExt, SpawnExt};
use liveness::rt::{Runtime, Timer};

/// A simulated clock with timers; clones share it.
///
/// Strict where a real runtime is lenient: to poll a timer that has fired is a panic.
#[derive(Debug, Clone)]
pub struct Sim(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    start: Instant,
    now: Instant,
    /// What is to be woken when. Tests and links use it as well as timers.
    alarms: BTreeMap<(Instant, u64), Waker>,
    next_id: u64,
    counts: Counts,
    timers_alive: usize,
    fire_early: Duration,
    refusals: u32,
}

/// How often a [`Sim`] was asked for something through the traits of the crate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub clock_reads: u64,
    pub timers_created: u64,
    pub timers_reset: u64,
    pub timers_polled: u64,
}

impl Counts {
    /// What was counted after `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            clock_reads: self.clock_reads - before.clock_reads,
            timers_created: self.timers_created - before.timers_created,
            timers_reset: self.timers_reset - before.timers_reset,
            timers_polled: self.timers_polled - before.timers_polled,
        }
    }

    /// Everything that was done to timers.
    pub fn timer_operations(self) -> u64 {
        self.timers_created + self.timers_reset + self.timers_polled
    }
}

impl Sim {
    #[allow(clippy::disallowed_methods, reason = "any instant will do to begin at")]
    pub fn new() -> Self {
        let start = Instant::now();
        Self(Arc::new(Mutex::new(State {
            start,
            now: start,
            alarms: BTreeMap::new(),
            next_id: 0,
            counts: Counts::default(),
            timers_alive: 0,
            fire_early: Duration::ZERO,
            refusals: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Where time began.
    pub fn start(&self) -> Instant {
        self.state().start
    }

    /// The time, without counting as a clock read.
    pub fn time(&self) -> Instant {
        self.state().now
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        let state = self.state();
        state.now - state.start
    }

    /// What was asked for so far.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// How many timers exist.
    pub fn timers_alive(&self) -> usize {
        self.state().timers_alive
    }

    /// When something is next to be woken.
    pub fn next_alarm(&self) -> Option<Instant> {
        let state = self.state();
        state.alarms.keys().next().map(|(at, _)| *at)
    }

    /// From now on timers fire that much too early.
    pub fn fire_early(&self, by: Duration) {
        self.state().fire_early = by;
    }

    /// The next `polls` polls of timers are refused, expired or not, as a used-up budget does it:
    /// the task is woken at once.
    pub fn refuse(&self, polls: u32) {
        self.state().refusals = polls;
    }

    /// Moves the clock, and wakes what has become due; nothing runs in between. In the middle of a
    /// task this is a stall of the whole process.
    pub fn advance(&self, by: Duration) {
        let to = self.time() + by;
        self.advance_to(to);
    }

    pub fn advance_to(&self, to: Instant) {
        let due = {
            let mut state = self.state();
            state.now = state.now.max(to);
            let later = state.alarms.split_off(&(to, u64::MAX));
            std::mem::replace(&mut state.alarms, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    /// Wakes `waker` at `at`. Tests and links wait with this; it is not counted.
    pub fn wake_at(&self, at: Instant, waker: &Waker) {
        let mut state = self.state();
        if at <= state.now {
            drop(state);
            waker.wake_by_ref();
            return;
        }
        let id = state.new_id();
        state.alarms.insert((at, id), waker.clone());
    }

    /// Waits, for the tests themselves.
    pub async fn sleep(&self, span: Duration) {
        let at = self.time() + span;
        self.sleep_until(at).await;
    }

    pub async fn sleep_until(&self, at: Instant) {
        std::future::poll_fn(|cx| {
            if self.time() >= at {
                return Poll::Ready(());
            }
            self.wake_at(at, cx.waker());
            Poll::Pending
        })
        .await;
    }
}

impl State {
    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

impl Runtime for Sim {
    type Timer = SimTimer;

    fn timer(&self, at: Instant) -> SimTimer {
        let mut state = self.state();
        state.counts.timers_created += 1;
        state.timers_alive += 1;
        let id = state.new_id();
        drop(state);
        SimTimer {
            sim: self.clone(),
            id,
            at,
            armed: None,
            fired: false,
        }
    }

    fn now(&self) -> Instant {
        let mut state = self.state();
        state.counts.clock_reads += 1;
        state.now
    }
}

/// A timer of a [`Sim`].
#[derive(Debug)]
pub struct SimTimer {
    sim: Sim,
    id: u64,
    at: Instant,
    armed: Option<Instant>,
    fired: bool,
}

impl SimTimer {
    fn disarm(&mut self) {
        if let Some(at) = self.armed.take() {
            self.sim.state().alarms.remove(&(at, self.id));
        }
    }
}

impl Timer for SimTimer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.disarm();
        self.sim.state().counts.timers_reset += 1;
        self.at = at;
        self.fired = false;
    }

    fn poll_expired(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        assert!(!self.fired, "a timer that has fired was polled again");
        self.disarm();
        let sim = self.sim.clone();
        let mut state = sim.state();
        state.counts.timers_polled += 1;
        if state.refusals > 0 {
            state.refusals -= 1;
            drop(state);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let fires_at = self.at.checked_sub(state.fire_early).unwrap_or(self.at);
        if state.now >= fires_at {
            self.fired = true;
            return Poll::Ready(());
        }
        state.alarms.insert((fires_at, self.id), cx.waker().clone());
        self.armed = Some(fires_at);
        Poll::Pending
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        self.disarm();
        self.sim.state().timers_alive -= 1;
    }
}

/// Tasks and a [`Sim`]: the tasks run until all of them wait, then the clock jumps.
#[derive(Debug)]
pub struct World {
    pub sim: Sim,
    pool: LocalPool,
}

/// More jumps than any test needs: a world that gets here is going round in circles.
const MOST_JUMPS: u32 = 3_000_000;

impl World {
    pub fn new() -> Self {
        Self {
            sim: Sim::new(),
            pool: LocalPool::new(),
        }
    }

    /// Adds a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.pool.spawner().spawn_local(task).unwrap();
    }

    /// Adds a task whose result is wanted; dropping the handle cancels it.
    pub fn task<T: 'static>(&self, task: impl Future<Output = T> + 'static) -> RemoteHandle<T> {
        self.pool.spawner().spawn_local_with_handle(task).unwrap()
    }

    /// As [`task`](Self::task), for one that must be `Send`.
    pub fn send_task<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> RemoteHandle<T> {
        self.pool.spawner().spawn_with_handle(task).unwrap()
    }

    /// Runs all tasks until they wait; no time passes.
    pub fn settle(&mut self) {
        self.pool.run_until_stalled();
    }

    /// Runs the world until `main` is done.
    ///
    /// # Panics
    /// When nothing is left that could ever happen.
    pub fn run<T>(&mut self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut cx = Context::from_waker(&waker);
        for _ in 0..MOST_JUMPS {
            while flag.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(done) = main.as_mut().poll(&mut cx) {
                    return done;
                }
                self.settle();
            }
            let Some(next) = self.sim.next_alarm() else {
                panic!(
                    "{:?} after the start nothing can happen any more",
                    self.sim.elapsed()
                );
            };
            self.sim.advance_to(next);
            self.settle();
        }
        panic!("{MOST_JUMPS} jumps of the clock and not done");
    }

    /// Runs the world for `span`, and leaves the clock at its end.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.sim.time() + span;
        self.settle();
        for _ in 0..MOST_JUMPS {
            match self.sim.next_alarm().filter(|next| *next <= end) {
                Some(next) => self.sim.advance_to(next),
                None => {
                    self.sim.advance_to(end);
                    self.settle();
                    return;
                }
            }
            self.settle();
        }
        panic!("{MOST_JUMPS} jumps of the clock and not done");
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
