//! What two threads share: std's, and loom's where its models run.
//!
//! A model tries every order in which the threads can get their turns, and every value that a weak
//! load may see: `RUSTFLAGS='--cfg liveness_loom' cargo test --release --lib loom_`.

#[cfg(all(test, liveness_loom))]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(all(test, liveness_loom))]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(all(test, liveness_loom)))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(all(test, liveness_loom)))]
pub(crate) use std::sync::{Mutex, MutexGuard};
