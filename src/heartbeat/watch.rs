//! [`watch`]: the receiving side's verdicts, as a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::stream::{self, BoxStream, FusedStream, Stream, StreamExt as _};

use super::{Heartbeat, HeartbeatReceiver, Origin};
use crate::detector::FailureDetector;
use crate::rt::{Alarm, BUDGET, Runtime};
use crate::seq::Seq;
use crate::time::{earlier, later, reached};

/// How many such turns a verdict that is due waits for a fresh beat behind the ignored ones.
const TURNS_BEFORE_VERDICT: u32 = 32;

/// Watches one peer: the [`Stream`] of its beats and of what its silence means.
///
/// `receiver` brings the beats, `detector` says how long a silence may be. Each fresh beat comes out
/// as [`WatchEvent::Beat`], with its payload; what it changes comes out just before it, and a silence
/// that is too long as [`Suspect`](WatchEvent::Suspect) and [`Dead`](WatchEvent::Dead), once each.
/// After [`Dead`](WatchEvent::Dead) the watch goes on, and a peer that comes back is
/// [`Recovered`](WatchEvent::Recovered). When the receiver fails, which is also how it ends, its
/// error is the last item.
///
/// * **One peer.** The origin of the first beat is the peer, or the one that [`Watch::peer`] names;
///   beats of others are ignored. So are beats of an older incarnation and those whose number is not
///   greater than the greatest seen: late, doubled and reordered beats are normal, and none of them
///   extends the trust. [`Watch::ignored`] counts them.
/// * **Restarts.** A greater incarnation starts the numbers and the detector anew.
/// * **Input first.** What can be received is received before silence is judged.
/// * **Own stalls are forgiven.** A deadline that is seen late by more than a quarter of its length
///   (this process was stopped, or did not poll the watch) is followed by one clean window instead of
///   a verdict, once a silence. See [`Watch::forgive_stall`].
///
/// # Cancel safety
/// Dropping a `next()` loses nothing. Dropping the watch leaves nothing behind; nothing is spawned.
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
/// use liveness::Tokio;
/// use liveness::detector::FixedTimeout;
/// use liveness::heartbeat::{Schedule, WatchEvent, beat, memory, watch};
/// use liveness::rt::Runtime;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let second = Duration::from_secs(1);
/// let (sender, receiver) = memory::channel(8);
/// let mut beating = beat(sender, Schedule::new(second), Tokio, || "all well")?;
/// let detector = FixedTimeout::new(5 * second, Tokio.now()).suspect_after(3 * second);
/// let mut events = watch(receiver, detector, Tokio);
///
/// let mut story = Vec::new();
/// // The peer beats for two and a half seconds, and then hangs.
/// let mut hangs = Box::pin(tokio::time::sleep(second * 5 / 2));
/// loop {
///     tokio::select! {
///         never = &mut beating => match never? {},
///         event = events.next() => story.push(event.unwrap()?.to_string()),
///         () = &mut hangs => break,
///     }
/// }
/// while !story.last().unwrap().starts_with("dead") {
///     story.push(events.next().await.unwrap()?.to_string());
/// }
/// assert_eq!(story, [
///     "alive",
///     "beat #0",
///     "beat #1",
///     "beat #2",
///     "suspected: silent for 3s, last beat #2",
///     "dead: silent for 5s, last beat #2",
/// ]);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub fn watch<'a, R, D, T>(receiver: R, detector: D, rt: T) -> Watch<'a, R, D, T>
where
    R: HeartbeatReceiver + 'a,
    D: FailureDetector,
    T: Runtime,
{
    // One future for all beats: it waits on, unharmed, while verdicts are passed.
    let beats = stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        let beat = receiver.recv().await;
        let receiver = beat.is_ok().then_some(receiver);
        Some((beat, receiver))
    });
    let now = rt.now();
    Watch {
        beats: Some(beats.boxed()),
        detector,
        alarm: Alarm::new(rt),
        peer: None,
        last: Last {
            at: now,
            beat: None,
        },
        standing: Standing::Alive,
        upcoming: [None, None],
        forgive_stall: true,
        pardon: None,
        turns: 0,
        ignored: 0,
    }
}

