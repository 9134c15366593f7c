//! How a connection ends, and what can be changed while it lasts.

use std::io;
use std::rc::Rc;

use futures::future::join;
use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use liveness::{Cause, ConfigError, Error, Runtime};

use super::*;

#[test]
fn an_end_of_file_ends_the_stream_after_everything_was_read() {
    let mut world = World::new();
    let (mut stream, mut peer, _link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    world.run(async {
        for message in [Data(1), Ping(0), Data(2)] {
            peer.send(message).await.unwrap();
        }
        peer.close().await.unwrap();
        let items: Vec<_> = stream.by_ref().map(Result::unwrap).collect().await;
        assert_eq!(items, [Data(1), Data(2)]);
        assert_eq!(peer.next().await.unwrap().unwrap(), Pong(0));
        // The other direction is open: half-closed is not dead.
        stream.send(Data(3)).await.unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), Data(3));
    });
    assert_eq!(stream.dead(), None);
}

#[test]
fn after_our_close_the_peer_can_say_its_last_words() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (mut stream, mut peer, link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    let talking = world.task(async move {
        for n in 0..5 {
            peer.send(Ping(n)).await.unwrap();
            peer.send(Data(n)).await.unwrap();
            sim.sleep(25 * SECOND).await;
        }
        peer
    });
    world.run(async {
        stream.send(Data(0)).await.unwrap();
        stream.close().await.unwrap();
        // Its pings are not answered, since nothing can be sent, and cost nothing that it says.
        for n in 0..5 {
            assert_eq!(stream.next().await.unwrap().unwrap(), Data(n));
        }
        drop(talking.await);
        assert!(stream.next().await.is_none());
    });
    assert_eq!(
        link.sent(Side::Near),
        1,
        "no ping and no pong after the close"
    );
}

#[test]
fn after_our_close_a_peer_that_says_nothing_is_dead_in_the_same_time() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (mut stream, _peer, link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    let verdict = world.run(async {
        sim.sleep(5 * SECOND).await;
        stream.close().await.unwrap();
        // Nor does a change of mind bring the pings back.
        stream
            .set_config(KeepaliveConfig::new().max_unanswered(1))
            .unwrap();
        stream.probe_now();
        stream.next().await.unwrap().unwrap_err()
    });
    assert!(matches!(verdict, Error::Dead(dead) if dead.cause == Cause::Silent));
    assert_eq!(sim.elapsed(), 30 * SECOND);
    assert_eq!(link.sent(Side::Near), 0);
}

#[test]
fn a_question_that_was_open_at_our_close_is_not_asked_again() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = KeepaliveConfig::new().max_unanswered(3);
    let (mut stream, mut peer, link) = kept(&world, config);
    let verdict = world.run(async {
        futures::select! {
            item = stream.next() => panic!("{item:?}"),
            () = sim.sleep(22 * SECOND).fuse() => {}
        }
        assert_eq!(peer.next().await.unwrap().unwrap(), Ping(0));
        stream.close().await.unwrap();
        stream.next().await.unwrap().unwrap_err()
    });
    assert!(matches!(verdict, Error::Dead(_)), "{verdict}");
    assert!(sim.elapsed() <= 52 * SECOND, "{:?}", sim.elapsed());
    assert_eq!(link.sent(Side::Near), 1);
}

