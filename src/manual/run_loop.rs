//! How do I drive the state machines by hand?
//!
//! Three verbs. `on_*(.., now)` reports a fact. `poll_timeout()` says when to come back.
//! `handle_timeout(now)` moves time and returns at most one thing to do: call it until it returns
//! `None`. A loop has three steps: wait for input until `poll_timeout()`, report the input, move
//! time. Nothing else is needed: no queue to drain, no callback, no clock inside.
//!
//! * An older `now` counts as the newest seen. Spurious, early and late calls are harmless.
//! * Report input *first*: whatever can be read is reported before time moves. A caller who cannot
//!   promise that says [`on_more_input`](crate::Keepalive::on_more_input) once; then a silence that
//!   is due asks for a [look](crate::KeepaliveEvent::Look) before it is judged.
//! * Received and sent bytes move deadlines later only, so a timer that is set may stay as it is.
//! * [`next_due`](crate::Keepalive::next_due) tells what the deadline is for.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use liveness::keepalive::Deadline;
//! use liveness::{Keepalive, KeepaliveConfig, KeepaliveEvent};
//!
//! let (start, second) = (Instant::now(), Duration::from_secs(1));
//! let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
//! assert_eq!(keepalive.next_due(), Some((Deadline::Ping, start + 20 * second)));
//!
//! // A loop whose input cannot be emptied in one turn.
//! keepalive.on_more_input(start);
//! let (mut now, mut looks_again) = (start, false);
//! let (mut pings, mut looks) = (0, 0);
//! let dead = loop {
//!     // Step 1: wait, unless a look was asked for.
//!     let due = keepalive.poll_timeout().filter(|_| !looks_again);
//!     now = due.map_or(now, |due| due.max(now));
//!     // Step 2: nothing came, and nothing is left to read.
//!     keepalive.on_drained(now);
//!     looks_again = false;
//!     // Step 3.
//!     match keepalive.handle_timeout(now) {
//!         Some(KeepaliveEvent::Ping(seq)) => {
//!             pings += 1;
//!             keepalive.on_ping_sent(seq, now);
//!         }
//!         Some(KeepaliveEvent::Look) => (looks, looks_again) = (looks + 1, true),
//!         Some(KeepaliveEvent::Dead(dead)) => break dead,
//!         None => {}
//!     }
//! };
//! assert_eq!((pings, looks), (2, 1));
//! assert_eq!(dead.silent_for, 40 * second);
//! # Ok::<(), liveness::ConfigError>(())
//! ```
