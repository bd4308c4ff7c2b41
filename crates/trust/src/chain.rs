//! Whether a certificate is from an authority, at a time, for a use: RFC 5280, by webpki.

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::Certificate;

/// What a certificate must be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    CodeSigning,
    TimeStamping,
    /// Notation: code signing, or nothing said.
    CodeSigningIfSaid,
}

const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];

impl Usage {
    fn key_usage(self) -> KeyUsage {
        match self {
            Self::CodeSigning => KeyUsage::required(CODE_SIGNING),
            Self::TimeStamping => KeyUsage::required(TIME_STAMPING),
            Self::CodeSigningIfSaid => KeyUsage::required_if_present(CODE_SIGNING),
        }
    }
}

/// Whether there is a path from the leaf to the root that was valid at that time. In words why not.
pub(crate) fn verify<'a>(
    leaf: &Certificate,
    intermediates: impl Iterator<Item = &'a Certificate>,
    root: &Certificate,
    at: Timestamp,
    usage: Usage,
) -> Result<(), String> {
    let seconds = u64::try_from(at.as_second()).map_err(|_| "it is before 1970".to_owned())?;
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    // An anchor's own validity is nothing that webpki looks at.
    if !root.valid_at(at) {
        return Err(format!("the root was not valid on {at}"));
    }
    let root = CertificateDer::from(root.der.as_slice());
    let anchor = anchor_from_trusted_cert(&root).map_err(|error| error.to_string())?;
    let leaf = CertificateDer::from(leaf.der.as_slice());
    let leaf = EndEntityCert::try_from(&leaf).map_err(|error| error.to_string())?;
    let intermediates: Vec<_> =
        intermediates.map(|one| CertificateDer::from(one.der.as_slice())).collect();
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &[anchor],
        &intermediates,
        time,
        usage.key_usage(),
        None,
        None,
    )
    .map(drop)
    .map_err(|error| error.to_string())
}
