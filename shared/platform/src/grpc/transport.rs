//! The server's transport: HTTP/2, and HTTP/1.1 for gRPC-Web.

use std::time::Duration;

use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use crate::config::{ConfigError, ServerConfig, TlsConfig, read_file};
use crate::fault::chain;

/// tonic's server with our settings and no layer: a dead peer is noticed within 40 s, one connection cannot take the
/// whole process, a long-lived one moves on. `Server::timeout` and tonic's load shedding stay off: their answers are
/// not ours.
///
/// # Errors
/// Files of TLS that cannot be read or used.
pub fn transport(config: &ServerConfig) -> Result<Server, ConfigError> {
    const MIB: u32 = 1024 * 1024;
    let mut server = Server::builder()
        .accept_http1(true)
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .initial_stream_window_size(MIB)
        .initial_connection_window_size(4 * MIB)
        .max_concurrent_streams(config.max_streams_per_connection)
        .http2_max_header_list_size(16 * 1024);
    if let Some(tls) = &config.tls {
        let refused = |error| ConfigError::new(format!("server.tls: {}", chain(&error)));
        server = server.tls_config(secured(tls)?).map_err(refused)?;
    }
    if config.connection_age_s == 0 {
        return Ok(server);
    }
    // Jittered, so that the clients of one replica do not all reconnect at once. No grace: with one, tonic 0.14.9 never
    // sends GOAWAY and cuts the connection instead.
    let age = Duration::from_secs(config.connection_age_s);
    Ok(server.max_connection_age(age.mul_f64(rand::random_range(0.9..1.1))))
}

fn secured(tls: &TlsConfig) -> Result<ServerTlsConfig, ConfigError> {
    let certificate = read_file("server.tls.certificate", &tls.certificate)?;
    let key = read_file("server.tls.key", &tls.key)?;
    let secured = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
    Ok(match &tls.client_ca {
        None => secured,
        Some(path) => secured
            .client_ca_root(Certificate::from_pem(read_file("server.tls.client_ca", path)?))
            .client_auth_optional(true),
    })
}
