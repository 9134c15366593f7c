//! [`Pinger`]: the heartbeats of one connection, whatever carries them.
//!
//! One [`Driver`] over a [`Keepalive`], the two tasks that may hold the connection's halves, and
//! what both have to know: whether the transport takes what is offered, whether it is closing, and
//! how it ended. How a ping enters the transport is up to a [`Carrier`]: as a message, or as bytes
//! at a border.

use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::{Activity, Below, BothTasks, Dating, Driver, End, Half, Handle, Seen, Teller};
use crate::error::ConfigError;
use crate::flood::{FloodGuard, FloodLimit, Flooded};
use crate::keepalive::{Bound, Dead, Keepalive, KeepaliveConfig, KeepaliveEvent, Pong};
use crate::metrics;
use crate::rt::Runtime;
use crate::seq::{Answers, Seq};

#[derive(Debug)]
pub(crate) struct Pinger<R: Runtime, X> {
    driver: Driver<Keepalive, Dating, R>,
    tasks: BothTasks,
    /// The first that was offered to the transport and not taken.
    blocked: Option<Offer>,
    closing: bool,
    /// The configuration for when the protocol is ready, until it is.
    wanted: Option<Box<KeepaliveConfig>>,
    below: Below,
    flood: FloodGuard,
    teller: Teller,
    pub(crate) end: End<X>,
}

/// What a transport can refuse to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Something new: a message, or bytes.
    New,
    /// A flush or a close of what it holds already.
    Flush,
}

/// How a ping enters a transport.
pub(crate) trait Carrier<R: Runtime, X> {
    type Error;

    /// Keeps the ping until there is a place for it.
    fn put_ping(&mut self, seq: Seq);

