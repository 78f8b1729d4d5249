//! Calling the other service: a connection that notices when its peer is gone, and requests that carry on whose call
//! it is and how much of its time is left.

use std::net::IpAddr;
use std::time::Duration;

use http::Uri;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig as Secured, Endpoint, Identity};

use super::{PRINCIPAL, TENANT};
use crate::call::Call;
use crate::config::{ClientConfig, ClientTlsConfig, ConfigError, read_file};
use crate::fault::chain;
use crate::secret::Address;
use crate::trace::Trace;

/// What an address and the settings of its TLS are called where they are given: `relationship.endpoint` and
/// `relationship.tls.`, or `--campaign` and `--tls-`.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// The address.
    pub endpoint: &'a str,
    /// What every setting of TLS begins with.
    pub tls: &'a str,
}

impl Words<'_> {
    fn wrong(&self, endpoint: &Address, why: impl std::fmt::Display) -> ConfigError {
        ConfigError::new(format!("{} = {endpoint:?}: {why}", self.endpoint))
    }
}

/// A channel that connects when it is first used, and again whenever it has to. Fails on an ill-formed endpoint, and on
/// files of TLS that cannot be read or used.
pub fn channel(words: Words<'_>, config: &ClientConfig) -> Result<Channel, ConfigError> {
    let endpoint = endpoint(words, config)?;
    if is_remote_and_clear(endpoint.uri()) {
        let message = "what is said to an http:// address beyond this machine is read by whoever is on the way: use https://";
        tracing::warn!(setting = words.endpoint, endpoint = %config.endpoint, "{message}");
    }
    Ok(endpoint.connect_lazy())
}

/// Where [`channel`] would connect.
pub fn endpoint(words: Words<'_>, config: &ClientConfig) -> Result<Endpoint, ConfigError> {
    const MIB: u32 = 1024 * 1024;
    let uri = uri(words, &config.endpoint)?;
    let secure = uri.scheme_str() == Some("https");
    let timeout = Duration::from_millis(config.connect_timeout_ms);
    let endpoint = Endpoint::from(uri)
        .connect_timeout(timeout)
        .tcp_nodelay(true)
        // While idle too: else the first call after a silent network failure waits for the kernel to give up.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        .initial_stream_window_size(MIB)
        .initial_connection_window_size(4 * MIB);
    if secure {
        let refused = |error| ConfigError::new(format!("{}…: {}", words.tls, chain(&error)));
        return endpoint.tls_config(secured(words.tls, &config.tls, timeout)?).map_err(refused);
    }
    if config.tls != ClientTlsConfig::default() {
        return Err(words.wrong(
            &config.endpoint,
            format!("is in clear text and takes no {}…: write https://", words.tls),
        ));
    }
    Ok(endpoint)
}

/// `http://host:port` or `https://host:port`, and nothing else that nobody would look at.
fn uri(words: Words<'_>, address: &Address) -> Result<Uri, ConfigError> {
    let text = address.reveal();
    let plain = text.starts_with("http://") || text.starts_with("https://");
    if !plain {
        let why = match text.split_once("://") {
            Some((scheme, _)) => format!("{scheme}:// is not spoken here: write http://… or https://…"),
            None => format!("has no scheme: write http://{address} or https://{address}"),
        };
        return Err(words.wrong(address, why));
    }
    let uri: Uri = text.parse().map_err(|error| words.wrong(address, error))?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(words.wrong(address, "takes no user and no password: callers are not known by them"));
    }
    if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
        return Err(words.wrong(address, "takes no path and no parameters: gRPC has none"));
    }
    Ok(uri)
}

/// Whether an address leads to another machine and what is said can be read on the way.
pub fn is_remote_and_clear(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let near = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    uri.scheme_str() == Some("http") && !near
}

