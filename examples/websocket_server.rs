//! Echoes WebSocket messages, keeps each connection alive, and says when and why one is dead.
//!
//! ```sh
//! cargo run --example websocket_server --all-features -- 127.0.0.1:9001
//! ```

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use liveness::io::track;
use liveness::websocket::{Frames, farewell};
use liveness::{Error, IdleConfig, KeepaliveConfig, PingPong, Tokio};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;

const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .interval(Duration::from_secs(2))
    .reply_timeout(Duration::from_secs(2));

const HANDSHAKE: Duration = Duration::from_secs(10);

async fn serve(socket: TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    // The bytes below count as life, so that a large message on a slow link does.
    let (socket, _idle) = track(socket, IdleConfig::new(), Tokio);
    let activity = socket.activity();
    // No heartbeat can be sent before the handshake is over.
    let ws = tokio::time::timeout(HANDSHAKE, accept_async(socket)).await??;
    // The one line:
    let mut ws = PingPong::new(ws, Frames::new(), CONFIG, Tokio)?.with_activity(activity);

    while let Some(message) = ws.next().await {
        match message {
            Ok(message) if message.is_text() || message.is_binary() => ws.send(message).await?,
            Ok(_close) => {}
            Err(Error::Dead(dead)) => {
                // A peer that only hung gets to know why; a dead link costs one more second.
                farewell(ws, &dead, Duration::from_secs(1), &Tokio).await;
                return Err(dead.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:9001")).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (socket, peer) = listener.accept().await?;
        println!("{peer} connected");
        tokio::spawn(async move {
            match serve(socket).await {
                Ok(()) => println!("{peer} closed"),
                Err(error) => println!("{peer} {error}"),
            }
        });
    }
}
