//! What is shown of the clients: who, which keep alive, how silent, and the broker's round trip.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use liveness::mqtt::Version;
use liveness::{Runtime as _, Tokio};
use tokio::time::interval;

use crate::ClientSide;

/// A line of the table.
struct Row {
    id: String,
    version: Option<Version>,
    keep_alive: Option<u16>,
    heard_at: Instant,
    round_trip: Option<Duration>,
}

/// The clients that are connected, by their address.
#[derive(Clone, Default)]
pub(crate) struct Table(Arc<Mutex<BTreeMap<SocketAddr, Row>>>);

impl Table {
    pub(crate) fn note(
        &self,
        address: SocketAddr,
        side: &ClientSide,
        round_trip: Option<Duration>,
    ) {
        let now = Tokio.now();
        let silent_for = side.watch.silent_for(now);
        let row = Row {
            id: side.id.clone(),
            version: side.version,
            keep_alive: side.watch.keep_alive(),
            heard_at: now.checked_sub(silent_for).unwrap_or(now),
            round_trip,
        };
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.insert(address, row);
    }

    pub(crate) fn remove(&self, address: SocketAddr) -> String {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.remove(&address).map_or_else(String::new, |row| row.id)
    }

    pub(crate) async fn show(&self, every: Duration) {
        let mut ticks = interval(every);
        loop {
            ticks.tick().await;
            let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !rows.is_empty() {
                let head = [
                    "client",
                    "version",
                    "keep alive",
                    "silent for",
                    "round trip",
                ];
                println!(
                    "{:24}{:12}{:>12}{:>12}{:>12}",
                    head[0], head[1], head[2], head[3], head[4]
                );
                rows.values().for_each(|row| println!("{row}"));
            }
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self
            .version
            .map_or("?".into(), |version| version.to_string());
        let keep_alive = self.keep_alive.map_or("off".into(), |k| format!("{k} s"));
        let silent = format!(
            "{:.1} s",
            Tokio
                .now()
                .saturating_duration_since(self.heard_at)
                .as_secs_f64()
        );
        let trip = self
            .round_trip
            .map_or("-".into(), |rtt| format!("{rtt:.1?}"));
        write!(
            f,
            "{:24}{version:12}{keep_alive:>12}{silent:>12}{trip:>12}",
            self.id
        )
    }
}
