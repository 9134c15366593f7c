//! What the tests of everything that needs time and a peer stand on: a simulated runtime
//! ([`Sim`], [`World`]) and links in memory that can be slow, full, deaf or cut ([`bytes`], [`messages`]).
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each test binary uses its part"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken test world is a failed test"
)]

pub mod link;
pub mod sim;

pub use link::{ByteEnd, Faults, Link, LinkConfig, MessageEnd, bytes, messages};
pub use sim::{Counts, Sim, World};
