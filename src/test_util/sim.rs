//! [`Sim`]: a runtime whose clock is moved by hand or by a `World`.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::rt::{Runtime, Timer};

/// A simulated clock with timers. Clones share it.
///
/// It stands still until [`World`](super::World) or [`advance`](Self::advance) moves it. Strict
/// where a real runtime is lenient: a poll of a timer after it has fired is a panic.
///
/// ```
/// use std::time::Duration;
/// use liveness::Runtime;
/// use liveness::detector::{FixedTimeout, Peer, Status};
/// use liveness::test_util::Sim;
///
/// let (sim, hour) = (Sim::new(), Duration::from_secs(3600));
/// let clock = sim.clone(); // for the code under test
/// let mut peer = Peer::new(FixedTimeout::new(hour), clock.now());
/// sim.advance(hour - Duration::from_nanos(1));
/// assert_eq!(peer.handle_timeout(clock.now()), None);
/// sim.advance(Duration::from_nanos(1));
/// assert_eq!(peer.handle_timeout(clock.now()), Some(Status::Dead));
/// ```
#[derive(Debug, Clone)]
pub struct Sim(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    start: Instant,
    now: Instant,
    /// Wakers by their time, of timers, sleeps and links.
    wakes: BTreeMap<(Instant, u64), Waker>,
    next_id: u64,
    seeds: u64,
    counts: Counts,
    timers_alive: usize,
    fire_early: Duration,
    refusals: u32,
}

/// Calls of a [`Sim`] through the traits of this crate: the cost of the code under test.
///
/// ```
/// use std::time::Duration;
/// use futures::{AsyncWriteExt, StreamExt};
/// use liveness::IdleConfig;
/// use liveness::io::track;
/// use liveness::test_util::{LinkConfig, bytes, simulate};
///
/// simulate(async |sim| {
///     let (socket, _peer, _link) = bytes(&sim, LinkConfig::new());
///     let config = IdleConfig::new().writer(Duration::from_secs(10));
///     let (mut socket, mut idle) = track(socket, config, sim.clone());
///     assert!(sim.timeout(Duration::from_secs(1), idle.next()).await.is_none());
///     assert_eq!(sim.counts().timers_created, 1);
///
///     let before = sim.counts();
///     for _ in 0..1000 {
///         socket.write_all(b"x").await?;
///     }
///     assert_eq!(sim.counts().since(before).timer_operations(), 0); // writing is cheap
/// #   Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls of [`Runtime::now`].
    pub clock_reads: u64,
    /// Calls of [`Runtime::timer`].
    pub timers_created: u64,
    /// Calls of [`Timer::reset`].
    pub timers_reset: u64,
    /// Calls of [`Timer::poll_expired`].
    pub timers_polled: u64,
}

impl Counts {
    /// The difference to an earlier count.
    pub fn since(self, before: Self) -> Self {
        Self {
            clock_reads: self.clock_reads - before.clock_reads,
            timers_created: self.timers_created - before.timers_created,
            timers_reset: self.timers_reset - before.timers_reset,
            timers_polled: self.timers_polled - before.timers_polled,
        }
    }

    /// Timers created, reset and polled, together.
    pub fn timer_operations(self) -> u64 {
        self.timers_created + self.timers_reset + self.timers_polled
    }
}

