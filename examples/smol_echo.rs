//! The same on smol: frames over TCP, kept alive on both sides.
//!
//! ```sh
//! cargo run --example smol_echo --all-features
//! ```

use std::time::Duration;

use asynchronous_codec::Framed;
use futures::{SinkExt, StreamExt};
use liveness::io::Tracked;
use liveness::tcp::{Frame, FrameError, Frames, TcpCodec};
use liveness::{ConfigError, Error, KeepaliveConfig, PingPong, Smol};
use smol::net::{TcpListener, TcpStream};

const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .interval(Duration::from_millis(100))
    .reply_timeout(Duration::from_millis(400));

type Connection = PingPong<Framed<Tracked<TcpStream, Smol>, TcpCodec>, Frames, Smol>;

fn keep_alive(socket: TcpStream) -> Result<Connection, ConfigError> {
    PingPong::framed(socket, TcpCodec::new(), Frames::new(), CONFIG, Smol)
}

async fn echo(mut connection: Connection) -> Result<(), Error<FrameError>> {
    while let Some(frame) = connection.next().await {
        connection.send(frame?).await?;
    }
    println!("server: the client has closed");
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let mut client = keep_alive(TcpStream::connect(addr).await?)?;
        let (accepted, _) = listener.accept().await?;
        let server = smol::spawn(echo(keep_alive(accepted)?));

        client.send(Frame::Data("hello smol".into())).await?;
        if let Some(Frame::Data(text)) = client.next().await.transpose()? {
            println!("client: echoed {:?}", String::from_utf8_lossy(&text));
        }

        // Quiet for half a second, in which heartbeats go both ways.
        let quiet = smol::Timer::after(Duration::from_millis(500));
        futures::future::select(client.next(), quiet).await;
        let rtt = client.rtt();
        let smoothed = rtt.smoothed().unwrap_or_default();
        println!(
            "client: {} round trips, smoothed {smoothed:.1?}",
            rtt.samples()
        );

        client.close().await?;
        drop(client);
        server.await?;
        Ok(())
    })
}
