//! [`watch`]: the receiving side's verdicts, as a stream.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::stream::{self, BoxStream, FusedStream, Stream, StreamExt as _};

use super::nudge::{Nudge, Polled};
use super::{Heartbeat, HeartbeatReceiver, Origin, WatchEvent};
use crate::detector::{Heard, Order, Peer, Rule, Status};
use crate::rt::{Alarm, BUDGET, Runtime};

/// For how many polls a due verdict is deferred at most, behind ignored beats and datagrams.
const TURNS_BEFORE_VERDICT: u32 = 32;

/// Watches one peer: the [`Stream`] of its beats, and of the meaning of its silence.
///
/// `receiver` brings the beats, `rule` says how long a silence may be. Each fresh beat comes out as
/// [`WatchEvent::Beat`], with its payload. An event that it causes comes out before it. A silence
/// that is too long comes out as [`Suspect`](WatchEvent::Suspect) and [`Dead`](WatchEvent::Dead),
/// once each; after that the watch goes on, and a peer that comes back is
/// [`Recovered`](WatchEvent::Recovered).
///
/// * **One peer.** The origin of the first beat is the peer, or the one that [`Watch::origin`]
///   names. Beats of others are ignored. So are beats of an older incarnation, and those whose
///   number is not greater than the greatest seen: late, doubled and reordered beats are normal,
///   and none of them extends the trust. [`Watch::ignored`] counts them. If such beats come while
///   the peer is held to be silent, [`Stale`](WatchEvent::Stale) tells it, once a silence.
/// * **Restarts.** A greater incarnation starts the numbers and the detector anew.
/// * **Input first.** Beats that have arrived are received before silence is judged, also when the
///   runtime hides them because the task has used up its budget.
/// * **Own stalls are forgiven.** A deadline that is seen late by more than a quarter of its length
///   (this process was stopped, or did not poll the watch) is followed by one clean window instead
///   of a verdict, once a silence. See [`Watch::forgive_stall`].
/// * **A lost transport is no verdict.** When the receiver fails, or ends,
///   [`Lost`](WatchEvent::Lost) tells why, and the peer is judged by its silence as before.
///   [`Watch::reconnect`] puts another receiver in its place. The stream ends when neither a beat
///   nor a verdict can follow.
///
/// # Cancel safety
/// Dropping a `next()` loses nothing. Dropping the watch leaves nothing behind; nothing is spawned.
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
/// use liveness::Tokio;
/// use liveness::detector::FixedTimeout;
/// use liveness::heartbeat::{Identity, Origin, Schedule, beat, memory, watch};
///
/// # tokio::runtime::Builder::new_current_thread()
/// #     .enable_time().start_paused(true).build().unwrap().block_on(async {
/// let second = Duration::from_secs(1);
/// let identity = Identity::new(Origin::new("worker-1")?, 1);
/// let (sender, receiver) = memory::channel(8);
/// let mut beating = beat(sender, Schedule::new(second), Tokio, &identity, || "all well")?;
/// let rule = FixedTimeout::new(5 * second).suspect_after(3 * second);
/// let mut events = watch(receiver, rule, Tokio);
///
/// let mut story = Vec::new();
/// // The peer beats for two and a half seconds, and then hangs.
/// let mut hangs = Box::pin(tokio::time::sleep(second * 5 / 2));
/// loop {
///     tokio::select! {
///         never = &mut beating => match never? {},
///         event = events.next() => story.push(event.unwrap().to_string()),
///         () = &mut hangs => break,
///     }
/// }
/// while !story.last().unwrap().starts_with("dead") {
///     story.push(events.next().await.unwrap().to_string());
/// }
/// // Its process is killed: the channel ends. Another one takes its place.
/// drop(beating);
/// story.push(events.next().await.unwrap().to_string());
/// assert!(events.next().await.is_none());
///
/// let (sender, receiver) = memory::channel(8);
/// events.reconnect(receiver);
/// let identity = Identity::new(Origin::new("worker-1")?, 2);
/// let beating = beat(sender, Schedule::new(second), Tokio, &identity, || "all well")?;
/// tokio::spawn(beating);
/// while !story.last().unwrap().starts_with("beat") {
///     story.push(events.next().await.unwrap().to_string());
/// }
/// assert_eq!(story, [
///     "alive",
///     "beat #0",
///     "beat #1",
///     "beat #2",
///     "suspected: silent for 3s, last beat #2",
///     "dead: silent for 5s, last beat #2",
///     "lost: the other side of the heartbeat channel is gone",
///     "recovered: silent for 5s, last beat #2",
///     "restarted: incarnation 2 after 1",
///     "beat #0",
/// ]);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub fn watch<'a, R, D, T>(receiver: R, rule: D, rt: T) -> Watch<'a, R, D, T>
where
    R: HeartbeatReceiver + 'a,
    D: Rule,
    T: Runtime,
{
    Watch {
        beats: Some(receiving(receiver)),
        nudge: Arc::default(),
        peer: Peer::new(rule, rt.now()),
        alarm: Alarm::new(rt),
        origin: None,
        upcoming: [None, None],
        told_stale: false,
        turns: 0,
        ignored: 0,
    }
}

