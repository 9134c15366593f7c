//! The main job: a server and a client on real sockets, and a link between them that is cut without
//! a word. Both sides find out, within the promised time, and say why.
//!
//! ```sh
//! cargo run --example quickstart --all-features
//! ```

use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use liveness::io::{IdleEvents, Tracked, track};
use liveness::tcp::{Frame, Frames, TcpCodec};
use liveness::{ConfigError, Error, IdleConfig, KeepaliveConfig, PingPong, Runtime, Tokio};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_util::codec::Framed;

const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .interval(Duration::from_millis(1000))
    .reply_timeout(Duration::from_millis(500));

const IDLE: IdleConfig = IdleConfig::new().reader(Duration::from_millis(700));

/// A socket that tells when it is idle.
type Socket = Tracked<TcpStream, Tokio>;

/// A connection as an application has it: frames over TCP, kept alive.
type Connection = PingPong<Framed<Tracked<Socket, Tokio>, TcpCodec>, Frames, Tokio>;

/// These lines are all that it takes: one for the idle events, one for the rest.
fn keep_alive(socket: TcpStream) -> Result<(Connection, IdleEvents<Tokio>), ConfigError> {
    let (socket, idle) = track(socket, IDLE, Tokio);
    let connection = PingPong::framed(socket, TcpCodec::new(), Frames::new(), CONFIG, Tokio)?;
    Ok((connection, idle))
}

/// Says hello until it has no message left, reports what it sees, and ends with the verdict.
async fn talk(
    name: &'static str,
    (mut connection, mut idle): (Connection, IdleEvents<Tokio>),
    mut to_say: u32,
    log: Log,
) -> Option<Instant> {
    let mut hello = tokio::time::interval(ms(333));
    let mut look = tokio::time::interval(ms(20));
    let mut measured = 0;
    loop {
        tokio::select! {
            message = connection.next() => match message? {
                Ok(Frame::Data(text)) => {
                    log.line(name, &format!("received {:?}", String::from_utf8_lossy(&text)));
                }
                Ok(_) => {}
                Err(Error::Dead(dead)) => {
                    log.line(name, &format!("DEAD: {dead}"));
                    return Some(Tokio.now());
                }
                Err(error) => log.line(name, &format!("{error}")),
            },
            Some(event) = idle.next() => log.line(name, &format!("idle event: {event}")),
            _ = hello.tick(), if to_say > 0 => {
                to_say -= 1;
                let text = format!("hello from the {name}, {to_say} to go");
                if let Err(error) = connection.send(Frame::Data(text.into())).await {
                    log.line(name, &format!("cannot send: {error}"));
                }
            }
            _ = look.tick() => {
                let rtt = *connection.rtt();
                if let (true, Some(latest)) = (rtt.samples() > measured, rtt.latest()) {
                    measured = rtt.samples();
                    log.line(name, &format!("round trip {:.1} ms", latest.as_secs_f64() * 1e3));
                }
            }
        }
    }
}

/// Passes bytes both ways until it is cut; then it holds both sockets and passes nothing: no FIN,
/// no RST, as when a cable is pulled.
async fn link(mut near: TcpStream, mut far: TcpStream, cut: oneshot::Receiver<()>) {
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = cut => std::future::pending().await,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = Log { start: Tokio.now() };
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let cable = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(cable.local_addr()?).await?;
    let (near, _) = cable.accept().await?;
    let far = TcpStream::connect(server.local_addr()?).await?;
    let (accepted, peer) = server.accept().await?;
    let (server, client) = (keep_alive(accepted)?, keep_alive(client)?);
    let promise = client
        .0
        .detection_bound()
        .map(|bound| bound.quiet)
        .ok_or("this configuration promises nothing")?;
    println!("A server and a client, and between them a link that can be cut.\n");
    println!(
        "  asks     after {:?} without a byte; the answer is due within {:?}",
        ms(1000),
        ms(500)
    );
    println!("  promise  a dead peer is found within {promise:?} of its last byte\n");
    log.line("server", &format!("accepted {peer}"));

    let (cut, is_cut) = oneshot::channel();
    tokio::spawn(link(near, far, is_cut));
    let at_server = tokio::spawn(talk("server", server, 2, log));
    let at_client = tokio::spawn(talk("client", client, 4, log));

    // A demonstration happens in real time.
    tokio::time::sleep(ms(4500)).await;
    let cut_at = Tokio.now();
    log.line(
        "LINK",
        "cut, without a FIN or a RST; both sockets stay open",
    );
    cut.send(())
        .map_err(|()| "the link was gone before it was cut")?;

    let verdicts = (at_server.await?, at_client.await?);
    let (Some(server), Some(client)) = verdicts else {
        return Err("a side ended without a verdict".into());
    };
    println!();
    for (name, found) in [("server", server), ("client", client)] {
        let took = found.saturating_duration_since(cut_at);
        println!("  {name}   knew {:.2} s after the cut", took.as_secs_f64());
    }
    println!(
        "  promised: {promise:?} after the last byte, at the latest. TCP alone knew nothing yet."
    );
    Ok(())
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Lines with the time since the start.
#[derive(Clone, Copy)]
struct Log {
    start: Instant,
}

impl Log {
    fn line(self, who: &str, what: &str) {
        println!(
            "{:7.2} s  {who:<7} {what}",
            (Tokio.now() - self.start).as_secs_f64()
        );
    }
}
