//! `Handle` on a `KeepaliveStream` that somebody else holds.

use std::time::Duration;

use futures::AsyncReadExt;
use futures::io::AsyncWriteExt;
use liveness::io::KeepaliveStream;
use liveness::test_util::{ByteEnd, Link, LinkConfig, Sim, World, bytes};
use liveness::{Cause, ConfigError, Dead, Gone, Handle, KeepaliveConfig};

use crate::lines::Lines;

const S: Duration = Duration::from_secs(1);

fn kept(
    world: &World,
    config: KeepaliveConfig,
) -> (KeepaliveStream<ByteEnd, Lines, Sim>, ByteEnd, Link<u8>) {
    let (near, far, link) = bytes(&world.sim, LinkConfig::new());
    let stream = KeepaliveStream::new(near, Lines::default(), config, world.sim.clone()).unwrap();
    (stream, far, link)
}

/// Answers each ping after `delay`, for ever.
async fn answer(mut peer: ByteEnd, sim: Sim, delay: Duration) {
    let mut ping = [0; 3];
    while peer.read_exact(&mut ping).await.is_ok() {
        sim.sleep(delay).await;
        if peer.write_all(&[b'!', ping[1], b'\n']).await.is_err() {
            return;
        }
    }
}

/// A library that keeps the stream and reads from it.
async fn read(mut stream: KeepaliveStream<ByteEnd, Lines, Sim>) -> std::io::Error {
    let mut buf = [0; 8];
    loop {
        if let Err(error) = stream.read(&mut buf).await {
            return error;
        }
    }
}

#[test]
fn it_asks_and_measures_while_a_library_holds_the_stream() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (mut stream, peer, link) = kept(&world, KeepaliveConfig::new());
    let mut handle = stream.handle();
    world.spawn(answer(peer, sim.clone(), S / 10));
    let reading = world.task(read(stream));
    let dead = world.run(async {
        sim.sleep(3 * S).await;
        handle.probe_now();
        handle.changed().await.unwrap();
        assert_eq!(handle.rtt().latest(), Some(S / 10));
        assert_eq!(handle.last_heard(), sim.time());
        link.cut();
        handle.changed().await.unwrap();
        handle.dead().unwrap()
    });
    assert_eq!(dead.cause, Cause::NoReply);
    world.run(async {
        assert_eq!(Dead::find(&reading.await), Some(dead));
        assert_eq!(handle.changed().await, Err(Gone));
        assert_eq!(handle.dead(), Some(dead), "it outlives the stream");
    });
}

#[test]
fn it_changes_the_configuration_of_a_stream_that_waits() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (mut stream, _peer, _link) = kept(&world, KeepaliveConfig::new());
    let mut handle = stream.handle();
    world.spawn(async move { drop(read(stream).await) });
    let quick = KeepaliveConfig::within(4 * S);
    world.run(async {
        sim.sleep(S).await;
        let none = quick.max_unanswered(0);
        assert_eq!(
            handle.set_config(none),
            Err(ConfigError::NothingMayGoUnanswered)
        );
        handle.set_config(quick).unwrap();
        handle.changed().await.unwrap();
        assert_eq!(handle.config(), quick);
        while handle.dead().is_none() {
            handle.changed().await.unwrap();
        }
        assert!(sim.elapsed() <= 5 * S, "{:?}", sim.elapsed());
    });
}

#[test]
fn clones_wait_each_for_itself_and_the_socket_may_go() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}

    let mut world = World::new();
    let sim = world.sim.clone();
    let (mut stream, peer, _link) = kept(&world, KeepaliveConfig::new());
    let handle = stream.handle();
    shared(&handle);
    world.spawn(answer(peer, sim.clone(), S / 10));
    let count = |mut handle: Handle| async move {
        let mut changes = 0;
        while handle.changed().await.is_ok() {
            changes += 1;
        }
        changes
    };
    let counts = [world.task(count(handle.clone())), world.task(count(handle))];
    world.run(async {
        let reading = read(stream);
        // Three pings at 20.1 s intervals; then the stream is dropped in the middle of a read.
        assert!(sim.timeout(65 * S, reading).await.is_none());
        for count in counts {
            assert_eq!(count.await, 3);
        }
    });
}
