//! Python's `websockets` and npm's `ws`, each in both roles, well behaved and not.

use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use liveness::flood::FloodLimit;
use liveness::io::{Tracked, track};
use liveness::websocket::{Frames, farewell};
use liveness::{Cause, Dead, Error, IdleConfig, KeepaliveConfig, PingPong, PingWhen, Proof, Tokio};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};
use tungstenite::{Error as WsError, Message};

use super::{Program, tools};

const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .interval(Duration::from_millis(200))
    .ping_when(PingWhen::Always)
    .reply_timeout(Duration::from_millis(1000));

/// What a busy machine may add to a promise.
const SLACK: Duration = Duration::from_millis(700);

type Alive = PingPong<WebSocketStream<Tracked<TcpStream, Tokio>>, Frames, Tokio>;

fn keep(ws: WebSocketStream<Tracked<TcpStream, Tokio>>, config: KeepaliveConfig) -> Alive {
    let activity = ws.get_ref().activity();
    PingPong::new(ws, Frames::new(), config, Tokio)
        .unwrap()
        .with_activity(activity)
}

fn tracked(socket: TcpStream) -> Tracked<TcpStream, Tokio> {
    socket.set_nodelay(true).unwrap();
    track(socket, IdleConfig::new(), Tokio).0
}

async fn connect(port: &str) -> Alive {
    let socket = TcpStream::connect(format!("127.0.0.1:{port}"))
        .await
        .unwrap();
    let (ws, _) = client_async("ws://localhost/", tracked(socket))
        .await
        .unwrap();
    keep(ws, CONFIG)
}

fn python(arguments: &[&str]) -> Program {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/interop/websocket/peer.py"
    );
    Program::start(
        Command::new(tools().join("python/bin/python"))
            .arg(script)
            .args(arguments),
    )
}

fn node(arguments: &[&str]) -> Program {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/interop/websocket/peer.mjs"
    );
    Program::start(
        Command::new("node")
            .env("TOOLS", tools())
            .arg(script)
            .args(arguments),
    )
}

/// A peer that connects to a server of ours, which is kept alive by `config`.
async fn accept(start: impl FnOnce(&str) -> Program, config: KeepaliveConfig) -> (Alive, Program) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let peer = start(&url);
    let (socket, _) = listener.accept().await.unwrap();
    (
        keep(accept_async(tracked(socket)).await.unwrap(), config),
        peer,
    )
}

/// Echoes for a while; nothing but data may come.
async fn echo_for(ws: &mut Alive, time: Duration) -> u32 {
    let mut echoed = 0;
    let echo = async {
        while let Some(message) = ws.next().await {
            ws.send(message.unwrap()).await.unwrap();
            echoed += 1;
        }
        panic!("the peer closed");
    };
    assert!(tokio::time::timeout(time, echo).await.is_err());
    echoed
}

async fn verdict(ws: &mut Alive) -> (Dead, Duration) {
    let start = Instant::now();
    match end(ws).await {
        Some(Error::Dead(dead)) => (dead, start.elapsed()),
        other => panic!("no verdict: {other:?}"),
    }
}

async fn end(ws: &mut Alive) -> Option<Error<WsError>> {
    tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            match ws.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Some(error),
                None => return None,
            }
        }
    })
    .await
    .expect("the stream hangs")
}

/// Closes; the server's side is the one that ends the TCP connection, by being dropped here.
async fn leave(mut ws: Alive) {
    ws.send(Message::Close(None)).await.unwrap();
    assert!(end(&mut ws).await.is_none());
}

#[tokio::test]
#[ignore = "needs Python's websockets, and seconds of real time"]
async fn python_as_server() {
    let mut peer = python(&["server"]);
    let mut ws = connect(&peer.says("READY").await).await;
    ws.send(Message::text("hello")).await.unwrap();
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("hello"));
    let quiet = tokio::time::timeout(Duration::from_secs(3), ws.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    assert!(ws.rtt().samples() >= 8, "{:?}", ws.rtt());
    let latency: f64 = peer.says("LATENCY").await.parse().unwrap();
    assert!(latency > 0.0 && latency < 1.0, "{latency}");
    leave(ws).await;
    // Code 1005: the close had none.
    assert!(peer.says("CLOSED").await.starts_with("1005"));
}

#[tokio::test]
#[ignore = "needs Python's websockets, and seconds of real time"]
async fn python_as_client() {
    let (mut ws, mut peer) = accept(|url| python(&["client", url]), CONFIG).await;
    let echoed = echo_for(&mut ws, Duration::from_secs(3)).await;
    assert!(echoed >= 3, "{echoed}");
    assert!(ws.rtt().samples() >= 8, "{:?}", ws.rtt());
    let latency: f64 = peer.says("LATENCY").await.parse().unwrap();
    assert!(latency > 0.0 && latency < 1.0, "{latency}");
    leave(ws).await;
}

#[tokio::test]
#[ignore = "needs Python's websockets, and seconds of real time"]
async fn a_stopped_process_is_found_and_hears_why_when_it_goes_on() {
    let (mut ws, mut peer) = accept(|url| python(&["client", url]), CONFIG).await;
    echo_for(&mut ws, Duration::from_secs(1)).await;
    peer.signal("STOP").await;
    let (dead, after) = verdict(&mut ws).await;
    assert_eq!(dead.cause, Cause::NoReply);
    assert!(
        after <= ws.detection_bound().map(|bound| bound.quiet).unwrap() + SLACK,
        "{after:?}"
    );
    let last = farewell(ws, &dead, Duration::from_secs(10), &Tokio);
    let (flushed, ()) = tokio::join!(last, peer.signal("CONT"));
    assert!(flushed);
    let closed = peer.says("CLOSED").await;
    assert!(
        closed.starts_with("1011 no reply to 2 pings within 1s each"),
        "{closed}"
    );
}