impl Sim {
    /// A clock that stands at its start.
    #[allow(clippy::disallowed_methods, reason = "any instant will do to begin at")]
    pub fn new() -> Self {
        let start = Instant::now();
        Self(Arc::new(Mutex::new(State {
            start,
            now: start,
            wakes: BTreeMap::new(),
            next_id: 0,
            seeds: 0,
            counts: Counts::default(),
            timers_alive: 0,
            fire_early: Duration::ZERO,
            refusals: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The instant at which time began.
    pub fn start(&self) -> Instant {
        self.state().start
    }

    /// The time. Unlike [`Runtime::now`] it is not counted.
    pub fn time(&self) -> Instant {
        self.state().now
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        let state = self.state();
        state.now - state.start
    }

    /// The calls so far.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// The number of timers that exist. Zero after a test means that nothing was left behind.
    pub fn timers_alive(&self) -> usize {
        self.state().timers_alive
    }

    /// The time of the next wake-up, by a timer, a sleep or a link. `None` if nothing waits for
    /// time.
    pub fn next_wake(&self) -> Option<Instant> {
        let state = self.state();
        state.wakes.keys().next().map(|(at, _)| *at)
    }

    /// Lets timers fire early by this much, as coarse timers do. A clock that is read shows it.
    pub fn fire_early(&self, by: Duration) {
        self.state().fire_early = by;
    }

    /// Answers the next `polls` polls of timers with "not yet" and an immediate wake-up, expired or
    /// not. A runtime with a budget, such as tokio, does so to a task that has used its budget up.
    pub fn refuse(&self, polls: u32) {
        self.state().refusals = polls;
    }

    /// Moves the clock in one jump and wakes everything due. Nothing runs in between: inside a task
    /// this is a stall of the whole process.
    ///
    /// ```
    /// use std::time::Duration;
    /// use futures::{StreamExt, future::join};
    /// use liveness::io::track;
    /// use liveness::test_util::{LinkConfig, World, bytes};
    /// use liveness::IdleConfig;
    ///
    /// const S: Duration = Duration::from_secs(1);
    /// let mut world = World::new();
    /// let sim = world.sim.clone();
    /// let (socket, _peer, _link) = bytes(&sim, LinkConfig::new());
    /// let (_socket, mut idle) = track(socket, IdleConfig::new().reader(10 * S), sim.clone());
    /// let stall = async {
    ///     sim.sleep(5 * S).await;
    ///     sim.advance(60 * S);
    /// };
    /// world.run(join(idle.next(), stall));
    /// assert_eq!(sim.elapsed(), 65 * S); // 55 s late: nobody could look any sooner
    /// ```
    pub fn advance(&self, by: Duration) {
        let to = self.time() + by;
        self.advance_to(to);
    }

    /// As [`advance`](Self::advance), to an instant. An earlier one changes nothing.
    pub fn advance_to(&self, to: Instant) {
        let due = {
            let mut state = self.state();
            state.now = state.now.max(to);
            let later = state.wakes.split_off(&(to, u64::MAX));
            std::mem::replace(&mut state.wakes, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    /// Wakes `waker` at `at`, or now if that has passed. Not counted: for sockets and peers of a
    /// test.
    pub fn wake_at(&self, at: Instant, waker: &Waker) {
        let mut state = self.state();
        if at <= state.now {
            drop(state);
            waker.wake_by_ref();
            return;
        }
        let id = state.new_id();
        state.wakes.insert((at, id), waker.clone());
    }

    /// Waits. Not counted, and no timer: for the test itself. Cancel safe.
    pub async fn sleep(&self, span: Duration) {
        let at = self.time() + span;
        self.sleep_until(at).await;
    }

    /// Waits until `at`, as [`sleep`](Self::sleep) does.
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

    /// The output of `future`, or `None` if it takes longer than `span`. A future that is ready at
    /// the end of `span` is in time. Not counted, and as cancel safe as `future`.
    pub async fn timeout<F: Future>(&self, span: Duration, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut sleep = pin!(self.sleep(span));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            sleep.as_mut().poll(cx).map(|()| None)
        })
        .await
    }
}

impl Default for Sim {
    fn default() -> Self {
        Self::new()
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

    /// 1, 2, 3 and so on, so that every run is the same.
    fn seed(&self) -> u64 {
        let mut state = self.state();
        state.seeds += 1;
        state.seeds
    }
}

/// As Tokio does.
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
impl<S, C> crate::io::Framing<S, C> for Sim
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite,
{
    type Framed = tokio_util::codec::Framed<crate::io::Tracked<S, Self>, C>;

    fn framed(&self, socket: crate::io::Tracked<S, Self>, codec: C) -> Self::Framed {
        tokio_util::codec::Framed::new(socket, codec)
    }
}

/// A timer of a [`Sim`].
///
/// ```
/// use std::task::{Context, Waker};
/// use std::time::Duration;
/// use liveness::rt::{Runtime, Timer};
/// use liveness::test_util::Sim;
///
/// let sim = Sim::new();
/// let at = sim.start() + Duration::from_secs(1);
/// let mut timer = Box::pin(sim.timer(at));
/// assert!(timer.as_mut().poll_expired(&mut Context::from_waker(Waker::noop())).is_pending());
/// assert_eq!((sim.next_wake(), sim.timers_alive()), (Some(at), 1));
/// drop(timer); // wakes nobody any more
/// assert_eq!((sim.next_wake(), sim.timers_alive()), (None, 0));
/// ```
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
            self.sim.state().wakes.remove(&(at, self.id));
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
        state.wakes.insert((fires_at, self.id), cx.waker().clone());
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