    /// Places what is kept, and flushes it. Pending means that the transport is full.
    fn poll_own(
        &mut self,
        pinger: &mut Pinger<R, X>,
        half: Half,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Self::Error>>;

    /// Offers again what the transport did not take: whoever offered it may have given up, and then
    /// nobody else finds out that it would be taken now.
    fn poll_unblock(
        &mut self,
        pinger: &mut Pinger<R, X>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Self::Error>>;
}

impl<R: Runtime, X> Pinger<R, X> {
    pub(crate) fn new(config: KeepaliveConfig, rt: R) -> Result<Self, ConfigError> {
        let now = rt.now();
        let keepalive = Keepalive::new(config, rt.seed(), now)?;
        let dating = Dating::new(config.shortest(), now);
        Ok(Self {
            driver: Driver::new(keepalive, dating, rt, now),
            tasks: BothTasks::new(),
            blocked: None,
            closing: false,
            wanted: None,
            below: Below::default(),
            flood: FloodGuard::new(FloodLimit::DEFAULT),
            teller: Teller::default(),
            end: End::Open,
        })
    }

    pub(crate) const fn keepalive(&self) -> &Keepalive {
        &self.driver.machine
    }

    pub(crate) fn limit_pings(&mut self, limit: FloodLimit) {
        self.flood = FloodGuard::new(limit);
    }

    pub(crate) fn watch(&mut self, activity: Activity) {
        self.below.count(activity);
    }

    /// `ask` knows how many bytes stand in the socket's send queue.
    pub(crate) fn ask_queue(&mut self, ask: impl Fn() -> Option<u64> + Send + Sync + 'static) {
        self.below.set_queue(Box::new(ask));
    }

    pub(crate) fn set_send_buffer(&mut self, bytes: u64) {
        self.driver.machine.set_send_buffer(bytes);
    }

    pub(crate) fn detection_bound(&self) -> Option<Bound> {
        let bound = self.keepalive().config().detection_bound()?;
        Some(bound.later_by(self.driver.slack()))
    }

    pub(crate) fn probe_now(&mut self) {
        let now = self.driver.now();
        self.driver.machine.probe_now(now);
        self.hurry(None);
    }

    pub(crate) fn set_config(&mut self, config: KeepaliveConfig) -> Result<(), ConfigError> {
        config.validate()?;
        if let Some(wanted) = &mut self.wanted {
            **wanted = config;
        }
        let now = self.driver.now();
        let config = match self.closing || self.wanted.is_some() {
            true => config.unasked(),
            false => config,
        };
        self.driver.machine.set_config(config, now)?;
        self.driver.notes.set_period(config.shortest(), now);
        self.teller.on_config(config);
        self.hurry(None);
        Ok(())
    }

    /// The protocol is not ready: nothing is asked, and plain silence is judged by the same bound.
    pub(crate) fn wait(&mut self) {
        if self.wanted.is_none() {
            let config = self.keepalive().config();
            self.wanted = Some(Box::new(config));
            // What is valid stays valid with less asked of it.
            let _ = self.set_config(config);
        }
    }

    /// The protocol is ready, or will never be.
    pub(crate) fn end_wait(&mut self) {
        if let Some(wanted) = self.wanted.take() {
            let _ = self.set_config(*wanted);
        }
    }

    /// What the connection knows, readable from anywhere.
    pub(crate) fn handle(&mut self, beating: bool) -> Handle {
        let now = self.driver.now();
        let bell = self.driver.bell();
        self.teller.handle(&self.driver.machine, beating, bell, now)
    }

    /// Pings can be sent from now on, or cannot.
    pub(crate) fn set_beating(&self, beating: bool) {
        self.teller.on_beating(beating && !self.closing);
    }

    /// Nobody reads from now on: no silence is judged, and what we promised to send is sent.
    pub(crate) fn pause(&mut self) {
        let now = self.driver.now();
        self.driver.machine.pause(now);
        self.teller.on_paused(true);
        self.hurry(None);
    }

    /// Somebody reads again.
    pub(crate) fn resume(&mut self) {
        let now = self.driver.now();
        self.driver.machine.resume(now);
        self.teller.on_paused(false);
        self.hurry(None);
    }

    /// From now on nothing is asked; a peer that says nothing any more is dead within the same
    /// bound.
    pub(crate) fn close(&mut self) {
        if !std::mem::replace(&mut self.closing, true) {
            self.teller.on_beating(false);
            // What was valid before stays valid with less asked of it.
            let _ = self.set_config(self.keepalive().config());
        }
    }

    /// Whether nothing may be sent any more.
    pub(crate) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether the transport has taken what it was offered, and nothing is over.
    #[inline]
    pub(crate) const fn is_flowing(&self) -> bool {
        self.end.is_open() && self.blocked.is_none()
    }

    /// What was offered to the transport and not taken.
    pub(crate) const fn blocked(&self) -> Option<Offer> {
        self.blocked
    }

    /// Whether the reading side has to look at the time before it reads on.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.driver.is_due()
    }

    /// Whether [`poll_judge`](Self::poll_judge) would find nothing new, once what moved below is
    /// noted.
    #[inline]
    pub(crate) fn is_asleep(&mut self, half: Half, cx: &Context<'_>) -> bool {
        self.look_below(half);
        self.driver.is_asleep() && self.tasks.knows(half, cx.waker())
    }

    // What comes in.

    /// Data came in.
    #[inline]
    pub(crate) fn on_data(&mut self) {
        self.driver.on_arrival();
        if let Some(now) = self.driver.note_received() {
            self.on_data_dated(now);
        }
    }

    #[cold]
    fn on_data_dated(&mut self, now: Instant) {
        self.driver.machine.on_receive(now);
        self.driver.rearm();
    }

    /// A ping came in.
    pub(crate) fn on_ping(&mut self) -> Result<(), Flooded> {
        self.driver.on_arrival();
        let now = self.driver.now();
        self.driver.machine.on_receive(now);
        self.flood.on_ping(now)
    }

    /// A pong came in.
    pub(crate) fn on_pong(&mut self, answers: Answers) {
        self.driver.on_arrival();
        let now = self.driver.now();
        if let Pong::Matched { rtt } = self.driver.machine.on_pong(answers, now) {
            metrics::pong(rtt);
            self.teller.on_heard(&self.driver.machine);
            self.teller.on_round_trip(self.driver.machine.rtt());
        }
        self.driver.rearm();
    }

    /// Runs one operation of the transport's reading side for the reader. What a waiting writer
    /// needs to hear is not lost: a transport whose reading has to write may take over the writer's
    /// place.
    #[inline]
    pub(crate) fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        match self.blocked {
            None => operation(cx),
            Some(_) => self.tasks.poll(Half::Read, cx, operation),
        }
    }

    // What goes out.

