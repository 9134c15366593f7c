//! [`beat`]: the sending side's loop, as a future.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::schedule::Pace;
use super::{Heartbeat, HeartbeatSender, Origin, Schedule};
use crate::error::ConfigError;
use crate::rt::{Alarm, Runtime};
use crate::seq::Seq;
use crate::time::later;

/// Beats: sends a heartbeat with a fresh payload whenever the schedule says so, until too many fail.
///
/// The loop is the future that it returns. Nothing is spawned: await it, put it into a `join!` or
/// `select!` beside your work, or spawn it. Dropping it ends the beats and leaves nothing behind.
/// Name the peer and its life with [`Beating::origin`] and [`Beating::incarnation`].
///
/// Beats are numbered from 0. A number is used once, also when its beat failed. At most one beat is
/// under way; while its ack is awaited the next one waits, no longer than
/// [`send_timeout`](Schedule::send_timeout).
///
/// # Errors
/// [`ConfigError`] when the schedule cannot work. The future itself ends with a [`BeatError`] after
/// [`max_failures`](Schedule::max_failures) in a row, and not otherwise.
///
/// ```
/// use std::time::Duration;
/// use liveness::heartbeat::{Origin, Schedule, beat, memory};
/// use liveness::{HeartbeatReceiver, Tokio};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let (sender, mut receiver) = memory::channel(8);
/// let mut queued = 0;
/// let beating = beat(sender, Schedule::new(Duration::from_secs(1)), Tokio, move || {
///     queued += 10;
///     queued
/// })?
/// .origin(Origin::new("worker-1")?);
/// let task = tokio::spawn(beating);
///
/// assert_eq!(receiver.recv().await?.payload, 10);
/// let second = receiver.recv().await?;
/// assert_eq!((second.seq.value(), second.payload), (1, 20));
///
/// drop(receiver); // now every beat fails, and the second failure ends the loop
/// let error = task.await?.unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "2 beats in a row failed, the last one #3: the other side of the heartbeat channel is gone",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub fn beat<'a, S, R, F>(
    sender: S,
    schedule: Schedule,
    rt: R,
    payload: F,
) -> Result<Beating<'a, S, R, F>, ConfigError>
where
    S: HeartbeatSender,
    R: Runtime,
    F: FnMut() -> S::Payload,
{
    schedule.validate()?;
    Ok(Beating {
        stage: Stage::Ready(Loop {
            sender,
            schedule,
            rt,
            payload,
            origin: Origin::default(),
            incarnation: 0,
            on_ack: None,
            on_failure: None,
        }),
    })
}

/// The loop of [`beat`]: a future that ends only when beating makes no sense any more.
///
/// It is `Unpin`, so `&mut beating` can be a branch of a `select!` in a loop.
///
/// ```
/// use liveness::heartbeat::{Beating, BeatError, memory};
/// # use liveness::Tokio;
/// # async fn work() {}
///
/// type Reports = Beating<'static, memory::Sender<u64>, Tokio, fn() -> u64>;
///
/// async fn work_while_beating(mut beating: Reports) -> Result<(), BeatError<memory::Closed>> {
///     tokio::select! {
///         never = &mut beating => match never? {},
///         () = work() => Ok(()),
///     }
/// }
/// ```
#[must_use = "nothing beats unless the future is polled"]
pub struct Beating<'a, S: HeartbeatSender, R, F> {
    stage: Stage<'a, S, R, F>,
}

enum Stage<'a, S: HeartbeatSender, R, F> {
    Ready(Loop<'a, S, R, F>),
    Running(BoxFuture<'a, Ended<S::Error>>),
    Over,
}

type Ended<E> = Result<Infallible, BeatError<E>>;
type OnAck<'a, A> = Box<dyn FnMut(A) -> Option<Duration> + Send + 'a>;
type OnFailure<'a, E> = Box<dyn FnMut(&Failure<E>, u32) + Send + 'a>;

struct Loop<'a, S: HeartbeatSender, R, F> {
    sender: S,
    schedule: Schedule,
    rt: R,
    payload: F,
    origin: Origin,
    incarnation: u64,
    on_ack: Option<OnAck<'a, S::Ack>>,
    on_failure: Option<OnFailure<'a, S::Error>>,
}

