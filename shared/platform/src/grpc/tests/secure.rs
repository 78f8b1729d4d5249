//! TLS with certificates made here: who is seen behind a connection, and who is turned away.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

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
    let tls = TlsConfig { certificate, key, client_ca: Some(root.clone()) };
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
    let tls = TlsConfig { certificate, key, client_ca: None };
    let server = Server::start(ServerConfig { tls: Some(tls), ..settings() }).await;
    let channel = server.secure_channel(client(&trusted, None));
    assert_eq!(send(&channel, "Ask", ask("echo", "")).await.unwrap_err().code(), Code::Unavailable);
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    let files = Files::new();
    let missing = files.path("missing.crt");
    let tls = TlsConfig { certificate: missing.clone(), key: missing.clone(), client_ca: None };
    let error = transport(&ServerConfig { tls: Some(tls), ..settings() }).err().unwrap().to_string();
    assert!(error.contains("server.tls.certificate") && error.contains("missing.crt"), "{error}");
    let refused = |endpoint: &str, tls| {
        let config = ClientConfig { endpoint: endpoint.to_owned(), tls, ..ClientConfig::default() };
        super::channel("peer", &config).err().unwrap().to_string()
    };
    let named = client(&missing, None);
    assert!(refused("https://localhost:1", named.clone()).contains("peer.tls.ca"));
    assert!(refused("http://localhost:1", named).contains("https://"));
    let half = ClientTlsConfig { certificate: Some(missing), ..ClientTlsConfig::default() };
    assert!(refused("https://localhost:1", half).contains("tls.key"));
}
