//! Holds a connection to an MQTT broker through idleness, shows the round trips, and says when and
//! why the broker is dead. A raw socket and one wrapper around it; no MQTT library.
//!
//! ```sh
//! cargo run --example mqtt_client --all-features -- 127.0.0.1:1883 10     # a keep alive of 10 s
//! cargo run --example mqtt_client --all-features   # a broker in this process that hangs after 3 s
//! ```

use std::error::Error;
use std::time::Duration;

use bytes::BytesMut;
use liveness::io::KeepaliveStream;
use liveness::mqtt::{
    self, BrokerConfig, BrokerKeepalive, ClientConfig, ConnAck, Connect, Disconnect, PINGRESP,
    Packet, Scanner, Version, reason,
};
use liveness::{Dead, KeepaliveConfig, Runtime as _, Tokio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep_until;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next() {
        Some(address) => {
            let keep_alive = arguments.next().map_or(Ok(10), |text| text.parse())?;
            hold(&address, keep_alive).await
        }
        None => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?.to_string();
            tokio::select! {
                ended = hold(&address, 1) => ended,
                ended = broker(&listener) => ended,
            }
        }
    }
}

/// Connects, and stays until the broker is dead or has closed.
async fn hold(address: &str, keep_alive: u16) -> Result<()> {
    let socket = TcpStream::connect(address).await?;

    // The one line:
    let wire = mqtt::Wire::client(ClientConfig::new());
    let mut socket = KeepaliveStream::new(socket, wire, KeepaliveConfig::off(), Tokio)?;

    let mut connect = Connect::new(Version::V5, format!("liveness-{}", std::process::id()));
    connect.keep_alive = keep_alive;
    let mut bytes = BytesMut::new();
    connect.encode(&mut bytes)?;
    socket.write_all(&bytes).await?;

    let mut scanner = Scanner::from_server();
    let (mut buf, mut shown) = ([0; 4096], 0);
    let ended = loop {
        let read = tokio::select! {
            read = socket.read(&mut buf) => read,
            () = tokio::time::sleep(Duration::from_millis(200)) => {
                if let (true, Some(rtt)) = (socket.rtt().samples() > shown, socket.rtt().latest()) {
                    shown = socket.rtt().samples();
                    println!("round trip {rtt:?}");
                }
                continue;
            }
            _ = tokio::signal::ctrl_c() => {
                let mut bytes = BytesMut::new();
                Disconnect::new(reason::NORMAL).encode(Version::V5, &mut bytes)?;
                return Ok(socket.write_all(&bytes).await?);
            }
        };
        let count = match read {
            Ok(0) => break "the broker has closed".to_owned(),
            Ok(count) => count,
            Err(error) => match Dead::find(&error) {
                Some(dead) => break format!("DEAD: {dead}"),
                None => return Err(error.into()),
            },
        };
        let mut rest = buf.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            let (consumed, packet) = scanner.scan(rest)?;
            rest = rest.get(consumed..).unwrap_or_default();
            match packet {
                Some(Packet::ConnAck(ack)) if ack.code == 0 => {
                    match (
                        socket.wire().keep_alive(),
                        socket.detection_bound().map(|bound| bound.quiet),
                    ) {
                        (Some(seconds), Some(bound)) => println!(
                            "connected to {address}; keep alive {seconds} s, dead after {bound:?}"
                        ),
                        _ => println!("connected to {address}; keep alive is off"),
                    }
                }
                Some(packet) => println!("received {packet:?}"),
                None => {}
            }
        }
    };
    println!("{ended}");
    Ok(())
}

/// The least that a broker does, for one client and three seconds.
async fn broker(listener: &TcpListener) -> Result<()> {
    let (mut socket, _) = listener.accept().await?;
    let mut watch = BrokerKeepalive::new(BrokerConfig::new(), Tokio.now())?;
    let mut buf = [0; 4096];
    let hangs_at = Tokio.now() + Duration::from_secs(3);
    while Tokio.now() < hangs_at {
        let due = watch.poll_timeout().unwrap_or(hangs_at);
        let count = tokio::select! {
            read = socket.read(&mut buf) => read?,
            () = sleep_until(due.min(hangs_at).into()) => {
                if let Some(expired) = watch.handle_timeout(Tokio.now()) {
                    println!("(the broker closes: {expired})");
                    return Ok(());
                }
                continue;
            }
        };
        let mut rest = buf.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            let from = watch.on_receive(rest, Tokio.now())?;
            rest = rest.get(from.consumed..).unwrap_or_default();
            if let Some(Packet::Connect(connect)) = from.packet {
                let ack = ConnAck::new(0);
                let mut bytes = BytesMut::new();
                ack.encode(connect.version, &mut bytes)?;
                let owed = watch.on_connack(&ack, Tokio.now());
                bytes.extend(PINGRESP.repeat(owed.into()));
                socket.write_all(&bytes).await?;
            }
            if let Some(pong) = from.reply {
                socket.write_all(&pong).await?;
            }
        }
    }
    println!("(the broker hangs)");
    std::future::pending().await
}
