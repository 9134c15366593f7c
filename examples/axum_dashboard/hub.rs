//! What the dashboard knows about each connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use liveness::rt::Runtime;
use liveness::rtt::Rtt;
use liveness::{Dead, Tokio};
use serde_json::{Value, json};
use tokio::sync::watch;

/// How many connections are shown, and how many round trips of each.
const MOST_CARDS: usize = 64;
const MOST_ROUND_TRIPS: usize = 60;
/// How long the dead stay to be seen.
const REMEMBERED: Duration = Duration::from_secs(60);

/// All connections, by name; one that comes back under its name takes its place again.
pub(crate) struct Hub {
    lives: Mutex<BTreeMap<String, Life>>,
    changed: watch::Sender<()>,
}

struct Life {
    connection: u64,
    joined: Instant,
    heard: Instant,
    waiting: bool,
    end: Option<End>,
    samples: u64,
    /// In milliseconds, oldest first; a verdict is a gap.
    round_trips: Vec<Option<f64>>,
    smoothed: Option<f64>,
}

struct End {
    at: Instant,
    state: &'static str,
    why: String,
}

/// One connection's place on the dashboard.
#[derive(Clone)]
pub(crate) struct Card {
    hub: Arc<Hub>,
    name: String,
    connection: u64,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            lives: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A place for a connection, or `None` when all are taken.
    pub(crate) fn join(self: &Arc<Self>, name: &str) -> Option<Card> {
        let name: String = name.chars().take(32).collect();
        let now = Tokio.now();
        let mut lives = self.lives();
        if lives.len() >= MOST_CARDS && !lives.contains_key(&name) {
            return None;
        }
        let before = lives.remove(&name);
        let connection = before.as_ref().map_or(1, |life| life.connection + 1);
        let mut round_trips = before.map_or_else(Vec::new, |life| life.round_trips);
        if !round_trips.is_empty() {
            round_trips.push(None);
        }
        let life = Life {
            connection,
            joined: now,
            heard: now,
            waiting: false,
            end: None,
            samples: 0,
            round_trips,
            smoothed: None,
        };
        lives.insert(name.clone(), life);
        self.changed.send_replace(());
        Some(Card {
            hub: Arc::clone(self),
            name,
            connection,
        })
    }

    /// All connections as the page wants them.
    pub(crate) fn picture(&self) -> Value {
        let now = Tokio.now();
        let ms = |since: Instant| now.saturating_duration_since(since).as_millis() as u64;
        let mut lives = self.lives();
        lives.retain(|_, life| {
            life.end
                .as_ref()
                .is_none_or(|end| now - end.at < REMEMBERED)
        });
        let cards = lives.iter().map(|(name, life)| {
            let state = match (&life.end, life.waiting) {
                (Some(end), _) => end.state,
                (None, true) => "asked",
                (None, false) => "alive",
            };
            json!({
                "name": name,
                "connection": life.connection,
                "state": state,
                "why": life.end.as_ref().map(|end| &end.why),
                "ended": life.end.as_ref().map(|end| ms(end.at)),
                "joined": ms(life.joined),
                "heard": ms(life.heard),
                "smoothed": life.smoothed,
                "samples": life.samples,
                "roundTrips": life.round_trips,
            })
        });
        cards.collect()
    }

    fn lives(&self) -> MutexGuard<'_, BTreeMap<String, Life>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Card {
    /// A ping leaves.
    pub(crate) fn asked(&self) {
        self.change(|life| life.waiting = true);
    }

    /// Something came in.
    pub(crate) fn heard(&self) {
        self.change(|life| {
            life.heard = Tokio.now();
            life.waiting = false;
        });
    }

    pub(crate) fn measured(&self, rtt: &Rtt) {
        let Some(latest) = rtt.latest() else { return };
        let ms = |rtt: Duration| rtt.as_secs_f64() * 1e3;
        self.change(|life| {
            if rtt.samples() > life.samples {
                life.samples = rtt.samples();
                life.smoothed = rtt.smoothed().map(ms);
                life.round_trips.push(Some(ms(latest)));
                let most = life.round_trips.len().saturating_sub(MOST_ROUND_TRIPS);
                life.round_trips.drain(..most);
            }
        });
    }

    pub(crate) fn dead(&self, dead: &Dead) {
        self.end("dead", &dead.to_string());
    }

    pub(crate) fn closed(&self, why: &str) {
        self.end("closed", why);
    }

    fn end(&self, state: &'static str, why: &str) {
        let why = if why.is_empty() {
            "closed by the page"
        } else {
            why
        };
        self.change(|life| {
            life.end.get_or_insert_with(|| End {
                at: Tokio.now(),
                state,
                why: why.to_owned(),
            });
        });
    }

    /// Changes what is shown, unless a newer connection has taken the name.
    fn change(&self, change: impl FnOnce(&mut Life)) {
        let mut lives = self.hub.lives();
        let life = lives.get_mut(&self.name);
        if let Some(life) = life.filter(|life| life.connection == self.connection) {
            change(life);
            self.hub.changed.send_replace(());
        }
    }
}
