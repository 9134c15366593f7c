//! Faults of the core that were found once: what a law says, in the numbers of the case.

use std::time::{Duration, Instant};

use liveness::{Cause, Dead, Keepalive, KeepaliveConfig, KeepaliveEvent, PingWhen};

use crate::origin;

const SECOND: Duration = Duration::from_secs(1);

fn new(config: KeepaliveConfig) -> Keepalive {
    Keepalive::new(config, 0, origin()).unwrap()
}

/// All that is due at `now`; pings leave at once.
fn step(keepalive: &mut Keepalive, now: Instant, asked: &mut Vec<u64>) -> Option<Dead> {
    while let Some(event) = keepalive.handle_timeout(now) {
        match event {
            KeepaliveEvent::Ping(seq) => {
                keepalive.on_ping_sent(seq, now);
                asked.push((now - origin()).as_secs());
            }
            KeepaliveEvent::Dead(dead) => return Some(dead),
            _ => {}
        }
    }
    None
}

/// Calls at each deadline until `end`.
fn until(
    keepalive: &mut Keepalive,
    end: Instant,
    asked: &mut Vec<u64>,
) -> Option<(Duration, Dead)> {
    while let Some(due) = keepalive.poll_timeout().filter(|due| *due <= end) {
        if let Some(dead) = step(keepalive, due, asked) {
            return Some((due - origin(), dead));
        }
    }
    None
}

/// 5a: each resume began the clocks anew, so a dead peer lived for ever.
#[test]
fn ten_milliseconds_of_back_pressure_every_nine_seconds_postpone_by_their_length() {
    let pause = Duration::from_millis(10);
    let mut keepalive = new(KeepaliveConfig::new().max_unanswered(1));
    let (mut now, mut asked) = (origin(), Vec::new());
    let (at, dead) = loop {
        assert!(now < origin() + 9000 * SECOND, "no verdict");
        now += 9 * SECOND;
        if let Some(dead) = until(&mut keepalive, now, &mut asked) {
            break dead;
        }
        keepalive.pause(now);
        now += pause;
        keepalive.resume(now);
    };
    assert_eq!(dead.cause, Cause::NoReply);
    assert!(at >= 30 * SECOND && at <= 30 * SECOND + 4 * pause, "{at:?}");
}

/// 5b: a stall was forgiven again at each proof of life.
#[test]
fn a_peer_that_talks_and_takes_nothing_is_stalled_for_a_sweep_coarser_than_the_limit() {
    let mut keepalive = new(KeepaliveConfig::off().write_stall(2 * SECOND));
    keepalive.on_write_blocked(origin());
    let dead = (1..1000).find_map(|nth| {
        let now = origin() + nth * 3 * SECOND;
        keepalive.on_receive(now);
        Some((nth, step(&mut keepalive, now, &mut Vec::new())?))
    });
    let (nth, dead) = dead.unwrap();
    assert_eq!((nth, dead.cause), (2, Cause::WriteStalled));
}

/// 5b: lateness was measured against the deadline, also for a caller who came a tick ago.
#[test]
fn a_sweep_coarser_than_the_grace_adds_one_forgiven_window() {
    let config = KeepaliveConfig::new()
        .interval(SECOND)
        .reply_timeout(SECOND)
        .max_unanswered(1);
    let mut keepalive = new(config);
    let dead = (1..100).find_map(|nth| {
        let now = origin() + nth * 2 * SECOND;
        step(&mut keepalive, now, &mut Vec::new()).map(|_| now - origin())
    });
    // Asked at the first sweep, forgiven at the second, dead at the third.
    assert_eq!(dead, Some(6 * SECOND));
    // A caller who is on time again after one pause is not late any more.
    let mut keepalive = new(config);
    step(&mut keepalive, origin() + 2 * SECOND, &mut Vec::new());
    let dead = until(&mut keepalive, origin() + 60 * SECOND, &mut Vec::new());
    assert_eq!(dead.map(|(at, _)| at), Some(3 * SECOND));
}

/// 7: `Always` asked once and then waited for the answer.
#[test]
fn always_is_every_interval_whatever_the_traffic_and_the_answers() {
    let config = KeepaliveConfig::new()
        .interval(5 * SECOND)
        .reply_timeout(30 * SECOND)
        .max_unanswered(1)
        .ping_when(PingWhen::Always);
    for (reads, writes, pauses) in [
        (false, false, false),
        (true, true, false),
        (false, true, true),
    ] {
        let (mut keepalive, mut asked) = (new(config), Vec::new());
        for nth in 1..=60 {
            let now = origin() + nth * SECOND / 2;
            assert_eq!(until(&mut keepalive, now, &mut asked), None);
            if reads {
                keepalive.on_receive(now);
            }
            if writes {
                keepalive.on_send(now);
            }
            if pauses && nth == 8 {
                keepalive.pause(now);
            }
        }
        assert_eq!(asked, [5, 10, 15, 20, 25, 30], "{reads} {writes} {pauses}");
    }
}

/// A pause of our own has a limit, so that back-pressure does not keep a dead peer for ever.
#[test]
fn a_pause_ends_in_a_verdict_of_its_own() {
    let mut keepalive = new(KeepaliveConfig::new().pause_limit(60 * SECOND));
    keepalive.pause(origin() + SECOND);
    let mut asked = Vec::new();
    let dead = until(&mut keepalive, origin() + 600 * SECOND, &mut asked);
    let (at, dead) = dead.unwrap();
    assert_eq!((at, dead.cause), (61 * SECOND, Cause::Unread));
    assert_eq!(dead.limit, 60 * SECOND);
}

/// Who is heard anyway and waits for an answer has nothing to ask; nor has one who does not read.
#[test]
fn either_idle_asks_nothing_new_while_our_data_flows_and_an_answer_is_awaited() {
    let config = KeepaliveConfig::new()
        .interval(5 * SECOND)
        .reply_timeout(30 * SECOND)
        .max_unanswered(1)
        .ping_when(PingWhen::EitherIdle);
    for pauses in [false, true] {
        let (mut keepalive, mut asked) = (new(config), Vec::new());
        for nth in 1..=60 {
            let now = origin() + nth * SECOND / 2;
            assert_eq!(until(&mut keepalive, now, &mut asked), None);
            keepalive.on_send(now);
            if pauses && nth == 2 {
                keepalive.pause(now);
            }
        }
        let expected: &[u64] = if pauses { &[] } else { &[5] };
        assert_eq!(asked, expected);
    }
}
