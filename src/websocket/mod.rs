//! WebSocket: heartbeats on the stream that you already have; feature `websocket`.

mod frame;
mod upgrade;
mod wire;

pub use wire::Wire;
