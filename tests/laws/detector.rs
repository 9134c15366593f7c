//! Rules and the detectors on them: laws 5 and 6 for each, a naive model of each, and for the count
//! a table that is really swept. Then the order of beats, and one peer's standing.

use std::time::{Duration, Instant};

use liveness::Seq;
use liveness::detector::{
    Announced, Detector, FailureDetector, FixedTimeout, Life, MissedCount, Nanos, Order, Peer,
    PerPeer, Rule, Sample, Status,
};
use liveness::heartbeat::{Heartbeat, Origin};
use liveness::keepalive::Boundary;
use proptest::prelude::*;

use crate::config::ms;
use crate::{origin, runs};

const NANO: Duration = Duration::from_nanos(1);

/// What reaches a detector, with the milliseconds since the step before.
#[derive(Debug, Clone, Copy)]
enum Op {
    /// A beat that promises the next within so many milliseconds; zero is no promise.
    Beat(u64),
    Forgive,
    Meet,
    /// Nothing; somebody looks.
    Look,
}

fn script() -> impl Strategy<Value = Vec<(u64, Op)>> {
    let op = prop_oneof![
        4 => (0..30_u64).prop_map(Op::Beat),
        1 => Just(Op::Forgive),
        1 => Just(Op::Meet),
        2 => Just(Op::Look),
    ];
    prop::collection::vec((0..40_u64, op), 1..40)
}

fn boundary() -> impl Strategy<Value = Boundary> {
    prop_oneof![Just(Boundary::Inclusive), Just(Boundary::Exclusive)]
}

fn sample(promised: u64) -> Sample {
    match promised {
        0 => Sample::new(),
        promised => Sample::new().promised(ms(promised)),
    }
}

/// Law 6 at one moment, and that suspicion comes no later than death.
fn check<D: FailureDetector + ?Sized>(detector: &D, now: Instant) -> Result<f64, TestCaseError> {
    let suspicion = detector.suspicion(now);
    let is_dead = detector.dead_at().is_some_and(|dead_at| now >= dead_at);
    prop_assert_eq!(suspicion >= 1.0, is_dead, "{}", suspicion);
    prop_assert!(suspicion >= 0.0);
    if let Some(dead_at) = detector.dead_at() {
        prop_assert!(detector.suspect_at().expect("death is suspicious") <= dead_at);
        prop_assert!(detector.suspicion(dead_at - NANO) < 1.0);
        prop_assert!(detector.suspicion(dead_at) >= 1.0);
    }
    Ok(suspicion)
}

/// Plays a script; `after` is told the detector, the last step that moved its deadlines and its
/// time, the last beat or meeting, and the time.
fn play<D: FailureDetector + ?Sized>(
    detector: &mut D,
    script: &[(u64, Op)],
    mut after: impl FnMut(&D, (Op, Instant), Instant, Instant) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut now = origin();
    detector.meet(now);
    let (mut moved, mut since) = ((Op::Meet, now), now);
    let mut suspicion = 0.0;
    for &(gap, op) in script {
        now += ms(gap);
        match op {
            Op::Beat(promised) => detector.on_heartbeat(sample(promised), now),
            Op::Forgive => detector.forgive(now),
            Op::Meet => detector.meet(now),
            Op::Look => {}
        }
        if !matches!(op, Op::Look) {
            // Law 1: whatever happened, the peer has some time from now on.
            prop_assert!(detector.suspect_at().is_none_or(|at| at > now));
            (moved, suspicion) = ((op, now), 0.0);
        }
        if matches!(op, Op::Beat(_) | Op::Meet) {
            since = now;
            prop_assert_eq!(detector.suspicion(now), 0.0);
        }
        let grown = check(detector, now)?;
        prop_assert!(grown >= suspicion, "suspicion fell between beats");
        suspicion = grown;
        after(detector, moved, since, now)?;
    }
    Ok(())
}

