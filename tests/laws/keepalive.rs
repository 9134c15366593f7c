//! `Keepalive`: laws 1 to 5 on any sequence of calls, and the promises about a peer (laws 7 to 9)
//! on connections in simulated time.

use std::time::{Duration, Instant};

use liveness::{Answers, Cause, Keepalive, KeepaliveConfig, KeepaliveEvent, PingWhen, Proof, Seq};
use proptest::prelude::*;

use crate::config::{Setup, ms, setups};
use crate::connection::{Answer, Record, Scenario, run};
use crate::machine::{self, Machine, Step, script};
use crate::{origin, runs};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    Nothing,
    Receive,
    Send,
    Blocked,
    Withdrawn,
    /// The last ping is flushed, or one that is not the last.
    Flushed,
    FlushedOther(u64),
    /// A pong without a number, or for a ping so many back, or for one never sent.
    PongBare,
    Pong(u64),
    PongUnknown,
    Probe,
    Pause,
    Resume,
    Interval(u64),
    Forgive(bool),
}

pub(crate) fn op(number: u16) -> Op {
    let rest = u64::from(number / 32);
    match number % 32 {
        0..=3 => Op::Nothing,
        4..=7 => Op::Receive,
        8..=10 => Op::Send,
        11 => Op::Blocked,
        12 => Op::Withdrawn,
        13..=19 => Op::Flushed,
        20 => Op::FlushedOther(rest % 5),
        21 => Op::PongBare,
        22..=24 => Op::Pong(rest % 7),
        25 => Op::PongUnknown,
        26..=27 => Op::Probe,
        28 => Op::Pause,
        29 => Op::Resume,
        30 => Op::Interval(rest % 60),
        _ => Op::Forgive(rest % 2 == 0),
    }
}

/// A `Keepalive` and the last ping that it asked for.
#[derive(Clone)]
pub(crate) struct Asking {
    pub(crate) keepalive: Keepalive,
    pub(crate) last: Option<Seq>,
    /// It is not flushed, and no pong has shown that it is.
    unflushed: bool,
    /// The same, but a pong without a number may have shown it.
    perhaps_unflushed: bool,
}

impl Asking {
    fn new(setup: &Setup, now: Instant) -> Self {
        Self::with(setup.config(), now)
    }

    pub(crate) fn with(config: KeepaliveConfig, now: Instant) -> Self {
        Self {
            keepalive: Keepalive::new(config, 0, now).expect("an accepted configuration"),
            last: None,
            unflushed: false,
            perhaps_unflushed: false,
        }
    }

    /// The last ping is taken, and not flushed.
    pub(crate) fn take(&mut self, now: Instant) {
        if let Some(seq) = self.last {
            self.keepalive.on_ping_taken(seq, now);
            (self.unflushed, self.perhaps_unflushed) = (false, false);
        }
    }

    fn pong(&mut self, back: u64, now: Instant) {
        let Some(seq) = self.last.and_then(|last| last.value().checked_sub(back)) else {
            return;
        };
        self.unflushed &= back > 0;
        self.perhaps_unflushed &= back > 0;
        self.keepalive.on_pong(Answers::Ping(Seq::new(seq)), now);
    }
}

impl Machine for Asking {
    type Op = Op;
    type Event = KeepaliveEvent;

