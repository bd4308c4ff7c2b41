//! What logs and timestamp authorities say about a signature.

use jiff::{SignedDuration, Timestamp};

use crate::{
    Certificate, Demand, Logged, PublicKey, Question, Reason, Refusal, Signature, TrustRoot,
    fact::{Evidence, When},
    log_body::{Body, Found, Message},
    timestamp,
};

/// How far the clocks of others may be ahead.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// What the logs say, for entries that are about this signature. An entry that is about another one
/// is refused even where none is wanted: somebody put it there.
pub(crate) fn check_log(
    signature: &Signature,
    key: &PublicKey,
    certificate: Option<&Certificate>,
    demand: Demand,
    question: &Question<'_>,
) -> Result<Vec<Logged>, Refusal> {
    let found = Found {
        message: signature.content.message(),
        payload: signature.content.payload(),
        envelope: signature.content.envelope(),
        signature: &signature.bytes,
        key,
        certificate,
    };
    let mut logged = Vec::new();
    for entry in &signature.log_entries {
        Body::read(&entry.body)?.names(&found)?;
        match entry.verify(question.root) {
            Ok(one) => logged.push(one),
            // A log that nobody here trusts proves nothing, for or against.
            Err(refusal) if refusal.reason == Reason::UnknownLog && demand == Demand::Optional => {}
            Err(refusal) => return Err(refusal),
        }
    }
    if logged.is_empty() && demand == Demand::Required {
        return Err(Refusal::new(Reason::NoLogEntry, "the signature has no log entry"));
    }
    Ok(logged)
}

/// Every time that is proved. One that has not come yet is proof of a wrong clock.
pub(crate) fn times(
    signature: &Signature,
    logged: &[Logged],
    demand: Demand,
    question: &Question<'_>,
) -> Result<Vec<When>, Refusal> {
    let promised = logged.iter().filter_map(|one| {
        let evidence = Evidence::Log(one.log.clone());
        one.time.map(|time| When { time, evidence })
    });
    let mut times: Vec<_> = promised.collect();
    // cosign's attestations have a timestamp over the whole envelope, everything else over the signature.
    let over = [Message::Bytes(&signature.bytes)];
    let envelope = signature.content.envelope().map(Message::Digest);
    let over: Vec<_> = over.into_iter().chain(envelope).collect();
    for response in &signature.timestamps {
        match timestamp::verify(response, &over, question.root) {
            Ok((time, name)) => {
                times.push(When { time, evidence: Evidence::TimestampAuthority(name) });
            }
            // Without authorities to trust there is nothing to compare it with.
            Err(_)
                if demand == Demand::Optional && question.root.timestamp_authorities.is_empty() => {
            }
            Err(refusal) => return Err(refusal),
        }
    }
    check_future(&times, question.now)?;
    check_service(signature, &times, question.root)?;
    Ok(times)
}

fn check_future(times: &[When], now: Timestamp) -> Result<(), Refusal> {
    let latest = now.saturating_add(CLOCK_SKEW).unwrap_or(Timestamp::MAX);
    match times.iter().find(|when| when.time > latest) {
        None => Ok(()),
        Some(when) => {
            let observed = format!("signed on {}, and now it is {now}", when.time);
            Err(Refusal::new(Reason::FutureTime, observed))
        }
    }
}

/// A log that proves without a promise says no time; it must have been in service at the time that
/// something else proves.
fn check_service(signature: &Signature, times: &[When], root: &TrustRoot) -> Result<(), Refusal> {
    for entry in signature.log_entries.iter().filter(|entry| entry.promise.is_none()) {
        let Ok(log) = entry.log(root) else { continue };
        if let Some(when) = times.iter().find(|when| !log.valid.covers(when.time)) {
            let observed = format!("the log {} was not in service on {}", log.name, when.time);
            return Err(Refusal::new(Reason::InvalidLogEntry, observed));
        }
    }
    Ok(())
}
