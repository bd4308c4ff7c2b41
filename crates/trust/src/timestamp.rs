//! Timestamps by an authority: RFC 3161, inside of CMS (RFC 5652).

use aws_lc_rs::digest;
use jiff::Timestamp;
use plura_oci::Algorithm;
use serde::Deserialize;

use crate::{
    Authority, Certificate, PublicKey, Reason, Refusal, TrustRoot,
    chain::{self, Usage},
    der::{Element, Malformed, Reader, element, tag},
    json::{Base64, read},
    log_body::Message,
};

/// The most bytes of a timestamp with its certificates.
const MAX_SIZE: usize = 64 * 1024;
/// The most certificates in one.
const MAX_CERTIFICATES: usize = 8;

mod oid {
    pub(super) const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    pub(super) const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
    pub(super) const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
    pub(super) const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
    pub(super) const SIGNING_CERTIFICATE_2: &[u8] =
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 47];
    pub(super) const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
    pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    pub(super) const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
    pub(super) const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
}

/// Reads the annotation `dev.sigstore.cosign/rfc3161timestamp`.
pub(crate) fn from_cosign(json: &str) -> Result<Vec<u8>, Refusal> {
    #[derive(Deserialize)]
    struct Wire {
        #[serde(rename = "SignedRFC3161Timestamp")]
        timestamp: Base64,
    }
    let wire: Wire = read("timestamp", json.as_bytes(), MAX_SIZE * 2)?;
    Ok(wire.timestamp.0)
}

/// When one of the messages existed, and who says so.
pub(crate) fn verify(
    response: &[u8],
    over: &[Message<'_>],
    root: &TrustRoot,
) -> Result<(Timestamp, String), Refusal> {
    crate::json::check_size("timestamp", response, MAX_SIZE)?;
    let invalid = |observed: &str| Refusal::new(Reason::InvalidTimestamp, observed);
    let token =
        Token::read(response).map_err(|Malformed| invalid("the timestamp cannot be read"))?;
    if !over.iter().any(|message| token.is_about(message)) {
        return Err(invalid("the timestamp is about something else"));
    }
    if !token.attributes_hold() {
        return Err(invalid("what the timestamp signs is not what it says"));
    }
    let embedded = token.embedded.iter().filter_map(|one| Certificate::from_der(one).ok());
    let embedded: Vec<_> = embedded.collect();
    let mut refusal = invalid("no trusted timestamp authority signed it");
    for authority in &root.timestamp_authorities {
        match token.verify(authority, &embedded) {
            Ok(()) => return Ok((token.time, authority.name.clone())),
            Err(Some(error)) => refusal = invalid(&error),
            Err(None) => {}
        }
    }
    Err(refusal)
}

/// A timestamp token, taken apart.
struct Token<'a> {
    /// The `TSTInfo`, encoded.
    info: &'a [u8],
    time: Timestamp,
    imprint: (&'static digest::Algorithm, &'a [u8]),
    embedded: Vec<&'a [u8]>,
    signer: Signer<'a>,
}

struct Signer<'a> {
    issuer_and_serial: Option<(&'a [u8], &'a [u8])>,
    key_identifier: Option<&'a [u8]>,
    digest: &'static digest::Algorithm,
    /// The attributes as they are signed.
    attributes: Vec<u8>,
    signature: &'a [u8],
}

impl<'a> Token<'a> {
    fn read(response: &'a [u8]) -> Result<Self, Malformed> {
        let mut content = content_of(response)?;
        if content.read(tag::OID)?.value != oid::SIGNED_DATA {
            return Err(Malformed);
        }
        let mut data = content.read(tag::context(0))?.inner().sequence()?;
        data.read(tag::INTEGER)?;
        data.read(tag::SET)?;
        let mut encapsulated = data.sequence()?;
        if encapsulated.read(tag::OID)?.value != oid::TST_INFO {
            return Err(Malformed);
        }
        let info = encapsulated.read(tag::context(0))?.value;
        let info = Reader::only(info, tag::OCTET_STRING)?.value;
        let embedded = certificates(data.optional(tag::context(0))?)?;
        data.optional(tag::context(1))?;
        let signer = Signer::read(data.read(tag::SET)?)?;
        let (imprint, time) = read_info(info)?;
        Ok(Self { info, time, imprint, embedded, signer })
    }

