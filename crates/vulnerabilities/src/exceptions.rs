//! Granting exceptions, and looking after those that were granted.

use jiff::SignedDuration;
pub use plura_advisories::ExceptionTerms;
use plura_advisories::{
    Exception, ExceptionRules, ImageNames,
    trivyignore::{ImportDefaults, TrivyIgnore},
};
use plura_meta::{
    Timestamp,
    audit::{self, Event, Origin},
    log::{self, NewEntry},
    vulnerability_statement::{self, StoredException},
    whereabouts::{self, Place},
};
use plura_registry::Readable;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Error, Vulnerabilities, ask::read_match, instant};

/// Images that are looked at for whether an exception is of use.
const MOST_LOOKED_AT: u32 = 1000;

/// An exception that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct GrantedException {
    /// What was granted.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub terms: ExceptionTerms,
    /// Whether it holds.
    pub state: ExceptionState,
    /// Whether some image has what it covers; nothing where that was not looked for.
    pub used: Option<bool>,
}

/// Whether an exception holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionState {
    /// It does not yet.
    Pending,
    /// It does.
    Active,
    /// It does, and soon will not.
    Expiring,
    /// It does no more.
    Expired,
}

/// What became of an ignore file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ImportedExceptions {
    /// The exceptions that were granted, by name.
    pub granted: Vec<String>,
    /// What was not, and why.
    pub refused: Vec<String>,
    /// How many entries are about something else.
    pub other: u64,
}

