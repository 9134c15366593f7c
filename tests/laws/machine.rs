//! The laws that every sans-I/O machine here obeys, whatever it watches.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use proptest::prelude::*;

/// Something that is told facts and the time.
pub(crate) trait Machine: Clone {
    type Op: Debug + Clone;
    type Event: Debug + Clone + PartialEq;

    fn apply(&mut self, op: &Self::Op, now: Instant);
    fn poll_timeout(&self) -> Option<Instant>;
    fn handle_timeout(&mut self, now: Instant) -> Option<Self::Event>;

    /// Whether a call at `poll_timeout`, or one that comes too late for it, may pass without an
    /// event.
    fn may_be_quiet(&self, _late: bool) -> bool {
        false
    }

    /// Whether a call that nobody asked for tells something: that the caller is there.
    fn minds_calls(&self) -> bool {
        false
    }

    /// Calls `handle_timeout` until it has nothing more to say.
    fn drain(&mut self, now: Instant) -> Vec<Self::Event> {
        let mut events = Vec::new();
        while let Some(event) = self.handle_timeout(now) {
            events.push(event);
            assert!(events.len() < 20, "does not come to an end: {events:?}");
        }
        events
    }
}

/// One step of a script: the time moves (perhaps back), a fact is reported, and perhaps somebody
/// asks.
#[derive(Debug, Clone)]
pub(crate) struct Step<Op> {
    pub(crate) micros: i64,
    pub(crate) op: Op,
    pub(crate) asks: bool,
}

/// Scripts whose clock mostly moves on, sometimes far, sometimes not, and sometimes back. Built
/// from bare numbers, which proptest makes and shrinks quickly.
pub(crate) fn script<Op: Debug + Clone>(op: fn(u16) -> Op) -> impl Strategy<Value = Vec<Step<Op>>> {
    let raw = prop::collection::vec(any::<(u16, u16, bool)>(), 1..50);
    raw.prop_map(move |raw| {
        let step = |(time, number, asks)| Step {
            micros: micros(time),
            op: op(number),
            asks,
        };
        raw.into_iter().map(step).collect()
    })
}

fn micros(time: u16) -> i64 {
    let (class, rest) = (time % 16, i64::from(time / 16));
    match class {
        0..=1 => 0,
        2..=4 => rest % 200,
        5..=13 => rest * 5,
        14 => rest * 50,
        _ => -(rest * 7),
    }
}

/// What a machine said, with every instant as an offset from the start.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said<Event> {
    events: Vec<Event>,
    due_micros: Option<i128>,
}

fn at(origin: Instant, micros: i64) -> Instant {
    let span = Duration::from_micros(micros.unsigned_abs());
    if micros < 0 {
        origin.checked_sub(span).unwrap()
    } else {
        origin + span
    }
}

/// The nanoseconds from `origin` to `at`.
fn offset(origin: Instant, at: Instant) -> i128 {
    at.checked_duration_since(origin).map_or_else(
        || -(origin.duration_since(at).as_nanos() as i128),
        |span| span.as_nanos() as i128,
    )
}

/// Plays a script; `see` maps the script's clock to the one that the machine is shown.
fn play<M: Machine>(
    mut machine: M,
    origin: Instant,
    script: &[Step<M::Op>],
    mut see: impl FnMut(i64) -> i64,
    mut disturb: impl FnMut(&mut M, Instant),
) -> Vec<Said<M::Event>> {
    let mut micros = 0;
    let mut said = Vec::new();
    for step in script {
        micros += step.micros;
        let now = at(origin, see(micros));
        disturb(&mut machine, now);
        machine.apply(&step.op, now);
        let events = if step.asks {
            machine.drain(now)
        } else {
            Vec::new()
        };
        let due_micros = machine.poll_timeout().map(|due| offset(origin, due));
        said.push(Said { events, due_micros });
    }
    said
}

/// Law 2: a call at `poll_timeout`, with nothing in between, yields an event; one just before it
/// yields none and changes nothing.
pub(crate) fn prompt<M: Machine>(
    mut machine: M,
    origin: Instant,
    script: &[Step<M::Op>],
) -> Result<(), TestCaseError> {
    let (mut micros, mut newest) = (0, origin);
    for step in script {
        micros += step.micros;
        let now = at(origin, micros);
        newest = newest.max(now);
        machine.apply(&step.op, now);
        if step.asks {
            machine.drain(now);
        }
        let mut probe = machine.clone();
        let Some(due) = probe.poll_timeout() else {
            continue;
        };
        if due > newest {
            let before = due - Duration::from_nanos(1);
            prop_assert_eq!(probe.handle_timeout(before.max(newest)), None, "1 ns early");
            prop_assert_eq!(probe.poll_timeout(), Some(due), "moved by an early call");
        }
        let quiet = probe.may_be_quiet(due < newest);
        let event = probe.handle_timeout(due);
        prop_assert!(event.is_some() || quiet, "nothing at {:?}", due - origin);
    }
    Ok(())
}

/// Law 3: after `None`, `poll_timeout` is `None` or later than now.
pub(crate) fn progress<M: Machine>(
    mut machine: M,
    origin: Instant,
    script: &[Step<M::Op>],
) -> Result<(), TestCaseError> {
    let (mut micros, mut newest) = (0, origin);
    for step in script {
        micros += step.micros;
        let now = at(origin, micros);
        newest = newest.max(now);
        machine.apply(&step.op, now);
        machine.drain(now);
        if let Some(due) = machine.poll_timeout() {
            prop_assert!(due > newest, "due in the past after None");
        }
    }
    Ok(())
}

/// Law 4: calls that nobody asked for change nothing, at the current time or at an older one, when
/// nothing is due.
pub(crate) fn spurious<M: Machine>(
    machine: M,
    origin: Instant,
    script: &[Step<M::Op>],
) -> Result<(), TestCaseError> {
    let plain = play(machine.clone(), origin, script, |micros| micros, |_, _| {});
    let mut newest = origin;
    let disturbed = play(
        machine,
        origin,
        script,
        |micros| micros,
        |machine, now| {
            newest = newest.max(now);
            for now in [newest, now, origin] {
                let due = machine.poll_timeout();
                if due.is_none_or(|due| due > newest) && !machine.minds_calls() {
                    assert_eq!(machine.handle_timeout(now), None);
                }
            }
        },
    );
    prop_assert_eq!(plain, disturbed);
    Ok(())
}

/// Law 5, first half: an older `now` counts as the newest seen.
pub(crate) fn monotone<M: Machine>(
    machine: M,
    origin: Instant,
    script: &[Step<M::Op>],
) -> Result<(), TestCaseError> {
    let back_and_forth = play(machine.clone(), origin, script, |micros| micros, |_, _| {});
    let mut newest = 0;
    let forth = |micros: i64| {
        newest = micros.max(newest);
        newest
    };
    let never_back = play(machine, origin, script, forth, |_, _| {});
    prop_assert_eq!(back_and_forth, never_back);
    Ok(())
}

/// Law 5, second half: shifting every instant by a constant shifts every output by it.
pub(crate) fn shifted<M: Machine>(
    make: impl Fn(Instant) -> M,
    origin: Instant,
    script: &[Step<M::Op>],
) -> Result<(), TestCaseError> {
    let there = origin + Duration::new(86_400 * 365, 123_456_789);
    let here = play(make(origin), origin, script, |micros| micros, |_, _| {});
    let shifted = play(make(there), there, script, |micros| micros, |_, _| {});
    prop_assert_eq!(here, shifted);
    Ok(())
}
