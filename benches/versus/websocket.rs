//! What heartbeats add to a WebSocket: above the library with `PingPong`, and below it with
//! `KeepaliveStream`.
//!
//! All rows are times, also where the aim is a rate: a bar of 0.97 x the messages a second is one
//! of 1 / 0.97 = 1.0309 x the time of a message, and 0.95 x the bytes a second 1.0526 x the time.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::{Sink, SinkExt, Stream, StreamExt};
use liveness::io::KeepaliveStream;
use liveness::websocket::{Frames, Wire};
use liveness::{Inbound, KeepaliveConfig, PingPong, Protocol, Tokio};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::WebSocketStream;
use tungstenite::protocol::Role;
use tungstenite::{Bytes, Message};

use crate::harness::{Bar, Contest, in_task, runtime};
use crate::ping_pong::{INTERVAL, LIMIT};

const SMALL: usize = 64;
const LARGE: usize = 16 * 1024;

/// How much is written, and read, to a TCP socket at once.
const CHUNK: usize = 64 * 1024;

/// So many small messages go once through the 128 KiB that `tungstenite` reads into. Before each
/// read it clears what is left of them, so the first of a lap takes several times as long as the
/// last.
const LAP: u64 = 2000;

/// So many of them are 16 MiB: several times as much as the kernel holds, so that both sides have
/// to wait for each other.
const CHUNKS: u64 = 256;

/// 0.97 x the messages a second, as a time.
const MESSAGES: Bar = Bar::Times(1.0309);
/// 0.95 x the bytes a second, as a time.
const BULK: Bar = Bar::Times(1.0526);
/// This one is a time.
const TRIP: Bar = Bar::Times(1.05);

pub(crate) fn contests() -> Vec<Contest> {
    vec![
        echoed(
            "websocket-echo-64",
            "time of 2000 64-byte WebSocket messages there and back between two tasks, in memory",
            (SMALL, LAP),
        ),
        echoed(
            "websocket-echo-16k",
            "time of a 16-KiB WebSocket message there and back between two tasks, in memory",
            (LARGE, 1),
        ),
        sent(
            "websocket-send-64",
            "time of a 64-byte WebSocket message, one after the other to another task, in memory",
            SMALL,
        ),
        sent(
            "websocket-send-16k",
            "time of a 16-KiB WebSocket message, one after the other to another task, in memory",
            LARGE,
        ),
        bulk(),
        small_bulk(),
        library(),
        trip(),
    ]
}

fn echoed(name: &'static str, title: &'static str, load: Load) -> Contest {
    Contest::new(name, title, "ns")
        .timed("bare", move || echo(load, |ws| ws))
        .timed("a wrapper that does nothing", move || echo(load, forward))
        .timed("PingPong", move || echo(load, kept))
        .bar(MESSAGES)
        .timed("select! by hand", move || echo_by_hand(load))
}

fn sent(name: &'static str, title: &'static str, len: usize) -> Contest {
    Contest::new(name, title, "ns")
        .timed("bare", move || send(len, |ws| ws))
        .timed("a wrapper that does nothing", move || send(len, forward))
        .timed("PingPong", move || send(len, kept))
        .bar(MESSAGES)
        .timed("select! by hand", move || send_by_hand(len))
}

fn bulk() -> Contest {
    Contest::new(
        "websocket-bulk-16k",
        "time of 16 MiB over loopback TCP, in WebSocket frames of 16 KiB",
        "ns",
    )
    .timed("bare TcpStream", || write(LARGE, |io, _| io))
    .timed("KeepaliveStream", || write(LARGE, watched))
    .bar(BULK)
    // What the ratio can tell at all.
    .timed("bare TcpStream, once more", || write(LARGE, |io, _| io))
}

