//! Any sequence of operations on a monitor, beside a map and a full scan.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use liveness::detector::{Announced, FixedTimeout, Nanos, PerPeer, Rule};

#[path = "../../tests/laws/monitor_model.rs"]
mod monitor_model;
use monitor_model::{Op, Pair};

#[allow(clippy::disallowed_methods, reason = "any instant will do")]
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Four bytes an operation.
fn op([kind, a, b, c]: [u8; 4]) -> Op {
    let wide = u16::from_le_bytes([a, b]);
    match kind % 16 {
        0 | 1 => Op::Insert,
        2 => Op::Crowd(a),
        3 => Op::InsertWith(wide),
        4..=7 => Op::Beat(wide, c),
        8 => Op::Remove(wide),
        9 | 10 => Op::Handle(c % 8, wide),
        11..=13 => Op::Wait(u16::from(a)),
        14 => Op::ToDeadline,
        _ => Op::Back(u16::from(a)),
    }
}

fn play<R: Rule + Clone>(rule: R, forgive: bool, script: &[u8], state: &dyn Fn(u16) -> R::State) {
    let mut pair = Pair::new(rule, *BASE, forgive);
    // Crowds add up to 256 peers each: so many operations keep a run short.
    for bytes in script.chunks_exact(4).take(200) {
        pair.play(op([bytes[0], bytes[1], bytes[2], bytes[3]]), state);
    }
    pair.check();
}

fn fixed(timeout: u8, suspect: u8) -> FixedTimeout {
    FixedTimeout::new(millis(timeout)).suspect_after(millis(suspect))
}

fn millis(millis: u8) -> Duration {
    Duration::from_millis(millis.into())
}

fuzz_target!(|data: &[u8]| {
    let Some(([kind, a, b], script)) = data.split_first_chunk() else {
        return;
    };
    let forgive = kind & 0x80 == 0;
    match kind % 3 {
        0 => play(fixed(*a, *b), forgive, script, &|_| ()),
        1 => {
            let rule = Announced::new(u32::from(*a), millis(*b), millis(200));
            play(rule, forgive, script, &|_| rule.meet(Nanos::ZERO).0);
        }
        _ => play(PerPeer::new(fixed(*a, *b)), forgive, script, &|own| {
            let [a, b] = own.to_le_bytes();
            PerPeer::state(fixed(a, b), Nanos::ZERO)
        }),
    }
});
