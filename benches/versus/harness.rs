//! How things are compared: interleaved, in many short turns.
//!
//! On a busy machine absolute numbers move by tens of percent within a second, so one variant after
//! the other tells nothing. Here every round gives each variant one short turn (A B C A B C ...),
//! the ratio is taken within the round, and the medians over all rounds are reported.
//!
//! Where things happen to lie in memory is worth ten percent for a whole run. So every variant is
//! set up anew now and then, somewhere else.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

/// Variants of one thing; the first is the one that the others are compared with.
pub(crate) struct Contest {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) variants: Vec<Variant>,
}

/// One way to do it.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) bar: Option<Bar>,
    set_up: Box<dyn Fn() -> Measure>,
}

/// What a variant has to reach.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    /// So much of the unit.
    Is(f64),
    /// So much of the unit on top of the baseline.
    Over(f64),
    /// So many times the baseline.
    Times(f64),
}

/// A variant that is set up.
enum Measure {
    /// Does the operation so many times; its value is the time of one.
    Time(Box<dyn FnMut(u64)>),
    /// Counts something that no other process can disturb.
    Count(Box<dyn FnMut() -> f64>),
}

/// How long to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// How often all is set up.
    places: usize,
    /// How many rounds there are in each place.
    rounds: usize,
    turn: Duration,
}

/// What came out for one variant.
pub(crate) struct Row {
    /// `contest/variant`.
    pub(crate) name: String,
    pub(crate) value: Spread,
    /// To the baseline, within each round.
    pub(crate) ratio: f64,
    /// Above the baseline, within each round.
    pub(crate) over: f64,
    pub(crate) bar: Option<Bar>,
}

/// The values of all rounds.
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Effort {
    pub(crate) const FULL: Self = Self {
        places: 21,
        rounds: 15,
        turn: Duration::from_millis(1),
    };
    /// Every row once, to see that it runs.
    pub(crate) const QUICK: Self = Self {
        places: 1,
        rounds: 3,
        turn: Duration::from_micros(200),
    };
}

impl Contest {
    pub(crate) const fn new(name: &'static str, title: &'static str, unit: &'static str) -> Self {
        Self {
            name,
            title,
            unit,
            variants: Vec::new(),
        }
    }

