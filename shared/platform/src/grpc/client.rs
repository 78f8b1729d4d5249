//! Calling the other service: a connection that notices when its peer is gone, and requests that carry on whose call
//! it is and how much of its time is left.

use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig as Secured, Endpoint, Identity};

use super::{PRINCIPAL, TENANT};
use crate::call::Call;
use crate::config::{ClientConfig, ClientTlsConfig, ConfigError, read_file};
use crate::fault::chain;
use crate::trace::Trace;

/// A channel that connects when it is first used, and again whenever it has to. Fails on an ill-formed endpoint, and on
/// files of TLS that cannot be read or used; `section` is where the settings stand.
pub fn channel(section: &str, config: &ClientConfig) -> Result<Channel, ConfigError> {
    const MIB: u32 = 1024 * 1024;
    let mut endpoint = Endpoint::from_shared(config.endpoint.clone())
        .map_err(|error| ConfigError::new(format!("{section}.endpoint {:?}: {error}", config.endpoint)))?
        .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
        .tcp_nodelay(true)
        // While idle too: else the first call after a silent network failure waits for the kernel to give up.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        .initial_stream_window_size(MIB)
        .initial_connection_window_size(4 * MIB);
    if endpoint.uri().scheme_str() == Some("https") {
        let refused = |error| ConfigError::new(format!("{section}.tls: {}", chain(&error)));
        endpoint = endpoint.tls_config(secured(section, &config.tls)?).map_err(refused)?;
    } else if config.tls != ClientTlsConfig::default() {
        return Err(ConfigError::new(format!(
            "{section}.endpoint {:?} is in clear text and takes no {section}.tls: write https://",
            config.endpoint
        )));
    }
    Ok(endpoint.connect_lazy())
}

fn secured(section: &str, tls: &ClientTlsConfig) -> Result<Secured, ConfigError> {
    let secured = match &tls.ca {
        None => Secured::new().with_native_roots(),
        Some(path) => Secured::new()
            .ca_certificate(Certificate::from_pem(read_file(&format!("{section}.tls.ca"), path)?)),
    };
    match (&tls.certificate, &tls.key) {
        (None, None) => Ok(secured),
        (Some(certificate), Some(key)) => {
            let certificate = read_file(&format!("{section}.tls.certificate"), certificate)?;
            let key = read_file(&format!("{section}.tls.key"), key)?;
            Ok(secured.identity(Identity::from_pem(certificate, key)))
        }
        _ => Err(ConfigError::new(format!(
            "{section}.tls.certificate and {section}.tls.key belong together: give both or neither"
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
    fn an_ill_formed_endpoint_is_named() {
        let config = ClientConfig { endpoint: "not a uri".to_owned(), ..ClientConfig::default() };
        assert!(channel("relationship", &config).unwrap_err().to_string().contains("not a uri"));
    }
}
