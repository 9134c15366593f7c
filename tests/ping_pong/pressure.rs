//! Peers that take nothing, take it slowly, or send pings as fast as they can.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::channel::mpsc;
use futures::future::join;
use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use liveness::flood::FloodLimit;
use liveness::{Cause, Error, PingWhen};

use super::*;

fn narrow() -> LinkConfig {
    LinkConfig::new().room(1).staging(1)
}

#[test]
fn a_ping_flood_ends_the_stream_at_its_limit() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (stream, mut peer, _link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    let mut stream = stream.flood_limit(FloodLimit::new(5, 10 * SECOND));
    world.run(async {
        for n in 0..5 {
            peer.send(Ping(n)).await.unwrap();
        }
        peer.send(Data(1)).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), Data(1));
        for n in 0..5 {
            assert_eq!(
                peer.next().await.unwrap().unwrap(),
                Pong(n),
                "each is answered"
            );
        }
        // One each two seconds from here on.
        sim.sleep(2 * SECOND).await;
        for n in 5..8 {
            peer.send(Ping(n)).await.unwrap();
        }
        let error = stream.next().await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Flooded(_)));
        assert_eq!(
            error.to_string(),
            "ping flood: 7 pings so far, the last one over the limit of 5 pings per 10s"
        );
        assert!(stream.next().await.is_none());
        assert!(matches!(stream.send(Data(0)).await, Err(Error::Flooded(_))));
    });
    assert_eq!(sim.timers_alive(), 0);
}

#[test]
fn the_limit_can_be_switched_off() {
    let mut world = World::new();
    let (stream, mut peer, link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    let mut stream = stream.flood_limit(FloodLimit::OFF);
    let flood = world.task(async move {
        for n in 0..20_000 {
            peer.send(Ping(n)).await.unwrap();
        }
        peer.send(Data(1)).await.unwrap();
        peer
    });
    assert_eq!(world.run(stream.next()).unwrap().unwrap(), Data(1));
    assert!(link.under_way(Side::Near) > 0);
    drop(flood);
}

#[test]
fn while_the_peer_takes_nothing_one_pong_and_one_ping_wait_at_most() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .interval(SECOND)
        .ping_when(PingWhen::Always)
        .write_stall(3600 * SECOND);
    let (stream, mut peer, _link) = kept_over(&world, config, narrow());
    let mut stream = stream.flood_limit(FloodLimit::OFF);
    world.spawn(async move {
        let _ = stream.next().await;
    });
    let heard = world.run(async {
        // The peer pings away for ten minutes and reads nothing.
        for n in 0..600 {
            peer.send(Ping(n)).await.unwrap();
            sim.sleep(SECOND).await;
        }
        let mut heard = Vec::new();
        while let Some(message) = peer.next().now_or_never() {
            heard.push(message.unwrap().unwrap());
            sim.sleep(SECOND / 1000).await;
        }
        heard
    });
    // One on the link, one in the sink's own buffer, and what was kept back.
    assert!(heard.len() <= 2 + 2, "{heard:?}");
    assert!(
        heard.contains(&Pong(599)),
        "the newest ping is answered: {heard:?}"
    );
    let pings = heard.iter().filter(|message| matches!(message, Ping(_)));
    assert!(pings.count() <= 2, "{heard:?}");
}

#[test]
fn an_uploader_that_never_reads_learns_of_the_stall() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .write_stall(7 * SECOND);
    let (mut stream, _peer, _link) = kept_over(&world, config, narrow());
    let error = world.run(async {
        sim.sleep(SECOND).await;
        loop {
            if let Err(error) = stream.send(Data(1)).await {
                return error;
            }
        }
    });
    let Error::Dead(dead) = error else {
        panic!("{error}")
    };
    assert_eq!((dead.cause, dead.limit), (Cause::WriteStalled, 7 * SECOND));
    assert_eq!(sim.elapsed(), 8 * SECOND);
    assert_eq!(
        error.to_string(),
        "peer dead: no byte taken for 7s; silent for 8s, no round trip measured"
    );
    // The stream tells it too, once.
    assert!(matches!(world.run(stream.next()), Some(Err(Error::Dead(again))) if again == dead));
    assert!(world.run(stream.next()).is_none());
}

