//! Faults of the shell that were found once, each in the numbers of its case.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::stream::FusedStream;
use futures::{FutureExt, SinkExt, StreamExt};
use liveness::{Cause, Dead, Error, Jitter, Proof};

use super::wired::{WiredStream, wired};
use super::*;

type Next = Poll<Option<Result<Message, Error<std::io::Error>>>>;

fn poll(stream: &mut WiredStream) -> Next {
    stream.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
}

/// A peer that says something each turn of a millisecond and answers nothing: when it is dead.
fn chatterer(config: KeepaliveConfig, turns_find_all: bool) -> Duration {
    let sim = Sim::new();
    let (mut stream, wire) = wired(&sim, config);
    wire.borrow_mut().cut = Some(Duration::ZERO);
    for nth in 0.. {
        sim.advance(SECOND / 1000);
        assert!(sim.elapsed() < 600 * SECOND, "never judged");
        let now = sim.elapsed();
        wire.borrow_mut().arrive(now, Data(nth));
        while let Poll::Ready(next) = poll(&mut stream) {
            match next.unwrap() {
                Ok(_) if turns_find_all => {}
                // There is more to read whenever it looks.
                Ok(_) => wire.borrow_mut().arrive(now, Data(nth)),
                Err(Error::Dead(dead)) => {
                    assert_eq!(dead.cause, Cause::NoReply);
                    return sim.elapsed();
                }
                Err(error) => panic!("{error}"),
            }
            if !turns_find_all {
                break;
            }
        }
    }
    unreachable!()
}

/// 1: any input restarted the confirmation, so it lived for ever.
#[test]
fn a_chattering_peer_is_dead_within_the_bound_on_an_idle_and_on_a_loaded_executor() {
    let pong_only = KeepaliveConfig::new().proof(Proof::PongOnly);
    for config in [
        pong_only,
        pong_only.max_unanswered(1),
        KeepaliveConfig::websocket().proof(Proof::PongOnly),
    ] {
        let sim = Sim::new();
        let bound = wired(&sim, config).0.detection_bound().unwrap();
        // A turn is a millisecond, and each of the two looks takes one.
        let turns = SECOND / 250;
        let idle = chatterer(config, true);
        assert!(idle <= bound.undrained + turns, "{idle:?}, {bound:?}");
        let loaded = chatterer(config, false);
        assert!(loaded <= bound.undrained + turns, "{loaded:?}, {bound:?}");
    }
}

/// 6: a ping behind an upload whose buffer is never empty was never out, and nothing was asked
/// again.
#[test]
fn a_ping_behind_an_upload_that_is_never_flushed_is_judged() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (stream, wire) = wired(&sim, KeepaliveConfig::new());
    wire.borrow_mut().cut = Some(Duration::ZERO);
    wire.borrow_mut().never_flushes = true;
    let bound = stream.detection_bound().unwrap().uploading.unwrap();
    let (mut sink, mut stream) = stream.split::<Message>();
    let clock = sim.clone();
    let sending = world.task(async move {
        for nth in 0.. {
            clock.sleep(SECOND / 10).await;
            if sink.feed(Data(nth)).await.is_err() {
                return;
            }
        }
    });
    let verdict = world.run(sim.timeout(600 * SECOND, stream.next())).unwrap();
    assert!(matches!(verdict, Some(Err(Error::Dead(dead))) if dead.cause == Cause::NoReply));
    assert_eq!(wire.borrow().asked.len(), 2);
    assert!(sim.elapsed() <= bound, "{:?}, {bound:?}", sim.elapsed());
    world.run(sending);
}

/// 8: the writer's verdict brought an ended stream back.
#[test]
fn an_ended_stream_stays_ended_whatever_the_writer_finds() {
    let sim = Sim::new();
    let (mut stream, wire) = wired(&sim, KeepaliveConfig::off().write_stall(SECOND));
    let hour = (Duration::ZERO, 3600 * SECOND);
    {
        let mut wire = wire.borrow_mut();
        (wire.ends, wire.refuses) = (true, vec![hour]);
    }
    assert!(matches!(poll(&mut stream), Poll::Ready(None)));
    assert!(stream.is_terminated());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(stream.poll_ready_unpin(&mut cx).is_pending());
    sim.advance(SECOND);
    assert!(matches!(
        stream.poll_ready_unpin(&mut cx),
        Poll::Ready(Err(Error::Dead(_)))
    ));
    assert!(stream.is_terminated());
    assert!(matches!(poll(&mut stream), Poll::Ready(None)));
}

