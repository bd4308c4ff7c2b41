//! Which keys tokens of ours are signed with and verified by, on however many processes.
//!
//! A process signs with its own key while the database has the public half; it looks every few seconds.
//! Everything that comes back is verified by what the database has at that moment. So a key that is taken
//! back ends, within [`FRESH`], all that it ever signed, wherever that is shown, and the process whose
//! key it was makes another one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use plura_meta::{
    Connection, Timestamp, Tx,
    audit::Event,
    signing_key::{self, SigningKey},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Access, Caller, Error,
    known::FRESH,
    signing::{self, InvalidToken, Key, KeyError, KeyId, OwnKey, PublicKey},
};

/// A key is published for so much longer than its last tokens live, and that is put off in time: one
/// whose process is gone for good is forgotten then.
const ABANDONED: Duration = Duration::from_hours(24);

/// The longest life of a token of ours.
const LONGEST_TOKEN: Duration = Duration::from_hours(1);

/// The key of this process, and since when it is known to be published.
pub(crate) struct Keys {
    own: OwnKey,
    rotation: Duration,
    overlap: Duration,
    seen: Mutex<Option<Instant>>,
    /// Held while a key is made and published.
    replacing: tokio::sync::Mutex<()>,
}

impl Keys {
    pub(crate) fn new(own: OwnKey, rotation: Duration, token_life: Duration) -> Self {
        let overlap = 2 * token_life.max(LONGEST_TOKEN);
        Self { own, rotation, overlap, seen: Mutex::default(), replacing: Default::default() }
    }

