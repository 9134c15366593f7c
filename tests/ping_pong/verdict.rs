//! The verdict: when, why, to whom, how often.

use futures::future::join;
use futures::stream::FusedStream;
use futures::{SinkExt, StreamExt};
use liveness::{Cause, Error, PingWhen};

use super::*;

#[test]
fn a_peer_that_stops_is_dead_at_the_bound_and_once() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (mut stream, mut peer, link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    world.run(async {
        sim.sleep(3 * SECOND).await;
        peer.send(Data(1)).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), Data(1));
        link.cut();
        let Err(Error::Dead(dead)) = stream.next().await.unwrap() else {
            panic!("a verdict was due")
        };
        assert_eq!(sim.elapsed(), 33 * SECOND);
        assert_eq!((dead.cause, dead.unanswered), (Cause::NoReply, 1));
        assert_eq!(dead.silent_for, 30 * SECOND);
        assert_eq!(
            Error::<std::io::Error>::Dead(dead).to_string(),
            "peer dead: no reply to 1 ping within 10s; silent for 30s, no round trip measured"
        );
        assert_eq!(stream.dead(), Some(dead));
        assert!(stream.is_terminated());
        assert!(stream.next().await.is_none());
        assert!(matches!(stream.send(Data(2)).await, Err(Error::Dead(again)) if again == dead));
        assert!(matches!(stream.flush().await, Err(Error::Dead(again)) if again == dead));
        // A close is tried once below.
        assert!(stream.close().await.is_ok());
    });
    assert_eq!(sim.timers_alive(), 0, "nothing is waited for any more");
}

#[test]
fn a_peer_that_answers_lives_for_ever() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = LinkConfig::new().delay(2 * SECOND);
    let (mut stream, mut peer, link) =
        kept_over(&world, KeepaliveConfig::new().max_unanswered(1), config);
    world.spawn(async move {
        while let Some(Ok(message)) = peer.next().await {
            if let Ping(n) = message {
                peer.send(Pong(n)).await.unwrap();
            }
        }
    });
    let waiting = world.task(async move {
        let next = stream.next().await;
        (next, stream)
    });
    world.run_for(2000 * SECOND);
    // A ping 20 s after each answer, which is 4 s after its ping.
    assert_eq!(link.sent(Side::Near), 2000 / 24);
    link.cut();
    let (next, stream) = world.run(waiting);
    let Some(Err(Error::Dead(dead))) = next else {
        panic!("{next:?}")
    };
    assert_eq!(stream.rtt().latest(), Some(4 * SECOND));
    assert_eq!(dead.last_rtt, Some(4 * SECOND));
    assert!(sim.elapsed() <= 2030 * SECOND);
}

#[test]
fn both_halves_on_two_tasks_are_told_and_the_stream_once() {
    let mut world = World::new();
    let narrow = LinkConfig::new().room(2).staging(1);
    // No write stall: the writer can only learn it from the reader.
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .upload_wait(3 * SECOND)
        .write_stall(Duration::ZERO);
    let (stream, _peer, _link) = kept_over(&world, config.interval(5 * SECOND), narrow);
    let (mut sink, mut stream) = stream.split::<Message>();
    let reading = world.task(async move {
        let items = stream.by_ref().collect::<Vec<_>>().await;
        items
            .into_iter()
            .map(Result::unwrap_err)
            .collect::<Vec<_>>()
    });
    let sim = world.sim.clone();
    let writing = world.task(async move {
        sim.sleep(6 * SECOND).await;
        for n in 0.. {
            if let Err(error) = sink.send(Data(n)).await {
                return error;
            }
        }
        unreachable!()
    });
    let (read, write) = world.run(join(reading, writing));
    let [Error::Dead(read)] = read[..] else {
        panic!("{read:?}")
    };
    assert!(matches!(write, Error::Dead(dead) if dead == read));
    assert_eq!(read.cause, Cause::NoReply);
    // The ping stands behind what fills the link, for as long as an upload may take.
    assert_eq!(world.sim.elapsed(), (5 + 3 + 10) * SECOND);
}

#[test]
fn pings_go_as_configured_and_data_postpones_them() {
    let mut world = World::new();
    let (mut stream, mut peer, link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    let sim = world.sim.clone();
    let talking = world.task(async move {
        for n in 0..10 {
            sim.sleep(19 * SECOND).await;
            peer.send(Data(n)).await.unwrap();
        }
        peer
    });
    let peer = world.run(async {
        for _ in 0..10 {
            stream.next().await.unwrap().unwrap();
        }
        talking.await
    });
    assert_eq!(link.sent(Side::Near), 0, "who talks is not asked");
    drop((stream, peer));

    let always = KeepaliveConfig::new()
        .max_unanswered(1)
        .ping_when(PingWhen::SendIdle);
    let (mut stream, _peer, link) = kept(&world, always.reply_timeout(Duration::ZERO));
    world.spawn(async move {
        stream.next().await;
    });
    world.run_for(201 * SECOND);
    assert_eq!(
        link.sent(Side::Near),
        10,
        "we promised to be heard every 20 s"
    );
}

#[test]
fn a_sender_that_is_busy_sends_no_pings_for_want_of_sending() {
    let mut world = World::new();
    let config = KeepaliveConfig::off()
        .interval(16 * SECOND)
        .ping_when(PingWhen::SendIdle);
    let (stream, mut peer, _link) = kept(&world, config);
    let (mut sink, mut stream) = stream.split::<Message>();
    world.spawn(async move {
        stream.next().await;
    });
    let sim = world.sim.clone();
    let writing = world.task(async move {
        // The reader is asleep all the while, with its timer at 16 s.
        for n in 0..1000 {
            sim.sleep(SECOND / 10).await;
            sink.send(Data(n)).await.unwrap();
        }
        sink
    });
    let reading = world.task(async move {
        let mut pings = 0;
        while let Some(Ok(message)) = peer.next().await {
            pings += u32::from(matches!(message, Ping(_)));
            if message == Data(999) {
                break;
            }
        }
        pings
    });
    let (pings, _sink) = world.run(join(reading, writing));
    assert_eq!(pings, 0);
}