/// The price of a border, with as many of them as there can be: no bar, since whoever finds half a
/// million borders does more than who moves 16 MiB, and the library above does far more with each.
fn small_bulk() -> Contest {
    Contest::new(
        "websocket-bulk-64",
        "time of 16 MiB over loopback TCP, in WebSocket frames of 64 bytes",
        "ns",
    )
    .timed("bare TcpStream", || write(SMALL, |io, _| io))
    .timed("KeepaliveStream", || write(SMALL, watched))
}

/// What such borders cost whoever reads messages, and not bytes.
fn library() -> Contest {
    Contest::new(
        "websocket-tcp-64",
        "time of a 64-byte WebSocket message over loopback TCP, many at once",
        "ns",
    )
    .timed("bare TcpStream", || batch(|io, _| io))
    .timed("KeepaliveStream", || batch(watched))
}

fn trip() -> Contest {
    Contest::new(
        "websocket-trip-64",
        "time of a 64-byte WebSocket frame there and back between two tasks, over loopback TCP",
        "ns",
    )
    .timed("bare TcpStream", || ping_pong(|io, _| io))
    .timed("KeepaliveStream", || ping_pong(watched))
    .bar(TRIP)
}

/// The length of a message, and how many of them are one operation.
type Load = (usize, u64);

/// A WebSocket in memory.
type Socket = WebSocketStream<DuplexStream>;

/// The same, kept alive.
fn kept(ws: Socket) -> PingPong<Socket, Frames, Tokio> {
    PingPong::new(ws, Frames::new(), KeepaliveConfig::new(), Tokio).expect("the default is valid")
}

/// A client and its server; four large messages fit between them.
async fn sockets() -> (Socket, Socket) {
    let (near, far) = tokio::io::duplex(4 * LARGE);
    (
        WebSocketStream::from_raw_socket(near, Role::Client, None).await,
        WebSocketStream::from_raw_socket(far, Role::Server, None).await,
    )
}

fn message(len: usize) -> Bytes {
    Bytes::from(vec![7; len])
}

/// Both ends are wrapped; a task of its own sends back what it gets.
fn echo<S, E>((len, messages): Load, wrap: impl Fn(Socket) -> S) -> impl FnMut(u64)
where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin + Send + 'static,
    E: std::fmt::Debug + Send,
{
    let runtime = runtime();
    let (near, mut far) = runtime.block_on(async {
        let (near, far) = sockets().await;
        (wrap(near), wrap(far))
    });
    runtime.spawn(async move {
        while let Some(Ok(message)) = far.next().await {
            far.send(message).await.expect("in memory");
        }
    });
    let payload = message(len);
    in_task(runtime, near, move |mut near, times| {
        let payload = payload.clone();
        async move {
            for _ in 0..times * messages {
                let message = Message::Binary(black_box(payload.clone()));
                near.send(message).await.expect("in memory");
                let answer = near.next().await.expect("open").expect("in memory");
                black_box(answer);
            }
            near
        }
    })
}

/// [`echo`] as people write it when they have no library, at both ends.
fn echo_by_hand((len, messages): Load) -> impl FnMut(u64) {
    let runtime = runtime();
    let (near, mut far) = runtime.block_on(by_hand());
    runtime.spawn(async move {
        while let Some(message) = far.next().await {
            far.ws.send(message).await.expect("in memory");
        }
    });
    let payload = message(len);
    in_task(runtime, near, move |mut near, times| {
        let payload = payload.clone();
        async move {
            for _ in 0..times * messages {
                let message = Message::Binary(black_box(payload.clone()));
                near.ws.send(message).await.expect("in memory");
                black_box(near.next().await.expect("alive"));
            }
            near
        }
    })
}

/// Both ends are wrapped; one sends, and a task of its own reads at the other.
fn send<S, E>(len: usize, wrap: impl Fn(Socket) -> S) -> impl FnMut(u64)
where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin + Send + 'static,
    E: std::fmt::Debug + Send,
{
    let runtime = runtime();
    let ends = runtime.block_on(async {
        let (near, far) = sockets().await;
        (wrap(near), wrap(far))
    });
    let payload = message(len);
    in_task(runtime, ends, move |(mut near, mut far), times| {
        let payload = payload.clone();
        async move {
            let reader = tokio::spawn(async move {
                for _ in 0..times {
                    let message = far.next().await.expect("open").expect("in memory");
                    black_box(message);
                }
                far
            });
            for _ in 0..times {
                let message = Message::Binary(black_box(payload.clone()));
                near.send(message).await.expect("in memory");
            }
            (near, reader.await.expect("it does not panic"))
        }
    })
}

