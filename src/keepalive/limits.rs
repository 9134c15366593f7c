//! [`Limits`]: a configuration in the form in which it is counted, half its size.

use std::time::Duration;

use super::{Boundary, KeepaliveConfig, PingWhen, Proof, ReplyTimeout, StallWhen};
use crate::jitter::Jitter;
use crate::rtt::Rtt;
use crate::time::{SHORTEST, nanos};

/// Every duration in nanoseconds, where zero is off and `u64::MAX` for ever.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    interval: u64,
    reply_floor: u64,
    reply_cap: u64,
    upload_wait: u64,
    silence: u64,
    write_stall: u64,
    pause: u64,
    pub(super) max_unanswered: u32,
    jitter_percent: u8,
    pub(super) ping_when: PingWhen,
    choices: u8,
}

// The choices of which there are two, a bit each.
const SPREAD_FIRST: u8 = 1;
const ADAPTIVE: u8 = 1 << 1;
const PONG_ONLY: u8 = 1 << 2;
const EXCLUSIVE: u8 = 1 << 3;
const UNPROVEN: u8 = 1 << 4;
const FORGIVES: u8 = 1 << 5;

/// A limit that is on.
const fn on(limit: u64) -> Option<u64> {
    if limit == 0 { None } else { Some(limit) }
}

const fn span(nanos: u64) -> Duration {
    if nanos == u64::MAX {
        Duration::MAX
    } else {
        Duration::from_nanos(nanos)
    }
}

impl Limits {
    pub(super) fn new(config: &KeepaliveConfig) -> Self {
        let (floor, cap, adaptive) = match config.reply_timeout {
            ReplyTimeout::Fixed(fixed) => (fixed, fixed, false),
            ReplyTimeout::Adaptive { floor, cap } => (floor, cap, true),
        };
        let choices = [
            (SPREAD_FIRST, config.jitter.spread_first),
            (ADAPTIVE, adaptive),
            (PONG_ONLY, config.proof == Proof::PongOnly),
            (EXCLUSIVE, config.silence_boundary == Boundary::Exclusive),
            (UNPROVEN, config.stall_when == StallWhen::Unproven),
            (FORGIVES, config.forgive_stall),
        ];
        let chosen = choices.into_iter().filter(|(_, chosen)| *chosen);
        Self {
            interval: nanos(config.interval),
            reply_floor: nanos(floor),
            reply_cap: nanos(cap),
            upload_wait: nanos(config.upload_wait),
            silence: nanos(config.silence),
            write_stall: nanos(config.write_stall),
            pause: nanos(config.pause_limit),
            max_unanswered: config.max_unanswered,
            jitter_percent: config.jitter.percent,
            ping_when: config.ping_when,
            choices: chosen.fold(0, |all, (bit, _)| all | bit),
        }
    }

    const fn has(&self, choice: u8) -> bool {
        self.choices & choice != 0
    }

    const fn jitter(&self) -> Jitter {
        Jitter::percent(self.jitter_percent).spread_first(self.has(SPREAD_FIRST))
    }

    pub(super) const fn proof(&self) -> Proof {
        match self.has(PONG_ONLY) {
            true => Proof::PongOnly,
            false => Proof::AnyBytes,
        }
    }

    pub(super) const fn stall_when(&self) -> StallWhen {
        match self.has(UNPROVEN) {
            true => StallWhen::Unproven,
            false => StallWhen::Always,
        }
    }

    const fn boundary(&self) -> Boundary {
        match self.has(EXCLUSIVE) {
            true => Boundary::Exclusive,
            false => Boundary::Inclusive,
        }
    }

    /// Whether a pause of our own is forgiven.
    pub(super) const fn forgives(&self) -> bool {
        self.has(FORGIVES)
    }

    /// The configuration that this was made from; a duration beyond 584 years is
    /// [`Duration::MAX`].
    pub(super) const fn config(&self) -> KeepaliveConfig {
        let (floor, cap) = (span(self.reply_floor), span(self.reply_cap));
        KeepaliveConfig {
            interval: span(self.interval),
            ping_when: self.ping_when,
            jitter: self.jitter(),
            proof: self.proof(),
            reply_timeout: match self.has(ADAPTIVE) {
                true => ReplyTimeout::Adaptive { floor, cap },
                false => ReplyTimeout::Fixed(cap),
            },
            max_unanswered: self.max_unanswered,
            upload_wait: span(self.upload_wait),
            silence: span(self.silence),
            silence_boundary: self.boundary(),
            write_stall: span(self.write_stall),
            stall_when: self.stall_when(),
            pause_limit: span(self.pause),
            forgive_stall: self.forgives(),
        }
    }

    /// When to ping, if at all.
    pub(super) const fn pings(&self) -> Option<PingWhen> {
        if self.interval == 0 || matches!(self.ping_when, PingWhen::Never) {
            return None;
        }
        Some(self.ping_when)
    }

    /// Whether the peer is asked when nothing proved life for an interval.
    pub(super) const fn checks_peer(&self) -> bool {
        self.interval != 0 && self.ping_when.checks_peer()
    }

    /// The interval before the ping `nth` of the connection with this seed.
    pub(super) fn interval_before(&self, seed: u64, nth: u64) -> u64 {
        if self.jitter().share(nth) == 0 {
            return self.interval;
        }
        let whole = Duration::from_nanos(self.interval);
        nanos(self.jitter().shorten(whole, seed, nth))
    }

    /// The time for the answer to the next ping; `None` for pings that nobody answers.
    pub(super) fn reply(&self, rtt: &Rtt) -> Option<u64> {
        if !self.has(ADAPTIVE) || self.reply_cap == 0 {
            return on(self.reply_cap);
        }
        let floor = span(self.reply_floor).max(SHORTEST);
        on(nanos(rtt.reply_timeout(floor, span(self.reply_cap))))
    }

    pub(super) const fn upload_wait(&self) -> Option<u64> {
        on(self.upload_wait)
    }

    pub(super) const fn silence(&self) -> u64 {
        self.silence
    }

    /// The passive limit as the first instant at which it is exceeded.
    pub(super) const fn silence_deadline(&self) -> Option<u64> {
        match (self.silence, self.boundary()) {
            (0, _) => None,
            (limit, Boundary::Inclusive) => Some(limit),
            (limit, Boundary::Exclusive) => Some(limit.saturating_add(1)),
        }
    }

    pub(super) const fn write_stall(&self) -> Option<u64> {
        on(self.write_stall)
    }

    pub(super) const fn pause(&self) -> Option<u64> {
        on(self.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_comes_back_as_it_was() {
        let odd = KeepaliveConfig::off()
            .interval(Duration::MAX)
            .adaptive_reply_timeout(Duration::from_millis(1), Duration::from_nanos(7))
            .silence(Duration::new(3, 5))
            .jitter(Jitter::percent(3).spread_first(true))
            .stall_when(StallWhen::Unproven);
        for config in [KeepaliveConfig::new(), KeepaliveConfig::off(), odd] {
            assert_eq!(Limits::new(&config).config(), config);
        }
    }
}
