//! WebSocket: heartbeats on the stream that you already have; feature `websocket`.

mod beats;
mod close;
mod frame;
mod frames;
mod json;
mod text;
mod upgrade;
mod wire;

pub use beats::{Beat, Beats, Fixed, Json};
pub use close::{CLOSE_CODE, close_frame, close_reason, farewell};
pub use frames::Frames;
pub use text::{Content, Text};
pub use wire::Wire;

use crate::seq::Seq;

/// The number of no ping: a pong with it is life, and answers nothing.
const UNASKED: Seq = Seq::new(u64::MAX);
