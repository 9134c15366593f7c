//! Law 10: the monitor equals a map and a full scan; laws 1 to 5 are checked on the way. Then what
//! a fleet meets: a stall, the death of all at once, peers that come and go for ever.

use std::time::{Duration, Instant};

use liveness::Monitor;
use liveness::detector::{
    Announced, FixedTimeout, MissedCount, Nanos, PerPeer, Rule, Sample, Status,
};
use liveness::monitor::StaleKey;
use proptest::prelude::*;

use crate::config::ms;
use crate::monitor_model::{Op, Pair};
use crate::{origin, runs};

fn script() -> impl Strategy<Value = Vec<Op>> {
    // Mostly the last peers, so that a silence is often broken.
    let back = || prop_oneof![3 => 0..8_u16, 1 => any::<u16>()];
    let op = prop_oneof![
        4 => Just(Op::Insert),
        1 => any::<u8>().prop_map(Op::Crowd),
        2 => any::<u16>().prop_map(Op::InsertWith),
        8 => (back(), 0..30_u8).prop_map(|(back, promised)| Op::Beat(back, promised)),
        2 => back().prop_map(Op::Remove),
        4 => (0..3_u8, back()).prop_map(|(calls, back)| Op::Handle(calls, back)),
        5 => (0..25_u16).prop_map(Op::Wait),
        3 => Just(Op::ToDeadline),
        1 => (0..25_u16).prop_map(Op::Back),
    ];
    prop::collection::vec(op, 1..80)
}

/// Plays a script on both; then how many fell, which depends on no absolute time.
fn play<R: Rule + Clone>(
    rule: &R,
    script: &[Op],
    forgive: bool,
    base: Instant,
    state: impl Fn(u16) -> R::State,
) -> usize {
    let mut pair = Pair::new(rule.clone(), base, forgive);
    for op in script {
        pair.play(*op, &state);
    }
    pair.check();
    pair.fallen
}

fn fixed(timeout: u64, suspect: u64) -> FixedTimeout {
    FixedTimeout::new(ms(timeout)).suspect_after(ms(suspect))
}

