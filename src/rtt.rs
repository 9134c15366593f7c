//! [`Rtt`]: the round trip, smoothed as in RFC 6298.

use std::time::Duration;

use crate::time::nanos;

/// A smoothed round trip and the reply timeout that follows from it.
///
/// The two estimators of RFC 6298, section 2, in whole nanoseconds: after the first sample `R`,
/// `srtt = R` and `rttvar = R/2`; after each further one `rttvar = 3/4 rttvar + 1/4 |srtt - R|`,
/// then `srtt = 7/8 srtt + 1/8 R`. Every ping has a number of its own, so no sample is ambiguous
/// and Karn's rule has nothing to exclude.
///
/// ```
/// use std::time::Duration;
/// use liveness::rtt::Rtt;
///
/// let ms = Duration::from_millis;
/// let mut rtt = Rtt::new();
/// assert_eq!(rtt.smoothed(), None);
/// rtt.on_sample(ms(80));
/// rtt.on_sample(ms(160));
/// assert_eq!(rtt.smoothed(), Some(ms(90)));
/// assert_eq!(rtt.variation(), Some(ms(50)));
/// // 90 ms + 4 * 50 ms
/// assert_eq!(rtt.reply_timeout(ms(10), ms(1000)), ms(290));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rtt {
    samples: u64,
    latest: u64,
    fastest: u64,
    smoothed: u64,
    variation: u64,
}

impl Rtt {
    /// No sample yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            samples: 0,
            latest: 0,
            fastest: 0,
            smoothed: 0,
            variation: 0,
        }
    }

    /// Takes one measured round trip.
    pub fn on_sample(&mut self, rtt: Duration) {
        let sample = nanos(rtt);
        self.latest = sample;
        if self.samples == 0 {
            self.fastest = sample;
            self.smoothed = sample;
            self.variation = sample / 2;
        } else {
            let off = self.smoothed.abs_diff(sample);
            self.fastest = self.fastest.min(sample);
            self.variation = blend(self.variation, off, 4);
            self.smoothed = blend(self.smoothed, sample, 8);
        }
        self.samples = self.samples.saturating_add(1);
    }

    /// How many samples were taken.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// The last sample.
    #[must_use]
    pub fn latest(&self) -> Option<Duration> {
        self.known(self.latest)
    }

    /// The smallest sample: the path without its queues.
    #[must_use]
    pub fn fastest(&self) -> Option<Duration> {
        self.known(self.fastest)
    }

    /// The smoothed round trip, RFC 6298's SRTT.
    #[must_use]
    pub fn smoothed(&self) -> Option<Duration> {
        self.known(self.smoothed)
    }

    /// How much the round trip varies, RFC 6298's RTTVAR.
    #[must_use]
    pub fn variation(&self) -> Option<Duration> {
        self.known(self.variation)
    }

    /// How long to wait for an answer: `srtt + 4 rttvar`, not below `floor` and not above `cap`;
    /// `cap` while there is no sample.
    ///
    /// RFC 6298 (2.4) wants a floor of one second, and real links show why: their round trips have
    /// heavier tails than the four deviations allow for.
    #[must_use]
    pub fn reply_timeout(&self, floor: Duration, cap: Duration) -> Duration {
        let spread = self.variation.saturating_mul(4);
        let wanted = self
            .known(self.smoothed.saturating_add(spread))
            .unwrap_or(cap);
        wanted.max(floor).min(cap)
    }

    fn known(&self, nanos: u64) -> Option<Duration> {
        (self.samples > 0).then_some(Duration::from_nanos(nanos))
    }
}

/// `old` moved towards `new` by one part in `parts`, exact in whole nanoseconds.
fn blend(old: u64, new: u64, parts: u64) -> u64 {
    let sum = u128::from(old) * u128::from(parts - 1) + u128::from(new);
    (sum / u128::from(parts)) as u64
}
