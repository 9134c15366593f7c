//! Links: two ends in memory with everything between them that a network can do.
//!
//! One model for bytes and for messages: each direction is a queue of items with room for so many,
//! each of which arrives so much later. A byte end reads and writes, a message end is a `Stream` and
//! a `Sink` with a small buffer in front of the queue, as a framed socket has. Each direction keeps
//! *one* waker a side, as a socket does, so a wake-up that went to the wrong task is lost here too.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::io::{AsyncRead, AsyncWrite};
use futures::{Sink, Stream};

use super::sim::Sim;

/// What a link is like; both directions alike.
#[derive(Debug, Clone, Copy)]
pub struct LinkConfig {
    /// How many items are under way at most: then the sender has to wait.
    pub room: usize,
    /// How long an item is under way.
    pub delay: Duration,
    /// How far apart items arrive at least: `1 / rate`.
    pub spacing: Duration,
    /// How many bytes one read or write moves at most.
    pub chunk: usize,
    /// How many messages the sink holds before they enter the link.
    pub staging: usize,
    /// Every how-manieth item is lost; 0 for none.
    pub lose_every: u64,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            room: 64 * 1024,
            delay: Duration::ZERO,
            spacing: Duration::ZERO,
            chunk: usize::MAX,
            staging: 8,
            lose_every: 0,
        }
    }
}

/// One direction.
#[derive(Debug)]
struct Lane<T> {
    config: LinkConfig,
    items: VecDeque<(Instant, T)>,
    last_arrival: Instant,
    sent: u64,
    received: u64,
    /// Nothing arrives, and nobody is told.
    deaf: bool,
    closed: bool,
    reset: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl<T> Lane<T> {
    fn new(config: LinkConfig, now: Instant) -> Self {
        Self {
            config,
            items: VecDeque::new(),
            last_arrival: now,
            sent: 0,
            received: 0,
            deaf: false,
            closed: false,
            reset: false,
            reader: None,
            writer: None,
        }
    }

    fn has_room(&self) -> bool {
        self.items.len() < self.config.room
    }

    fn push(&mut self, item: T, now: Instant) {
        self.sent += 1;
        if self.config.lose_every > 0 && self.sent % self.config.lose_every == 0 {
            return;
        }
        let arrival = (now + self.config.delay).max(self.last_arrival + self.config.spacing);
        self.last_arrival = arrival;
        self.items.push_back((arrival, item));
    }

    fn pop(&mut self, now: Instant) -> Option<T> {
        if self.deaf || self.items.front().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        self.received += 1;
        self.items.pop_front().map(|(_, item)| item)
    }
}

type Shared<T> = Arc<Mutex<Lane<T>>>;

/// One end of a link. Dropping it closes its direction.
#[derive(Debug)]
struct End<T> {
    sim: Sim,
    incoming: Shared<T>,
    outgoing: Shared<T>,
}

/// One end of a link of bytes: a socket.
#[derive(Debug)]
pub struct ByteEnd(End<u8>);

/// One end of a link of messages: a framed socket. Strict: a message that was not announced by
/// `poll_ready` is a panic.
#[derive(Debug)]
pub struct MessageEnd<M> {
    end: End<M>,
    staged: VecDeque<M>,
    ready: bool,
}

/// What can be done to a link from outside; the ends are called 0 and 1.
#[derive(Debug)]
pub struct Link<T> {
    lanes: [Shared<T>; 2],
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        Self {
            lanes: self.lanes.clone(),
        }
    }
}

/// A pair of sockets, and the hand on what lies between.
pub fn bytes(sim: &Sim, config: LinkConfig) -> (ByteEnd, ByteEnd, Link<u8>) {
    let ([near, far], link) = link(sim, config);
    (ByteEnd(near), ByteEnd(far), link)
}

/// A pair of framed sockets, and the hand on what lies between.
pub fn messages<M>(sim: &Sim, config: LinkConfig) -> (MessageEnd<M>, MessageEnd<M>, Link<M>) {
    let ([near, far], link) = link(sim, config);
    let framed = |end| MessageEnd {
        end,
        staged: VecDeque::new(),
        ready: false,
    };
    (framed(near), framed(far), link)
}

fn link<T>(sim: &Sim, config: LinkConfig) -> ([End<T>; 2], Link<T>) {
    let lane = || Arc::new(Mutex::new(Lane::new(config, sim.time())));
    let lanes = [lane(), lane()];
    let ends = [0, 1].map(|outgoing| End {
        sim: sim.clone(),
        incoming: Arc::clone(&lanes[1 - outgoing]),
        outgoing: Arc::clone(&lanes[outgoing]),
    });
    (ends, Link { lanes })
}

/// What goes wrong on a link, for tests that are generic over it.
pub trait Faults {
    /// Nothing arrives any more, either way, and nobody is told.
    fn cut(&self);
    /// Nothing that end `from` sends arrives any more.
    fn cut_from(&self, from: usize);
    /// What was held up arrives, as a retransmission would bring it.
    fn heal(&self);
    /// Both ends find the connection broken.
    fn reset(&self);
}

