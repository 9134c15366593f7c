//! The manual: questions that no single type answers. Text only, no code.
//!
//! | page | question |
//! | --- | --- |
//! | [`choosing`] | Which type, which runtime, which layer? |
//! | [`run_loop`] | How do I drive the state machines by hand? |
//! | [`defaults`] | Why is that number the default? |
//! | [`slow`] | What do a slow handler, a slow link and a pause do? |
//! | [`cancel_safety`] | What is lost when a future is dropped? |
//! | [`reconnecting`] | And after the verdict? |
//! | [`http_servers`] | What does an idle timeout do to a server that thinks? |
//! | [`testing`] | How do I test my own code with this? |

pub mod cancel_safety;
pub mod choosing;
pub mod defaults;
pub mod http_servers;
pub mod reconnecting;
pub mod run_loop;
pub mod slow;
pub mod testing;
