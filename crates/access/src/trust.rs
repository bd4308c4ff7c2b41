use std::sync::Arc;

use plura_meta::{Connection, Timestamp, audit::Event, membership, trust};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    Access, Caller, Error, RobotGrant, authenticate,
    members::{self, Subject},
    oidc::{Expected, TrustKind, TrustRule},
    time,
};

/// An issuer whose tokens are exchanged, what must hold of them, and what they lead to.
#[derive(Clone, Debug, Serialize)]
pub struct Trust {
    /// Its name.
    #[serde(skip)]
    pub(crate) name: String,
    /// What must hold of a token.
    #[serde(flatten)]
    pub rule: TrustRule,
    /// How long the tokens of ours that it leads to are valid.
    pub token_seconds: u64,
    /// What those may do.
    pub grants: Vec<RobotGrant>,
    /// Since when.
    pub created_at: String,
    #[serde(skip)]
    document: String,
}

/// A trust entry to be made, or as it is to be from now on.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct NewTrust {
    /// What must hold of a token.
    pub rule: TrustRule,
    /// How long the tokens of ours that it leads to are valid: 900 if not given.
    pub token_seconds: Option<u64>,
    /// What those may do.
    pub grants: Vec<RobotGrant>,
}

impl TryFrom<Map<String, Value>> for NewTrust {
    type Error = serde_json::Error;

    /// Takes its own fields out, so that the rule sees, and refuses, whatever else there is.
    fn try_from(mut fields: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let token_seconds = fields.remove("token_seconds").unwrap_or(Value::Null);
        let grants = fields.remove("grants").unwrap_or(Value::Array(Vec::new()));
        Ok(Self {
            token_seconds: serde_json::from_value(token_seconds)?,
            grants: serde_json::from_value(grants)?,
            rule: serde_json::from_value(Value::Object(fields))?,
        })
    }
}

/// What is stored of an entry.
#[derive(Serialize, Deserialize)]
struct Document {
    rule: TrustRule,
    token_seconds: u64,
    /// Of no other state of any entry, so that tokens do not come back to life when a change is taken
    /// back or an entry is made again.
    #[serde(default)]
    revision: String,
}

impl Document {
    /// A change that changes nothing ends no tokens.
    fn keep_revision(&mut self, old: &trust::Trust) {
        let old: Result<Self, _> = serde_json::from_str(&old.document);
        let same = |old: &Self| old.rule == self.rule && old.token_seconds == self.token_seconds;
        if let Some(old) = old.ok().filter(same) {
            self.revision = old.revision;
        }
    }
}

const TOKEN_SECONDS: u64 = 15 * 60;
const LONGEST_TOKEN: u64 = 60 * 60;

impl Trust {
    pub(crate) fn kind(&self) -> TrustKind {
        self.rule.kind
    }

    pub(crate) fn expected(&self) -> Expected {
        self.rule.expected()
    }

    /// Which state of the entry it was: a token that was issued under another one has ended.
    pub(crate) fn mark(&self) -> String {
        let hash = Sha256::digest(format!("{}\0{}", self.created_at, self.document).as_bytes());
        format!("trust:{}", authenticate::hex(&hash[..8]))
    }
}

pub(crate) fn parse(row: &trust::Trust) -> Result<Trust, Error> {
    let document: Document = serde_json::from_str(&row.document).map_err(|error| {
        let message = format!("trust.document of {}: {error}", row.name);
        Error::Metadata(plura_meta::Error::Corrupt(message))
    })?;
    Ok(Trust {
        name: row.name.clone(),
        rule: document.rule,
        token_seconds: document.token_seconds,
        grants: Vec::new(),
        created_at: time::rfc3339(row.created_at),
        document: row.document.clone(),
    })
}

impl Access {
    /// All trust entries, by name.
    pub async fn trust_entries(&self) -> Result<Vec<Trust>, Error> {
        let mut connection = self.read_db().await?;
        let mut entries = Vec::new();
        for row in trust::list(&mut connection).await? {
            entries.push(with_grants(&mut connection, parse(&row)?).await?);
        }
        Ok(entries)
    }

    /// One trust entry.
    pub async fn trust_entry(&self, name: &str) -> Result<Trust, Error> {
        let mut connection = self.read_db().await?;
        let row = trust::find(&mut connection, name).await?;
        let row = row.ok_or_else(|| Error::unknown("trust entry", name))?;
        with_grants(&mut connection, parse(&row)?).await
    }

    /// Makes a trust entry with its roles.
    pub async fn create_trust(&self, caller: &Caller, new: NewTrust) -> Result<Trust, Error> {
        self.put_trust(caller, new, true).await
    }

    /// Changes a trust entry; the tokens that it has led to end.
    pub async fn change_trust(&self, caller: &Caller, new: NewTrust) -> Result<Trust, Error> {
        self.put_trust(caller, new, false).await
    }

    async fn put_trust(
        &self,
        caller: &Caller,
        new: NewTrust,
        create: bool,
    ) -> Result<Trust, Error> {
        let NewTrust { rule, token_seconds, grants } = new;
        rule.validate().map_err(|error| Error::invalid("trust", error))?;
        let token_seconds = token_seconds.unwrap_or(TOKEN_SECONDS);
        if !(60..=LONGEST_TOKEN).contains(&token_seconds) {
            let reason = format!("expected 60 to {LONGEST_TOKEN}, not {token_seconds}");
            return Err(Error::invalid("token_seconds", reason));
        }
        let name = rule.name.clone();
        let revision = uuid::Uuid::now_v7().to_string();
        let mut new = Document { rule, token_seconds, revision };
        let (entry, caller, now) = (name.clone(), caller.clone(), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                if let Some(old) = trust::find(tx, &entry).await? {
                    new.keep_revision(&old);
                }
                let document = serde_json::to_string(&new)
                    .map_err(|error| Error::System(error.to_string()))?;
                let (action, done) = if create {
                    ("trust.create", trust::insert(tx, &entry, &document, now).await?)
                } else {
                    ("trust.update", trust::update(tx, &entry, &document).await?)
                };
                match (done, create) {
                    (true, _) => {}
                    (false, true) => {
                        return Err(Error::Conflict(format!("there is a trust entry `{entry}`")));
                    }
                    (false, false) => return Err(Error::unknown("trust entry", &entry)),
                }
                membership::delete_subject(tx, "trust", &entry).await?;
                let subject = Subject::Trust(entry.clone());
                for grant in &grants {
                    members::give(tx, &caller, &subject, grant, now).await?;
                }
                let mut event = Event::done(action, format!("trust:{entry}"));
                event.detail = document;
                Ok(plura_meta::audit::record(tx, &caller.origin, &event, now).await?)
            })
        })
        .await?;
        self.trust_entry(&name).await
    }

    /// Removes a trust entry; the tokens that it has led to end.
    pub async fn delete_trust(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        let (name, origin, now) = (name.to_owned(), Arc::clone(&caller.origin), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                if !trust::delete(tx, &name).await? {
                    return Err(Error::unknown("trust entry", &name));
                }
                membership::delete_subject(tx, "trust", &name).await?;
                let event = Event::done("trust.delete", format!("trust:{name}"));
                Ok(plura_meta::audit::record(tx, &origin, &event, now).await?)
            })
        })
        .await
    }
}

async fn with_grants(connection: &mut Connection, entry: Trust) -> Result<Trust, Error> {
    let grants = membership::of_subject(connection, "trust", &entry.name).await?;
    let grants = grants.iter().map(RobotGrant::of).collect::<Result<_, _>>()?;
    Ok(Trust { grants, ..entry })
}
