//! Heartbeats over framed connections: acks matched by number, answers that hold nothing back, and
//! whatever a wrong or a hanging peer may do. In-memory streams on simulated time.
#![cfg(all(feature = "tokio", feature = "tcp"))]

use std::time::Duration;

use bytes::Bytes;
use futures::future::join;
use futures::{SinkExt, StreamExt};
use liveness::detector::FixedTimeout;
use liveness::heartbeat::framed::{FramedError, FramedReceiver, FramedSender};
use liveness::heartbeat::{Origin, Schedule, WatchEvent, beat, watch};
use liveness::tcp::{Frame, FrameError, TcpCodec};
use liveness::test_util::{World, simulate};
use liveness::{DecodeError, Heartbeat, HeartbeatReceiver, HeartbeatSender, Seq};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio_util::codec::Framed;

use crate::me;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

type Connection = Framed<DuplexStream, TcpCodec<Heartbeat<u64>>>;

fn connection(bytes: usize) -> (Connection, Connection) {
    let (left, right) = tokio::io::duplex(bytes);
    let framed = |half| Framed::new(half, TcpCodec::new());
    (framed(left), framed(right))
}

fn numbered(seq: u64) -> Heartbeat<u64> {
    Heartbeat {
        origin: Origin::new("n1").unwrap(),
        incarnation: 1,
        seq: Seq::new(seq),
        interval: Some(SECOND),
        payload: seq * 10,
    }
}

#[test]
fn the_ack_is_the_answer_with_its_round_trip() {
    simulate(async |sim| {
        let (near, far) = connection(1024);
        let mut sender = FramedSender::new(near, sim.clone());
        let mut receiver = FramedReceiver::new(far);
        let receiving = async {
            sim.sleep(40 * MS).await;
            receiver.recv().await.unwrap()
        };
        let (ack, beat) = join(sender.send(numbered(7)), receiving).await;
        let ack = ack.unwrap();
        assert_eq!(beat, numbered(7));
        assert_eq!(ack.answer, numbered(7));
        assert_eq!(ack.rtt, 40 * MS);
    });
}

/// A pong that comes after its beat was given up must not be taken for that of a later beat.
#[test]
fn stale_pongs_are_skipped() {
    simulate(async |sim| {
        let (near, mut far) = connection(1024);
        let mut sender = FramedSender::new(near, sim.clone());
        // Twice the same beat number: only the connection's own numbers tell the two apart.
        let late = sim.timeout(SECOND, sender.send(numbered(0))).await;
        assert!(late.is_none());
        let answering = async {
            let mut pings = Vec::new();
            for _ in 0..2 {
                let Some(Ok(Frame::Ping { seq, .. })) = far.next().await else {
                    panic!("no ping")
                };
                pings.push(seq);
            }
            assert_ne!(pings[0], pings[1]);
            for seq in pings {
                let payload = numbered(100 + seq.value());
                far.send(Frame::Pong { seq, payload }).await.unwrap();
                sim.sleep(5 * MS).await;
            }
        };
        let (ack, ()) = join(sender.send(numbered(0)), answering).await;
        let ack = ack.unwrap();
        assert_eq!(ack.answer, numbered(101));
        assert!(ack.rtt >= 5 * MS);
    });
}