/// A handshake takes no longer than `timeout`.
fn secured(words: &str, tls: &ClientTlsConfig, timeout: Duration) -> Result<Secured, ConfigError> {
    let read = |name: &str, path| read_file(&format!("{words}{name}"), path);
    let begun = Secured::new().timeout(timeout);
    let secured = match &tls.ca {
        None => begun.with_native_roots(),
        Some(path) => begun.ca_certificate(Certificate::from_pem(read("ca", path)?)),
    };
    let secured = match &tls.server_name {
        None => secured,
        Some(name) => secured.domain_name(name),
    };
    match (&tls.certificate, &tls.key) {
        (None, None) => Ok(secured),
        (Some(certificate), Some(key)) => {
            Ok(secured.identity(Identity::from_pem(read("certificate", certificate)?, read("key", key)?)))
        }
        _ => Err(ConfigError::new(format!(
            "{words}certificate and {words}key belong together: give both or neither"
        ))),
    }
}

/// A request on behalf of `call`: its tenant, principal and trace, and what is left of its time, at most `limit`.
pub fn outgoing<T>(call: &Call, limit: Duration, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let left = call.deadline.map_or(limit, |deadline| deadline.remaining().min(limit));
    request.set_timeout(left);
    let metadata = request.metadata_mut();
    let mut set = |key: &'static str, value: &str| {
        if let Ok(value) = MetadataValue::<Ascii>::try_from(value) {
            metadata.insert(key, value);
        }
    };
    set(TENANT, call.tenant.as_str());
    set(PRINCIPAL, &call.principal);
    if call.trace != Trace::default() {
        // The span is a part of the trace: we keep no spans, and the field may not be zero.
        let span = (call.trace.0 as u64) | 1;
        set("traceparent", &format!("00-{}-{span:016x}-00", call.trace));
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Deadline;

    #[test]
    fn a_request_carries_tenant_principal_trace_and_the_time_that_is_left() {
        let mut call = Call::system("shop-7");
        call.trace = Trace(0xabc);
        call.deadline = Some(Deadline::after(Duration::ZERO));
        let request = outgoing(&call, Duration::from_secs(5), ());
        let text = |key: &str| request.metadata().get(key).unwrap().to_str().unwrap().to_owned();
        assert_eq!(text("tandem-tenant"), "shop-7");
        assert_eq!(text("tandem-principal"), "system");
        assert_eq!(text("traceparent"), format!("00-{:032x}-{:016x}-00", 0xabc, 0xabd));
        assert_eq!(text("grpc-timeout"), "0n");
        call.deadline = None;
        let request = outgoing(&call, Duration::from_millis(5), ());
        assert_eq!(request.metadata().get("grpc-timeout").unwrap(), "5000000n");
    }

    #[test]
    fn what_an_address_says_is_honoured_or_refused() {
        let words = Words { endpoint: "peer.endpoint", tls: "peer.tls." };
        let refused = |address: &str| {
            let config = ClientConfig { endpoint: address.into(), ..ClientConfig::default() };
            endpoint(words, &config).unwrap_err().to_string()
        };
        for (address, why) in [
            ("me:secret@shop:7401", "write http://me@shop:7401"),
            ("not-a-uri", "http://not-a-uri"),
            ("shop:7401", "write http://shop:7401 or https://shop:7401"),
            ("grpc://shop:7401", "grpc:// is not spoken here"),
            ("http://me:secret@shop", "takes no user"),
            ("http://shop/v1", "takes no path"),
            ("http://shop?a=b", "takes no path"),
            ("http://", "peer.endpoint"),
        ] {
            let refusal = refused(address);
            assert!(refusal.starts_with("peer.endpoint = ") && refusal.contains(why), "{refusal}");
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn clear_text_is_told_of_where_it_leaves_this_machine() {
        for (address, told) in [
            ("http://localhost:1", false),
            ("http://127.0.0.2:1", false),
            ("http://[::1]:1", false),
            ("http://[::ffff:127.0.0.1]:1", false),
            ("https://shop:1", false),
            ("http://shop:1", true),
            ("http://10.0.0.7:1", true),
        ] {
            assert_eq!(is_remote_and_clear(&address.parse().unwrap()), told, "{address}");
        }
    }
}
