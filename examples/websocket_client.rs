//! Says hello to a WebSocket server now and then, shows the round trip, and says when and why the
//! server is dead.
//!
//! ```sh
//! cargo run --example websocket_client --all-features -- ws://127.0.0.1:9001
//! ```

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use liveness::io::track;
use liveness::websocket::Frames;
use liveness::{Error, IdleConfig, KeepaliveConfig, PingPong, Tokio};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tungstenite::Message;
use tungstenite::client::IntoClientRequest as _;

const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .interval(Duration::from_secs(2))
    .reply_timeout(Duration::from_secs(2));

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args()
        .nth(1)
        .unwrap_or("ws://127.0.0.1:9001".into());
    let request = url.as_str().into_client_request()?;
    let host = request.uri().host().unwrap_or_default().to_owned();
    let port = request.uri().port_u16().unwrap_or(80);
    let connect = async {
        let socket = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        // The bytes below count as life, so that a large message on a slow link does.
        let (socket, _idle) = track(socket, IdleConfig::new(), Tokio);
        let activity = socket.activity();
        // For `wss` it is `client_async_tls`, with a feature of that library for TLS.
        let (ws, _response) = client_async(request, socket).await?;
        Ok::<_, tungstenite::Error>((ws, activity))
    };
    // No heartbeat can be sent before the handshake is over.
    let (ws, activity) = tokio::time::timeout(Duration::from_secs(10), connect).await??;

    // The one line:
    let mut ws = PingPong::new(ws, Frames::new(), CONFIG, Tokio)?.with_activity(activity);

    let bound = ws
        .detection_bound()
        .map(|bound| bound.quiet)
        .unwrap_or_default();
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
            // Why a message cannot be sent, `next()` tells: what the peer said last is still to be
            // read.
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