    fn apply(&mut self, op: &Op, now: Instant) {
        let keepalive = &mut self.keepalive;
        // Tells the time and nothing else.
        keepalive.on_ping_sent(Seq::new(u64::MAX), now);
        match *op {
            Op::Nothing => {}
            Op::Receive => keepalive.on_receive(now),
            Op::Send => keepalive.on_send(now),
            Op::Blocked => keepalive.on_write_blocked(now),
            Op::Withdrawn => keepalive.on_write_withdrawn(now),
            Op::Flushed => {
                if let Some(seq) = self.last {
                    keepalive.on_ping_sent(seq, now);
                    (self.unflushed, self.perhaps_unflushed) = (false, false);
                }
            }
            Op::FlushedOther(by) => {
                keepalive.on_ping_sent(
                    Seq::new(self.last.map_or(by, |seq| seq.value() + 1 + by)),
                    now,
                );
            }
            Op::PongBare => {
                keepalive.on_pong(Answers::Oldest, now);
                self.unflushed = false;
            }
            Op::Pong(back) => self.pong(back, now),
            Op::PongUnknown => {
                let unknown = self.last.map_or(0, |seq| seq.value() + 1);
                keepalive.on_pong(Answers::Ping(Seq::new(unknown)), now);
            }
            Op::Probe => keepalive.probe_now(now),
            Op::Pause => keepalive.pause(now),
            Op::Resume => keepalive.resume(now),
            // Either is refused where it does not fit, and changes nothing then.
            Op::Interval(millis) => drop(keepalive.set_interval(ms(millis), now)),
            Op::Forgive(forgive) => {
                let config = keepalive.config().forgive_stall(forgive);
                keepalive
                    .set_config(config, now)
                    .expect("as good as before");
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.keepalive.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) -> Option<KeepaliveEvent> {
        let event = self.keepalive.handle_timeout(now);
        if let Some(KeepaliveEvent::Ping(seq)) = event {
            assert!(!self.unflushed, "two pings handed out");
            assert!(
                self.last.is_none_or(|last| seq == last.next()),
                "a number left out"
            );
            self.last = Some(seq);
            (self.unflushed, self.perhaps_unflushed) = (true, true);
        }
        event
    }

    /// A missed answer while a ping waits for its flush, and grace where nobody asks.
    fn may_be_quiet(&self, late: bool) -> bool {
        self.perhaps_unflushed || late
    }
}

proptest! {
    #![proptest_config(runs(4_000))]

    #[test]
    fn law_2_prompt(setup in setups(), script in script(op)) {
        machine::prompt(Asking::new(&setup, origin()), origin(), &script)?;
    }

    #[test]
    fn law_3_progress(setup in setups(), script in script(op)) {
        machine::progress(Asking::new(&setup, origin()), origin(), &script)?;
    }

    #[test]
    fn law_4_spurious_calls(setup in setups(), script in script(op)) {
        machine::spurious(Asking::new(&setup, origin()), origin(), &script)?;
    }

    #[test]
    fn law_5_time_never_runs_back(setup in setups(), script in script(op)) {
        machine::monotone(Asking::new(&setup, origin()), origin(), &script)?;
    }

    #[test]
    fn law_5_shifted(setup in setups(), script in script(op)) {
        machine::shifted(|now| Asking::new(&setup, now), origin(), &script)?;
    }

    /// Laws 1 and 7, whatever is called when: no verdict before its limit has run out since the
    /// last proof of life, no `NoReply` without a flushed ping that had the whole reply timeout,
    /// `Dead` once and nothing after it.
    #[test]
    fn law_7_ask_first(setup in setups(), script in script(op)) {
        let mut asking = Asking::new(&setup, origin());
        let (mut now, mut dead) = (origin(), None);
        let (mut heard, mut flushed, mut blocked) = (now, Vec::new(), None);
        for Step { micros, op, asks } in script {
            now += Duration::from_micros(micros.unsigned_abs());
            if matches!(op, Op::Interval(_)) {
                continue;
            }
            let flushes = asking.perhaps_unflushed && matches!(op, Op::Flushed);
            let surely = asking.unflushed;
            asking.apply(&op, now);
            let any_bytes = setup.proof == Proof::AnyBytes;
            match op {
                Op::Receive | Op::PongBare | Op::PongUnknown if any_bytes => heard = now,
                Op::Blocked => blocked = blocked.or(Some(now)),
                Op::Send | Op::Withdrawn => blocked = None,
                _ => {}
            }
            if flushes {
                flushed.push(now);
                blocked = blocked.filter(|_| !surely);
            }
            let events = if asks { asking.drain(now) } else { Vec::new() };
            for event in events {
                prop_assert_eq!(dead, None, "an event after Dead");
                let KeepaliveEvent::Dead(verdict) = event else { continue };
                dead = Some(verdict);
                let since = match verdict.cause {
                    Cause::NoReply => {
                        prop_assert_eq!(verdict.unanswered, setup.max_unanswered);
                        prop_assert!(verdict.limit >= ms(setup.least_reply()));
                        *flushed.iter().find(|at| **at >= heard).expect("a ping on the wire")
                    }
                    Cause::Silent => {
                        prop_assert_eq!(verdict.limit, ms(setup.silence));
                        heard
                    }
                    _ => {
                        prop_assert_eq!(verdict.limit, ms(setup.write_stall));
                        blocked.expect("blocked")
                    }
                };
                prop_assert!(now - since >= verdict.limit);
            }
        }
    }

    /// Bytes only move the next deadline later, so a timer that is set may stay as it is. The
    /// exception is documented: an answer, where the reply timeout is longer than the interval or
    /// was extended by a pause.
    #[test]
    fn bytes_never_hurry(setup in setups(), script in script(op)) {
        prop_assume!(ms(setup.reply.1) <= setup.least_interval() && !setup.spread);
        let mut asking = Asking::new(&setup, origin());
        let mut now = origin();
        for Step { micros, op, asks } in script {
            now += Duration::from_micros(micros.unsigned_abs());
            if matches!(op, Op::Interval(_) | Op::Pause) {
                continue;
            }
            asking.apply(&op, now);
            if asks {
                asking.drain(now);
            }
            for act in [Keepalive::on_receive, Keepalive::on_send] {
                let before = asking.poll_timeout();
                let mut after = asking.keepalive.clone();
                act(&mut after, now);
                let no_sooner = match (before, after.poll_timeout()) {
                    (Some(before), Some(after)) => after >= before.min(now),
                    (None, Some(_)) => false,
                    (_, None) => true,
                };
                prop_assert!(no_sooner, "{:?} {:?}", before, after.poll_timeout());
            }
        }
    }
}

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).expect("short")
}

