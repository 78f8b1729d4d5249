//! TLS with certificates made here: who is seen behind a connection, and who is turned away.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::config::{ClientConfig, ClientTlsConfig, TlsConfig};

/// Certificates in files, as operators have them.
struct Files(TempDir);

type Issuer = CertifiedIssuer<'static, KeyPair>;

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, pem: &str) -> PathBuf {
        std::fs::write(self.path(name), pem).unwrap();
        self.path(name)
    }

    fn root(&self, name: &str) -> (Issuer, PathBuf) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let path = self.write(name, &issuer.pem());
        (issuer, path)
    }

    /// Certificate, key, and the fingerprint of the certificate.
    fn leaf(&self, name: &str, issuer: &Issuer) -> (PathBuf, PathBuf, String) {
        use sha2::Digest;
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        let digest = sha2::Sha256::digest(certificate.der());
        let fingerprint = digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
        let certificate = self.write(&format!("{name}.crt"), &certificate.pem());
        (certificate, self.write(&format!("{name}.key"), &key.serialize_pem()), fingerprint)
    }
}

fn client(ca: &std::path::Path, shown: Option<(&PathBuf, &PathBuf)>) -> ClientTlsConfig {
    ClientTlsConfig {
        ca: Some(ca.to_owned()),
        server_name: None,
        certificate: shown.map(|(certificate, _)| certificate.clone()),
        key: shown.map(|(_, key)| key.clone()),
    }
}

#[tokio::test]
async fn a_peer_is_known_by_the_certificate_it_shows() {
    let files = Files::new();
    let (issuer, root) = files.root("root");
    let (certificate, key, _) = files.leaf("server", &issuer);
    let (mine, my_key, fingerprint) = files.leaf("peer", &issuer);
    let (other, other_key, _) = files.leaf("other", &issuer);
    let (strange_issuer, _) = files.root("strange");
    let (strange, strange_key, _) = files.leaf("stranger", &strange_issuer);
    let tls = TlsConfig { certificate, key, client_ca: Some(root.clone()), ..TlsConfig::default() };
    let config = ServerConfig { tls: Some(tls), peer_certificates: vec![fingerprint], ..settings() };
    let server = Server::start(config.clone()).await;

    let seen = async |tls| {
        let channel = server.secure_channel(tls);
        send(&channel, "Ask", ask("certificate", "")).await.map(|answer| answer.message)
    };
    let shown = seen(client(&root, Some((&mine, &my_key)))).await.unwrap();
    assert!(peer::names(&config, &shown));
    let shown = seen(client(&root, Some((&other, &other_key)))).await.unwrap();
    assert!(!shown.is_empty() && !peer::names(&config, &shown));
    assert_eq!(seen(client(&root, None)).await.unwrap(), "", "nobody has to show one");
    assert!(seen(client(&root, Some((&strange, &strange_key)))).await.is_err(), "of another root");
    let clear = send(&server.channel(), "Ask", ask("echo", "")).await;
    assert!(clear.is_err(), "nothing is said in clear text");
}

#[tokio::test]
async fn a_server_of_another_root_is_not_spoken_to() {
    let files = Files::new();
    let (issuer, _) = files.root("root");
    let (_, trusted) = files.root("trusted");
    let (certificate, key, _) = files.leaf("server", &issuer);
    let tls = TlsConfig { certificate, key, ..TlsConfig::default() };
    let server = Server::start(ServerConfig { tls: Some(tls), ..settings() }).await;
    let channel = server.secure_channel(client(&trusted, None));
    assert_eq!(send(&channel, "Ask", ask("echo", "")).await.unwrap_err().code(), Code::Unavailable);
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    let files = Files::new();
    let missing = files.path("missing.crt");
    let refused = |tls: TlsConfig| tls::Tls::new(&tls).unwrap_err().to_string();
    let (issuer, _) = files.root("root");
    let (certificate, key, _) = files.leaf("server", &issuer);
    let (_, other_key, _) = files.leaf("other", &issuer);
    let right = TlsConfig { certificate, key, ..TlsConfig::default() };
    let error = refused(TlsConfig { certificate: missing.clone(), ..right.clone() });
    assert!(error.contains("server.tls.certificate") && error.contains("missing.crt"), "{error}");
    let empty = files.write("empty.crt", "");
    let error = refused(TlsConfig { certificate: empty.clone(), ..right.clone() });
    assert!(error.contains("server.tls.certificate") && error.contains("no certificate"), "{error}");
    let error = refused(TlsConfig { key: empty, ..right.clone() });
    assert!(error.contains("server.tls.key"), "{error}");
    assert!(refused(TlsConfig { key: other_key, ..right.clone() }).contains("server.tls"));
    let error = refused(TlsConfig { require_client_certificate: true, ..right });
    assert!(error.contains("server.tls.client_ca"), "{error}");
    let refused = |endpoint: &str, tls| {
        let config = ClientConfig { endpoint: endpoint.into(), tls, ..ClientConfig::default() };
        super::channel(probe::PEER, &config).err().unwrap().to_string()
    };
    let named = client(&missing, None);
    assert!(refused("https://localhost:1", named.clone()).contains("peer.tls.ca"));
    assert!(refused("http://localhost:1", named).contains("https://"));
    let half = ClientTlsConfig { certificate: Some(missing), ..ClientTlsConfig::default() };
    assert!(refused("https://localhost:1", half).contains("tls.key"));
}

