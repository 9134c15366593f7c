//! [`Link`]: the network between two ends, and its faults.
//!
//! One model for bytes and for messages. Each direction is a queue of items with a limit of items
//! and a delay for each. Each direction keeps *one* waker a side, as a socket does, so a wake-up
//! that went to the wrong task is lost here too.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::{Duration, Instant};

/// The properties of a link, alike in both directions at first. See [`Link::configure`] for more.
///
/// An item is a byte of [`bytes()`](super::bytes()) and a message of [`messages`](super::messages).
///
/// ```
/// use std::time::Duration;
/// use futures::{SinkExt, TryStreamExt};
/// use liveness::test_util::{LinkConfig, messages, simulate};
///
/// simulate(async |sim| {
///     // Ten messages a second, and each third one is lost.
///     let tenth = Duration::from_millis(100);
///     let (mut near, far, _link) = messages(&sim, LinkConfig::new().spacing(tenth).lose_every(3));
///     for n in 1..=4 {
///         near.send(n).await?;
///     }
///     drop(near);
///     assert_eq!(far.try_collect::<Vec<_>>().await?, [1, 2, 4]);
///     assert_eq!(sim.elapsed(), 3 * tenth);
/// #   Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkConfig {
    /// Items that may be under way before a sender has to wait. Default 65 536. Zero blocks every
    /// sender.
    pub room: usize,
    /// Time from sending an item to its arrival. Default zero.
    pub delay: Duration,
    /// Least time between two arrivals, which is 1 / rate. Default zero, for no limit of the rate.
    pub spacing: Duration,
    /// Bytes that one read or write moves at most. Default: no limit.
    pub chunk: usize,
    /// Messages that a sink holds before they enter the link. Default 8, at least 1.
    pub staging: usize,
    /// Loses every n-th item. Default zero, for none.
    pub lose_every: u64,
}

impl LinkConfig {
    /// A fast link that loses nothing.
    pub const fn new() -> Self {
        Self {
            room: 64 * 1024,
            delay: Duration::ZERO,
            spacing: Duration::ZERO,
            chunk: usize::MAX,
            staging: 8,
            lose_every: 0,
        }
    }

    /// Sets the [`room`](Self#structfield.room).
    #[must_use]
    pub const fn room(mut self, items: usize) -> Self {
        self.room = items;
        self
    }