/// Gaps of up to `most` µs, in nanoseconds.
fn gaps(most: u64, count: usize) -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(1..most, 0..count)
        .prop_map(|gaps| gaps.into_iter().map(|gap| gap * MICRO).collect())
}

fn answer((kind, delay, back): (u8, u16, u8)) -> Answer {
    let delay = u64::from(delay) * MICRO;
    match kind % 8 {
        0..=3 => Answer::Numbered(delay),
        4 => Answer::Stale(delay, u64::from(back % 8)),
        5 => Answer::Unknown(delay),
        _ => Answer::Nothing,
    }
}

/// Anything that a peer, a link and an application can do while our own process runs.
fn worlds() -> impl Strategy<Value = Scenario> {
    let answers = prop::collection::vec(any::<(u8, u16, u8)>(), 0..6);
    (
        answers,
        any::<bool>(),
        gaps(60_000, 5),
        0..400_u64,
        gaps(60_000, 5),
    )
        .prop_map(|(answers, bare, chatter, cut, writes)| Scenario {
            answers: answers.into_iter().map(answer).collect(),
            bare,
            chatter,
            cut: Some(cut * MILLI),
            writes,
            end: 2_000 * MILLI,
            ..Scenario::default()
        })
}

fn last_proof(setup: &Setup, record: &Record) -> u64 {
    let proofs = match setup.proof {
        Proof::AnyBytes => &record.received,
        Proof::PongOnly => &record.answered,
    };
    proofs.last().copied().unwrap_or(0)
}

/// The longest gap in `times`, which begins at 0 and ends at `end`.
fn longest_gap(times: &[u64], end: u64) -> u64 {
    let ends = times.iter().copied().chain([end]);
    let starts = [0].into_iter().chain(times.iter().copied());
    ends.zip(starts)
        .map(|(end, start)| end - start)
        .max()
        .unwrap_or(0)
}

