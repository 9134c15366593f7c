//! [`Handle`]: what a connection knows of its peer, readable from anywhere.
//!
//! A stream that is split, or handed to a library for good, is out of reach. The handle shares a
//! small record with it: the driver writes what has changed, on its cold paths only, and wishes
//! travel through the bell that a timer rings, so that the driver's hot paths look at nothing new.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::error::ConfigError;
use crate::keepalive::{Dead, Keepalive, KeepaliveConfig};
use crate::rt::Bell;
use crate::rtt::Rtt;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};
use crate::time::nanos;

/// A connection's round trips, verdict and configuration, for whoever does not hold the stream.
///
/// From [`PingPong::handle`](crate::PingPong::handle) and
/// [`KeepaliveStream::handle`](crate::io::KeepaliveStream::handle). Cheap to clone, `Send + Sync +
/// 'static`, without type parameters; it keeps no socket alive and outlives the stream. What it
/// tells is as fresh as the last poll of the stream; what it asks for happens at the next one, for
/// which it wakes the task that polls.
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// use std::time::Duration;
/// use futures::{SinkExt, StreamExt};
/// use liveness::test_util::{LinkConfig, World, messages};
/// use liveness::{Answers, Cause, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};
///
/// # struct Numbers;
/// # impl Protocol for Numbers {
/// #     type Message = u32;
/// #     fn ping(&mut self, _: Seq) -> u32 { 0 }
/// #     fn classify(&mut self, number: u32) -> Inbound<u32> {
/// #         match number {
/// #             0 => Inbound::Ping { reply: Some(1) },
/// #             1 => Inbound::Pong(Answers::Oldest),
/// #             data => Inbound::Data(data),
/// #         }
/// #     }
/// # }
/// let mut world = World::new();
/// let sim = world.sim.clone();
/// let link = LinkConfig::new().delay(Duration::from_millis(30));
/// let (near, far, link) = messages(&sim, link);
/// let mut stream = PingPong::new(near, Numbers, KeepaliveConfig::new(), sim.clone())?;
/// let mut peer = PingPong::new(far, Numbers, KeepaliveConfig::new(), sim.clone())?;
/// world.spawn(async move { while let Some(Ok(_)) = peer.next().await {} });
///
/// // The stream is split, and its halves are out of reach.
/// let mut handle = stream.handle();
/// let (_sink, mut stream) = stream.split::<u32>();
/// world.spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
///
/// world.run(async {
///     handle.probe_now();
///     handle.changed().await.unwrap();
///     assert_eq!(handle.rtt().latest(), Some(Duration::from_millis(60)));
///
///     link.cut();
///     while handle.dead().is_none() {
///         handle.changed().await.unwrap();
///     }
///     assert_eq!(handle.dead().unwrap().cause, Cause::NoReply);
/// });
/// # }
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    /// The last change that this handle has seen.
    seen: u64,
}

/// The connection is gone, so nothing changes any more.
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// # use liveness::test_util::{LinkConfig, World, messages};
/// # use liveness::{Answers, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};
/// use liveness::Gone;
///
/// # struct Numbers;
/// # impl Protocol for Numbers {
/// #     type Message = u32;
/// #     fn ping(&mut self, _: Seq) -> u32 { 0 }
/// #     fn classify(&mut self, number: u32) -> Inbound<u32> {
/// #         match number {
/// #             0 => Inbound::Ping { reply: Some(1) },
/// #             1 => Inbound::Pong(Answers::Oldest),
/// #             data => Inbound::Data(data),
/// #         }
/// #     }
/// # }
/// # let mut world = World::new();
/// # let (near, _peer, _link) = messages(&world.sim, LinkConfig::new());
/// # let mut stream = PingPong::new(near, Numbers, KeepaliveConfig::new(), world.sim.clone())?;
/// let mut handle = stream.handle();
/// let watcher = world.task(async move {
///     while handle.changed().await.is_ok() {}
///     (handle.changed().await, handle.dead())
/// });
/// world.settle();
/// drop(stream);
///
/// // The watcher's loop ends, and there was no verdict.
/// assert_eq!(world.run(watcher), (Err(Gone), None));
/// # }
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is gone")]
#[allow(clippy::exhaustive_structs, reason = "a unit value to compare with")]
pub struct Gone;

#[derive(Debug)]
struct Shared {
    bell: Arc<Bell>,
    start: Instant,
    /// Nanoseconds from the start to the last byte heard.
    heard: AtomicU64,
    told: Mutex<Told>,
}

#[derive(Debug)]
struct Told {
    rtt: Rtt,
    dead: Option<Dead>,
    config: KeepaliveConfig,
    beating: bool,
    paused: bool,
    gone: bool,
    /// How many changes there were.
    changes: u64,
    waiting: Vec<Waker>,
    probe: bool,
    reconfigure: Option<KeepaliveConfig>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is told, and wakes everybody who waits for that.
    fn change(&self, change: impl FnOnce(&mut Told)) {
        self.wake(|told| {
            change(told);
            told.changes += 1;
        });
    }

