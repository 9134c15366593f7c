//! Three lines around a socket that is handed to other people's code.
//!
//! `fetch` knows nothing of timeouts. It gets a socket that fails when nothing moves any more, and
//! returns, where it would have waited for ever.
//!
//! ```sh
//! cargo run --example wrap_existing --all-features
//! ```

use std::time::Duration;

use liveness::Tokio;
use liveness::io::IdleTimeout;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Other people's code: asks a question and reads lines until the peer is done.
async fn fetch(socket: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<usize> {
    let mut socket = BufReader::new(socket);
    socket.write_all(b"list\n").await?;
    let mut lines = 0;
    let mut line = String::new();
    while socket.read_line(&mut line).await? > 0 {
        lines += 1;
        println!("got {:?}", line.trim_end());
        line.clear();
    }
    Ok(lines)
}

/// A server that stops in the middle of its answer, and stays connected.
async fn hang(listener: TcpListener) -> std::io::Result<()> {
    let (mut socket, _) = listener.accept().await?;
    for part in ["one\n", "two\n"] {
        socket.write_all(part.as_bytes()).await?;
        // The point of the example: an answer that is slow is not one that has stopped.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    println!("(the server hangs)");
    std::future::pending().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(hang(listener));

    let socket = TcpStream::connect(addr).await?;
    let socket = IdleTimeout::new(socket, Duration::from_millis(500), Tokio);
    match fetch(socket).await {
        Ok(lines) => println!("done, {lines} lines"),
        Err(error) => println!("gave up: {error} ({})", error.kind()),
    }
    Ok(())
}
