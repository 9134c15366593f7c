//! Heartbeats on real WebSocket libraries, in simulated time: what leaves, when, and how often.

#![cfg(feature = "tokio")]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt};
use liveness::Protocol;
use liveness::flood::FloodLimit;
use liveness::io::track;
use liveness::test_util::{Sim, World, simulate};
use liveness::websocket::{CLOSE_CODE, Fixed, Frames, Json, Text, farewell};
use liveness::{Cause, Dead, Error, IdleConfig, KeepaliveConfig, PingPong, PingWhen, Proof};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio_tungstenite::WebSocketStream;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Error as WsError, Message};

const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .max_unanswered(1)
    .interval(Duration::from_secs(20))
    .reply_timeout(Duration::from_secs(10));

/// A little more than what the peer has left to answer with, and far more than any test may take.
const LONG: Duration = Duration::from_secs(24 * 3600);

type Socket<S = DuplexStream> = WebSocketStream<S>;
type Alive<P = Frames, S = DuplexStream> = PingPong<Socket<S>, P, Sim>;

async fn socket<S: AsyncRead + AsyncWrite + Unpin>(io: S, role: Role) -> Socket<S> {
    Socket::from_raw_socket(io, role, None).await
}

/// A kept-alive side, and the bare side of its peer, with `room` bytes on the way each way.
async fn pair<P: Protocol<Message = Message>>(
    sim: &Sim,
    role: Role,
    protocol: P,
    config: KeepaliveConfig,
    room: usize,
) -> (Alive<P>, Socket) {
    let (ours, theirs) = duplex(room);
    let other = match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    let ours = PingPong::new(socket(ours, role).await, protocol, config, sim.clone()).unwrap();
    (ours, socket(theirs, other).await)
}

/// What the stream ends with, and after how long; data on the way is dropped.
async fn end<P: Protocol<Message = Message>>(
    sim: &Sim,
    stream: &mut Alive<P>,
) -> (Option<Error<WsError>>, Duration) {
    let start = sim.elapsed();
    let last = sim.timeout(LONG, async {
        loop {
            match stream.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Some(error),
                None => return None,
            }
        }
    });
    (
        last.await.expect("the stream hangs"),
        (sim.elapsed() - start),
    )
}

async fn verdict<P: Protocol<Message = Message>>(
    sim: &Sim,
    stream: &mut Alive<P>,
) -> (Dead, Duration) {
    match end(sim, stream).await {
        (Some(Error::Dead(dead)), after) => (dead, after),
        other => panic!("no verdict: {other:?}"),
    }
}

/// The next message that is there without waiting.
fn ready(socket: &mut Socket) -> Option<Message> {
    socket.next().now_or_never().flatten().map(Result::unwrap)
}

#[test]
fn two_quiet_peers_keep_each_other_alive() {
    simulate(async |sim| {
        for config in [CONFIG, KeepaliveConfig::websocket()] {
            let (client, server) = duplex(4096);
            let ends = [(client, Role::Client), (server, Role::Server)];
            let sim = &sim;
            let [mut client, mut server] =
                futures::future::join_all(ends.map(|(io, role)| async move {
                    PingPong::new(socket(io, role).await, Frames::new(), config, sim.clone())
                        .unwrap()
                }))
                .await
                .try_into()
                .map_err(|_| ())
                .unwrap();
            let hour = sim.sleep(Duration::from_secs(3600));
            tokio::select! {
                biased;
                item = client.next() => panic!("{item:?}"),
                item = server.next() => panic!("{item:?}"),
                () = hour => {}
            }
            // Whoever is asked has thereby heard from the other, so one of the two does the asking.
            let asked = client.rtt().samples() + server.rtt().samples();
            assert!((170..=360).contains(&asked), "{asked}");
        }
    });
}