    fn is_about(&self, message: &Message<'_>) -> bool {
        let (algorithm, imprint) = self.imprint;
        match message {
            Message::Bytes(bytes) => digest::digest(algorithm, bytes).as_ref() == imprint,
            Message::Digest(digest) => {
                *algorithm == digest::SHA256
                    && digest.algorithm() == Algorithm::Sha256
                    && digest.hash() == imprint
            }
        }
    }

    /// RFC 5652, section 11: the attributes name the type and the digest of the content.
    fn attributes_hold(&self) -> bool {
        let expected = digest::digest(self.signer.digest, self.info);
        let digest = self.signer.attribute(oid::MESSAGE_DIGEST);
        let content_type = self.signer.attribute(oid::CONTENT_TYPE);
        digest == Some(element(tag::OCTET_STRING, expected.as_ref()))
            && content_type == Some(element(tag::OID, oid::TST_INFO))
    }

    /// Nothing as an error where the authority has nothing to do with it.
    fn verify(
        &self,
        authority: &Authority,
        embedded: &[Certificate],
    ) -> Result<(), Option<String>> {
        let known = authority.chain.iter().chain(embedded);
        let leaf = known.clone().find(|one| self.signer.is(one)).ok_or(None)?;
        let (root, _) = authority.split().ok_or(None)?;
        if leaf.issuer != root.subject && !authority.chain.iter().any(|c| c.subject == leaf.issuer)
        {
            return Err(None);
        }
        if !authority.valid.covers(self.time) {
            return Err(Some(format!("{} was not in service on {}", authority.name, self.time)));
        }
        if authority.chain.len() > 1 || leaf.der != root.der {
            chain::verify(leaf, known, root, self.time, Usage::TimeStamping).map_err(Some)?;
        } else if !leaf.valid_at(self.time) {
            return Err(Some("the authority's certificate was not valid then".to_owned()));
        }
        let key = leaf.public_key().map_err(|refusal| Some(refusal.to_string()))?;
        if !self.signer.names(leaf) || !self.signer.signed_by(&key) {
            return Err(Some("the timestamp's signature is not valid".to_owned()));
        }
        Ok(())
    }
}

impl<'a> Signer<'a> {
    /// The one signer that a timestamp has: RFC 3161, section 2.4.2.
    fn read(signers: Element<'a>) -> Result<Self, Malformed> {
        let mut signers = signers.inner();
        let mut fields = signers.sequence()?;
        signers.end()?;
        fields.read(tag::INTEGER)?;
        let identifier = fields.next()?;
        let (issuer_and_serial, key_identifier) = match identifier.tag {
            tag::SEQUENCE => {
                let mut parts = identifier.inner();
                let issuer = parts.read(tag::SEQUENCE)?.whole;
                (Some((issuer, parts.read(tag::INTEGER)?.value)), None)
            }
            0x80 => (None, Some(identifier.value)),
            _ => return Err(Malformed),
        };
        let digest = algorithm(fields.sequence()?.read(tag::OID)?.value)?;
        let attributes = fields.read(tag::context(0))?;
        fields.read(tag::SEQUENCE)?;
        let signature = fields.read(tag::OCTET_STRING)?.value;
        // They are stored with a tag of the context and signed as the set they are.
        let attributes = element(tag::SET, attributes.value);
        Ok(Self { issuer_and_serial, key_identifier, digest, attributes, signature })
    }

    fn signed_by(&self, key: &PublicKey) -> bool {
        let mut algorithms = key.algorithms_with(self.digest).iter();
        algorithms.any(|one| key.verifies_by(*one, &self.attributes, self.signature))
    }