/// The four setters have their effect before the first poll.
impl<'a, S: HeartbeatSender, R, F> Beating<'a, S, R, F> {
    /// Who beats. Default: the empty name.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::{Tokio, heartbeat::{Origin, Schedule, beat, memory}};
    /// # let (sender, _receiver) = memory::channel(1);
    /// # let schedule = Schedule::new(Duration::from_secs(1));
    /// let beating = beat(sender, schedule, Tokio, || ())?.origin(Origin::new("worker-1")?);
    /// # drop(beating);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn origin(self, origin: Origin) -> Self {
        self.change(|beats| beats.origin = origin)
    }

    /// Which life of this peer: greater after each restart, or [`watch`](super::watch) takes the
    /// beats for old ones. Default 0.
    ///
    /// A counter on disk will do, or the wall clock at the start of the program.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime, UNIX_EPOCH};
    /// # use liveness::{Tokio, heartbeat::{Schedule, beat, memory}};
    /// # let (sender, _receiver) = memory::channel(1);
    /// # let schedule = Schedule::new(Duration::from_secs(1));
    /// let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    /// let beating = beat(sender, schedule, Tokio, || ())?.incarnation(started.as_secs());
    /// # drop(beating);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn incarnation(self, incarnation: u64) -> Self {
        self.change(|beats| beats.incarnation = incarnation)
    }

    /// Sees the ack of each beat that got through; the interval that it returns, if any, holds from
    /// this beat on. Default: acks are dropped.
    ///
    /// That is how a server sets the pace of its clients, as Nacos does with `clientBeatInterval`.
    /// Zero changes nothing; less than 1 ms counts as 1 ms.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::{Tokio, heartbeat::{Schedule, beat, memory}};
    /// # let (sender, _receiver) = memory::channel(1);
    /// # let schedule = Schedule::new(Duration::from_secs(1));
    /// let mut acks = 0;
    /// let beating = beat(sender, schedule, Tokio, || ())?.on_ack(move |()| {
    ///     acks += 1;
    ///     (acks == 10).then_some(Duration::from_secs(5)) // slow down once all is well
    /// });
    /// # drop(beating);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn on_ack(self, see: impl FnMut(S::Ack) -> Option<Duration> + Send + 'a) -> Self {
        self.change(|beats| beats.on_ack = Some(Box::new(see)))
    }

    /// Sees each failure, and how many there have been in a row, this one counted. Default: only the
    /// last one is seen, in the [`BeatError`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::{Tokio, heartbeat::{Schedule, beat, memory}};
    /// # let (sender, _receiver) = memory::channel(1);
    /// # let schedule = Schedule::new(Duration::from_secs(1));
    /// let beating = beat(sender, schedule, Tokio, || ())?
    ///     .on_failure(|failure, in_a_row| eprintln!("beat failed ({in_a_row} in a row): {failure}"));
    /// # drop(beating);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn on_failure(self, see: impl FnMut(&Failure<S::Error>, u32) + Send + 'a) -> Self {
        self.change(|beats| beats.on_failure = Some(Box::new(see)))
    }

    fn change(mut self, change: impl FnOnce(&mut Loop<'a, S, R, F>)) -> Self {
        if let Stage::Ready(beats) = &mut self.stage {
            change(beats);
        }
        self
    }
}

impl<'a, S, R, F> Future for Beating<'a, S, R, F>
where
    S: HeartbeatSender + 'a,
    R: Runtime,
    F: FnMut() -> S::Payload + Send + 'a,
{
    type Output = Result<Infallible, BeatError<S::Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.stage {
                Stage::Running(running) => {
                    let ended = running.poll_unpin(cx);
                    if ended.is_ready() {
                        self.stage = Stage::Over;
                    }
                    return ended;
                }
                Stage::Ready(_) => {}
                // Polled after the end: as a fused future, it does not panic.
                Stage::Over => return Poll::Pending,
            }
            if let Stage::Ready(beats) = std::mem::replace(&mut self.stage, Stage::Over) {
                self.stage = Stage::Running(Box::pin(beats.run()));
            }
        }
    }
}

