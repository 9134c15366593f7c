//! stub
mod protocol;
pub use protocol::{Inbound, Protocol};
