//! Bytes below the message layer are life, and progress.
#![cfg(feature = "tokio")]

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use futures::future::join;
use futures::{FutureExt, SinkExt, StreamExt};
use liveness::io::{Tracked, track};
use liveness::{Answers, Cause, Error, IdleConfig};
use tokio_util::codec::{Decoder, Encoder, Framed, LengthDelimitedCodec};

use super::*;
use liveness::test_util::{ByteEnd, bytes};

/// Frames of bytes of which the first tells the kind.
pub(super) struct Frames;

impl Protocol for Frames {
    type Message = Bytes;

    fn ping(&mut self, seq: Seq) -> Bytes {
        let mut frame = BytesMut::from(&b"?"[..]);
        frame.put_u64(seq.value());
        frame.freeze()
    }

    fn classify(&mut self, frame: Bytes) -> Inbound<Bytes> {
        match frame.first() {
            Some(b'?') => {
                let mut reply = BytesMut::from(&b"!"[..]);
                reply.extend_from_slice(&frame[1..]);
                Inbound::Ping {
                    reply: Some(reply.freeze()),
                }
            }
            Some(b'!') => Inbound::Pong(Answers::Oldest),
            _ => Inbound::Data(frame),
        }
    }
}

/// Gives out what it takes in.
pub(super) struct Codec(pub(super) LengthDelimitedCodec);

impl Decoder for Codec {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, buf: &mut BytesMut) -> io::Result<Option<Bytes>> {
        self.0.decode(buf).map(|frame| frame.map(BytesMut::freeze))
    }
}

impl Encoder<Bytes> for Codec {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, buf: &mut BytesMut) -> io::Result<()> {
        self.0.encode(frame, buf)
    }
}

type Failure = Error<io::Error>;
type Socket = Framed<Tracked<ByteEnd, Sim>, Codec>;

fn codec() -> Codec {
    let codec = LengthDelimitedCodec::builder()
        .max_frame_length(8 << 20)
        .new_codec();
    Codec(codec)
}

fn framed(socket: Tracked<ByteEnd, Sim>) -> Socket {
    Framed::new(socket, codec())
}

type Kept = PingPong<Socket, Frames, Sim>;

/// 8 KiB each half second: five megabytes take five minutes.
fn slow() -> LinkConfig {
    LinkConfig::new().room(8 * 1024).delay(SECOND / 2)
}

fn config() -> KeepaliveConfig {
    KeepaliveConfig::new()
        .max_unanswered(1)
        .interval(5 * SECOND)
        .reply_timeout(5 * SECOND)
        .write_stall(5 * SECOND)
}

/// How an end is kept alive.
type Side = fn(ByteEnd, &Sim) -> Kept;

fn without_activity(end: ByteEnd, sim: &Sim) -> Kept {
    let (socket, _) = track(end, IdleConfig::new(), sim.clone());
    PingPong::new(framed(socket), Frames, config(), sim.clone()).unwrap()
}

fn with_activity(end: ByteEnd, sim: &Sim) -> Kept {
    let (socket, _) = track(end, IdleConfig::new(), sim.clone());
    let activity = socket.activity();
    let kept = PingPong::new(framed(socket), Frames, config(), sim.clone()).unwrap();
    kept.with_activity(activity)
}

fn by_itself(end: ByteEnd, sim: &Sim) -> Kept {
    PingPong::framed(end, codec(), Frames, config(), sim.clone()).unwrap()
}

/// Sends a message of five megabytes one way, and gives what came of it at both ends.
fn transfer(
    sender: Side,
    receiver: Side,
) -> (
    Result<(), Failure>,
    Option<Result<usize, Failure>>,
    Duration,
) {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (near, far, _link) = bytes(&sim, slow());
    let (sender, receiver) = (sender(near, &sim), receiver(far, &sim));
    let (mut sink, mut replies) = sender.split::<Bytes>();
    let answering = world.task(async move { while let Some(Ok(_)) = replies.next().await {} });
    let receiving = world.task(async move {
        let mut receiver = receiver;
        let item = receiver.next().await;
        item.map(|item| item.map(|frame| frame.len()))
    });
    let message = Bytes::from(vec![b'.'; 5 << 20]);
    let sent = world.task(async move { sink.send(message).await });
    let (sent, received) = world.run(join(sent, receiving));
    drop(answering);
    (sent, received, sim.elapsed())
}

#[test]
fn five_megabytes_that_take_minutes_are_no_death_at_either_end() {
    for side in [by_itself, with_activity] {
        let (sent, received, took) = transfer(side, side);
        sent.unwrap();
        assert_eq!(received.unwrap().unwrap(), 5 << 20);
        assert!(took > 300 * SECOND, "{took:?}");
    }
}

#[test]
fn bytes_that_are_counted_ask_for_no_timer_and_for_hardly_a_clock() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (near, far, _link) = bytes(&sim, LinkConfig::new());
    let mut peer = framed(Tracked::new(far, sim.clone()));
    let mut stream = by_itself(near, &sim);
    let echo = world.task(async move {
        while let Some(Ok(message)) = peer.next().await {
            peer.send(message).await.unwrap();
        }
    });
    let before = sim.counts();
    world.run(async {
        for _ in 0..10_000 {
            let message = Bytes::from_static(b".......");
            stream.send(message.clone()).await.unwrap();
            assert_eq!(stream.next().await.unwrap().unwrap(), message);
        }
    });
    let counts = sim.counts().since(before);
    assert!(counts.clock_reads <= 16 + 4, "{counts:?}");
    assert!(counts.timer_operations() <= 4, "{counts:?}");
    drop(echo);
}

#[test]
fn without_the_bytes_the_sender_sees_a_stall() {
    let (sent, received, took) = transfer(without_activity, with_activity);
    assert!(matches!(sent, Err(Error::Dead(dead)) if dead.cause == Cause::WriteStalled));
    assert!(!matches!(received, Some(Ok(_))));
    assert!(took < 30 * SECOND, "{took:?}");
}

#[test]
fn without_the_bytes_the_receiver_hears_nothing() {
    let (_, received, took) = transfer(with_activity, without_activity);
    // Its pings are answered only after the message.
    assert!(matches!(received, Some(Err(Error::Dead(dead))) if dead.cause == Cause::NoReply));
    assert!(took < 30 * SECOND, "{took:?}");
}

#[test]
fn a_message_that_stops_in_the_middle_is_death_in_time() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (near, far, link) = bytes(&sim, slow());
    let mut kept = by_itself(near, &sim);
    let mut far = framed(Tracked::new(far, sim.clone()));
    let sending = world.task(async move {
        let _ = far.send(Bytes::from(vec![b'.'; 5 << 20])).await;
        far
    });
    let cutting = sim.clone();
    world.spawn(async move {
        cutting.sleep(100 * SECOND).await;
        link.cut();
    });
    let verdict = world.run(kept.next()).unwrap().unwrap_err();
    assert!(matches!(verdict, Error::Dead(dead) if dead.cause == Cause::NoReply));
    let bound = kept.detection_bound().map(|bound| bound.quiet).unwrap();
    assert!(sim.elapsed() >= 109 * SECOND && sim.elapsed() <= 100 * SECOND + bound);
    assert!(sending.now_or_never().is_none());
}