    /// Sets the [`delay`](Self#structfield.delay).
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the [`spacing`](Self#structfield.spacing).
    #[must_use]
    pub const fn spacing(mut self, spacing: Duration) -> Self {
        self.spacing = spacing;
        self
    }

    /// Sets the [`chunk`](Self#structfield.chunk).
    #[must_use]
    pub const fn chunk(mut self, bytes: usize) -> Self {
        self.chunk = bytes;
        self
    }

    /// Sets the [`staging`](Self#structfield.staging).
    #[must_use]
    pub const fn staging(mut self, messages: usize) -> Self {
        self.staging = messages;
        self
    }

    /// Sets [`lose_every`](Self#structfield.lose_every).
    #[must_use]
    pub const fn lose_every(mut self, nth: u64) -> Self {
        self.lose_every = nth;
        self
    }
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// One of the two ends of a link, in the order in which [`bytes()`](super::bytes()) and
/// [`messages`](super::messages) return them.
///
/// ```
/// use std::time::Duration;
/// use futures::{SinkExt, StreamExt};
/// use liveness::test_util::{LinkConfig, Side, messages, simulate};
///
/// simulate(async |sim| {
///     let (mut near, mut far, link) = messages(&sim, LinkConfig::new());
///     link.cut_from(Side::Near); // it hears, and is not heard
///     near.send("ping").await?;
///     far.send("anybody there?").await?;
///     assert_eq!(near.next().await.transpose()?, Some("anybody there?"));
///     assert!(sim.timeout(Duration::from_secs(3600), far.next()).await.is_none());
///     assert_eq!((link.received(Side::Near), link.received(Side::Far)), (0, 1));
/// #   Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a link has two ends")]
pub enum Side {
    /// The first end.
    Near,
    /// The second end.
    Far,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Direction<T> {
    pub(super) config: LinkConfig,
    pub(super) items: VecDeque<(Instant, T)>,
    pub(super) last_arrival: Instant,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Nothing arrives, and nobody is told.
    pub(super) cut: bool,
    pub(super) closed: bool,
    pub(super) reset: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl<T> Direction<T> {
    fn new(config: LinkConfig, now: Instant) -> Self {
        Self {
            config,
            items: VecDeque::new(),
            last_arrival: now,
            sent: 0,
            received: 0,
            cut: false,
            closed: false,
            reset: false,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.items.len() < self.config.room
    }

    pub(super) fn push(&mut self, item: T, now: Instant) {
        self.sent += 1;
        if self.config.lose_every > 0 && self.sent % self.config.lose_every == 0 {
            return;
        }
        let arrival = (now + self.config.delay).max(self.last_arrival + self.config.spacing);
        self.last_arrival = arrival;
        self.items.push_back((arrival, item));
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<T> {
        if self.cut || self.items.front().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        self.received += 1;
        self.items.pop_front().map(|(_, item)| item)
    }
}

pub(super) type Shared<T> = Arc<Mutex<Direction<T>>>;

/// The network between two ends. Clones act on the same link; dropping it changes nothing.
///
/// ```
/// use std::time::Duration;
/// use futures::{SinkExt, StreamExt};
/// use liveness::test_util::{LinkConfig, Side, messages, simulate};
///
/// simulate(async |sim| {
///     let (mut near, mut far, link) = messages(&sim, LinkConfig::new());
///     link.cut();
///     near.send("hello").await?; // the sender sees nothing of it
///     assert!(sim.timeout(Duration::from_secs(60), far.next()).await.is_none());
///     assert_eq!(link.under_way(Side::Near), 1);
///     link.heal();
///     assert_eq!(far.next().await.transpose()?, Some("hello"));
/// #   Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct Link<T> {
    pub(super) near: Shared<T>,
    pub(super) far: Shared<T>,
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        Self {
            near: Arc::clone(&self.near),
            far: Arc::clone(&self.far),
        }
    }
}

impl<T> Link<T> {
    pub(super) fn new(config: LinkConfig, now: Instant) -> Self {
        let direction = || Arc::new(Mutex::new(Direction::new(config, now)));
        Self {
            near: direction(),
            far: direction(),
        }
    }

    fn direction(&self, from: Side) -> MutexGuard<'_, Direction<T>> {
        let direction = match from {
            Side::Near => &self.near,
            Side::Far => &self.far,
        };
        direction.lock().unwrap()
    }

    /// Items sent by this end since the start, lost ones included.
    pub fn sent(&self, from: Side) -> u64 {
        self.direction(from).sent
    }

    /// Items sent by this end and taken by the other.
    pub fn received(&self, from: Side) -> u64 {
        self.direction(from).received
    }

    /// Items sent by this end and still under way.
    pub fn under_way(&self, from: Side) -> usize {
        self.direction(from).items.len()
    }

    /// Changes the properties of the direction out of this end. What is under way arrives as
    /// before.
    pub fn configure(&self, from: Side, change: impl FnOnce(&mut LinkConfig)) {
        self.change(from, |direction| change(&mut direction.config));
    }

    /// Nothing arrives any more, either way, and nobody is told: a cable that was pulled. Sending
    /// goes on until the [`room`](LinkConfig#structfield.room) is used up.
    pub fn cut(&self) {
        self.cut_from(Side::Near);
        self.cut_from(Side::Far);
    }

    /// Nothing that this end sends arrives any more; the other direction is whole.
    pub fn cut_from(&self, from: Side) {
        self.direction(from).cut = true;
    }

    /// Ends a [`cut`](Self::cut). What was held up arrives, as after a retransmission.
    pub fn heal(&self) {
        for side in [Side::Near, Side::Far] {
            self.change(side, |direction| direction.cut = false);
        }
    }

    /// Both ends find the connection reset. What has arrived can still be read.
    pub fn reset(&self) {
        for side in [Side::Near, Side::Far] {
            self.change(side, |direction| direction.reset = true);
        }
    }

    fn change(&self, from: Side, change: impl FnOnce(&mut Direction<T>)) {
        let mut direction = self.direction(from);
        change(&mut direction);
        let wakers = [direction.reader.take(), direction.writer.take()];
        drop(direction);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}