    /// A variant that is timed: `set_up` makes what does the operation the given number of times.
    pub(crate) fn timed<F: FnMut(u64) + 'static>(
        self,
        name: &'static str,
        set_up: impl Fn() -> F + 'static,
    ) -> Self {
        self.variant(name, move || Measure::Time(Box::new(set_up())))
    }

    /// A variant that is counted.
    pub(crate) fn counted(
        self,
        name: &'static str,
        count: impl Fn() -> f64 + Clone + 'static,
    ) -> Self {
        self.variant(name, move || Measure::Count(Box::new(count.clone())))
    }

    /// What the variant named last has to reach.
    pub(crate) fn bar(mut self, bar: Bar) -> Self {
        if let Some(variant) = self.variants.last_mut() {
            variant.bar = Some(bar);
        }
        self
    }

    fn variant(mut self, name: &'static str, set_up: impl Fn() -> Measure + 'static) -> Self {
        self.variants.push(Variant {
            name,
            bar: None,
            set_up: Box::new(set_up),
        });
        self
    }

    /// The name of a variant in the table.
    fn row_name(&self, variant: &Variant) -> String {
        format!("{}/{}", self.name, variant.name)
    }

    /// Keeps the variants whose row name contains `wanted`, and the baseline if any is left.
    pub(crate) fn filter(mut self, wanted: &str) -> Self {
        let keep: Vec<bool> = self
            .variants
            .iter()
            .map(|variant| self.row_name(variant).contains(wanted))
            .collect();
        let any = keep.contains(&true);
        let mut kept = keep.into_iter().enumerate();
        self.variants.retain(|_| {
            kept.next()
                .is_some_and(|(at, keep)| keep || (any && at == 0))
        });
        self
    }

    /// What does the operation of one variant the given number of times, set up; `None` for one
    /// that is counted.
    #[allow(dead_code, reason = "`instructions` counts what `versus` times")]
    pub(crate) fn operation(&self, name: &str) -> Option<Box<dyn FnMut(u64)>> {
        let variant = self.variants.iter().find(|variant| variant.name == name)?;
        match (variant.set_up)() {
            Measure::Time(operation) => Some(operation),
            Measure::Count(_) => None,
        }
    }

    pub(crate) fn run(self, effort: Effort) -> Vec<Row> {
        let names: Vec<String> = self.variants.iter().map(|v| self.row_name(v)).collect();
        let bars: Vec<Option<Bar>> = self.variants.iter().map(|v| v.bar).collect();
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); self.variants.len()];
        let mut ballast = Vec::new();
        for place in 0..effort.places {
            let mut turns = Vec::new();
            for (at, variant) in self.variants.iter().enumerate() {
                turns.push(Turn::new((variant.set_up)(), effort.turn));
                // Moves what is set up next.
                ballast.push(vec![0_u8; 16 + 208 * ((place + at) % 20)]);
            }
            // One round to warm up, then those that count.
            for round in 0..=effort.rounds {
                for (turn, values) in turns.iter_mut().zip(&mut values) {
                    let value = turn.take();
                    if round > 0 {
                        values.push(value);
                    }
                }
            }
            // What is counted is the same everywhere.
            if turns
                .iter()
                .all(|turn| matches!(turn.measure, Measure::Count(_)))
            {
                break;
            }
        }
        let baseline = values.first().cloned().unwrap_or_default();
        let against = |values: &[f64], compare: fn(f64, f64) -> f64| {
            let compared = values.iter().zip(&baseline).map(|(v, b)| compare(*v, *b));
            spread(compared.collect()).median
        };
        let rows = names.into_iter().zip(values).zip(bars);
        rows.map(|((name, values), bar)| Row {
            name,
            ratio: against(&values, |value, base| value / base),
            over: against(&values, |value, base| value - base),
            value: spread(values),
            bar,
        })
        .collect()
    }
}

/// A variant and how many operations fill its turn.
struct Turn {
    measure: Measure,
    operations: u64,
}

impl Turn {
    fn new(mut measure: Measure, length: Duration) -> Self {
        let mut operations = 1;
        if let Measure::Time(run) = &mut measure {
            // The shortest of three: a turn that was interrupted says nothing about its length.
            while (0..3).map(|_| time(run, operations)).min() < Some(length / 2) {
                operations *= 2;
            }
        }
        Self {
            measure,
            operations,
        }
    }

    fn take(&mut self) -> f64 {
        match &mut self.measure {
            Measure::Time(run) => {
                time(run, self.operations).as_secs_f64() * 1e9 / self.operations as f64
            }
            Measure::Count(count) => count(),
        }
    }
}

fn time(run: &mut dyn FnMut(u64), operations: u64) -> Duration {
    let start = Instant::now();
    run(operations);
    start.elapsed()
}

fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    Spread {
        median: at(values.len() / 2),
        min: at(0),
        max: at(values.len().saturating_sub(1)),
    }
}

/// A runtime on this thread, with a timer that is far off, as there is one in any server: without
/// one Tokio saves itself a look at the clock now and then, and that is no merit of the variant.
pub(crate) fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.spawn(async { tokio::time::sleep(Duration::from_secs(3600)).await });
    runtime
}

/// Runs `talk` in a task, time after time, with what it gave back the last time. A task, and not
/// `block_on` itself, since that visits the timers whenever it has to wait.
pub(crate) fn in_task<S, F>(
    runtime: Runtime,
    state: S,
    talk: impl Fn(S, u64) -> F,
) -> impl FnMut(u64)
where
    S: Send + 'static,
    F: Future<Output = S> + Send + 'static,
{
    let mut state = Some(state);
    move |times| {
        let before = state.take().expect("it was given back");
        let task = runtime.spawn(talk(before, times));
        state = Some(runtime.block_on(task).expect("it does not panic"));
    }
}
