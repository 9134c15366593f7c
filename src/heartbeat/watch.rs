//! [`watch`]: the receiving side's verdicts, as a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::stream::{self, BoxStream, FusedStream, Stream, StreamExt as _};

use super::{Heartbeat, HeartbeatReceiver, Origin, WatchEvent};
use crate::detector::{FailureDetector, Order, Peer, Status};
use crate::rt::{Alarm, BUDGET, Runtime};

/// For how many polls a due verdict is deferred at most, behind ignored beats.
const TURNS_BEFORE_VERDICT: u32 = 32;

/// Watches one peer: the [`Stream`] of its beats and of what its silence means.
///
/// `receiver` brings the beats, `detector` says how long a silence may be. Each fresh beat comes
/// out as [`WatchEvent::Beat`], with its payload; what it changes comes out just before it, and a
/// silence that is too long as [`Suspect`](WatchEvent::Suspect) and [`Dead`](WatchEvent::Dead),
/// once each. After [`Dead`](WatchEvent::Dead) the watch goes on, and a peer that comes back is
/// [`Recovered`](WatchEvent::Recovered). When the receiver fails, which is also how it ends, its
/// error is the last item.
///
/// * **One peer.** The origin of the first beat is the peer, or the one that [`Watch::peer`] names;
///   beats of others are ignored. So are beats of an older incarnation and those whose number is
///   not greater than the greatest seen: late, doubled and reordered beats are normal, and none of
///   them extends the trust. [`Watch::ignored`] counts them.
/// * **Restarts.** A greater incarnation starts the numbers and the detector anew.
/// * **Input first.** What can be received is received before silence is judged.
/// * **Own stalls are forgiven.** A deadline that is seen late by more than a quarter of its length
///   (this process was stopped, or did not poll the watch) is followed by one clean window instead
///   of a verdict, once a silence. See [`Watch::forgive_stall`].
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
/// # tokio::runtime::Builder::new_current_thread()
/// #     .enable_time().start_paused(true).build().unwrap().block_on(async {
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
    let peer = Peer::new(detector, rt.now());
    Watch {
        beats: Some(beats.boxed()),
        peer,
        alarm: Alarm::new(rt),
        origin: None,
        upcoming: [None, None],
        turns: 0,
        ignored: 0,
    }
}

/// The stream of [`watch`].
///
/// It is `Unpin`, fused, and yields `Result<WatchEvent<P>, E>` with the payload and the error of
/// its receiver. With its four parameters it can be named:
/// `Watch<'static, memory::Receiver<u64>, FixedTimeout, Tokio>`.
#[must_use = "nothing is watched unless the stream is polled"]
pub struct Watch<'a, R: HeartbeatReceiver, D, T: Runtime> {
    /// Until they end.
    beats: Option<Receiving<'a, R>>,
    peer: Peer<D>,
    alarm: Alarm<T>,
    /// The name of the peer, once known.
    origin: Option<Origin>,
    /// What follows from the last beat and has not been taken yet: at most a restart and the beat.
    upcoming: [Option<WatchEvent<R::Payload>>; 2],
    /// For how many polls a due verdict has been deferred behind ignored beats.
    turns: u32,
    ignored: u64,
}

type Receiving<'a, R> = BoxStream<'a, BeatOf<R>>;
type BeatOf<R> =
    Result<Heartbeat<<R as HeartbeatReceiver>::Payload>, <R as HeartbeatReceiver>::Error>;

impl<R: HeartbeatReceiver, D: FailureDetector, T: Runtime> Watch<'_, R, D, T> {
    /// Watches this peer and no other, where several beat over the same transport. Default: the
    /// origin of the first beat.
    pub fn peer(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Whether a silence that this side's own stall may explain gets one clean window. Default yes:
    /// see [`Peer::forgive_stall`].
    pub fn forgive_stall(mut self, forgive: bool) -> Self {
        self.peer = self.peer.forgive_stall(forgive);
        self
    }

    /// What is held about the peer.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.peer.status()
    }

    /// The detector, to ask for its suspicion.
    #[must_use]
    pub const fn detector(&self) -> &D {
        self.peer.detector()
    }

    /// The detector, to change it: when a beat promises another interval, say.
    ///
    /// The watch goes by its new deadlines from the next poll on.
    pub const fn detector_mut(&mut self) -> &mut D {
        self.peer.detector_mut()
    }

    /// How many beats were ignored: late, doubled, of an older incarnation or of another peer.
    #[must_use]
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Takes a beat in. The event to begin with, or `None` for a beat that proves nothing.
    fn on_beat(&mut self, beat: Heartbeat<R::Payload>) -> Option<WatchEvent<R::Payload>> {
        if !self.takes(&beat) {
            self.ignored = self.ignored.saturating_add(1);
            return None;
        }
        let now = self.alarm.runtime().now();
        let heard = self.peer.on_heartbeat(&beat, now);
        let to = beat.incarnation;
        let restart = match heard.order {
            Order::Stale => {
                self.ignored = self.ignored.saturating_add(1);
                return None;
            }
            Order::NewLife { from } => Some(WatchEvent::Restarted { from, to }),
            Order::First | Order::Next { .. } => None,
        };
        let turn = match (heard.order, heard.was) {
            (Order::First, _) => Some(WatchEvent::Alive),
            (_, Status::Alive) => None,
            (_, Status::Suspect | Status::Dead) => Some(WatchEvent::Recovered(heard.silence)),
        };
        self.origin.get_or_insert_with(|| beat.origin.clone());
        self.upcoming = [restart, Some(WatchEvent::Beat(beat))];
        turn.or_else(|| self.next_upcoming())
    }

    /// Whether the beat is one of the peer that is watched.
    fn takes(&self, beat: &Heartbeat<R::Payload>) -> bool {
        self.origin.as_ref().is_none_or(|peer| *peer == beat.origin)
    }

    fn next_upcoming(&mut self) -> Option<WatchEvent<R::Payload>> {
        self.upcoming.iter_mut().find_map(Option::take)
    }

    /// The verdict that has become due by `now`.
    fn judge(&mut self, now: Instant) -> Option<WatchEvent<R::Payload>> {
        let status = self.peer.handle_timeout(now)?;
        let silence = self.peer.silence(now);
        Some(match status {
            Status::Dead => WatchEvent::Dead(silence),
            Status::Alive | Status::Suspect => WatchEvent::Suspect(silence),
        })
    }

    /// Everything that can be received: the first fresh beat, or the end; else whether there is
    /// more.
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
        // Forgiving moves the deadline, so there may be a second look, not a third.
        while let Some(due) = this.peer.poll_timeout() {
            let Poll::Ready(now) = this.alarm.poll_at(Some(due), cx) else {
                break;
            };
            if !drained && this.turns < TURNS_BEFORE_VERDICT {
                this.turns += 1;
                break;
            }
            this.turns = 0;
            if let Some(event) = this.judge(now) {
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
            .field("origin", &self.origin)
            .field("peer", &self.peer)
            .field("ignored", &self.ignored)
            .finish_non_exhaustive()
    }
}
