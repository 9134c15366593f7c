//! The simulated runtime and links that the other tests stand on, tested themselves.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::{pending, poll_fn};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, SinkExt, StreamExt};
use liveness::rt::{Runtime, Timer};
use liveness::test_util::{LinkConfig, Side, Sim, World, bytes, messages, simulate};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_clock_jumps_from_timer_to_timer() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let slept = world.run(async {
        let mut timer = pin!(sim.timer(sim.now() + 3600 * SECOND));
        poll_fn(|cx| timer.as_mut().poll_expired(cx)).await;
        sim.elapsed()
    });
    assert_eq!(slept, 3600 * SECOND);
    assert_eq!(world.sim.timers_alive(), 0);
    assert_eq!(world.sim.next_wake(), None);
    let counts = world.sim.counts();
    assert_eq!((counts.timers_created, counts.timers_polled), (1, 2));
}

#[test]
#[should_panic(expected = "polled again")]
fn a_spent_timer_is_not_polled_again() {
    let sim = Sim::new();
    let mut timer = pin!(sim.timer(sim.time()));
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(timer.as_mut().poll_expired(&mut cx), Poll::Ready(()));
    let _ = timer.as_mut().poll_expired(&mut cx);
}

#[test]
#[should_panic(expected = "nothing can happen")]
fn a_dead_end_is_found() {
    World::new().run(futures::future::pending::<()>());
}

#[test]
fn bytes_come_late_in_pieces_and_block_the_sender() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = LinkConfig::new().room(4).delay(SECOND).chunk(3);
    let (mut near, mut far, link) = bytes(&sim, config);
    let writer = world.task(async move {
        near.write_all(b"0123456789").await.unwrap();
        near.close().await.unwrap();
        near
    });
    let text = world.run(async {
        let mut text = Vec::new();
        let mut buf = [0; 8];
        loop {
            let bytes = far.read(&mut buf).await.unwrap();
            if bytes == 0 {
                return text;
            }
            assert!(bytes <= 3);
            text.extend_from_slice(&buf[..bytes]);
        }
    });
    assert_eq!(text, b"0123456789");
    assert!(sim.elapsed() >= 3 * SECOND, "10 bytes through room for 4");
    assert_eq!((link.sent(Side::Near), link.received(Side::Near)), (10, 10));
    drop(world.run(writer));
}

#[test]
fn a_cut_link_is_silent_and_heals() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = LinkConfig::new().room(2).staging(1);
    let (mut near, mut far, link) = messages::<u32>(&sim, config);
    link.cut_from(Side::Near);
    world.run(async {
        near.send(1).await.unwrap();
        near.send(2).await.unwrap();
        near.feed(3).await.unwrap();
    });
    assert!(near.flush().now_or_never().is_none(), "the link is full");
    assert!(far.next().now_or_never().is_none(), "nothing arrives");
    world.run(async {
        far.send(9).await.unwrap();
        assert_eq!(
            near.next().await.unwrap().unwrap(),
            9,
            "the other way is whole"
        );
    });
    link.heal();
    let arrived = far.map(Result::unwrap).collect::<Vec<_>>();
    let (arrived, closed) = world.run(futures::future::join(arrived, near.close()));
    closed.unwrap();
    assert_eq!(arrived, [1, 2, 3]);
}

#[test]
fn a_reset_is_seen_by_both_ends() {
    let mut world = World::new();
    let (mut near, mut far, link) = messages::<u32>(&world.sim, LinkConfig::new());
    link.reset();
    world.run(async {
        assert!(near.send(1).await.is_err());
        assert!(far.next().await.unwrap().is_err());
    });
}

#[test]
fn a_task_runs_on_its_own_and_ends_when_its_handle_is_dropped() {
    let mut world = World::new();
    let (sim, spawner) = (world.sim.clone(), world.spawner());
    world.run(async {
        let (slow, fast) = (sim.clone(), sim.clone());
        let slow = spawner.task(async move { slow.sleep(5 * SECOND).await });
        let fast = spawner.task(async move {
            fast.sleep(3 * SECOND).await;
            fast.elapsed()
        });
        assert_eq!(fast.await, 3 * SECOND);
        drop(slow);
        assert_eq!(sim.timeout(3600 * SECOND, pending::<()>()).await, None);
    });
    assert_eq!(sim.elapsed(), 3603 * SECOND);
    assert_eq!(sim.next_wake(), None);
}

#[test]
#[should_panic(expected = "of a task")]
fn a_panic_of_a_task_ends_the_test() {
    let mut world = World::new();
    let _task = world.task(async { panic!("of a task") });
    world.run_for(SECOND);
}

#[test]
#[should_panic(expected = "no time passes")]
fn a_world_that_goes_round_in_circles_is_found() {
    simulate(async |_| {
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })
        .await;
    });
}

#[test]
fn what_is_ready_at_the_end_of_its_time_is_in_time() {
    simulate(async |sim| {
        let slept = sim.timeout(SECOND, sim.sleep(SECOND)).await;
        assert_eq!(slept, Some(()));
        let slept = sim.timeout(SECOND, sim.sleep(SECOND + Duration::from_nanos(1)));
        assert_eq!(slept.await, None);
        assert_eq!(sim.elapsed(), 2 * SECOND);
    });
}

#[test]
fn every_run_draws_the_same_seeds() {
    let seeds = || {
        let sim = Sim::new();
        [sim.seed(), sim.seed(), sim.clone().seed()]
    };
    assert_eq!(seeds(), seeds());
    assert_eq!(seeds(), [1, 2, 3]);
}

#[test]
fn a_rate_and_losses_are_as_told() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = LinkConfig::new().spacing(SECOND).lose_every(3);
    let (mut near, mut far, link) = messages::<u32>(&sim, config);
    world.run(async {
        for n in 1..=6 {
            near.send(n).await.unwrap();
        }
        let mut arrived = Vec::new();
        while arrived.len() < 4 {
            arrived.push((far.next().await.unwrap().unwrap(), sim.elapsed()));
        }
        let expected = [(1, 1), (2, 2), (4, 3), (5, 4)].map(|(n, at)| (n, at * SECOND));
        assert_eq!(arrived, expected);
    });
    assert_eq!((link.sent(Side::Near), link.received(Side::Near)), (6, 4));
    assert_eq!(link.under_way(Side::Near), 0);
}