impl Vulnerabilities {
    /// Grants an exception, if the rules allow it.
    pub async fn grant(
        &self,
        origin: &Origin,
        terms: ExceptionTerms,
    ) -> Result<GrantedException, Error> {
        check_name(&terms.id)?;
        let exception = Exception::grant(terms, self.rules())?;
        let terms = exception.terms().clone();
        let stored = StoredException {
            id: terms.id.to_string(),
            document: serde_json::to_string(&terms).unwrap_or_default(),
            created_at: Timestamp::now(),
            expires_at: crate::timestamp(terms.expires_at),
        };
        let event = Event::done("exception.create", format!("exception:{}", terms.id));
        let event = Event { detail: stored.document.clone(), ..event };
        let origin = origin.clone();
        let work = async move |tx: &mut plura_meta::Tx| {
            if !vulnerability_statement::add_exception(tx, &stored).await? {
                return Err(Error::ExceptionExists(stored.id));
            }
            audit::record(tx, &origin, &event, stored.created_at).await?;
            note(tx, "exception.granted", &origin, &stored.document, stored.created_at).await
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.shared.registry.ask_for_log();
        Ok(GrantedException { state: self.state(&exception), terms, used: None })
    }

    /// Ends an exception.
    pub async fn revoke(&self, origin: &Origin, id: &str) -> Result<(), Error> {
        if check_name(id).is_err() {
            return Err(Error::ExceptionUnknown(id.to_owned()));
        }
        let (origin, id) = (origin.clone(), id.to_owned());
        let work = async move |tx: &mut plura_meta::Tx| {
            let Some(terms) = vulnerability_statement::remove_exception(tx, &id).await? else {
                return Err(Error::ExceptionUnknown(id));
            };
            let (event, now) = (format!("exception:{id}"), Timestamp::now());
            audit::record(tx, &origin, &Event::done("exception.remove", event), now).await?;
            note(tx, "exception.revoked", &origin, &terms, now).await
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.shared.registry.ask_for_log();
        Ok(())
    }

    /// All exceptions, with whether they hold and are of use.
    pub async fn exceptions(&self) -> Result<Vec<GrantedException>, Error> {
        let mut all = Vec::new();
        for exception in self.all_exceptions().await? {
            let used = self.is_used(&exception).await?;
            let state = self.state(&exception);
            all.push(GrantedException { state, used, terms: exception.terms().clone() });
        }
        Ok(all)
    }

    /// Grants what an ignore file of Trivy says, as far as it may be granted: `.trivyignore.yaml`, or the
    /// lines of `.trivyignore`.
    pub async fn import_ignored(
        &self,
        origin: &Origin,
        text: &str,
        scope: plura_advisories::Scope,
        (owner, approver): (&str, &str),
    ) -> Result<ImportedExceptions, Error> {
        let read = match TrivyIgnore::parse_yaml(text) {
            Ok(read) => read,
            Err(error) => TrivyIgnore::parse_lines(text).ok().filter(is_plain).ok_or(error)?,
        };
        let defaults = ImportDefaults {
            scope,
            owner: owner.into(),
            approver: approver.into(),
            granted_at: instant(Timestamp::now()),
            longest: self.rules().longest,
        };
        let mut done =
            ImportedExceptions { other: read.other as u64, ..ImportedExceptions::default() };
        for entry in &read.entries {
            let terms = match entry.to_terms(&defaults) {
                Ok(terms) => terms,
                Err(error) => {
                    done.refused.push(format!("{}: {error}", entry.id));
                    continue;
                }
            };
            for terms in terms {
                let id = terms.id.to_string();
                match self.grant(origin, terms).await {
                    Ok(_) => done.granted.push(id),
                    Err(
                        error @ (Error::Refused(_)
                        | Error::ExceptionExists(_)
                        | Error::ExceptionName(_)),
                    ) => {
                        done.refused.push(format!("{id}: {error}"));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(done)
    }

    pub(crate) async fn all_exceptions(&self) -> Result<Vec<Exception>, Error> {
        let stored = vulnerability_statement::exceptions(&mut self.db().read().await?).await?;
        stored.iter().map(restored).collect()
    }

    /// Whether some image has what an exception covers; nothing where that cannot be said by looking at
    /// some.
    async fn is_used(&self, exception: &Exception) -> Result<Option<bool>, Error> {
        let terms = exception.terms();
        let Some(name) = &terms.vulnerability else { return Ok(None) };
        let loaded = self.loaded().await?;
        let name = loaded.set.canonical(name).unwrap_or(name);
        let mut connection = self.db().read().await?;
        let start = Place::default();
        let rows =
            whereabouts::with_vulnerability(&mut connection, name, &start, MOST_LOOKED_AT).await?;
        drop(connection);
        let places = self.places(&rows, &Readable::Everything).await?;
        for row in &rows {
            let Some((document, _)) = &row.found else { continue };
            if !exception.covers(&read_match(document)?) {
                continue;
            }
            let about = |repository: &str| {
                let project = repository.split('/').next().unwrap_or_default();
                let digests = [row.digest];
                exception.is_about(&ImageNames { digests: &digests, repository, project })
            };
            let there = places.get(&row.digest).map(Vec::as_slice).unwrap_or_default();
            if there.iter().any(|place| about(&place.repository)) {
                return Ok(Some(true));
            }
        }
        Ok((rows.len() < MOST_LOOKED_AT as usize).then_some(false))
    }

    fn rules(&self) -> ExceptionRules {
        let longest = self.shared.settings.longest_exception;
        ExceptionRules { longest: longest.try_into().unwrap_or(SignedDuration::MAX) }
    }

    fn state(&self, exception: &Exception) -> ExceptionState {
        let now = instant(Timestamp::now());
        let soon = instant(Timestamp::now().after(self.shared.settings.expiry_warning));
        if exception.is_expired(now) {
            ExceptionState::Expired
        } else if !exception.holds(now) {
            ExceptionState::Pending
        } else if exception.is_expired(soon) {
            ExceptionState::Expiring
        } else {
            ExceptionState::Active
        }
    }
}

/// Notes in the log what became of an exception, about the vulnerability, or else the package.
async fn note(
    tx: &mut plura_meta::Tx,
    kind: &str,
    origin: &Origin,
    terms: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let terms: Value = serde_json::from_str(terms).unwrap_or_default();
    let subject = terms["vulnerability"].as_str().or_else(|| terms["package"]["name"].as_str());
    let subject = subject.unwrap_or_default().to_owned();
    let document = json!({ "actor": origin.actor, "exception": terms }).to_string();
    // It may be about many images, of which some come later: it is found by the vulnerability.
    let digests = &[];
    let entry = NewEntry { kind, subject: &subject, digests, document: document.as_bytes() };
    log::append(tx, &entry, now).await?;
    Ok(())
}

/// Names stand in addresses and in the audit.
fn check_name(name: &str) -> Result<(), Error> {
    const LONGEST: usize = 128;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if begins && name.len() <= LONGEST && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::ExceptionName(name.chars().take(LONGEST).collect()))
}

/// Any text is lines; those of an ignore file begin with names of vulnerabilities.
fn is_plain(read: &TrivyIgnore) -> bool {
    read.entries.iter().all(|entry| !entry.id.ends_with(':') && entry.id.contains('-'))
}

fn restored(stored: &StoredException) -> Result<Exception, Error> {
    let corrupt = |error: &dyn std::fmt::Display| {
        plura_meta::Error::Corrupt(format!("vulnerability_exception of {}: {error}", stored.id))
    };
    let terms: ExceptionTerms =
        serde_json::from_str(&stored.document).map_err(|error| corrupt(&error))?;
    Ok(Exception::restore(terms).map_err(|error| corrupt(&error))?)
}