    fn wake(&self, change: impl FnOnce(&mut Told)) {
        let mut told = self.lock();
        change(&mut told);
        let waiting = std::mem::take(&mut told.waiting);
        drop(told);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Handle {
    /// The round trips measured so far.
    #[must_use]
    pub fn rtt(&self) -> Rtt {
        self.shared.lock().rtt
    }

    /// The verdict, once it was passed.
    #[must_use]
    pub fn dead(&self) -> Option<Dead> {
        self.shared.lock().dead
    }

    /// When the last byte came from the peer, by the runtime's clock; the start if none did. On a
    /// busy stream it may be up to a sixteenth of the shortest period old.
    #[must_use]
    pub fn last_heard(&self) -> Instant {
        let heard = Duration::from_nanos(self.shared.heard.load(Ordering::Relaxed));
        self.shared
            .start
            .checked_add(heard)
            .unwrap_or(self.shared.start)
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> KeepaliveConfig {
        self.shared.lock().config
    }

    /// Whether pings can be sent: the protocol below is ready, and neither closing nor another one.
    #[must_use]
    pub fn is_beating(&self) -> bool {
        self.shared.lock().beating
    }

    /// Whether nobody takes what comes in, so that the peer is not judged: a [driven](crate::drive)
    /// stream whose receiver is full.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.shared.lock().paused
    }

    /// Asks the peer now, without waiting for the interval; see
    /// [`Keepalive::probe_now`](crate::Keepalive::probe_now). It also measures a round trip on a
    /// stream that is too busy to be asked.
    pub fn probe_now(&self) {
        self.shared.lock().probe = true;
        self.shared.bell.ring();
    }

    /// Changes the configuration of the running stream; see
    /// [`Keepalive::set_config`](crate::Keepalive::set_config).
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work; nothing changes then.
    pub fn set_config(&self, config: KeepaliveConfig) -> Result<(), ConfigError> {
        config.validate()?;
        self.shared.lock().reconfigure = Some(config);
        self.shared.bell.ring();
        Ok(())
    }

    /// Waits for a change since the last call: a round trip, the verdict, another configuration,
    /// the beginning or end of beating or of a pause. Data is none. Several changes may be one.
    ///
    /// Cancel safe: a dropped future misses nothing.
    ///
    /// # Errors
    /// [`Gone`] when the stream was dropped and all changes were seen.
    pub async fn changed(&mut self) -> Result<(), Gone> {
        poll_fn(|cx| self.poll_changed(cx)).await
    }

    fn poll_changed(&mut self, cx: &Context<'_>) -> Poll<Result<(), Gone>> {
        let mut told = self.shared.lock();
        if told.changes != self.seen {
            self.seen = told.changes;
            return Poll::Ready(Ok(()));
        }
        if told.gone {
            return Poll::Ready(Err(Gone));
        }
        if !told.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            told.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.shared.lock();
        f.debug_struct("Handle")
            .field("rtt", &told.rtt)
            .field("dead", &told.dead)
            .field("beating", &told.beating)
            .finish_non_exhaustive()
    }
}

/// The driver's end of its handles. Dropping it tells them that the connection is gone.
#[derive(Debug, Default)]
pub(crate) struct Teller(Option<Arc<Shared>>);

/// What was asked for through a handle.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) probe: bool,
    pub(crate) config: Option<KeepaliveConfig>,
}

impl Teller {
    /// A handle on `keepalive`; its state is made by the first.
    pub(crate) fn handle(
        &mut self,
        keepalive: &Keepalive,
        beating: bool,
        bell: Arc<Bell>,
        now: Instant,
    ) -> Handle {
        let shared = self.0.get_or_insert_with(|| {
            Arc::new(Shared {
                bell,
                start: keepalive.last_heard().min(now),
                heard: AtomicU64::new(0),
                told: Mutex::new(Told {
                    rtt: *keepalive.rtt(),
                    dead: keepalive.dead(),
                    config: keepalive.config(),
                    beating,
                    paused: false,
                    gone: false,
                    changes: 0,
                    waiting: Vec::new(),
                    probe: false,
                    reconfigure: None,
                }),
            })
        });
        let handle = Handle {
            shared: Arc::clone(shared),
            seen: shared.lock().changes,
        };
        self.on_heard(keepalive);
        handle
    }

    pub(crate) fn on_heard(&self, keepalive: &Keepalive) {
        if let Some(shared) = &self.0 {
            let heard = keepalive
                .last_heard()
                .saturating_duration_since(shared.start);
            shared.heard.store(nanos(heard), Ordering::Relaxed);
        }
    }

    pub(crate) fn on_round_trip(&self, rtt: &Rtt) {
        if let Some(shared) = &self.0 {
            shared.change(|told| told.rtt = *rtt);
        }
    }

    pub(crate) fn on_dead(&self, dead: Dead) {
        if let Some(shared) = &self.0 {
            shared.change(|told| told.dead = Some(dead));
        }
    }

    pub(crate) fn on_config(&self, config: KeepaliveConfig) {
        if let Some(shared) = &self.0 {
            shared.change(|told| told.config = config);
        }
    }

    pub(crate) fn on_beating(&self, beating: bool) {
        if let Some(shared) = &self.0 {
            if shared.lock().beating != beating {
                shared.change(|told| told.beating = beating);
            }
        }
    }

    pub(crate) fn on_paused(&self, paused: bool) {
        if let Some(shared) = &self.0 {
            shared.change(|told| told.paused = paused);
        }
    }

    /// What was asked for since the last call.
    pub(crate) fn wishes(&self) -> Wishes {
        let Some(shared) = &self.0 else {
            return Wishes::default();
        };
        let mut told = shared.lock();
        Wishes {
            probe: std::mem::take(&mut told.probe),
            config: told.reconfigure.take(),
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.wake(|told| told.gone = true);
        }
    }
}