impl<T> Link<T> {
    fn lane(&self, from: usize) -> MutexGuard<'_, Lane<T>> {
        self.lanes[from].lock().unwrap()
    }

    /// How many items end `from` has put onto the link.
    pub fn sent(&self, from: usize) -> u64 {
        self.lane(from).sent
    }

    /// How many of them the other end has taken.
    pub fn received(&self, from: usize) -> u64 {
        self.lane(from).received
    }

    /// How many items are under way.
    pub fn under_way(&self, from: usize) -> usize {
        self.lane(from).items.len()
    }

    /// Changes what the direction out of end `from` is like.
    pub fn configure(&self, from: usize, change: impl FnOnce(&mut LinkConfig)) {
        let mut lane = self.lane(from);
        change(&mut lane.config);
        let wakers = [lane.reader.take(), lane.writer.take()];
        drop(lane);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn each(&self, change: impl Fn(&mut Lane<T>)) {
        for lane in &self.lanes {
            let mut lane = lane.lock().unwrap();
            change(&mut lane);
            let wakers = [lane.reader.take(), lane.writer.take()];
            drop(lane);
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }
}

impl<T> Faults for Link<T> {
    fn cut(&self) {
        self.each(|lane| lane.deaf = true);
    }

    fn cut_from(&self, from: usize) {
        self.lane(from).deaf = true;
    }

    fn heal(&self) {
        self.each(|lane| lane.deaf = false);
    }

    fn reset(&self) {
        self.each(|lane| lane.reset = true);
    }
}

impl<T> End<T> {
    /// Runs `take` on the incoming direction until it gets something, or waits.
    fn poll_take<O>(
        &mut self,
        cx: &Context<'_>,
        take: impl FnOnce(&mut Lane<T>, Instant) -> Option<O>,
    ) -> Poll<io::Result<Option<O>>> {
        let now = self.sim.time();
        let mut lane = self.incoming.lock().unwrap();
        if let Some(taken) = take(&mut lane, now) {
            let writer = lane.writer.take();
            drop(lane);
            if let Some(writer) = writer {
                writer.wake();
            }
            return Poll::Ready(Ok(Some(taken)));
        }
        if lane.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if lane.closed && lane.items.is_empty() && !lane.deaf {
            return Poll::Ready(Ok(None));
        }
        lane.reader = Some(cx.waker().clone());
        let next = lane.items.front().map(|(at, _)| *at);
        let deaf = lane.deaf;
        drop(lane);
        if let (Some(next), false) = (next, deaf) {
            self.sim.wake_at(next, cx.waker());
        }
        Poll::Pending
    }

    /// Runs `put` on the outgoing direction if it has room, or waits.
    fn poll_put<O>(
        &mut self,
        cx: &Context<'_>,
        put: impl FnOnce(&mut Lane<T>, Instant) -> O,
    ) -> Poll<io::Result<O>> {
        let now = self.sim.time();
        let mut lane = self.outgoing.lock().unwrap();
        if lane.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if lane.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if !lane.has_room() {
            lane.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let done = put(&mut lane, now);
        let reader = lane.reader.take();
        drop(lane);
        if let Some(reader) = reader {
            reader.wake();
        }
        Poll::Ready(Ok(done))
    }

    fn close(&self) {
        let mut lane = self.outgoing.lock().unwrap();
        lane.closed = true;
        let reader = lane.reader.take();
        drop(lane);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl End<u8> {
    fn read(&mut self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let read = self.poll_take(cx, |lane, now| {
            let most = buf.len().min(lane.config.chunk);
            let mut bytes = 0;
            while bytes < most {
                let Some(byte) = lane.pop(now) else { break };
                buf[bytes] = byte;
                bytes += 1;
            }
            (bytes > 0).then_some(bytes)
        });
        read.map_ok(Option::unwrap_or_default)
    }

    fn write(&mut self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_put(cx, |lane, now| {
            let most = buf.len().min(lane.config.chunk);
            let bytes = most.min(lane.config.room - lane.items.len());
            buf[..bytes].iter().for_each(|byte| lane.push(*byte, now));
            bytes
        })
    }
}

impl AsyncRead for ByteEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().0.read(cx, buf)
    }
}

impl AsyncWrite for ByteEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().0.write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.close();
        Poll::Ready(Ok(()))
    }
}

#[cfg(feature = "tokio")]
impl tokio::io::AsyncRead for ByteEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.get_mut().0.read(cx, buf.initialize_unfilled());
        read.map_ok(|bytes| buf.advance(bytes))
    }
}

#[cfg(feature = "tokio")]
impl tokio::io::AsyncWrite for ByteEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().0.write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.close();
        Poll::Ready(Ok(()))
    }
}

impl<M> MessageEnd<M> {
    /// Moves staged messages onto the link until at most `left` remain.
    fn poll_unstage(&mut self, left: usize, cx: &Context<'_>) -> Poll<io::Result<()>> {
        while let Some(item) = self.staged.pop_front() {
            let mut item = Some(item);
            let put = self.end.poll_put(cx, |lane, now| {
                item.take()
                    .into_iter()
                    .for_each(|item| lane.push(item, now));
            });
            if let Some(item) = item {
                self.staged.push_front(item);
            }
            match put {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if self.staged.len() <= left => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<M> Unpin for MessageEnd<M> {}

impl<T> Stream for MessageEnd<T> {
    type Item = io::Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<T>>> {
        let taken = self.get_mut().end.poll_take(cx, Lane::pop);
        taken.map(Result::transpose)
    }
}

impl<T> Sink<T> for MessageEnd<T> {
    type Error = io::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let most = this.end.outgoing.lock().unwrap().config.staging.max(1);
        let polled = this.poll_unstage(most - 1, cx);
        this.ready = matches!(polled, Poll::Ready(Ok(())));
        polled
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> io::Result<()> {
        let this = self.get_mut();
        assert!(
            std::mem::take(&mut this.ready),
            "start_send without poll_ready"
        );
        this.staged.push_back(item);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_unstage(0, cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = this.poll_unstage(0, cx);
        if let Poll::Ready(Ok(())) = flushed {
            this.end.close();
        }
        flushed
    }
}
