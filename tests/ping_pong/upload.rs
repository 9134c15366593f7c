//! Pings that stand behind an upload, and who says when they have left.
#![cfg(feature = "tokio")]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::future::{Either, select};
use futures::{AsyncReadExt, SinkExt, StreamExt};
use liveness::io::Tracked;
use liveness::{Cause, Dead, Error};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::*;
use liveness::test_util::{ByteEnd, bytes};

use super::activity::{Codec, Frames};

const UPLOAD_WAIT: Duration = Duration::from_secs(60);

type Uploading = PingPong<Framed<Tracked<ByteEnd, Sim>, Codec>, Frames, Sim>;

/// Uploads for ever to a peer that takes 4 KiB each half second and says nothing. Gives the verdict
/// and when it came.
fn upload(prepare: impl FnOnce(Uploading, &World) -> Uploading) -> (Dead, Duration) {
    let mut world = World::new();
    let sim = world.sim.clone();
    let slow = LinkConfig::new().room(64 * 1024).delay(SECOND / 10);
    let (near, mut far, _link) = bytes(&sim, slow);
    let config = KeepaliveConfig::new()
        .interval(5 * SECOND)
        .reply_timeout(5 * SECOND)
        .max_unanswered(1)
        .upload_wait(UPLOAD_WAIT);
    let codec = Codec(LengthDelimitedCodec::new());
    let stream = PingPong::framed(near, codec, Frames, config, sim.clone()).unwrap();
    let (mut sink, mut stream) = prepare(stream, &world).split::<Bytes>();
    let taking = sim.clone();
    world.spawn(async move {
        let mut bytes = vec![0; 4096];
        while far.read(&mut bytes).await.is_ok_and(|read| read > 0) {
            taking.sleep(SECOND / 2).await;
        }
    });
    world.spawn(async move {
        let message = Bytes::from(vec![b'.'; 4096]);
        while sink.send(message.clone()).await.is_ok() {}
    });
    match world.run(stream.next()) {
        Some(Err(Error::Dead(dead))) => (dead, sim.elapsed()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ping_behind_an_upload_has_until_the_wait_is_over() {
    let (dead, at) = upload(|stream, _| stream);
    assert_eq!(dead.cause, Cause::NoReply);
    // Asked at 5 s; the 4 MiB that a buffer may hold would take eight minutes.
    assert!(at >= 5 * SECOND + UPLOAD_WAIT, "{at:?}");
    assert!(at <= 5 * SECOND + UPLOAD_WAIT + 6 * SECOND, "{at:?}");
}

#[test]
fn the_kernel_may_say_that_it_has_left() {
    let (dead, at) = upload(|stream, world| {
        let queue = Arc::new(AtomicU64::new(64 * 1024 * 1024));
        let (told, sim) = (Arc::clone(&queue), world.sim.clone());
        world.spawn(async move {
            sim.sleep(20 * SECOND).await;
            told.store(0, Ordering::SeqCst);
        });
        stream.with_send_queue(move || Some(queue.load(Ordering::SeqCst)))
    });
    assert_eq!(dead.cause, Cause::NoReply);
    // Looked at each sixteenth of the interval.
    assert!((25 * SECOND..=26 * SECOND).contains(&at), "{at:?}");
}

#[test]
fn a_kernel_that_cannot_tell_changes_nothing() {
    let plain = upload(|stream, _| stream);
    let unknown = upload(|stream, _| stream.with_send_queue(|| None));
    assert_eq!(plain.0.cause, unknown.0.cause);
    assert!(
        unknown.1.abs_diff(plain.1) <= SECOND,
        "{plain:?} {unknown:?}"
    );
}

#[test]
fn a_buffer_of_known_size_is_passed_sooner() {
    let (dead, at) = upload(|mut stream, _| {
        stream.set_send_buffer(80 * 1024);
        stream
    });
    assert_eq!(dead.cause, Cause::NoReply);
    // 80 KiB after the ping at 8 KiB a second, and 5 s for the answer.
    assert!((15 * SECOND..=22 * SECOND).contains(&at), "{at:?}");
}

#[test]
fn the_kernel_is_asked_once_a_ping_on_a_quiet_connection() {
    let mut world = World::new();
    let asked = Arc::new(AtomicU64::new(0));
    let config = KeepaliveConfig::new();
    let (near, far, _link) = bytes(&world.sim, LinkConfig::new().delay(SECOND / 10));
    let side = |end| {
        let codec = Codec(LengthDelimitedCodec::new());
        PingPong::framed(end, codec, Frames, config, world.sim.clone()).unwrap()
    };
    let (stream, mut peer) = (side(near), side(far));
    let count = Arc::clone(&asked);
    let mut stream = stream.with_send_queue(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Some(0)
    });
    world.spawn(async move { while let Some(Ok(_)) = peer.next().await {} });
    let sim = world.sim.clone();
    world.run(async {
        let hour = pin!(sim.sleep(3600 * SECOND));
        let over = select(stream.next(), hour).await;
        assert!(matches!(over, Either::Right(_)), "alive");
    });
    assert!(stream.rtt().samples() > 100);
    assert_eq!(asked.load(Ordering::SeqCst), stream.rtt().samples());
}

/// Sends one message that the buffer has room for, to a peer that takes nothing of it for a while.
fn burst(queue: Option<u64>) -> Duration {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (near, _far, _link) = bytes(&sim, LinkConfig::new());
    let codec = Codec(LengthDelimitedCodec::new());
    let config = KeepaliveConfig::new();
    let mut stream = PingPong::framed(near, codec, Frames, config, sim.clone())
        .unwrap()
        .with_send_queue(move || queue);
    world.run(async {
        stream.send(Bytes::from_static(b"hello")).await.unwrap();
        assert!(matches!(stream.next().await, Some(Err(Error::Dead(_)))));
    });
    sim.elapsed()
}

#[test]
fn a_deep_queue_counts_as_a_full_socket_and_a_short_one_does_not() {
    let config = KeepaliveConfig::new();
    let bound = config.detection_bound().unwrap();
    assert_eq!(burst(None), bound.quiet);
    assert_eq!(burst(Some(100_000)), bound.quiet);
    let deep = burst(Some(6_000_000));
    assert!(deep >= config.interval + config.upload_wait, "{deep:?}");
    assert!(deep <= bound.uploading.unwrap() + 2 * SECOND, "{deep:?}");
}
