//! Law 8 for each part of `Bound`, and law 11: nothing postpones a verdict for ever.
//!
//! The caller is on time here, and its peer is dead from the start: what comes in proves nothing.

use std::time::{Duration, Instant};

use liveness::keepalive::StallWhen;
use liveness::{Cause, Dead, Keepalive, KeepaliveConfig, KeepaliveEvent, PingWhen, Proof};
use proptest::prelude::*;

use crate::config::{Setup, ms, setups};
use crate::{origin, runs};

const TURN: Duration = Duration::from_micros(50);
const END: Duration = Duration::from_secs(20);

/// What the caller finds when it looks at its input.
#[derive(Debug, Clone, Copy)]
enum Found {
    Nothing,
    More,
}

fn found() -> impl Strategy<Value = Vec<Found>> {
    let one = prop_oneof![Just(Found::Nothing), Just(Found::More)];
    prop::collection::vec(one, 1..8)
}

/// When the peer is dead for a caller who looks in each turn while it is asked to, and finds these.
fn looks(config: KeepaliveConfig, found: &[Found]) -> Option<Duration> {
    let mut keepalive = Keepalive::new(config, 0, origin()).expect("an accepted configuration");
    keepalive.on_more_input(origin());
    let mut found = found.iter().cycle();
    let (mut now, mut turn) = (origin(), None);
    while now < origin() + END {
        let due = keepalive.poll_timeout();
        now = due.into_iter().chain(turn).min()?.max(now);
        if turn.take_if(|turn| *turn <= now).is_some() {
            match found.next() {
                Some(Found::More) => keepalive.on_more_input(now),
                _ => keepalive.on_drained(now),
            }
        }
        while let Some(event) = keepalive.handle_timeout(now) {
            match event {
                KeepaliveEvent::Ping(seq) => keepalive.on_ping_sent(seq, now),
                KeepaliveEvent::Dead(_) => return Some(now - origin()),
                _ => {}
            }
        }
        if keepalive.is_looking() && turn.is_none() {
            turn = Some(now + TURN);
        }
    }
    None
}

/// One ping that the transport does not take at once: for how long it refuses, how long the flush
/// takes then, and whether it is refused again before that.
#[derive(Debug, Clone, Copy)]
struct Upload {
    refused: u64,
    flush: Option<u64>,
    full_again: bool,
}

fn uploads(most: u64) -> impl Strategy<Value = Vec<Upload>> {
    let one = (0..most, prop::option::of(0..300_u64), any::<bool>());
    let one = one.prop_map(|(refused, flush, full_again)| Upload {
        refused,
        flush,
        full_again,
    });
    prop::collection::vec(one, 1..6)
}

fn uploading(config: KeepaliveConfig, uploads: &[Upload]) -> Option<(Duration, Dead)> {
    let mut keepalive = Keepalive::new(config, 0, origin()).expect("an accepted configuration");
    let mut uploads = uploads.iter().cycle();
    // What happens next to the last ping.
    let mut taken: Option<(Instant, _, Upload)> = None;
    let mut flushed: Option<(Instant, _)> = None;
    let mut now = origin();
    while now < origin() + END {
        let happens = [
            taken.map(|(at, _, _)| at),
            flushed.map(|(at, _)| at),
            keepalive.poll_timeout(),
        ];
        now = happens.into_iter().flatten().min()?.max(now);
        if let Some((_, seq, upload)) = taken.take_if(|(at, _, _)| *at <= now) {
            keepalive.on_ping_taken(seq, now);
            if upload.full_again {
                keepalive.on_write_blocked(now);
                keepalive.on_send(now);
            }
            flushed = upload.flush.map(|flush| (now + ms(flush), seq));
        }
        if let Some((_, seq)) = flushed.take_if(|(at, _)| *at <= now) {
            keepalive.on_ping_sent(seq, now);
        }
        while let Some(event) = keepalive.handle_timeout(now) {
            match event {
                KeepaliveEvent::Ping(seq) => {
                    let upload = *uploads.next().expect("a cycle");
                    if upload.refused > 0 {
                        keepalive.on_write_blocked(now);
                    }
                    flushed = None;
                    taken = Some((now + ms(upload.refused), seq, upload));
                }
                KeepaliveEvent::Dead(dead) => return Some((now - origin(), dead)),
                _ => {}
            }
        }
    }
    None
}

/// A dead peer and a caller who pauses and resumes, and is away now and then.
#[derive(Debug, Clone, Copy)]
struct Turn {
    after: u64,
    span: u64,
    away: bool,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let one = (1..60_u64, 1..60_u64, any::<bool>());
    let one = one.prop_map(|(after, span, away)| Turn { after, span, away });
    prop::collection::vec(one, 1..30)
}

