//! `FixedTimeout` and `MissedCount`: laws 5 and 6, and for the count a table that is really swept.

use std::time::{Duration, Instant};

use liveness::Seq;
use liveness::detector::{FailureDetector, FixedTimeout, MissedCount};
use proptest::prelude::*;

use crate::config::ms;
use crate::{origin, runs};

/// What reaches a detector, with the milliseconds since the step before.
#[derive(Debug, Clone, Copy)]
enum Op {
    Beat,
    /// A beat that was seen already, so many numbers ago.
    Old(u64),
    Reset,
    /// Nothing; somebody looks.
    Look,
}

fn script() -> impl Strategy<Value = Vec<(u64, Op)>> {
    let step = any::<(u8, u8)>().prop_map(|(gap, number)| {
        let op = match number % 8 {
            0..=3 => Op::Beat,
            4 => Op::Old(u64::from(number / 8)),
            5 if number > 128 => Op::Reset,
            _ => Op::Look,
        };
        (u64::from(gap % 40), op)
    });
    prop::collection::vec(step, 1..40)
}

/// Law 6 at one moment, and that suspicion comes no later than death.
fn check(detector: &impl FailureDetector, now: Instant) -> Result<f64, TestCaseError> {
    let suspicion = detector.suspicion(now);
    let is_dead = detector.dead_at().is_some_and(|dead_at| now >= dead_at);
    prop_assert_eq!(suspicion >= 1.0, is_dead, "{}", suspicion);
    prop_assert!(suspicion >= 0.0);
    if let (Some(suspect_at), Some(dead_at)) = (detector.suspect_at(), detector.dead_at()) {
        prop_assert!(suspect_at <= dead_at);
    }
    if let Some(dead_at) = detector.dead_at() {
        let before = dead_at - Duration::from_nanos(1);
        prop_assert!(detector.suspicion(before) < 1.0);
        prop_assert!(detector.suspicion(dead_at) >= 1.0);
    }
    Ok(suspicion)
}

/// Plays a script; `after` is told the detector, the time of the last beat and the time.
fn play<D: FailureDetector>(
    detector: &mut D,
    script: &[(u64, Op)],
    mut after: impl FnMut(&D, Instant, Instant) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let (mut now, mut beat_at) = (origin(), origin());
    let mut next = Seq::new(0);
    let mut suspicion = 0.0;
    for &(gap, op) in script {
        now += ms(gap);
        match op {
            Op::Beat => {
                detector.on_heartbeat(next, now);
                next = next.next();
                beat_at = now;
                prop_assert_eq!(detector.suspicion(now), 0.0);
                suspicion = 0.0;
            }
            Op::Old(back) => {
                let before = (detector.suspect_at(), detector.dead_at());
                if let Some(seq) = next.value().checked_sub(1 + back) {
                    detector.on_heartbeat(Seq::new(seq), now);
                }
                prop_assert_eq!(before, (detector.suspect_at(), detector.dead_at()));
            }
            Op::Reset => {
                detector.reset(now);
                next = Seq::new(0);
                beat_at = now;
                suspicion = 0.0;
            }
            Op::Look => {}
        }
        let grown = check(detector, now)?;
        prop_assert!(grown >= suspicion, "suspicion fell between beats");
        suspicion = grown;
        after(detector, beat_at, now)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(runs(4_000))]

    #[test]
    fn fixed_is_the_last_beat_and_a_time(
        timeout in 0..100_u64,
        suspect in 0..150_u64,
        script in script(),
    ) {
        let mut detector = FixedTimeout::new(ms(timeout), origin()).suspect_after(ms(suspect));
        play(&mut detector, &script, |detector, beat_at, _| {
            let after = |time: u64| (time > 0).then(|| beat_at + ms(time));
            prop_assert_eq!(detector.dead_at(), after(timeout));
            let suspected = match (after(suspect), after(timeout)) {
                (Some(suspect), Some(dead)) => Some(suspect.min(dead)),
                (suspect, _) => suspect,
            };
            prop_assert_eq!(detector.suspect_at(), suspected);
            Ok(())
        })?;
    }

    /// The table as it is kept by hand: each sweep adds one to the count, a beat sets it to zero, the
    /// sweep that finds the limit reached buries. A beat at the instant of a sweep comes after it.
    #[test]
    fn missed_is_a_table_that_is_swept(
        period in 1..30_u64,
        limit in 0..6_u32,
        suspect in 0..8_u32,
        script in script(),
    ) {
        let start = origin();
        let mut detector = MissedCount::new(ms(period), limit, start).suspect_after(suspect);
        play(&mut detector, &script, |detector, beat_at, now| {
            let swept = |wanted: u32| {
                let mut count = 0;
                let mut sweep = start;
                loop {
                    sweep += ms(period);
                    if sweep <= beat_at {
                        continue;
                    }
                    if count == wanted {
                        return sweep;
                    }
                    count += 1;
                }
            };
            prop_assert_eq!(detector.dead_at(), Some(swept(limit)));
            let suspected = (suspect > 0).then(|| swept(suspect - 1).min(swept(limit)));
            prop_assert_eq!(detector.suspect_at(), suspected);
            let silent_for = swept(limit) - beat_at;
            prop_assert!(silent_for > ms(period) * limit && silent_for <= ms(period) * (limit + 1));
            let sweeps = |at: Instant| (at - start).as_nanos() / ms(period).as_nanos();
            prop_assert_eq!(u128::from(detector.missed(now)), sweeps(now) - sweeps(beat_at));
            Ok(())
        })?;
    }

    /// Law 5: an older `now` moves nothing back.
    #[test]
    fn time_never_runs_back(
        timeout in 1..100_u64,
        beats in prop::collection::vec(0..200_u64, 1..20),
    ) {
        let mut fixed = FixedTimeout::new(ms(timeout), origin());
        let mut missed = MissedCount::new(ms(timeout), 2, origin());
        let mut newest = 0;
        for (seq, at) in beats.into_iter().enumerate() {
            newest = at.max(newest);
            let before = (fixed.dead_at(), missed.dead_at());
            let (seq, now) = (Seq::new(seq as u64), origin() + ms(at));
            fixed.on_heartbeat(seq, now);
            missed.on_heartbeat(seq, now);
            prop_assert!(before <= (fixed.dead_at(), missed.dead_at()));
            prop_assert_eq!(fixed.dead_at(), Some(origin() + ms(newest + timeout)));
        }
    }
}

