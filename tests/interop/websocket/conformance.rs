//! The cases of the Autobahn suite, run by `kosoku`: with our heartbeats flying around a
//! `tungstenite` echo, each case ends as it does without them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use futures::{Sink, SinkExt, Stream, StreamExt};
use liveness::io::KeepaliveStream;
use liveness::websocket::{Frames, Wire};
use liveness::{KeepaliveConfig, PingPong, PingWhen, Tokio};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};
use tungstenite::Message;

use super::{Program, tools};

/// Framing, pings and pongs, reserved bits, opcodes, fragmentation, closing, automatic fragments.
const GROUPS: [&str; 7] = ["1.*", "2.*", "3.*", "4.*", "5.*", "7.*", "10.*"];
const CASES: usize = 102;

/// What is around the echo.
#[derive(Debug, Clone, Copy)]
enum Around {
    Nothing,
    /// Around the messages.
    PingPong,
    /// Below the library.
    KeepaliveStream,
}

/// Each case's number, and how it and its close ended.
type Verdicts = BTreeMap<String, (String, String)>;

const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .interval(Duration::from_millis(20))
    .ping_when(PingWhen::Always)
    .reply_timeout(Duration::from_secs(10));

/// What marks our pings in the suite's record: what `Wire`'s begin with, and here `Frames`' too.
const PREFIX: &str = "live";

async fn echo<E: Debug>(
    mut ws: impl Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin,
) {
    while let Some(Ok(message)) = ws.next().await {
        if (message.is_text() || message.is_binary()) && ws.send(message).await.is_err() {
            return;
        }
    }
}

async fn echo_with<S>(ws: WebSocketStream<S>, around: Around)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match around {
        Around::Nothing | Around::KeepaliveStream => echo(ws).await,
        Around::PingPong => {
            let frames = Frames::new().prefix(PREFIX).unwrap();
            echo(PingPong::new(ws, frames, CONFIG, Tokio).unwrap()).await;
        }
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

fn below(socket: TcpStream, wire: Wire, around: Around) -> Box<dyn Socket> {
    match around {
        Around::Nothing | Around::PingPong => Box::new(socket),
        Around::KeepaliveStream => {
            Box::new(KeepaliveStream::new(socket, wire, CONFIG, Tokio).unwrap())
        }
    }
}

fn kosoku(mode: &str, address: &str, reports: &Path) -> Command {
    let _ = std::fs::remove_dir_all(reports);
    let mut command = Command::new(tools().join("python/bin/kosoku"));
    command.args(["--mode", mode, "--outdir"]).arg(reports);
    command.args(GROUPS.iter().flat_map(|group| ["--include", group]));
    command.arg(address);
    command
}

/// What the suite found, but for one thing: it takes every ping that comes for an event of the
/// case, and so fails cases for the pings that are flying on purpose. Those are taken out of its
/// record, and the rest is held against what it expected.
fn read(reports: &Path) -> Verdicts {
    let open = |file: &str| -> Value {
        serde_json::from_slice(&std::fs::read(reports.join(file)).unwrap()).unwrap()
    };
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let index = open("index.json");
    let cases = index
        .as_object()
        .unwrap()
        .values()
        .flat_map(|agent| agent.as_object().unwrap());
    cases
        .map(|(case, ended)| {
            let report = open(ended["reportfile"].as_str().unwrap());
            let mut behavior = word(&ended["behavior"]);
            if behavior == "FAILED" {
                let mut received = report["received"].clone();
                received
                    .as_array_mut()
                    .unwrap()
                    .retain(|event| !is_ours(event));
                let expected = report["expected"].as_object().unwrap();
                let met = expected.iter().find(|(_, events)| **events == received);
                behavior = met.map_or(behavior, |(behavior, _)| behavior.clone());
            }
            (case.clone(), (behavior, word(&ended["behaviorClose"])))
        })
        .collect()
}

fn is_ours(event: &Value) -> bool {
    event[0] == "ping"
        && event[1]
            .as_str()
            .is_some_and(|payload| payload.starts_with(PREFIX))
}

async fn as_server(around: Around) -> Verdicts {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let socket = below(socket, Wire::server(), around);
                if let Ok(ws) = accept_async(socket).await {
                    echo_with(ws, around).await;
                }
            });
        }
    });
    let reports = tools().join(format!("reports/server-{around:?}"));
    let mut command = kosoku("fuzzingclient", &address, &reports);
    Program::start(&mut command)
        .end(Duration::from_secs(120))
        .await;
    server.abort();
    read(&reports)
}

async fn as_client(around: Around) -> Verdicts {
    // A port that was free a moment ago: the suite cannot choose one itself.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let reports = tools().join(format!("reports/client-{around:?}"));
    let suite = Program::start(&mut kosoku("fuzzingserver", &address, &reports));
    let connect = async |path: &str| {
        let socket = loop {
            match TcpStream::connect(&address).await {
                Ok(socket) => break socket,
                // The suite is still starting.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        let socket = below(socket, Wire::client(), around);
        client_async(format!("ws://{address}{path}"), socket)
            .await
            .unwrap()
            .0
    };
    let count = connect("/getCaseCount")
        .await
        .next()
        .await
        .unwrap()
        .unwrap();
    let count: usize = count.to_text().unwrap().parse().unwrap();
    for case in 1..=count {
        let ws = connect(&format!("/runCase?case={case}&agent=liveness")).await;
        echo_with(ws, around).await;
    }
    let mut report = connect("/updateReports?agent=liveness").await;
    while let Some(Ok(_)) = report.next().await {}
    suite.end(Duration::from_secs(60)).await;
    read(&reports)
}

fn compare(bare: &Verdicts, kept: &Verdicts) {
    assert_eq!(bare.len(), CASES);
    let differ: Vec<_> = kept
        .iter()
        .filter(|(case, ended)| bare[*case] != **ended)
        .collect();
    assert!(
        kept.len() == CASES && differ.is_empty(),
        "ended otherwise: {differ:?}"
    );
    let failed: Vec<_> = kept
        .iter()
        .filter(|(_, (ended, _))| ended == "FAILED")
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
#[ignore = "needs kosoku, and seconds of real time"]
async fn a_server_with_heartbeats_ends_every_case_as_one_without() {
    let bare = as_server(Around::Nothing).await;
    compare(&bare, &as_server(Around::PingPong).await);
    compare(&bare, &as_server(Around::KeepaliveStream).await);
}

#[tokio::test]
#[ignore = "needs kosoku, and seconds of real time"]
async fn a_client_with_heartbeats_ends_every_case_as_one_without() {
    let bare = as_client(Around::Nothing).await;
    compare(&bare, &as_client(Around::PingPong).await);
    compare(&bare, &as_client(Around::KeepaliveStream).await);
}
