//! TCP frames under `PingPong`: payloads both ways, verdicts, and bytes that are no frames. Time is
//! simulated, and the pipe is in memory; the last test is on a real socket with smol.

#![cfg(feature = "tokio")]

use std::sync::mpsc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use liveness::tcp::{Frame, FrameError, Frames, TcpCodec};
use liveness::test_util::{Sim, simulate};
use liveness::{Cause, DecodeError, Error, KeepaliveConfig, Payload, PingPong, Seq};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_util::codec::Framed;

#[derive(Debug, Clone, PartialEq)]
struct Load {
    percent: u8,
    queued: u32,
}

impl Payload for Load {
    fn encode(&self, buf: &mut BytesMut) {
        buf.put_u8(self.percent);
        buf.put_u32(self.queued);
    }

    fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        match bytes[..] {
            [percent, a, b, c, d] if percent <= 100 => Ok(Self {
                percent,
                queued: u32::from_be_bytes([a, b, c, d]),
            }),
            [_, _, _, _, _] => Err(DecodeError::Payload("load above 100 %".into())),
            _ => Err(DecodeError::length("load", 5, bytes.len())),
        }
    }
}

type Kept<P> = PingPong<Framed<DuplexStream, TcpCodec<P>>, Frames<P>, Sim>;

/// Asks after 2 s, waits 1 s.
fn config() -> KeepaliveConfig {
    KeepaliveConfig::new()
        .max_unanswered(1)
        .interval(Duration::from_secs(2))
        .reply_timeout(Duration::from_secs(1))
}

fn kept(sim: &Sim, io: DuplexStream) -> Kept<()> {
    let framed = Framed::new(io, TcpCodec::new().limit(64));
    PingPong::new(framed, Frames::new(), config(), sim.clone()).unwrap()
}

fn kept_with_load(
    sim: &Sim,
    io: DuplexStream,
    percent: u8,
) -> (Kept<Load>, mpsc::Receiver<Frame<Load>>) {
    let (tell, told) = mpsc::channel();
    let mut queued = 0;
    let frames = Frames::with_payload(move |_| {
        queued += 1;
        Load { percent, queued }
    })
    .observe(move |frame| tell.send(frame).unwrap());
    let framed = Framed::new(io, TcpCodec::new());
    let link = PingPong::new(framed, frames, config(), sim.clone()).unwrap();
    (link, told)
}

#[test]
fn payloads_travel_both_ways_and_match_by_number() {
    simulate(async |sim| {
        let (near, far) = duplex(1024);
        let (mut asking, heard_by_asking) = kept_with_load(&sim, near, 10);
        let (mut answering, heard_by_answering) = kept_with_load(&sim, far, 90);
        // Only one side asks.
        answering.set_config(KeepaliveConfig::off()).unwrap();
        asking.send(Frame::Data("hello".into())).await.unwrap();

        let asks = async {
            let seven = sim.sleep(Duration::from_secs(7));
            tokio::select! {
                item = asking.next() => panic!("{item:?}"),
                () = seven => {}
            }
        };
        let answers = async {
            let first = answering.next().await.unwrap().unwrap();
            assert_eq!(first, Frame::Data("hello".into()));
            let rest = answering.next().await;
            panic!("{rest:?}")
        };
        tokio::select! {
            () = asks => {}
            () = answers => {}
        }

        // Pings at 2, 4 and 6 s.
        let asked: Vec<_> = heard_by_answering.try_iter().collect();
        let answered: Vec<_> = heard_by_asking.try_iter().collect();
        assert_eq!((asked.len(), answered.len()), (3, 3));
        for (number, (ping, pong)) in asked.into_iter().zip(answered).enumerate() {
            let queued = number as u32 + 1;
            let seq = Seq::new(number as u64);
            let percent = 10;
            let payload = Load { percent, queued };
            assert_eq!(ping, Frame::Ping { seq, payload });
            let percent = 90;
            let payload = Load { percent, queued };
            assert_eq!(pong, Frame::Pong { seq, payload });
        }
        assert_eq!(asking.rtt().samples(), 3);
    });
}

