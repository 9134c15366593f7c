//! A runtime of your own: one thread, one condition variable, and the two small traits.
//!
//! It carries idle events and a verdict in an executor that knows nothing of time.
//!
//! ```sh
//! cargo run --example own_runtime
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::channel::mpsc;
use futures::executor::block_on;
use futures::{AsyncWriteExt, Sink, SinkExt, Stream, StreamExt};
use liveness::io::track;
use liveness::rt::{Runtime, Timer};
use liveness::{Answers, IdleConfig, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};

/// Timers by a thread that sleeps until the next of them is due.
#[derive(Clone)]
pub(crate) struct Threaded(Arc<Timers>);

#[derive(Default)]
struct Timers {
    waiting: Mutex<BTreeMap<(Instant, u64), Waker>>,
    changed: Condvar,
}

/// A timer of [`Threaded`]; its place among the others is its time and its number.
pub(crate) struct ThreadedTimer {
    timers: Arc<Timers>,
    place: (Instant, u64),
}

impl Threaded {
    pub(crate) fn start() -> Self {
        let timers = Arc::new(Timers::default());
        let weak = Arc::downgrade(&timers);
        std::thread::spawn(move || {
            // The thread ends with the last clone of the runtime, at its next turn.
            while let Some(timers) = weak.upgrade() {
                timers.turn();
            }
        });
        Self(timers)
    }

    /// How many timers are set.
    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting().len()
    }
}

impl Timers {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(Instant, u64), Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes what is due, then waits for the next.
    fn turn(&self) {
        let now = now();
        let mut waiting = self.waiting();
        let later = waiting.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut *waiting, later);
        if due.is_empty() {
            let next = waiting.keys().next();
            let wait = next.map_or(Duration::from_secs(1), |(at, _)| *at - now);
            let _ = self.changed.wait_timeout(waiting, wait);
            return;
        }
        drop(waiting);
        due.into_values().for_each(Waker::wake);
    }
}

impl Runtime for Threaded {
    type Timer = ThreadedTimer;

    fn timer(&self, at: Instant) -> ThreadedTimer {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        ThreadedTimer {
            timers: Arc::clone(&self.0),
            place: (at, number),
        }
    }

    fn now(&self) -> Instant {
        now()
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the clock")]
fn now() -> Instant {
    Instant::now()
}

impl Timer for ThreadedTimer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.clear();
        self.place.0 = at;
    }

    fn poll_expired(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if now() >= self.place.0 {
            self.clear();
            return Poll::Ready(());
        }
        let before = self.timers.waiting().insert(self.place, cx.waker().clone());
        drop(before);
        self.timers.changed.notify_one();
        Poll::Pending
    }
}

impl ThreadedTimer {
    fn clear(&self) {
        // Let go of a waker only when the lock is free: it may be the last to hold its task.
        let waker = self.timers.waiting().remove(&self.place);
        drop(waker);
    }
}

impl Drop for ThreadedTimer {
    fn drop(&mut self) {
        self.clear();
    }
}

// The rest is use. A pair of channels is the connection, and lines are what it carries.

struct Connection(mpsc::Sender<String>, mpsc::Receiver<String>);

impl Stream for Connection {
    type Item = Result<String, mpsc::SendError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.1.poll_next_unpin(cx).map(|line| line.map(Ok))
    }
}

impl Sink<String> for Connection {
    type Error = mpsc::SendError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, line: String) -> Result<(), Self::Error> {
        self.0.start_send(line)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_close_unpin(cx)
    }
}

struct Lines;

impl Protocol for Lines {
    type Message = String;

    fn ping(&mut self, seq: Seq) -> String {
        format!("PING {}", seq.value())
    }

    fn classify(&mut self, line: String) -> Inbound<String> {
        match line.strip_prefix("PONG ") {
            Some(seq) => Inbound::Pong(seq.parse().map_or(Answers::Nothing, Answers::Ping)),
            None => Inbound::Data(line),
        }
    }
}

/// Answers three pings, then hangs without hanging up.
fn peer(mut heard: mpsc::Receiver<String>, mut says: mpsc::Sender<String>) {
    for _ in 0..3 {
        let Some(line) = block_on(heard.next()) else {
            return;
        };
        println!("  peer: {line}, answered");
        let _ = block_on(says.send(line.replace("PING", "PONG")));
    }
    println!("  peer: hangs");
    while block_on(heard.next()).is_some() {}
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let rt = Threaded::start();
    block_on(async {
        println!("a socket that is written to twice:");
        let idle = IdleConfig::new().writer(Duration::from_millis(100));
        let (mut socket, mut events) = track(futures::io::sink(), idle, rt.clone());
        for word in [b"ping", b"pong"] {
            socket.write_all(word).await?;
            println!("  {}", events.next().await.ok_or("the socket is gone")?);
        }
        println!("  {}", events.next().await.ok_or("the socket is gone")?);

        println!("a connection whose peer hangs after a while:");
        let ((to_peer, heard), (says, from_peer)) = (mpsc::channel(8), mpsc::channel(8));
        std::thread::spawn(move || peer(heard, says));
        let config = KeepaliveConfig::new()
            .interval(Duration::from_millis(200))
            .reply_timeout(Duration::from_millis(300));
        let connection = Connection(to_peer, from_peer);
        let mut stream = PingPong::new(connection, Lines, config, rt.clone())?;
        while let Some(item) = stream.next().await {
            match item {
                Ok(line) => println!("  {line}"),
                Err(verdict) => println!("  {verdict}"),
            }
        }
        drop((socket, events, stream));
        println!("timers still set: {}", rt.waiting());
        Ok(())
    })
}
