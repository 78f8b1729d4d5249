//! The server's side of TLS. The files are read again when they change, as certificates do that are renewed: connections
//! go on with what they began with, new ones begin with what is there now.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;

use crate::config::{ConfigError, TlsConfig, read_file};
use crate::fault::{Fault, Outcome};
use crate::tasks::Tasks;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Handshakes of one address at a time, of IPv6 one network of a customer; one more is hung up on. Many, because behind one
/// address there may be many.
const HANDSHAKES: usize = 1_024;

/// What the files say now. Clones share it.
#[derive(Debug, Clone)]
pub struct Tls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    files: TlsConfig,
    now: ArcSwap<Read>,
}

/// The files, and what was made of them.
#[derive(Debug)]
struct Read {
    texts: Texts,
    server: Arc<ServerConfig>,
}

/// The files as they were read: certificate, key and roots of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Texts([Vec<u8>; 3]);

impl Tls {
    /// Reads the files. Fails on those that cannot be read or used.
    pub fn new(files: &TlsConfig) -> Result<Self, ConfigError> {
        if files.require_client_certificate && files.client_ca.is_none() {
            return Err(ConfigError::new(
                "server.tls.require_client_certificate needs server.tls.client_ca: the roots of the certificates",
            ));
        }
        let texts = Texts::of(files)?;
        let server = texts.server(files)?;
        let now = ArcSwap::from_pointee(Read { texts, server });
        Ok(Self(Arc::new(Shared { files: files.clone(), now })))
    }

    /// Looks at the files from now on.
    pub fn follow(&self, tasks: &Tasks) {
        let tls = self.clone();
        tasks.every("certificates", LOOK, None, move || {
            let looked = tls.look();
            async move { looked }
        });
    }

    /// Takes over what the files say, where they say something else. Files that cannot be used leave all as it is: they may
    /// be half written.
    pub fn look(&self) -> Outcome<()> {
        let failed = |error: ConfigError| {
            Fault::internal("changed files of TLS cannot be used: the old ones stay in use").caused_by(error)
        };
        let texts = Texts::of(&self.0.files).map_err(failed)?;
        if texts != self.0.now.load().texts {
            let server = texts.server(&self.0.files).map_err(failed)?;
            self.0.now.store(Arc::new(Read { texts, server }));
            tracing::info!(certificate = ?self.0.files.certificate, "files of TLS have changed: new connections use them");
        }
        Ok(())
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.now.load().server.clone())
    }

    /// The connections whose handshakes have ended well. Each handshake is made by itself, so that nobody waits for one that
    /// never ends.
    pub fn accept(
        self,
        listener: TcpListener,
        tasks: &Tasks,
    ) -> ReceiverStream<io::Result<TlsStream<TcpStream>>> {
        let (ready, incoming) = mpsc::channel(64);
        let (tracked, busy) = (tasks.clone(), Handshakes::default());
        tasks.spawn("accepting", async move {
            loop {
                let accepted = tokio::select! {
                    () = ready.closed() => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((stream, from)) => {
                        let Some(turn) = busy.begin(network(from.ip())) else {
                            tracing::debug!(%from, "too many handshakes of this address: hung up");
                            continue;
                        };
                        let (acceptor, ready) = (self.acceptor(), ready.clone());
                        let stopping = tracked.draining().clone();
                        tracked.spawn("handshake", async move {
                            let secured = tokio::select! {
                                () = stopping.cancelled() => return,
                                secured = tokio::time::timeout(PATIENCE, secure(acceptor, stream)) => secured,
                            };
                            drop(turn);
                            match secured {
                                // Where nobody takes it the server has stopped.
                                Ok(Ok(stream)) => _ = ready.send(Ok(stream)).await,
                                Ok(Err(error)) => tracing::debug!(%from, %error, "a handshake failed"),
                                Err(_) => tracing::debug!(%from, "a handshake did not end"),
                            }
                        });
                    }
                    // Of one connection, or of a process without a free handle: both end by themselves.
                    Err(error) => {
                        tracing::debug!(%error, "a connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        });
        ReceiverStream::new(incoming)
    }
}

/// Whose handshakes count together.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(wide) => {
            let [a, b, c, d, ..] = wide.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        narrow => narrow,
    }
}

async fn secure(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    acceptor.accept(stream).await
}

impl Texts {
    fn of(files: &TlsConfig) -> Result<Self, ConfigError> {
        let roots = files.client_ca.as_ref().map(|path| read_file("server.tls.client_ca", path));
        Ok(Self([
            read_file("server.tls.certificate", &files.certificate)?,
            read_file("server.tls.key", &files.key)?,
            roots.transpose()?.unwrap_or_default(),
        ]))
    }

    fn server(&self, files: &TlsConfig) -> Result<Arc<ServerConfig>, ConfigError> {
        let Self([certificate, key, roots]) = self;
        let chain = certificates("server.tls.certificate", certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| ConfigError::new(format!("server.tls.key = {:?}: {error}", files.key)))?;
        let refused = |error: &dyn std::fmt::Display| ConfigError::new(format!("server.tls: {error}"));
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(&error))?;
        let config = if files.client_ca.is_none() {
            config.with_no_client_auth()
        } else {
            let mut trusted = RootCertStore::empty();
            for root in certificates("server.tls.client_ca", roots)? {
                trusted.add(root).map_err(|error| refused(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider);
            let verifier =
                if files.require_client_certificate { verifier } else { verifier.allow_unauthenticated() };
            config.with_client_cert_verifier(verifier.build().map_err(|error| refused(&error))?)
        };
        let mut config = config.with_single_cert(chain, key).map_err(|error| refused(&error))?;
        // gRPC, and gRPC-Web by clients that speak HTTP/1.1.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(name: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(ConfigError::new(format!("{name}: the file has no certificate in PEM"))),
        Err(error) => Err(ConfigError::new(format!("{name}: {error}"))),
    }
}

/// Handshakes in progress, by address.
#[derive(Debug, Clone, Default)]
struct Handshakes(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them; over when dropped.
struct Turn {
    of: Handshakes,
    from: IpAddr,
}

impl Handshakes {
    fn begin(&self, from: IpAddr) -> Option<Turn> {
        let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = busy.entry(from).or_default();
        (*count < HANDSHAKES).then(|| {
            *count += 1;
            Turn { of: self.clone(), from }
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut busy = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = busy.get_mut(&self.from).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            busy.remove(&self.from);
        }
    }
}
