//! What only real processes, real kernels and real programs can show.
//!
//! Every test here is ignored by default, because it needs a program, a privilege or seconds of real
//! time; `.ci/run` installs what is missing and runs them all:
//!
//! ```sh
//! cargo test --all-features --test interop -- --ignored
//! ```

mod network;
mod peer;
mod processes;
