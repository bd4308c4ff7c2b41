//! The one way from a signature to a fact. Everything that is there must hold, what the policy wants
//! must be there, and a step that cannot be taken is a refusal.

use jiff::Timestamp;
use plura_oci::Digest;

use crate::{
    Certificate, Content, Demand, Fact, Identity, KeyKind, Logged, PublicKey, Reason, Refusal,
    Signature, Signer, TrustPolicy, TrustRoot, TrustedKey, certificate_log,
    chain::{self, Usage},
    evidence::{check_log, times},
    fact::{Evidence, When, Who},
    json::encode_base64,
    log_body::{Body, Message},
    notation,
};

/// What a signature is presented for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The digest that must have been signed.
    pub digest: &'a Digest,
    /// The children, where it is an index: a signature of one of them is none of the index.
    pub children: &'a [Digest],
    /// Who is trusted to sign.
    pub policy: &'a TrustPolicy,
    /// Who is trusted about identities, times and logs.
    pub root: &'a TrustRoot,
    /// What time it is.
    pub now: Timestamp,
}

/// Whether the signature, here since `arrived`, is what the question asks for.
pub fn verify(
    signature: &Signature,
    arrived: Timestamp,
    question: &Question<'_>,
) -> Result<Fact, Refusal> {
    check_subject(signature, question)?;
    let (who, when, logged) = match &signature.signer {
        Signer::Key { hint } => match trusted_keys(signature, question).as_slice() {
            [] => return Err(without_key(signature, hint, question)),
            keys => verify_key(signature, keys, None, arrived, question)?,
        },
        Signer::Certificate { chain } => match &*signature.content {
            Content::Notation { algorithm, expiry, signed, .. } => {
                let (algorithm, expiry) = (*algorithm, *expiry);
                let claims = notation::Claims { algorithm, expiry, signed };
                notation::verify(signature, chain, claims, arrived, question)?
            }
            // A key that is trusted itself is trusted whatever certificate comes with it.
            _ => match trusted_keys(signature, question).as_slice() {
                [] => verify_certificate(signature, chain, question)?,
                keys => verify_key(signature, keys, chain.first(), arrived, question)?,
            },
        },
    };
    Ok(Fact {
        digest: *question.digest,
        form: signature.form,
        kind: signature.content.kind(),
        predicate_type: signature.content.statement().map(|one| one.predicate_type.clone()),
        signer: who,
        signed: when,
        logged,
    })
}

type Verified = (Who, When, Vec<Logged>);

fn check_subject(signature: &Signature, question: &Question<'_>) -> Result<(), Refusal> {
    if signature.content.is_about(question.digest) {
        return Ok(());
    }
    let found = signature.content.digests();
    let observed = match found.first() {
        Some(digest) => format!("a signature over {digest}"),
        None => "a signature over something without a digest that is known here".to_owned(),
    };
    let child = found.iter().any(|digest| question.children.contains(digest));
    let reason = if child { Reason::ChildDigest } else { Reason::OtherDigest };
    Err(Refusal::new(reason, observed).requiring(format!("a signature over {}", question.digest)))
}

/// The entries of the policy with the key that signed; it may be trusted for several periods.
fn trusted_keys<'a>(signature: &Signature, question: &Question<'a>) -> Vec<&'a TrustedKey> {
    let keys = question.policy.keys.iter();
    keys.filter(|trusted| is_signed_by(signature, &trusted.key)).collect()
}

fn verify_key(
    signature: &Signature,
    keys: &[&TrustedKey],
    certificate: Option<&Certificate>,
    arrived: Timestamp,
    question: &Question<'_>,
) -> Result<Verified, Refusal> {
    let Some(first) = keys.first() else {
        return Err(Refusal::new(Reason::OtherKey, "no trusted key signed these bytes"));
    };
    let demand = question.policy.log.unwrap_or(Demand::Optional);
    let logged = check_log(signature, &first.key, certificate, demand, question)?;
    let times = times(signature, &logged, Demand::Optional, question)?;
    // What is here cannot have been signed later, whatever else is known.
    let arrival = When { time: arrived, evidence: Evidence::Arrival };
    let signed = times.into_iter().min_by_key(|when| when.time).unwrap_or(arrival);
    let trusted = valid_key(keys, signed.time)?;
    let who = Who::Key {
        name: trusted.name.clone(),
        region: trusted.region.clone(),
        fingerprint: trusted.key.fingerprint(),
    };
    Ok((who, signed, logged))
}

/// A key may be trusted for several periods.
fn valid_key<'a>(keys: &[&'a TrustedKey], time: Timestamp) -> Result<&'a TrustedKey, Refusal> {
    keys.iter().find(|trusted| trusted.valid.covers(time)).copied().ok_or_else(|| {
        let names: Vec<_> = keys.iter().map(|trusted| trusted.name.as_str()).collect();
        let observed = format!("signed on {time} with the key of {}", names.join(", "));
        Refusal::new(Reason::ExpiredKey, observed)
    })
}

fn is_signed_by(signature: &Signature, key: &PublicKey) -> bool {
    match signature.content.message() {
        Message::Bytes(message) => key.verifies(message, &signature.bytes),
        Message::Digest(digest) => key.verifies_digest(digest, &signature.bytes),
    }
}