    /// So many bytes were taken.
    #[inline]
    pub(crate) fn on_bytes(&mut self, half: Half, count: usize) {
        if self.driver.machine.counts_bytes() {
            self.on_counted(half, count as u64);
        } else {
            self.on_sent(half);
        }
    }

    #[cold]
    fn on_counted(&mut self, half: Half, count: u64) {
        let now = self.driver.now();
        self.driver.machine.on_bytes_sent(count, now);
        self.on_progress(now);
        self.hurry(Some(half));
    }

    /// Something was taken or flushed.
    #[inline]
    pub(crate) fn on_sent(&mut self, half: Half) {
        if let Some(now) = self.driver.note_sent() {
            self.on_sent_dated(half, now);
        }
    }

    #[cold]
    fn on_sent_dated(&mut self, half: Half, now: Instant) {
        self.driver.machine.on_send(now);
        self.on_progress(now);
        self.hurry(Some(half));
    }

    /// The transport has taken the last of the ping `seq`.
    #[cold]
    pub(crate) fn on_ping_taken(&mut self, half: Half, seq: Seq) {
        let now = self.driver.now();
        self.driver.machine.on_ping_taken(seq, now);
        if let Some(bytes) = self.below.queue() {
            self.driver.machine.on_send_queue(bytes, now);
        }
        self.on_progress(now);
        metrics::ping_sent(seq);
        self.hurry(Some(half));
    }

    /// The ping `seq` was flushed with all before it.
    #[cold]
    pub(crate) fn on_ping_flushed(&mut self, half: Half, seq: Seq) {
        let now = self.driver.now();
        self.driver.machine.on_ping_sent(seq, now);
        self.on_progress(now);
        self.hurry(Some(half));
    }

    /// Bytes were taken; the rest of an offer is timed anew.
    fn on_progress(&mut self, now: Instant) {
        if self.blocked.is_some() {
            self.driver.machine.on_write_blocked(now);
        }
    }

    /// Runs one operation of the transport's sending side, for whichever half, and notes whether it
    /// is stuck. An operation that is refused is run once more, with a waker that wakes both
    /// halves.
    #[inline]
    pub(crate) fn poll_write<T>(
        &mut self,
        half: Half,
        offer: Offer,
        cx: &Context<'_>,
        mut operation: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polled = operation(&mut Context::from_waker(cx.waker()));
        if polled.is_pending() {
            return self.poll_refused(half, offer, cx, operation);
        }
        if self.blocked.is_some() {
            self.on_offered(half, offer, false);
        }
        polled
    }

    /// Runs an operation of the transport's sending side once more that was refused, with a waker
    /// that wakes both halves.
    pub(crate) fn poll_refused<T>(
        &mut self,
        half: Half,
        offer: Offer,
        cx: &Context<'_>,
        operation: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polled = self.tasks.poll_for_room(half, cx, operation);
        if polled.is_pending() || self.blocked.is_some() {
            self.on_offered(half, offer, polled.is_pending());
        }
        polled
    }

    /// The first that is not taken stays the one that counts. Something new that is taken is
    /// progress in any case; a flush only if it was what had to wait, since one that finds nothing
    /// to do says nothing.
    #[cold]
    fn on_offered(&mut self, half: Half, offer: Offer, refused: bool) {
        match (self.blocked, refused) {
            (None, true) => {
                self.set_blocked(Some(offer));
                // Without credit, the next tick finds that it is blocked.
                if let Some(now) = self.driver.date() {
                    self.driver.machine.on_write_blocked(now);
                    self.hurry(Some(half));
                }
            }
            (Some(blocked), false) if offer == Offer::New || blocked == Offer::Flush => {
                self.set_blocked(None);
                self.on_sent(half);
                if half == Half::Write {
                    self.tasks.forget(Half::Write);
                }
            }
            _ => {}
        }
    }

    fn set_blocked(&mut self, blocked: Option<Offer>) {
        self.blocked = blocked;
        self.driver.notes.set_stuck(blocked.is_some());
    }

    // Time.

