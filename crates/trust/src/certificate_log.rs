//! Promises of certificate transparency logs inside a certificate: RFC 6962, section 3.

use jiff::Timestamp;

use crate::{
    Certificate, Reason, Refusal, TrustRoot,
    der::{Malformed, Reader, tag},
};

/// 1.3.6.1.4.1.11129.2.4.2
const SCT_LIST: &[u8] = &[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2];
/// The most promises that are looked at.
const MAX_PROMISES: usize = 16;

/// A signed certificate timestamp.
#[derive(Debug, PartialEq, Eq)]
struct Promise<'a> {
    log_id: &'a [u8],
    milliseconds: u64,
    extensions: &'a [u8],
    signature: &'a [u8],
}

/// Whether a trusted log promised to show that certificate, which one of the issuers issued. The
/// name of the log if so.
pub(crate) fn verify(
    certificate: &Certificate,
    issuers: &[&Certificate],
    root: &TrustRoot,
) -> Result<String, Refusal> {
    let Some(extension) = certificate.extension(SCT_LIST) else {
        let observed = "the certificate has no promise of a certificate transparency log";
        return Err(Refusal::new(Reason::NoCertificateTimestamp, observed));
    };
    let invalid = |observed: &str| Refusal::new(Reason::InvalidCertificateTimestamp, observed);
    let promises =
        promises(extension).map_err(|Malformed| invalid("the promises cannot be read"))?;
    let logged = certificate
        .to_be_signed_without(SCT_LIST)
        .map_err(|Malformed| invalid("the certificate cannot be read"))?;
    for promise in promises {
        let Some(log) = root.certificate_logs.iter().find(|log| log.id == promise.log_id) else {
            continue;
        };
        let issuers = issuers.iter().filter(|one| one.subject == certificate.issuer);
        for issuer in issuers {
            let signed = promise.signed(issuer, &logged);
            if log.key.verifies(&signed, promise.signature)
                && promise.time().is_some_and(|time| log.valid.covers(time))
            {
                return Ok(log.name.clone());
            }
        }
    }
    Err(invalid("no trusted certificate transparency log promised this certificate"))
}

impl Promise<'_> {
    /// The digitally-signed struct of RFC 6962, section 3.2, for a precertificate.
    fn signed(&self, issuer: &Certificate, to_be_signed: &[u8]) -> Vec<u8> {
        let mut signed = vec![0, 0];
        signed.extend(self.milliseconds.to_be_bytes());
        signed.extend([0, 1]);
        signed.extend(plura_oci::Digest::sha256(&issuer.spki).hash());
        // A certificate has at most 16 KiB here, so that three bytes hold its length.
        signed.extend(&(to_be_signed.len() as u64).to_be_bytes()[5..]);
        signed.extend(to_be_signed);
        signed.extend(&(self.extensions.len() as u64).to_be_bytes()[6..]);
        signed.extend(self.extensions);
        signed
    }

    fn time(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(i64::try_from(self.milliseconds).ok()?).ok()
    }
}

fn promises(extension: &[u8]) -> Result<Vec<Promise<'_>>, Malformed> {
    let list = Reader::only(extension, tag::OCTET_STRING)?.value;
    let (mut list, rest) = prefixed(list)?;
    if !rest.is_empty() {
        return Err(Malformed);
    }
    let mut promises = Vec::new();
    while !list.is_empty() {
        let (one, rest) = prefixed(list)?;
        list = rest;
        if promises.len() == MAX_PROMISES {
            return Err(Malformed);
        }
        // Other versions may come; they are passed over.
        if one.first() == Some(&0) {
            promises.push(promise(&one[1..])?);
        }
    }
    Ok(promises)
}

fn promise(bytes: &[u8]) -> Result<Promise<'_>, Malformed> {
    let (log_id, rest) = bytes.split_at_checked(32).ok_or(Malformed)?;
    let (time, rest) = rest.split_first_chunk::<8>().ok_or(Malformed)?;
    let (extensions, rest) = prefixed(rest)?;
    // The hash and signature algorithm, which the log's key tells as well.
    let (_, rest) = rest.split_at_checked(2).ok_or(Malformed)?;
    let (signature, rest) = prefixed(rest)?;
    if !rest.is_empty() {
        return Err(Malformed);
    }
    Ok(Promise { log_id, milliseconds: u64::from_be_bytes(*time), extensions, signature })
}

/// What follows a length of two bytes, and what follows that.
fn prefixed(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (length, rest) = bytes.split_first_chunk::<2>().ok_or(Malformed)?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(Malformed)
}