#[test]
fn a_busy_uploader_is_timed_though_its_writes_are_not_dated() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .write_stall(8 * SECOND);
    let (mut stream, mut peer, _link) = kept_over(&world, config, narrow());
    let reading = {
        let sim = sim.clone();
        world.task(async move {
            // The room for one is waited for a thousand times.
            for _ in 0..1000 {
                sim.sleep(SECOND / 500).await;
                peer.next().await.unwrap().unwrap();
            }
            peer
        })
    };
    let before = sim.counts();
    let writing = async {
        loop {
            if let Err(error) = stream.send(Data(1)).await {
                return (error, sim.elapsed());
            }
        }
    };
    let ((error, at), peer) = world.run(join(writing, reading));
    assert!(matches!(error, Error::Dead(dead) if dead.cause == Cause::WriteStalled));
    // A tick is a sixteenth of the shortest period, which are the 8 s.
    assert!(
        at >= 10 * SECOND && at <= 10 * SECOND + SECOND / 2,
        "{at:?}"
    );
    let counts = sim.counts().since(before);
    assert!(counts.clock_reads < 100, "{counts:?}");
    drop(peer);
}

#[test]
fn split_halves_are_both_told_of_a_stall() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = KeepaliveConfig::off().write_stall(7 * SECOND);
    let (stream, _peer, _link) = kept_over(&world, config, narrow());
    let (mut sink, mut stream) = stream.split::<Message>();
    let reading = world.task(async move { stream.next().await.unwrap().unwrap_err() });
    let writing = world.task(async move {
        loop {
            if let Err(error) = sink.send(Data(1)).await {
                return error;
            }
        }
    });
    let (read, write) = world.run(join(reading, writing));
    assert!(matches!(read, Error::Dead(dead) if dead.cause == Cause::WriteStalled));
    assert!(matches!(write, Error::Dead(dead) if dead.cause == Cause::WriteStalled));
    assert_eq!(sim.elapsed(), 7 * SECOND);
}

#[test]
fn a_verdict_that_the_writer_finds_wakes_the_reader() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = KeepaliveConfig::off().write_stall(7 * SECOND);
    let (mut stream, _peer, link) = kept_over(&world, config, narrow());
    link.cut();
    let reader = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&reader));
    let read = |stream: &mut Kept| stream.poll_next_unpin(&mut Context::from_waker(&waker));
    let write =
        |stream: &mut Kept| stream.poll_ready_unpin(&mut Context::from_waker(Waker::noop()));
    world.run(async {
        while let Poll::Ready(ready) = write(&mut stream) {
            ready.unwrap();
            stream.start_send_unpin(Data(1)).unwrap();
        }
        assert!(read(&mut stream).is_pending());
        sim.sleep(7 * SECOND).await;
        // The timer has woken both, and the writer is the first to come.
        reader.0.store(false, Ordering::SeqCst);
        assert!(matches!(
            write(&mut stream),
            Poll::Ready(Err(Error::Dead(_)))
        ));
        assert!(reader.0.load(Ordering::SeqCst));
        assert!(matches!(
            read(&mut stream),
            Poll::Ready(Some(Err(Error::Dead(_))))
        ));
    });
}

/// Whether it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_peer_that_takes_a_little_now_and_then_is_not_stalled() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = KeepaliveConfig::off().write_stall(7 * SECOND);
    let (mut stream, mut peer, _link) = kept_over(&world, config, narrow());
    let slow = sim.clone();
    world.spawn(async move {
        loop {
            slow.sleep(6 * SECOND).await;
            if peer.next().await.is_none() {
                return;
            }
        }
    });
    world.run(async {
        for n in 0..100 {
            stream.send(Data(n)).await.unwrap();
        }
    });
    assert!(sim.elapsed() > 590 * SECOND);
}

#[test]
fn a_send_that_was_given_up_is_no_stall_once_the_peer_takes_again() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = KeepaliveConfig::off().write_stall(7 * SECOND);
    let (mut stream, mut peer, _link) = kept_over(&world, config, narrow());
    world.run(async {
        // Full at the third, which is given up.
        for n in 0..3 {
            let _ = stream.send(Data(n)).now_or_never();
        }
        sim.sleep(SECOND).await;
        while peer.next().now_or_never().is_some() {
            sim.sleep(SECOND / 10).await;
        }
        // Nobody sends any more: there is nothing to be held against the peer.
        let waited = futures::future::select(stream.next(), Box::pin(sim.sleep(60 * SECOND))).await;
        assert!(matches!(waited, futures::future::Either::Right(_)));
    });
    assert_eq!(stream.dead(), None);
}

/// A channel is full in `poll_ready`, while its flush has nothing to do.
struct Channel(mpsc::Sender<Message>, mpsc::Receiver<Message>);

mod channel {
    use std::pin::Pin;

    use super::*;

