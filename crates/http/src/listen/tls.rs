//! Certificates that can be replaced while serving.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Why a certificate and its key cannot be used.
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
}

/// TLS for a listener: a certificate chain and its key, watched for replacement.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: Files,
    reload_interval: Duration,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
    /// The contents last looked at, good or bad, so that each is judged and logged once.
    seen: Mutex<Contents>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Default, PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// The key that new handshakes use.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Tls {
    /// Reads a PEM certificate chain and a PEM key; while serving, the files are looked at again
    /// every `reload_interval`.
    pub fn load(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        reload_interval: Duration,
    ) -> Result<Self, TlsError> {
        let files = Files { certificate: certificate.into(), key: key.into() };
        let contents = files.read()?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pair = files.parse(&contents, &provider)?;
        let current = Arc::new(Current(ArcSwap::from_pointee(pair)));
        let acceptor = TlsAcceptor::from(Arc::new(config(provider, Arc::clone(&current))?));
        let seen = Mutex::new(contents);
        Ok(Self(Arc::new(Inner { files, reload_interval, current, acceptor, seen })))
    }

    /// Reads the files again. New connections use what they hold now; on an error nothing
    /// changes.
    pub fn reload(&self) -> Result<(), TlsError> {
        let contents = self.0.files.read()?;
        self.look_at(contents)
    }

    pub(super) async fn accept<IO>(&self, io: IO) -> io::Result<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.0.acceptor.accept(io).await
    }

    /// Looks at the files at every interval; never ends.
    pub(super) async fn keep_fresh(&self) {
        let mut interval = tokio::time::interval(self.0.reload_interval.max(MINIMUM_INTERVAL));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let tls = self.clone();
            let looked = tokio::task::spawn_blocking(move || tls.reload_if_new()).await;
            match looked {
                Ok(Ok(true)) => tracing::info!("the TLS certificate was replaced"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, cause, "the TLS certificate stays as it was");
                }
                Err(error) => tracing::error!(%error, "cannot look at the TLS certificate"),
            }
        }
    }

    fn reload_if_new(&self) -> Result<bool, TlsError> {
        let contents = self.0.files.read()?;
        if *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) == contents {
            return Ok(false);
        }
        self.look_at(contents).map(|()| true)
    }

    fn look_at(&self, contents: Contents) -> Result<(), TlsError> {
        let provider = self.0.acceptor.config().crypto_provider();
        let pair = self.0.files.parse(&contents, provider);
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) = contents;
        self.0.current.0.store(Arc::new(pair?));
        Ok(())
    }
}

const MINIMUM_INTERVAL: Duration = Duration::from_millis(10);

/// The one place that decides how a handshake goes; client certificates belong here.
fn config(
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl Files {
    fn read(&self) -> Result<Contents, TlsError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| TlsError::Read { path: path.into(), source })
        };
        Ok(Contents { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    fn parse(
        &self,
        contents: &Contents,
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, TlsError> {
        let bad = |path: &Path| {
            let path = path.to_path_buf();
            move |source| TlsError::Pem { path, source }
        };
        let chain = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<Vec<_>, _>>()
            .and_then(
                |chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) },
            )
            .map_err(bad(&self.certificate))?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(bad(&self.key))?;
        Ok(CertifiedKey::from_der(chain, key, provider)?)
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tls")
            .field("certificate", &self.0.files.certificate)
            .finish_non_exhaustive()
    }
}
