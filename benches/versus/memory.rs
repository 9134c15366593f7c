//! What a connection takes on the heap, counted by the allocator.
//!
//! Each connection sits in a box, has moved one message and now waits, so its timer is set: the
//! wrapper itself counts as well as what it allocates. The sockets (pairs in memory) are there
//! before the counting begins.

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use futures::{Stream, StreamExt};
use liveness::io::{IdleEvents, IdleTimeout, Tracked, track};
use liveness::{IdleConfig, Tokio};
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::time::Interval;
use tokio_io_timeout::TimeoutReader;

use crate::harness::{Bar, Contest, runtime};
use crate::ping_pong::{ByHand, INTERVAL, Kept, LIMIT, Messages, kept, messages};

const CONNECTIONS: usize = 1000;

pub(crate) fn contests() -> Vec<Contest> {
    vec![sockets(), framed()]
}

fn sockets() -> Contest {
    const BYTE: &[u8] = &[7];
    let tracked = || per_connection(BYTE, watched, poll_watched);
    Contest::new(
        "heap",
        "a connection that waits to read, 1,000 of them",
        "B",
    )
    .counted("bare", || per_connection(BYTE, |io| io, poll_read))
    .counted("track", tracked)
    .bar(Bar::Over(256.0))
    .counted("track, its allocations alone", move || {
        tracked() - size_of::<(Tracked<(), Tokio>, IdleEvents<Tokio>)>() as f64
    })
    .counted("IdleTimeout", || {
        let wrap = |io| IdleTimeout::new(io, LIMIT, Tokio);
        per_connection(BYTE, wrap, poll_read)
    })
    .counted("interval and time stamp by hand", || {
        let wrap = |io| (io, tokio::time::interval(INTERVAL), Instant::now());
        per_connection(BYTE, wrap, poll_ticked)
    })
    .counted("tokio-io-timeout", || {
        let wrap = |io| {
            let mut io = TimeoutReader::new(io);
            io.set_timeout(Some(LIMIT));
            io
        };
        per_connection(BYTE, wrap, poll_read)
    })
}

fn framed() -> Contest {
    // A length, and a message that is data.
    const MESSAGE: &[u8] = &[0, 0, 0, 1, 0];
    let kept = || per_connection(MESSAGE, |io| kept(messages(io)), poll_message);
    Contest::new(
        "framed heap",
        "a framed connection that waits for a message, 1,000 of them",
        "B",
    )
    .counted("bare", || per_connection(MESSAGE, messages, poll_message))
    .counted("PingPong", kept)
    .bar(Bar::Over(512.0))
    .counted("PingPong, its allocations alone", move || {
        let wrapper = size_of::<Kept>() - size_of::<Messages>();
        kept() - wrapper as f64
    })
    .counted("select! with an interval, by hand", || {
        let wrap = |io| ByHand::new(messages(io));
        per_connection(MESSAGE, wrap, |stream, cx| {
            let stream = stream.get_mut();
            assert!(pin!(stream.next()).poll(cx).is_ready());
            assert!(pin!(stream.next()).poll(cx).is_pending());
        })
    })
}

fn watched(io: DuplexStream) -> (Tracked<DuplexStream, Tokio>, IdleEvents<Tokio>) {
    track(io, IdleConfig::new().reader(LIMIT), Tokio)
}

/// Reads the message, and then waits.
fn poll_read(mut io: Pin<&mut impl AsyncRead>, cx: &mut Context<'_>) {
    let mut bytes = [0; 64];
    let mut buf = ReadBuf::new(&mut bytes);
    assert!(io.as_mut().poll_read(cx, &mut buf).is_ready());
    assert!(io.poll_read(cx, &mut buf).is_pending());
}

fn poll_watched(
    watched: Pin<&mut (Tracked<DuplexStream, Tokio>, IdleEvents<Tokio>)>,
    cx: &mut Context<'_>,
) {
    let (io, events) = watched.get_mut();
    poll_read(Pin::new(io), cx);
    assert!(events.poll_next_unpin(cx).is_pending());
}

fn poll_ticked(ticked: Pin<&mut (DuplexStream, Interval, Instant)>, cx: &mut Context<'_>) {
    let (io, interval, seen) = ticked.get_mut();
    poll_read(Pin::new(io), cx);
    *seen = Instant::now();
    while interval.poll_tick(cx).is_ready() {}
}

/// Takes the message in, and then waits.
fn poll_message(mut stream: Pin<&mut impl Stream>, cx: &mut Context<'_>) {
    assert!(stream.as_mut().poll_next(cx).is_ready());
    assert!(stream.poll_next(cx).is_pending());
}

/// The bytes that one connection holds, made by `wrap`, once `poll` has moved `message` through it.
fn per_connection<C>(
    message: &[u8],
    wrap: impl Fn(DuplexStream) -> C,
    poll: impl Fn(Pin<&mut C>, &mut Context<'_>),
) -> f64 {
    let talk = async {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for _ in 0..CONNECTIONS {
            let (here, mut there) = tokio::io::duplex(64);
            // Its buffer is the socket's.
            there.write_all(message).await.expect("in memory");
            near.push(here);
            far.push(there);
        }
        let mut connections: Vec<Pin<Box<C>>> = Vec::with_capacity(CONNECTIONS);
        let count = Count::start();
        connections.extend(near.drain(..).map(|io| Box::pin(wrap(io))));
        std::future::poll_fn(|cx| {
            for connection in &mut connections {
                poll(connection.as_mut(), cx);
            }
            Poll::Ready(())
        })
        .await;
        count.stop() / CONNECTIONS as f64
    };
    // Tokio gives a task so many operations at a time, and this is one task.
    runtime().block_on(tokio::task::coop::unconstrained(talk))
}

/// The system's allocator, which keeps count while it is asked to.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
static COUNTS: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicI64 = AtomicI64::new(0);

/// A count of the bytes that were allocated and not freed since.
struct Count;

impl Count {
    fn start() -> Self {
        LIVE.store(0, Ordering::SeqCst);
        COUNTS.store(true, Ordering::SeqCst);
        Self
    }

    fn stop(self) -> f64 {
        COUNTS.store(false, Ordering::SeqCst);
        LIVE.load(Ordering::SeqCst) as f64
    }
}

fn count(bytes: usize, sign: i64) {
    // Off, it must not be noticed by what is timed: one load, no store.
    if COUNTS.load(Ordering::Relaxed) {
        LIVE.fetch_add(sign * bytes as i64, Ordering::Relaxed);
    }
}

#[allow(unsafe_code, reason = "there is no safe way to write an allocator")]
// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: as above; all blocks come from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(size, 1);
        // SAFETY: as above; all blocks come from `System`.
        unsafe { System.realloc(block, layout, size) }
    }
}
