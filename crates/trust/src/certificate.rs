use jiff::Timestamp;
use plura_oci::Digest;

use crate::{
    Reason, Refusal,
    der::{Malformed, Reader, element, tag},
    key::PublicKey,
};

/// The most bytes of a certificate; Fulcio's have about 1,000.
const MAX_SIZE: usize = 16 * 1024;
/// The most certificates of a chain.
const MAX_CHAIN: usize = 8;

/// An X.509 certificate, taken apart. Nothing is believed by reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its encoding.
    pub der: Vec<u8>,
    pub(crate) to_be_signed: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    /// Encoded names; certificates are compared by their bytes.
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ceases to be.
    pub not_after: Timestamp,
    pub(crate) extensions: Vec<Extension>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) oid: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl Certificate {
    /// Reads one certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, Refusal> {
        crate::json::check_size("certificate", der, MAX_SIZE)?;
        parse(der).map_err(|Malformed| Refusal::malformed("the certificate is not X.509 version 3"))
    }

    /// Reads a chain as PEM, the leaf first.
    pub fn chain_from_pem(pem: &str) -> Result<Vec<Self>, Refusal> {
        crate::json::check_size("certificate chain", pem.as_bytes(), MAX_SIZE * MAX_CHAIN)?;
        let blocks = pem::parse_many(pem)
            .map_err(|_| Refusal::malformed("the certificate chain is not PEM"))?;
        check_length(blocks.len())?;
        blocks
            .iter()
            .map(|block| match block.tag() {
                "CERTIFICATE" => Self::from_der(block.contents()),
                _ => Err(Refusal::malformed("the certificate chain has something else in it")),
            })
            .collect()
    }

    /// Reads a chain of encoded certificates, the leaf first.
    pub(crate) fn chain_from_der<'a>(
        chain: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Self>, Refusal> {
        check_length(chain.len())?;
        chain.map(Self::from_der).collect()
    }

    /// The key that it certifies.
    pub fn public_key(&self) -> Result<PublicKey, Refusal> {
        PublicKey::from_spki(&self.spki)
    }

    /// The SHA-256 of its encoding.
    pub fn fingerprint(&self) -> Digest {
        Digest::sha256(&self.der)
    }

    /// Whether its own validity covers the time.
    pub fn valid_at(&self, time: Timestamp) -> bool {
        self.not_before <= time && time <= self.not_after
    }

    pub(crate) fn extension(&self, oid: &[u8]) -> Option<&[u8]> {
        self.extensions.iter().find(|e| e.oid == oid).map(|e| e.value.as_slice())
    }

    /// What is signed, without one of its extensions: RFC 6962, section 3.2.
    pub(crate) fn to_be_signed_without(&self, oid: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut fields = Reader::only(&self.to_be_signed, tag::SEQUENCE)?.inner();
        let mut kept = Vec::with_capacity(self.to_be_signed.len());
        while !fields.is_empty() {
            let field = fields.next()?;
            if field.tag == tag::context(3) {
                kept.extend(element(tag::context(3), &extensions_without(field.value, oid)?));
            } else {
                kept.extend_from_slice(field.whole);
            }
        }
        Ok(element(tag::SEQUENCE, &kept))
    }
}

fn check_length(length: usize) -> Result<(), Refusal> {
    match length {
        0 => Err(Refusal::malformed("the certificate chain is empty")),
        1..=MAX_CHAIN => Ok(()),
        _ => Err(Refusal::new(Reason::TooLarge, format!("a chain of {length} certificates"))
            .requiring(format!("at most {MAX_CHAIN}"))),
    }
}

fn parse(der: &[u8]) -> Result<Certificate, Malformed> {
    let mut outer = Reader::only(der, tag::SEQUENCE)?.inner();
    let to_be_signed = outer.read(tag::SEQUENCE)?;
    outer.read(tag::SEQUENCE)?;
    outer.read(tag::BIT_STRING)?.bits()?;
    outer.end()?;

    let mut fields = to_be_signed.inner();
    // Version 3 is written as 2; older ones have no extensions.
    if fields.read(tag::context(0))?.value != [tag::INTEGER, 1, 2] {
        return Err(Malformed);
    }
    let serial = fields.read(tag::INTEGER)?.value.to_vec();
    fields.read(tag::SEQUENCE)?;
    let issuer = fields.read(tag::SEQUENCE)?.whole.to_vec();
    let mut validity = fields.sequence()?;
    let (not_before, not_after) = (validity.next()?.time()?, validity.next()?.time()?);
    validity.end()?;
    let subject = fields.read(tag::SEQUENCE)?.whole.to_vec();
    let spki = fields.read(tag::SEQUENCE)?.whole.to_vec();
    // The unique identifiers of issuer and subject, which nobody uses.
    fields.optional(0x81)?;
    fields.optional(0x82)?;
    let extensions = match fields.optional(tag::context(3))? {
        Some(extensions) => extensions_of(extensions.value)?,
        None => Vec::new(),
    };
    fields.end()?;
    Ok(Certificate {
        der: der.to_vec(),
        to_be_signed: to_be_signed.whole.to_vec(),
        serial,
        issuer,
        subject,
        spki,
        not_before,
        not_after,
        extensions,
    })
}

fn extensions_of(bytes: &[u8]) -> Result<Vec<Extension>, Malformed> {
    let mut list = Reader::only(bytes, tag::SEQUENCE)?.inner();
    let mut extensions: Vec<Extension> = Vec::new();
    while !list.is_empty() {
        let mut fields = list.sequence()?;
        let oid = fields.read(tag::OID)?.value.to_vec();
        fields.optional(tag::BOOLEAN)?;
        let value = fields.read(tag::OCTET_STRING)?.value.to_vec();
        fields.end()?;
        // RFC 5280, 4.2: at most one of a kind; two readers could see two of them.
        if extensions.iter().any(|known| known.oid == oid) {
            return Err(Malformed);
        }
        extensions.push(Extension { oid, value });
    }
    Ok(extensions)
}

fn extensions_without(bytes: &[u8], oid: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut list = Reader::only(bytes, tag::SEQUENCE)?.inner();
    let mut kept = Vec::with_capacity(bytes.len());
    while !list.is_empty() {
        let extension = list.read(tag::SEQUENCE)?;
        if extension.inner().read(tag::OID)?.value != oid {
            kept.extend_from_slice(extension.whole);
        }
    }
    Ok(element(tag::SEQUENCE, &kept))
}
