//! The two ends of a link: sockets, or message streams.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::io::{AsyncRead, AsyncWrite};
use futures::{Sink, Stream};

use super::link::{Direction, Link, LinkConfig, Shared};
use super::sim::Sim;

/// One end of a link. Dropping it closes its direction.
#[derive(Debug)]
struct End<T> {
    sim: Sim,
    incoming: Shared<T>,
    outgoing: Shared<T>,
}

/// One end of a link of bytes: a socket, for futures-io and, with feature `tokio`, for tokio-io.
/// Dropping it closes its direction.
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use liveness::test_util::{LinkConfig, bytes, simulate};
///
/// simulate(async |sim| {
///     // Whoever reads frames from it has to put them together.
///     let (mut near, mut far, _link) = bytes(&sim, LinkConfig::new().chunk(2));
///     near.write_all(b"hello").await?;
///     drop(near);
///     let mut buffer = [0; 16];
///     assert_eq!(far.read(&mut buffer).await?, 2);
///     let mut rest = String::new();
///     far.read_to_string(&mut rest).await?;
///     assert_eq!(rest, "llo"); // and the end
/// #   Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct ByteEnd(End<u8>);

/// One end of a link of messages: a `Stream` and a `Sink` with a small buffer in front of the link,
/// as a framed socket has. Dropping it closes its direction.
///
/// Strict: `start_send` without `poll_ready` is a panic.
///
/// ```
/// use std::time::Duration;
/// use futures::{SinkExt, StreamExt};
/// use liveness::test_util::{LinkConfig, messages, simulate};
///
/// simulate(async |sim| {
///     let delay = Duration::from_millis(50);
///     let (mut near, mut far, _link) = messages(&sim, LinkConfig::new().delay(delay));
///     near.send("hello").await?;
///     assert_eq!(far.next().await.transpose()?, Some("hello"));
///     assert_eq!(sim.elapsed(), delay);
///     drop(near);
///     assert!(far.next().await.is_none());
/// #   Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct MessageEnd<M> {
    end: End<M>,
    staged: VecDeque<M>,
    ready: bool,
}

/// A pair of sockets, [`Near`](super::Side::Near) and [`Far`](super::Side::Far), and the link
/// between.
pub fn bytes(sim: &Sim, config: LinkConfig) -> (ByteEnd, ByteEnd, Link<u8>) {
    let ([near, far], link) = ends(sim, config);
    (ByteEnd(near), ByteEnd(far), link)
}

/// A pair of message streams, [`Near`](super::Side::Near) and [`Far`](super::Side::Far), and the
/// link between.
pub fn messages<M>(sim: &Sim, config: LinkConfig) -> (MessageEnd<M>, MessageEnd<M>, Link<M>) {
    let ([near, far], link) = ends(sim, config);
    let framed = |end| MessageEnd {
        end,
        staged: VecDeque::new(),
        ready: false,
    };
    (framed(near), framed(far), link)
}

fn ends<T>(sim: &Sim, config: LinkConfig) -> ([End<T>; 2], Link<T>) {
    let link = Link::new(config, sim.time());
    let end = |incoming: &Shared<T>, outgoing: &Shared<T>| End {
        sim: sim.clone(),
        incoming: Arc::clone(incoming),
        outgoing: Arc::clone(outgoing),
    };
    (
        [end(&link.far, &link.near), end(&link.near, &link.far)],
        link,
    )
}

impl<T> End<T> {
    /// Runs `take` on the incoming direction until it gets something, or waits.
    fn poll_take<O>(
        &mut self,
        cx: &Context<'_>,
        take: impl FnOnce(&mut Direction<T>, Instant) -> Option<O>,
    ) -> Poll<io::Result<Option<O>>> {
        let now = self.sim.time();
        let mut direction = self.incoming.lock().unwrap();
        if let Some(taken) = take(&mut direction, now) {
            let writer = direction.writer.take();
            drop(direction);
            if let Some(writer) = writer {
                writer.wake();
            }
            return Poll::Ready(Ok(Some(taken)));
        }
        if direction.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if direction.closed && direction.items.is_empty() && !direction.cut {
            return Poll::Ready(Ok(None));
        }
        direction.reader = Some(cx.waker().clone());
        let next = direction.items.front().map(|(at, _)| *at);
        let cut = direction.cut;
        drop(direction);
        if let (Some(next), false) = (next, cut) {
            self.sim.wake_at(next, cx.waker());
        }
        Poll::Pending
    }

    /// Runs `put` on the outgoing direction if it has room, or waits.
    fn poll_put<O>(
        &mut self,
        cx: &Context<'_>,
        put: impl FnOnce(&mut Direction<T>, Instant) -> O,
    ) -> Poll<io::Result<O>> {
        let now = self.sim.time();
        let mut direction = self.outgoing.lock().unwrap();
        if direction.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if direction.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if !direction.has_room() {
            direction.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let done = put(&mut direction, now);
        let reader = direction.reader.take();
        drop(direction);
        if let Some(reader) = reader {
            reader.wake();
        }
        Poll::Ready(Ok(done))
    }

    fn close(&self) {
        let mut direction = self.outgoing.lock().unwrap();
        direction.closed = true;
        let reader = direction.reader.take();
        drop(direction);
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
        let read = self.poll_take(cx, |direction, now| {
            let most = buf.len().min(direction.config.chunk);
            let mut bytes = 0;
            while bytes < most {
                let Some(byte) = direction.pop(now) else {
                    break;
                };
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
        self.poll_put(cx, |direction, now| {
            let most = buf.len().min(direction.config.chunk);
            let bytes = most.min(direction.config.room - direction.items.len());
            buf[..bytes]
                .iter()
                .for_each(|byte| direction.push(*byte, now));
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
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
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
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
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
            let put = self.end.poll_put(cx, |direction, now| {
                item.take()
                    .into_iter()
                    .for_each(|item| direction.push(item, now));
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
        let taken = self.get_mut().end.poll_take(cx, Direction::pop);
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
