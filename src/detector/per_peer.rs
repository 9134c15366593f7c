//! [`PerPeer`]: a rule of its own for each peer.

use super::{Rule, Sample};
use crate::time::Nanos;

/// Gives each peer a rule of its own: the rule is part of the peer's state, and the one here is for
/// peers that bring none.
///
/// ```
/// use std::time::Duration;
/// use liveness::detector::{FixedTimeout, Nanos, PerPeer, Rule};
///
/// let second = Duration::from_secs(1);
/// let rule = PerPeer::new(FixedTimeout::new(10 * second));
/// let now = Nanos::ZERO;
///
/// let (_state, dead_at) = rule.meet(now);
/// assert_eq!(dead_at.duration(), 10 * second);
///
/// // A peer across the sea.
/// let mut state = PerPeer::state(FixedTimeout::new(60 * second), now);
/// assert_eq!(rule.forgive(&mut state, now).duration(), 60 * second);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerPeer<R> {
    default: R,
}

impl<R: Rule + Clone> PerPeer<R> {
    /// Watches a peer by its own rule, or by `default` when it brings none.
    #[must_use]
    pub const fn new(default: R) -> Self {
        Self { default }
    }

    /// The state of a peer that is met at `now` and has the rule `own`. [`Rule::forgive`] gives its
    /// first deadline.
    #[must_use]
    pub fn state(own: R, now: Nanos) -> (R, R::State) {
        let (state, _) = own.meet(now);
        (own, state)
    }
}

impl<R: Rule + Clone> Rule for PerPeer<R> {
    type State = (R, R::State);

    fn meet(&self, now: Nanos) -> (Self::State, Nanos) {
        let (state, suspect_at) = self.default.meet(now);
        ((self.default.clone(), state), suspect_at)
    }

    fn on_heartbeat(&self, (own, state): &mut Self::State, sample: Sample, now: Nanos) -> Nanos {
        own.on_heartbeat(state, sample, now)
    }

    fn dead_at(&self, (own, state): &Self::State, suspect_at: Nanos) -> Nanos {
        own.dead_at(state, suspect_at)
    }

    fn forgive(&self, (own, state): &mut Self::State, now: Nanos) -> Nanos {
        own.forgive(state, now)
    }

    fn suspicion(
        &self,
        (own, state): &Self::State,
        since: Nanos,
        suspect_at: Nanos,
        now: Nanos,
    ) -> f64 {
        own.suspicion(state, since, suspect_at, now)
    }
}
