//! WebSocket: heartbeats on the stream that you already have; feature `websocket`.
//!
//! One line around a `WebSocketStream`, of `tokio-tungstenite` 0.30 or, with [`Smol`](crate::Smol), of
//! `async-tungstenite` 0.35, client or server. (Both stand on `tungstenite` 0.30; for another version
//! take [`Text::over`] or [`Wire`], which know no version.)
//!
//! ```
//! # use liveness::{KeepaliveConfig, PingPong, Tokio, websocket};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # use futures::{SinkExt, StreamExt};
//! let (ws, _response) = tokio_tungstenite::connect_async("wss://example.org/").await?;
//!
//! let mut ws = PingPong::new(ws, websocket::Frames::new(), KeepaliveConfig::new(), Tokio)?;
//!
//! while let Some(message) = ws.next().await {
//!     match message {
//!         Ok(message) => println!("{message}"),
//!         Err(liveness::Error::Dead(dead)) => println!("reconnect: {dead}"),
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! `ws.next()` no longer waits for ever on a link that died without a word: with the default
//! configuration it yields the verdict within 30 s of the peer's last byte, and a sixteenth of the
//! interval more on a busy stream. Everything else is as before: the same messages in the same
//! order, `send`, `split`, `select!`.
//!
//! # Which one
//! | you have | take |
//! | --- | --- |
//! | a `WebSocketStream` | [`Frames`] in a [`PingPong`](crate::PingPong) |
//! | browsers as clients | [`Text`] in a [`PingPong`](crate::PingPong), with [`Json`], [`Fixed`] or your own [`TextHeartbeat`] |
//! | another library's messages, as `axum`'s | [`Text::over`], or a [`Protocol`](crate::Protocol) of a dozen lines: `examples/axum_dashboard` |
//! | a library that keeps its stream to itself | [`Wire`] in a [`KeepaliveStream`](crate::io::KeepaliveStream), below it |
//!
//! # Whose life it proves
//! | heartbeat | answered by | says nothing about |
//! | --- | --- | --- |
//! | ping frame ([`Frames`], [`Wire`]) | the peer's WebSocket library; of a browser, its network process | the page: Chromium answers while the script hangs |
//! | text ([`Text`]) | the peer's program; of a browser, the script of the page | what that program does besides |
//! | the kernel's keepalive | the peer's kernel | every program: a stopped process goes on answering |
//!
//! `cargo test --all-features --test interop -- --ignored --nocapture frozen` shows the first two in
//! headless Chromium (`.ci/setup-websocket` installs it): with its script blocked the page is found dead by text within the promised 3 s,
//! while the browser goes on answering ping frames.
//!
//! Let the server ask and the page answer from its `onmessage`: the timers of a hidden page may fire
//! as rarely as once a minute, its messages arrive all the same.
//!
//! By default *any* byte from the peer proves life. Where a proxy or a browser's network process might
//! answer for the program you mean, set [`Proof::PongOnly`](crate::Proof).
//!
//! # After the verdict
//! The stream ends after the verdict, and sending fails with it. There are two ways to go, and neither
//! can hang:
//! * *Drop it.* The socket closes. A peer that is still there sees a close without a reason (1006).
//! * *Say why*, with close code 1011 and the verdict as its reason, and give the dead link a moment at
//!   most to take it. After a `split`, `reunite` the halves first.
//!
//! ```
//! # use std::time::Duration;
//! # use liveness::{Dead, PingPong, Tokio};
//! use liveness::websocket::{Frames, close_frame, farewell};
//! use tungstenite::Message;
//!
//! # type Ws = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;
//! async fn hang_up(mut ws: PingPong<Ws, Frames, Tokio>, dead: Dead) {
//!     let close = Message::Close(Some(close_frame(&dead)));
//!     farewell(ws.get_mut(), close, Duration::from_secs(1), &Tokio).await;
//! }
//! ```
//!
//! Do not `close()` a dead link without such a limit: flushing into a full socket buffer waits for as
//! long as the kernel retransmits.
//!
//! # Large messages
//! The stream shows whole messages, so a large one on a slow link looks like silence while it arrives.
//! Let the bytes below count:
//!
//! ```
//! # use liveness::{IdleConfig, KeepaliveConfig, PingPong, Tokio, websocket::Frames};
//! # async fn example(socket: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
//! let (socket, _idle) = liveness::io::track(socket, IdleConfig::new(), Tokio);
//! let activity = socket.activity();
//! let ws = tokio_tungstenite::accept_async(socket).await?;
//! let ws = PingPong::new(ws, Frames::new(), KeepaliveConfig::new(), Tokio)?.with_activity(activity);
//! # drop(ws); Ok(()) }
//! ```
//!
//! # What you can rely on
//! * **A pong leaves at once, and once.** `tungstenite` puts the answer to a ping into a single slot
//!   when it reads it, and writes and flushes that at the next read, write or flush; a stream that
//!   nobody polls leaves it there. [`PingPong`](crate::PingPong) reads on and flushes by itself, again
//!   when there is room if there was none. Of several pings that come while the slot is full the
//!   newest is answered, as RFC 6455 (5.5.3) has it.
//! * **Reading never waits for writing.** An answer that finds no room waits on the side, at most one
//!   of them. A peer that takes nothing is found by the
//!   [write stall](crate::KeepaliveConfig::write_stall).
//! * **A close runs its course.** While a close handshake is under way `tungstenite` refuses pings; that
//!   ends nothing. What the peer still says arrives, and a peer that never answers the close is dead
//!   within the same bound.
//! * **A broken pipe does not hide the reason.** When a heartbeat cannot be written any more, what has
//!   arrived is read first, so a close frame that says why is seen.
//! * **Floods are bounded.** More pings than [`FloodLimit`](crate::flood::FloodLimit) allows end the
//!   stream; by default that is 1000 at once or 100 a second.
//!
//! # Behind proxies
//! A proxy cuts what is silent for long: nginx after 60 s (`proxy_read_timeout`), unless told
//! otherwise. Keep the interval well below the smallest such limit on the way; the default is 20 s.
//! One ping and its pong count in both directions.

mod beats;
mod close;
mod frames;
mod json;
mod text;
mod wire;

pub use beats::{Fixed, Json, TextBeat, TextHeartbeat};
pub use close::{CLOSE_CODE, close_frame, close_reason, farewell};
pub use frames::Frames;
pub use text::{Content, Text};
pub use wire::Wire;
