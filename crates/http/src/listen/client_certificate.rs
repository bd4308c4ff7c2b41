//! Certificates that clients show, and whom they name.

use std::path::PathBuf;
use std::sync::Arc;

use plura_oci::Digest;
use plura_policy::SpiffeId;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use webpki::EndEntityCert;

use super::TlsError;
use super::tls::certificates;
use super::watched::Watched;

/// Whether clients are asked for a certificate, and whose certificates count.
///
/// A certificate that does not count ends the handshake, asked for or required.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// No client is asked.
    #[default]
    Off,
    /// A client that has one shows it.
    Optional {
        /// The certificates of the authorities, PEM.
        authorities: PathBuf,
    },
    /// A client without one gets no connection.
    Required {
        /// The certificates of the authorities, PEM.
        authorities: PathBuf,
    },
}

/// A certificate that the other end of a connection has proved to be its own, signed by one of
/// the authorities, for use by clients, and valid at the time of the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The workload, if the certificate is a SPIFFE one.
    pub spiffe_id: Option<SpiffeId>,
    /// The host names, in lower case. Wildcards are left out: they name nobody.
    pub dns_names: Vec<String>,
    /// SHA-256 of the certificate itself, in lower-case hexadecimal.
    pub fingerprint: String,
}

impl ClientCertificate {
    /// Reads a certificate that was verified before.
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Result<Self, webpki::Error> {
        let parsed = EndEntityCert::try_from(certificate)?;
        let hosts = parsed.valid_dns_names().filter(|name| !name.starts_with('*'));
        Ok(Self {
            spiffe_id: spiffe_id(parsed.valid_uri_names()),
            dns_names: hosts.map(str::to_ascii_lowercase).collect(),
            fingerprint: Digest::sha256(certificate).hex(),
        })
    }
}

/// The SPIFFE ID among the URIs of a certificate (X509-SVID, sections 2, 3.1 and 5.2): with more
/// than one URI there is none, whatever they are. The section's other condition, that it is not a
/// certificate that signs others, holds since the verifier refuses those.
fn spiffe_id<'a>(mut uris: impl Iterator<Item = &'a str>) -> Option<SpiffeId> {
    let (only, None) = (uris.next()?, uris.next()) else { return None };
    only.parse().ok().filter(SpiffeId::names_a_workload)
}

/// The authorities that vouch for clients, and whether a client needs one that does.
pub(super) struct Authorities {
    pub(super) file: Watched<1>,
    required: bool,
}

impl Authorities {
    /// None if no client is asked.
    pub(super) fn of(clients: ClientCertificates) -> Option<Self> {
        let (authorities, required) = match clients {
            ClientCertificates::Off => return None,
            ClientCertificates::Optional { authorities } => (authorities, false),
            ClientCertificates::Required { authorities } => (authorities, true),
        };
        Some(Self { file: Watched::new([authorities]), required })
    }

    /// Judges certificates by what the file holds.
    pub(super) fn verifier(
        &self,
        [contents]: &[Vec<u8>; 1],
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let [path] = &self.file.paths;
        let unusable = |source| TlsError::Authority { path: path.clone(), source };
        let mut roots = RootCertStore::empty();
        for authority in certificates(path, contents)? {
            roots.add(authority).map_err(unusable)?;
        }
        let (roots, provider) = (Arc::new(roots), Arc::clone(provider));
        let builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
        let builder = if self.required { builder } else { builder.allow_unauthenticated() };
        builder.build().map_err(|error| unusable(rustls::Error::General(error.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spiffe_id_is_the_only_uri_and_names_a_workload() {
        let check = |uris: &[&str], expected: Option<&str>| {
            let found = spiffe_id(uris.iter().copied());
            assert_eq!(found.as_ref().map(SpiffeId::as_str), expected, "{uris:?}");
        };
        check(&["spiffe://td/ci"], Some("spiffe://td/ci"));
        check(&[], None);
        check(&["spiffe://td/ci", "spiffe://td/ci"], None);
        check(&["spiffe://td/ci", "https://example.com"], None);
        check(&["https://example.com", "spiffe://td/ci"], None);
        check(&["spiffe://td"], None);
        check(&["spiffe://td/../ci"], None);
        check(&["https://example.com"], None);
    }
}
