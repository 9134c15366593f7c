//! On a socket that you already have.
//!
//! | you want | use |
//! | --- | --- |
//! | to be told when it is idle, and decide yourself | [`track`] |
//! | reads and writes to fail when it is idle | [`IdleTimeout`] |

mod activity;
pub(crate) mod dating;
mod idle_timeout;
mod track;

pub use activity::Activity;
pub use idle_timeout::IdleTimeout;
pub use track::{IdleEvents, Tracked, track};
