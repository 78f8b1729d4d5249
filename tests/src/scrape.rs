//! What a Prometheus server reads of a service, over a real connection.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// An address that nobody listens on: the port is free again when the service takes it.
///
/// # Panics
/// Where no port is free.
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound port").to_string()
}

/// Every metric of the service that is scraped at `address`.
///
/// # Panics
/// Where it does not answer.
pub fn scrape(address: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("somebody listens");
    socket.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("a request is sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    let (head, text) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    text.to_owned()
}