/// The stream of [`watch`].
///
/// It is `Unpin`, fused, and yields `Result<WatchEvent<P>, E>` with the payload and the error of its
/// receiver.
///
/// ```
/// use liveness::detector::FixedTimeout;
/// use liveness::heartbeat::{Watch, memory};
///
/// struct Supervisor {
///     worker: Watch<'static, memory::Receiver<u64>, FixedTimeout, liveness::Tokio>,
/// }
/// ```
#[must_use = "nothing is watched unless the stream is polled"]
pub struct Watch<'a, R: HeartbeatReceiver, D, T: Runtime> {
    /// Until they end.
    beats: Option<Receiving<'a, R>>,
    detector: D,
    alarm: Alarm<T>,
    peer: Option<Origin>,
    last: Last,
    standing: Standing,
    /// What follows from the last beat and has not been taken yet: at most a restart and the beat.
    upcoming: [Option<WatchEvent<R::Payload>>; 2],
    forgive_stall: bool,
    /// The pardon of this silence, if it was given: by how much its deadlines moved.
    pardon: Option<Duration>,
    /// Turns that a verdict has waited for an end of the beats that are ignored.
    turns: u32,
    ignored: u64,
}

type Receiving<'a, R> = BoxStream<'a, BeatOf<R>>;
type BeatOf<R> =
    Result<Heartbeat<<R as HeartbeatReceiver>::Payload>, <R as HeartbeatReceiver>::Error>;

/// The last fresh beat: when it came, or when the watch began, and what it was.
#[derive(Debug, Clone, Copy)]
struct Last {
    at: Instant,
    beat: Option<LastBeat>,
}

#[derive(Debug, Clone, Copy)]
struct LastBeat {
    incarnation: u64,
    seq: Seq,
    interval: Duration,
}

/// What was said last about the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Alive,
    Suspect,
    Dead,
}

