//! [`beat`]: the sending side's loop, as a future.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::pace::Pace;
use super::{Heartbeat, HeartbeatSender, Identity, Schedule};
use crate::error::ConfigError;
use crate::rt::{Alarm, Runtime};
use crate::seq::Seq;
use crate::time::later;

/// Beats: sends a heartbeat with a fresh payload whenever the schedule says so, until too many
/// fail.
///
/// The loop is the future that it returns. Nothing is spawned: await it, put it into a `join!` or
/// `select!` beside your work, or spawn it. Dropping it ends the beats and leaves nothing behind.
///
/// `identity` names the peer and its life, and numbers the beats. A number is used once, also when
/// its beat failed. At most one beat is under way; while its ack is awaited the next one waits, no
/// longer than [`send_timeout`](Schedule::send_timeout).
///
/// # Errors
/// [`ConfigError`] when the schedule cannot work. The future itself ends with a [`BeatError`] after
/// [`max_failures`](Schedule::max_failures) in a row, and not otherwise.
///
/// ```
/// use std::time::Duration;
/// use liveness::heartbeat::{Identity, Origin, Schedule, beat, memory};
/// use liveness::{HeartbeatReceiver, Tokio};
///
/// # tokio::runtime::Builder::new_current_thread()
/// #     .enable_time().start_paused(true).build().unwrap().block_on(async {
/// // The wall clock at the start of the program, so that it is greater after each restart.
/// let started = std::time::UNIX_EPOCH.elapsed()?.as_millis() as u64;
/// let identity = Identity::new(Origin::new("worker-1")?, started);
/// let schedule = Schedule::new(Duration::from_secs(1));
///
/// let (sender, mut receiver) = memory::channel(8);
/// let mut queued = 0;
/// let beating = beat(sender, schedule, Tokio, &identity, move || {
///     queued += 10;
///     queued
/// })?;
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
///
/// // Connected again: the numbers go on.
/// let (sender, mut receiver) = memory::channel(8);
/// let _task = tokio::spawn(beat(sender, schedule, Tokio, &identity, || 0)?);
/// assert_eq!(receiver.recv().await?.seq.value(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub fn beat<'a, S, R, F>(
    sender: S,
    schedule: Schedule,
    rt: R,
    identity: &Identity,
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
            identity: identity.clone(),
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
/// use std::time::Duration;
/// use liveness::heartbeat::{Identity, Origin, Schedule, beat, memory};
/// use liveness::{HeartbeatReceiver, Tokio};
///
/// # tokio::runtime::Builder::new_current_thread()
/// #     .enable_time().start_paused(true).build().unwrap().block_on(async {
/// let second = Duration::from_secs(1);
/// let (sender, mut receiver) = memory::channel(8);
/// let mut acks = 0;
/// let (schedule, identity) = (Schedule::new(second), Identity::new(Origin::new("worker-1")?, 1));
/// let mut beating = beat(sender, schedule, Tokio, &identity, || "busy")?.on_ack(move |()| {
///     acks += 1;
///     (acks == 2).then_some(10 * second) // slow down once all is well
/// });
/// tokio::select! {
///     never = &mut beating => match never? {},
///     () = tokio::time::sleep(25 * second) => {} // the work
/// }
/// drop(beating);
///
/// // Each beat promises the next one, so the watch of the peer knows of the new pace.
/// let mut promised = Vec::new();
/// while let Ok(beat) = receiver.recv().await {
///     promised.push(beat.interval.unwrap().as_secs());
/// }
/// assert_eq!(promised, [1, 1, 10, 10, 10]);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
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
    identity: Identity,
    on_ack: Option<OnAck<'a, S::Ack>>,
    on_failure: Option<OnFailure<'a, S::Error>>,
}

/// The setters have their effect before the first poll.
impl<'a, S: HeartbeatSender, R, F> Beating<'a, S, R, F> {
    /// Sees the ack of each beat that got through, and may return another interval; `None` changes
    /// nothing. Default: acks are dropped.
    ///
    /// A shorter interval holds at once. A longer one holds from the next beat on, which announces
    /// it: the last beat has promised that one for sooner.
    ///
    /// In this way a server sets the pace of its clients, as Nacos does with `clientBeatInterval`.
    /// Zero is off: no further beat. Less than 1 ms counts as 1 ms.
    pub fn on_ack(self, see: impl FnMut(S::Ack) -> Option<Duration> + Send + 'a) -> Self {
        self.change(|beats| beats.on_ack = Some(Box::new(see)))
    }

    /// Sees each failure, and how many there have been in a row, this one counted. Default: only
    /// the last one is seen, in the [`BeatError`].
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
        let mut failures = 0_u32;
        loop {
            let now = poll_fn(|cx| alarm.poll_at(pace.due(), cx)).await;
            pace.on_beat(now);
            let payload = (self.payload)();
            let beat = self.identity.heartbeat(Some(pace.interval()), payload);
            let seq = beat.seq;
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
                    if failures == self.schedule.max_failures {
                        return Err(BeatError {
                            failures,
                            seq,
                            failure,
                        });
                    }
                }
            }
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
    /// The sender failed.
    #[error("{0}")]
    Transport(#[source] E),
}

/// Why [`beat`] ended: as many beats in a row failed as [may](Schedule::max_failures).
///
/// ```
/// use std::time::Duration;
/// use liveness::heartbeat::{Failure, Identity, Origin, Schedule, beat, memory};
///
/// # liveness::test_util::simulate(async |sim| {
/// let identity = Identity::new(Origin::new("worker-1")?, 1);
/// let schedule = Schedule::new(Duration::from_secs(1)).max_failures(3);
/// let (sender, receiver) = memory::channel(8);
/// drop(receiver); // nobody watches any more
/// let Err(error) = beat(sender, schedule, sim.clone(), &identity, || 42_u64)?.await;
/// assert_eq!((error.failures, error.seq.value()), (3, 2));
/// assert_eq!(error.failure, Failure::Transport(memory::Closed));
/// # Ok::<(), liveness::ConfigError>(()) }).unwrap();
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
    #[source]
    pub failure: Failure<E>,
}

fn in_a_row(failures: u32) -> String {
    match failures {
        1 => "1 beat".to_owned(),
        n => format!("{n} beats in a row"),
    }
}