    fn is_seen(&self) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_some_and(|seen| seen.elapsed() < FRESH)
    }

    fn note_seen(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl Access {
    /// The public halves of all keys that tokens are signed with, as a JWK set.
    pub async fn jwks(&self) -> Result<serde_json::Value, Error> {
        let rows = signing_key::list(&mut self.read_db().await?, Timestamp::now()).await?;
        let keys = rows.iter().filter_map(public_key).map(|key| key.jwk()).collect::<Vec<_>>();
        Ok(serde_json::json!({ "keys": keys }))
    }

    /// Takes a key back: what it signed is refused everywhere within seconds.
    pub async fn revoke_key(&self, caller: &Caller, kid: &str) -> Result<(), Error> {
        let (kid, caller, now) = (kid.to_owned(), caller.clone(), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                if !signing_key::delete(tx, &kid).await? {
                    return Err(Error::unknown("key", &kid));
                }
                let event = Event::done("key.revoke", format!("key:{kid}"));
                Ok(plura_meta::audit::record(tx, &caller.origin, &event, now).await?)
            })
        })
        .await?;
        *self.shared.keys.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// Signs what comes back to one of us.
    pub(crate) async fn sign<T: Serialize>(&self, claims: &T) -> Result<String, Error> {
        let key = self.live_key().await?;
        key.sign(claims).map_err(|error| Error::Keys(error.to_string()))
    }

    /// What one of us signed, and with which key.
    pub(crate) async fn open_signed<T: DeserializeOwned + Clone>(
        &self,
        text: &str,
        now: Timestamp,
    ) -> Result<(KeyId, T), Error> {
        let id = signing::named_key(text).map_err(bad_token)?;
        let key = published(&mut self.read_db().await?, &id, now).await?;
        let opened = signing::open(text, &key).map_err(bad_token)?;
        Ok((key.id, opened))
    }

    /// Has a key to sign with, at the start: the newest of the directory that is published and not too
    /// old, or a new one. A key that is not published was taken back.
    pub(crate) async fn find_key(&self) -> Result<(), Error> {
        let now = Timestamp::now();
        let kept = self.with_key(OwnKey::kept).await?;
        for key in kept {
            let is_young = key.made.after(self.shared.keys.rotation) > now;
            if is_young && self.put_off(&key, now).await? {
                return self.use_key(key).await;
            }
        }
        self.replace_key(now).await.map(|_| ())
    }

    /// Says that the key is still in use, or makes the next one if it is old.
    pub(crate) async fn tend_keys(&self) -> Result<(), Error> {
        let now = Timestamp::now();
        let _turn = self.shared.keys.replacing.lock().await;
        let current = self.shared.keys.own.current();
        let is_young = |key: &Arc<Key>| key.made.after(self.shared.keys.rotation) > now;
        match current.filter(is_young) {
            Some(key) if self.put_off(&key, now).await? => {}
            _ => drop(self.replace_key(now).await?),
        }
        Ok(())
    }

    /// The key of this process, as long as it is published.
    async fn live_key(&self) -> Result<Arc<Key>, Error> {
        let keys = &self.shared.keys;
        if let Some(key) = keys.own.current().filter(|_| keys.is_seen()) {
            return Ok(key);
        }
        let _turn = keys.replacing.lock().await;
        let now = Timestamp::now();
        if let Some(key) = keys.own.current() {
            let id = key.id.as_str();
            if signing_key::find(&mut self.read_db().await?, id, now).await?.is_some() {
                keys.note_seen();
                return Ok(key);
            }
            tracing::warn!(key = %key.id, "the key that signs tokens was taken back");
        }
        self.replace_key(now).await
    }

    /// Makes a key, publishes it and signs with it. What the one before signed is good as before.
    async fn replace_key(&self, now: Timestamp) -> Result<Arc<Key>, Error> {
        let key = self.with_key(move |own| own.make(now)).await?;
        let row = SigningKey {
            kid: key.id.to_string(),
            public_key: key.public.clone(),
            created_at: key.made,
            expires_at: self.needed_until(now),
        };
        let before = self.shared.keys.own.current().map(|before| before.id.to_string());
        let replaced_until = now.after(self.shared.keys.overlap);
        let work = async move |tx: &mut Tx| {
            signing_key::publish(tx, &row).await?;
            if let Some(before) = before {
                // If it was taken back, it stays so.
                signing_key::set_expiry(tx, &before, replaced_until).await?;
            }
            Ok::<(), Error>(())
        };
        self.shared.db.write(move |tx| Box::pin(async move { work(tx).await })).await?;
        tracing::info!(key = %key.id, "a new key signs tokens");
        self.use_key(key.clone()).await?;
        Ok(Arc::new(key))
    }

    async fn use_key(&self, key: Key) -> Result<(), Error> {
        self.with_key(move |own| own.use_alone(key)).await?;
        self.shared.keys.note_seen();
        Ok(())
    }

    /// Says that a key is still needed, where that was not said of late; `false` if it was taken back.
    async fn put_off(&self, key: &Key, now: Timestamp) -> Result<bool, Error> {
        let (kid, until) = (key.id.to_string(), self.needed_until(now));
        let found = signing_key::find(&mut self.read_db().await?, &kid, now).await?;
        match found {
            None => return Ok(false),
            Some(row) if row.expires_at > until.before(ABANDONED / 2) => return Ok(true),
            Some(_) => {}
        }
        let work = async move |tx: &mut Tx| {
            Ok::<_, Error>(signing_key::set_expiry(tx, &kid, until).await?)
        };
        self.shared.db.write(move |tx| Box::pin(async move { work(tx).await })).await
    }

    fn needed_until(&self, now: Timestamp) -> Timestamp {
        now.after(self.shared.keys.overlap + ABANDONED)
    }

    /// Reads or writes files, where that holds up nobody.
    async fn with_key<T: Send + 'static>(
        &self,
        work: impl FnOnce(&OwnKey) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, Error> {
        let access = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&access.shared.keys.own)).await;
        let done = done.map_err(|error| Error::System(error.to_string()))?;
        done.map_err(|error| Error::Keys(error.to_string()))
    }
}

/// The key of that name, if one of us signs with it.
pub(crate) async fn published(
    connection: &mut Connection,
    id: &KeyId,
    now: Timestamp,
) -> Result<PublicKey, Error> {
    let row = signing_key::find(connection, id.as_str(), now).await?;
    row.as_ref().and_then(public_key).ok_or_else(|| bad_token(InvalidToken::UnknownKey))
}

fn public_key(row: &SigningKey) -> Option<PublicKey> {
    PublicKey::read(&KeyId::parse(&row.kid)?, &row.public_key)
}

fn bad_token(error: InvalidToken) -> Error {
    Error::BadToken(error.to_string())
}

#[cfg(test)]
mod tests;
