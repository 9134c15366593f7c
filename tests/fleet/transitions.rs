//! One timer for a fleet: what it costs and what it misses, which is nothing.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use liveness::Monitor;
use liveness::detector::{FixedTimeout, Sample, Status};
use liveness::fleet::transitions;
use liveness::rt::Runtime;
use liveness::test_util::World;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn each_fall_is_told_at_its_instant_and_one_timer_does_for_all() {
    let mut world = World::new();
    let (sim, start) = (world.sim.clone(), world.sim.start());
    let mut monitor = Monitor::new(FixedTimeout::new(10 * SECOND), start);
    for peer in 0..1_000_u32 {
        sim.advance(SECOND / 1_000);
        monitor.insert(peer, sim.time());
    }
    let mut fallen = transitions(monitor, sim.clone());
    world.run(async {
        for peer in 0..1_000 {
            let told = fallen.next().await.expect("it never ends");
            assert_eq!(fallen.monitor().value(told.key), Ok(&peer));
            assert_eq!((told.to, told.at), (Status::Dead, sim.time()));
        }
    });
    assert_eq!(sim.counts().timers_created, 1);
    assert_eq!(sim.elapsed(), 11 * SECOND);
    // All are dead: nothing is waited for.
    assert!(fallen.next().now_or_never().is_none());
    assert_eq!(fallen.into_monitor().poll_timeout(), None);
    assert_eq!((sim.timers_alive(), sim.next_wake()), (0, None));
}

#[test]
fn beats_touch_no_timer_and_an_earlier_deadline_is_not_missed() {
    let mut world = World::new();
    let (sim, start) = (world.sim.clone(), world.sim.start());
    let rule = FixedTimeout::new(60 * SECOND).first_within(5 * SECOND);
    let mut monitor = Monitor::new(rule, start);
    let key = monitor.insert("steady", start);
    monitor
        .on_heartbeat(key, Sample::new(), start)
        .expect("it is held");
    let mut fallen = transitions(monitor, sim.clone());
    // The bound of the first window falls due once and is set right; after that, nothing.
    world.run(async {
        for _ in 0..20 {
            assert!(fallen.next().now_or_never().is_none());
            sim.advance(SECOND);
            let now = sim.now();
            fallen
                .monitor_mut()
                .on_heartbeat(key, Sample::new(), now)
                .expect("it is held");
        }
    });
    let counts = sim.counts();
    assert!(counts.timer_operations() <= 4, "{counts:?}");
    // The new peer is due before the other, for which the timer is set.
    let now = sim.time();
    let new = fallen.monitor_mut().insert("new", now);
    let told = world.run(fallen.next()).expect("it never ends");
    assert_eq!((told.key, told.at), (new, now + 5 * SECOND));
    assert_eq!(sim.time(), told.at);
}