/// One future for all beats: it waits on, unharmed, while verdicts are passed.
fn receiving<'a, R: HeartbeatReceiver + 'a>(receiver: R) -> Receiving<'a, R> {
    let beats = stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        let beat = receiver.recv().await;
        let receiver = beat.is_ok().then_some(receiver);
        Some((beat, receiver))
    });
    beats.boxed()
}

/// The stream of [`watch`].
///
/// It is `Unpin`, fused, and yields `WatchEvent<P, E>` with the payload and the error of its
/// receiver. With its four parameters it can be named: `Watch<'static, memory::Receiver<u64>,
/// FixedTimeout, Tokio>`.
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
/// use liveness::detector::FixedTimeout;
/// use liveness::heartbeat::{Identity, Origin, Watch, WatchEvent, memory, watch};
/// use liveness::test_util::Sim;
/// # use liveness::HeartbeatSender;
///
/// type Events = Watch<'static, memory::Receiver<u64>, FixedTimeout, Sim>;
///
/// # liveness::test_util::simulate(async |sim| {
/// let (mut sender, receiver) = memory::channel(8);
/// let events: Events = watch(receiver, FixedTimeout::new(Duration::from_secs(5)), sim);
/// let mut events = events.origin(Origin::new("worker-2")?);
/// for name in ["worker-1", "worker-2"] {
///     let identity = Identity::new(Origin::new(name)?, 1);
///     sender.send(identity.heartbeat(None, 42)).await?; // both over one transport
/// }
/// assert_eq!(events.next().await, Some(WatchEvent::Alive));
/// let Some(WatchEvent::Beat(beat)) = events.next().await else { panic!("no beat") };
/// assert_eq!((beat.origin.as_str(), events.ignored()), ("worker-2", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[must_use = "nothing is watched unless the stream is polled"]
pub struct Watch<'a, R: HeartbeatReceiver, D: Rule, T: Runtime> {
    /// Until they end.
    beats: Option<Receiving<'a, R>>,
    nudge: Arc<Nudge>,
    peer: Peer<D>,
    alarm: Alarm<T>,
    /// The name of the peer, once known.
    origin: Option<Origin>,
    /// What follows from the last beat and has not been taken yet: at most a restart and the beat.
    upcoming: [Option<Event<R>>; 2],
    /// Whether stale beats were told in this silence.
    told_stale: bool,
    /// For how many polls a due verdict has been deferred.
    turns: u32,
    ignored: u64,
}

type Receiving<'a, R> = BoxStream<'a, BeatOf<R>>;
type BeatOf<R> =
    Result<Heartbeat<<R as HeartbeatReceiver>::Payload>, <R as HeartbeatReceiver>::Error>;
type Event<R> = WatchEvent<<R as HeartbeatReceiver>::Payload, <R as HeartbeatReceiver>::Error>;

impl<'a, R: HeartbeatReceiver + 'a, D: Rule, T: Runtime> Watch<'a, R, D, T> {
    /// Watches the peer of this name and no other, where several beat over the same transport.
    /// Default: the origin of the first beat.
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Whether a silence that this side's own stall may explain gets one clean window. Default yes:
    /// see [`Peer::forgive_stall`].
    pub fn forgive_stall(mut self, forgive: bool) -> Self {
        self.peer = self.peer.forgive_stall(forgive);
        self
    }

    /// Takes beats of an older life for a restart, once the peer has been dead for `after`. Zero,
    /// the default, is off: see [`Peer::accept_older_life`].
    pub fn accept_older_life(mut self, after: Duration) -> Self {
        self.peer = self.peer.accept_older_life(after);
        self
    }

    /// The peer's standing: its status, its last beat, its deadlines and suspicion.
    #[must_use]
    pub const fn peer(&self) -> &Peer<D> {
        &self.peer
    }

    /// Another rule from now on: see [`Peer::set_rule`].
    pub fn set_rule(&mut self, rule: D) {
        let now = self.alarm.runtime().now();
        self.peer.set_rule(rule, now);
    }

    /// Receives the beats of the peer over `receiver` from now on. What is known of the peer stays:
    /// its name, its life, its standing and its silence.
    pub fn reconnect(&mut self, receiver: R) {
        self.beats = Some(receiving(receiver));
    }

    /// How many beats were ignored: late, doubled, of an older incarnation or of another peer.
    #[must_use]
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }
}

