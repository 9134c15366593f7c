//! A stream that a task of its own drives: the bound holds whatever the user's loop does.

use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt};
use liveness::drive::SendError;
use liveness::test_util::{LinkConfig, World, messages};
use liveness::{Cause, Error, KeepaliveConfig, PingPong, PingWhen};

use super::Message::Data;
use super::{Beats, SECOND, kept, kept_over};

const BOUND: Duration = Duration::from_secs(2);
const CONFIG: KeepaliveConfig = KeepaliveConfig::within(BOUND);

/// A server that broadcasts: what one client says is sent to all, in one loop.
#[test]
fn a_blocked_send_to_a_stopped_client_does_not_hide_its_death() {
    let mut world = World::new();
    let sim = world.sim.clone();
    // The stopped client's socket fills; nothing is ever read from it.
    let (dan, _stopped, link) = kept_over(&world, CONFIG, LinkConfig::new().room(4).staging(4));
    let (eve, mut flooder, _) = kept(&world, CONFIG);
    let (to_dan, mut from_dan, driving_dan) = dan.drive(4);
    let (_to_eve, mut from_eve, driving_eve) = eve.drive(4);
    world.spawn(driving_dan);
    world.spawn(driving_eve);
    let flooding = sim.clone();
    world.spawn(async move {
        for n in 0.. {
            flooding.sleep(SECOND / 500).await;
            if flooder.send(Data(n)).await.is_err() {
                return;
            }
        }
    });
    let dead_at = world.run(async {
        sim.sleep(SECOND).await;
        let stopped_at = sim.elapsed();
        link.cut();
        loop {
            futures::select_biased! {
                from = from_dan.next() => match from.unwrap() {
                    Err(Error::Dead(dead)) => {
                        let at = sim.elapsed();
                        let refused = to_dan.send(Data(0)).await;
                        assert_eq!(refused, Err(SendError::Dead(dead)));
                        return at - stopped_at;
                    }
                    other => panic!("{other:?}"),
                },
                said = from_eve.next() => {
                    // This blocks for as long as the client takes nothing.
                    let _ = to_dan.send(said.unwrap().unwrap()).await;
                },
            }
        }
    });
    assert!(dead_at <= BOUND, "{dead_at:?}");
}

#[test]
fn a_handler_that_takes_twice_the_bound_costs_no_healthy_peer() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (server, client, _link) = messages(&sim, LinkConfig::new());
    let server = PingPong::new(server, Beats, CONFIG, sim.clone()).unwrap();
    let mut client = PingPong::new(client, Beats, CONFIG, sim.clone()).unwrap();
    let (sender, mut receiver, driving) = server.drive(4);
    world.spawn(driving);
    // The client answers pings, and waits for what it asked for.
    let asking = sim.clone();
    let client = world.task(async move {
        for n in 0..10 {
            client.send(Data(n)).await.unwrap();
            let answer = client.next().await.unwrap();
            assert!(matches!(answer, Ok(Data(m)) if m == n), "{answer:?}");
        }
        asking.elapsed()
    });
    let served = world.task(async move {
        while let Some(Ok(Data(n))) = receiver.next().await {
            sim.sleep(2 * BOUND).await;
            if sender.send(Data(n)).await.is_err() {
                break;
            }
        }
    });
    assert_eq!(world.run(client), 20 * BOUND);
    drop(served);
}

#[test]
fn a_full_receiver_pauses_the_judging_and_not_the_promised_pings() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = KeepaliveConfig::new()
        .interval(SECOND)
        .reply_timeout(SECOND)
        .ping_when(PingWhen::EitherIdle)
        .pause_limit(60 * SECOND);
    let (stream, mut peer, _link) = kept(&world, config);
    let (sender, mut receiver, driving) = stream.drive(1);
    let handle = sender.handle();
    world.spawn(driving);
    world.run(async {
        for n in 0..10 {
            peer.send(Data(n)).await.unwrap();
        }
        sim.sleep(30 * SECOND).await;
        assert!(handle.is_paused());
        assert_eq!(handle.dead(), None);
        let mut pings = 0;
        while let Some(Some(Ok(message))) = peer.next().now_or_never() {
            assert!(!matches!(message, Data(_)));
            pings += 1;
        }
        assert!((29..=31).contains(&pings), "{pings}");
        // The pause has an end of its own; nothing that came before it is lost.
        sim.sleep(40 * SECOND).await;
        let dead = handle.dead().unwrap();
        assert_eq!((dead.cause, dead.limit), (Cause::Unread, 60 * SECOND));
        let mut got = Vec::new();
        loop {
            match receiver.next().await.unwrap() {
                Ok(Data(n)) => got.push(n),
                Err(Error::Dead(last)) => break assert_eq!(last, dead),
                other => panic!("{other:?}"),
            }
        }
        assert!(!got.is_empty());
        assert!(got.iter().copied().eq(0..got.len() as u64), "{got:?}");
        assert_eq!(sender.send(Data(0)).await, Err(SendError::Dead(dead)));
    });
}

#[test]
fn a_receiver_that_reads_again_goes_on_as_if_nothing_was() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (stream, peer, _link) = kept(&world, CONFIG);
    // It answers, and does not judge: during the pause nobody answers it.
    let passive = KeepaliveConfig::off();
    let mut peer = PingPong::new(peer, Beats, passive, sim.clone()).unwrap();
    let (sender, mut receiver, driving) = stream.drive(1);
    let handle = sender.handle();
    world.spawn(driving);
    for n in 0..5 {
        assert!(peer.send(Data(n)).now_or_never().is_some());
    }
    let (mut sink, mut stream) = peer.split::<super::Message>();
    world.spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
    world.run(async {
        sim.sleep(10 * BOUND).await;
        assert!(handle.is_paused());
        for n in 0..5 {
            assert!(matches!(receiver.next().await, Some(Ok(Data(m))) if m == n));
        }
        sim.sleep(10 * BOUND).await;
        assert!(!handle.is_paused());
        assert_eq!(handle.dead(), None);
        sink.send(Data(5)).await.unwrap();
        assert!(matches!(receiver.next().await, Some(Ok(Data(5)))));
    });
}

#[test]
fn it_ends_when_both_ends_are_gone_and_flushes_before() {
    let mut world = World::new();
    let (stream, mut peer, _link) = kept(&world, CONFIG);
    let (sender, receiver, driving) = stream.drive(4);
    let driving = world.task(driving);
    world.run(async {
        sender.send(Data(1)).await.unwrap();
        sender.send(Data(2)).await.unwrap();
        drop((sender, receiver));
        driving.await;
        let got: Vec<_> = peer.by_ref().map(Result::unwrap).collect().await;
        assert!(matches!(got[..], [Data(1), Data(2)]), "{got:?}");
    });
}

#[test]
fn the_verdict_is_told_to_both_ends_once() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (stream, _peer, _link) = kept(&world, CONFIG);
    let (sender, mut receiver, driving) = stream.drive(4);
    let driving = world.task(driving);
    world.run(async {
        let Some(Err(Error::Dead(dead))) = receiver.next().await else {
            panic!("a verdict was due")
        };
        assert!(sim.elapsed() <= BOUND);
        assert!(receiver.next().await.is_none());
        driving.await;
        assert_eq!(sender.send(Data(1)).await, Err(SendError::Dead(dead)));
    });
}
