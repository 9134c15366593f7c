//! When a ping is out: laws 2 to 5 with the facts about what stands before it, and laws 7 and 8 by
//! a model that is written from the documentation of `Keepalive` alone.

use std::time::{Duration, Instant};

use liveness::{Cause, KeepaliveConfig, KeepaliveEvent, Proof, Seq};
use proptest::prelude::*;

use crate::config::{Setup, ms, setups};
use crate::keepalive::{self, Asking};
use crate::machine::{self, Machine, Step, script};
use crate::{origin, runs};

/// What the send buffer holds in these scripts.
const BUFFER: u64 = 1_000;
/// A send queue of more bytes counts as a full transport.
const DEEP: u64 = 128 * 1024;

#[derive(Debug, Clone, Copy)]
enum Op {
    /// The last ping is taken, or one that is not the last.
    Taken,
    TakenOther(u64),
    Bytes(u64),
    Queue(u64),
    Other(keepalive::Op),
}

fn op(number: u16) -> Op {
    let rest = u64::from(number / 16);
    match number % 16 {
        0..=2 => Op::Taken,
        3 => Op::TakenOther(rest % 5),
        4..=6 => Op::Bytes(rest % 700),
        7 => Op::Queue(0),
        8 => Op::Queue(rest % 2_000),
        9 => Op::Queue(DEEP + rest),
        10 => Op::Other(keepalive::Op::Blocked),
        11 => Op::Other(keepalive::Op::Flushed),
        _ => match keepalive::op(number / 16) {
            // Changes of a running connection have scripts of their own.
            keepalive::Op::Interval(_) => Op::Other(keepalive::Op::Nothing),
            op => Op::Other(op),
        },
    }
}

/// A configuration with a wait for uploads in the range of its other limits, or with none.
fn configs() -> impl Strategy<Value = (Setup, KeepaliveConfig)> {
    (setups(), 0..80_u64).prop_map(|(setup, wait)| {
        let wait = if wait > 10 { wait } else { 0 };
        (setup, setup.config().upload_wait(ms(wait)))
    })
}

#[derive(Clone)]
struct Sending(Asking);

impl Sending {
    fn new(config: KeepaliveConfig, now: Instant) -> Self {
        let mut asking = Asking::with(config, now);
        asking.keepalive.set_send_buffer(BUFFER);
        Self(asking)
    }
}

impl Machine for Sending {
    type Op = Op;
    type Event = KeepaliveEvent;

    fn apply(&mut self, op: &Op, now: Instant) {
        let asking = &mut self.0;
        match *op {
            Op::Other(op) => return asking.apply(&op, now),
            // Tells the time as well.
            _ => asking.apply(&keepalive::Op::Nothing, now),
        }
        match *op {
            Op::Taken => asking.take(now),
            Op::TakenOther(by) => {
                let other = asking.last.map_or(by, |seq| seq.value() + 1 + by);
                asking.keepalive.on_ping_taken(Seq::new(other), now);
            }
            Op::Bytes(count) => asking.keepalive.on_bytes_sent(count, now),
            Op::Queue(bytes) => asking.keepalive.on_send_queue(bytes, now),
            Op::Other(_) => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) -> Option<KeepaliveEvent> {
        self.0.handle_timeout(now)
    }

    fn may_be_quiet(&self, late: bool) -> bool {
        self.0.may_be_quiet(late)
    }
}

/// A ping, as the model sees it.
#[derive(Debug, Clone, Copy)]
struct Ping {
    /// When it was sent, for what its answer shows: handed out, then taken, then flushed.
    sent: Instant,
    taken: Option<Instant>,
    /// The bytes that were taken after it.
    after: u64,
    flushed: bool,
    /// A flush has shown that it is out, and the transport was not full since.
    shown: Option<Instant>,
    /// Bytes after it or the kernel have shown it.
    sure: Option<Instant>,
}

/// What is known of the pings and of the transport.
#[derive(Debug)]
struct Model {
    wait: Option<Duration>,
    pings: Vec<Ping>,
    /// All pings before this one are answered.
    answered: usize,
    /// When the transport was last full, unless something shows that it is not any more.
    full: Option<Instant>,
}

impl Model {
    fn new(config: &KeepaliveConfig) -> Self {
        Self {
            wait: Some(config.upload_wait).filter(|wait| !wait.is_zero()),
            pings: Vec::new(),
            answered: 0,
            full: None,
        }
    }