    /// Moves time. A ping that is due goes to the carrier; a verdict is what this is ready with.
    pub(crate) fn poll_judge<C: Carrier<R, X>>(
        &mut self,
        carrier: &mut C,
        half: Half,
        seen: Seen,
        cx: &Context<'_>,
    ) -> Poll<Result<Dead, C::Error>> {
        if half == Half::Read && self.blocked.is_some() && !self.closing {
            if let Poll::Ready(Err(error)) = carrier.poll_unblock(self, cx) {
                return Poll::Ready(Err(error));
            }
        }
        loop {
            match ready!(self.poll_due(half, seen, cx)) {
                KeepaliveEvent::Ping(seq) => carrier.put_ping(seq),
                KeepaliveEvent::Dead(dead) => return Poll::Ready(Ok(dead)),
                KeepaliveEvent::Look => continue,
            }
            match carrier.poll_own(self, half, cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // What the user waits for may have been part of it, or be possible now.
                Poll::Ready(Ok(())) if half == Half::Write => cx.waker().wake_by_ref(),
                _ => {}
            }
        }
    }

    fn poll_due(&mut self, half: Half, seen: Seen, cx: &Context<'_>) -> Poll<KeepaliveEvent> {
        self.look_below(half);
        self.look_at_queue();
        self.look_for_room();
        self.grant_wishes();
        loop {
            let driver = &mut self.driver;
            let event = self.tasks.poll(half, cx, |cx| driver.poll_due(seen, cx));
            self.teller.on_heard(&self.driver.machine);
            // Asked again, now that the bell is listened to: what was wished for since the first
            // time may have rung for nobody.
            if event.is_pending() && self.grant_wishes() {
                continue;
            }
            let event = ready!(event);
            match event {
                KeepaliveEvent::Ping(_) if self.closing => {}
                KeepaliveEvent::Dead(dead) => {
                    metrics::verdict(&dead);
                    self.teller.on_dead(dead);
                    return Poll::Ready(event);
                }
                _ => return Poll::Ready(event),
            }
        }
    }

    /// Bytes below the message layer are life, and progress.
    #[inline]
    fn look_below(&mut self, half: Half) {
        let moved = self.below.look();
        if moved.received {
            self.on_data();
        }
        if moved.sent > 0 {
            self.on_bytes(half, usize::try_from(moved.sent).unwrap_or(usize::MAX));
        }
    }

    /// While a ping stands behind other bytes, the kernel is asked at every tick whether they have
    /// left.
    fn look_at_queue(&mut self) {
        if !self.below.knows_queue() || !self.driver.machine.awaits_departure() {
            return;
        }
        let now = self.driver.now();
        if let Some(bytes) = self.below.queue() {
            self.driver.machine.on_send_queue(bytes, now);
        }
        if self.driver.machine.awaits_departure() {
            self.driver.notes.tick_again(now);
        }
    }

    /// What was asked for through a handle is done by the poll that its bell brings. Whether
    /// anything was.
    fn grant_wishes(&mut self) -> bool {
        let wishes = self.teller.wishes();
        let any = wishes.probe || wishes.config.is_some();
        if wishes.probe {
            self.probe_now();
        }
        if let Some(config) = wishes.config {
            // Refused only for what the handle refused.
            let _ = self.set_config(config);
        }
        any
    }

    /// A write that was cancelled is offered by nobody any more. If the transport would take it, it
    /// is no stall.
    fn look_for_room(&mut self) {
        if self.blocked == Some(Offer::New) && self.tasks.has_room() {
            let now = self.driver.now();
            let keepalive = &mut self.driver.machine;
            let stalls = keepalive.next_due().is_some_and(|(what, at)| {
                what == crate::keepalive::Deadline::WriteStall && at <= now
            });
            if stalls {
                keepalive.on_write_withdrawn(now);
                self.set_blocked(None);
            }
        }
    }

    /// It is over for `half`: the other one is to see it, and to set a timer of its own if it needs
    /// one.
    pub(crate) fn finish(&mut self, half: Half, end: End<X>) {
        self.end = end;
        self.driver.disarm();
        self.tasks.wake(half.other());
    }

    /// Wakes the task of one half.
    pub(crate) fn wake(&self, half: Half) {
        self.tasks.wake(half);
    }

    /// There may be a nearer deadline than the timer is set to: then the reading side has to look.
    /// It is woken unless it is what is polled.
    fn hurry(&mut self, polled: Option<Half>) {
        if self.driver.hurry() && polled != Some(Half::Read) {
            self.tasks.wake(Half::Read);
        }
    }
}