impl<R: HeartbeatReceiver, D: FailureDetector, T: Runtime> Watch<'_, R, D, T> {
    /// Watches this peer and no other, where several beat over the same transport. Default: the
    /// origin of the first beat.
    ///
    /// ```
    /// # use liveness::{HeartbeatReceiver, Tokio, rt::Runtime};
    /// # use liveness::{detector::FixedTimeout, heartbeat::{Origin, memory, watch}};
    /// # let (_sender, receiver) = memory::channel::<()>(1);
    /// # let detector = FixedTimeout::new(std::time::Duration::ZERO, Tokio.now());
    /// let events = watch(receiver, detector, Tokio).peer(Origin::new("billing-7")?);
    /// # drop(events);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn peer(mut self, origin: Origin) -> Self {
        self.peer = Some(origin);
        self
    }

    /// Whether a silence that this side's own stall may explain gets one clean window. Default yes.
    ///
    /// With it, a peer that falls silent during such a stall is found within the stall and twice the
    /// detector's limit.
    ///
    /// ```
    /// # use liveness::{HeartbeatReceiver, Tokio, rt::Runtime};
    /// # use liveness::{detector::FixedTimeout, heartbeat::{memory, watch}};
    /// # let (_sender, receiver) = memory::channel::<()>(1);
    /// # let detector = FixedTimeout::new(std::time::Duration::ZERO, Tokio.now());
    /// let strict = watch(receiver, detector, Tokio).forgive_stall(false);
    /// # drop(strict);
    /// ```
    pub fn forgive_stall(mut self, forgive: bool) -> Self {
        self.forgive_stall = forgive;
        self
    }

    /// The detector, to ask for its suspicion.
    ///
    /// ```
    /// # use liveness::{Tokio, rt::Runtime};
    /// # use liveness::{detector::{FailureDetector, FixedTimeout}, heartbeat::{memory, watch}};
    /// # let (_sender, receiver) = memory::channel::<()>(1);
    /// # let detector = FixedTimeout::new(std::time::Duration::from_secs(9), Tokio.now());
    /// let events = watch(receiver, detector, Tokio);
    /// assert!(events.detector().suspicion(Tokio.now()) < 1.0);
    /// ```
    #[must_use]
    pub const fn detector(&self) -> &D {
        &self.detector
    }

    /// The detector, to change it: when a beat promises another interval, say.
    ///
    /// The watch goes by its new deadlines from the next poll on.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::{Tokio, rt::Runtime};
    /// # use liveness::{detector::FixedTimeout, heartbeat::{memory, watch}};
    /// # let (_sender, receiver) = memory::channel::<()>(1);
    /// # let detector = FixedTimeout::new(Duration::from_secs(9), Tokio.now());
    /// let mut events = watch(receiver, detector, Tokio);
    /// *events.detector_mut() = FixedTimeout::new(Duration::from_secs(30), Tokio.now());
    /// ```
    pub const fn detector_mut(&mut self) -> &mut D {
        &mut self.detector
    }

    /// How many beats were ignored: late, doubled, of an older incarnation or of another peer.
    ///
    /// ```
    /// # use liveness::{Tokio, rt::Runtime};
    /// # use liveness::{detector::FixedTimeout, heartbeat::{memory, watch}};
    /// # let (_sender, receiver) = memory::channel::<()>(1);
    /// # let detector = FixedTimeout::new(std::time::Duration::ZERO, Tokio.now());
    /// assert_eq!(watch(receiver, detector, Tokio).ignored(), 0);
    /// ```
    #[must_use]
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Takes a beat in. The event to begin with, or `None` for a beat that proves nothing.
    fn on_beat(&mut self, beat: Heartbeat<R::Payload>) -> Option<WatchEvent<R::Payload>> {
        let of_peer = self.peer.as_ref().is_none_or(|peer| *peer == beat.origin);
        let of_life = self.last.beat.map(|last| last.incarnation);
        let restarted = of_life.is_some_and(|incarnation| beat.incarnation > incarnation);
        let in_order = match self.last.beat {
            Some(last) => beat.incarnation == last.incarnation && beat.seq > last.seq,
            None => true,
        };
        if !(of_peer && (in_order || restarted)) {
            self.ignored = self.ignored.saturating_add(1);
            return None;
        }
        let now = self.alarm.runtime().now();
        let silence = self.silence(now);
        let before = std::mem::replace(&mut self.standing, Standing::Alive);
        if restarted {
            self.detector.reset(now);
        }
        self.detector.on_heartbeat(beat.seq, now);
        self.pardon = None;
        self.last = Last {
            at: now,
            beat: Some(LastBeat {
                incarnation: beat.incarnation,
                seq: beat.seq,
                interval: beat.interval,
            }),
        };
        if self.peer.is_none() {
            self.peer = Some(beat.origin.clone());
        }
        let to = beat.incarnation;
        let restart = of_life
            .filter(|_| restarted)
            .map(|from| WatchEvent::Restarted { from, to });
        let turn = match (of_life, before) {
            (None, _) => Some(WatchEvent::Alive),
            (_, Standing::Suspect | Standing::Dead) => Some(WatchEvent::Recovered(silence)),
            (_, Standing::Alive) => None,
        };
        self.upcoming = [restart, Some(WatchEvent::Beat(beat))];
        turn.or_else(|| self.next_upcoming())
    }

    fn next_upcoming(&mut self) -> Option<WatchEvent<R::Payload>> {
        self.upcoming.iter_mut().find_map(Option::take)
    }

    fn silence(&self, now: Instant) -> Silence {
        Silence {
            silent_for: now.saturating_duration_since(self.last.at),
            last_seq: self.last.beat.map(|last| last.seq),
            incarnation: self.last.beat.map(|last| last.incarnation),
            interval: self.last.beat.map(|last| last.interval),
        }
    }

    /// What is due next, and for which standing.
    fn deadline(&self) -> Option<Instant> {
        match self.standing {
            Standing::Alive => earlier(self.suspect_at(), self.dead_at()),
            Standing::Suspect => self.dead_at(),
            Standing::Dead => None,
        }
    }

    fn suspect_at(&self) -> Option<Instant> {
        later(self.detector.suspect_at()?, self.pardon.unwrap_or_default())
    }

    fn dead_at(&self) -> Option<Instant> {
        later(self.detector.dead_at()?, self.pardon.unwrap_or_default())
    }

    /// The deadline `due` has come: bury, suspect, or pardon.
    fn judge(&mut self, due: Instant, now: Instant) -> Option<WatchEvent<R::Payload>> {
        let limit = due.saturating_duration_since(self.last.at);
        let late = now.saturating_duration_since(due);
        if self.forgive_stall && self.pardon.is_none() && late > limit / 4 {
            self.pardon = Some(now.saturating_duration_since(self.last.at));
            return None;
        }
        let silence = self.silence(now);
        if reached(self.dead_at(), now) {
            self.standing = Standing::Dead;
            return Some(WatchEvent::Dead(silence));
        }
        self.standing = Standing::Suspect;
        Some(WatchEvent::Suspect(silence))
    }

    /// Everything that can be received: the first fresh beat, or the end; else whether there is more.
    fn poll_beats(&mut self, cx: &mut Context<'_>) -> Received<WatchItem<R>> {
        for _ in 0..BUDGET {
            let Some(beats) = &mut self.beats else {
                return Received::Item(None);
            };
            match beats.poll_next_unpin(cx) {
                Poll::Pending => return Received::Nothing,
                Poll::Ready(Some(Ok(beat))) => {
                    if let Some(event) = self.on_beat(beat) {
                        return Received::Item(Some(Ok(event)));
                    }
                }
                Poll::Ready(end) => {
                    self.beats = None;
                    return Received::Item(end.and_then(Result::err).map(Err));
                }
            }
        }
        Received::OnlyIgnored
    }
}

