//! Failure detectors for peers that beat: from the heartbeats of one peer to the instant at which
//! it is suspected, and the instant at which it is dead.
//!
//! Every detector is a *deadline*: a beat moves it, and to watch a peer is to compare an instant.
//!
//! | type | holds | for |
//! | --- | --- | --- |
//! | [`Rule`] | parameters, no time | [`FixedTimeout`], [`MissedCount`], [`Announced`], [`PerPeer`], one of your own |
//! | [`Detector`] | a rule and one peer's deadlines | beats that are counted and put in order elsewhere |
//! | [`Peer`] | a detector, the order of the beats, the status | one peer, without async |
//! | [`watch`](crate::heartbeat::watch()) | a `Peer`, a transport, a timer | one peer, as a stream |
//! | [`Monitor`](crate::Monitor) | a rule, a number a peer | a million peers, one timeout |

mod rule;
mod fixed;
mod missed;
mod announced;
mod per_peer;
mod one;
mod life;
mod peer;

pub use announced::Announced;
pub use fixed::FixedTimeout;
pub use life::{Life, Order};
pub use missed::MissedCount;
pub use one::{Detector, FailureDetector};
pub use peer::{Heard, Peer, Silence, Status};
pub use per_peer::PerPeer;
pub use rule::{Rule, Sample};

pub use crate::time::Nanos;