proptest! {
    #![proptest_config(runs(600))]

    #[test]
    fn law_10_with_a_fixed_timeout(
        (timeout, suspect, first) in (0..40_u64, 0..60_u64, 0..80_u64),
        forgive: bool,
        script in script(),
    ) {
        let rule = fixed(timeout, suspect);
        let rule = if first % 2 == 0 { rule } else { rule.first_within(ms(first)) };
        let fallen = play(&rule, &script, forgive, origin(), |_| ());
        // Law 5: the same a day later.
        prop_assert_eq!(fallen, play(&rule, &script, forgive, origin() + ms(86_400_000), |_| ()));
    }

    #[test]
    fn law_10_with_an_interval_that_is_announced(
        (times, floor) in (1..4_u32, 0..20_u64),
        forgive: bool,
        script in script(),
    ) {
        let rule = Announced::new(times, ms(floor), ms(50));
        play(&rule, &script, forgive, origin(), |_| rule.meet(Nanos::ZERO).0);
    }

    #[test]
    fn law_10_with_a_rule_a_peer(
        (timeout, suspect) in (0..40_u64, 0..60_u64),
        forgive: bool,
        script in script(),
    ) {
        let rule = PerPeer::new(fixed(timeout, suspect));
        play(&rule, &script, forgive, origin(), |which| {
            let (timeout, suspect) = (u64::from(which % 50), u64::from(which / 50 % 70));
            PerPeer::state(fixed(timeout, suspect), Nanos::ZERO)
        });
    }

    #[test]
    fn law_10_with_a_count(
        (interval, misses) in (1..20_u64, 1..4_u32),
        forgive: bool,
        script in script(),
    ) {
        let rule = MissedCount::new(ms(interval), misses);
        play(&rule, &script, forgive, origin(), |_| rule.meet(Nanos::ZERO).0);
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A fleet that was met at one instant.
fn fleet(peers: usize, rule: FixedTimeout) -> (Monitor<usize, FixedTimeout>, Instant) {
    let start = origin();
    let mut monitor = Monitor::new(rule, start);
    for peer in 0..peers {
        monitor.insert(peer, start);
    }
    (monitor, start)
}

/// A process that was stopped for a minute under 100,000 peers kills none of those that beat on, be
/// their beats taken in before the first call or only in the window after it; and finds the others.
#[test]
fn a_stop_of_a_minute_is_the_death_of_nobody() {
    let rule = FixedTimeout::new(10 * SECOND).suspect_after(5 * SECOND);
    let (mut monitor, start) = fleet(100_000, rule);
    let keys: Vec<_> = monitor.iter().map(|(key, ..)| key).collect();
    let back = start + 60 * SECOND;
    for key in &keys[..30_000] {
        assert_eq!(
            monitor.on_heartbeat(*key, Sample::new(), back),
            Ok(Status::Alive)
        );
    }
    assert_eq!(monitor.handle_timeout(back), None);
    assert_eq!(monitor.counts().alive, 100_000);
    for key in &keys[30_000..99_990] {
        monitor
            .on_heartbeat(*key, Sample::new(), back + 4 * SECOND)
            .expect("it is held");
    }
    for key in &keys[..30_000] {
        monitor
            .on_heartbeat(*key, Sample::new(), back + 4 * SECOND)
            .expect("it is held");
    }
    let mut fallen = Vec::new();
    for second in 4..=8 {
        while let Some(told) = monitor.handle_timeout(back + second * SECOND) {
            fallen.push((told.to, *monitor.value(told.key).expect("it is held")));
        }
    }
    assert_eq!(fallen.len(), 10);
    assert!(
        fallen
            .iter()
            .all(|(to, peer)| *to == Status::Suspect && *peer >= 99_990)
    );
    // The clean window is the only one.
    let mut dead = 0;
    while let Some(told) = monitor.handle_timeout(back + 10 * SECOND) {
        dead += usize::from(
            told.to == Status::Dead && *monitor.value(told.key).expect("held") >= 99_990,
        );
    }
    assert_eq!((dead, monitor.counts().dead), (10, 10));
}

/// A million that die at one instant are told one a call, in as many turns as the caller likes, and
/// beats are taken in between.
#[test]
fn a_million_deaths_come_in_steps() {
    let (mut monitor, start) = fleet(1_000_000, FixedTimeout::new(10 * SECOND));
    let (last, ..) = monitor.iter().last().expect("a million");
    let due = start + 10 * SECOND;
    assert_eq!(monitor.poll_timeout(), Some(due));
    let mut told = 0;
    for turn in 0_u64.. {
        let now = due + ms(turn);
        let batch = std::iter::from_fn(|| monitor.handle_timeout(now))
            .take(1_000)
            .count();
        if turn == 3 {
            assert_eq!(
                monitor.on_heartbeat(last, Sample::new(), now),
                Ok(Status::Alive)
            );
        }
        told += batch;
        if batch < 1_000 {
            break;
        }
        assert_eq!(monitor.counts().dead, told);
    }
    assert_eq!(told, 999_999);
    assert_eq!(monitor.poll_timeout(), Some(due + ms(3) + 10 * SECOND));
}

/// A key of a peer that was removed is stale in every call, also when its place is another's.
#[test]
fn a_key_is_stale_for_ever() {
    let (mut monitor, start) = fleet(2, FixedTimeout::new(SECOND));
    let (old, ..) = monitor.iter().next().expect("two");
    assert_eq!(monitor.remove(old), Ok(0));
    let new = monitor.insert(7, start);
    for key in [old, old] {
        let stale: StaleKey = monitor.remove(key).expect_err("it is gone");
        assert_eq!(stale.key, old);
        assert_eq!(monitor.status(key), Err(stale));
        assert_eq!(monitor.on_heartbeat(key, Sample::new(), start), Err(stale));
        assert_eq!(monitor.value_mut(key), Err(stale));
        assert_eq!(stale.to_string(), "no peer has the key 0/1 any more");
    }
    assert_eq!(
        (new.to_string().as_str(), monitor.value(new)),
        ("0/2", Ok(&7))
    );
}

/// Zero is off, and no length is too long: such peers never fall, and the monitor never asks to be
/// called.
#[test]
fn limits_of_zero_and_of_ages_are_never() {
    for timeout in [Duration::ZERO, Duration::MAX] {
        let (mut monitor, start) = fleet(3, FixedTimeout::new(timeout));
        assert_eq!(monitor.poll_timeout(), None);
        assert_eq!(
            monitor.handle_timeout(start + ms(u64::from(u32::MAX))),
            None
        );
        assert_eq!(monitor.counts().alive, 3);
    }
    // A rule that breaks its law, with a deadline that lies behind, is not called for ever.
    #[derive(Clone, Copy)]
    struct Past;
    impl Rule for Past {
        type State = ();
        fn meet(&self, _: Nanos) -> ((), Nanos) {
            ((), Nanos::ZERO)
        }
        fn on_heartbeat(&self, (): &mut (), _: Sample, _: Nanos) -> Nanos {
            Nanos::ZERO
        }
        fn dead_at(&self, (): &(), _: Nanos) -> Nanos {
            Nanos::ZERO
        }
        fn forgive(&self, (): &mut (), _: Nanos) -> Nanos {
            Nanos::ZERO
        }
    }
    let start = origin();
    let mut monitor = Monitor::new(Past, start);
    let key = monitor.insert((), start);
    monitor
        .on_heartbeat(key, Sample::new(), start)
        .expect("it is held");
    assert_eq!(monitor.handle_timeout(start), None);
    let dead = std::iter::from_fn(|| monitor.handle_timeout(start + SECOND)).count();
    assert!(dead <= 1);
}

/// The gap before a beat that comes after a stop of our own is no sample: a rule that learns gaps
/// would otherwise learn how long we were away.
#[test]
fn our_own_stop_is_no_sample_of_the_peer() {
    /// Dead after twice the longest gap so far, which begins at a second.
    #[derive(Clone, Copy)]
    struct LongestGap;
    impl LongestGap {
        fn limit((last, gap): &(Nanos, Duration)) -> Nanos {
            last.after(Nanos::of(2 * *gap))
        }
    }
    impl Rule for LongestGap {
        type State = (Nanos, Duration);
        fn meet(&self, now: Nanos) -> (Self::State, Nanos) {
            let state = (now, SECOND);
            (state, Self::limit(&state))
        }
        fn on_heartbeat(&self, state: &mut Self::State, _: Sample, now: Nanos) -> Nanos {
            *state = (now, state.1.max(now.span_since(state.0).duration()));
            Self::limit(state)
        }
        fn dead_at(&self, _: &Self::State, suspect_at: Nanos) -> Nanos {
            suspect_at
        }
        fn forgive(&self, state: &mut Self::State, now: Nanos) -> Nanos {
            state.0 = now;
            Self::limit(state)
        }
    }
    for (forgive, limit) in [(true, 2 * SECOND), (false, 120 * SECOND)] {
        let start = origin();
        let mut monitor = Monitor::new(LongestGap, start).forgive_stall(forgive);
        let key = monitor.insert((), start);
        let back = start + 60 * SECOND;
        let was = monitor.on_heartbeat(key, Sample::new(), back);
        assert_eq!(was, Ok(Status::Alive));
        assert_eq!(monitor.handle_timeout(back), None);
        assert_eq!(monitor.poll_timeout(), Some(back + limit), "{forgive}");
    }
}
