//! [`Rule`]: when silence is suspicious, and when it is death.

use std::sync::Arc;
use std::time::Duration;

use crate::time::Nanos;

/// Says from one peer's beats until when the next one may come.
///
/// A rule is parameters and nothing else: it holds no time and no peer, so a million peers share
/// one. Whatever it has to remember of a peer is its [`State`](Self::State), `()` for a fixed time.
/// Time is a number, [`Nanos`] since a base of the caller's choice; [`Nanos::MAX`] is never.
///
/// Each call that moves the deadlines returns the next `suspect_at`, and
/// [`dead_at`](Self::dead_at) follows from that; so one number a peer is all that must be kept.
///
/// # Laws
/// * `now < suspect_at <= dead_at` for what `meet`, `on_heartbeat` and `forgive` return. A rule
///   without a level of suspicion has both at the same point.
/// * The same calls give the same deadlines: no clock, no chance.
/// * `suspicion(now) >= 1.0` exactly when `now >= dead_at`; it is 0 at a beat and does not fall
///   before the next.
///
/// # Implementing
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::{Detector, FailureDetector, Nanos, Rule, Sample};
///
/// /// Each beat in a row earns the peer another second of trust, up to a minute.
/// struct Earned;
///
/// const SECOND: Nanos = Nanos::of(Duration::from_secs(1));
/// const MINUTE: Nanos = Nanos::of(Duration::from_secs(60));
///
/// impl Rule for Earned {
///     type State = Nanos; // the trust
///
///     fn meet(&self, now: Nanos) -> (Nanos, Nanos) {
///         (SECOND, now.after(SECOND))
///     }
///
///     fn on_heartbeat(&self, trust: &mut Nanos, sample: Sample, now: Nanos) -> Nanos {
///         *trust = if sample.lost > 0 { SECOND } else { trust.after(SECOND).min(MINUTE) };
///         now.after(*trust)
///     }
///
///     fn dead_at(&self, _trust: &Nanos, suspect_at: Nanos) -> Nanos {
///         suspect_at.after(MINUTE)
///     }
///
///     fn forgive(&self, trust: &mut Nanos, now: Nanos) -> Nanos {
///         now.after(*trust)
///     }
/// }
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let mut detector = Detector::new(Earned);
/// detector.meet(start);
/// detector.on_heartbeat(Sample::new(), start);
/// assert_eq!(detector.suspect_at(), Some(start + 2 * second));
/// detector.on_heartbeat(Sample::new().lost(1), start + second);
/// assert_eq!(detector.suspect_at(), Some(start + 2 * second));
/// assert_eq!(detector.dead_at(), Some(start + 62 * second));
/// ```
pub trait Rule {
    /// What the rule has to remember of one peer.
    type State: Clone;

    /// A peer is met at `now` and has not beaten yet: its state, and its first `suspect_at`. A rule
    /// that gives a starting peer more time does so here.
    fn meet(&self, now: Nanos) -> (Self::State, Nanos);

    /// A fresh beat came at `now`. The next `suspect_at`.
    fn on_heartbeat(&self, state: &mut Self::State, sample: Sample, now: Nanos) -> Nanos;

    /// When a peer is dead that is suspected at `suspect_at`. [`Nanos::MAX`] when `suspect_at` is.
    fn dead_at(&self, state: &Self::State, suspect_at: Nanos) -> Nanos;

    /// The silence up to `now` was ours, not the peer's: no sample is taken from it, and the peer
    /// gets one clean window. The next `suspect_at`.
    fn forgive(&self, state: &mut Self::State, now: Nanos) -> Nanos;

    /// How much of the way to its death the peer has gone by `now`: 0 at `since`, its last beat,
    /// and at least 1 exactly when `now >= dead_at`. For showing; decide by the deadlines.
    ///
    /// Provided: the share of the time.
    fn suspicion(&self, state: &Self::State, since: Nanos, suspect_at: Nanos, now: Nanos) -> f64 {
        share(since, self.dead_at(state, suspect_at), now)
    }
}

/// What one fresh beat tells a [`Rule`] beside its time.
///
/// ```
/// use std::time::Duration;
/// use liveness::detector::Sample;
///
/// let sample = Sample::new().lost(2).promised(Duration::from_secs(5));
/// assert_eq!((sample.lost, sample.promised), (2, Some(Duration::from_secs(5))));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Sample {
    /// How many beats between this one and the one before did not come. Those that the peer sent to
    /// others count too, if it numbers them in one row.
    pub lost: u64,
    /// The longest time until the next beat, as the peer promises it.
    pub promised: Option<Duration>,
}

impl Sample {
    /// A beat right after the one before, with no promise.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            lost: 0,
            promised: None,
        }
    }

    /// How many beats between this one and the one before did not come.
    #[must_use]
    pub const fn lost(mut self, beats: u64) -> Self {
        self.lost = beats;
        self
    }

    /// The longest time until the next beat, as the peer promises it.
    #[must_use]
    pub const fn promised(mut self, interval: Duration) -> Self {
        self.promised = Some(interval);
        self
    }
}

// A rule is shared as it is.
macro_rules! pass_on {
    ($($pointer:ty),*) => {$(
        impl<R: Rule + ?Sized> Rule for $pointer {
            type State = R::State;

            fn meet(&self, now: Nanos) -> (R::State, Nanos) {
                (**self).meet(now)
            }

            fn on_heartbeat(&self, state: &mut R::State, sample: Sample, now: Nanos) -> Nanos {
                (**self).on_heartbeat(state, sample, now)
            }

            fn dead_at(&self, state: &R::State, suspect_at: Nanos) -> Nanos {
                (**self).dead_at(state, suspect_at)
            }

            fn forgive(&self, state: &mut R::State, now: Nanos) -> Nanos {
                (**self).forgive(state, now)
            }

            fn suspicion(&self, state: &R::State, since: Nanos, suspect_at: Nanos, now: Nanos) -> f64 {
                (**self).suspicion(state, since, suspect_at, now)
            }
        }
    )*};
}

pass_on!(&R, Arc<R>);

/// The part of the way from `since` to `dead_at` that lies behind `now`, never 1 before it is over.
fn share(since: Nanos, dead_at: Nanos, now: Nanos) -> f64 {
    const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;
    if dead_at == Nanos::MAX {
        return 0.0;
    }
    let whole = dead_at.span_since(since).value() as f64;
    let gone = now.span_since(since).value() as f64;
    let share = gone / whole;
    match (now >= dead_at, share.is_finite()) {
        (true, true) => share.max(1.0),
        (true, false) => 1.0,
        (false, _) => share.min(BELOW_ONE),
    }
}