#[test]
fn data_passes_in_order_among_heartbeats() {
    simulate(async |sim| {
        let config = CONFIG.interval(Duration::from_millis(3));
        let (mut ours, theirs) = pair(&sim, Role::Server, Frames::new(), config, 64).await;
        let mut theirs = PingPong::new(theirs, Frames::new(), config, sim.clone()).unwrap();
        let sender = async {
            for number in 0..500_u32 {
                theirs
                    .send(Message::text(number.to_string()))
                    .await
                    .unwrap();
                if number % 7 == 0 {
                    sim.sleep(Duration::from_millis(10)).await;
                }
                let nothing = theirs.next().now_or_never();
                assert!(nothing.is_none(), "{nothing:?}");
            }
            while theirs.next().await.is_some() {}
        };
        let receiver = async {
            for number in 0..500_u32 {
                let message = ours.next().await.unwrap().unwrap();
                assert_eq!(message, Message::text(number.to_string()));
            }
            assert!(ours.rtt().samples() > 10, "{:?}", ours.rtt());
        };
        tokio::select! { () = sender => panic!("the sender ended"), () = receiver => {} }
    });
}

#[test]
fn a_silent_peer_is_dead_on_time_and_hears_why() {
    simulate(async |sim| {
        for role in [Role::Client, Role::Server] {
            let (mut ours, mut theirs) = pair(&sim, role, Frames::new(), CONFIG, 4096).await;
            let (dead, after) = verdict(&sim, &mut ours).await;
            assert_eq!(dead.cause, Cause::NoReply);
            assert_eq!(
                after,
                CONFIG.detection_bound().map(|bound| bound.quiet).unwrap()
            );
            assert!(ours.next().await.is_none());

            // The peer goes on just in time, and answers what it was asked and the close.
            let start = sim.elapsed();
            let last = farewell(ours, &dead, Duration::from_secs(1), &sim);
            let clock = sim.clone();
            let peer = async move {
                clock.sleep(Duration::from_millis(900)).await;
                let Some(Ok(Message::Ping(_))) = theirs.next().await else {
                    panic!("was not asked")
                };
                let Some(Ok(Message::Close(Some(close)))) = theirs.next().await else {
                    panic!("no reason")
                };
                while theirs.next().await.is_some() {}
                close
            };
            let (flushed, close) = tokio::join!(last, peer);
            assert!(flushed);
            assert_eq!(sim.elapsed() - start, Duration::from_millis(900));
            assert_eq!(close.code, CloseCode::from(CLOSE_CODE));
            let reason = close.reason.as_str();
            assert!(
                reason.starts_with("no reply to 1 ping within 10s"),
                "{reason}"
            );
        }
    });
}

#[test]
fn a_page_hears_why_too_and_a_dead_link_costs_the_limit() {
    simulate(async |sim| {
        let text = Text::new(Json::new());
        let (mut text, mut theirs) = pair(&sim, Role::Server, text, CONFIG, 4096).await;
        let (dead, _) = verdict(&sim, &mut text).await;
        let start = sim.elapsed();
        assert!(farewell(text, &dead, Duration::from_secs(1), &sim).await);
        assert_eq!(sim.elapsed() - start, Duration::from_secs(1));
        assert!(matches!(ready(&mut theirs), Some(Message::Text(_))));
        assert!(matches!(ready(&mut theirs), Some(Message::Close(Some(_)))));
    });
}

#[test]
fn a_farewell_says_why_after_a_split() {
    simulate(async |sim| {
        let side = || pair(&sim, Role::Server, Frames::new(), CONFIG, 4096);
        let (ours, mut theirs) = side().await;
        let (writer, mut reader) = ours.split();
        let Some(Err(Error::Dead(dead))) = reader.next().await else {
            panic!("no verdict")
        };
        let last = farewell((writer, reader), &dead, Duration::from_secs(1), &sim);
        let peer = async { (theirs.next().await, theirs.next().await) };
        let (flushed, (_ping, close)) = tokio::join!(last, peer);
        assert!(flushed);
        assert!(matches!(close, Some(Ok(Message::Close(Some(_))))));

        // Halves of two streams belong to nobody.
        let ((ours, _theirs), (other, _far)) = (side().await, side().await);
        let halves = (ours.split().0, other.split().1);
        assert!(!farewell(halves, &dead, Duration::from_secs(1), &sim).await);
    });
}

