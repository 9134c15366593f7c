//! What a wrapper adds to a socket: on a stream that costs nothing, and on one in memory.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::StreamExt;
use liveness::io::{IdleTimeout, Tracked, track};
use liveness::{IdleConfig, Tokio};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_io_timeout::TimeoutStream;

use crate::harness::{Bar, Contest, in_task, runtime};

/// The time limit of every variant that has one.
const LIMIT: Duration = Duration::from_secs(30);

/// How many bytes are written and read at once.
const MESSAGE: usize = 64;

pub(crate) fn contests() -> Vec<Contest> {
    vec![null(), duplex()]
}

fn null() -> Contest {
    Contest::new(
        "null",
        "one read or write of a stream that does nothing",
        "ns",
    )
    .timed("bare", || on_null(|io| io))
    .timed("Tracked", || on_null(tracked))
    .bar(Bar::Over(2.0))
    .timed("IdleTimeout", || {
        on_null(|io| IdleTimeout::new(io, LIMIT, Tokio))
    })
    .timed("tokio-io-timeout", || on_null(timeout_stream))
    .timed("a counter, by hand", || on_null(counted))
    .timed("Instant::now() per operation", || on_null(stamped))
}

fn duplex() -> Contest {
    Contest::new(
        "duplex",
        "64 bytes there and back between two tasks, in memory",
        "ns",
    )
    .timed("bare", || ping_pong(|io| io))
    .timed("Tracked", || ping_pong(tracked))
    .bar(Bar::Times(1.03))
    .timed("IdleTimeout", || {
        ping_pong(|io| IdleTimeout::new(io, LIMIT, Tokio))
    })
    .timed("tokio-io-timeout", || ping_pong(timeout_stream))
    .timed("a counter, by hand", || ping_pong(counted))
    .timed("Instant::now() per operation", || ping_pong(stamped))
    .timed("tokio::time::timeout per operation", ping_pong_each_limited)
}

/// As `track` is used: a task of its own waits for the events.
fn tracked<S: Unpin>(io: S) -> Tracked<S, Tokio> {
    let (io, mut events) = track(io, IdleConfig::new().all(LIMIT), Tokio);
    tokio::spawn(async move { while events.next().await.is_some() {} });
    io
}

fn timeout_stream<S: AsyncRead + AsyncWrite>(io: S) -> Pin<Box<TimeoutStream<S>>> {
    let mut io = TimeoutStream::new(io);
    io.set_read_timeout(Some(LIMIT));
    io.set_write_timeout(Some(LIMIT));
    Box::pin(io)
}

/// Writes and reads by turns, without ever having to wait.
fn on_null<S>(wrap: impl FnOnce(Null) -> S) -> impl FnMut(u64)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let runtime = runtime();
    let mut io = runtime.block_on(async { wrap(Null { moves: MESSAGE }) });
    let mut message = [7; MESSAGE];
    move |operations| {
        runtime.block_on(async {
            // A watcher, if there is one, has its turn as it would have beside a real socket.
            tokio::task::yield_now().await;
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..operations / 2 {
                let io = black_box(&mut io);
                let written = Pin::new(&mut *io).poll_write(&mut cx, &message);
                assert!(matches!(written, Poll::Ready(Ok(MESSAGE))));
                let mut buf = ReadBuf::new(&mut message);
                let read = Pin::new(&mut *io).poll_read(&mut cx, &mut buf);
                assert!(read.is_ready() && buf.filled().len() == MESSAGE);
            }
        });
    }
}

/// Both ends are wrapped; a task of its own sends back what it gets.
fn ping_pong<S>(wrap: impl Fn(DuplexStream) -> S) -> impl FnMut(u64)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let runtime = runtime();
    let (near, mut far) = runtime.block_on(async {
        let (near, far) = tokio::io::duplex(1024);
        (wrap(near), wrap(far))
    });
    runtime.spawn(async move {
        let mut message = [0; MESSAGE];
        while far.read_exact(&mut message).await.is_ok() {
            far.write_all(&message).await.expect("in memory");
        }
    });
    in_task(runtime, near, |mut near, trips| async move {
        let mut message = [7; MESSAGE];
        for _ in 0..trips {
            near.write_all(black_box(&message))
                .await
                .expect("in memory");
            near.read_exact(&mut message).await.expect("in memory");
        }
        black_box(message);
        near
    })
}

/// [`ping_pong`] with each operation under `tokio::time::timeout`, at both ends.
fn ping_pong_each_limited() -> impl FnMut(u64) {
    let runtime = runtime();
    let (near, mut far) = tokio::io::duplex(1024);
    runtime.spawn(async move {
        let mut message = [0; MESSAGE];
        while limited(far.read_exact(&mut message)).await.is_ok() {
            limited(far.write_all(&message)).await.expect("in memory");
        }
    });
    in_task(runtime, near, |mut near, trips| async move {
        let mut message = [7; MESSAGE];
        for _ in 0..trips {
            let written = limited(near.write_all(black_box(&message))).await;
            written.expect("in memory");
            let read = limited(near.read_exact(&mut message)).await;
            read.expect("in memory");
        }
        black_box(message);
        near
    })
}

async fn limited<T>(operation: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(LIMIT, operation).await {
        Ok(result) => result,
        Err(elapsed) => Err(elapsed.into()),
    }
}

/// Takes and gives so many bytes at once, and touches none of them.
struct Null {
    moves: usize,
}

impl AsyncRead for Null {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buf.advance(self.moves.min(buf.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Null {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.moves.min(buf.len())))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What is written by hand: marks each operation.
struct Marked<S, M> {
    io: S,
    mark: M,
}

trait Mark: Unpin {
    fn mark(&mut self);
}

/// The time of the last operation, from the clock, each time.
struct Stamp(Instant);

impl Mark for Stamp {
    fn mark(&mut self) {
        self.0 = Instant::now();
    }
}

/// How many operations there were: the least that any wrapper can do, and it tells no time.
struct Count(u64);

impl Mark for Count {
    fn mark(&mut self) {
        self.0 += 1;
    }
}

fn stamped<S>(io: S) -> Marked<S, Stamp> {
    let mark = Stamp(Instant::now());
    Marked { io, mark }
}

const fn counted<S>(io: S) -> Marked<S, Count> {
    Marked { io, mark: Count(0) }
}

impl<S, M: Mark> Marked<S, M> {
    fn marked<T>(&mut self, result: Poll<T>) -> Poll<T> {
        if result.is_ready() {
            black_box(&mut self.mark).mark();
        }
        result
    }
}

impl<S: AsyncRead + Unpin, M: Mark> AsyncRead for Marked<S, M> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_read(cx, buf);
        self.marked(result)
    }
}

impl<S: AsyncWrite + Unpin, M: Mark> AsyncWrite for Marked<S, M> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, buf);
        self.marked(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