/// [`send`] as people write it when they have no library.
fn send_by_hand(len: usize) -> impl FnMut(u64) {
    let runtime = runtime();
    let ends = runtime.block_on(by_hand());
    let payload = message(len);
    in_task(runtime, ends, move |(mut near, mut far), times| {
        let payload = payload.clone();
        async move {
            let reader = tokio::spawn(async move {
                for _ in 0..times {
                    black_box(far.next().await.expect("alive"));
                }
                far
            });
            for _ in 0..times {
                let message = Message::Binary(black_box(payload.clone()));
                near.ws.send(message).await.expect("in memory");
            }
            (near, reader.await.expect("it does not panic"))
        }
    })
}

async fn by_hand() -> (ByHand, ByHand) {
    let (near, far) = sockets().await;
    (ByHand::new(near), ByHand::new(far))
}

/// The usual loop: an interval that sends pings, and the time of the last pong. Data is no sign of
/// life to it, which saves it the clock.
struct ByHand {
    ws: Socket,
    interval: tokio::time::Interval,
    last_pong: Instant,
}

impl ByHand {
    fn new(ws: Socket) -> Self {
        let mut interval = interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            ws,
            interval,
            last_pong: Instant::now(),
        }
    }

    /// The next message that is no heartbeat; `None` when the peer is gone.
    async fn next(&mut self) -> Option<Message> {
        loop {
            tokio::select! {
                message = self.ws.next() => match message?.ok()? {
                    Message::Ping(_) => self.ws.flush().await.ok()?,
                    Message::Pong(_) => self.last_pong = Instant::now(),
                    data => return Some(data),
                },
                _ = self.interval.tick() => {
                    if self.last_pong.elapsed() > LIMIT {
                        return None;
                    }
                    self.ws.send(Message::Ping(Bytes::new())).await.ok()?;
                }
            }
        }
    }
}

/// Keeps a TCP socket alive below a WebSocket, after its upgrade.
fn watched(io: TcpStream, wire: Wire) -> KeepaliveStream<TcpStream, Wire, Tokio> {
    KeepaliveStream::new(io, wire.upgraded(), KeepaliveConfig::new(), Tokio)
        .expect("the default is valid")
}

/// As [`runtime`], with sockets.
fn runtime_of_sockets() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.spawn(async { tokio::time::sleep(Duration::from_secs(3600)).await });
    runtime
}

/// Both ends of a connection over loopback, wrapped: the client's and the server's.
async fn connect<S>(wrap: impl Fn(TcpStream, Wire) -> S) -> (S, S) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let near = TcpStream::connect(address).await.expect("it listens");
    let (far, _) = listener.accept().await.expect("one has connected");
    for io in [&near, &far] {
        io.set_nodelay(true).expect("it is connected");
    }
    (wrap(near, Wire::client()), wrap(far, Wire::server()))
}

/// A binary frame of a client or a server, all of which is `len` bytes long.
fn frame(masked: bool, len: usize) -> Vec<u8> {
    let (flag, mask) = if masked { (0x80, 4) } else { (0, 0) };
    let header = if len < 126 { 2 } else { 4 };
    let body = len - header - mask;
    let mut frame = match u8::try_from(body) {
        Ok(short) if short < 126 => vec![0x82, flag | short],
        _ => {
            let [high, low] = u16::try_from(body).expect("a short frame").to_be_bytes();
            vec![0x82, flag | 126, high, low]
        }
    };
    frame.resize(len, 7);
    frame
}

