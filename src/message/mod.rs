//! Heartbeats as data and bytes: [`Heartbeat`], who sends it ([`Origin`]), what it carries
//! ([`Payload`]). No transport, no time.

mod heartbeat;
mod origin;
mod payload;

pub use heartbeat::Heartbeat;
pub use origin::Origin;
pub use payload::Payload;
