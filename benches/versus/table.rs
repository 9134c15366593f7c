//! The command line, the table and the JSON file.

use std::path::PathBuf;

use serde::Serialize;

use crate::harness::{Bar, Contest, Effort, Row};

/// `cargo bench --bench versus -- [NAME] [--quick] [--json FILE]`.
pub(crate) struct Options {
    name: String,
    json: Option<PathBuf>,
    effort: Effort,
}

impl Options {
    /// Reads the arguments. Without Cargo's own `--bench` this is a test: every row runs once.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Self {
        let mut arguments = arguments.peekable();
        let (mut name, mut json) = (String::new(), None);
        let (mut bench, mut quick) = (false, false);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => bench = true,
                "--quick" | "--test" => quick = true,
                "--json" => json = arguments.next().map(PathBuf::from),
                // What other harnesses know is no error here.
                flag if flag.starts_with('-') => {}
                wanted => name = wanted.to_owned(),
            }
        }
        let effort = if bench && !quick {
            Effort::FULL
        } else {
            Effort::QUICK
        };
        Self { name, json, effort }
    }
}

/// A row of the JSON file.
#[derive(Serialize)]
struct Record {
    name: String,
    value: f64,
    unit: &'static str,
    /// The row that `ratio` compares with.
    baseline: String,
    ratio: f64,
}

/// Runs what is wanted and prints it as it comes.
pub(crate) fn run(contests: Vec<Contest>, options: &Options) -> std::io::Result<()> {
    let mut records = Vec::new();
    let contests = contests
        .into_iter()
        .map(|contest| contest.filter(&options.name));
    for contest in contests.filter(|contest| !contest.variants.is_empty()) {
        let unit = contest.unit;
        println!("\n{}, {unit}", contest.title);
        println!(
            "  {:46} {:>9} {:>21} {:>8}  bar",
            "", "median", "min..max", "ratio"
        );
        let rows = contest.run(options.effort);
        let baseline = rows.first().map_or(String::new(), |row| row.name.clone());
        for row in rows {
            println!("  {}", line(&row, unit));
            records.push(Record {
                name: row.name,
                value: row.value.median,
                unit,
                baseline: baseline.clone(),
                ratio: row.ratio,
            });
        }
    }
    if records.is_empty() {
        println!("no row has a name that contains {:?}", options.name);
    }
    match &options.json {
        Some(file) => std::fs::write(file, serde_json::to_string_pretty(&records)?),
        None => Ok(()),
    }
}

fn line(row: &Row, unit: &str) -> String {
    let value = &row.value;
    let range = format!("{}..{}", number(value.min), number(value.max));
    format!(
        "{:46} {:>9} {range:>21} {:>8}  {}",
        row.name,
        number(value.median),
        format!("{:.3} x", row.ratio),
        row.bar.map_or(String::new(), |bar| verdict(bar, row, unit)),
    )
}

fn verdict(bar: Bar, row: &Row, unit: &str) -> String {
    let (is, limit, text) = match bar {
        Bar::Is(limit) => (row.value.median, limit, format!("at most {limit} {unit}")),
        Bar::Over(limit) => {
            let text = format!("at most {limit} {unit} more, is {}", number(row.over));
            (row.over, limit, text)
        }
        Bar::Times(limit) => (row.ratio, limit, format!("at most {limit} x")),
    };
    let met = if is <= limit { "met" } else { "MISSED" };
    format!("{met}: {text}")
}

/// Three or four digits that matter.
fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.0}")
    }
}
