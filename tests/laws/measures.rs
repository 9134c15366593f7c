//! `Rtt` against the formulas of RFC 6298, `FloodGuard` against a bucket counted in fractions, and
//! `Seq` at its end.

use std::time::Duration;

use liveness::Seq;
use liveness::flood::{FloodGuard, FloodLimit};
use liveness::rtt::Rtt;
use proptest::prelude::*;

use crate::{origin, runs};

proptest! {
    #![proptest_config(runs(2_000))]

    /// Section 2 of the RFC, in floating point; whole nanoseconds stay within one part in a
    /// million.
    #[test]
    fn rtt_is_rfc_6298(samples in prop::collection::vec(1_000..10_000_000_000_u64, 1..40)) {
        let mut rtt = Rtt::new();
        let (mut srtt, mut rttvar) = (0.0, 0.0);
        for (nth, sample) in samples.iter().enumerate() {
            rtt.on_sample(Duration::from_nanos(*sample));
            let r = *sample as f64;
            if nth == 0 {
                (srtt, rttvar) = (r, r / 2.0);
            } else {
                rttvar = 0.75 * rttvar + 0.25 * f64::abs(srtt - r);
                srtt = 0.875 * srtt + 0.125 * r;
            }
            let near = |is: Option<Duration>, wanted: f64| {
                let is = is.expect("measured").as_nanos() as f64;
                (is - wanted).abs() <= 40.0 + wanted * 1e-6
            };
            prop_assert!(near(rtt.smoothed(), srtt), "{:?} {srtt}", rtt.smoothed());
            prop_assert!(near(rtt.variation(), rttvar), "{:?} {rttvar}", rtt.variation());
            prop_assert_eq!(rtt.samples(), nth as u64 + 1);
            prop_assert_eq!(rtt.latest(), Some(Duration::from_nanos(*sample)));
        }
        prop_assert_eq!(rtt.fastest(), samples.iter().min().copied().map(Duration::from_nanos));
        let (floor, cap) = (Duration::from_millis(200), Duration::from_secs(3));
        let wanted = Duration::from_nanos((srtt + 4.0 * rttvar) as u64).clamp(floor, cap);
        let timeout = rtt.reply_timeout(floor, cap);
        prop_assert!(timeout >= floor && timeout <= cap);
        prop_assert!(timeout.abs_diff(wanted) <= Duration::from_micros(50));
    }

    /// A bucket that holds `pings` and fills evenly once `per`, kept exactly in units of `1 / per`.
    /// The guard lets through neither more nor less, but for less than a nanosecond a ping.
    #[test]
    fn flood_guard_is_a_bucket(
        pings in 1..50_u32,
        per in 1..100_u64,
        gaps in prop::collection::vec(0..20_000_u64, 1..200),
    ) {
        let limit = FloodLimit::new(pings, Duration::from_millis(per));
        let mut guard = FloodGuard::new(limit);
        let per = u128::from(per * 1_000_000);
        let full = u128::from(pings) * per;
        let (mut level, mut now, mut sent) = (full, origin(), 0_u32);
        for gap in gaps {
            let gap = Duration::from_micros(gap);
            now += gap;
            level = (level + gap.as_nanos() * u128::from(pings)).min(full);
            sent += 1;
            // Rounding may cost each ping less than a nanosecond's worth of the bucket.
            let slack = u128::from(pings) * u128::from(sent);
            match guard.on_ping(now) {
                Ok(()) => {
                    prop_assert!(level >= per, "let through with {level} of {per}");
                    level -= per;
                }
                Err(flooded) => {
                    prop_assert!(level < per + slack, "refused with {level} of {per}");
                    prop_assert_eq!(flooded.pings, u64::from(sent));
                }
            }
        }
    }
}

/// Nobody is flooded by a clock that goes back: an older time counts as the newest seen.
#[test]
fn a_clock_that_goes_back_is_no_flood() {
    let second = Duration::from_secs(1);
    let mut guard = FloodGuard::new(FloodLimit::new(10, second));
    let later = origin() + 100 * second;
    for _ in 0..5 {
        assert!(guard.on_ping(later).is_ok());
    }
    for _ in 0..5 {
        assert!(guard.on_ping(origin()).is_ok());
    }
    assert!(guard.on_ping(origin()).is_err());
}

/// Exactly as many at once as the limit says, also where the period is no multiple of it.
#[test]
fn as_many_at_once_as_the_limit_says() {
    let at_once = |pings, per| {
        let mut guard = FloodGuard::new(FloodLimit::new(pings, per));
        (0..200_000)
            .take_while(|_| guard.on_ping(origin()).is_ok())
            .count()
    };
    assert_eq!(at_once(60_000, Duration::from_secs(1)), 60_000);
    assert_eq!(at_once(7, Duration::from_nanos(10)), 7);
    assert_eq!(at_once(5, Duration::from_nanos(1)), 5);
    assert_eq!(at_once(3, Duration::MAX), 3);
    assert_eq!(at_once(1, Duration::from_nanos(1)), 1);
}

#[test]
fn round_trips_at_the_edges() {
    let mut rtt = Rtt::new();
    rtt.on_sample(Duration::ZERO);
    assert_eq!(rtt.smoothed(), Some(Duration::ZERO));
    rtt.on_sample(Duration::MAX);
    rtt.on_sample(Duration::MAX);
    assert_eq!(rtt.latest(), Some(Duration::from_nanos(u64::MAX)));
    assert_eq!(
        rtt.reply_timeout(Duration::ZERO, Duration::MAX),
        Duration::from_nanos(u64::MAX)
    );
    assert_eq!(rtt.fastest(), Some(Duration::ZERO));
}

#[test]
fn the_last_number_is_its_own_successor() {
    assert_eq!(Seq::new(u64::MAX - 1).next(), Seq::new(u64::MAX));
    assert_eq!(Seq::new(u64::MAX).next(), Seq::new(u64::MAX));
    assert_eq!(Seq::new(u64::MAX).to_string(), "#18446744073709551615");
}