type WatchItem<R> =
    Result<WatchEvent<<R as HeartbeatReceiver>::Payload>, <R as HeartbeatReceiver>::Error>;

enum Received<I> {
    Item(Option<I>),
    Nothing,
    OnlyIgnored,
}

impl<R: HeartbeatReceiver, D: FailureDetector, T: Runtime> Stream for Watch<'_, R, D, T> {
    type Item = Result<WatchEvent<R::Payload>, R::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(event) = this.next_upcoming() {
            return Poll::Ready(Some(Ok(event)));
        }
        let drained = match this.poll_beats(cx) {
            Received::Item(item) => {
                this.turns = 0;
                return Poll::Ready(item);
            }
            Received::Nothing => true,
            Received::OnlyIgnored => false,
        };
        // A pardon moves the deadline, so there may be a second look, not a third.
        while let Some(due) = this.deadline() {
            let Poll::Ready(now) = this.alarm.poll_at(Some(due), cx) else {
                break;
            };
            if !drained && this.turns < TURNS_BEFORE_VERDICT {
                this.turns += 1;
                break;
            }
            this.turns = 0;
            if let Some(event) = this.judge(due, now) {
                return Poll::Ready(Some(Ok(event)));
            }
        }
        if !drained {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<R: HeartbeatReceiver, D: FailureDetector, T: Runtime> FusedStream for Watch<'_, R, D, T> {
    fn is_terminated(&self) -> bool {
        self.beats.is_none() && self.upcoming.iter().all(Option::is_none)
    }
}

// The receiver's future is boxed; nothing else is ever pinned.
impl<R: HeartbeatReceiver, D, T: Runtime> Unpin for Watch<'_, R, D, T> {}

impl<R: HeartbeatReceiver, D: fmt::Debug, T: Runtime> fmt::Debug for Watch<'_, R, D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("peer", &self.peer)
            .field("standing", &self.standing)
            .field("last", &self.last)
            .field("detector", &self.detector)
            .field("ignored", &self.ignored)
            .finish_non_exhaustive()
    }
}

/// What [`watch`] has to tell about its peer.
///
/// The order is fixed: [`Recovered`](Self::Recovered) or [`Alive`](Self::Alive), then
/// [`Restarted`](Self::Restarted), then the [`Beat`](Self::Beat) that brought them.
///
/// ```
/// use liveness::heartbeat::WatchEvent;
///
/// fn log(event: &WatchEvent<u64>) {
///     match event {
///         WatchEvent::Beat(beat) => println!("{} has {} jobs", beat.origin, beat.payload),
///         WatchEvent::Dead(silence) => println!("take over: {silence}"),
///         other => println!("{other}"),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchEvent<P> {
    /// The first beat of the peer; also when it had been given up before it ever beat.
    Alive,
    /// A beat after [`Suspect`](Self::Suspect) or [`Dead`](Self::Dead), with the silence that it ends.
    Recovered(Silence),
    /// The peer started anew, and its detector too.
    Restarted {
        /// The incarnation that was.
        from: u64,
        /// The incarnation that is.
        to: u64,
    },
    /// A fresh beat.
    Beat(Heartbeat<P>),
    /// The peer has been silent for suspiciously long. At most once a silence.
    Suspect(Silence),
    /// The peer has been silent for too long. Once a silence, whether it was suspected or not.
    Dead(Silence),
}

impl<P> fmt::Display for WatchEvent<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alive => f.write_str("alive"),
            Self::Recovered(silence) => write!(f, "recovered: {silence}"),
            Self::Restarted { from, to } => write!(f, "restarted: incarnation {to} after {from}"),
            Self::Beat(beat) => write!(f, "beat {}", beat.seq),
            Self::Suspect(silence) => write!(f, "suspected: {silence}"),
            Self::Dead(silence) => write!(f, "dead: {silence}"),
        }
    }
}

/// A silence of the peer, in numbers.
///
/// ```
/// use std::time::Duration;
/// use liveness::heartbeat::Silence;
///
/// fn missed(silence: &Silence) -> Option<u128> {
///     let interval = silence.interval.filter(|interval| !interval.is_zero())?;
///     Some(silence.silent_for.as_nanos() / interval.as_nanos())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Silence {
    /// The time since the last fresh beat, or since the watch began if there was none.
    pub silent_for: Duration,
    /// The number of that beat.
    pub last_seq: Option<Seq>,
    /// Its incarnation.
    pub incarnation: Option<u64>,
    /// The interval that it promised.
    pub interval: Option<Duration>,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "silent for {:?}", self.silent_for)?;
        match self.last_seq {
            Some(seq) => write!(f, ", last beat {seq}"),
            None => f.write_str(", no beat yet"),
        }
    }
}
