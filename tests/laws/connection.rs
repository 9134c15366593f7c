//! A connection in simulated time: our side with its `Keepalive` and a caller who is on time unless
//! told otherwise, a peer that answers, chatters, lies or falls silent, and a link that can be slow
//! to take a ping.
//!
//! Written against the documentation only: it knows nothing of how `Keepalive` works, and keeps a
//! record of its own that the laws are stated on. Times are nanoseconds from the start.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use liveness::keepalive::Pong;
use liveness::{Answers, Dead, Keepalive, KeepaliveConfig, KeepaliveEvent, Seq};

use crate::origin;

/// What a peer makes of a ping.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// The right number, after a while.
    Numbered(u64),
    /// The number of a ping so many before.
    Stale(u64, u64),
    /// A number that was never asked.
    Unknown(u64),
    Nothing,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Scenario {
    /// What the peer does with each ping, in turn.
    pub(crate) answers: Vec<Answer>,
    /// The protocol has no numbers in its pongs.
    pub(crate) bare: bool,
    /// The gaps between what the peer sends of its own, in turn; empty for nothing.
    pub(crate) chatter: Vec<u64>,
    /// From here on nothing arrives.
    pub(crate) cut: Option<u64>,
    /// The gaps between the application's writes, in turn; empty for none.
    pub(crate) writes: Vec<u64>,
    /// How long each ping waits for its flush, in turn; empty for not at all.
    pub(crate) flushes: Vec<u64>,
    /// When our process is stopped, and for how long.
    pub(crate) stalls: Vec<(u64, u64)>,
    /// When nobody reads, and for how long.
    pub(crate) pauses: Vec<(u64, u64)>,
    pub(crate) end: u64,
}

/// What happened.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) issued: Vec<u64>,
    pub(crate) flushed: Vec<u64>,
    /// When bytes of the peer were read.
    pub(crate) received: Vec<u64>,
    /// When a pong was read that answered a ping of ours for the first time.
    pub(crate) answered: Vec<u64>,
    /// When anything of ours left, a ping or data.
    pub(crate) sent: Vec<u64>,
    pub(crate) dead: Option<(u64, Dead)>,
}

#[derive(Debug, Clone, Copy)]
enum Happening {
    Data,
    Pong(Answers),
    Write,
    Flush(Seq),
    Pause,
    Resume,
}

struct Connection<'a> {
    scenario: &'a Scenario,
    keepalive: Keepalive,
    /// Ordered by time, then by arrival.
    future: BTreeMap<(u64, u64), Happening>,
    count: u64,
    now: u64,
    unread: Vec<Happening>,
    paused: bool,
    newest_answered: Option<u64>,
    record: Record,
}

/// Runs `config` in `scenario`.
pub(crate) fn run(config: KeepaliveConfig, scenario: &Scenario) -> Record {
    let keepalive = Keepalive::new(config, 0, origin()).expect("an accepted configuration");
    let mut connection = Connection {
        scenario,
        keepalive,
        future: BTreeMap::new(),
        count: 0,
        now: 0,
        unread: Vec::new(),
        paused: false,
        newest_answered: None,
        record: Record::default(),
    };
    connection.prepare();
    while connection.step() {}
    connection.record
}

fn instant(nanos: u64) -> Instant {
    origin() + Duration::from_nanos(nanos)
}

fn turn<T: Copy>(of: &[T], nth: usize) -> Option<T> {
    of.get(nth.checked_rem(of.len())?).copied()
}

/// Nothing that happens of itself happens more often than this.
const LEAST_GAP: u64 = 100_000;

