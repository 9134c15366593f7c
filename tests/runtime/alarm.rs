//! The one timer driver: the traps it settles for everybody else, and its wake-ups.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::future::poll_fn;
use liveness::rt::{Alarm, Runtime, Timer};
use liveness::test_util::{Sim, World};

const SECOND: Duration = Duration::from_secs(1);

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicU32);

impl Count {
    fn waker() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (Arc::clone(&count), Waker::from(count))
    }

    fn woken(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn expiry(alarm: &mut Alarm<Sim>, at: Instant) -> Instant {
    poll_fn(|cx| alarm.poll_at(Some(at), cx)).await
}

#[test]
fn it_rings_at_its_deadline_exactly() {
    let mut world = World::new();
    let due = world.sim.start() + 5 * SECOND;
    let mut alarm = Alarm::new(world.sim.clone());
    assert_eq!(world.run(expiry(&mut alarm, due)), due);
    let counts = world.sim.counts();
    assert_eq!((counts.timers_created, counts.timers_reset), (1, 0));
    // Once fired, it is set again before it is polled again, or the simulation would panic.
    assert_eq!(world.run(expiry(&mut alarm, due)), due);
    assert_eq!(world.run(expiry(&mut alarm, due + SECOND)), due + SECOND);
    drop(alarm);
    assert_eq!((world.sim.timers_alive(), world.sim.next_wake()), (0, None));
}

#[test]
fn the_clock_decides_when_the_timer_is_refused() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let due = sim.start() + SECOND;
    let mut alarm = Alarm::new(sim.clone());
    // Refused while it is being set: the waker that was called at once brings the task back.
    sim.refuse(3);
    assert_eq!(world.run(expiry(&mut alarm, due)), due);
    // Expired and refused for good: nobody needs the timer then.
    sim.refuse(u32::MAX);
    assert_eq!(world.run(expiry(&mut alarm, due)), due);
}

#[test]
fn a_timer_that_fires_early_is_set_for_the_rest() {
    for early in [Duration::from_nanos(1), SECOND / 10, 2 * SECOND] {
        let mut world = World::new();
        let sim = world.sim.clone();
        sim.fire_early(early);
        let due = sim.start() + SECOND;
        let mut alarm = Alarm::new(sim.clone());
        let (count, waker) = Count::waker();
        let mut cx = Context::from_waker(&waker);
        // It may ask to be polled again, but never keeps the thread, and is never ready too early.
        while alarm.poll_at(Some(due), &mut cx).is_pending() {
            if sim.time() < due {
                sim.advance(SECOND / 100);
            }
            assert!(sim.elapsed() < 2 * SECOND);
        }
        assert_eq!(sim.time(), due);
        assert!(count.woken() > 0);
        let _ = world.run(expiry(&mut alarm, due));
    }
}

#[test]
fn an_earlier_timer_is_left_alone() {
    let sim = Sim::new();
    let mut alarm = Alarm::new(sim.clone());
    let (_, waker) = Count::waker();
    let mut cx = Context::from_waker(&waker);
    let due = |after: u32| Some(sim.start() + after * SECOND);
    assert!(alarm.poll_at(due(10), &mut cx).is_pending());
    let set = sim.counts();
    for busy in 0..100_000 {
        assert!(alarm.poll_at(due(10 + busy % 7), &mut cx).is_pending());
    }
    assert_eq!(
        sim.counts(),
        set,
        "neither the timer nor the clock was asked"
    );
    // An earlier deadline is another matter.
    assert!(alarm.poll_at(due(5), &mut cx).is_pending());
    assert_eq!(sim.counts().timers_reset, set.timers_reset + 1);
    assert_eq!(sim.next_wake(), due(5));
}

#[test]
fn when_it_fires_for_a_deadline_that_has_moved_it_is_set_again() {
    let sim = Sim::new();
    let mut alarm = Alarm::new(sim.clone());
    let (count, waker) = Count::waker();
    let mut cx = Context::from_waker(&waker);
    let (due, moved) = (sim.start() + SECOND, sim.start() + 3 * SECOND);
    assert!(alarm.poll_at(Some(due), &mut cx).is_pending());
    sim.advance_to(due);
    assert_eq!(count.woken(), 1);
    assert!(alarm.poll_at(Some(moved), &mut cx).is_pending());
    assert_eq!(sim.next_wake(), Some(moved));
    sim.advance_to(moved);
    assert_eq!(count.woken(), 2);
    assert_eq!(alarm.poll_at(Some(moved), &mut cx), Poll::Ready(moved));
}

#[test]
fn without_a_deadline_it_waits_for_ever() {
    let sim = Sim::new();
    let mut alarm = Alarm::new(sim.clone());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(alarm.poll_at(None, &mut cx).is_pending());
    sim.advance(1_000_000 * SECOND);
    assert!(alarm.poll_at(None, &mut cx).is_pending());
    assert_eq!(sim.counts().timers_created, 0);
}

#[test]
fn the_task_that_polled_last_is_woken() {
    let sim = Sim::new();
    let mut alarm = Alarm::new(sim.clone());
    let due = sim.start() + SECOND;
    let ((first, a), (second, b)) = (Count::waker(), Count::waker());
    assert!(
        alarm
            .poll_at(Some(due), &mut Context::from_waker(&a))
            .is_pending()
    );
    assert!(
        alarm
            .poll_at(Some(due), &mut Context::from_waker(&b))
            .is_pending()
    );
    sim.advance_to(due);
    assert_eq!((first.woken(), second.woken()), (0, 1));
}

