//! Both services and the command line over TLS, each sure of the other.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tandem_tests::process::{Kind, Service};
use tempfile::TempDir;

use crate::cli::ran;

/// A root, and certificates of it, in files.
struct Files {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Files {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.crt"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// `name.crt` and `name.key`.
    fn leaf(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn database(&self, name: &str) -> String {
        format!("sqlite:{}", Path::new(&self.path(name)).display())
    }
}

#[test]
fn the_pair_and_the_command_line_speak_tls_and_nothing_else_is_let_in() {
    let files = Files::new();
    for name in ["relationship", "campaign", "till"] {
        files.leaf(name);
    }
    let file = |name: &str| PathBuf::from(files.path(name)).display().to_string();
    let relationship = Service::start(
        Kind::Relationship,
        &files.database("relationship.db"),
        &[
            ("SERVER__TLS__CERTIFICATE", &file("relationship.crt")),
            ("SERVER__TLS__KEY", &file("relationship.key")),
            ("SERVER__TLS__CLIENT_CA", &file("root.crt")),
            ("SERVER__TLS__REQUIRE_CLIENT_CERTIFICATE", "true"),
        ],
    );
    let peer = format!("https://{}", relationship.address());
    let campaign = Service::start(
        Kind::Campaign,
        &files.database("campaign.db"),
        &[
            ("SERVER__TLS__CERTIFICATE", &file("campaign.crt")),
            ("SERVER__TLS__KEY", &file("campaign.key")),
            ("RELATIONSHIP__ENDPOINT", &peer),
            ("RELATIONSHIP__TLS__CA", &file("root.crt")),
            ("RELATIONSHIP__TLS__SERVER_NAME", "localhost"),
            ("RELATIONSHIP__TLS__CERTIFICATE", &file("campaign.crt")),
            ("RELATIONSHIP__TLS__KEY", &file("campaign.key")),
        ],
    );
    let quote = [
        "quote",
        "--currency",
        "EUR",
        "--line",
        "products/p:1:19.90",
        "--require-incentives",
        "--customer",
        "customers/a",
    ];
    let at = format!("https://{}", campaign.address());
    let trusting = ["--campaign", &at, "--tls-ca", &file("root.crt")];
    let answered = ran("tandem", &[&quote[..], &trusting].concat(), &[]);
    let said = String::from_utf8_lossy(&answered.stderr).into_owned();
    assert!(answered.status.success(), "campaign-svc asks relationship-svc, both over TLS: {said}");

    let refused = |more: &[&str]| {
        let output = ran("tandem", &[&quote[..], more].concat(), &[]);
        assert!(!output.status.success(), "{more:?} is let in");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let untrusted = refused(&["--campaign", &at]);
    assert!(untrusted.contains("UnknownIssuer"), "{untrusted}");
    refused(&["--campaign", &format!("http://{}", campaign.address())]);
    let other =
        refused(&["--campaign", &at, "--tls-ca", &file("root.crt"), "--tls-server-name", "shop.example"]);
    assert!(other.contains("shop.example") || other.contains("NotValidForName"), "{other}");

    let list = [
        "vouchers",
        "export",
        "--incentive",
        "nobody",
        "--relationship",
        &peer,
        "--tls-ca",
        &file("root.crt"),
    ];
    let shown = ["--tls-certificate", &file("till.crt"), "--tls-key", &file("till.key")];
    let known = ran("tandem", &[&list[..], &shown].concat(), &[]);
    let said = String::from_utf8_lossy(&known.stderr).into_owned();
    assert!(said.contains("incentives/nobody"), "who shows a certificate is answered: {said}");
    let unknown = String::from_utf8_lossy(&ran("tandem", &list, &[]).stderr).into_owned();
    assert!(!unknown.contains("incentives/nobody"), "who shows none is not: {unknown}");
}