impl Connection<'_> {
    fn prepare(&mut self) {
        for (gaps, happening) in [
            (&self.scenario.chatter, Happening::Data),
            (&self.scenario.writes, Happening::Write),
        ] {
            let (mut at, mut nth) = (0, 0);
            while let Some(gap) = turn(gaps, nth) {
                at += gap.max(LEAST_GAP);
                nth += 1;
                if at > self.scenario.end {
                    break;
                }
                self.count += 1;
                self.future.insert((at, self.count), happening);
            }
        }
        for &(from, span) in &self.scenario.pauses {
            self.plan(from, Happening::Pause);
            self.plan(from + span, Happening::Resume);
        }
    }

    fn plan(&mut self, at: u64, happening: Happening) {
        self.count += 1;
        self.future.insert((at, self.count), happening);
    }

    /// When our process gets to see something that happens at `at`.
    fn awake(&self, at: u64) -> u64 {
        let stalls = self.scenario.stalls.iter();
        stalls.fold(at, |at, &(from, span)| {
            if at >= from && at < from + span {
                from + span
            } else {
                at
            }
        })
    }

    fn due(&self) -> Option<u64> {
        let due = self.keepalive.poll_timeout()?;
        u64::try_from(due.saturating_duration_since(origin()).as_nanos()).ok()
    }

    fn step(&mut self) -> bool {
        assert!(self.record.issued.len() < 50_000, "a ping storm");
        let happens = self
            .future
            .keys()
            .next()
            .map(|&(at, _)| (self.awake(at).max(self.now), false));
        // An answer may bring a ping that should have left before it.
        let due = self.due().map(|at| (self.awake(at.max(self.now)), true));
        // What can be read is read before anybody judges.
        let next = match (happens, due) {
            (Some(happens), Some(due)) if happens.0 <= due.0 => Some(happens),
            (happens, None) => happens,
            (_, due) => due,
        };
        let Some((now, is_timer)) = next.filter(|&(now, _)| now <= self.scenario.end) else {
            return false;
        };
        self.now = now;
        if is_timer {
            self.expire(now)
        } else {
            let (_, happening) = self.future.pop_first().expect("seen above");
            self.happen(happening, now);
            true
        }
    }

    fn expire(&mut self, now: u64) -> bool {
        while let Some(event) = self.keepalive.handle_timeout(instant(now)) {
            match event {
                KeepaliveEvent::Ping(seq) => {
                    let delay = turn(&self.scenario.flushes, self.record.issued.len());
                    self.record.issued.push(now);
                    match delay {
                        Some(delay) if delay > 0 => self.plan(now + delay, Happening::Flush(seq)),
                        _ => self.flush(seq, now),
                    }
                }
                KeepaliveEvent::Look => panic!("nobody said that input is unread"),
                KeepaliveEvent::Dead(dead) => {
                    self.record.dead = Some((now, dead));
                    assert_eq!(self.keepalive.poll_timeout(), None);
                    assert_eq!(self.keepalive.dead(), Some(dead));
                    let later = instant(now) + Duration::from_secs(86_400);
                    assert_eq!(self.keepalive.handle_timeout(later), None);
                    return false;
                }
            }
        }
        true
    }

    fn happen(&mut self, happening: Happening, now: u64) {
        match happening {
            Happening::Data | Happening::Pong(_)
                if self.scenario.cut.is_some_and(|cut| now >= cut) => {}
            Happening::Data | Happening::Pong(_) if self.paused => self.unread.push(happening),
            Happening::Data => {
                self.record.received.push(now);
                self.keepalive.on_receive(instant(now));
            }
            Happening::Pong(answers) => {
                self.record.received.push(now);
                let pong = self.keepalive.on_pong(answers, instant(now));
                self.check_pong(answers, pong, now);
            }
            Happening::Write => {
                self.record.sent.push(now);
                self.keepalive.on_send(instant(now));
            }
            Happening::Flush(seq) => self.flush(seq, now),
            Happening::Pause => {
                self.paused = true;
                self.keepalive.pause(instant(now));
            }
            Happening::Resume => {
                self.paused = false;
                self.keepalive.resume(instant(now));
                for happening in std::mem::take(&mut self.unread) {
                    self.happen(happening, now);
                }
            }
        }
    }

    fn check_pong(&mut self, answers: Answers, pong: Pong, now: u64) {
        let known = |seq: Seq| seq.value() < self.record.issued.len() as u64;
        let new = |seq: Seq| {
            self.newest_answered
                .is_none_or(|newest| seq.value() > newest)
        };
        match answers {
            Answers::Ping(seq) if !known(seq) => assert_eq!(pong, Pong::Unsolicited),
            Answers::Ping(seq) if !new(seq) => assert_eq!(pong, Pong::Stale),
            Answers::Ping(seq) => {
                assert!(pong != Pong::Unsolicited);
                self.newest_answered = Some(seq.value());
                self.record.answered.push(now);
            }
            Answers::Oldest if pong != Pong::Unsolicited => {
                self.record.answered.push(now);
            }
            Answers::Oldest => {}
            Answers::Nothing => assert_eq!(pong, Pong::Unsolicited),
        }
    }

    fn flush(&mut self, seq: Seq, now: u64) {
        self.record.flushed.push(now);
        self.record.sent.push(now);
        self.keepalive.on_ping_sent(seq, instant(now));
        let nth = seq.value() as usize;
        let (delay, answers) = match turn(&self.scenario.answers, nth) {
            Some(Answer::Numbered(delay)) => (delay, Some(seq)),
            Some(Answer::Stale(delay, back)) => match seq.value().checked_sub(back) {
                Some(older) => (delay, Some(Seq::new(older))),
                None => return,
            },
            Some(Answer::Unknown(delay)) => (delay, Some(Seq::new(seq.value() + 1_000_000))),
            Some(Answer::Nothing) | None => return,
        };
        let answers = answers.filter(|_| !self.scenario.bare);
        let answers = answers.map_or(Answers::Oldest, Answers::Ping);
        self.plan(now + delay, Happening::Pong(answers));
    }
}