// The running loop is boxed; nothing else is ever pinned.
impl<S: HeartbeatSender, R, F> Unpin for Beating<'_, S, R, F> {}

impl<S: HeartbeatSender, R, F> fmt::Debug for Beating<'_, S, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Ready(beats) => return f.debug_tuple("Beating").field(&beats.schedule).finish(),
            Stage::Running(_) => "running",
            Stage::Over => "over",
        };
        f.debug_tuple("Beating").field(&stage).finish()
    }
}

impl<S, R, F> Loop<'_, S, R, F>
where
    S: HeartbeatSender,
    R: Runtime,
    F: FnMut() -> S::Payload,
{
    async fn run(mut self) -> Ended<S::Error> {
        let mut alarm = Alarm::new(self.rt.clone());
        let mut pace = Pace::new(self.schedule, self.rt.seed(), self.rt.now());
        let (mut seq, mut failures) = (Seq::default(), 0_u32);
        loop {
            let now = poll_fn(|cx| alarm.poll_at(pace.due(), cx)).await;
            pace.on_beat(now);
            let beat = Heartbeat {
                origin: self.origin.clone(),
                incarnation: self.incarnation,
                seq,
                interval: pace.interval(),
                payload: (self.payload)(),
            };
            match self.send(beat, pace.send_timeout(), &mut alarm).await {
                Ok(ack) => {
                    failures = 0;
                    if let Some(interval) = self.on_ack.as_mut().and_then(|see| see(ack)) {
                        pace.set_interval(interval);
                    }
                }
                Err(failure) => {
                    failures = failures.saturating_add(1);
                    if let Some(see) = &mut self.on_failure {
                        see(&failure, failures);
                    }
                    if failures == self.schedule.failures() {
                        return Err(BeatError {
                            failures,
                            seq,
                            failure,
                        });
                    }
                }
            }
            seq = seq.next();
        }
    }

    async fn send(
        &mut self,
        beat: Heartbeat<S::Payload>,
        within: Option<Duration>,
        alarm: &mut Alarm<R>,
    ) -> Result<S::Ack, Failure<S::Error>> {
        let deadline = within.and_then(|within| later(self.rt.now(), within));
        let mut sending = self.sender.send(beat);
        poll_fn(|cx| {
            // The ack first: one that is there is in time.
            if let Poll::Ready(sent) = sending.poll_unpin(cx) {
                return Poll::Ready(sent.map_err(Failure::Transport));
            }
            alarm.poll_at(deadline, cx).map(|_| {
                let after = within.unwrap_or_default();
                Err(Failure::TimedOut { after })
            })
        })
        .await
    }
}

/// Why one beat failed.
///
/// ```
/// # use std::time::Duration;
/// # use liveness::heartbeat::Failure;
/// let failure: Failure<std::io::Error> = Failure::TimedOut { after: Duration::from_secs(1) };
/// assert_eq!(failure.to_string(), "not through within 1s");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(
    clippy::exhaustive_enums,
    reason = "too long or the transport: a closed sum"
)]
pub enum Failure<E> {
    /// Sending it, or its ack, took too long.
    #[error("not through within {after:?}")]
    TimedOut {
        /// The [limit](Schedule::send_timeout) in force.
        after: Duration,
    },
    /// The sender said so.
    #[error("{0}")]
    Transport(E),
}

/// Why [`beat`] ended: as many beats in a row failed as [may](Schedule::max_failures).
///
/// ```
/// use liveness::heartbeat::{BeatError, Failure};
///
/// fn is_slow<E>(error: &BeatError<E>) -> bool {
///     matches!(error.failure, Failure::TimedOut { .. })
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} failed, the last one {seq}: {failure}", in_a_row(*failures))]
#[non_exhaustive]
pub struct BeatError<E> {
    /// How many failed in a row.
    pub failures: u32,
    /// The number of the last one.
    pub seq: Seq,
    /// Why the last one failed.
    pub failure: Failure<E>,
}

fn in_a_row(failures: u32) -> String {
    match failures {
        1 => "1 beat".to_owned(),
        n => format!("{n} beats in a row"),
    }
}
