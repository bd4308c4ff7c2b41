use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Certificate, Refusal,
    der::{Malformed, Reader, tag},
};

/// Who a certificate says somebody is. Only as true as the certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SignerIdentity)]
pub struct Identity {
    /// Who vouched for the subject: the OIDC issuer.
    pub issuer: String,
    /// The subject alternative name: an address, a URI, or a name.
    pub subject: String,
    /// What Fulcio says about the build, by the names of [`extension_names`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, String>,
}

/// The names of Fulcio's extensions from 1.3.6.1.4.1.57264.1.9 on.
const EXTENSIONS: [&str; 15] = [
    "build-signer-uri",
    "build-signer-digest",
    "runner-environment",
    "source-repository-uri",
    "source-repository-digest",
    "source-repository-ref",
    "source-repository-identifier",
    "source-repository-owner-uri",
    "source-repository-owner-identifier",
    "build-config-uri",
    "build-config-digest",
    "build-trigger",
    "run-invocation-uri",
    "source-repository-visibility",
    "deployment-environment",
];

/// 1.3.6.1.4.1.57264.1, to which one more number is added.
const FULCIO: &[u8] = &[0x2b, 6, 1, 4, 1, 0x83, 0xbf, 0x30, 1];
/// The issuer as bare text, and as it should be.
const ISSUER_1: u8 = 1;
const ISSUER_2: u8 = 8;
/// 1.3.6.1.4.1.57264.1.7, the kind of a subject that is neither address nor URI.
const OTHER_NAME: u8 = 7;
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 17];

/// The names that an identity's extensions have.
pub fn extension_names() -> &'static [&'static str] {
    &EXTENSIONS
}

impl Identity {
    /// What the certificate says.
    pub fn of(certificate: &Certificate) -> Result<Self, Refusal> {
        let subject = certificate
            .extension(SUBJECT_ALTERNATIVE_NAME)
            .ok_or(Malformed)
            .and_then(subject)
            .map_err(|Malformed| wrong("the certificate does not name one subject"))?;
        let issuer = issuer(certificate)
            .map_err(|Malformed| wrong("the certificate does not name its issuer"))?;
        if subject.is_empty() || issuer.is_empty() {
            return Err(wrong("the certificate's identity is empty"));
        }
        let mut extensions = BTreeMap::new();
        for (number, name) in (9..).zip(EXTENSIONS) {
            if let Some(value) = fulcio(certificate, number) {
                let value = text(value)
                    .map_err(|Malformed| wrong("an extension of the certificate is not text"))?;
                extensions.insert(name.to_owned(), value);
            }
        }
        Ok(Self { issuer, subject, extensions })
    }
}

fn wrong(observed: &str) -> Refusal {
    Refusal::malformed(observed)
}

fn fulcio(certificate: &Certificate, number: u8) -> Option<&[u8]> {
    certificate.extension(&[FULCIO, &[number]].concat())
}

/// Where both are there they must agree: readers differ in which they prefer.
fn issuer(certificate: &Certificate) -> Result<String, Malformed> {
    let first = fulcio(certificate, ISSUER_1).map(utf8).transpose()?;
    let second = fulcio(certificate, ISSUER_2).map(text).transpose()?;
    match (first, second) {
        (Some(first), Some(second)) if first != second => Err(Malformed),
        (first, second) => second.or(first).ok_or(Malformed),
    }
}

/// The one name. With two of them, who signed would depend on the reader.
fn subject(extension: &[u8]) -> Result<String, Malformed> {
    const ADDRESS: u8 = 0x81;
    const URI: u8 = 0x86;
    let mut names = Reader::only(extension, tag::SEQUENCE)?.inner();
    let name = names.next()?;
    names.end()?;
    match name.tag {
        ADDRESS | URI => utf8(name.value),
        tag if tag == tag::context(0) => other_name(name.inner()),
        _ => Err(Malformed),
    }
}

fn other_name(mut fields: Reader<'_>) -> Result<String, Malformed> {
    if fields.read(tag::OID)?.value != [FULCIO, &[OTHER_NAME]].concat() {
        return Err(Malformed);
    }
    let value = fields.read(tag::context(0))?.value;
    fields.end()?;
    text(value)
}

fn text(encoded: &[u8]) -> Result<String, Malformed> {
    utf8(Reader::only(encoded, tag::UTF8_STRING)?.value)
}

fn utf8(bytes: &[u8]) -> Result<String, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
    if text.chars().any(char::is_control) { Err(Malformed) } else { Ok(text.to_owned()) }
}
