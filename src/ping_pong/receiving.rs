//! The data path from the peer to us: data for the user; heartbeats stay here, and time moves.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::FusedStream;
use futures::{Sink, Stream};

use super::error::Error;
use super::{Inbound, PingPong, Protocol};
use crate::driver::{Carrier as _, End, Half, Seen};
use crate::flood::Flooded;
use crate::keepalive::Dead;
use crate::rt::{BUDGET, Runtime};

/// What a stream of messages yields.
type Next<M, E> = Option<Result<M, Error<E>>>;

impl<T, P, R, M, E> Stream for PingPong<T, P, R>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    type Item = Result<M, Error<E>>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Next<M, E>> {
        // The usual case, short enough to be part of the caller.
        let mut absorbed = 0;
        if self.is_calm() {
            let this = self.as_mut().project();
            match this.transport.poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => match this.protocol.classify(message) {
                    Inbound::Data(data) => {
                        this.pinger.on_data();
                        return Poll::Ready(Some(Ok(data)));
                    }
                    heartbeat => {
                        if let Some(next) = self.as_mut().take_in(heartbeat) {
                            return Poll::Ready(next);
                        }
                        absorbed = 1;
                    }
                },
                Poll::Ready(last) => return Poll::Ready(self.take_last(last)),
                Poll::Pending if this.pinger.is_asleep(Half::Read, cx) => return Poll::Pending,
                Poll::Pending => return self.poll_drained(cx),
            }
        }
        self.poll_absorbing(absorbed, cx)
    }
}

impl<T, P, R, M, E> FusedStream for PingPong<T, P, R>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    fn is_terminated(&self) -> bool {
        !matches!(self.pinger.end, End::Open | End::Dead { told: false })
    }
}

impl<T, P, R, M, E> PingPong<T, P, R>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    /// Whether reading is all there is to do: nothing is over, due, blocked or to be sent.
    #[inline]
    fn is_calm(&self) -> bool {
        self.pinger.is_flowing() && self.outbox.is_idle() && !self.pinger.is_due()
    }

    /// Takes in a message; `None` if it was a heartbeat.
    #[cold]
    fn take_in(mut self: Pin<&mut Self>, message: Inbound<M>) -> Option<Next<M, E>> {
        let this = self.as_mut().project();
        match message {
            Inbound::Data(data) => {
                this.pinger.on_data();
                return Some(Some(Ok(data)));
            }
            Inbound::Ping { reply } => {
                if let Err(flooded) = this.pinger.on_ping() {
                    return Some(self.finish_flooded(flooded));
                }
                // After a close nothing may be sent, and what is left to be read must not suffer.
                if !this.pinger.is_closing() {
                    this.outbox.put_pong(reply);
                }
            }
            Inbound::Pong(answers) => this.pinger.on_pong(answers),
        }
        None
    }

    /// The transport has ended, or failed.
    #[cold]
    fn take_last(self: Pin<&mut Self>, last: Option<Result<M, E>>) -> Next<M, E> {
        let error = last.and_then(Result::err).map(Error::Transport);
        self.project().pinger.finish(Half::Read, End::Over);
        error.map(Err)
    }

    fn finish_flooded(self: Pin<&mut Self>, flooded: Flooded) -> Next<M, E> {
        let end = End::Other(Box::new(flooded));
        self.project().pinger.finish(Half::Read, end);
        Some(Err(Error::Flooded(flooded)))
    }

    fn finish_judged(self: Pin<&mut Self>, judged: Result<Dead, E>) -> Next<M, E> {
        Some(Err(self.finish_error(judged)))
    }

    fn finish_error(self: Pin<&mut Self>, judged: Result<Dead, E>) -> Error<E> {
        let (end, error) = match judged {
            Ok(dead) => (End::Dead { told: true }, Error::Dead(dead)),
            Err(error) => (End::Over, Error::Transport(error)),
        };
        self.project().pinger.finish(Half::Read, end);
        error
    }

    /// Takes in heartbeats until there is something to yield, or nothing more to read; `absorbed`
    /// were taken in by this poll before.
    #[cold]
    fn poll_absorbing(
        mut self: Pin<&mut Self>,
        absorbed: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Next<M, E>> {
        match self.pinger.end {
            End::Open => {}
            End::Dead { told: false } => {
                let dead = self.pinger.keepalive().dead().map(Ok);
                return Poll::Ready(dead.and_then(|dead| self.finish_judged(dead)));
            }
            End::Dead { .. } | End::Other(_) | End::Over => return Poll::Ready(None),
        }
        // A failure to write is told after what can be read: the peer may have said why.
        let mut failed = None;
        if self.pinger.is_due() {
            // Data may keep coming for ever; what we owe the peer is due all the same.
            let (mut messages, pinger) = self.as_mut().parts();
            match pinger.poll_judge(&mut messages, Half::Read, Seen::More, cx) {
                Poll::Ready(Err(error)) => failed = Some(error),
                Poll::Ready(dead) => return Poll::Ready(self.finish_judged(dead)),
                Poll::Pending => {}
            }
        }
        for _ in absorbed..BUDGET {
            let (mut messages, pinger) = self.as_mut().parts();
            if let Poll::Ready(Err(error)) = messages.poll_own(pinger, Half::Read, cx) {
                failed = Some(error);
            }
            let transport = &mut messages.transport;
            let item = pinger.poll_read(cx, |cx| transport.as_mut().poll_next(cx));
            match (item, failed.take()) {
                (Poll::Ready(Some(Ok(message))), unsent) => {
                    failed = unsent;
                    let message = messages.protocol.classify(message);
                    if let Some(next) = self.as_mut().take_in(message) {
                        return Poll::Ready(next);
                    }
                }
                (Poll::Ready(last), _) => return Poll::Ready(self.take_last(last)),
                (Poll::Pending, Some(error)) => return Poll::Ready(self.finish_judged(Err(error))),
                (Poll::Pending, None) => return self.poll_drained(cx),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Nobody takes what comes in from now on, or somebody does again.
    pub(super) fn set_paused(self: Pin<&mut Self>, paused: bool) {
        let pinger = self.project().pinger;
        match paused {
            true => pinger.pause(),
            false => pinger.resume(),
        }
    }

    /// In place of reading: pings that were promised go on, and the pause has its limit. Ready with
    /// the stream's last error.
    pub(super) fn poll_paused(mut self: Pin<&mut Self>, cx: &Context<'_>) -> Poll<Error<E>> {
        if !self.pinger.end.is_open() {
            return Poll::Pending;
        }
        let (mut messages, pinger) = self.as_mut().parts();
        if let Poll::Ready(Err(error)) = messages.poll_own(pinger, Half::Read, cx) {
            return Poll::Ready(self.finish_error(Err(error)));
        }
        let judged = pinger.poll_judge(&mut messages, Half::Read, Seen::Nothing, cx);
        judged.map(|judged| self.finish_error(judged))
    }

    /// There is nothing to read: the time for pings and verdicts.
    #[cold]
    fn poll_drained(mut self: Pin<&mut Self>, cx: &Context<'_>) -> Poll<Next<M, E>> {
        let (mut messages, pinger) = self.as_mut().parts();
        let judged = pinger.poll_judge(&mut messages, Half::Read, Seen::Drained, cx);
        judged.map(|judged| self.finish_judged(judged))
    }
}