#[test]
fn a_flood_of_wrong_pongs_is_no_ack_and_the_timeout_still_works() {
    simulate(async |sim| {
        // Every pong is there at once, so the sender is never held up by the stream.
        struct Pongs;
        impl futures::Stream for Pongs {
            type Item = Result<Frame<Heartbeat<u64>>, FrameError>;
            fn poll_next(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Self::Item>> {
                let (seq, payload) = (Seq::new(u64::MAX), numbered(0));
                std::task::Poll::Ready(Some(Ok(Frame::Pong { seq, payload })))
            }
        }
        let (sink, mut taken) = futures::channel::mpsc::unbounded::<Frame<Heartbeat<u64>>>();
        let sink = sink.sink_map_err(|_| FrameError::Io(std::io::ErrorKind::BrokenPipe.into()));
        let connection = Both {
            stream: Pongs,
            sink,
        };
        let schedule = Schedule::new(SECOND).max_failures(1);
        let mut beating = beat(
            FramedSender::new(connection, sim.clone()),
            schedule,
            sim.clone(),
            &me(),
            || 1,
        )
        .unwrap();
        let mut polls = 0;
        let end = std::future::poll_fn(|cx| {
            polls += 1;
            futures::FutureExt::poll_unpin(&mut beating, cx)
        });
        // The clock does not move by itself while a task is busy.
        let (end, ()) = futures::join!(end, async { sim.advance(SECOND) });
        assert_eq!(
            end.unwrap_err().to_string(),
            "1 beat failed, the last one #0: not through within 1s"
        );
        assert!(polls > 1, "other tasks had their turn");
        assert!(matches!(taken.next().await, Some(Frame::Ping { .. })));
    });
}

/// A stream and a sink in one, as a `Framed` is.
#[pin_project::pin_project]
struct Both<S, K> {
    #[pin]
    stream: S,
    #[pin]
    sink: K,
}

impl<S: futures::Stream, K> futures::Stream for Both<S, K> {
    type Item = S::Item;
    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        self.project().stream.poll_next(cx)
    }
}

impl<T, S, K: futures::Sink<T>> futures::Sink<T> for Both<S, K> {
    type Error = K::Error;
    fn poll_ready(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), K::Error>> {
        self.project().sink.poll_ready(cx)
    }
    fn start_send(self: std::pin::Pin<&mut Self>, item: T) -> Result<(), K::Error> {
        self.project().sink.start_send(item)
    }
    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), K::Error>> {
        self.project().sink.poll_flush(cx)
    }
    fn poll_close(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), K::Error>> {
        self.project().sink.poll_close(cx)
    }
}

#[test]
fn the_answer_sets_the_pace() {
    simulate(async |sim| {
        let (near, far) = connection(1024);
        let receiver = FramedReceiver::answering(far, |beat: &Heartbeat<u64>| Heartbeat {
            origin: Origin::new("server").unwrap(),
            interval: Some(5 * SECOND),
            ..beat.clone()
        });
        let beating = beat(
            FramedSender::new(near, sim.clone()),
            Schedule::new(SECOND),
            sim.clone(),
            &me(),
            || 1,
        )
        .unwrap()
        .on_ack(|ack| {
            assert_eq!(ack.answer.origin.as_str(), "server");
            ack.answer.interval
        });
        let rule = FixedTimeout::new(60 * SECOND);
        let mut events = watch(receiver, rule, sim.clone());
        let mut beats = Vec::new();
        let watching = async {
            while beats.len() < 4 {
                if let WatchEvent::Beat(beat) = events.next().await.unwrap() {
                    beats.push((sim.elapsed().as_secs(), beat.interval.unwrap().as_secs()));
                }
            }
        };
        tokio::select! {
            ended = beating => panic!("{ended:?}"),
            () = watching => {}
        }
        assert_eq!(beats, [(0, 1), (1, 5), (6, 5), (11, 5)]);
    });
}

/// A stream that panics when it is polled after its end, as a generator does.
#[test]
fn a_stream_is_not_polled_after_its_end() {
    simulate(async |sim| {
        let ends = || {
            let stream = futures::stream::unfold(Some(()), |once| async move {
                once.expect("polled after the end");
                None::<(Result<Frame<Heartbeat<u64>>, FrameError>, Option<()>)>
            });
            let sink = futures::sink::drain().sink_map_err(|never| match never {});
            Both {
                stream: Box::pin(stream),
                sink,
            }
        };
        let mut sender = FramedSender::new(ends(), sim.clone());
        let mut receiver = FramedReceiver::new(ends());
        for _ in 0..3 {
            let sent = sender.send(numbered(0)).await;
            assert!(matches!(sent, Err(FramedError::Closed)), "{sent:?}");
            let received = receiver.recv().await;
            assert!(matches!(received, Err(FramedError::Closed)), "{received:?}");
        }
    });
}

