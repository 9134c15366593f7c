//! [`FramedReceiver`]: pings as beats, each of them answered.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};

use super::{FramedError, HeartbeatFrames};
use crate::heartbeat::{Heartbeat, HeartbeatReceiver};
use crate::rt::BUDGET;
use crate::tcp::Frame;

/// Receives pings as beats, and answers each of them.
///
/// The answer is the beat itself, or [one of your own](Self::answering). It goes out while `recv`
/// waits for the next beat, and never holds a beat back: a peer that does not read its answers is
/// still heard. At most one answer is queued; while it cannot leave, a newer one takes its place,
/// for a pong answers all earlier pings too. When answering fails, the beats that have come are
/// received before the failure is told. Pongs are skipped.
///
/// `recv` is cancel safe: no beat and no answer is lost.
/// The page of [`FramedSender`](super::FramedSender) shows the two together.
///
/// ```
/// use futures::{SinkExt, StreamExt};
/// use liveness::heartbeat::framed::FramedReceiver;
/// use liveness::heartbeat::{Identity, Origin};
/// use liveness::tcp::Frame;
/// use liveness::test_util::{LinkConfig, messages};
/// use liveness::{HeartbeatReceiver, Seq};
///
/// # liveness::test_util::simulate(async |sim| {
/// let (mut client, server, _link) = messages(&sim, LinkConfig::new());
/// let beat = Identity::new(Origin::new("worker-1")?, 1).heartbeat(None, 42_u64);
/// let seq = Seq::new(7); // the connection's own number
/// client.send(Frame::Ping { seq, payload: beat.clone() }).await?;
///
/// let mut receiver = FramedReceiver::new(server);
/// assert_eq!(receiver.recv().await?, beat);
/// assert_eq!(client.next().await.transpose()?, Some(Frame::Pong { seq, payload: beat }));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct FramedReceiver<C: HeartbeatFrames> {
    connection: C,
    answering: Answering<C::Payload>,
    /// The answer that has not been handed over yet.
    answer: Option<Frame<Heartbeat<C::Payload>>>,
    /// An answer was handed over and may not have left yet.
    unflushed: bool,
    /// Why answering failed, until it is told.
    failed: Option<C::Error>,
    /// The stream has ended, and is not polled again.
    closed: bool,
}

type Answering<P> = Box<dyn FnMut(&Heartbeat<P>) -> Heartbeat<P> + Send>;

impl<C: HeartbeatFrames> FramedReceiver<C> {
    /// Receives over `connection`, and answers each beat with itself.
    #[must_use]
    pub fn new(connection: C) -> Self
    where
        C::Payload: Clone + 'static,
    {
        Self::answering(connection, Heartbeat::clone)
    }

    /// Receives over `connection`, and answers each beat with what `answer` makes of it.
    ///
    /// The number on the wire is that of the ping, whatever the answer's own is. The answer's
    /// `interval` can tell the sender how often to beat.
    #[must_use]
    pub fn answering(
        connection: C,
        answer: impl FnMut(&Heartbeat<C::Payload>) -> Heartbeat<C::Payload> + Send + 'static,
    ) -> Self {
        Self {
            connection,
            answering: Box::new(answer),
            answer: None,
            unflushed: false,
            failed: None,
            closed: false,
        }
    }

    /// Gives the connection back. An answer that has not left is lost.
    pub fn into_inner(self) -> C {
        self.connection
    }
}

impl<C, P, E> FramedReceiver<C>
where
    C: Stream<Item = Result<Frame<Heartbeat<P>>, E>> + Sink<Frame<Heartbeat<P>>, Error = E> + Unpin,
{
    /// Sends the answer that is queued, as far as the connection takes it.
    fn answer(&mut self, cx: &mut Context<'_>) {
        if self.failed.is_some() {
            self.answer = None;
        } else if let Poll::Ready(Err(error)) = self.poll_answer(cx) {
            self.failed = Some(error);
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        // The one before leaves first: of two answers one is enough.
        ready!(self.poll_flush(cx))?;
        if self.answer.is_some() {
            ready!(self.connection.poll_ready_unpin(cx))?;
        }
        if let Some(answer) = self.answer.take() {
            self.connection.start_send_unpin(answer)?;
            self.unflushed = true;
        }
        self.poll_flush(cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        if self.unflushed {
            ready!(self.connection.poll_flush_unpin(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Heartbeat<P>, FramedError<E>>> {
        if self.closed {
            return Poll::Ready(Err(FramedError::Closed));
        }
        self.answer(cx);
        for _ in 0..BUDGET {
            let frame = match self.connection.poll_next_unpin(cx) {
                Poll::Ready(Some(frame)) => frame.map_err(FramedError::Transport)?,
                Poll::Ready(None) => {
                    self.closed = true;
                    return Poll::Ready(Err(FramedError::Closed));
                }
                Poll::Pending => {
                    return match self.failed.take() {
                        Some(error) => Poll::Ready(Err(FramedError::Transport(error))),
                        None => Poll::Pending,
                    };
                }
            };
            match frame {
                Frame::Ping { seq, payload: beat } => {
                    let payload = (self.answering)(&beat);
                    self.answer = Some(Frame::Pong { seq, payload });
                    // At once, if it can be: the sender times it.
                    self.answer(cx);
                    return Poll::Ready(Ok(beat));
                }
                Frame::Pong { .. } => {}
                Frame::Data(_) => return Poll::Ready(Err(FramedError::Unexpected("data"))),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[async_trait]
impl<C, P, E> HeartbeatReceiver for FramedReceiver<C>
where
    C: Stream<Item = Result<Frame<Heartbeat<P>>, E>>
        + Sink<Frame<Heartbeat<P>>, Error = E>
        + Send
        + Unpin,
    P: Send + 'static,
    E: Send,
{
    type Payload = P;
    type Error = FramedError<E>;

    async fn recv(&mut self) -> Result<Heartbeat<P>, FramedError<E>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }
}

impl<C: HeartbeatFrames + fmt::Debug> fmt::Debug for FramedReceiver<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramedReceiver")
            .field("connection", &self.connection)
            .field("queued", &self.answer.is_some())
            .field("unflushed", &self.unflushed)
            .finish_non_exhaustive()
    }
}
