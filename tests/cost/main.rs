//! What a connection takes on the heap, on top of the bare one: counted by the allocator over a
//! thousand connections on Tokio, each of which waits with its timer set.
//!
//! One test, since there is one allocator for all threads. `cargo bench --bench versus -- heap` and
//! `-- memory` compare the same with what others take.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::mpsc;
use futures::{FutureExt, Sink, Stream, StreamExt};
use liveness::io::{IdleTimeout, track};
use liveness::{IdleConfig, Inbound, KeepaliveConfig, PingPong, Protocol, Seq, Tokio};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const CONNECTIONS: usize = 1000;

static LIVE: AtomicI64 = AtomicI64::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[allow(unsafe_code, reason = "there is no safe way to write an allocator")]
// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above; all blocks come from `System`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// The bytes a connection takes: `wrap` makes one of what is given to it, itself included, and
/// `start` brings it to where it waits.
fn per_connection<B, W>(
    mut bare: impl FnMut() -> B,
    wrap: impl Fn(B) -> W,
    start: impl Fn(&mut W),
) -> i64 {
    let bares: Vec<_> = (0..CONNECTIONS).map(|_| bare()).collect();
    let mut wrapped = Vec::with_capacity(CONNECTIONS);
    let before = LIVE.load(Ordering::Relaxed);
    for bare in bares {
        // In a box of its own, so that its own size counts as well.
        let mut connection = Box::new(wrap(bare));
        start(&mut connection);
        wrapped.push(connection);
    }
    // The list of the bare ones is gone by now; it was counted before.
    let list = (CONNECTIONS * size_of::<B>()) as i64;
    (LIVE.load(Ordering::Relaxed) - before + list) / CONNECTIONS as i64
}

struct Numbers;

impl Protocol for Numbers {
    type Message = u32;

    fn ping(&mut self, _seq: Seq) -> u32 {
        0
    }

    fn classify(&mut self, number: u32) -> Inbound<u32> {
        Inbound::Data(number)
    }
}

struct Channel(mpsc::Sender<u32>, mpsc::Receiver<u32>);

impl Stream for Channel {
    type Item = Result<u32, mpsc::SendError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        self.1.poll_next_unpin(cx).map(|item| item.map(Ok))
    }
}

impl Sink<u32> for Channel {
    type Error = mpsc::SendError;

    fn poll_ready(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn start_send(mut self: std::pin::Pin<&mut Self>, item: u32) -> Result<(), Self::Error> {
        self.0.start_send(item)
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_connection_takes_little() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    // In the runtime and in no task of it: a task has a budget.
    let _entered = runtime.enter();
    let mut peers = Vec::with_capacity(4 * CONNECTIONS);
    let mut socket = |bytes: &[u8]| {
        let (near, mut far) = duplex(64);
        assert!(far.write_all(bytes).now_or_never().is_some());
        peers.push(far);
        near
    };
    let poll_read = |socket: &mut DuplexStream| {
        assert!(socket.read_u8().now_or_never().is_some());
        assert!(socket.read_u8().now_or_never().is_none());
    };
    let bare = per_connection(|| socket(b"x"), |io| io, poll_read);

    let idle = IdleConfig::new().reader(Duration::from_secs(60));
    let tracked = per_connection(
        || socket(b"x"),
        |io| track(io, idle, Tokio),
        |(socket, events)| {
            assert!(socket.read_u8().now_or_never().is_some());
            assert!(socket.read_u8().now_or_never().is_none());
            assert!(events.next().now_or_never().is_none());
        },
    );
    let guarded = per_connection(
        || socket(b"x"),
        |io| IdleTimeout::new(io, Duration::from_secs(60), Tokio),
        |socket| {
            assert!(socket.read_u8().now_or_never().is_some());
            assert!(socket.read_u8().now_or_never().is_none());
        },
    );

    let mut senders = Vec::with_capacity(4 * CONNECTIONS);
    let mut channel = || {
        let ((a, b), (mut c, d)) = (mpsc::channel(4), mpsc::channel(4));
        c.try_send(1).unwrap();
        senders.push((c, b));
        Channel(a, d)
    };
    let bare_messages = per_connection(
        &mut channel,
        |channel| channel,
        |channel| {
            assert!(channel.next().now_or_never().is_some());
            assert!(channel.next().now_or_never().is_none());
        },
    );
    let kept = per_connection(
        &mut channel,
        |channel| PingPong::new(channel, Numbers, KeepaliveConfig::new(), Tokio).unwrap(),
        |stream| {
            assert!(stream.next().now_or_never().is_some());
            assert!(stream.next().now_or_never().is_none());
        },
    );
    println!("bare socket {bare}, track {tracked}, IdleTimeout {guarded}");
    println!("bare channel {bare_messages}, PingPong {kept}");
    let own = size_of_val(&track((), idle, Tokio)) as i64;
    assert!(
        tracked - bare - own <= 256,
        "track allocates {}",
        tracked - bare - own
    );
    let own = (size_of::<PingPong<Channel, Numbers, Tokio>>() - size_of::<Channel>()) as i64;
    let allocated = kept - bare_messages - own;
    assert!(allocated <= 224, "PingPong allocates {allocated}");
    // The aim is 500.
    assert!(
        own <= 704,
        "PingPong is {own} bytes larger than what it wraps"
    );
}