/// 9: an owed flush was tried after the close, and its failure cut off the peer's last words.
#[test]
fn nothing_is_flushed_after_a_close_and_the_farewell_is_read() {
    let sim = Sim::new();
    let (mut stream, wire) = wired(&sim, KeepaliveConfig::new());
    wire.borrow_mut().never_flushes = true;
    wire.borrow_mut().arrive(Duration::ZERO, Ping(0));
    assert!(poll(&mut stream).is_pending());
    assert_eq!(wire.borrow().sent, [Pong(0)]);
    assert!(matches!(stream.close().now_or_never(), Some(Ok(()))));
    wire.borrow_mut().arrive(Duration::ZERO, Data(42));
    assert!(matches!(poll(&mut stream), Poll::Ready(Some(Ok(Data(42))))));
}

/// 12: a message without `poll_ready` overtook one whose place a heartbeat had taken.
#[test]
fn messages_without_poll_ready_keep_their_order() {
    let sim = Sim::new();
    let (mut stream, wire) = wired(&sim, KeepaliveConfig::new());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(stream.poll_ready_unpin(&mut cx).is_ready());
    // A pong takes the place.
    wire.borrow_mut().arrive(Duration::ZERO, Ping(0));
    assert!(poll(&mut stream).is_pending());
    for nth in 1..=3 {
        stream.start_send_unpin(Data(nth)).unwrap();
    }
    assert!(stream.poll_flush_unpin(&mut cx).is_ready());
    assert_eq!(wire.borrow().sent, [Pong(0), Data(1), Data(2), Data(3)]);
}

/// 12: a close after the verdict did not touch the transport.
#[test]
fn a_close_after_a_verdict_tries_the_transport_once() {
    let mut world = World::new();
    let (mut stream, wire) = wired(&world.sim.clone(), KeepaliveConfig::new());
    wire.borrow_mut().cut = Some(Duration::ZERO);
    let verdict = world.run(stream.next()).unwrap().unwrap_err();
    assert!(Dead::find(&verdict).is_some());
    assert!(matches!(stream.close().now_or_never(), Some(Ok(()))));
    assert_eq!(wire.borrow().closes, 1);
}

struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// 12: every heartbeat of an hour woke a writer that was waiting for something else.
#[test]
fn a_writer_that_waits_for_nothing_is_not_woken_by_heartbeats() {
    let sim = Sim::new();
    let (mut stream, wire) = wired(&sim, KeepaliveConfig::new());
    wire.borrow_mut().refuses = vec![(Duration::ZERO, SECOND)];
    let count = Arc::new(Count(AtomicU32::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    // It has to wait once, and is done then.
    assert!(stream.poll_ready_unpin(&mut cx).is_pending());
    sim.advance(SECOND);
    assert!(count.0.load(Ordering::SeqCst) > 0);
    assert!(stream.poll_ready_unpin(&mut cx).is_ready());
    stream.start_send_unpin(Data(1)).unwrap();
    assert!(stream.poll_flush_unpin(&mut cx).is_ready());
    let before = count.0.load(Ordering::SeqCst);
    for _ in 0..3600 {
        sim.advance(SECOND);
        assert!(poll(&mut stream).is_pending());
    }
    assert!(wire.borrow().asked.len() > 170);
    assert_eq!(count.0.load(Ordering::SeqCst), before);
}

/// 12 and demand 55, 71, 79: with one constant for all, all connections beat in step.
#[test]
fn connections_of_one_constant_do_not_beat_in_step() {
    const CONFIG: KeepaliveConfig =
        KeepaliveConfig::new().jitter(Jitter::percent(50).spread_first(true));
    let mut world = World::new();
    let sim = world.sim.clone();
    let mut wires = Vec::new();
    for _ in 0..5 {
        let (mut stream, wire) = wired(&sim, CONFIG);
        wires.push(wire);
        world.spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
    }
    world.run_for(60 * SECOND);
    let mut first: Vec<_> = wires.iter().map(|wire| wire.borrow().asked[0]).collect();
    first.sort();
    first.dedup();
    assert_eq!(first.len(), 5, "{first:?}");
}