    fn is(&self, certificate: &Certificate) -> bool {
        let by_name = self.issuer_and_serial.is_some_and(|(issuer, serial)| {
            certificate.issuer == issuer && certificate.serial == serial
        });
        let by_key = self.key_identifier.is_some_and(|identifier| {
            certificate.extension(oid::SUBJECT_KEY_IDENTIFIER)
                == Some(&element(tag::OCTET_STRING, identifier))
        });
        by_name || by_key
    }

    /// RFC 5035: where the attributes name the certificate, it is that one. The hash is SHA-256 where
    /// no other is named; others are left to the signature.
    fn names(&self, certificate: &Certificate) -> bool {
        let Some(attribute) = self.attribute(oid::SIGNING_CERTIFICATE_2) else { return true };
        let hash = || -> Result<bool, Malformed> {
            let mut certificates = Reader::only(&attribute, tag::SEQUENCE)?.inner().sequence()?;
            let mut first = certificates.sequence()?;
            let hash = match first.optional(tag::SEQUENCE)? {
                Some(named) => algorithm(named.inner().read(tag::OID)?.value)?,
                None => &digest::SHA256,
            };
            let expected = first.read(tag::OCTET_STRING)?.value;
            Ok(digest::digest(hash, &certificate.der).as_ref() == expected)
        };
        hash().unwrap_or(false)
    }

    /// The one value of an attribute, encoded.
    fn attribute(&self, oid: &[u8]) -> Option<Vec<u8>> {
        let mut list = Reader::only(&self.attributes, tag::SET).ok()?.inner();
        let mut found = None;
        while let Ok(mut fields) = list.sequence() {
            if fields.read(tag::OID).ok()?.value != oid {
                continue;
            }
            let mut values = fields.read(tag::SET).ok()?.inner();
            let value = values.next().ok()?;
            // RFC 5652, section 11.2: one of a kind with one value.
            if !values.is_empty() || found.is_some() {
                return None;
            }
            found = Some(value.whole.to_vec());
        }
        found
    }
}

/// A `TimeStampResp` has a status in front (granted, or granted with modifications); Notation keeps the
/// token alone.
fn content_of(response: &[u8]) -> Result<Reader<'_>, Malformed> {
    let outer = Reader::only(response, tag::SEQUENCE)?.inner();
    if { outer }.optional(tag::OID)?.is_some() {
        return Ok(outer);
    }
    let mut outer = outer;
    let mut status = outer.sequence()?;
    if !matches!(status.read(tag::INTEGER)?.value, [0 | 1]) {
        return Err(Malformed);
    }
    outer.sequence()
}

type Imprint<'a> = (&'static digest::Algorithm, &'a [u8]);

/// The `TSTInfo` of RFC 3161, section 2.4.2.
fn read_info(info: &[u8]) -> Result<(Imprint<'_>, Timestamp), Malformed> {
    let mut fields = Reader::only(info, tag::SEQUENCE)?.inner();
    if fields.read(tag::INTEGER)?.value != [1] {
        return Err(Malformed);
    }
    fields.read(tag::OID)?;
    let mut imprint = fields.sequence()?;
    let hash = algorithm(imprint.sequence()?.read(tag::OID)?.value)?;
    let hashed = imprint.read(tag::OCTET_STRING)?.value;
    fields.read(tag::INTEGER)?;
    let time = fields.read(tag::GENERALIZED_TIME)?.time()?;
    Ok(((hash, hashed), time))
}

fn certificates(set: Option<Element<'_>>) -> Result<Vec<&[u8]>, Malformed> {
    let mut all = Vec::new();
    let Some(set) = set else { return Ok(all) };
    let mut list = set.inner();
    while !list.is_empty() {
        if all.len() == MAX_CERTIFICATES {
            return Err(Malformed);
        }
        all.push(list.next()?.whole);
    }
    Ok(all)
}

fn algorithm(oid: &[u8]) -> Result<&'static digest::Algorithm, Malformed> {
    match oid {
        oid::SHA256 => Ok(&digest::SHA256),
        oid::SHA384 => Ok(&digest::SHA384),
        oid::SHA512 => Ok(&digest::SHA512),
        _ => Err(Malformed),
    }
}
