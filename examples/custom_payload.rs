//! A payload of your own on the heartbeats between two peers, over a real TCP connection.
//!
//! A worker tells a server every 200 ms how it is doing, and each beat is answered. Then the worker
//! hangs: its socket stays open, so TCP notices nothing, but the server does.
//!
//! ```text
//! cargo run --example custom_payload --all-features
//! ```

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::StreamExt;
use liveness::detector::FixedTimeout;
use liveness::heartbeat::framed::{FramedReceiver, FramedSender};
use liveness::heartbeat::{Identity, Origin, Schedule, WatchEvent, beat, watch};
use liveness::tcp::TcpCodec;
use liveness::{DecodeError, Heartbeat, Payload, Runtime, Tokio};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::Framed;

const INTERVAL: Duration = Duration::from_millis(200);
const SUSPECT_AFTER: Duration = Duration::from_millis(500);
const DEAD_AFTER: Duration = Duration::from_millis(1000);
const WORKS_FOR: Duration = Duration::from_millis(1100);

/// What each beat carries: any type of yours, once it says how it is written and read.
#[derive(Debug, Clone, PartialEq)]
struct Status {
    load_percent: u8,
    queued: u32,
    version: (u8, u8),
}

impl Payload for Status {
    fn encode(&self, buf: &mut BytesMut) {
        buf.put_u8(self.load_percent);
        buf.put_u32(self.queued);
        buf.put_u8(self.version.0);
        buf.put_u8(self.version.1);
    }

    fn decode(mut bytes: Bytes) -> Result<Self, DecodeError> {
        if bytes.len() != 7 {
            return Err(DecodeError::length("status", 7, bytes.len()));
        }
        Ok(Self {
            load_percent: bytes.get_u8(),
            queued: bytes.get_u32(),
            version: (bytes.get_u8(), bytes.get_u8()),
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.version;
        let (load, queued) = (self.load_percent, self.queued);
        write!(
            f,
            "load {load:>2} %, {queued} queued, version {major}.{minor}"
        )
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let story = Story(Tokio.now());
    println!("The worker beats every {INTERVAL:?}. The server suspects it after {SUSPECT_AFTER:?}");
    println!("of silence, and declares it dead after {DEAD_AFTER:?}.\n");

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (served, worked) = futures::join!(server(listener, story), worker(address, story));
    served.and(worked)
}

/// Beats for a while, then hangs.
async fn worker(server: SocketAddr, story: Story) -> Result<(), Box<dyn Error>> {
    let socket = TcpStream::connect(server).await?;
    let mut sender = FramedSender::new(Framed::new(socket, TcpCodec::new()), Tokio);
    let mut queued = 0;
    let status = move || {
        queued += 3;
        Status {
            load_percent: 40 + queued,
            queued: queued.into(),
            version: (1, 4),
        }
    };
    let identity = Identity::new(Origin::new("worker-1")?, started());
    let beating = beat(
        &mut sender,
        Schedule::new(INTERVAL),
        Tokio,
        &identity,
        status,
    )?
    .on_ack(|ack| {
        let (seq, rtt) = (ack.answer.seq, ack.rtt);
        story.tell("worker", format_args!("ack  {seq} after {rtt:?}"));
        None // the interval stays
    });
    if let Ok(Err(error)) = tokio::time::timeout(WORKS_FOR, beating).await {
        return Err(error.into());
    }
    story.tell("worker", format_args!("hangs; its socket stays open"));
    tokio::time::sleep(2 * DEAD_AFTER).await;
    drop(sender);
    Ok(())
}

/// When this program began, in milliseconds: a number that is greater after each restart.
#[allow(
    clippy::disallowed_methods,
    reason = "it names this life of the worker, and times nothing"
)]
fn started() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// Watches the worker until it is dead.
async fn server(listener: TcpListener, story: Story) -> Result<(), Box<dyn Error>> {
    let (socket, _) = listener.accept().await?;
    let connection = Framed::new(socket, TcpCodec::<Heartbeat<Status>>::new());
    let rule = FixedTimeout::new(DEAD_AFTER).suspect_after(SUSPECT_AFTER);
    let mut events = watch(FramedReceiver::new(connection), rule, Tokio);
    while let Some(event) = events.next().await {
        match event {
            WatchEvent::Beat(Heartbeat { seq, payload, .. }) => {
                story.tell("server", format_args!("beat {seq}: {payload}"));
            }
            WatchEvent::Dead(silence) => {
                story.tell("server", format_args!("DEAD: {silence}"));
                return Ok(());
            }
            other => story.tell("server", format_args!("{other}")),
        }
    }
    Err("the watch ended without a verdict".into())
}

/// Prints what happens, and when.
#[derive(Clone, Copy)]
struct Story(Instant);

impl Story {
    fn tell(self, who: &str, what: fmt::Arguments<'_>) {
        let at = Tokio.now().saturating_duration_since(self.0);
        println!("{:>5} ms  {who}  {what}", at.as_millis());
    }
}
