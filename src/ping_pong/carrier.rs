//! [`Messages`]: pings and pongs as messages in the transport's own queue.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Sink, Stream};

use super::Protocol;
use super::outbox::{Outbox, Whose};
use crate::driver::{Carrier, Half, Offer, Pinger};
use crate::flood::Flooded;
use crate::rt::Runtime;
use crate::seq::Seq;

/// All of a [`PingPong`](super::PingPong) that carries a heartbeat.
pub(super) struct Messages<'a, T, P: Protocol> {
    pub(super) transport: Pin<&'a mut T>,
    pub(super) protocol: &'a mut P,
    pub(super) outbox: &'a mut Outbox<P::Message>,
}

impl<T, P, R, M, E> Carrier<R, Flooded> for Messages<'_, T, P>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    type Error = E;

    fn put_ping(&mut self, seq: Seq) {
        let ping = self.protocol.ping(seq);
        self.outbox.put_ping(seq, ping);
    }

    fn poll_own(
        &mut self,
        pinger: &mut Pinger<R, Flooded>,
        half: Half,
        cx: &Context<'_>,
    ) -> Poll<Result<(), E>> {
        if self.outbox.is_idle() {
            return Poll::Ready(Ok(()));
        }
        self.poll_flush(pinger, half, cx)
    }

    fn poll_unblock(
        &mut self,
        pinger: &mut Pinger<R, Flooded>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), E>> {
        match pinger.blocked() {
            None => Poll::Ready(Ok(())),
            Some(Offer::Flush) => self.poll_flush(pinger, Half::Read, cx),
            Some(Offer::New) => {
                let transport = &mut self.transport;
                pinger.poll_write(Half::Read, Offer::New, cx, |cx| {
                    transport.as_mut().poll_ready(cx)
                })
            }
        }
    }
}

impl<T, P, M, E> Messages<'_, T, P>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
{
    /// Hands what is queued to the transport: heartbeats, then a displaced message.
    #[inline]
    pub(super) fn poll_send<R: Runtime>(
        &mut self,
        pinger: &mut Pinger<R, Flooded>,
        half: Half,
        cx: &Context<'_>,
    ) -> Poll<Result<(), E>> {
        if !self.outbox.is_waiting() {
            return Poll::Ready(Ok(()));
        }
        self.poll_send_waiting(pinger, half, cx)
    }

    #[cold]
    fn poll_send_waiting<R: Runtime>(
        &mut self,
        pinger: &mut Pinger<R, Flooded>,
        half: Half,
        cx: &Context<'_>,
    ) -> Poll<Result<(), E>> {
        while self.outbox.is_waiting() {
            let transport = &mut self.transport;
            self.outbox.on_place();
            ready!(pinger.poll_write(half, Offer::New, cx, |cx| {
                transport.as_mut().poll_ready(cx)
            }))?;
            let Some((message, whose)) = self.outbox.next() else {
                continue;
            };
            match self.transport.as_mut().start_send(message) {
                Ok(()) => {
                    self.outbox.on_taken(&whose);
                    if let Whose::Ping(seq) = whose {
                        pinger.on_ping_taken(half, seq);
                    }
                }
                Err(error) if matches!(whose, Whose::User) => return Poll::Ready(Err(error)),
                // A transport that is closing refuses heartbeats and still has things to be read,
                // which one of ours must not cut off. The peer has not been asked, so only its
                // silence counts.
                Err(_) => {
                    self.outbox.forget_heartbeats();
                    pinger.close();
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    #[inline]
    pub(super) fn poll_flush<R: Runtime>(
        &mut self,
        pinger: &mut Pinger<R, Flooded>,
        half: Half,
        cx: &Context<'_>,
    ) -> Poll<Result<(), E>> {
        ready!(self.poll_send(pinger, half, cx))?;
        let transport = &mut self.transport;
        ready!(pinger.poll_write(half, Offer::Flush, cx, |cx| {
            transport.as_mut().poll_flush(cx)
        }))?;
        self.on_flushed(pinger, half);
        Poll::Ready(Ok(()))
    }

    /// The same after the transport has refused it once, and nothing of ours is queued.
    pub(super) fn poll_flush_refused<R: Runtime>(
        &mut self,
        pinger: &mut Pinger<R, Flooded>,
        half: Half,
        cx: &Context<'_>,
    ) -> Poll<Result<(), E>> {
        let transport = &mut self.transport;
        ready!(pinger.poll_refused(half, Offer::Flush, cx, |cx| {
            transport.as_mut().poll_flush(cx)
        }))?;
        self.on_flushed(pinger, half);
        Poll::Ready(Ok(()))
    }

    fn on_flushed<R: Runtime>(&mut self, pinger: &mut Pinger<R, Flooded>, half: Half) {
        match self.outbox.on_flushed() {
            (false, _) => {}
            (true, None) => pinger.on_sent(half),
            (true, Some(seq)) => pinger.on_ping_flushed(half, seq),
        }
    }
}