/// A runtime whose one timer is fired by hand, from another thread.
#[derive(Clone)]
struct ByHand(Arc<Hand>);

struct Hand {
    start: Instant,
    now: AtomicU64,
    task: Mutex<Option<Waker>>,
}

struct HandTimer(Arc<Hand>, Instant);

impl Hand {
    fn now(&self) -> Instant {
        self.start + Duration::from_nanos(self.now.load(Ordering::SeqCst))
    }

    fn fire(&self) {
        self.now.fetch_add(1, Ordering::SeqCst);
        let task = self.task.lock().unwrap().take();
        task.into_iter().for_each(Waker::wake);
    }
}

impl Runtime for ByHand {
    type Timer = HandTimer;

    fn timer(&self, at: Instant) -> HandTimer {
        HandTimer(Arc::clone(&self.0), at)
    }

    fn now(&self) -> Instant {
        self.0.now()
    }
}

impl Timer for HandTimer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.1 = at;
    }

    fn poll_expired(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        *self.0.task.lock().unwrap() = Some(cx.waker().clone());
        if self.0.now() >= self.1 {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// A timer fires on one thread while the alarm moves to another task on the next: either that task
/// sees it, or it is woken.
#[test]
#[allow(clippy::disallowed_methods, reason = "any instant will do to begin at")]
fn no_wake_up_is_lost_when_the_task_changes() {
    const ROUNDS: u64 = 20_000;
    let hand = Arc::new(Hand {
        start: Instant::now(),
        now: AtomicU64::new(0),
        task: Mutex::new(None),
    });
    let mut alarm = Alarm::new(ByHand(Arc::clone(&hand)));
    let (ready, done) = (Arc::new(Barrier::new(2)), Arc::new(AtomicBool::new(false)));
    let firing = {
        let (hand, ready, done) = (Arc::clone(&hand), Arc::clone(&ready), Arc::clone(&done));
        std::thread::spawn(move || {
            for round in 0..ROUNDS {
                ready.wait();
                (0..round % 97).for_each(|_| std::hint::spin_loop());
                hand.fire();
                done.store(true, Ordering::SeqCst);
            }
        })
    };
    for round in 0..ROUNDS {
        let due = hand.now() + Duration::from_nanos(1);
        let ((_, before), (count, after)) = (Count::waker(), Count::waker());
        let polled = alarm.poll_at(Some(due), &mut Context::from_waker(&before));
        assert!(polled.is_pending());
        ready.wait();
        (0..round % 89).for_each(|_| std::hint::spin_loop());
        let polled = alarm.poll_at(Some(due), &mut Context::from_waker(&after));
        while !done.swap(false, Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        assert!(
            polled.is_ready() || count.woken() > 0,
            "round {round}: the second task waits for ever"
        );
        let polled = alarm.poll_at(Some(due), &mut Context::from_waker(&after));
        assert!(polled.is_ready(), "round {round}");
    }
    firing.join().unwrap();
}

/// Tokio's budget makes a timer that has elapsed answer `Pending`: so on Tokio, and its paused
/// clock.
#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_task_without_budget_sees_its_deadline() {
    use liveness::Tokio;

    let due = Tokio.now() + SECOND;
    let mut alarm = Alarm::new(Tokio);
    let mut elapsed = Box::pin(tokio::time::sleep(SECOND)); // of the paused clock
    poll_fn(|cx| {
        assert!(alarm.poll_at(Some(due), cx).is_pending());
        Poll::Ready(())
    })
    .await;
    tokio::time::advance(2 * SECOND).await;
    poll_fn(|cx| {
        exhaust_budget(cx);
        let slept = elapsed.as_mut();
        assert!(
            Future::poll(slept, cx).is_pending(),
            "the budget is used up"
        );
        assert!(alarm.poll_at(Some(due), cx).is_ready());
        Poll::Ready(())
    })
    .await;
    // Set while there is no budget: the alarm comes back on its own.
    let due = Tokio.now() + SECOND;
    let mut first = true;
    let now = poll_fn(|cx| {
        if std::mem::take(&mut first) {
            exhaust_budget(cx);
        }
        alarm.poll_at(Some(due), cx)
    })
    .await;
    assert!(now >= due && now <= due + SECOND / 100);
}

#[cfg(feature = "tokio")]
fn exhaust_budget(cx: &mut Context<'_>) {
    loop {
        let unit = std::pin::pin!(tokio::task::coop::consume_budget());
        if Future::poll(unit, cx).is_pending() {
            return;
        }
    }
}

#[cfg(feature = "smol")]
#[test]
fn smol_fires_on_time() {
    use liveness::Smol;

    smol::block_on(async {
        let mut alarm = Alarm::new(Smol);
        for _ in 0..3 {
            // A real wait: smol has no simulated clock.
            let due = Smol.now() + Duration::from_millis(5);
            assert!(poll_fn(|cx| alarm.poll_at(Some(due), cx)).await >= due);
        }
    });
}