/// So many milliseconds after `at`, and beyond them by a nanosecond if told; zero is never.
fn end(at: Instant, span: u64, boundary: Boundary) -> Option<Instant> {
    let beyond = match boundary {
        Boundary::Inclusive => Duration::ZERO,
        Boundary::Exclusive => NANO,
    };
    (span > 0).then(|| at + ms(span) + beyond)
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

proptest! {
    #![proptest_config(runs(4_000))]

    #[test]
    fn fixed_is_the_last_beat_and_a_time(
        timeout in 0..100_u64,
        suspect in 0..150_u64,
        boundary in boundary(),
        script in script(),
    ) {
        let rule = FixedTimeout::new(ms(timeout)).suspect_after(ms(suspect)).boundary(boundary);
        let mut detector = Detector::new(rule);
        play(&mut detector, &script, |detector, (_, moved), _, _| {
            let dead_at = end(moved, timeout, boundary);
            prop_assert_eq!(detector.dead_at(), dead_at);
            prop_assert_eq!(detector.suspect_at(), earlier(end(moved, suspect, boundary), dead_at));
            Ok(())
        })?;
    }

    /// A peer that starts has more time, and dies at the end of it; after its first beat it has the
    /// plain limits.
    #[test]
    fn the_first_beat_has_a_limit_of_its_own(
        timeout in 1..100_u64,
        suspect in 0..150_u64,
        more in 1..200_u64,
        boundary in boundary(),
    ) {
        let start = origin();
        let rule = FixedTimeout::new(ms(timeout)).suspect_after(ms(suspect)).boundary(boundary);
        let mut detector = Detector::new(rule.first_within(ms(timeout + more)));
        detector.meet(start);
        prop_assert_eq!(detector.dead_at(), end(start, timeout + more, boundary));
        prop_assert!(detector.suspect_at() <= detector.dead_at());
        detector.on_heartbeat(Sample::new(), start + ms(1));
        prop_assert_eq!(detector.dead_at(), end(start + ms(1), timeout, boundary));
        let mut patient = Detector::new(rule.first_within(Duration::ZERO));
        patient.meet(start);
        prop_assert_eq!((patient.suspect_at(), patient.dead_at()), (None, None));
    }

    /// The table as it is kept by hand: each sweep adds one to the count, a beat sets it to zero,
    /// the sweep that finds too many declares the death. A beat at the instant of a sweep comes
    /// after it.
    #[test]
    fn missed_is_a_table_that_is_swept(
        period in 1..30_u64,
        limit in 0..6_u32,
        suspect in 0..8_u32,
        boundary in boundary(),
        script in script(),
    ) {
        let start = origin();
        let rule = MissedCount::new(ms(period), limit).suspect_after(suspect).boundary(boundary);
        let mut detector = Detector::new(rule);
        let misses = match boundary {
            Boundary::Inclusive => limit.max(1),
            Boundary::Exclusive => limit + 1,
        };
        play(&mut detector, &script, |detector, (_, moved), since, now| {
            let swept = |wanted: u32| {
                let mut count = 0;
                let mut sweep = start;
                while count < wanted {
                    sweep += ms(period);
                    count += u32::from(sweep > moved);
                }
                sweep
            };
            prop_assert_eq!(detector.dead_at(), Some(swept(misses)));
            let suspected = if suspect > 0 { suspect.min(misses) } else { misses };
            prop_assert_eq!(detector.suspect_at(), Some(swept(suspected)));
            let silent_for = swept(misses) - moved;
            prop_assert!(silent_for > ms(period) * (misses - 1) && silent_for <= ms(period) * misses);
            let sweeps = |at: Instant| (at - start).as_nanos() / ms(period).as_nanos();
            prop_assert_eq!(u128::from(detector.missed(now)), sweeps(now) - sweeps(since));
            Ok(())
        })?;
    }

    #[test]
    fn announced_is_what_the_last_beat_promised_within_bounds(
        times in 0..5_u32,
        floor in 0..50_u64,
        cap in 0..200_u64,
        boundary in boundary(),
        script in script(),
    ) {
        let rule = Announced::new(times, ms(floor), ms(cap)).boundary(boundary);
        let mut detector = Detector::new(rule);
        let mut promised = 0;
        play(&mut detector, &script, |detector, (op, moved), _, _| {
            match op {
                Op::Beat(next) => promised = next,
                Op::Meet => promised = 0,
                Op::Forgive | Op::Look => {}
            }
            let bounded = (promised * u64::from(times)).max(floor);
            let window = match (promised, cap) {
                (0, cap) => cap,
                (_, 0) => bounded,
                (_, cap) => bounded.min(cap),
            };
            let expected = if times == 0 { None } else { end(moved, window, boundary) };
            prop_assert_eq!(detector.dead_at(), expected);
            prop_assert_eq!(detector.suspect_at(), expected);
            Ok(())
        })?;
    }

    /// A rule of the peer's own, whatever the shared one says, and a shared rule behind a
    /// reference.
    #[test]
    fn own_and_shared_rules_are_the_rule_itself(
        timeout in 1..100_u64,
        suspect in 0..150_u64,
        script in script(),
    ) {
        let rule = FixedTimeout::new(ms(timeout)).suspect_after(ms(suspect));
        let mut expected = Vec::new();
        play(&mut Detector::new(rule), &script, |detector, _, _, now| {
            expected.push((detector.suspect_at(), detector.dead_at(), detector.suspicion(now)));
            Ok(())
        })?;
        let mut own = Detector::new(PerPeer::new(rule));
        let mut shared = Detector::new(&rule);
        let mut counted = Detector::new(std::sync::Arc::new(rule));
        let mut boxed: Vec<&mut dyn FailureDetector> = vec![&mut own, &mut shared, &mut counted];
        for detector in &mut boxed {
            let mut found = expected.iter();
            play(*detector, &script, |detector, _, _, now| {
                let state = (detector.suspect_at(), detector.dead_at(), detector.suspicion(now));
                prop_assert_eq!(Some(&state), found.next());
                Ok(())
            })?;
        }
    }

    /// Law 5: an older `now` moves nothing back.
    #[test]
    fn time_never_runs_back(
        timeout in 1..100_u64,
        beats in prop::collection::vec(0..200_u64, 1..20),
    ) {
        let mut fixed = Detector::new(FixedTimeout::new(ms(timeout)));
        let mut missed = Detector::new(MissedCount::new(ms(timeout), 2));
        fixed.meet(origin());
        missed.meet(origin());
        let mut newest = 0;
        for at in beats {
            newest = at.max(newest);
            let before = (fixed.dead_at(), missed.dead_at());
            let now = origin() + ms(at);
            fixed.on_heartbeat(Sample::new(), now);
            missed.on_heartbeat(Sample::new(), now);
            prop_assert!(before <= (fixed.dead_at(), missed.dead_at()));
            prop_assert_eq!(fixed.dead_at(), Some(origin() + ms(newest + timeout)));
        }
    }

    /// Law 5: every instant later by a constant, every deadline later by it.
    #[test]
    fn a_shift_shifts(timeout in 1..100_u64, suspect in 0..150_u64, at: u32, by: u32) {
        let (at, by) = (Nanos::new(at.into()), Nanos::new(by.into()));
        let fixed = FixedTimeout::new(ms(timeout)).suspect_after(ms(suspect));
        let announced = Announced::new(3, ms(suspect), ms(timeout));
        let (_, met) = fixed.meet(at);
        prop_assert_eq!(fixed.meet(at.after(by)).1, met.after(by));
        prop_assert_eq!(fixed.dead_at(&(), met.after(by)), fixed.dead_at(&(), met).after(by));
        let beat = |at| {
            let (mut state, _) = announced.meet(at);
            announced.on_heartbeat(&mut state, sample(timeout), at)
        };
        prop_assert_eq!(beat(at.after(by)), beat(at).after(by));
    }
}

#[test]
fn extremes_of_time() {
    let start = origin();
    let met = |rule| {
        let mut detector = Detector::new(rule);
        detector.meet(start);
        detector
    };
    let mut never = met(FixedTimeout::new(Duration::MAX).suspect_after(ms(1)));
    assert_eq!(
        (never.suspect_at(), never.dead_at()),
        (Some(start + ms(1)), None)
    );
    assert_eq!(never.suspicion(start + ms(1_000_000)), 0.0);
    never.on_heartbeat(Sample::new(), start + ms(1));
    assert_eq!(never.suspect_at(), Some(start + ms(2)));

    // A suspicion too far away to be represented still comes no later than death.
    let far = met(FixedTimeout::new(ms(10)).suspect_after(Duration::MAX));
    assert_eq!(far.suspect_at(), Some(start + ms(10)));

    let tiny = met(FixedTimeout::new(NANO));
    assert_eq!(tiny.suspicion(start), 0.0);
    assert!(tiny.suspicion(start + NANO) >= 1.0);

    // Short of death by less than a float can tell, and still short of it.
    let long = met(FixedTimeout::new(Duration::from_secs(100_000_000)));
    assert!(long.suspicion(long.dead_at().unwrap() - NANO) < 1.0);

    for (period, limit) in [
        (Duration::MAX, 1),
        (Duration::MAX, u32::MAX),
        (Duration::from_secs(1 << 40), u32::MAX),
    ] {
        let mut missed = Detector::new(MissedCount::new(period, limit));
        missed.meet(start);
        assert_eq!(missed.dead_at(), None);
        assert_eq!(missed.missed(start + ms(1)), 0);
    }
    let mut tiny = Detector::new(MissedCount::new(NANO, u32::MAX));
    tiny.meet(start);
    assert_eq!(tiny.dead_at(), Some(start + Duration::from_nanos(1 << 32)));

    // A peer may promise anything.
    let mut greedy = Detector::new(Announced::new(u32::MAX, ms(1), ms(50)));
    greedy.on_heartbeat(Sample::new().promised(Duration::MAX), start);
    assert_eq!(greedy.dead_at(), Some(start + ms(50)));
    greedy.on_heartbeat(Sample::new().promised(NANO), start);
    assert_eq!(greedy.dead_at(), Some(start + ms(50)));
    let mut hasty = Detector::new(Announced::new(3, ms(7), ms(50)));
    hasty.on_heartbeat(Sample::new().promised(NANO), start);
    assert_eq!(hasty.dead_at(), Some(start + ms(7)));
}

/// A peer that is met anew has a full window, and the sweeps keep their rhythm.
#[test]
fn meeting_anew_keeps_the_rhythm() {
    let start = origin();
    let mut missed = Detector::new(MissedCount::new(ms(10), 2));
    missed.meet(start);
    missed.on_heartbeat(Sample::new(), start + ms(5));
    missed.meet(start + ms(15));
    assert_eq!(missed.dead_at(), Some(start + ms(40)));
    missed.on_heartbeat(Sample::new(), start + ms(25));
    assert_eq!(missed.dead_at(), Some(start + ms(50)));
}

fn numbered(incarnation: u64, seq: u64) -> Heartbeat<()> {
    Heartbeat {
        origin: Origin::default(),
        incarnation,
        seq: Seq::new(seq),
        interval: None,
        payload: (),
    }
}

proptest! {
    #![proptest_config(runs(4_000))]

    /// Beats in any order, with any loss and any doubles: what is fresh grows, and every number up
    /// to it is either lost or was there.
    #[test]
    fn life_only_goes_forward(beats in prop::collection::vec((0..3_u64, 0..12_u64), 1..60)) {
        let mut life = Life::new();
        let mut newest: Option<(u64, u64)> = None;
        for beat in beats {
            let order = life.on_beat(beat.0, Seq::new(beat.1));
            let expected = match newest {
                None => Order::First,
                Some(newest) if beat <= newest => Order::Stale,
                Some((from, _)) if beat.0 > from => Order::NewLife { from },
                Some((_, seq)) => Order::Next { lost: (seq + 1..beat.1).count() as u64 },
            };
            prop_assert_eq!(order, expected);
            newest = newest.max(Some(beat));
            prop_assert_eq!(life.incarnation().zip(life.seq().map(Seq::value)), newest);
        }
    }

    /// Laws 1 to 4 for a peer: whenever it is called, no status falls early, none falls twice, and
    /// a caller that is on time sees each verdict at its instant.
    #[test]
    fn a_peer_falls_on_time_and_once(
        timeout in 4..100_u64,
        suspect in 0..150_u64,
        forgive: bool,
        steps in prop::collection::vec((0..60_u64, 0..4_u8), 1..60),
    ) {
        let rule = FixedTimeout::new(ms(timeout)).suspect_after(ms(suspect));
        let first = if suspect == 0 { timeout } else { suspect.min(timeout) };
        let mut peer = Peer::new(rule, origin()).forgive_stall(forgive);
        let (mut now, mut last, mut seq) = (origin(), origin(), 0);
        let mut said: Vec<Status> = Vec::new();
        for (gap, what) in steps {
            match what {
                // A beat.
                0 => {
                    now += ms(gap);
                    peer.on_heartbeat(&numbered(1, seq), now);
                    (last, seq) = (now, seq + 1);
                    said.clear();
                }
                // A call at any time, and again at once.
                1 => {
                    now += ms(gap);
                    let polled = peer.poll_timeout();
                    while let Some(status) = peer.handle_timeout(now) {
                        prop_assert!(polled.is_some_and(|due| due <= now), "never early");
                        said.push(status);
                    }
                    prop_assert!(peer.poll_timeout().is_none_or(|due| due > now), "progress");
                }
                // A call exactly on time.
                _ => {
                    let Some(due) = peer.poll_timeout() else { continue };
                    prop_assert!(due >= now);
                    prop_assert_eq!(peer.handle_timeout(due - NANO), None, "never early");
                    now = due;
                    let status = peer.handle_timeout(now);
                    prop_assert!(status.is_some(), "prompt");
                    said.extend(status);
                }
            }
            prop_assert!(said.len() <= 2);
            if said.contains(&Status::Suspect) {
                prop_assert!(now >= last + ms(first));
            }
            if said.contains(&Status::Dead) {
                prop_assert!(now >= last + ms(timeout));
                prop_assert_eq!(said.last(), Some(&Status::Dead));
            }
            let status = said.last().copied().unwrap_or(Status::Alive);
            prop_assert_eq!(peer.status(), status);
        }
    }

    /// Laws 8 and 11: a silent peer is dead at its limit; with one stall of the caller, at most one
    /// limit after the end of the stall; with many, they do not add up.
    #[test]
    fn forgiveness_ends(
        timeout in 4..100_u64,
        suspect in 0..150_u64,
        stalls in prop::collection::vec(1..400_u64, 0..8),
    ) {
        let rule = FixedTimeout::new(ms(timeout)).suspect_after(ms(suspect));
        let start = origin();
        let mut peer = Peer::new(rule, start);
        let mut now = start;
        let mut stalls = stalls.into_iter();
        let mut forgiven = None;
        while let Some(due) = peer.poll_timeout() {
            now = due + ms(stalls.next().unwrap_or(0));
            if peer.handle_timeout(now).is_none() {
                prop_assert_eq!(forgiven, None, "forgiven once a silence");
                forgiven = Some(now);
            }
        }
        prop_assert_eq!(peer.status(), Status::Dead);
        let late = now - forgiven.unwrap_or(start);
        // Seen late by the caller's own stall, and never put off by it a second time.
        prop_assert!(late <= ms(timeout) + ms(400));
        prop_assert!(late >= ms(timeout), "a full window before the verdict");
    }
}
