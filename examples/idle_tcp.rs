//! An echo server that closes clients which say nothing: Netty's `IdleStateHandler` recipe.
//!
//! When *we* have been quiet for a while the client gets a sign of life; when *it* has been quiet
//! for twice as long it is shown the door.
//!
//! ```sh
//! cargo run --example idle_tcp --all-features
//! ```

use std::time::Duration;

use futures::StreamExt;
use liveness::io::track;
use liveness::{IdleConfig, IdleKind, Tokio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const IDLE: IdleConfig = IdleConfig::new()
    .writer(Duration::from_millis(500))
    .reader(Duration::from_millis(1000));

async fn serve(socket: TcpStream) -> std::io::Result<()> {
    let (mut socket, mut idle) = track(socket, IDLE, Tokio);
    let mut buf = [0; 1024];
    loop {
        tokio::select! {
            read = socket.read(&mut buf) => match read? {
                0 => return Ok(()),
                n => socket.write_all(&buf[..n]).await?,
            },
            Some(event) = idle.next() => {
                println!("server: {event}");
                match event.kind {
                    IdleKind::Writer => socket.write_all(b"still here\n").await?,
                    _ => {
                        socket.write_all(b"goodbye\n").await?;
                        return socket.shutdown().await;
                    }
                }
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    println!("server: listening on {addr}");
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await?;
        serve(socket).await
    });

    // A client that speaks once and then only listens.
    let mut client = TcpStream::connect(addr).await?;
    client.write_all(b"hello\n").await?;
    let mut heard = String::new();
    client.read_to_string(&mut heard).await?;
    for line in heard.lines() {
        println!("client heard: {line}");
    }
    server.await?
}