#[test]
fn a_silent_peer_is_dead_within_the_bound_and_the_ping_was_on_the_wire() {
    simulate(async |sim| {
        let (near, mut far) = duplex(1024);
        let mut near = kept(&sim, near);
        let earliest = config().detection_bound().map(|bound| bound.quiet).unwrap();
        let latest = near.detection_bound().map(|bound| bound.quiet).unwrap();
        let error = near.next().await.unwrap().unwrap_err();
        assert!((earliest..=latest).contains(&sim.elapsed()));
        assert!(
            matches!(error, Error::Dead(dead) if dead.cause == Cause::NoReply),
            "{error}"
        );
        assert!(near.next().await.is_none());
        drop(near);
        let mut wire = Vec::new();
        far.read_to_end(&mut wire).await.unwrap();
        assert_eq!(wire, [0xBE, 1, 2, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    });
}

/// What the stream yields when the peer writes `bytes` and closes.
async fn outcome(sim: &Sim, bytes: &[u8]) -> (Vec<Frame>, Option<FrameError>) {
    let (near, mut far) = duplex(1024);
    let mut near = kept(sim, near);
    far.write_all(bytes).await.unwrap();
    drop(far);
    let mut frames = Vec::new();
    while let Some(item) = near.next().await {
        match item {
            Ok(frame) => frames.push(frame),
            Err(Error::Transport(error)) => {
                assert!(near.next().await.is_none(), "one error, then the end");
                return (frames, Some(error));
            }
            Err(error) => panic!("{error}"),
        }
    }
    (frames, None)
}

#[test]
fn trouble_on_the_wire_is_one_error_with_its_reason() {
    simulate(async |sim| {
        let hi = [0xBE, 1, 1, 0, 0, 0, 0, 2, b'h', b'i'];
        let after_hi = |bytes: &[u8]| [&hi[..], bytes].concat();
        let cases: [(&[u8], &str); 5] = [
            (
                b"GET / HTTP/1.1\r\n\r\n",
                "tcp frame magic: value 0x47 at byte 0 is not defined",
            ),
            (
                &[0xBE, 2, 1, 0, 0, 0, 0, 0],
                "tcp frame version: value 0x02 at byte 1 is not defined",
            ),
            (
                &[0xBE, 1, 1, 0, 0, 0, 0, 65],
                "data: 65 bytes announced, the limit is 64",
            ),
            (
                &[0xBE, 1, 2, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1],
                "empty payload: 1 bytes instead of 0",
            ),
            (
                &[0xBE, 1, 3, 0, 0],
                "tcp frame: the stream ended after 5 of 8 bytes",
            ),
        ];
        for (bytes, text) in cases {
            let (frames, error) = outcome(&sim, &after_hi(bytes)).await;
            assert_eq!(frames, [Frame::Data("hi".into())]);
            assert_eq!(error.unwrap().to_string(), text);
            // The next connection knows nothing of it.
            let (frames, error) = outcome(&sim, &hi).await;
            assert_eq!(frames, [Frame::Data("hi".into())]);
            assert!(error.is_none());
        }
    });
}

#[test]
fn a_frame_too_large_to_send_leaves_the_link_alive() {
    simulate(async |sim| {
        let (near, far) = duplex(1024);
        let (mut near, mut far) = (kept(&sim, near), kept(&sim, far));
        let error = near
            .send(Frame::Data(vec![0; 65].into()))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "transport: data: 65 bytes, the limit is 64"
        );
        near.send(Frame::Data("small".into())).await.unwrap();
        assert_eq!(
            far.next().await.unwrap().unwrap(),
            Frame::Data("small".into())
        );
    });
}

#[cfg(feature = "smol")]
#[test]
fn smol_and_asynchronous_codec_on_a_real_socket() {
    use liveness::Smol;

    smol::block_on(async {
        let listener = smol::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Real milliseconds: a few pings of 20 ms on the system's own clock.
        let config = KeepaliveConfig::new()
            .max_unanswered(1)
            .interval(Duration::from_millis(20))
            .reply_timeout(Duration::from_secs(5));
        let server = async {
            let (socket, _) = listener.accept().await.unwrap();
            let (codec, frames) = (TcpCodec::new(), Frames::new());
            let mut link = PingPong::framed(socket, codec, frames, config, Smol).unwrap();
            while let Some(frame) = link.next().await {
                link.send(frame.unwrap()).await.unwrap();
            }
            link.rtt().samples()
        };
        let client = async {
            let socket = smol::net::TcpStream::connect(address).await.unwrap();
            let (codec, frames) = (TcpCodec::new(), Frames::new());
            let mut link = PingPong::framed(socket, codec, frames, config, Smol).unwrap();
            link.send(Frame::Data("hello".into())).await.unwrap();
            let echo = link.next().await.unwrap().unwrap();
            // Nothing but heartbeats for a while.
            let pause = smol::Timer::after(Duration::from_millis(200));
            futures::future::select(link.next(), pause).await;
            link.close().await.unwrap();
            (echo.into_data(), link.rtt().samples())
        };
        let (served, (echo, measured)) = futures::join!(server, client);
        assert_eq!(echo.as_deref(), Some(&b"hello"[..]));
        assert!(served + measured > 0, "somebody asked, and was answered");
    });
}