proptest! {
    #![proptest_config(runs(2_000))]

    /// Laws 7 and 8: whatever peer and application do, from the last proof of life to the verdict
    /// it takes no longer than the bound, and no less than the limit that ran out.
    #[test]
    fn law_8_dead_within_the_bound(setup in setups(), scenario in worlds()) {
        let record = run(setup.config(), &scenario);
        let proof = last_proof(&setup, &record);
        if let Some(bound) = setup.config().detection_bound().map(|bound| bound.quiet) {
            let bound = nanos(bound);
            let alive_until = record.dead.map_or(scenario.end, |(at, _)| at);
            prop_assert!(alive_until - proof <= bound, "{} after {proof}", alive_until - proof);
        }
        let Some((at, dead)) = record.dead else { return Ok(()) };
        let limit = nanos(dead.limit);
        match dead.cause {
            Cause::NoReply => {
                prop_assert_eq!(dead.unanswered, setup.max_unanswered);
                prop_assert!(limit >= setup.least_reply() * MILLI);
                let asked = |flushed: &u64| flushed + limit <= at && *flushed >= proof;
                prop_assert!(record.flushed.iter().any(asked), "no ping had its whole time");
            }
            Cause::Silent => {
                let exclusive = u64::from(setup.limit == liveness::keepalive::Boundary::Exclusive);
                prop_assert_eq!(at - proof, limit + exclusive);
            }
            _ => prop_assert!(false, "{dead}"),
        }
        let received = record.received.last().copied().unwrap_or(0);
        prop_assert_eq!(nanos(dead.silent_for), at - received);
    }

    /// No false alarm: a peer that answers each ping in time is never dead, and nor is one that is
    /// not asked and speaks before the silence limit.
    #[test]
    fn no_false_alarm(
        setup in setups(),
        delays in gaps(60_000, 6),
        flushes in gaps(500, 4),
        chatter in gaps(60_000, 4),
        writes in gaps(60_000, 4),
        bare in any::<bool>(),
    ) {
        // An answer is in time if it is there before the reply timeout is over.
        let in_time = |delay: &u64| delay % (setup.least_reply() * MILLI).max(1);
        let most = delays.iter().map(in_time).max().unwrap_or(0)
            + flushes.iter().max().copied().unwrap_or(0);
        let scenario = Scenario {
            answers: delays.iter().map(in_time).chain([0]).map(Answer::Numbered).collect(),
            bare,
            chatter: if setup.silence > 0 && !setup.checks_peer() {
                chatter.iter().chain([&MILLI]).map(|gap| gap % (setup.silence * MILLI)).collect()
            } else {
                chatter
            },
            flushes,
            writes,
            end: 800 * MILLI,
            ..Scenario::default()
        };
        if setup.checks_peer() && setup.silence > 0 {
            prop_assume!((setup.interval + 1) * MILLI + most < setup.silence * MILLI);
        }
        let record = run(setup.config(), &scenario);
        prop_assert_eq!(record.dead, None);
    }

    /// The same in its plainest form: while every gap in what is read is shorter than the reply
    /// timeout and the silence limit, there is no verdict, even if no ping is ever answered.
    #[test]
    fn any_bytes_are_life(setup in setups(), scenario in worlds()) {
        let limits = [setup.least_reply(), setup.silence];
        let shortest = limits.into_iter().filter(|limit| *limit > 0).min().unwrap_or(100);
        prop_assume!(setup.proof == Proof::AnyBytes);
        let scenario = Scenario {
            chatter: scenario.chatter.iter().chain([&1]).map(|gap| gap % (shortest * MILLI)).collect(),
            cut: None,
            answers: Vec::new(),
            end: 200 * MILLI,
            ..scenario
        };
        prop_assert_eq!(run(setup.config(), &scenario).dead, None);
    }

    /// The second half of law 9: who has promised to be heard sends something each interval,
    /// whatever is received or written, whether answers are awaited or reading is paused.
    #[test]
    fn the_promise_to_be_heard_is_kept(setup in setups(), scenario in worlds(), pauses in gaps(100_000, 4)) {
        prop_assume!(setup.is_heard());
        let pauses: Vec<_> = pauses.iter().map(|&at| (at * 3, at)).collect();
        let overlap = pauses.windows(2).any(|pair| pair[1].0 < pair[0].0 + pair[0].1);
        prop_assume!(!overlap);
        let scenario = Scenario { pauses, ..scenario };
        let record = run(setup.config(), &scenario);
        let end = record.dead.map_or(scenario.end, |(at, _)| at);
        let gap = longest_gap(&record.sent, end);
        prop_assert!(gap <= setup.interval * MILLI, "{gap} ns without a byte sent");
    }

    /// No bursts. A ping follows another only after the whole reply timeout, or
    /// after a whole interval; never in a burst, whatever the stalls.
    #[test]
    fn pings_come_in_no_bursts(setup in setups(), scenario in worlds(), stalls in gaps(150_000, 3)) {
        // With several questions and a duty more frequent than they are, the two may meet.
        prop_assume!(!setup.is_heard() || ms(setup.reply.1) <= setup.least_interval());
        let mut at = 0;
        let stalls: Vec<_> = stalls
            .iter()
            .map(|&span| {
                at += 2 * span;
                (at, span)
            })
            .collect();
        let scenario = Scenario { stalls, cut: None, ..scenario };
        let record = run(setup.config(), &scenario);
        let interval = nanos(setup.least_interval());
        let floor = match setup.least_reply() {
            0 => interval,
            reply => interval.min(reply * MILLI),
        };
        for pair in record.issued.windows(2) {
            let gap = pair[1] - pair[0];
            prop_assert!(gap >= floor, "{gap} ns between two pings, floor {floor}");
        }
    }

    /// One question at a time: while an answer is awaited, a peer that is merely being checked is
    /// not asked again.
    #[test]
    fn one_question_at_a_time(setup in setups(), scenario in worlds()) {
        prop_assume!(!setup.is_heard() && setup.reply.1 > 0);
        let record = run(setup.config(), &scenario);
        let proofs = match setup.proof {
            Proof::AnyBytes => &record.received,
            Proof::PongOnly => &record.answered,
        };
        for pair in record.issued.windows(2) {
            let answered = proofs.iter().any(|proof| (pair[0]..=pair[1]).contains(proof));
            let overdue = pair[1] - pair[0] >= setup.least_reply() * MILLI;
            prop_assert!(answered || overdue, "asked again after {}", pair[1] - pair[0]);
        }
    }

    /// Our own pause is not the peer's death: a host that was stopped blames itself first. The peer
    /// answers each ping and was never away; our process was, for any time, and then reads before
    /// it judges.
    #[test]
    fn an_own_stall_is_not_the_death_of_the_peer(
        setup in setups(),
        stalls in gaps(250_000, 4),
        writes in gaps(60_000, 4),
        bare in any::<bool>(),
    ) {
        prop_assume!(setup.forgive && setup.reply.1 != 0);
        prop_assume!(setup.silence == 0 || setup.checks_peer());
        let mut at = 0;
        let stalls: Vec<_> = stalls
            .iter()
            .map(|&span| {
                // In between there is time to hear from the peer.
                at += 120 * MILLI;
                let stall = (at, span);
                at += span;
                stall
            })
            .collect();
        let scenario = Scenario {
            answers: vec![Answer::Numbered(MICRO)],
            bare,
            stalls,
            writes,
            end: 1_500 * MILLI,
            ..Scenario::default()
        };
        prop_assert_eq!(run(setup.config(), &scenario).dead, None);
    }

    /// Law 11: forgiveness is bounded. A peer that is really dead is found however often our side
    /// stalls.
    #[test]
    fn law_11_forgiveness_ends(setup in setups(), stalls in gaps(200_000, 8)) {
        let Some(bound) = setup.config().detection_bound().map(|bound| bound.quiet) else { return Ok(()) };
        let mut at = 0;
        let stalls: Vec<_> = stalls
            .iter()
            .map(|&span| {
                at += span / 7 + MICRO;
                let stall = (at, span);
                at += span;
                stall
            })
            .collect();
        let away: u64 = stalls.iter().map(|(_, span)| span).sum();
        let scenario = Scenario { cut: Some(0), stalls, end: 10_000 * MILLI, ..Scenario::default() };
        let record = run(setup.config(), &scenario);
        let (at, _) = record.dead.expect("found");
        // One clean window of grace, and what our side was away.
        prop_assert!(at <= 2 * nanos(bound) + away, "{at}");
    }

    /// Law 9: own writes never postpone the verdict about a silent peer.
    #[test]
    fn law_9_writes_prove_nothing(setup in setups(), writes in gaps(60_000, 6)) {
        prop_assume!(setup.when != PingWhen::SendIdle);
        let silent = Scenario { cut: Some(0), end: 2_000 * MILLI, ..Scenario::default() };
        let writing = Scenario { writes, ..silent.clone() };
        let at = |scenario| run(setup.config(), scenario).dead.map(|(at, dead)| (at, dead.cause));
        prop_assert_eq!(at(&silent), at(&writing));
    }

    /// A peer that is silent from the start is dead exactly at the bound, if nothing shortens the
    /// first interval: the bound is not only met but sharp.
    #[test]
    fn the_bound_is_sharp(setup in setups()) {
        prop_assume!(setup.jitter == 0 && !setup.spread);
        let scenario = Scenario { end: 2_000 * MILLI, ..Scenario::default() };
        let dead_at = run(setup.config(), &scenario).dead.map(|(at, _)| at);
        // Here nothing is written, so even `SendIdle` pings and gets no reply; it promises nothing.
        prop_assume!(setup.when != PingWhen::SendIdle);
        prop_assert_eq!(dead_at, setup.config().detection_bound().map(|bound| bound.quiet).map(nanos));
    }
}
