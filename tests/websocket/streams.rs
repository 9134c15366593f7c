//! `KeepaliveStream` under tokio-tungstenite: on links that die in simulated time, and on loopback.
#![cfg(feature = "tokio")]

use std::time::Duration;

use futures::future::join;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use liveness::io::KeepaliveStream;
use liveness::test_util::{Sim, World, simulate};
use liveness::{Cause, Dead, KeepaliveConfig, PingWhen, Proof, Runtime, Tokio, websocket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

type Kept<S, R = Sim> = WebSocketStream<KeepaliveStream<S, websocket::Wire, R>>;

const S: Duration = Duration::from_secs(1);

async fn connect<S, R>(io: S, config: KeepaliveConfig, rt: R) -> Kept<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: Runtime,
{
    let stream = KeepaliveStream::new(io, websocket::Wire::client(), config, rt).unwrap();
    client_async("ws://peer.test/", stream).await.unwrap().0
}

/// Two sides of one connection, of which only the client is kept alive.
async fn pair(
    sim: &Sim,
    config: KeepaliveConfig,
) -> (Kept<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (here, there) = duplex(16 * 1024);
    let connecting = connect(here, config, sim.clone());
    let (client, server) = join(connecting, accept_async(there)).await;
    (client, server.unwrap())
}

/// Reads until it fails, which must be by a verdict.
async fn until_dead(ws: &mut Kept<DuplexStream>) -> Dead {
    loop {
        match ws.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Dead::find(&error).expect("a verdict"),
            None => panic!("the end"),
        }
    }
}

/// One ping after five silent seconds, two for the answer.
fn asks_after_5_s() -> KeepaliveConfig {
    KeepaliveConfig::new()
        .max_unanswered(1)
        .interval(5 * S)
        .reply_timeout(2 * S)
}

#[test]
fn a_link_that_swallows_everything_is_found_within_the_bound() {
    simulate(async |sim| {
        let config = asks_after_5_s();
        let (mut client, mut server) = pair(&sim, config).await;
        for n in 0..50 {
            server.send(Message::text(n.to_string())).await.unwrap();
            assert_eq!(
                client.next().await.unwrap().unwrap(),
                Message::text(n.to_string())
            );
        }
        let last = sim.elapsed();
        let dead = until_dead(&mut client).await;
        assert_eq!((dead.cause, dead.unanswered), (Cause::NoReply, 1));
        let bound = client
            .get_ref()
            .detection_bound()
            .map(|bound| bound.quiet)
            .unwrap();
        let took = sim.elapsed() - last;
        assert!(
            took >= 7 * S && took <= bound + S / 100,
            "{took:?}, bound {bound:?}"
        );
        // What is sent after it fails at once, and so does the close.
        let error = client.send(Message::text("late")).await.unwrap_err();
        assert_eq!(Dead::find(&error), Some(dead));
        let _ = sim
            .timeout(S / 10, client.close(None))
            .await
            .expect("closing does not wait");
        drop(server);
    });
}

#[test]
fn a_peer_that_reads_answers_and_lives() {
    let mut world = World::new();
    let (sim, tasks) = (world.sim.clone(), world.spawner());
    world.run(async {
        let config = asks_after_5_s().proof(Proof::PongOnly);
        let (mut client, mut server) = pair(&sim, config).await;
        let peer =
            tasks.task(async move { while server.next().await.is_some_and(|m| m.is_ok()) {} });
        assert!(
            sim.timeout(1000 * S, client.next()).await.is_none(),
            "nothing to see for the user"
        );
        assert!(
            client.get_ref().rtt().samples() >= 190,
            "{:?}",
            client.get_ref().rtt()
        );
        client.close(None).await.unwrap();
        assert!(client.next().await.unwrap().unwrap().is_close());
        assert!(client.next().await.is_none());
        peer.await;
    });
}

#[test]
fn a_peer_that_stops_reading_stalls_the_write() {
    simulate(async |sim| {
        let config = KeepaliveConfig::new().max_unanswered(1).write_stall(8 * S);
        let (mut client, server) = pair(&sim, config).await;
        let start = sim.elapsed();
        let error = client
            .send(Message::binary(vec![7; 1 << 20]))
            .await
            .unwrap_err();
        let dead = Dead::find(&error).unwrap();
        assert_eq!(dead.cause, Cause::WriteStalled);
        let took = sim.elapsed() - start;
        assert!(took >= 8 * S && took < 9 * S, "{took:?}");
        drop(server);
    });
}

