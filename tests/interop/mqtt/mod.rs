//! MQTT: real brokers and real clients as the peers.
//!
//! `.ci/setup-mqtt` installs them all. What a peer does and when is real time here, so lower bounds
//! are exact, upper bounds are generous, and all tests run at once.

mod broker;
mod ejabberd;
mod our_broker;
mod our_client;
mod proxies;

use std::net::TcpListener as StdListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::BytesMut;
use liveness::mqtt::{Connect, Packet, Scanner, Version, Will};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::program::Program;

/// What a busy machine may add to a promise.
const SLACK: Duration = Duration::from_secs(2);

/// Where `.ci/setup-mqtt` puts what it installs, and where brokers have their files.
fn tools() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mqtt")
}

/// A port that is free.
fn free_port() -> u16 {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A Mosquitto of its own, on a port of its own.
struct Mosquitto {
    program: Program,
    port: u16,
}

impl Mosquitto {
    async fn start(options: &str) -> Self {
        let port = free_port();
        let file = tools().join(format!("mosquitto-{port}.conf"));
        std::fs::create_dir_all(tools()).unwrap();
        let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\n{options}\n");
        std::fs::write(&file, text).unwrap();
        // A service's directory is not in every PATH.
        let path = "/usr/sbin/mosquitto";
        let path = if Path::new(path).exists() {
            path
        } else {
            "mosquitto"
        };
        let mut program = Program::start(Command::new(path).arg("-v").arg("-c").arg(&file));
        program.says("running").await;
        let _ = std::fs::remove_file(file);
        Self { program, port }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// `mosquitto_sub` on all topics, which says `TOPIC PAYLOAD`.
    async fn subscriber(&self) -> Program {
        let port = self.port.to_string();
        let mut program =
            Program::start(mosquitto_sub().args(["-p", &port, "-t", "#", "-v", "-d"]));
        program.says("received SUBACK").await;
        program
    }
}

/// It keeps what it says in a buffer when nobody looks, without the wrapper.
fn mosquitto_sub() -> Command {
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "mosquitto_sub"]);
    command
}

fn connect(version: Version, id: &str, keep_alive: u16) -> Connect {
    let mut connect = Connect::new(version, id);
    connect.keep_alive = keep_alive;
    connect.will = Some(Will::new(format!("wills/{id}"), "gone"));
    connect
}

async fn send_connect(socket: &mut (impl AsyncWrite + Unpin), connect: &Connect) {
    let mut bytes = BytesMut::new();
    connect.encode(&mut bytes).unwrap();
    socket.write_all(&bytes).await.unwrap();
}

/// The next packet; `None` at the end of the stream.
async fn next(socket: &mut (impl AsyncRead + Unpin), scanner: &mut Scanner) -> Option<Packet> {
    loop {
        let mut byte = [0];
        if socket.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        let (_, packet) = scanner.scan(&byte).unwrap();
        if packet.is_some() {
            return packet;
        }
    }
}