/// Both ends are wrapped; one writes frames that are `len` bytes long, and a task of its own reads
/// at the other.
fn write<S>(len: usize, wrap: impl Fn(TcpStream, Wire) -> S) -> impl FnMut(u64)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let runtime = runtime_of_sockets();
    let (near, far) = runtime.block_on(connect(wrap));
    let ends = (
        near,
        far,
        frame(true, len).repeat(CHUNK / len),
        vec![0; CHUNK],
    );
    in_task(
        runtime,
        ends,
        |(mut near, mut far, chunk, mut buf), times| async move {
            let reader = tokio::spawn(async move {
                for _ in 0..times * CHUNKS {
                    far.read_exact(&mut buf).await.expect("open");
                    black_box(&buf);
                }
                (far, buf)
            });
            for _ in 0..times * CHUNKS {
                near.write_all(black_box(&chunk)).await.expect("open");
            }
            let (far, buf) = reader.await.expect("it does not panic");
            (near, far, chunk, buf)
        },
    )
}

/// Both ends are wrapped and have a WebSocket on top; one sends messages without a flush between
/// them, and a task of its own reads at the other.
fn batch<S>(wrap: impl Fn(TcpStream, Wire) -> S) -> impl FnMut(u64)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let runtime = runtime_of_sockets();
    let ends = runtime.block_on(async {
        let (near, far) = connect(wrap).await;
        (
            WebSocketStream::from_raw_socket(near, Role::Client, None).await,
            WebSocketStream::from_raw_socket(far, Role::Server, None).await,
        )
    });
    let payload = message(SMALL);
    in_task(runtime, ends, move |(mut near, mut far), times| {
        let payload = payload.clone();
        async move {
            let reader = tokio::spawn(async move {
                for _ in 0..times {
                    let message = far.next().await.expect("open").expect("open");
                    black_box(message);
                }
                far
            });
            for _ in 0..times {
                let message = Message::Binary(black_box(payload.clone()));
                near.feed(message).await.expect("open");
            }
            near.flush().await.expect("open");
            (near, reader.await.expect("it does not panic"))
        }
    })
}

/// Both ends are wrapped; a task of its own answers each frame with one of its own.
fn ping_pong<S>(wrap: impl Fn(TcpStream, Wire) -> S) -> impl FnMut(u64)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let runtime = runtime_of_sockets();
    let (near, mut far) = runtime.block_on(connect(wrap));
    let answer = frame(false, SMALL);
    runtime.spawn(async move {
        let mut buf = [0; SMALL];
        while far.read_exact(&mut buf).await.is_ok() {
            black_box(&buf);
            far.write_all(&answer).await.expect("open");
        }
    });
    let state = (near, frame(true, SMALL));
    in_task(runtime, state, |(mut near, question), trips| async move {
        let mut buf = [0; SMALL];
        for _ in 0..trips {
            near.write_all(black_box(&question)).await.expect("open");
            near.read_exact(&mut buf).await.expect("open");
            black_box(&buf);
        }
        (near, question)
    })
}

fn forward(ws: Socket) -> Forward {
    Forward(ws, Frames::new())
}

/// The least that any wrapper of messages costs: calls, moves, and a look at what a message is.
struct Forward(Socket, Frames);

type Fault = liveness::Error<tungstenite::Error>;

impl Stream for Forward {
    type Item = Result<Message, Fault>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.0.poll_next_unpin(cx);
        polled.map(|item| match item?.map(|message| self.1.classify(message)) {
            Ok(Inbound::Data(data)) => Some(Ok(data)),
            Ok(_) => None,
            Err(error) => Some(Err(Fault::Transport(error))),
        })
    }
}

impl Sink<Message> for Forward {
    type Error = Fault;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.0.poll_ready_unpin(cx).map_err(Fault::Transport)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Fault> {
        self.0.start_send_unpin(message).map_err(Fault::Transport)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.0.poll_flush_unpin(cx).map_err(Fault::Transport)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.0.poll_close_unpin(cx).map_err(Fault::Transport)
    }
}