#[test]
fn a_stall_is_told_to_both_halves() {
    let mut world = World::new();
    let (sim, tasks) = (world.sim.clone(), world.spawner());
    world.run(async {
        let config = KeepaliveConfig::new().max_unanswered(1).write_stall(8 * S);
        let (client, server) = pair(&sim, config).await;
        let (mut sink, mut stream) = client.split();
        let reader = tasks.task(async move { stream.next().await.unwrap().unwrap_err() });
        let error = sink
            .send(Message::binary(vec![7; 1 << 20]))
            .await
            .unwrap_err();
        assert_eq!(Dead::find(&error).unwrap().cause, Cause::WriteStalled);
        let error = sim.timeout(S, reader).await.unwrap();
        assert_eq!(Dead::find(&error).unwrap().cause, Cause::WriteStalled);
        drop(server);
    });
}

#[test]
fn closing_does_not_hang_on_a_dead_link() {
    simulate(async |sim| {
        let config = asks_after_5_s();
        let (mut client, server) = pair(&sim, config).await;
        client.close(None).await.unwrap();
        let start = sim.elapsed();
        assert_eq!(until_dead(&mut client).await.cause, Cause::Silent);
        assert!(
            sim.elapsed() - start <= 8 * S,
            "{:?}",
            sim.elapsed() - start
        );
        drop(server);
    });
}

#[test]
fn a_large_message_that_takes_long_is_no_silence() {
    let mut world = World::new();
    let (sim, tasks) = (world.sim.clone(), world.spawner());
    world.run(async {
        let config = asks_after_5_s();
        let (here, mut there) = duplex(64 * 1024);
        let stream = KeepaliveStream::new(
            here,
            websocket::Wire::client().upgraded(),
            config,
            sim.clone(),
        );
        let mut client =
            WebSocketStream::from_raw_socket(stream.unwrap(), Role::Client, None).await;
        const SIZE: u64 = 5 << 20;
        let clock = sim.clone();
        let sender = tasks.task(async move {
            let mut head = vec![0x82, 127];
            head.extend(SIZE.to_be_bytes());
            there.write_all(&head).await.unwrap();
            // 80 pieces, one each 1.5 s, and no pong: pings stand unanswered in the socket.
            for _ in 0..80 {
                clock.sleep(3 * S / 2).await;
                there.write_all(&vec![1; 64 * 1024]).await.unwrap();
            }
            there
        });
        let start = sim.elapsed();
        let message = client.next().await.unwrap().unwrap();
        assert_eq!(message.len() as u64, SIZE);
        assert!(sim.elapsed() - start >= 120 * S);
        // Once it has arrived, silence counts again.
        let _there = sender.await;
        assert_eq!(until_dead(&mut client).await.cause, Cause::NoReply);
    });
}

#[test]
fn a_peer_that_talks_and_answers_wrongly_is_dead_where_only_pongs_count() {
    let mut world = World::new();
    let (sim, tasks) = (world.sim.clone(), world.spawner());
    world.run(async {
        let config = asks_after_5_s();
        let config = config.ping_when(PingWhen::Always).proof(Proof::PongOnly);
        let (mut client, server) = pair(&sim, config).await;
        let (mut sink, mut stream): (SplitSink<_, _>, SplitStream<_>) = server.split();
        let clock = sim.clone();
        let talker = tasks.task(async move {
            loop {
                clock.sleep(S / 10).await;
                if sink.send(Message::Pong("wrong".into())).await.is_err() {
                    return;
                }
            }
        });
        let mut pongs = 0;
        let start = sim.elapsed();
        let dead = loop {
            match client.next().await.unwrap() {
                Ok(message) => pongs += u32::from(message == Message::Pong("wrong".into())),
                Err(error) => break Dead::find(&error).unwrap(),
            }
        };
        assert_eq!(dead.cause, Cause::NoReply);
        assert!(pongs > 60, "the user's to see: {pongs}");
        assert!(
            sim.elapsed() - start <= 8 * S,
            "{:?}",
            sim.elapsed() - start
        );
        drop(client);
        talker.await;
        while stream.next().await.is_some_and(|message| message.is_ok()) {}
    });
}

