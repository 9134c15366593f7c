//! Why is that number the default?
//!
//! # Why 20 s before a ping?
//!
//! The interval has to be shorter than whatever forgets an idle connection on the way. RFC 4787
//! asks NATs to keep UDP mappings for two minutes and sees many that keep them for 30 s; load
//! balancers of the large clouds close idle TCP connections after 60 s (AWS) or 4 min (Azure);
//! Nginx is set to 60 s, and many proxies to less. Python's `websockets` pings every 20 s for the
//! same reason, Socket.IO every 25 s.
//!
//! # Why 10 s for an answer, and two of them?
//!
//! TCP's own retransmission doubles from about 1 s (RFC 6298): after three losses in a row a ping
//! is 7 s late, and its answer may lose as much again. One timeout that covers the worst case would
//! find a dead peer late each time; two short ones find it in the same time and survive one bad
//! moment. Systems that give up at the first miss are the ones whose users report false deaths.
//!
//! # Why 90 s behind an upload?
//!
//! A ping that the kernel has taken stands behind its send buffer: up to 4 MiB where Linux tunes it
//! by itself (`tcp_wmem`), more where a program asks. At 1 Mbit/s, the slowest uplink still in wide
//! use, 8 MiB take 67 s. 90 s is that with a third to spare. A program that knows its buffer says
//! so ([`set_send_buffer`](crate::Keepalive::set_send_buffer)) and waits no longer than needed.
//!
//! # Why 30 s for a stalled write?
//!
//! A peer whose window is zero is asked by the kernel each few seconds and may open it at any time;
//! a peer that is gone never does. 30 s outlast a long pause of a garbage collector or of a disk,
//! and are the reply time thrice. Systems whose flow control holds a peer for longer say
//! [`StallWhen::Unproven`](crate::keepalive::StallWhen): the MQTT and AMQP presets do.
//!
//! # Why 15 min for a pause?
//!
//! Linux gives a connection up after 15 retransmissions, 924 s by its documentation
//! (`tcp_retries2`). Whoever has not read for that long would have lost a sending connection to a
//! dead peer by then.
//!
//! # Why 4 MiB for an unknown send buffer?
//!
//! It is the largest that Linux grows to by itself (`net.ipv4.tcp_wmem`, third number).
//!
//! # Why does a quarter too late mean that this side was away?
//!
//! A loaded executor delays a timer by milliseconds, a busy machine by tens of them; a quarter of a
//! second is the grace for a limit of one second, and nothing below a second is a sensible limit
//! between machines. A whole limit would forgive only stalls that have already cost a verdict.
//!
//! # Why a sixteenth?
//!
//! A busy connection does not read the clock for each operation: a tick dates what was noted. A
//! sixteenth of the shortest period is the most by which a verdict may come late for that, 6 %, and
//! costs 16 looks in a period, however many million operations pass.
//!
//! # Why 16 operations with a date?
//!
//! A request and its response are a few reads and writes. A connection that was quiet dates its
//! first 16 operations exactly, so quiet traffic is exact; what goes on longer is busy.
//!
//! # Why 32 heartbeats in one turn?
//!
//! Tokio gives a task 128 operations before others get their turn. A stream of nothing but
//! heartbeats does a few operations for each, so it yields in about the same time.
//!
//! # Why 1000 pings in 10 s?
//!
//! The most that a peer can want is a ping each 10 ms, and the least that hurts is tens of
//! thousands per second. gRPC allows two pings before data is due and closes at the third; that
//! is policy, and a limit of your own ([`FloodLimit`](crate::flood::FloodLimit)) may say so.
//!
//! # Why is forgiveness the default?
//!
//! A suspended laptop, a debugger and a blocked executor are more frequent than dead peers. The
//! price is one clean window after a stall of our own.