/// Why no trusted key verifies the signature, as far as that can be told: a signature that fits no
/// key looks the same whether the key is another or the payload was changed.
fn without_key(signature: &Signature, hint: &str, question: &Question<'_>) -> Refusal {
    let trusted = &question.policy.keys;
    let entries = signature.log_entries.iter();
    let brought = entries.filter_map(|entry| Body::read(&entry.body).ok());
    let brought: Vec<PublicKey> =
        brought.flat_map(|body| body.keys().collect::<Vec<_>>()).collect();
    if let Some(key) = brought.iter().find(|key| is_signed_by(signature, key)) {
        let observed =
            format!("it was made with the key {} that it names itself", key.fingerprint());
        return Refusal::new(Reason::BroughtKey, observed);
    }
    let named = trusted.iter().find(|one| {
        brought.contains(&one.key)
            || hint == encode_base64(one.key.fingerprint().hash())
            || hint == one.key.fingerprint().hex()
    });
    if let Some(trusted) = named {
        if trusted.key.kind() == KeyKind::Ed25519
            && matches!(*signature.content, Content::Manifest(_))
        {
            let observed = "a signature of an Ed25519 key over a digest alone";
            return Refusal::new(Reason::Unsupported, observed)
                .requiring("a signed statement or payload, which Ed25519 can verify");
        }
        let observed =
            format!("it names the key of {}, which did not sign these bytes", trusted.name);
        return Refusal::new(Reason::TamperedPayload, observed);
    }
    Refusal::new(Reason::OtherKey, "no trusted key signed these bytes")
}

fn verify_certificate(
    signature: &Signature,
    chain: &[Certificate],
    question: &Question<'_>,
) -> Result<Verified, Refusal> {
    let Some((leaf, above)) = chain.split_first() else {
        return Err(Refusal::malformed("the certificate chain is empty"));
    };
    if question.policy.identities.is_empty() {
        let observed = "the signature brings a certificate, and no identity is trusted";
        return Err(Refusal::new(Reason::BroughtKey, observed));
    }
    let key = leaf.public_key()?;
    if !is_signed_by(signature, &key) {
        return Err(not_by_certificate(signature, leaf));
    }
    let demand = question.policy.log.unwrap_or(Demand::Required);
    let logged = check_log(signature, &key, Some(leaf), demand, question)?;
    let times = times(signature, &logged, Demand::Required, question)?;
    let Some(signed) = times.iter().min_by_key(|when| when.time).cloned() else {
        return Err(Refusal::new(Reason::NoTime, "nothing proves when it was signed"));
    };
    if let Some(when) = times.iter().find(|when| !leaf.valid_at(when.time)) {
        let observed = format!("signed on {}", when.time);
        let required = format!("between {} and {}", leaf.not_before, leaf.not_after);
        return Err(Refusal::new(Reason::ExpiredCertificate, observed).requiring(required));
    }
    check_chain(leaf, above, signed.time, question.root)?;
    let certificate_log = check_certificate_log(leaf, above, question)?;
    let identity = Identity::of(leaf)?;
    let name = question.policy.identity(&identity)?.name.clone();
    let certificate = leaf.fingerprint();
    Ok((Who::Identity { name, identity, certificate, certificate_log }, signed, logged))
}

fn not_by_certificate(signature: &Signature, leaf: &Certificate) -> Refusal {
    let bodies = signature.log_entries.iter().filter_map(|entry| Body::read(&entry.body).ok());
    let names_certificate = |body: &Body| body.has_certificate(leaf);
    let names_signature = |body: &Body| body.has_signature(&signature.bytes);
    let bodies: Vec<_> = bodies.collect();
    if bodies.iter().any(|body| names_certificate(body) && !names_signature(body)) {
        let observed = "the certificate and its log entry are those of another signature";
        return Refusal::new(Reason::ReplayedCertificate, observed);
    }
    if !bodies.is_empty() && !bodies.iter().any(names_certificate) {
        let observed =
            "the certificate's key did not sign these bytes, and its log entry is another's";
        return Refusal::new(Reason::ReplayedCertificate, observed);
    }
    Refusal::new(Reason::TamperedPayload, "the certificate's key did not sign these bytes")
}

fn check_chain(
    leaf: &Certificate,
    above: &[Certificate],
    time: Timestamp,
    root: &TrustRoot,
) -> Result<(), Refusal> {
    let mut observed = format!("a certificate of no authority that was trusted on {time}");
    for authority in root.authorities.iter().filter(|authority| authority.valid.covers(time)) {
        let Some((anchor, between)) = authority.split() else { continue };
        match chain::verify(leaf, between.iter().chain(above), anchor, time, Usage::CodeSigning) {
            Ok(()) => return Ok(()),
            Err(error) => observed = format!("not from {}: {error}", authority.name),
        }
    }
    Err(Refusal::new(Reason::UntrustedCertificate, observed))
}

fn check_certificate_log(
    leaf: &Certificate,
    above: &[Certificate],
    question: &Question<'_>,
) -> Result<Option<String>, Refusal> {
    let issuers = question.root.authorities.iter().flat_map(|authority| &authority.chain);
    let issuers: Vec<_> = issuers.chain(above).collect();
    let result = certificate_log::verify(leaf, &issuers, question.root);
    match (result, question.policy.certificate_log) {
        (Ok(log), _) => Ok(Some(log)),
        (Err(refusal), Demand::Optional) if refusal.reason == Reason::NoCertificateTimestamp => {
            Ok(None)
        }
        // Without logs to trust there is nothing that the promise could be compared with.
        (Err(_), Demand::Optional) if question.root.certificate_logs.is_empty() => Ok(None),
        (Err(refusal), _) => Err(refusal),
    }
}