#[test]
fn a_heartbeat_that_cannot_be_sent_costs_nothing_that_has_arrived() {
    let mut world = World::new();
    let (stream, mut peer, _link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    world.run(async {
        for message in [Ping(0), Data(1), Ping(1), Data(2)] {
            peer.send(message).await.unwrap();
        }
        // It leaves, and what it said is all there is.
        drop(peer);
        let items: Vec<_> = stream.map(Result::unwrap).collect().await;
        assert_eq!(items, [Data(1), Data(2)]);
    });
}

#[test]
fn a_reset_is_told_once_and_to_both() {
    let mut world = World::new();
    let (stream, _peer, link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    let (mut sink, mut stream) = stream.split::<Message>();
    let reading = world.task(async move {
        let items: Vec<_> = stream.by_ref().collect().await;
        items
    });
    world.settle();
    link.reset();
    let items = world.run(reading);
    let [Err(Error::Transport(error))] = &items[..] else {
        panic!("{items:?}")
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(matches!(
        world.run(sink.send(Data(0))),
        Err(Error::Transport(_))
    ));
}

#[test]
fn a_probe_goes_out_at_once_and_is_judged() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (mut stream, mut peer, _link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    world.run(async {
        assert!(stream.next().now_or_never().is_none());
        sim.sleep(SECOND).await;
        stream.probe_now();
        assert!(stream.next().now_or_never().is_none());
        assert!(stream.next().now_or_never().is_none());
        assert_eq!(peer.next().await.unwrap().unwrap(), Ping(0));
        sim.sleep(SECOND / 4).await;
        peer.send(Pong(0)).await.unwrap();
        assert!(stream.next().now_or_never().is_none());
        assert_eq!(stream.rtt().latest(), Some(SECOND / 4));
        sim.sleep(SECOND).await;
        stream.probe_now();
        let verdict = stream.next().await.unwrap().unwrap_err();
        assert_eq!(
            verdict.to_string(),
            "peer dead: no reply to 1 ping within 10s; silent for 11s, last round trip 250ms"
        );
    });
    assert_eq!(sim.elapsed(), 12 * SECOND + SECOND / 4);
}

#[test]
fn the_configuration_of_a_running_stream_can_change() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (mut stream, _peer, _link) = kept(&world, KeepaliveConfig::off());
    assert_eq!(stream.detection_bound().map(|bound| bound.quiet), None);
    world.run(async {
        let waited =
            futures::future::select(stream.next(), Box::pin(sim.sleep(100 * SECOND))).await;
        assert!(matches!(waited, futures::future::Either::Right(_)));
    });
    let wrong = KeepaliveConfig::new().max_unanswered(1).silence(SECOND);
    assert!(matches!(
        stream.set_config(wrong),
        Err(ConfigError::SilenceBeforePing { .. })
    ));
    let quick = KeepaliveConfig::new()
        .max_unanswered(1)
        .interval(SECOND)
        .reply_timeout(SECOND);
    stream.set_config(quick).unwrap();
    assert_eq!(stream.config(), quick);
    assert_eq!(
        stream.detection_bound().map(|bound| bound.quiet),
        Some(2 * SECOND + SECOND / 16)
    );
    assert!(matches!(
        world.run(stream.next()),
        Some(Err(Error::Dead(_)))
    ));
    assert!(sim.elapsed() <= 102 * SECOND);
}

#[test]
fn whoever_waits_hears_of_a_shorter_interval() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (stream, mut peer, _link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    let stream = Rc::new(std::cell::RefCell::new(stream));
    let shared = Rc::clone(&stream);
    world.spawn(async move {
        std::future::poll_fn(|cx| shared.borrow_mut().poll_next_unpin(cx)).await;
    });
    world.run(async {
        sim.sleep(SECOND).await;
        let config = KeepaliveConfig::new()
            .max_unanswered(1)
            .interval(2 * SECOND);
        stream.borrow_mut().set_config(config).unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), Ping(0));
    });
    assert_eq!(sim.elapsed(), 2 * SECOND);
}

#[test]
fn the_parts_can_be_had() {
    let world = World::new();
    let (mut stream, mut peer, _link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    let _: &Beats = stream.protocol();
    let _: &mut Beats = stream.protocol_mut();
    let _: &MessageEnd<Message> = stream.get_ref();
    assert!(stream.get_mut().send(Data(1)).now_or_never().is_some());
    let mut end = stream.into_inner();
    assert!(end.send(Data(2)).now_or_never().is_some());
    for n in [1, 2] {
        assert_eq!(
            peer.next().now_or_never().unwrap().unwrap().unwrap(),
            Data(n)
        );
    }
}

/// Takes part in nothing but its own thread.
struct Here<T>(T, Rc<()>);

impl<T: Stream + Unpin> Stream for Here<T> {
    type Item = T::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl<M, T: Sink<M> + Unpin> Sink<M> for Here<T> {
    type Error = T::Error;

    fn poll_ready(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), T::Error>> {
        self.0.poll_ready_unpin(cx)
    }

    fn start_send(mut self: std::pin::Pin<&mut Self>, item: M) -> Result<(), T::Error> {
        self.0.start_send_unpin(item)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), T::Error>> {
        self.0.poll_flush_unpin(cx)
    }

    fn poll_close(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), T::Error>> {
        self.0.poll_close_unpin(cx)
    }
}

#[test]
fn it_is_send_when_its_parts_are_and_works_when_they_are_not() {
    fn is_send<T: Send>(_: &T) {}
    let mut world = World::new();
    let (stream, _peer, _link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    is_send(&stream);
    is_send(&world.sim.timer(world.sim.start()));

    let (near, mut peer, _link) = messages(&world.sim, LinkConfig::new());
    let here = Here(near, Rc::new(()));
    assert_eq!(Rc::strong_count(&here.1), 1);
    let mut stream = PingPong::new(
        here,
        Beats,
        KeepaliveConfig::new().max_unanswered(1),
        world.sim.clone(),
    )
    .unwrap();
    let (sent, heard) = world.run(async { join(stream.send(Data(1)), peer.next()).await });
    sent.unwrap();
    assert_eq!(heard.unwrap().unwrap(), Data(1));
}
