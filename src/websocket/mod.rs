//! WebSocket: heartbeats on the stream that you already have; feature `websocket`.
//!
//! One line around a `WebSocketStream`, client or server: of `tokio-tungstenite` 0.30 or, with
//! [`Smol`](crate::Smol), of `async-tungstenite` 0.35.
//!
//! ```
//! # use liveness::{IdleConfig, KeepaliveConfig, PingPong, Tokio, io::track, websocket::Frames};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # use futures::{SinkExt, StreamExt};
//! let socket = tokio::net::TcpStream::connect("example.org:80").await?;
//! let (socket, _idle) = track(socket, IdleConfig::new(), Tokio);
//! let activity = socket.activity();
//! # use std::time::Duration;
//! let connecting = tokio_tungstenite::client_async("ws://example.org/", socket);
//! let (ws, _response) = tokio::time::timeout(Duration::from_secs(10), connecting).await??;
//!
//! // The one line:
//! let mut ws = PingPong::new(ws, Frames::new(), KeepaliveConfig::new(), Tokio)?
//!     .with_activity(activity);
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
//! The lines before it matter too:
//! * **Large messages.** The stream shows whole messages, so without [`track`] and
//!   [`with_activity`] a message that takes longer to arrive than the bound looks like silence, and
//!   kills a connection that is alive. `connect_async` keeps its socket to itself, so connect the
//!   socket first, as here; for `wss` there is `client_async_tls` in the same place.
//! * **The handshake** is not covered. No heartbeat can be sent before it is over, so put a
//!   `timeout` around connecting and accepting.
//!
//! [`track`]: crate::io::track
//! [`with_activity`]: crate::PingPong::with_activity
//!
//! # Which one
//! | you have | take |
//! | --- | --- |
//! | a `WebSocketStream` of `tungstenite` | [`Frames`] in a [`PingPong`], feature `tungstenite` |
//! | a `WebSocket` of `axum` | [`Frames::over`]`(`[`Axum`]`)`, feature `axum` |
//! | another library's messages | [`Frames::over`] a [`Library`] of your own: ten lines |
//! | browsers as clients | [`Text`] in a [`PingPong`], with [`Json`], [`Fixed`] or your own |
//! | Socket.IO or Engine.IO | [`Text`] with [`Fixed::engine_io`] |
//! | a library that keeps its stream to itself | [`Wire`] in a [`KeepaliveStream`], below it |
//!
//! [`PingPong`]: crate::PingPong
//! [`KeepaliveStream`]: crate::io::KeepaliveStream
//!
//! # Features
//! | feature | adds | and its package |
//! | --- | --- | --- |
//! | `websocket` | all of this module that is not listed below | none |
//! | `tungstenite` | [`Frames::new`] and [`Text::new`], for `tungstenite` 0.30 | `tungstenite` |
//! | `axum` | [`Axum`], for `axum` 0.8 | `axum` |
//! | `json` | [`Json`] | `serde_json` |
//!
//! Each of the last three brings the first. [`Wire`] and a [`Library`] of your own know no version
//! of any library.
//!
//! # Whose life it proves
//! | heartbeat | answered by | says nothing about |
//! | --- | --- | --- |
//! | ping frame ([`Frames`], [`Wire`]) | the peer's library, a browser's network side | the page |
//! | text ([`Text`]) | the peer's program, the script of a page | its other work |
//! | the kernel's keepalive | the peer's kernel | every program, even a stopped one |
//!
//! `cargo test --all-features --test interop -- --ignored --nocapture frozen` shows the first two
//! in headless Chromium (`.ci/setup-websocket` installs it): with its script blocked the page is
//! found dead by text within the promised 3 s, while the browser goes on answering ping frames.
//!
//! Let the server ask and the page answer from its `onmessage`: the timers of a hidden page may
//! fire as rarely as once a minute, its messages arrive all the same. A page that the browser
//! *freezes* runs no `onmessage` and is dead within the bound; on `pageshow` and `visibilitychange`
//! let it ask at once.
//!
//! By default *any* byte from the peer proves life. Where a proxy or a browser's network process
//! might answer for the program you mean, set [`Proof::PongOnly`](crate::Proof).
//!
//! # After the verdict
//! The stream ends after the verdict, and sending fails with it. There are two ways to go, and
//! neither can hang:
//! * *Drop it.* The socket closes. A peer that is still there sees a close without a reason (1006).
//! * *Say why*, with [`farewell`]: close code 1011 and the verdict as its reason. It gives the
//!   peer a stated moment to take it and to close in turn.
//!
//! Do not `close()` a dead link without such a limit: flushing into a full socket buffer waits for
//! as long as the kernel retransmits.
//!
//! # What you can rely on
//! * **A pong leaves at once, and once.** `tungstenite` puts the answer to a ping into a single
//!   slot when it reads it, and writes and flushes that at the next read, write or flush; a stream
//!   that nobody polls leaves it there. [`PingPong`] reads on and flushes by itself, again when
//!   there is room if there was none. Of several pings that come while the slot is full the newest
//!   is answered, as RFC 6455 (5.5.3) has it.
//! * **Reading never waits for writing.** An answer that finds no room waits on the side, at most
//!   one of them. A peer that takes nothing is found by the [write
//!   stall](crate::KeepaliveConfig::write_stall).
//! * **A close runs its course.** While a close handshake is under way `tungstenite` refuses pings;
//!   that ends nothing. The peer's last messages arrive, and a peer that never answers the close is
//!   dead within the same bound.
//! * **A broken pipe does not hide the reason.** When a heartbeat cannot be written any more, input
//!   that has arrived is read first, so a close frame that says why is seen.
//! * **Floods are bounded.** More pings than [`FloodLimit`](crate::flood::FloodLimit) allows end
//!   the stream; by default that is 1000 at once or 100 a second.
//!
//! # Behind proxies
//! A proxy cuts a connection that was silent for long: nginx after 60 s (`proxy_read_timeout`),
//! unless told otherwise. Keep the interval well below the smallest such limit on the way; the
//! default is 20 s. One ping and its pong count in both directions.

mod close;
mod engine_io;
mod frames;
#[cfg(feature = "json")]
mod json;
mod library;
mod text;
mod wire;

pub use close::{CLOSE_CODE, WholeOrSplit, close_reason, farewell};
pub use frames::Frames;
#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub use json::Json;
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use library::Axum;
pub use library::{Content, Library, Tungstenite};
pub use text::{Fixed, Text, TextBeat, TextHeartbeat};
pub use wire::Wire;
