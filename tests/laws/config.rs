//! Any configuration that `Keepalive::new` takes.

use std::time::Duration;

use liveness::keepalive::Boundary;
use liveness::{Jitter, Keepalive, KeepaliveConfig, PingWhen, Proof};
use proptest::prelude::*;

use crate::origin;

/// A configuration, in numbers that a law can use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) interval: u64,
    pub(crate) when: PingWhen,
    pub(crate) jitter: u8,
    pub(crate) spread: bool,
    pub(crate) proof: Proof,
    /// Floor and cap; equal when fixed.
    pub(crate) reply: (u64, u64),
    pub(crate) max_unanswered: u32,
    pub(crate) silence: u64,
    pub(crate) limit: Boundary,
    pub(crate) write_stall: u64,
    pub(crate) forgive: bool,
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Setup {
    pub(crate) fn config(&self) -> KeepaliveConfig {
        let config = KeepaliveConfig::new()
            .interval(ms(self.interval))
            .ping_when(self.when)
            .jitter(Jitter::percent(self.jitter).spread_first(self.spread))
            .proof(self.proof)
            .max_unanswered(self.max_unanswered)
            .silence(ms(self.silence))
            .silence_boundary(self.limit)
            .write_stall(ms(self.write_stall))
            .forgive_stall(self.forgive);
        let (floor, cap) = self.reply;
        if floor == cap {
            config.reply_timeout(ms(cap))
        } else {
            config.adaptive_reply_timeout(ms(floor), ms(cap))
        }
    }

    pub(crate) fn pings(&self) -> bool {
        self.interval > 0 && self.when != PingWhen::Never
    }

    pub(crate) fn checks_peer(&self) -> bool {
        self.pings() && self.when != PingWhen::SendIdle
    }

    /// Whether this side has promised to send something each interval.
    pub(crate) fn is_heard(&self) -> bool {
        self.pings()
            && matches!(
                self.when,
                PingWhen::SendIdle | PingWhen::EitherIdle | PingWhen::Always
            )
    }

    /// The least time for an answer.
    pub(crate) fn least_reply(&self) -> u64 {
        self.reply.0.max(1).min(self.reply.1)
    }

    /// The least time between two pings that nobody asked for out of turn.
    pub(crate) fn least_interval(&self) -> Duration {
        ms(self.interval) * u32::from(100 - self.jitter) / 100
    }
}

fn setup(raw: ([u16; 5], [u8; 6])) -> Setup {
    let ([interval, reply, floor, silence, stall], [when, jitter, proof, max, limit, forgive]) =
        raw;
    let [interval, silence, stall] = [interval, silence, stall].map(u64::from);
    let [reply, floor] = [reply, floor].map(u64::from);
    let interval = if interval % 16 == 15 {
        0
    } else {
        1 + interval % 50
    };
    let cap = if reply % 8 == 7 { 0 } else { 1 + reply % 60 };
    let floor = if floor % 3 == 2 {
        floor % (cap + 1)
    } else {
        cap
    };
    Setup {
        interval,
        when: match when % 8 {
            0 | 1 => PingWhen::RecvIdle,
            2 | 3 => PingWhen::EitherIdle,
            4 | 5 => PingWhen::Always,
            6 => PingWhen::SendIdle,
            _ => PingWhen::Never,
        },
        jitter: if jitter % 2 == 0 { 0 } else { jitter % 91 },
        spread: jitter % 8 == 7,
        proof: if proof % 2 == 0 {
            Proof::AnyBytes
        } else {
            Proof::PongOnly
        },
        reply: (floor, cap),
        max_unanswered: 1 + u32::from(max % 4),
        silence: match silence % 4 {
            0 | 1 => 0,
            2 => interval + cap + 1 + silence % 60,
            _ => 1 + silence % 200,
        },
        limit: if limit % 2 == 0 {
            Boundary::Inclusive
        } else {
            Boundary::Exclusive
        },
        write_stall: if stall % 2 == 0 { 0 } else { 1 + stall % 100 },
        forgive: forgive % 4 != 3,
    }
}

/// Every configuration that is accepted.
pub(crate) fn setups() -> impl Strategy<Value = Setup> {
    any::<([u16; 5], [u8; 6])>().prop_filter_map("refused", |raw| {
        let setup = setup(raw);
        Keepalive::new(setup.config(), 0, origin())
            .ok()
            .map(|_| setup)
    })
}
