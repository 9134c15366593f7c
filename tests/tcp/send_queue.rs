//! The send queue of real sockets: what was asked for, what the kernel gives, and what is refused.

use std::net::{TcpListener, TcpStream};

use liveness::ConfigError;
use liveness::tcp::{ApplyError, SendQueue};
use socket2::SockRef;

/// A client and the server's end of it.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    (client, server)
}

#[test]
fn it_says_what_the_kernel_gives() {
    let (client, _server) = connection();
    let asked = 32 * 1024;
    let held = SendQueue::new().buffer(asked).apply(&client).unwrap();
    let real = SockRef::from(&client).send_buffer_size().unwrap() as u64;
    assert_eq!(held, Some(real));
    assert!(real >= asked.into(), "{real}");
    #[cfg(target_os = "linux")]
    assert_eq!(real, 2 * u64::from(asked));
    // More than there is to have: no error, and the answer tells the truth.
    let held = SendQueue::new().buffer(1 << 30).apply(&client).unwrap();
    let real = SockRef::from(&client).send_buffer_size().unwrap() as u64;
    assert_eq!(held, Some(real));
}

#[test]
fn a_buffer_that_the_kernel_sizes_is_not_known() {
    let (client, _server) = connection();
    let before = SockRef::from(&client).send_buffer_size().unwrap();
    assert_eq!(SendQueue::new().apply(&client).unwrap(), None);
    assert_eq!(SockRef::from(&client).send_buffer_size().unwrap(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn unsent_bytes_are_limited_unless_it_is_left_to_the_system() {
    let (client, server) = connection();
    let unsent = |socket: &TcpStream| SockRef::from(socket).tcp_notsent_lowat().unwrap();
    SendQueue::new().apply(&client).unwrap();
    assert_eq!(unsent(&client), 128 * 1024);
    SendQueue::new().unsent(16 * 1024).apply(&client).unwrap();
    assert_eq!(unsent(&client), 16 * 1024);
    SendQueue::new().unsent(0).apply(&client).unwrap();
    assert_eq!(unsent(&client), unsent(&server));
}

#[test]
fn what_no_option_can_hold_is_refused_before_anything_is_set() {
    let (client, _server) = connection();
    let before = SockRef::from(&client).send_buffer_size().unwrap();
    for queue in [
        SendQueue::new().buffer(0),
        SendQueue::new().buffer(1 << 31),
        SendQueue::new().buffer(4096).unsent(1 << 31),
    ] {
        let error = queue.apply(&client).unwrap_err();
        assert!(matches!(error, ApplyError::Config(_)), "{error}");
        assert_eq!(SockRef::from(&client).send_buffer_size().unwrap(), before);
    }
    let ApplyError::Config(error) = SendQueue::new().buffer(0).apply(&client).unwrap_err() else {
        panic!("a value that cannot work");
    };
    let expected = ConfigError::OutOfRange {
        name: "buffer",
        value: 0,
        least: 1,
        most: i32::MAX as u64,
    };
    assert_eq!(error, expected);
}