/// When it was dead, and how long the caller had paused or been away by then.
fn interrupted(config: KeepaliveConfig, turns: &[Turn]) -> Option<(Duration, Duration)> {
    let mut keepalive = Keepalive::new(config, 0, origin()).expect("an accepted configuration");
    let (mut now, mut gone) = (origin(), Duration::ZERO);
    let until = |keepalive: &mut Keepalive, from: Instant, to: Instant| {
        let mut now = from;
        loop {
            while let Some(event) = keepalive.handle_timeout(now) {
                match event {
                    KeepaliveEvent::Ping(seq) => keepalive.on_ping_sent(seq, now),
                    KeepaliveEvent::Dead(_) => return Some(now),
                    _ => {}
                }
            }
            match keepalive.poll_timeout() {
                Some(due) if due <= to => now = due.max(now),
                _ => return None,
            }
        }
    };
    for turn in turns.iter().cycle() {
        if now > origin() + END {
            return None;
        }
        let next = now + ms(turn.after);
        if let Some(dead) = until(&mut keepalive, now, next) {
            return Some((dead - origin(), gone));
        }
        now = next + ms(turn.span);
        gone += ms(turn.span);
        if !turn.away {
            keepalive.pause(next);
            if let Some(dead) = until(&mut keepalive, next, now) {
                return Some((dead - origin(), gone));
            }
            keepalive.resume(now);
        }
    }
    None
}

fn promises(setup: &Setup) -> bool {
    setup.config().detection_bound().is_some() && setup.when != PingWhen::SendIdle
}

proptest! {
    #![proptest_config(runs(2_000))]

    /// Each look costs a turn of the executor and nothing more.
    #[test]
    fn law_8_quiet_for_a_caller_who_finds_nothing(setup in setups()) {
        prop_assume!(promises(&setup));
        let dead = looks(setup.config(), &[Found::Nothing]).expect("dead");
        let bound = setup.config().detection_bound().expect("promised").quiet;
        prop_assert!(dead <= bound + 2 * TURN, "{dead:?}, bound {bound:?}");
    }

    #[test]
    fn law_8_undrained_for_a_caller_who_always_finds_more(setup in setups()) {
        prop_assume!(promises(&setup));
        let dead = looks(setup.config(), &[Found::More]).expect("dead");
        let bound = setup.config().detection_bound().expect("promised").undrained;
        prop_assert!(dead <= bound + 2 * TURN, "{dead:?}, bound {bound:?}");
    }

    #[test]
    fn law_8_undrained_whatever_the_caller_finds(setup in setups(), found in found()) {
        prop_assume!(promises(&setup));
        let dead = looks(setup.config(), &found).expect("dead");
        let bound = setup.config().detection_bound().expect("promised").undrained;
        prop_assert!(dead <= bound + 2 * TURN, "{dead:?}, bound {bound:?}");
    }

    #[test]
    fn law_8_uploading_however_slow_a_ping_is_to_leave(
        setup in setups(),
        uploads in uploads(150),
        wait in 0..80_u64,
    ) {
        let config = setup.config().upload_wait(ms(wait));
        prop_assume!(setup.when != PingWhen::SendIdle);
        let Some(bound) = config.detection_bound().and_then(|bound| bound.uploading) else {
            return Ok(());
        };
        let (at, dead) = uploading(config, &uploads).expect("dead");
        prop_assert!(at <= bound, "{dead} at {at:?}, bound {bound:?}");
        // Law 7: each ping had its time from when it was out, and none was out before it was taken.
        if dead.cause == Cause::NoReply {
            let refused: u64 = uploads.iter().map(|upload| upload.refused).min().unwrap_or(0);
            prop_assert!(at >= ms(refused + setup.least_reply()));
        }
    }

    /// Pauses shift by their length, forgiveness comes once: twice the bound, and what the caller
    /// was gone itself.
    #[test]
    fn law_11_pauses_and_forgiveness_postpone_by_their_length(setup in setups(), turns in turns()) {
        prop_assume!(promises(&setup));
        let config = setup.config().pause_limit(Duration::ZERO);
        let bound = config.detection_bound().expect("promised").quiet;
        let (dead, gone) = interrupted(config, &turns).expect("dead");
        prop_assert!(dead <= 2 * bound + gone, "{dead:?}, bound {bound:?}, gone {gone:?}");
    }

    /// A peer that talks and takes nothing is stalled, however often it talks and however coarse
    /// the caller's sweep is: one clean window, and one sweep more.
    #[test]
    fn law_11_proofs_of_life_do_not_postpone_a_stall(
        setup in setups(),
        stall in 1..100_u64,
        sweep in 1..300_u64,
    ) {
        let config = setup.config().write_stall(ms(stall)).stall_when(StallWhen::Always);
        let config = config.proof(Proof::AnyBytes);
        prop_assume!(setup.silence == 0 && Keepalive::new(config, 0, origin()).is_ok());
        let mut keepalive = Keepalive::new(config, 0, origin()).expect("accepted");
        keepalive.on_write_blocked(origin());
        let mut now = origin();
        let dead = 'dead: loop {
            now += ms(sweep);
            prop_assert!(now < origin() + END, "no verdict");
            keepalive.on_receive(now);
            while let Some(event) = keepalive.handle_timeout(now) {
                if let KeepaliveEvent::Dead(dead) = event {
                    break 'dead dead;
                }
            }
        };
        prop_assert_eq!(dead.cause, Cause::WriteStalled);
        prop_assert!(now - origin() <= 2 * ms(stall) + 2 * ms(sweep), "{:?}", now - origin());
    }
}
