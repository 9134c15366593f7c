//! Heartbeats as data and bytes: [`Heartbeat`], its sender ([`Origin`], [`Identity`]), its content
//! ([`Payload`]). No transport, no time.

mod heartbeat;
mod identity;
mod origin;
mod payload;

pub use heartbeat::Heartbeat;
pub use identity::Identity;
pub use origin::Origin;
pub use payload::Payload;
