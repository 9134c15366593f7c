//! npm's Socket.IO 4, in both roles: heartbeats as the packets `2` and `3` of Engine.IO.

use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use liveness::websocket::{Fixed, Text};
use liveness::{Cause, Error, KeepaliveConfig, PingPong, Tokio};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use super::{Program, tools};

/// The numbers of both servers, ours and theirs.
const INTERVAL: Duration = Duration::from_millis(300);
const TIMEOUT: Duration = Duration::from_millis(500);
/// What a busy machine may add to a promise.
const SLACK: Duration = Duration::from_millis(700);

type Alive = PingPong<WebSocketStream<TcpStream>, Text<Fixed>, Tokio>;

fn keep(ws: WebSocketStream<TcpStream>, config: KeepaliveConfig) -> Alive {
    PingPong::new(ws, Text::new(Fixed::engine_io()), config, Tokio).unwrap()
}

fn node(arguments: &[&str]) -> Program {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/interop/websocket/socket_io.mjs"
    );
    Program::start(
        Command::new("node")
            .env("TOOLS", tools())
            .arg(script)
            .args(arguments),
    )
}

/// A client of theirs, with the packets exchanged that open a connection.
async fn connect(config: KeepaliveConfig) -> (Alive, Program) {
    let mut server = node(&["server"]);
    let port = server.says("READY").await;
    let socket = TcpStream::connect(format!("127.0.0.1:{port}"))
        .await
        .unwrap();
    let url = format!("ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket");
    let (ws, _) = client_async(url, socket).await.unwrap();
    let mut ws = keep(ws, config);
    let open = ws.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(
        open.contains(r#""pingInterval":300,"pingTimeout":500"#),
        "{open}"
    );
    ws.send("40".into()).await.unwrap();
    let connected = ws.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(connected.starts_with("40{"), "{connected}");
    (ws, server)
}

#[tokio::test]
#[ignore = "needs npm's socket.io, and seconds of real time"]
async fn as_a_client_it_answers_and_finds_a_stopped_server() {
    let (mut ws, mut server) = connect(KeepaliveConfig::engine_io_client(INTERVAL, TIMEOUT)).await;
    let quiet = timeout(Duration::from_secs(4), ws.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    server.says("PONGS 10").await;
    server.signal("STOP").await;
    let start = Instant::now();
    let end = ws.next().await;
    assert!(
        matches!(end, Some(Err(Error::Dead(dead))) if dead.cause == Cause::Silent),
        "{end:?}"
    );
    assert!(
        start.elapsed() < INTERVAL + TIMEOUT + SLACK,
        "{:?}",
        start.elapsed()
    );
}

/// Why there is a preset: the server takes no ping from a client.
#[tokio::test]
#[ignore = "needs npm's socket.io, and seconds of real time"]
async fn a_client_that_asks_is_cut_off() {
    let asks = KeepaliveConfig::new().interval(INTERVAL / 2);
    let (mut ws, mut server) = connect(asks).await;
    server.says("CLOSED").await;
    let end = timeout(Duration::from_secs(4), async {
        while let Some(Ok(_)) = ws.next().await {}
    });
    assert!(end.await.is_ok(), "it is still open");
}

#[tokio::test]
#[ignore = "needs npm's socket.io, and seconds of real time"]
async fn as_a_server_it_asks_and_finds_a_stopped_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = node(&[
        "client",
        &format!("http://{}", listener.local_addr().unwrap()),
    ]);
    let (socket, _) = listener.accept().await.unwrap();
    let config = KeepaliveConfig::engine_io_server(INTERVAL, TIMEOUT);
    let mut ws = keep(accept_async(socket).await.unwrap(), config);
    let open =
        r#"0{"sid":"a","upgrades":[],"pingInterval":300,"pingTimeout":500,"maxPayload":1000}"#;
    ws.send(open.into()).await.unwrap();
    assert_eq!(ws.next().await.unwrap().unwrap(), "40".into());
    ws.send(r#"40{"sid":"a"}"#.into()).await.unwrap();
    client.says("CONNECTED").await;

    let quiet = timeout(Duration::from_secs(4), ws.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    client.says("PINGS 10").await;
    assert!(ws.rtt().samples() >= 10, "{:?}", ws.rtt());

    client.signal("STOP").await;
    let start = Instant::now();
    let end = ws.next().await;
    assert!(
        matches!(end, Some(Err(Error::Dead(dead))) if dead.cause == Cause::NoReply),
        "{end:?}"
    );
    assert!(
        start.elapsed() < INTERVAL + TIMEOUT + SLACK,
        "{:?}",
        start.elapsed()
    );
    // And the client waits no longer than it was told.
    drop(ws);
    client.signal("CONT").await;
    client.says("DISCONNECTED").await;
}