/// The peer reads no answers: it is heard all the same, and answers do not pile up.
#[test]
fn a_peer_that_never_reads_is_still_heard() {
    simulate(async |sim| {
        let (near, far) = connection(64);
        let mut receiver = FramedReceiver::new(far);
        let (read, write) = tokio::io::split(near.into_inner());
        let mut pings = tokio_util::codec::FramedWrite::new(write, TcpCodec::new());
        let writing = async {
            for n in 0..200 {
                let (seq, payload) = (Seq::new(n), numbered(n));
                pings.send(Frame::Ping { seq, payload }).await.unwrap();
            }
        };
        let hearing = async {
            for n in 0..200 {
                assert_eq!(receiver.recv().await.unwrap().seq, Seq::new(n));
            }
        };
        join(writing, hearing).await;
        // Now it reads: a few answers that were on their way, and the newest one.
        let mut answers =
            tokio_util::codec::FramedRead::new(read, TcpCodec::<Heartbeat<u64>>::new());
        let mut seqs = Vec::new();
        let reading = async {
            while let Some(Ok(Frame::Pong { seq, .. })) = answers.next().await {
                seqs.push(seq.value());
            }
        };
        tokio::select! {
            () = reading => {}
            beat = receiver.recv() => panic!("{beat:?}"),
            () = sim.sleep(SECOND) => {}
        }
        assert!(seqs.len() <= 3, "{seqs:?}");
        assert_eq!(seqs.last(), Some(&199));
    });
}

/// The link takes nothing for ten beats: what arrives in the end is one old beat and the new ones.
#[test]
fn a_link_that_hangs_delivers_no_queue_of_old_beats() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (near, far) = connection(16);
    let schedule = Schedule::new(SECOND).max_failures(0);
    let beating = beat(
        FramedSender::new(near, sim.clone()),
        schedule,
        sim.clone(),
        &me(),
        || 0,
    )
    .unwrap();
    let _task = world.task(beating);
    world.run_for(10_500 * MS);
    let mut receiver = FramedReceiver::new(far);
    let mut seqs = Vec::new();
    for _ in 0..4 {
        seqs.push(world.run(receiver.recv()).unwrap().seq.value());
    }
    assert_eq!(seqs, [0, 10, 11, 12]);
}

/// Bytes that trickle in, and a `recv` that is dropped at every point between them.
#[test]
fn recv_is_cancel_safe() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (near, far) = connection(4096);
    let mut receiver = FramedReceiver::new(far);
    let mut wire = bytes::BytesMut::new();
    for n in 0..20 {
        let (seq, payload) = (Seq::new(n), numbered(n));
        let ping = Frame::Ping { seq, payload };
        TcpCodec::new().encode(&ping, &mut wire).unwrap();
    }
    let (mut read, mut write) = tokio::io::split(near.into_inner());
    let slow = sim.clone();
    world.spawn(async move {
        for piece in wire.chunks(7) {
            write.write_all(piece).await.unwrap();
            slow.sleep(3 * MS).await;
        }
        std::future::pending::<()>().await;
        drop(write);
    });
    let mut beats = 0;
    while beats < 20 {
        if let Some(beat) = world.run(sim.timeout(2 * MS, receiver.recv())) {
            assert_eq!(beat.unwrap(), numbered(beats));
            beats += 1;
        }
    }
    let mut answers =
        tokio_util::codec::FramedRead::new(&mut read, TcpCodec::<Heartbeat<u64>>::new());
    for n in 0..20 {
        let Some(Ok(Frame::Pong { seq, payload })) = world.run(answers.next()) else {
            panic!("no answer")
        };
        assert_eq!((seq, payload), (Seq::new(n), numbered(n)));
    }
}

#[test]
fn the_end_of_the_connection_is_an_error_for_both() {
    simulate(async |sim| {
        let (near, far) = connection(1024);
        let mut sender = FramedSender::new(near, sim.clone());
        drop(far);
        let error = sender.send(numbered(0)).await.unwrap_err();
        assert!(
            matches!(error, FramedError::Transport(FrameError::Io(_))),
            "{error}"
        );

        let (near, far) = connection(1024);
        let mut sender = FramedSender::new(near, sim.clone());
        let mut receiver = FramedReceiver::new(far);
        let (sent, received) = futures::join!(sender.send(numbered(0)), receiver.recv());
        assert!(sent.is_ok() && received.is_ok());
        drop(sender);
        let error = receiver.recv().await.unwrap_err();
        assert!(matches!(error, FramedError::Closed), "{error}");
        assert_eq!(
            error.to_string(),
            "the peer closed the heartbeat connection"
        );
    });
}

