//! A transport whose peer lives outside of this process: it answers in its own time, whether or not
//! anybody here runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures::{Sink, Stream};

use super::*;

#[derive(Default)]
pub(crate) struct Wire {
    /// What is on its way to us, by arrival.
    arrivals: BTreeMap<(Duration, u64), Message>,
    count: u64,
    /// How long the peer takes to answer a ping, and until when it lives.
    pub(crate) rtt: Duration,
    pub(crate) cut: Option<Duration>,
    /// When nothing is taken: from, to.
    pub(crate) refuses: Vec<(Duration, Duration)>,
    /// When there is room again after a refusal; nobody but us could use it up.
    room_at: Option<Duration>,
    /// A flush never completes.
    pub(crate) never_flushes: bool,
    /// Each so many polls say "nothing there" whatever is; zero for none.
    pub(crate) lies_every: u64,
    reads: u64,
    reader: Option<Waker>,
    /// When pings left.
    pub(crate) asked: Vec<Duration>,
    /// When what came in was read, and whether it was a pong.
    pub(crate) heard: Vec<(Duration, bool)>,
    /// All that was taken, in this order.
    pub(crate) sent: Vec<Message>,
    pub(crate) closes: u32,
    pub(crate) ends: bool,
}

impl Wire {
    pub(crate) fn arrive(&mut self, at: Duration, message: Message) {
        self.count += 1;
        self.arrivals.insert((at, self.count), message);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

pub(crate) struct Wired {
    sim: Sim,
    wire: Rc<RefCell<Wire>>,
}

pub(crate) type WiredStream = PingPong<Wired, Beats, Sim>;

/// A stream over a wire, and the wire.
pub(crate) fn wired(sim: &Sim, config: KeepaliveConfig) -> (WiredStream, Rc<RefCell<Wire>>) {
    let wire = Rc::<RefCell<Wire>>::default();
    let end = Wired {
        sim: sim.clone(),
        wire: Rc::clone(&wire),
    };
    let stream = PingPong::new(end, Beats, config, sim.clone()).unwrap();
    (stream, wire)
}

impl Stream for Wired {
    type Item = io::Result<Message>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut wire = self.wire.borrow_mut();
        wire.reads += 1;
        if wire.lies_every > 0 && wire.reads % wire.lies_every == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let now = self.sim.elapsed();
        let first = wire.arrivals.keys().next().copied();
        if let Some(key) = first.filter(|(at, _)| *at <= now) {
            let message = wire.arrivals.remove(&key).unwrap();
            wire.heard.push((now, matches!(message, Pong(_))));
            return Poll::Ready(Some(Ok(message)));
        }
        if wire.ends {
            return Poll::Ready(None);
        }
        wire.reader = Some(cx.waker().clone());
        if let Some((at, _)) = first {
            self.sim.wake_at(self.sim.start() + at, cx.waker());
        }
        Poll::Pending
    }
}

impl Sink<Message> for Wired {
    type Error = io::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let now = self.sim.elapsed();
        let wire = &mut *self.wire.borrow_mut();
        let mut windows = wire.refuses.iter();
        let refuses = windows.find(|(from, to)| *from <= now && now < *to);
        let room_at = wire.room_at.or(refuses.map(|(_, to)| *to));
        wire.room_at = room_at.filter(|at| *at > now);
        if let Some(at) = wire.room_at {
            self.sim.wake_at(self.sim.start() + at, cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> io::Result<()> {
        let now = self.sim.elapsed();
        let mut wire = self.wire.borrow_mut();
        wire.sent.push(message);
        if let Ping(n) = message {
            wire.asked.push(now);
            let rtt = wire.rtt;
            if wire.cut.is_none_or(|cut| now + rtt / 2 < cut) {
                wire.arrive(now + rtt, Pong(n));
            }
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.wire.borrow();
        if wire.closes > 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        match wire.never_flushes {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.borrow_mut().closes += 1;
        Poll::Ready(Ok(()))
    }
}