    fn on_issued(&mut self, now: Instant) {
        self.pings.push(Ping {
            sent: now,
            taken: None,
            after: 0,
            flushed: false,
            shown: None,
            sure: None,
        });
    }

    fn on_taken(&mut self, now: Instant) {
        if let Some(last) = self.pings.last_mut().filter(|last| last.taken.is_none()) {
            (last.taken, last.sent) = (Some(now), now);
        }
    }

    fn on_flushed(&mut self, now: Instant) {
        self.on_taken(now);
        let Some(last) = self.pings.len().checked_sub(1) else {
            return;
        };
        if last >= self.answered {
            self.pings[last].sent = now;
        }
        let full = self.full;
        let long_ago = |full| self.wait.is_some_and(|wait| full + wait <= now);
        let clear = full.is_none_or(long_ago);
        for ping in self.pings.iter_mut().filter(|ping| !ping.flushed) {
            ping.flushed = true;
            ping.shown = clear.then_some(now);
        }
    }

    fn on_full(&mut self, now: Instant) {
        self.full = Some(now);
        for ping in &mut self.pings {
            ping.shown = None;
        }
    }

    fn taken(&mut self) -> impl Iterator<Item = &mut Ping> {
        self.pings.iter_mut().filter(|ping| ping.taken.is_some())
    }

    fn on_bytes(&mut self, count: u64, now: Instant) {
        for ping in self.taken() {
            ping.after += count;
            if ping.after >= BUFFER && count > 0 {
                ping.sure = ping.sure.or(ping.shown).or(Some(now));
            }
        }
    }

    fn on_queue(&mut self, bytes: u64, now: Instant) {
        for ping in self.taken().filter(|ping| bytes <= ping.after) {
            ping.sure = ping.sure.or(ping.shown).or(Some(now));
        }
        match bytes {
            0 => self.full = None,
            _ if bytes > DEEP => self.on_full(now),
            _ => {}
        }
    }

    /// A pong came for the ping `nth`, or for all that are open.
    fn on_pong(&mut self, nth: Option<usize>, now: Instant) {
        let next = self.pings.len();
        let nth = match nth {
            Some(nth) if (self.answered..next).contains(&nth) => nth,
            None if self.answered < next => next - 1,
            _ => return,
        };
        // Which one a pong without a number answers is known if one is open; the time of any but
        // the last three is forgotten.
        let timed = nth + 3 >= next;
        if timed && self.full.is_some_and(|full| self.pings[nth].sent >= full) {
            self.full = None;
        }
        self.answered = nth + 1;
        if self.answered == next {
            self.on_taken(now);
        }
    }