#[test]
fn a_farewell_does_not_hang_on_a_full_link() {
    simulate(async |sim| {
        let config = CONFIG.write_stall(Duration::from_secs(5));
        let (mut ours, _theirs) = pair(&sim, Role::Server, Frames::new(), config, 64).await;
        let start = sim.elapsed();
        let sent = ours.send(Message::binary(vec![0; 100_000])).await;
        let Err(Error::Dead(dead)) = sent else {
            panic!("{sent:?}")
        };
        assert_eq!(dead.cause, Cause::WriteStalled);
        assert_eq!((sim.elapsed() - start), Duration::from_secs(5));

        let limit = Duration::from_secs(2);
        assert!(!farewell(ours, &dead, limit, &sim).await);
        assert_eq!((sim.elapsed() - start), Duration::from_secs(7));
    });
}

/// Engine.IO, version 4: the server asks, the client answers, and the other way round is an error.
#[test]
fn engine_io_servers_ask_and_clients_answer() {
    simulate(async |sim| {
        let (interval, patience) = (Duration::from_secs(25), Duration::from_secs(20));
        let server = KeepaliveConfig::engine_io_server(interval, patience);
        let client = KeepaliveConfig::engine_io_client(interval, patience);
        let packets = || Text::new(Fixed::engine_io());

        // Our server asks each interval, whatever the traffic, and takes nothing but its answer.
        let (mut ours, mut theirs) = pair(&sim, Role::Server, packets(), server, 4096).await;
        let page = async {
            for _ in 0..100 {
                let packet = theirs.next().await.unwrap().unwrap();
                assert_eq!(packet, Message::text("2"));
                theirs.send(Message::text("3")).await.unwrap();
                theirs.send(Message::text("4hello")).await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        let start = sim.elapsed();
        let (dead, _) = tokio::select! {
            verdict = verdict(&sim, &mut ours) => verdict,
            () = page => panic!("the page ended"),
        };
        assert_eq!(dead.cause, Cause::NoReply);
        assert_eq!(sim.elapsed() - start, 101 * interval + patience);

        // Our client answers and never asks, and waits for both together.
        let (mut ours, mut theirs) = pair(&sim, Role::Client, packets(), client, 4096).await;
        let server = async {
            for _ in 0..100 {
                sim.sleep(interval).await;
                theirs.send(Message::text("2")).await.unwrap();
                let packet = theirs.next().await.unwrap().unwrap();
                assert_eq!(packet, Message::text("3"));
            }
            theirs.next().await
        };
        let start = sim.elapsed();
        let (dead, _) = tokio::select! {
            verdict = verdict(&sim, &mut ours) => verdict,
            packet = server => panic!("{packet:?}"),
        };
        assert_eq!(dead.cause, Cause::Silent);
        assert_eq!(sim.elapsed() - start, 101 * interval + patience);
    });
}

#[test]
fn a_peer_that_stops_reading_is_found_by_a_split_writer_too() {
    let mut world = World::new();
    let (sim, tasks) = (world.sim.clone(), world.spawner());
    world.run(async {
        let config = CONFIG.write_stall(Duration::from_secs(5));
        let (ours, _theirs) = pair(&sim, Role::Client, Frames::new(), config, 64).await;
        let (mut writer, mut reader) = ours.split();
        let reading = tasks.task(async move { reader.next().await });
        let sent = writer.send(Message::binary(vec![0; 100_000])).await;
        assert!(matches!(sent, Err(Error::Dead(dead)) if dead.cause == Cause::WriteStalled));
        let item = sim.timeout(Duration::from_secs(1), reading).await.unwrap();
        assert!(matches!(item, Some(Err(Error::Dead(_)))), "{item:?}");
    });
}

/// `tungstenite` answers pings itself. The answer has to leave without a write of the user's, and
/// there has to be one.
#[test]
fn a_ping_is_answered_at_once_and_once() {
    let mut world = World::new();
    let (sim, tasks) = (world.sim.clone(), world.spawner());
    world.run(async {
        for role in [Role::Client, Role::Server] {
            let (mut ours, mut theirs) = pair(&sim, role, Frames::new(), CONFIG, 4096).await;
            tasks.spawn(async move { while ours.next().await.is_some() {} });
            for number in 0..50_u32 {
                let (start, payload) = (sim.elapsed(), number.to_string());
                theirs
                    .send(Message::Ping(payload.clone().into()))
                    .await
                    .unwrap();
                let answer = theirs.next().await.unwrap().unwrap();
                assert_eq!(answer, Message::Pong(payload.into()));
                assert_eq!((sim.elapsed() - start), Duration::ZERO);
                tokio::task::yield_now().await;
                assert_eq!(ready(&mut theirs), None, "answered twice");
            }
        }
    });
}

/// The pong finds no room; it leaves when there is some, although nothing is read or written any
/// more.
#[test]
fn a_blocked_answer_leaves_when_there_is_room() {
    let mut world = World::new();
    let (sim, tasks) = (world.sim.clone(), world.spawner());
    world.run(async {
        let (ours, mut theirs) = duplex(64);
        let ours = socket(ours, Role::Server).await;
        let mut ours = PingPong::new(ours, Frames::new(), CONFIG, sim.clone()).unwrap();
        // An unfinished message of ours fills the way out.
        let stuck = ours.send(Message::binary(vec![7; 60])).now_or_never();
        assert!(stuck.unwrap().is_ok());
        theirs
            .write_all(&[0x89, 0x84, 0, 0, 0, 0, b'a', b'b', b'c', b'd'])
            .await
            .unwrap();
        tasks.spawn(async move { while ours.next().await.is_some() {} });
        tokio::task::yield_now().await;
        let mut data = [0; 62];
        theirs.read_exact(&mut data).await.unwrap();
        let mut pong = [0; 6];
        let read = sim.timeout(Duration::from_secs(1), theirs.read_exact(&mut pong));
        read.await.expect("the answer stays behind").unwrap();
        assert_eq!(pong, [0x8a, 4, b'a', b'b', b'c', b'd']);
    });
}

#[test]
fn a_later_pong_answers_all_earlier_pings() {
    simulate(async |sim| {
        let config = CONFIG.max_unanswered(3).proof(Proof::PongOnly);
        let (ours, mut theirs) = duplex(4096);
        let ours = socket(ours, Role::Client).await;
        let mut ours = PingPong::new(
            ours,
            Frames::new().prefix("p").unwrap(),
            config,
            sim.clone(),
        )
        .unwrap();
        let answer_the_third = async {
            // Pings 0, 1, 2 go out at 20, 30, 40 s; the last one is answered at 45 s.
            sim.sleep(Duration::from_secs(45)).await;
            theirs.write_all(b"\x8a\x02p2").await.unwrap();
            sim.sleep(Duration::from_secs(10)).await;
        };
        tokio::select! {
            item = ours.next() => panic!("{item:?}"),
            () = answer_the_third => {}
        }
        assert_eq!(ours.rtt().samples(), 1);
        assert_eq!(ours.rtt().latest(), Some(Duration::from_secs(5)));
    });
}

#[test]
fn a_wrong_pong_is_life_but_no_answer() {
    simulate(async |sim| {
        // Where only answers count, a peer that chatters pongs is dead all the same.
        let strict = CONFIG.proof(Proof::PongOnly);
        for (config, lives) in [(CONFIG, true), (strict, false)] {
            let (mut ours, mut theirs) =
                pair(&sim, Role::Client, Frames::new(), config, 1 << 16).await;
            let chatter = async {
                for _ in 0..300 {
                    sim.sleep(Duration::from_secs(1)).await;
                    theirs.send(Message::Pong("wrong".into())).await.unwrap();
                }
            };
            tokio::select! {
                (dead, after) = verdict(&sim, &mut ours) => {
                    assert!(!lives);
                    assert_eq!(dead.cause, Cause::NoReply);
                    assert_eq!(after, Duration::from_secs(30));
                }
                () = chatter => assert!(lives),
            }
            assert_eq!(ours.rtt().samples(), 0);
        }
    });
}

#[test]
fn pings_of_the_user_do_not_disturb_the_measurement() {
    simulate(async |sim| {
        let (mut ours, mut theirs) = pair(&sim, Role::Client, Frames::new(), CONFIG, 4096).await;
        let peer = async { while theirs.next().await.is_some() {} };
        let user = async {
            ours.send(Message::Ping("0".into())).await.unwrap();
            let quiet = sim.timeout(Duration::from_secs(65), ours.next()).await;
            assert!(quiet.is_none(), "{quiet:?}");
            // Asked at 20, 40 and 60 s.
            assert_eq!(ours.rtt().samples(), 3);
        };
        tokio::select! { () = peer => {}, () = user => {} }
    });
}

/// Many pings due while a close handshake is under way: `tungstenite` refuses them, and the stream
/// must still end the way the handshake does.
#[test]
fn heartbeats_do_not_cut_off_a_close() {
    simulate(async |sim| {
        let config = CONFIG
            .interval(Duration::from_secs(1))
            .ping_when(PingWhen::Always);
        for role in [Role::Client, Role::Server] {
            let (mut ours, mut theirs) = pair(&sim, role, Frames::new(), config, 4096).await;
            ours.send(Message::Close(None)).await.unwrap();
            let clock = &sim;
            let peer = async move {
                clock.sleep(Duration::from_secs(8)).await;
                theirs.send(Message::text("one more thing")).await.unwrap();
                while let Some(Ok(_)) = theirs.next().await {}
            };
            let us = async move {
                let late = ours.next().await;
                assert!(matches!(&late, Some(Ok(Message::Text(_)))), "{late:?}");
                let close = ours.next().await;
                assert!(matches!(&close, Some(Ok(Message::Close(_)))), "{close:?}");
                let nothing = ours.next().await;
                assert!(nothing.is_none(), "{nothing:?}");
            };
            tokio::join!(peer, us);
        }
    });
}

#[test]
fn the_wait_for_a_close_is_bounded() {
    simulate(async |sim| {
        for role in [Role::Client, Role::Server] {
            let (mut ours, _theirs) = pair(&sim, role, Frames::new(), CONFIG, 4096).await;
            ours.send(Message::Close(None)).await.unwrap();
            let (dead, after) = verdict(&sim, &mut ours).await;
            // The library refuses a ping after the close, so none was on the wire.
            assert_eq!((dead.cause, dead.unanswered), (Cause::Silent, 0));
            assert!(
                after <= ours.detection_bound().map(|bound| bound.quiet).unwrap(),
                "{after:?}"
            );
        }
    });
}

#[test]
fn a_close_of_the_peer_is_data_and_the_end() {
    simulate(async |sim| {
        for role in [Role::Client, Role::Server] {
            let (mut ours, mut theirs) = pair(&sim, role, Frames::new(), CONFIG, 4096).await;
            let peer = async move {
                theirs.close(None).await.unwrap();
                while theirs.next().await.is_some() {}
            };
            let us = async move {
                let close = ours.next().await;
                assert!(
                    matches!(&close, Some(Ok(Message::Close(None)))),
                    "{close:?}"
                );
                assert!(ours.next().await.is_none());
            };
            tokio::join!(peer, us);
        }
    });
}

/// A socket whose writes fail once the peer is gone, with things still to be read.
struct Gone<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Gone<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: Unpin> AsyncWrite for Gone<S> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The answer to a ping cannot be written; what the peer said after it is told all the same.
#[test]
fn a_broken_pipe_does_not_hide_why_the_peer_closed() {
    simulate(async |sim| {
        let (ours, theirs) = duplex(4096);
        let mut theirs = socket(theirs, Role::Server).await;
        theirs
            .send(Message::Ping("are you there".into()))
            .await
            .unwrap();
        let why = CloseFrame {
            code: CloseCode::Error,
            reason: "no reply".into(),
        };
        theirs.close(Some(why.clone())).await.unwrap();

        let ours = socket(Gone(ours), Role::Client).await;
        let mut ours = PingPong::new(ours, Frames::new(), CONFIG, sim.clone()).unwrap();
        assert_eq!(
            ours.next().await.unwrap().unwrap(),
            Message::Close(Some(why))
        );
    });
}

#[test]
fn a_broken_pipe_is_told_when_nothing_is_left_to_read() {
    simulate(async |sim| {
        let (ours, mut theirs) = duplex(4096);
        theirs.write_all(b"\x89\x00\x81\x02hi").await.unwrap();
        let ours = socket(Gone(ours), Role::Client).await;
        let mut ours = PingPong::new(ours, Frames::new(), CONFIG, sim.clone()).unwrap();
        assert_eq!(ours.next().await.unwrap().unwrap(), Message::text("hi"));
        let error = sim
            .timeout(Duration::from_secs(1), ours.next())
            .await
            .unwrap();
        let Some(Err(Error::Transport(WsError::Io(error)))) = error else {
            panic!("{error:?}")
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

/// A message that takes a minute and a half to arrive: bytes are life, if they are shown.
#[test]
fn a_slow_message_is_no_silence_when_its_bytes_count() {
    simulate(async |sim| {
        const SIZE: usize = 5_000_000;
        for shown in [true, false] {
            let (ours, mut theirs) = duplex(1 << 16);
            let (ours, _idle) = track(ours, IdleConfig::new(), sim.clone());
            let activity = ours.activity();
            let ours = socket(ours, Role::Client).await;
            let mut ours = PingPong::new(ours, Frames::new(), CONFIG, sim.clone()).unwrap();
            if shown {
                ours = ours.with_activity(activity);
            }
            let send_slowly = async {
                let mut frame = vec![0x82, 127];
                frame.extend_from_slice(&(SIZE as u64).to_be_bytes());
                frame.resize(frame.len() + SIZE, 7);
                for chunk in frame.chunks(SIZE / 90) {
                    sim.sleep(Duration::from_secs(1)).await;
                    if theirs.write_all(chunk).await.is_err() {
                        return;
                    }
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                item = ours.next() => match item {
                    Some(Ok(message)) => assert!(shown && message.len() == SIZE),
                    Some(Err(Error::Dead(dead))) => assert!(!shown, "{dead}"),
                    other => panic!("{other:?}"),
                },
                () = send_slowly => panic!("cut off"),
            }
        }
    });
}

#[test]
fn ten_thousand_pings_are_a_flood_or_are_answered() {
    simulate(async |sim| {
        for limit in [FloodLimit::DEFAULT, FloodLimit::OFF] {
            let (ours, mut theirs) = pair(&sim, Role::Server, Frames::new(), CONFIG, 1 << 16).await;
            let mut ours = ours.flood_limit(limit);
            let attack = async {
                let (mut sent, mut answered) = (0_u32, 0_u32);
                while sent < 10_000 {
                    if theirs
                        .feed(Message::Ping(sent.to_string().into()))
                        .await
                        .is_err()
                    {
                        break;
                    }
                    sent += 1;
                    if sent % 100 == 0 && theirs.flush().await.is_err() {
                        break;
                    }
                    while let Some(Some(Ok(Message::Pong(_)))) = theirs.next().now_or_never() {
                        answered += 1;
                    }
                }
                // The newest ping is answered, whatever became of the others (RFC 6455, 5.5.3).
                while let Some(Some(Ok(Message::Pong(payload)))) =
                    sim.timeout(Duration::from_secs(5), theirs.next()).await
                {
                    answered += 1;
                    if payload == "9999" {
                        break;
                    }
                }
                (sent, answered)
            };
            tokio::select! {
                biased;
                (ended, _) = end(&sim, &mut ours) => {
                    assert_eq!(limit, FloodLimit::DEFAULT);
                    let Some(Error::Flooded(flooded)) = ended else { panic!("{ended:?}") };
                    assert_eq!(flooded.pings, 1001);
                }
                (sent, answered) = attack => {
                    assert_eq!((limit, sent), (FloodLimit::OFF, 10_000));
                    assert!((1..=10_000).contains(&answered), "{answered}");
                }
            }
        }
    });
}

/// What a page does: it answers text with text.
async fn page(mut socket: Socket, mut freeze_after: u32) -> Socket {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else {
            continue;
        };
        let id = text.strip_prefix(r#"{"type":"ping","id":"#);
        if let Some(id) = id.filter(|_| freeze_after > 0) {
            freeze_after -= 1;
            let pong = format!(r#"{{"type":"pong","id":{id}"#);
            socket.send(Message::text(pong)).await.unwrap();
        }
    }
    socket
}

#[test]
fn a_page_is_alive_until_its_script_freezes() {
    let mut world = World::new();
    let (sim, tasks) = (world.sim.clone(), world.spawner());
    world.run(async {
        let (mut ours, theirs) =
            pair(&sim, Role::Server, Text::new(Json::new()), CONFIG, 4096).await;
        let _page = tasks.task(page(theirs, 5));
        let (dead, after) = verdict(&sim, &mut ours).await;
        // Asked at 20, 40 .. 120 s; the sixth ping is not answered.
        assert_eq!(after, Duration::from_secs(130));
        assert_eq!(ours.rtt().samples(), 5);
        assert_eq!(dead.cause, Cause::NoReply);
    });
}

/// A browser's network process answers ping frames while the page is dead: what each protocol
/// proves.
#[test]
fn frames_prove_the_network_process_and_text_the_page() {
    let mut world = World::new();
    let (sim, tasks) = (world.sim.clone(), world.spawner());
    world.run(async {
        let (mut frames, frozen) = pair(&sim, Role::Server, Frames::new(), CONFIG, 4096).await;
        let _page = tasks.task(page(frozen, 0));
        let quiet = sim.timeout(Duration::from_secs(600), frames.next()).await;
        assert!(quiet.is_none(), "{quiet:?}");

        let (mut text, frozen) =
            pair(&sim, Role::Server, Text::new(Json::new()), CONFIG, 4096).await;
        let _page = tasks.task(page(frozen, 0));
        let (dead, _) = verdict(&sim, &mut text).await;
        assert_eq!(dead.cause, Cause::NoReply);
    });
}

#[test]
fn text_is_answered_and_everything_else_passes() {
    simulate(async |sim| {
        let beats = Text::new(Fixed::new("ping", "pong"));
        let (mut ours, mut theirs) = pair(&sim, Role::Client, beats, CONFIG, 4096).await;
        for message in ["ping", "pinging", "pong"] {
            theirs.send(Message::text(message)).await.unwrap();
        }
        theirs.send(Message::binary("ping")).await.unwrap();
        assert_eq!(
            ours.next().await.unwrap().unwrap(),
            Message::text("pinging")
        );
        assert_eq!(ours.next().await.unwrap().unwrap(), Message::binary("ping"));
        assert_eq!(ready(&mut theirs), Some(Message::text("pong")));
        assert_eq!(ready(&mut theirs), None);
    });
}

/// Both ways to heartbeat tell the same three things, each once.
#[cfg(feature = "metrics")]
#[test]
fn pings_pongs_and_verdicts_are_counted() {
    use liveness::io::KeepaliveStream;
    use liveness::metrics::{PINGS, PONGS, ROUND_TRIP, VERDICTS};
    use liveness::test_util::Spawner;
    use liveness::websocket::Wire;
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    let around = async |sim: Sim, tasks: Spawner| {
        let text = Text::new(Json::new());
        let (mut ours, theirs) = pair(&sim, Role::Server, text, CONFIG, 4096).await;
        let _peer = tasks.task(page(theirs, 2));
        verdict(&sim, &mut ours).await;
    };
    let below = async |sim: Sim, tasks: Spawner| {
        let (ours, theirs) = duplex(4096);
        let _peer = tasks.task(async move {
            let mut ws = tokio_tungstenite::accept_async(theirs).await.unwrap();
            // A ping is answered with the next read, and so the third is not.
            for _ in 0..3 {
                ws.next().await;
            }
            std::future::pending::<()>().await;
        });
        let ours = KeepaliveStream::new(ours, Wire::client(), CONFIG, sim).unwrap();
        let (mut ws, _) = tokio_tungstenite::client_async("ws://peer/", ours)
            .await
            .unwrap();
        assert!(ws.next().await.unwrap().is_err());
    };
    let counted = |run: &dyn Fn(&mut World)| {
        let recorder = DebuggingRecorder::new();
        metrics::with_local_recorder(&recorder, || run(&mut World::new()));
        let seen = recorder.snapshotter().snapshot().into_vec();
        let values = seen
            .into_iter()
            .map(|(key, _, _, value)| (key.key().name().to_owned(), value));
        values.collect::<std::collections::BTreeMap<_, _>>()
    };
    for counted in [
        counted(&|world| world.run(around(world.sim.clone(), world.spawner()))),
        counted(&|world| world.run(below(world.sim.clone(), world.spawner()))),
    ] {
        assert_eq!(counted[PINGS], DebugValue::Counter(3));
        assert_eq!(counted[PONGS], DebugValue::Counter(2));
        assert_eq!(counted[VERDICTS], DebugValue::Counter(1));
        let DebugValue::Histogram(round_trips) = &counted[ROUND_TRIP] else {
            panic!()
        };
        assert_eq!(round_trips.len(), 2);
    }
}

/// The same line for the other runtime's library, over real sockets, since that is what it opens.
#[cfg(feature = "smol")]
#[test]
fn async_tungstenite_on_smol_works_unchanged() {
    use async_tungstenite::{accept_async, client_async};
    use liveness::Smol;
    use liveness::rt::Runtime;
    use smol::net::{TcpListener, TcpStream};

    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .interval(Duration::from_millis(20))
        .reply_timeout(Duration::from_secs(5));
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = smol::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let ws = accept_async(socket).await.unwrap();
            let mut ws = PingPong::new(ws, Frames::new(), config, Smol).unwrap();
            while let Some(Ok(message)) = ws.next().await {
                if message.is_text() {
                    ws.send(message).await.unwrap();
                }
            }
        });
        let socket = TcpStream::connect(address).await.unwrap();
        let (ws, _) = client_async("ws://localhost/", socket).await.unwrap();
        let mut ws = PingPong::new(ws, Frames::new(), config, Smol).unwrap();
        ws.send(Message::text("hello")).await.unwrap();
        assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("hello"));
        // Real time, because the sockets are real: until five round trips are measured.
        let start = Smol.now();
        while ws.rtt().samples() < 5 {
            assert!(
                Smol.now() - start < Duration::from_secs(20),
                "{:?}",
                ws.rtt()
            );
            let tick = smol::Timer::after(Duration::from_millis(10));
            futures::future::select(Box::pin(ws.next()), tick).await;
        }
        ws.send(Message::Close(None)).await.unwrap();
        assert!(matches!(ws.next().await, Some(Ok(Message::Close(_)))));
        drop(ws);
        server.await;
    });
}
