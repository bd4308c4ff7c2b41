//! Handshakes, by certificates that can be replaced while serving.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::client_certificate::{Authorities, ClientCertificate, ClientCertificates};
use super::watched::Watched;

/// Why TLS cannot be used with the files it is made of.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not PEM, or has no certificate or no key in it.
    #[error("no usable PEM section in {path}", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The key is of an unknown kind, or is not the key of the certificate.
    #[error("the certificate and the key cannot be used together")]
    Pair(#[from] rustls::Error),
    /// Not all certificates of a file can be those of authorities.
    #[error("{path} has a certificate that cannot be an authority's", path = path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
}

/// What TLS for a listener is made of.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate chain, PEM, the server's own first.
    pub certificate: PathBuf,
    /// The key of the server's own certificate, PEM.
    pub key: PathBuf,
    /// What clients have to show.
    pub clients: ClientCertificates,
}

/// TLS for a listener; its files are watched for replacement.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    provider: Arc<CryptoProvider>,
    reload_interval: Duration,
    pair: Watched<2>,
    current: Arc<Current>,
    authorities: Option<Authorities>,
    /// How new handshakes go. Another one takes its place when the authorities are replaced,
    /// which whoever was admitted by this one wants to know.
    config: watch::Sender<Arc<ServerConfig>>,
}

/// The key that new handshakes use.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// A connection after its handshake.
pub(super) struct Secured<IO> {
    pub(super) stream: TlsStream<IO>,
    pub(super) client: Option<Arc<ClientCertificate>>,
    pub(super) admission: Admission,
}

/// What a connection was admitted by, as far as that can be taken back.
pub(super) struct Admission(Option<watch::Receiver<Arc<ServerConfig>>>);

impl Admission {
    /// Nobody was asked who is there.
    pub(super) fn of_anyone() -> Self {
        Self(None)
    }

    /// Ends when the authorities were replaced that vouched for the client, if any did.
    pub(super) async fn withdrawn(&mut self) {
        if let Some(config) = &mut self.0
            && config.changed().await.is_ok()
        {
            return;
        }
        // Nobody is here to replace them.
        std::future::pending::<()>().await;
    }
}

impl Tls {
    /// Reads the files; while serving, they are looked at again every `reload_interval`.
    pub fn load(files: TlsFiles, reload_interval: Duration) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pair = Watched::new([files.certificate, files.key]);
        let key = pair.renew(|contents| certified_key(&pair.paths, contents, &provider))?;
        let current = Arc::new(Current(ArcSwap::from_pointee(key)));
        let authorities = Authorities::of(files.clients);
        let verifier = authorities.as_ref().map(|authorities| {
            authorities.file.renew(|contents| authorities.verifier(contents, &provider))
        });
        let first = config(&provider, &current, verifier.transpose()?)?;
        let config = watch::Sender::new(Arc::new(first));
        Ok(Self(Arc::new(Inner { provider, reload_interval, pair, current, authorities, config })))
    }

    /// Reads the files again. New connections use what they hold now; where there is an error,
    /// nothing changes.
    pub fn reload(&self) -> Result<(), TlsError> {
        let pair = self.0.pair.renew(|contents| self.use_pair(contents));
        let authorities = self.0.authorities.as_ref().map_or(Ok(()), |authorities| {
            authorities.file.renew(|contents| self.use_authorities(authorities, contents))
        });
        // The one is put to use even if the other cannot be.
        pair.and(authorities)
    }

    /// The handshake of a new connection. One that failed gives its socket back.
    pub(super) async fn accept<IO>(&self, io: IO) -> Result<Secured<IO>, (io::Error, IO)>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let mut config = self.0.config.subscribe();
        let acceptor = TlsAcceptor::from(Arc::clone(&config.borrow_and_update()));
        let stream = acceptor.accept(io).into_fallible().await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        match shown.map(ClientCertificate::read).transpose() {
            Ok(client) => {
                let client = client.map(Arc::new);
                let admission = Admission(client.as_ref().map(|_| config));
                Ok(Secured { stream, client, admission })
            }
            Err(error) => Err((io::Error::other(error), stream.into_inner().0)),
        }
    }

    /// Looks at the files at every interval; never ends.
    pub(super) async fn keep_fresh(&self) {
        let mut interval = tokio::time::interval(self.0.reload_interval.max(MINIMUM_INTERVAL));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let tls = self.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || tls.look()).await {
                tracing::error!(%error, "cannot look at the TLS certificate");
            }
        }
    }

    fn look(&self) {
        match self.0.pair.renew_if_changed(|contents| self.use_pair(contents)) {
            Ok(true) => tracing::info!("the TLS certificate was replaced"),
            Ok(false) => {}
            Err(error) => {
                let cause = cause(&error);
                tracing::error!(%error, cause, "the TLS certificate stays as it was");
            }
        }
        let Some(authorities) = &self.0.authorities else { return };
        let renew = |contents: &_| self.use_authorities(authorities, contents);
        match authorities.file.renew_if_changed(renew) {
            Ok(true) => tracing::info!("the authorities of client certificates were replaced"),
            Ok(false) => {}
            Err(error) => {
                let cause = cause(&error);
                tracing::error!(%error, cause, "the authorities of client certificates stay as they were");
            }
        }
    }

    fn use_pair(&self, contents: &[Vec<u8>; 2]) -> Result<(), TlsError> {
        let key = certified_key(&self.0.pair.paths, contents, &self.0.provider)?;
        self.0.current.0.store(Arc::new(key));
        Ok(())
    }

    fn use_authorities(
        &self,
        authorities: &Authorities,
        contents: &[Vec<u8>; 1],
    ) -> Result<(), TlsError> {
        let verifier = authorities.verifier(contents, &self.0.provider)?;
        let config = config(&self.0.provider, &self.0.current, Some(verifier))?;
        self.0.config.send_replace(Arc::new(config));
        Ok(())
    }
}

const MINIMUM_INTERVAL: Duration = Duration::from_millis(10);

fn cause(error: &TlsError) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}

/// The one place that decides how a handshake goes.
fn config(
    provider: &Arc<CryptoProvider>,
    current: &Arc<Current>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        // 1.2 and 1.3.
        .with_safe_default_protocol_versions()?;
    let resumable = clients.is_none();
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let resolver: Arc<dyn ResolvesServerCert> = Arc::<Current>::clone(current);
    let mut config = builder.with_cert_resolver(resolver);
    if !resumable {
        // A session that is resumed brings its certificate along, which nobody verifies again: a
        // client whose certificate has expired, or whose authority is gone, would come back.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certified_key(
    [certificate_path, key_path]: &[PathBuf; 2],
    [certificate, key]: &[Vec<u8>; 2],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(certificate_path, certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|source| TlsError::Pem { path: key_path.clone(), source })?;
    Ok(CertifiedKey::from_der(chain, key, provider)?)
}

/// All certificates of a PEM file, of which there must be one.
pub(super) fn certificates(
    path: &Path,
    contents: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_slice_iter(contents)
        .collect::<Result<Vec<_>, _>>()
        .and_then(|all| if all.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(all) })
        .map_err(|source| TlsError::Pem { path: path.into(), source })
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [certificate, _key] = &self.0.pair.paths;
        formatter.debug_struct("Tls").field("certificate", certificate).finish_non_exhaustive()
    }
}