#[test]
fn ten_thousand_pings_of_the_peer_are_the_librarys() {
    let mut world = World::new();
    let (sim, tasks) = (world.sim.clone(), world.spawner());
    world.run(async {
        let config = KeepaliveConfig::new()
            .max_unanswered(1)
            .interval(S)
            .ping_when(PingWhen::Always);
        let (mut client, server) = pair(&sim, config).await;
        let (mut sink, mut stream) = server.split();
        let flood = tasks.task(async move {
            for n in 0..10_000_u32 {
                sink.send(Message::Ping(n.to_be_bytes().to_vec().into()))
                    .await
                    .unwrap();
            }
            sink.send(Message::text("done")).await.unwrap();
            sink
        });
        let answers = tasks.task(async move {
            let (mut last, mut ours) = (0, 0);
            while last != 9_999 {
                match stream.next().await.unwrap().unwrap() {
                    Message::Pong(payload) => {
                        last = u32::from_be_bytes(payload.as_ref().try_into().unwrap());
                    }
                    Message::Ping(_) => ours += 1,
                    other => panic!("{other}"),
                }
            }
            (stream, ours)
        });
        let mut pings = 0;
        loop {
            match client.next().await.unwrap().unwrap() {
                Message::Ping(_) => pings += 1,
                message => break assert_eq!(message, Message::text("done")),
            }
        }
        assert_eq!(pings, 10_000);
        client.flush().await.unwrap();
        let (_sink, (_stream, _ours)) = join(flood, answers).await;
    });
}

/// A message of a size and content of its own.
fn message(n: usize) -> Message {
    let size = [0, 1, 125, 126, 700, 65_535, 65_536, 200_000][n % 8];
    if n % 3 == 0 {
        Message::text("x".repeat(size))
    } else {
        Message::binary(vec![n as u8; size])
    }
}

/// Sends messages and reads their echoes, on two tasks, for a second; returns the ping frames of
/// the peer that the library saw, and the round trips of ours.
async fn echoed(ws: Kept<TcpStream, Tokio>) -> (u64, u64) {
    let (mut sink, mut stream) = ws.split();
    let writer = tokio::spawn(async move {
        let start = Tokio.now();
        let mut sent = 0;
        while Tokio.now() - start < S {
            sink.send(message(sent)).await.unwrap();
            sent += 1;
            if sent % 50 == 0 {
                // Real time, so that there is silence for pings to be sent in.
                sleep(S / 10).await;
            }
        }
        sink.send(Message::text("end")).await.unwrap();
        (sink, sent)
    });
    let (mut seen, mut pings) = (0, 0);
    loop {
        match stream.next().await.unwrap().unwrap() {
            Message::Ping(_) => pings += 1,
            Message::Pong(_) => panic!("a pong that answers us is not for the user"),
            end if end == Message::text("end") => break,
            echo => {
                assert_eq!(echo, message(seen));
                seen += 1;
            }
        }
    }
    let (sink, sent) = writer.await.unwrap();
    assert_eq!(seen, sent);
    let mut ws = sink.reunite(stream).unwrap();
    let samples = ws.get_ref().rtt().samples();
    ws.close(None).await.unwrap();
    while ws.next().await.is_some() {}
    (pings, samples)
}

async fn echo(ws: Kept<TcpStream, Tokio>) -> u64 {
    let (mut sink, mut stream) = ws.split();
    while let Some(message) = stream.next().await {
        match message {
            Ok(Message::Ping(_) | Message::Close(_)) => {}
            Ok(Message::Pong(_)) => panic!("a pong that answers us is not for the user"),
            Ok(message) => sink.send(message).await.unwrap(),
            Err(Error::ConnectionClosed) => break,
            Err(error) => panic!("{error}"),
        }
    }
    sink.reunite(stream).unwrap().get_ref().rtt().samples()
}

