//! What only the other service may do, until callers are authenticated: it is on this machine, or shows a certificate
//! that the settings name.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use tandem_proto::common::v1::ErrorReason;
use tonic::Request;

use crate::config::{ConfigError, ServerConfig};
use crate::fault::{Fault, Kind, Outcome};

/// Lets through who calls from a loopback address, from within the process, or with one of
/// [`ServerConfig::peer_certificates`]. What stands in front of the server on the same machine (a proxy, a sidecar)
/// makes everybody a neighbour.
pub fn only_peer<T>(request: &Request<T>, config: &ServerConfig) -> Outcome<()> {
    let near = request.remote_addr().is_none_or(|address| address.ip().to_canonical().is_loopback());
    if near || shown(request).is_some_and(|shown| names(config, &shown)) {
        return Ok(());
    }
    Err(Fault::new(
        Kind::PermissionDenied,
        ErrorReason::PeerOnly,
        "only for the other service: call from this machine, or with a client certificate that \
         server.peer_certificates names",
    ))
}

/// The fingerprint of the certificate with which the caller has proven who it is.
pub(super) fn shown<T>(request: &Request<T>) -> Option<String> {
    request.peer_certs().and_then(|chain| chain.first().map(|leaf| fingerprint(leaf)))
}

/// Fails where certificates are named that nobody could show, or that are no fingerprints.
pub fn check_peers(config: &ServerConfig) -> Result<(), ConfigError> {
    let asked = config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    if !config.peer_certificates.is_empty() && !asked {
        return Err(ConfigError::new(
            "server.peer_certificates needs server.tls with a client_ca: without it no client shows a certificate",
        ));
    }
    for (index, named) in config.peer_certificates.iter().enumerate() {
        let plain = plain(named);
        if plain.len() != 64 || !plain.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ConfigError::new(format!(
                "server.peer_certificates[{index}] = {named:?}: a SHA-256 in hexadecimal expected, 64 digits"
            )));
        }
    }
    Ok(())
}

pub(super) fn names(config: &ServerConfig, shown: &str) -> bool {
    config.peer_certificates.iter().any(|named| plain(named) == shown)
}

/// Tools write fingerprints in capitals and with colons.
fn plain(fingerprint: &str) -> String {
    fingerprint.chars().filter(|&sign| sign != ':').map(|sign| sign.to_ascii_lowercase()).collect()
}

fn fingerprint(der: &[u8]) -> String {
    Sha256::digest(der).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tonic::transport::server::TcpConnectInfo;

    use super::*;
    use crate::config::TlsConfig;

    fn from(address: &str) -> Request<()> {
        let mut request = Request::new(());
        let remote_addr: SocketAddr = address.parse().unwrap();
        let info = TcpConnectInfo { local_addr: None, remote_addr: Some(remote_addr) };
        request.extensions_mut().insert(info);
        request
    }

    #[test]
    fn who_is_on_this_machine_is_a_peer_and_others_are_not() {
        let config = ServerConfig::default();
        for near in ["127.0.0.1:9", "127.8.8.8:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            assert!(only_peer(&from(near), &config).is_ok(), "{near}");
        }
        for far in ["10.0.0.1:9", "[2001:db8::1]:9"] {
            let fault = only_peer(&from(far), &config).unwrap_err();
            assert_eq!((fault.kind(), fault.reason()), (Kind::PermissionDenied, "PEER_ONLY"), "{far}");
        }
    }

    #[test]
    fn a_certificate_that_nobody_can_show_or_that_is_no_fingerprint_is_refused_by_name() {
        let peer_certificates = vec!["ab".repeat(32)];
        let without = ServerConfig { peer_certificates, ..ServerConfig::default() };
        assert!(check_peers(&without).unwrap_err().to_string().contains("client_ca"));
        let tls = TlsConfig {
            certificate: "c".into(),
            key: "k".into(),
            client_ca: Some("ca".into()),
            ..TlsConfig::default()
        };
        let with = ServerConfig { tls: Some(tls), ..without };
        assert!(check_peers(&with).is_ok());
        let wrong = ServerConfig { peer_certificates: vec!["mine".to_owned()], ..with };
        assert!(check_peers(&wrong).unwrap_err().to_string().contains("peer_certificates[0]"));
    }

    #[test]
    fn a_fingerprint_is_the_same_however_it_is_written() {
        let named = fingerprint(b"certificate").to_uppercase();
        let colons: Vec<&str> = (0..32).map(|byte| &named[2 * byte..2 * byte + 2]).collect();
        let config = ServerConfig { peer_certificates: vec![colons.join(":")], ..ServerConfig::default() };
        assert!(names(&config, &fingerprint(b"certificate")));
        assert!(!names(&config, &fingerprint(b"another")));
    }
}
