//! [`Jitter`]: a random part of a span, so that many connections do not beat in step.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use crate::error::ConfigError;
use crate::time::nanos;

/// How much of a span is left to chance.
///
/// Jitter only ever shortens a span: the peer may be timing it. The seed is no part of a
/// configuration, since connections share one: a machine is given its own
/// ([`Keepalive::new`](crate::Keepalive::new)), and a shell draws one a connection
/// ([`Runtime::seed`](crate::Runtime::seed)).
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::{Jitter, Keepalive, KeepaliveConfig};
///
/// // A million clients that were cut off at once come back in one second. They ask at random
/// // points of the first 20 s, and drift apart ever after.
/// const JITTER: Jitter = Jitter::percent(10).spread_first(true);
/// const CONFIG: KeepaliveConfig = KeepaliveConfig::new().jitter(JITTER);
/// let start = Instant::now();
/// let first = |seed| Keepalive::new(CONFIG, seed, start).unwrap().poll_timeout().unwrap() - start;
/// assert!(first(1) <= Duration::from_secs(20));
/// assert_eq!(first(1), first(1));
/// assert_ne!(first(1), first(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Jitter {
    /// The most that is taken off a span, in percent; at most [90](Self::MAX_PERCENT). Default 0.
    pub percent: u8,
    /// Whether the first span may be cut to any length, down to nothing. Default no.
    ///
    /// After a restart a million clients connect in one second; without this they beat in one
    /// second ever after.
    pub spread_first: bool,
}

impl Jitter {
    /// Nothing is left to chance.
    pub const NONE: Self = Self {
        percent: 0,
        spread_first: false,
    };

    /// The most that may be taken off a span.
    pub const MAX_PERCENT: u8 = 90;

    /// Takes up to `percent` off each span.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        Self {
            percent,
            spread_first: false,
        }
    }

    /// Whether the first span may be cut to any length.
    #[must_use]
    pub const fn spread_first(mut self, spread: bool) -> Self {
        self.spread_first = spread;
        self
    }

    pub(crate) const fn validate(self) -> Result<(), ConfigError> {
        let (percent, most) = (self.percent, Self::MAX_PERCENT);
        if percent > most {
            return Err(ConfigError::TooMuchJitter { percent, most });
        }
        Ok(())
    }

    /// The share of the span before the event `nth` that chance may take, in percent.
    pub(crate) const fn share(self, nth: u64) -> u8 {
        if nth == 0 && self.spread_first {
            100
        } else {
            self.percent
        }
    }

    /// The span before the event `nth`.
    pub(crate) fn shorten(self, span: Duration, seed: u64, nth: u64) -> Duration {
        span.saturating_sub(random_part(span, self.share(nth), seed, nth))
    }
}

/// A seed: another number at each call, from the operating system's randomness, with which the
/// standard library keys its hasher.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(0_u8)
}

/// A random part of `percent` of `span`.
pub(crate) fn random_part(span: Duration, percent: u8, seed: u64, nth: u64) -> Duration {
    let most = u128::from(nanos(span)) * u128::from(percent) / 100;
    let random = u128::from(splitmix(seed, nth));
    // Below 2⁶⁴, since `most` is.
    Duration::from_nanos(((most * random) >> 64) as u64)
}

/// The `nth` number of a stream of evenly spread ones: Steele, Lea and Flood's SplitMix64 (2014).
pub(crate) fn splitmix(seed: u64, nth: u64) -> u64 {
    let mut z = seed.wrapping_add(nth.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_generator_is_the_published_one() {
        // The first numbers for the seed 1234567, as in the reference implementation's test.
        let numbers = [0, 1, 2].map(|nth| splitmix(1_234_567, nth));
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn a_span_is_only_ever_shortened_and_by_no_more_than_its_share() {
        for nth in 0..1000 {
            let span = Jitter::percent(20).shorten(MINUTE, 7, nth);
            assert!((MINUTE * 4 / 5..=MINUTE).contains(&span), "{span:?}");
        }
        assert_eq!(Jitter::NONE.shorten(MINUTE, 7, 0), MINUTE);
        let longest = Jitter::percent(90).shorten(Duration::MAX, 7, 1);
        assert!(longest > Duration::from_secs(u64::MAX / 2));
    }

    #[test]
    fn the_first_span_alone_may_be_cut_to_nothing() {
        let spread = Jitter::NONE.spread_first(true);
        let shortest = (0..1000).map(|seed| spread.shorten(MINUTE, seed, 0)).min();
        assert!(shortest < Some(MINUTE / 100));
        assert_eq!(spread.shorten(MINUTE, 7, 1), MINUTE);
    }

    #[test]
    fn too_much_is_refused_with_both_numbers() {
        let error = Jitter::percent(91).validate().unwrap_err();
        assert_eq!(error.to_string(), "jitter of 91 % is above 90 %");
        assert_eq!(Jitter::percent(90).validate(), Ok(()));
    }
}