#[tokio::test]
async fn whoever_must_show_a_certificate_and_does_not_is_turned_away() {
    let files = Files::new();
    let (issuer, root) = files.root("root");
    let (certificate, key, _) = files.leaf("server", &issuer);
    let (mine, my_key, _) = files.leaf("peer", &issuer);
    let tls = TlsConfig { certificate, key, client_ca: Some(root.clone()), require_client_certificate: true };
    let server = Server::start(ServerConfig { tls: Some(tls), ..settings() }).await;
    let said = async |tls| send(&server.secure_channel(tls), "Ask", ask("echo", "")).await.map(|_| ());
    said(client(&root, Some((&mine, &my_key)))).await.unwrap();
    assert!(said(client(&root, None)).await.is_err());
}

#[tokio::test]
async fn a_server_is_known_by_the_name_that_is_asked_for() {
    let files = Files::new();
    let (issuer, root) = files.root("root");
    let (certificate, key, _) = files.leaf("server", &issuer);
    let tls = TlsConfig { certificate, key, ..TlsConfig::default() };
    let server = Server::start(ServerConfig { tls: Some(tls), ..settings() }).await;
    let named = |name: &str| ClientTlsConfig { server_name: Some(name.to_owned()), ..client(&root, None) };
    let said = async |tls| send(&server.secure_channel(tls), "Ask", ask("echo", "")).await.map(|_| ());
    said(named("localhost")).await.unwrap();
    assert_eq!(said(named("shop.example")).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn who_never_ends_a_handshake_holds_up_nobody() {
    let files = Files::new();
    let (issuer, root) = files.root("root");
    let (certificate, key, _) = files.leaf("server", &issuer);
    let tls = TlsConfig { certificate, key, ..TlsConfig::default() };
    let server = Server::start(ServerConfig { tls: Some(tls), ..settings() }).await;
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(tokio::net::TcpStream::connect(server.address).await.unwrap());
    }
    let channel = server.secure_channel(client(&root, None));
    send(&channel, "Ask", ask("echo", "")).await.unwrap();
    drop(channel);
    server.stop.send(()).await.unwrap();
    assert!(server.stopped().await.orderly(), "nor does it hold up the end");
}

#[tokio::test]
async fn changed_files_are_for_new_connections_and_the_old_ones_go_on() {
    let files = Files::new();
    let (old_issuer, old_root) = files.root("old");
    let (new_issuer, new_root) = files.root("new");
    let (certificate, key, _) = files.leaf("server", &old_issuer);
    let tls = tls::Tls::new(&TlsConfig {
        certificate: certificate.clone(),
        key: key.clone(),
        ..TlsConfig::default()
    });
    let (tls, tasks) = (tls.unwrap(), Tasks::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut accepted = tls.clone().accept(listener, &tasks);
    // One byte each way over a connection that trusts `root`.
    let connect = async |root: &std::path::Path| {
        let config = tls_client(root);
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        config.connect("localhost".try_into().unwrap(), stream).await
    };
    let first = connect(&old_root).await.unwrap();
    let mut pairs = vec![(first, futures::StreamExt::next(&mut accepted).await.unwrap().unwrap())];
    assert!(connect(&new_root).await.is_err());

    let (renewed, renewed_key, _) = files.leaf("renewed", &new_issuer);
    std::fs::copy(&renewed, &certificate).unwrap();
    assert!(tls.look().is_err(), "the key is still the old one");
    let second = connect(&old_root).await.unwrap();
    pairs.push((second, futures::StreamExt::next(&mut accepted).await.unwrap().unwrap()));
    std::fs::copy(&renewed_key, &key).unwrap();
    tls.look().unwrap();
    assert!(connect(&old_root).await.is_err());
    let third = connect(&new_root).await.unwrap();
    pairs.push((third, futures::StreamExt::next(&mut accepted).await.unwrap().unwrap()));
    for (mut here, mut there) in pairs {
        here.write_u8(7).await.unwrap();
        here.flush().await.unwrap();
        assert_eq!(there.read_u8().await.unwrap(), 7);
    }
}

fn tls_client(root: &std::path::Path) -> tokio_rustls::TlsConnector {
    use tokio_rustls::rustls;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    std::sync::Arc::new(config).into()
}
