//! The core driven by hand: no runtime, no async, a blocking UDP socket.
//!
//! Three steps, and the same three for any loop of your own:
//!
//! 1. wait for input until `poll_timeout()`;
//! 2. report what came, *before* time is moved;
//! 3. call `handle_timeout(now)` until it returns `None`, and do what it says.
//!
//! ```sh
//! cargo run --example sans_io_loop
//! ```

// A loop of one's own reads its own clock.
#![allow(clippy::disallowed_methods)]

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use liveness::{Answers, Dead, Keepalive, KeepaliveConfig, KeepaliveEvent, Seq};

const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .interval(Duration::from_millis(200))
    .reply_timeout(Duration::from_millis(100))
    .max_unanswered(3);

/// Keeps asking until the peer is dead.
fn watch(socket: &UdpSocket) -> Result<Dead, Box<dyn std::error::Error>> {
    let mut keepalive = Keepalive::new(CONFIG, 0, Instant::now())?;
    loop {
        // 1. Wait, but not longer than the core wants to.
        let wait = keepalive
            .poll_timeout()
            .map(|due| due.saturating_duration_since(Instant::now()))
            .map(|wait| wait.max(Duration::from_millis(1)));
        socket.set_read_timeout(wait)?;
        let mut buf = [0; 8];
        let received = socket.recv(&mut buf);

        // 2. Input first.
        let now = Instant::now();
        if received.is_ok_and(|n| n == buf.len()) {
            let seq = Seq::new(u64::from_be_bytes(buf));
            println!(
                "pong {seq}: {:?}",
                keepalive.on_pong(Answers::Ping(seq), now)
            );
        }

        // 3. Then time.
        while let Some(event) = keepalive.handle_timeout(now) {
            match event {
                KeepaliveEvent::Look => {} // comes only after `on_more_input`
                KeepaliveEvent::Ping(seq) => {
                    println!("ping {seq}");
                    socket.send(&seq.value().to_be_bytes())?;
                    keepalive.on_ping_sent(seq, now);
                }
                KeepaliveEvent::Dead(dead) => return Ok(dead),
            }
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (near, far) = (
        UdpSocket::bind("127.0.0.1:0")?,
        UdpSocket::bind("127.0.0.1:0")?,
    );
    near.connect(far.local_addr()?)?;
    far.connect(near.local_addr()?)?;

    // A peer that echoes three datagrams and then falls silent.
    let peer = std::thread::spawn(move || -> std::io::Result<UdpSocket> {
        let mut buf = [0; 8];
        for _ in 0..3 {
            let n = far.recv(&mut buf)?;
            far.send(&buf[..n])?;
        }
        Ok(far)
    });

    let dead = watch(&near)?;
    println!("{dead}");
    let bound = CONFIG
        .detection_bound()
        .map(|bound| bound.quiet)
        .unwrap_or_default();
    println!("promised: {bound:?} after the last answer, plus the time this loop wakes up late");
    peer.join().map_err(|_| "the peer panicked")??;
    Ok(())
}