// Tokio's own clock, since the sockets are real.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_ask_each_20_ms_on_loopback() {
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .interval(S / 50)
        .ping_when(PingWhen::Always)
        .reply_timeout(10 * S);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let stream = KeepaliveStream::new(socket, websocket::Wire::server(), config, Tokio);
        echo(accept_async(stream.unwrap()).await.unwrap()).await
    });
    let client = connect(TcpStream::connect(address).await.unwrap(), config, Tokio).await;
    let (pings, ours) = timeout(30 * S, echoed(client)).await.unwrap();
    let theirs = server.await.unwrap();
    println!("round trips: client {ours}, server {theirs}; pings of the server seen: {pings}");
    assert!(ours >= 10, "{ours} round trips of the client");
    assert!(theirs >= 10, "{theirs} round trips of the server");
    assert!(pings >= theirs, "{pings} pings for {theirs} round trips");
}

/// The halves of the byte stream itself on two tasks.
#[test]
fn split_bytes_on_two_tasks() {
    let mut world = World::new();
    let (sim, tasks) = (world.sim.clone(), world.spawner());
    world.run(async {
        let config = KeepaliveConfig::new()
            .max_unanswered(1)
            .interval(S)
            .ping_when(PingWhen::Always);
        let (here, there) = duplex(1000);
        let here = KeepaliveStream::new(
            here,
            websocket::Wire::client().upgraded(),
            config,
            sim.clone(),
        );
        let mut there = WebSocketStream::from_raw_socket(there, Role::Server, None).await;
        let (mut reader, mut writer) = tokio::io::split(here.unwrap());
        let peer = tasks.task(async move {
            let (mut pings, mut total) = (0, 0);
            while let Some(Ok(message)) = there.next().await {
                match message {
                    Message::Ping(_) => pings += 1,
                    message => total += message.len(),
                }
            }
            (pings, total)
        });
        let clock = sim.clone();
        let writing = tasks.task(async move {
            for _ in 0..200 {
                // A frame of 500 bytes in two writes, with a pause where no ping may stand.
                writer
                    .write_all(&[0x82, 0xfe, 1, 244, 0, 0, 0, 0, 1, 2])
                    .await
                    .unwrap();
                clock.sleep(S / 4).await;
                writer.write_all(&[7; 498]).await.unwrap();
                clock.sleep(S / 4).await;
            }
            writer.shutdown().await.unwrap();
        });
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty(), "all that came were answers");
        writing.await;
        let (pings, total) = peer.await;
        assert_eq!(total, 100_000);
        assert!((60..=101).contains(&pings), "{pings} pings in 100 s");
    });
}

/// A server that accepts and says nothing, and a client that sends half a request: no ping can be
/// put in before the protocol is ready, so plain silence is judged by the same bound.
#[test]
fn a_handshake_that_hangs_ends_within_the_bound_on_either_side() {
    let config = KeepaliveConfig::new();
    let bound = config.detection_bound().unwrap().quiet;
    for is_client in [true, false] {
        simulate(async |sim| {
            let (here, mut there) = duplex(16 * 1024);
            let wire = match is_client {
                true => websocket::Wire::client(),
                false => websocket::Wire::server(),
            };
            let stream = KeepaliveStream::new(here, wire, config, sim.clone()).unwrap();
            assert!(!stream.is_beating());
            let error = if is_client {
                client_async("ws://peer.test/", stream).await.unwrap_err()
            } else {
                there.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
                accept_async(stream).await.unwrap_err()
            };
            let dead = Dead::find(&error).expect("a verdict");
            assert_eq!(dead.cause, Cause::Silent);
            assert_eq!(sim.elapsed(), bound);
            let mut sent = Vec::new();
            let _ = there.read_to_end(&mut sent).await;
            let ours = sent.starts_with(b"GET ") || sent.is_empty();
            assert!(ours, "no ping: {sent:?}");
        });
    }
}

/// Once it is ready, the peer is asked as configured.
#[test]
fn the_end_of_the_handshake_begins_the_beating() {
    simulate(async |sim| {
        let (ws, _peer) = pair(&sim, KeepaliveConfig::new()).await;
        let stream = ws.get_ref();
        assert!(stream.is_beating());
        assert_eq!(stream.config(), KeepaliveConfig::new());
    });
}