    /// When the first ping was out that was taken after `heard`.
    fn out_since(&self, heard: Instant) -> Option<Instant> {
        let out = |ping: &Ping| {
            let taken = ping.taken.filter(|taken| *taken > heard)?;
            let shown = ping.shown.or(ping.sure);
            // A flush that came too early to show it leaves the time since the transport was full.
            let full = self.full.filter(|_| ping.flushed && shown.is_none());
            let since = full.map_or(taken, |full| full.min(taken));
            let waited = self.wait.map(|wait| since + wait);
            [shown, waited].into_iter().flatten().min()
        };
        self.pings.iter().filter_map(out).min()
    }
}

proptest! {
    #![proptest_config(runs(4_000))]

    #[test]
    fn law_2_prompt((_, config) in configs(), script in script(op)) {
        machine::prompt(Sending::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_3_progress((_, config) in configs(), script in script(op)) {
        machine::progress(Sending::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_4_spurious_calls((_, config) in configs(), script in script(op)) {
        machine::spurious(Sending::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_5_time_never_runs_back((_, config) in configs(), script in script(op)) {
        machine::monotone(Sending::new(config, origin()), origin(), &script)?;
    }

    #[test]
    fn law_5_shifted((_, config) in configs(), script in script(op)) {
        machine::shifted(|now| Sending::new(config, now), origin(), &script)?;
    }

    /// Law 7: no `NoReply` unless a ping was out, by the model, for the whole reply timeout.
    #[test]
    fn law_7_a_ping_was_out((setup, config) in configs(), script in script(op)) {
        use keepalive::Op as Usual;
        let mut sending = Sending::new(config, origin());
        let mut model = Model::new(&config);
        let (mut now, mut heard) = (origin(), None);
        let any_bytes = setup.proof == Proof::AnyBytes;
        for Step { micros, op, asks } in script {
            now += Duration::from_micros(micros.unsigned_abs());
            sending.apply(&op, now);
            let last = model.pings.len().checked_sub(1);
            match op {
                Op::Taken => model.on_taken(now),
                Op::TakenOther(_) => {}
                Op::Bytes(count) => model.on_bytes(count, now),
                Op::Queue(bytes) => model.on_queue(bytes, now),
                Op::Other(Usual::Blocked) => model.on_full(now),
                Op::Other(Usual::Flushed) => model.on_flushed(now),
                Op::Other(Usual::PongBare) => model.on_pong(None, now),
                Op::Other(Usual::Pong(back)) => {
                    let nth = last.and_then(|last| last.checked_sub(back as usize));
                    if nth.is_some() {
                        model.on_pong(nth, now);
                    }
                }
                Op::Other(_) => {}
            }
            let received = matches!(op, Op::Other(Usual::Receive | Usual::PongBare | Usual::PongUnknown));
            if received && any_bytes {
                heard = Some(now);
            }
            let events = if asks { sending.drain(now) } else { Vec::new() };
            for event in events {
                match event {
                    KeepaliveEvent::Ping(_) => model.on_issued(now),
                    KeepaliveEvent::Dead(dead) if dead.cause == Cause::NoReply => {
                        let since = model.out_since(heard.unwrap_or(origin() - ms(1)));
                        let since = since.expect("a ping that was out");
                        prop_assert!(now - since >= dead.limit, "{:?}", now - since);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Law 8: whatever bytes are taken, refused or queued, a peer that shows no life is dead within
    /// the bound for uploads, by a caller who is on time.
    #[test]
    fn law_8_uploading((_, config) in configs(), uploads in uploads()) {
        let Some(bound) = config.detection_bound().and_then(|bound| bound.uploading) else {
            return Ok(());
        };
        let mut sending = Sending::new(config, origin());
        let end = origin() + bound;
        let mut now = origin();
        let mut dead = None;
        for (gap, op) in uploads.iter().cycle() {
            let happens = now + *gap;
            while let Some(due) = sending.poll_timeout().filter(|due| *due <= happens.min(end)) {
                now = due.max(now);
                for event in sending.drain(now) {
                    match event {
                        KeepaliveEvent::Ping(_) => sending.apply(&Op::Taken, now),
                        event => dead = Some(event),
                    }
                }
            }
            if dead.is_some() || happens > end {
                break;
            }
            now = happens;
            sending.apply(op, now);
        }
        prop_assert!(dead.is_some(), "alive after {bound:?}");
    }
}

/// What an upload does to the transport, and when: over and over.
fn uploads() -> impl Strategy<Value = Vec<(Duration, Op)>> {
    let raw = prop::collection::vec(any::<(u16, u16)>(), 1..12);
    raw.prop_map(|raw| {
        let step = |(gap, number): (u16, u16)| {
            let rest = u64::from(number / 8);
            let op = match number % 8 {
                0 | 1 => Op::Bytes(rest % 300),
                2 | 3 => Op::Other(keepalive::Op::Blocked),
                4 | 5 => Op::Other(keepalive::Op::Flushed),
                6 => Op::Queue(rest % 2_000),
                _ => Op::Queue(DEEP + rest),
            };
            (Duration::from_micros(100 + u64::from(gap % 20_000)), op)
        };
        raw.into_iter().map(step).collect()
    })
}