    impl Stream for Channel {
        type Item = Result<Message, mpsc::SendError>;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.1.poll_next_unpin(cx).map(|item| item.map(Ok))
        }
    }

    impl Sink<Message> for Channel {
        type Error = mpsc::SendError;

        fn poll_ready(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Result<(), Self::Error>> {
            self.0.poll_ready(cx)
        }

        fn start_send(mut self: Pin<&mut Self>, item: Message) -> Result<(), Self::Error> {
            self.0.start_send(item)
        }

        fn poll_flush(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Result<(), Self::Error>> {
            self.0.close_channel();
            Poll::Ready(Ok(()))
        }
    }
}

#[test]
fn a_channel_that_is_full_is_stalled_though_its_flush_says_nothing() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (to_peer, mut at_peer) = mpsc::channel(0);
    let (_from_peer, incoming) = mpsc::channel(0);
    let config = KeepaliveConfig::off().write_stall(7 * SECOND);
    let channel = Channel(to_peer, incoming);
    let stream = PingPong::new(channel, Beats, config, sim.clone()).unwrap();
    let (mut sink, mut stream) = stream.split::<Message>();
    let reading = world.task(async move {
        let error = stream.next().await.unwrap().unwrap_err();
        (error, stream)
    });
    world.run(async {
        // Given up, taken later, and no stall.
        for n in 0..3 {
            let _ = sink.send(Data(n)).now_or_never();
        }
        sim.sleep(SECOND).await;
        while at_peer.next().now_or_never().is_some() {}
        sim.sleep(60 * SECOND).await;
        // And one that nobody takes.
        let mut error = None;
        while error.is_none() {
            error = sink.send(Data(9)).await.err();
        }
        assert!(matches!(error, Some(Error::Dead(dead)) if dead.cause == Cause::WriteStalled));
        assert_eq!(sim.elapsed(), 68 * SECOND);
    });
    let (error, _stream) = world.run(reading);
    assert!(matches!(error, Error::Dead(_)));
}

#[test]
fn closing_a_dead_connection_ends() {
    let configs = [
        KeepaliveConfig::new().max_unanswered(1),
        KeepaliveConfig::new()
            .max_unanswered(1)
            .write_stall(Duration::ZERO),
        KeepaliveConfig::off().silence(30 * SECOND),
        KeepaliveConfig::off().write_stall(30 * SECOND),
    ];
    for config in configs {
        let mut world = World::new();
        let (mut stream, _peer, link) = kept_over(&world, config, narrow());
        link.cut();
        let closed = world.run(async {
            while stream.feed(Data(1)).now_or_never().is_some() {}
            stream.close().await
        });
        assert!(
            matches!(closed, Err(Error::Dead(_))),
            "{config:?}: {closed:?}"
        );
        assert!(
            world.sim.elapsed() <= 62 * SECOND,
            "{:?}",
            world.sim.elapsed()
        );
    }
}

#[test]
fn a_heartbeat_that_takes_the_users_place_loses_nothing() {
    for room in [0, 1] {
        let mut world = World::new();
        let (to_peer, mut at_peer) = mpsc::channel(room);
        let (mut from_peer, incoming) = mpsc::channel(8);
        let channel = Channel(to_peer, incoming);
        let stream = PingPong::new(
            channel,
            Beats,
            KeepaliveConfig::new().max_unanswered(1),
            world.sim.clone(),
        );
        let mut stream = stream.unwrap();
        let reading = world.task(async move {
            let mut heard = Vec::new();
            while let Some(message) = at_peer.next().await {
                heard.push(message);
            }
            heard
        });
        world.run(async {
            for n in 0..50 {
                std::future::poll_fn(|cx| stream.poll_ready_unpin(cx))
                    .await
                    .unwrap();
                // The user has a place. Before it is used, a ping comes in and is answered.
                from_peer.send(Ping(n)).await.unwrap();
                assert!(stream.next().now_or_never().is_none());
                stream.start_send_unpin(Data(n)).unwrap();
                if n % 3 == 0 {
                    assert!(stream.next().now_or_never().is_none());
                }
                stream.flush().await.unwrap();
            }
        });
        drop(stream);
        let heard = world.run(reading);
        let data = heard.iter().filter(|message| matches!(message, Data(_)));
        assert!(data.copied().eq((0..50).map(Data)), "{heard:?}");
        let pongs = heard.iter().filter(|message| matches!(message, Pong(_)));
        assert!(pongs.copied().eq((0..50).map(Pong)), "{heard:?}");
    }
}

#[test]
fn a_reset_and_a_broken_sink_are_errors_of_the_transport() {
    let mut world = World::new();
    let (mut stream, _peer, link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    link.reset();
    world.run(async {
        let error = stream.send(Data(1)).await.unwrap_err();
        let Error::Transport(error) = error else {
            panic!("{error}")
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "transport: connection reset");
        assert!(stream.next().await.is_none());
    });
}