/// A beat that came before the peer went away is received, although it cannot be answered.
#[test]
fn the_last_beats_of_a_peer_are_received() {
    simulate(async |_| {
        let (mut near, far) = connection(1024);
        let mut receiver = FramedReceiver::new(far);
        for n in 0..3 {
            let (seq, payload) = (Seq::new(n), numbered(n));
            near.send(Frame::Ping { seq, payload }).await.unwrap();
        }
        drop(near);
        for n in 0..3 {
            assert_eq!(receiver.recv().await.unwrap(), numbered(n));
        }
        assert!(receiver.recv().await.is_err());
    });
}

#[test]
fn a_peer_that_is_not_the_other_half_is_told() {
    simulate(async |sim| {
        let (near, mut far) = connection(1024);
        let data = || Frame::Data(Bytes::from_static(b"hello"));
        far.send(data()).await.unwrap();
        let mut sender = FramedSender::new(near, sim.clone());
        let error = sender.send(numbered(0)).await.unwrap_err();
        assert!(matches!(error, FramedError::Unexpected("data")), "{error}");

        let (mut near, far) = connection(1024);
        near.send(data()).await.unwrap();
        let error = FramedReceiver::new(far).recv().await.unwrap_err();
        assert!(matches!(error, FramedError::Unexpected("data")), "{error}");

        let (near, mut far) = connection(1024);
        let (seq, payload) = (Seq::new(0), numbered(0));
        far.send(Frame::Ping { seq, payload }).await.unwrap();
        let error = FramedSender::new(near, sim.clone()).send(numbered(0)).await;
        assert!(matches!(error, Err(FramedError::Unexpected("ping"))));

        let (near, far) = connection(1024);
        near.into_inner()
            .write_all(b"GET / HTTP/1.1")
            .await
            .unwrap();
        let error = FramedReceiver::new(far).recv().await.unwrap_err();
        let FramedError::Transport(FrameError::Decode(DecodeError::Value { at, .. })) = error
        else {
            panic!("{error}")
        };
        assert_eq!(at, 0);
    });
}

#[test]
fn both_halves_behind_one_type_each() {
    simulate(async |sim| {
        type Receiver = Box<dyn HeartbeatReceiver<Payload = u64, Error = FramedError<FrameError>>>;
        let (near, far) = connection(1024);
        let mut sender: Box<dyn HeartbeatSender<Payload = u64, Ack = _, Error = _>> =
            Box::new(FramedSender::new(near, sim.clone()));
        let mut receiver: Receiver = Box::new(FramedReceiver::new(far));
        let (sent, received) = futures::join!(sender.send(numbered(3)), receiver.recv());
        assert_eq!(sent.unwrap().answer, numbered(3));
        assert_eq!(received.unwrap(), numbered(3));
    });
}

/// The same halves over futures-io and the `Framed` of `asynchronous-codec`.
#[cfg(feature = "smol")]
#[test]
fn the_futures_framed_works_alike() {
    simulate(async |sim| {
        use tokio_util::compat::TokioAsyncReadCompatExt;
        let (near, far) = tokio::io::duplex(1024);
        let framed = |half: DuplexStream| {
            asynchronous_codec::Framed::new(half.compat(), TcpCodec::<Heartbeat<u64>>::new())
        };
        let mut sender = FramedSender::new(framed(near), sim.clone());
        let mut receiver = FramedReceiver::new(framed(far));
        for n in 0..3 {
            let (sent, received) = futures::join!(sender.send(numbered(n)), receiver.recv());
            assert_eq!(sent.unwrap().answer, numbered(n));
            assert_eq!(received.unwrap(), numbered(n));
        }
    });
}
