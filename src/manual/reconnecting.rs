//! And after the verdict?
//!
//! A verdict ends a stream. The next attempt is the program's, and five things belong to it: a
//! time-out around the *handshake* (a stopped server accepts in its kernel and never answers), a
//! delay that grows, chance in the delay, a delay that begins anew only after a connection that
//! lasted, and whatever has to be said again on a new connection. The delays may come from any
//! iterator; `backon`'s builders are some.
//!
//! ```
//! use std::time::Duration;
//!
//! /// Connects, serves, and connects again for as long as `serve` wants to.
//! async fn keep_connected<C, E: std::fmt::Display>(
//!     mut connect: impl AsyncFnMut() -> Result<C, E>,
//!     mut serve: impl AsyncFnMut(C) -> std::ops::ControlFlow<()>,
//!     delays: impl Iterator<Item = Duration> + Clone,
//! ) {
//!     let mut left = delays.clone();
//!     loop {
//!         let attempt = tokio::time::timeout(Duration::from_secs(10), connect()).await;
//!         if let Ok(Ok(connection)) = attempt {
//!             let since = tokio::time::Instant::now();
//!             if serve(connection).await.is_break() {
//!                 return;
//!             }
//!             if since.elapsed() > Duration::from_secs(60) {
//!                 left = delays.clone(); // it was stable
//!             }
//!         }
//!         tokio::time::sleep(left.next().unwrap_or(Duration::from_secs(90))).await;
//!     }
//! }
//!
//! # let mut rt = tokio::runtime::Builder::new_current_thread();
//! # rt.enable_time().start_paused(true).build().unwrap().block_on(async {
//! let (start, mut attempts) = (tokio::time::Instant::now(), 0);
//! let connect = async || {
//!     attempts += 1;
//!     match attempts {
//!         1 => Err("refused"),
//!         2 => std::future::pending().await, // accepted by the kernel of a stopped server
//!         _ => Ok(()),
//!     }
//! };
//! let serve = async |()| std::ops::ControlFlow::Break(());
//! keep_connected(connect, serve, [1, 2, 4].map(Duration::from_secs).into_iter()).await;
//! assert_eq!(attempts, 3);
//! assert_eq!(start.elapsed().as_secs(), 1 + 10 + 2);
//! # });
//! ```
