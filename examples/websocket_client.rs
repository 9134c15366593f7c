//! Says hello to a WebSocket server now and then, shows the round trip, and says when and why the
//! server is dead.
//!
//! ```sh
//! cargo run --example websocket_client --all-features -- ws://127.0.0.1:9001
//! ```

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use liveness::websocket::Frames;
use liveness::{Error, KeepaliveConfig, PingPong, Tokio};
use tokio_tungstenite::connect_async;
use tungstenite::Message;

const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .interval(Duration::from_secs(2))
    .reply_timeout(Duration::from_secs(2));

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args()
        .nth(1)
        .unwrap_or("ws://127.0.0.1:9001".into());
    let (ws, _response) = connect_async(&url).await?;

    // The one line:
    let mut ws = PingPong::new(ws, Frames::new(), CONFIG, Tokio)?;

    let bound = ws.detection_bound().unwrap_or_default();
    println!("connected to {url}; dead when silent for {bound:?}");
    let mut hello = tokio::time::interval(Duration::from_secs(5));
    let mut shown = 0;
    loop {
        tokio::select! {
            biased; // what has arrived is read before anything is written
            message = ws.next() => match message {
                Some(Ok(Message::Close(why))) => println!("closing: {why:?}"),
                Some(Ok(message)) => println!("received {message}"),
                Some(Err(Error::Dead(dead))) => break println!("DEAD: {dead}"),
                Some(Err(error)) => break println!("connection lost: {error}"),
                None => break println!("closed"),
            },
            // Why a message cannot be sent, `next()` tells: what the peer said last is still to be read.
            _ = hello.tick() => drop(ws.send(Message::text("hello")).await),
            _ = tokio::signal::ctrl_c() => ws.send(Message::Close(None)).await?,
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
        if let (true, Some(rtt)) = (ws.rtt().samples() > shown, ws.rtt().latest()) {
            shown = ws.rtt().samples();
            println!("round trip {rtt:?}");
        }
    }
    Ok(())
}