impl<R: HeartbeatReceiver, D: Rule, T: Runtime> Watch<'_, R, D, T> {
    /// Takes a beat in. The event to begin with, or `None` for a beat that changes nothing.
    fn on_beat(&mut self, beat: Heartbeat<R::Payload>) -> Option<Event<R>> {
        let foreign = self
            .origin
            .as_ref()
            .is_some_and(|peer| *peer != beat.origin);
        if foreign {
            self.ignored = self.ignored.saturating_add(1);
            return None;
        }
        let now = self.alarm.runtime().now();
        let heard = self.peer.on_heartbeat(&beat, now);
        let restart = match heard.order {
            Order::Stale => return self.on_stale(&beat, heard),
            Order::NewLife { from } => Some(WatchEvent::Restarted {
                from,
                to: beat.incarnation,
            }),
            Order::First | Order::Next { .. } => None,
        };
        let turn = match (heard.order, heard.was) {
            (Order::First, _) => Some(WatchEvent::Alive),
            (_, Status::Alive) => None,
            (_, Status::Suspect | Status::Dead) => Some(WatchEvent::Recovered(heard.silence)),
        };
        self.told_stale = false;
        self.origin.get_or_insert_with(|| beat.origin.clone());
        self.upcoming = [restart, Some(WatchEvent::Beat(beat))];
        turn.or_else(|| self.next_upcoming())
    }

    fn on_stale(&mut self, beat: &Heartbeat<R::Payload>, heard: Heard) -> Option<Event<R>> {
        self.ignored = self.ignored.saturating_add(1);
        if heard.was == Status::Alive || self.told_stale {
            return None;
        }
        self.told_stale = true;
        Some(WatchEvent::Stale {
            incarnation: beat.incarnation,
            seq: beat.seq,
            count: heard.silence.stale,
        })
    }

    fn next_upcoming(&mut self) -> Option<Event<R>> {
        self.upcoming.iter_mut().find_map(Option::take)
    }

    /// Everything that can be received, up to the first event.
    fn poll_beats(&mut self, cx: &mut Context<'_>) -> Received<Event<R>> {
        for _ in 0..BUDGET {
            let Some(beats) = &mut self.beats else {
                return Received::Nothing;
            };
            match self.nudge.poll(cx, |cx| beats.poll_next_unpin(cx)) {
                Polled::Waiting => return Received::Nothing,
                Polled::MoreToDo => return Received::OnlyIgnored,
                Polled::Ready(Some(Ok(beat))) => {
                    if let Some(event) = self.on_beat(beat) {
                        return Received::Event(event);
                    }
                }
                Polled::Ready(end) => {
                    self.beats = None;
                    if let Some(Err(error)) = end {
                        return Received::Event(WatchEvent::Lost(error));
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Received::OnlyIgnored
    }

    /// The verdict that is due, once no input can be hiding behind it.
    fn poll_verdict(&mut self, drained: bool, cx: &mut Context<'_>) -> Poll<Event<R>> {
        // Forgiving moves the deadline, so there may be a second look, not a third.
        while let Some(due) = self.peer.poll_timeout() {
            let now = ready!(self.alarm.poll_at(Some(due), cx));
            if self.beats.is_some() {
                ready!(self.alarm.poll_budget(due, cx));
            }
            if !drained && self.turns < TURNS_BEFORE_VERDICT {
                self.turns += 1;
                return Poll::Pending;
            }
            self.turns = 0;
            let status = self.peer.handle_timeout(now);
            let silence = self.peer.silence(now);
            match status {
                Some(Status::Suspect) => return Poll::Ready(WatchEvent::Suspect(silence)),
                Some(Status::Dead) => return Poll::Ready(WatchEvent::Dead(silence)),
                Some(Status::Alive) | None => {}
            }
        }
        Poll::Pending
    }
}

enum Received<E> {
    Event(E),
    Nothing,
    /// Beats or other things without an event, and maybe more; a wake-up is under way.
    OnlyIgnored,
}

impl<R: HeartbeatReceiver, D: Rule, T: Runtime> Stream for Watch<'_, R, D, T> {
    type Item = Event<R>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(event) = this.next_upcoming() {
            return Poll::Ready(Some(event));
        }
        let drained = match this.poll_beats(cx) {
            Received::Event(event) => {
                this.turns = 0;
                return Poll::Ready(Some(event));
            }
            Received::Nothing => true,
            Received::OnlyIgnored => false,
        };
        let verdict = this.poll_verdict(drained, cx);
        if verdict.is_pending() && this.is_terminated() {
            return Poll::Ready(None);
        }
        verdict.map(Some)
    }
}

impl<R: HeartbeatReceiver, D: Rule, T: Runtime> FusedStream for Watch<'_, R, D, T> {
    /// Whether nothing can follow, unless by [`reconnect`](Watch::reconnect).
    fn is_terminated(&self) -> bool {
        let over = self.beats.is_none() && self.peer.poll_timeout().is_none();
        over && self.upcoming.iter().all(Option::is_none)
    }
}

// The receiver's future is boxed; nothing else is ever pinned.
impl<R: HeartbeatReceiver, D: Rule, T: Runtime> Unpin for Watch<'_, R, D, T> {}

impl<R: HeartbeatReceiver, D: Rule + fmt::Debug, T: Runtime> fmt::Debug for Watch<'_, R, D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("origin", &self.origin)
            .field("peer", &self.peer)
            .field("connected", &self.beats.is_some())
            .field("ignored", &self.ignored)
            .finish_non_exhaustive()
    }
}
