//! [`FloodLimit`]: how many pings a peer may send before it is an attack.
//!
//! Each ping costs an answer; a peer that sends nothing but pings makes us write as fast as it can.
//! Few systems publish their limits. Ours, and why: [`FloodLimit::DEFAULT`].

use std::time::{Duration, Instant};

use crate::time::{Newest, later, nanos};

/// How many pings a peer may send: a bucket of `pings`, refilled evenly once `per`.
///
/// So `pings` may come at once, as they do when this side was suspended and a queue is delivered,
/// and after that one every `per / pings`. Zero for either turns the limit off.
///
/// ```
/// use std::time::Duration;
/// use liveness::flood::FloodLimit;
///
/// const STRICT: FloodLimit = FloodLimit::new(5, Duration::from_secs(60));
/// assert_eq!(STRICT.to_string(), "5 pings per 60s");
/// assert_eq!(STRICT.pings(10).per, Duration::from_secs(60));
/// assert_eq!(FloodLimit::OFF.to_string(), "off");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FloodLimit {
    /// How many pings may come at once. Zero is off.
    pub pings: u32,
    /// The time in which an empty bucket fills. Zero is off.
    pub per: Duration,
}

impl FloodLimit {
    /// 1000 pings at once, refilled over 10 s: a thousand times what a heartbeat needs, so only
    /// an attack or a broken loop meets it. A peer that pings once a second may have been held up
    /// for a quarter of an hour before its queue is too long.
    pub const DEFAULT: Self = Self::new(1000, Duration::from_secs(10));

    /// Any number of pings.
    pub const OFF: Self = Self::new(0, Duration::ZERO);

    /// `pings` at once, refilled evenly once `per`. Zero for either is off.
    #[must_use]
    pub const fn new(pings: u32, per: Duration) -> Self {
        Self { pings, per }
    }

    /// How many pings may come at once. Zero is off.
    #[must_use]
    pub const fn pings(mut self, pings: u32) -> Self {
        self.pings = pings;
        self
    }

    /// The time in which an empty bucket fills. Zero is off.
    #[must_use]
    pub const fn per(mut self, per: Duration) -> Self {
        self.per = per;
        self
    }

    const fn is_off(self) -> bool {
        self.pings == 0 || self.per.is_zero()
    }
}

impl Default for FloodLimit {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl std::fmt::Display for FloodLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_off() {
            return f.write_str("off");
        }
        let noun = if self.pings == 1 { "ping" } else { "pings" };
        write!(f, "{} {noun} per {:?}", self.pings, self.per)
    }
}

/// A peer sent more pings than its [`FloodLimit`] allows.
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use liveness::flood::{FloodGuard, FloodLimit};
/// # let now = Instant::now();
/// let mut guard = FloodGuard::new(FloodLimit::new(1, Duration::from_secs(1)));
/// guard.on_ping(now).unwrap();
/// let flooded = guard.on_ping(now).unwrap_err();
/// assert_eq!(flooded.to_string(), "2 pings so far, the last one over the limit of 1 ping per 1s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{pings} pings so far, the last one over the limit of {limit}")]
#[non_exhaustive]
pub struct Flooded {
    /// How many pings the peer has sent on this connection.
    pub pings: u64,
    /// The limit in force.
    pub limit: FloodLimit,
}

/// Counts a peer's pings against a [`FloodLimit`].
///
/// Exact and without a timer: it keeps the one instant at which the bucket will be full again (the
/// "virtual scheduling" form of the leaky bucket, ITU-T I.371).
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::flood::{FloodGuard, FloodLimit};
///
/// let (now, second) = (Instant::now(), Duration::from_secs(1));
/// let mut guard = FloodGuard::new(FloodLimit::new(2, second));
/// assert!(guard.on_ping(now).is_ok());
/// assert!(guard.on_ping(now).is_ok());
/// assert!(guard.on_ping(now).is_err());
/// assert!(guard.on_ping(now + second / 2).is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct FloodGuard {
    limit: FloodLimit,
    newest: Option<Newest>,
    full_at: Option<Instant>,
    pings: u64,
}

impl FloodGuard {
    /// A guard with a full bucket.
    #[must_use]
    pub const fn new(limit: FloodLimit) -> Self {
        Self {
            limit,
            newest: None,
            full_at: None,
            pings: 0,
        }
    }

    /// A ping came at `now`. An older `now` than one seen before counts as that newest one.
    ///
    /// # Errors
    /// [`Flooded`] when the bucket is empty; the ping takes nothing from it then.
    pub fn on_ping(&mut self, now: Instant) -> Result<(), Flooded> {
        self.pings = self.pings.saturating_add(1);
        if self.limit.is_off() {
            return Ok(());
        }
        let now = self.newest.get_or_insert(Newest::new(now)).advance(now);
        // Rounded up, so that no rounding lets more through than the limit says.
        let each = nanos(self.limit.per).div_ceil(u64::from(self.limit.pings));
        let all_but_one =
            Duration::from_nanos(each.saturating_mul(u64::from(self.limit.pings - 1)));
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now));
        if full_at.saturating_duration_since(now) > all_but_one {
            return Err(Flooded {
                pings: self.pings,
                limit: self.limit,
            });
        }
        self.full_at = later(full_at, Duration::from_nanos(each)).or(self.full_at);
        Ok(())
    }
}