#[test]
fn extremes_of_time_and_number() {
    let start = origin();
    let mut never = FixedTimeout::new(Duration::MAX, start).suspect_after(ms(1));
    assert_eq!(
        (never.suspect_at(), never.dead_at()),
        (Some(start + ms(1)), None)
    );
    assert_eq!(never.suspicion(start + ms(1_000_000)), 0.0);
    never.on_heartbeat(Seq::new(u64::MAX), start + ms(1));
    never.on_heartbeat(Seq::new(0), start + ms(2));
    assert_eq!(never.suspect_at(), Some(start + ms(2)));

    // A suspicion too far away to be represented still comes no later than death.
    let far = FixedTimeout::new(ms(10), start).suspect_after(Duration::MAX);
    assert_eq!(far.suspect_at(), Some(start + ms(10)));

    let tiny = FixedTimeout::new(Duration::from_nanos(1), start);
    assert_eq!(tiny.suspicion(start), 0.0);
    assert!(tiny.suspicion(start + Duration::from_nanos(1)) >= 1.0);

    // Short of death by less than a float can tell, and still short of it.
    let long = FixedTimeout::new(Duration::from_secs(100_000_000), start);
    assert!(long.suspicion(long.dead_at().unwrap() - Duration::from_nanos(1)) < 1.0);

    for (period, limit) in [
        (Duration::MAX, 1),
        (Duration::MAX, u32::MAX),
        (Duration::from_secs(1 << 40), u32::MAX),
    ] {
        let missed = MissedCount::new(period, limit, start);
        assert_eq!(missed.dead_at(), None);
        assert_eq!(missed.missed(start + ms(1)), 0);
    }
    let tiny = MissedCount::new(Duration::from_nanos(1), u32::MAX, start);
    assert_eq!(tiny.dead_at(), Some(start + Duration::from_nanos(1 << 32)));
}

/// A reset detector takes the numbers of a restarted peer, and keeps the rhythm of its sweeps.
#[test]
fn reset_keeps_the_rhythm() {
    let start = origin();
    let mut missed = MissedCount::new(ms(10), 2, start);
    missed.on_heartbeat(Seq::new(41), start + ms(5));
    missed.reset(start + ms(15));
    assert_eq!(missed.dead_at(), Some(start + ms(40)));
    missed.on_heartbeat(Seq::new(0), start + ms(25));
    assert_eq!(missed.dead_at(), Some(start + ms(50)));
}
