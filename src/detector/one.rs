//! [`Detector`]: a rule with the time and the state of one peer.

use std::fmt;
use std::time::Instant;

use super::{Rule, Sample};
use crate::time::Nanos;

/// Decides from one peer's heartbeats when it is suspected and when it is dead, by any [`Rule`].
///
/// It is object safe: `Box<dyn FailureDetector>` is a detector whose rule is chosen at run time.
/// [`Detector`] implements it for every rule.
///
/// Report fresh beats only: [`Life`](super::Life) tells them from late and doubled ones. A `now`
/// older than the newest seen counts as that one.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::{Detector, FailureDetector, FixedTimeout, MissedCount};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let configured = "missed"; // in a file, say
/// let mut detector: Box<dyn FailureDetector> = match configured {
///     "missed" => Box::new(Detector::new(MissedCount::new(second, 3))),
///     _ => Box::new(Detector::new(FixedTimeout::new(10 * second))),
/// };
/// detector.meet(start);
/// assert_eq!(detector.dead_at(), Some(start + 4 * second)); // the fourth miss is one too many
/// ```
pub trait FailureDetector {
    /// The peer is met at `now`, or met anew: nothing is known of it.
    fn meet(&mut self, now: Instant);

    /// A fresh beat came at `now`. A peer that was not met before is met by it.
    fn on_heartbeat(&mut self, sample: Sample, now: Instant);

    /// The silence up to `now` was ours, not the peer's: the peer gets one clean window.
    fn forgive(&mut self, now: Instant);

    /// When the peer is to be suspected if no beat comes; `None` for never, and before it was met.
    fn suspect_at(&self) -> Option<Instant>;

    /// When the peer is dead if no beat comes; `None` for never, and before it was met.
    fn dead_at(&self) -> Option<Instant>;

    /// How much of the way to its death the peer has gone: 0 at a beat, at least 1 exactly when
    /// `now >= dead_at()`. It falls only at a beat, or when a silence is forgiven.
    fn suspicion(&self, now: Instant) -> f64;
}

/// A [`Rule`] with the deadlines of one peer.
///
/// It is made without a time: until it has [met](FailureDetector::meet) its peer, or the first beat
/// has come, it has no deadline.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::{Detector, FailureDetector, FixedTimeout, Sample};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let template = Detector::new(FixedTimeout::new(10 * second));
/// assert_eq!(template.dead_at(), None);
///
/// let mut detector = template.clone();
/// detector.meet(start);
/// detector.on_heartbeat(Sample::new(), start + 5 * second);
/// assert_eq!(detector.dead_at(), Some(start + 15 * second));
/// assert_eq!(detector.suspicion(start + 10 * second), 0.5);
/// assert!(detector.suspicion(start + 15 * second) >= 1.0);
///
/// // We were asleep: the peer gets a window of its own.
/// detector.forgive(start + 60 * second);
/// assert_eq!(detector.dead_at(), Some(start + 70 * second));
/// ```
pub struct Detector<R: Rule> {
    rule: R,
    met: Option<Met<R::State>>,
}

#[derive(Debug, Clone)]
struct Met<S> {
    base: Instant,
    newest: Nanos,
    /// The last beat, or the meeting.
    since: Nanos,
    suspect_at: Nanos,
    state: S,
}

impl<S> Met<S> {
    /// Moves on to `now`. An older `now` counts as the newest.
    fn advance(&mut self, now: Instant) -> Nanos {
        self.newest = self.newest.max(Nanos::since(self.base, now));
        self.newest
    }
}

impl<R: Rule> Detector<R> {
    /// Judges one peer by `rule`.
    #[must_use]
    pub const fn new(rule: R) -> Self {
        Self { rule, met: None }
    }

    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> &R {
        &self.rule
    }

    /// Another rule from `now` on. What the old one knew of the peer is forgotten: the peer gets
    /// the window of one that was just met.
    pub fn set_rule(&mut self, rule: R, now: Instant) {
        self.rule = rule;
        self.meet(now);
    }

    /// The last beat, or the meeting, and `now`; `None` before the peer was met.
    pub(super) fn since_and(&self, now: Instant) -> Option<(Nanos, Nanos)> {
        let met = self.met.as_ref()?;
        Some((met.since, Nanos::since(met.base, now)))
    }
}

impl<R: Rule> FailureDetector for Detector<R> {
    fn meet(&mut self, now: Instant) {
        // The base stays: sweeps keep their step.
        let (base, newest) = match &mut self.met {
            Some(met) => (met.base, met.advance(now)),
            None => (now, Nanos::ZERO),
        };
        let (state, suspect_at) = self.rule.meet(newest);
        self.met = Some(Met {
            base,
            newest,
            since: newest,
            suspect_at,
            state,
        });
    }

    fn on_heartbeat(&mut self, sample: Sample, now: Instant) {
        if self.met.is_none() {
            self.meet(now);
        }
        if let Some(met) = &mut self.met {
            let now = met.advance(now);
            met.since = now;
            met.suspect_at = self.rule.on_heartbeat(&mut met.state, sample, now);
        }
    }

    fn forgive(&mut self, now: Instant) {
        if let Some(met) = &mut self.met {
            let now = met.advance(now);
            met.suspect_at = self.rule.forgive(&mut met.state, now);
        }
    }

    fn suspect_at(&self) -> Option<Instant> {
        let met = self.met.as_ref()?;
        met.suspect_at.instant(met.base)
    }

    fn dead_at(&self) -> Option<Instant> {
        let met = self.met.as_ref()?;
        self.rule
            .dead_at(&met.state, met.suspect_at)
            .instant(met.base)
    }

    fn suspicion(&self, now: Instant) -> f64 {
        self.met.as_ref().map_or(0.0, |met| {
            let now = Nanos::since(met.base, now);
            self.rule
                .suspicion(&met.state, met.since, met.suspect_at, now)
        })
    }
}

impl<R: Rule + Clone> Clone for Detector<R> {
    fn clone(&self) -> Self {
        Self {
            rule: self.rule.clone(),
            met: self.met.clone(),
        }
    }
}

impl<R: Rule + fmt::Debug> fmt::Debug for Detector<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector")
            .field("rule", &self.rule)
            .field("suspect_at", &self.suspect_at())
            .field("dead_at", &self.dead_at())
            .finish_non_exhaustive()
    }
}