#[tokio::test]
#[ignore = "needs npm's ws, and seconds of real time"]
async fn npm_as_server_with_its_own_heartbeat() {
    let mut peer = node(&["server"]);
    let mut ws = connect(&peer.says("READY").await).await;
    let quiet = tokio::time::timeout(Duration::from_secs(3), ws.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    assert!(ws.rtt().samples() >= 8, "{:?}", ws.rtt());
    // It cuts who leaves one of its pings, one every 300 ms, without a pong.
    peer.says("PONGS 7").await;
    leave(ws).await;
    assert!(peer.says("CLOSED").await.starts_with("1005"));
}

#[tokio::test]
#[ignore = "needs npm's ws, and seconds of real time"]
async fn npm_as_client() {
    let (mut ws, mut peer) = accept(|url| node(&["client", url, "well"]), CONFIG).await;
    let echoed = echo_for(&mut ws, Duration::from_secs(3)).await;
    assert!(echoed >= 4, "{echoed}");
    assert!(ws.rtt().samples() >= 8, "{:?}", ws.rtt());
    peer.says("RECEIVED hello").await;
    leave(ws).await;
    assert!(peer.says("CLOSED").await.starts_with("1005"));
}

#[tokio::test]
#[ignore = "needs npm's ws, and seconds of real time"]
async fn a_peer_that_answers_no_ping_is_dead_and_hears_why() {
    let (mut ws, mut peer) = accept(|url| node(&["client", url, "mute"]), CONFIG).await;
    let (dead, after) = verdict(&mut ws).await;
    assert_eq!((dead.cause, dead.last_rtt), (Cause::NoReply, None));
    assert!(after >= Duration::from_millis(1000), "{after:?}");
    assert!(
        after <= ws.detection_bound().map(|bound| bound.quiet).unwrap() + SLACK,
        "{after:?}"
    );
    assert!(farewell(ws, &dead, Duration::from_secs(1), &Tokio).await);
    let closed = peer.says("CLOSED").await;
    assert!(
        closed.starts_with("1011 no reply to 2 pings within 1s each"),
        "{closed}"
    );
}

#[tokio::test]
#[ignore = "needs npm's ws, and seconds of real time"]
async fn a_wrong_payload_is_life_but_no_answer() {
    let wrong = |url: &str| node(&["client", url, "wrong"]);
    let (mut ws, _peer) = accept(wrong, CONFIG.proof(Proof::PongOnly)).await;
    let (dead, _) = verdict(&mut ws).await;
    assert_eq!((dead.cause, dead.last_rtt), (Cause::NoReply, None));

    let (mut ws, _peer) = accept(wrong, CONFIG).await;
    echo_for(&mut ws, Duration::from_secs(3)).await;
    assert_eq!(ws.rtt().samples(), 0);
}

#[tokio::test]
#[ignore = "needs npm's ws, and seconds of real time"]
async fn ten_thousand_pings_are_a_flood_or_are_taken() {
    let flood = |url: &str| node(&["client", url, "flood"]);
    let (mut ws, _peer) = accept(flood, CONFIG).await;
    let ended = end(&mut ws).await;
    assert!(
        matches!(&ended, Some(Error::Flooded(flooded)) if flooded.pings > 1000),
        "{ended:?}"
    );

    let (ws, _peer) = accept(flood, CONFIG).await;
    let mut ws = ws.flood_limit(FloodLimit::OFF);
    echo_for(&mut ws, Duration::from_secs(2)).await;
    assert!(ws.rtt().samples() >= 3, "{:?}", ws.rtt());
}

#[tokio::test]
#[ignore = "needs npm's ws, and seconds of real time"]
async fn a_slow_message_is_no_silence() {
    // It takes four reply timeouts to arrive, and no ping is answered until it has.
    let (mut ws, _peer) = accept(|url| node(&["client", url, "slow"]), CONFIG).await;
    let start = Instant::now();
    let message = ws.next().await.unwrap().unwrap();
    assert_eq!(message.len(), 5_000_000);
    assert!(
        start.elapsed() > Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    // After it the peer is mute, and then that counts.
    let (dead, _) = verdict(&mut ws).await;
    assert_eq!(dead.cause, Cause::NoReply);
}

#[tokio::test]
#[ignore = "needs npm's ws, and seconds of real time"]
async fn a_peer_that_stops_reading_is_a_write_stall() {
    let config = CONFIG
        .ping_when(PingWhen::Never)
        .write_stall(Duration::from_secs(1));
    let (mut ws, _peer) = accept(|url| node(&["client", url, "stalled"]), config).await;
    let start = Instant::now();
    let stuck = loop {
        if let Err(error) = ws.send(Message::binary(vec![7; 1 << 20])).await {
            break error;
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the link takes everything"
        );
    };
    let Error::Dead(dead) = stuck else {
        panic!("{stuck:?}")
    };
    assert_eq!(dead.cause, Cause::WriteStalled);
    let start = Instant::now();
    assert!(!farewell(ws, &dead, Duration::from_millis(300), &Tokio).await);
    assert!(start.elapsed() < Duration::from_secs(1));
}
