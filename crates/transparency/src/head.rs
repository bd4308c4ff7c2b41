//! The head of the log: what was signed last.

use plura_meta::{Timestamp, Tx, log};
use plura_tlog::{Checkpoint, EMPTY_ROOT, Hash, KeyName, SigningKey, VerifierKey};
use tracing::warn;

use crate::{Error, Transparency, blocking, key, signed};

/// The head that was signed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The name of the log.
    pub origin: KeyName,
    /// How many entries are part of the tree.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
    /// What is signed, as verifiers read it.
    pub checkpoint: String,
    /// When it was signed.
    pub signed_at: Timestamp,
}

impl Head {
    pub(crate) fn read(row: &log::Head) -> Result<Self, Error> {
        let size = u64::try_from(row.size).map_err(|error| Error::Head(error.to_string()))?;
        Ok(Self {
            origin: row.origin.parse().map_err(|error| wrong(&error))?,
            size,
            root: row.root.parse().map_err(|error| wrong(&error))?,
            checkpoint: row.checkpoint.clone(),
            signed_at: row.signed_at,
        })
    }

    /// The head of a log with that tree, signed.
    pub(crate) fn sign(
        origin: &KeyName,
        size: u64,
        root: Hash,
        key: &SigningKey,
    ) -> Result<Self, Error> {
        let checkpoint = Checkpoint::new(origin, size, root).sign(&[key])?;
        let (origin, signed_at) = (origin.clone(), Timestamp::now());
        Ok(Self { origin, size, root, checkpoint, signed_at })
    }

    pub(crate) fn row(&self) -> log::Head {
        log::Head {
            size: signed(self.size),
            root: self.root.to_string(),
            checkpoint: self.checkpoint.clone(),
            origin: self.origin.to_string(),
            signed_at: self.signed_at,
        }
    }

    /// Why the checkpoint is not that of the head, if it is not.
    pub(crate) fn problem(&self, keys: &[String]) -> Option<String> {
        let keys: Vec<VerifierKey> = keys.iter().filter_map(|key| key.parse().ok()).collect();
        let opened = Checkpoint::open(self.checkpoint.as_bytes(), self.origin.as_str(), &keys);
        match opened {
            Err(error) => Some(error.to_string()),
            Ok((checkpoint, _)) if checkpoint.size() != self.size => {
                Some(format!("it signs {} entries, the head has {}", checkpoint.size(), self.size))
            }
            Ok((checkpoint, _)) if *checkpoint.root() != self.root => {
                Some(format!("it signs the root {}, the head has {}", checkpoint.root(), self.root))
            }
            Ok(_) => None,
        }
    }
}

fn wrong(error: &dyn std::error::Error) -> Error {
    Error::Head(error.to_string())
}

impl Transparency {
    /// Has a key and a first head, so that what is wrong with either shows at the start. The process before
    /// may have died between a head and its checkpoint, which is written then.
    pub async fn prepare(&self) -> Result<(), Error> {
        let (head, _) = self.ready().await?;
        if let Err(error) = self.publish_again(&head).await {
            warn!(%error, "the checkpoint beside the tiles is not written; with the next it will be");
        }
        Ok(())
    }

    /// The head to continue, and the key to sign the next one with. Makes both where there are none.
    pub(crate) async fn ready(&self) -> Result<(Head, &SigningKey), Error> {
        if let Some(key) = self.shared.key.get()
            && let Some(head) = self.head().await?
            && head.origin == *key.verifier().name()
        {
            return Ok((head, key));
        }
        let key = self.shared.key.get_or_try_init(|| self.begin()).await?;
        let head = self.head().await?.ok_or_else(|| Error::Head("it is gone".to_owned()))?;
        if head.origin != *key.verifier().name() {
            let name = &head.origin;
            return Err(Error::Head(format!(
                "another process named the log `{name}`; start again"
            )));
        }
        Ok((head, key))
    }

    /// Finds out what the log is called, has a key of that name, and signs the first head.
    async fn begin(&self) -> Result<SigningKey, Error> {
        loop {
            let before = self.head().await?;
            let key = self.own_key(before.as_ref()).await?;
            // Another process may have chosen a name meanwhile.
            if self.name(before, &key).await? {
                return Ok(key);
            }
        }
    }

    async fn own_key(&self, head: Option<&Head>) -> Result<SigningKey, Error> {
        let settings = &self.shared.settings;
        let known = head.map(|head| head.origin.clone());
        let origin = settings.origin.clone().or(known).or(settings.default_origin.clone());
        let origin = origin.map_or_else(made_up, Ok)?;
        let (directory, name) = (settings.directory.clone(), origin.clone());
        let key = blocking(move || key::load_or_make(&directory, &name)).await?;
        Ok(if *key.verifier().name() == origin { key } else { key.renamed(origin)? })
    }

    /// Publishes the key, and gives the log its name if it has another one or none; `false` if another
    /// process changed the head meanwhile.
    async fn name(&self, before: Option<Head>, key: &SigningKey) -> Result<bool, Error> {
        let origin = key.verifier().name();
        let (size, root) = before.as_ref().map_or((0, EMPTY_ROOT), |head| (head.size, head.root));
        let renames = before.as_ref().filter(|before| before.origin != *origin);
        if let Some(before) = renames {
            warn!(from = %before.origin, to = %origin, "the log has another name, which is another log to its readers");
        }
        let verifier = key.verifier().to_string();
        let known = log::keys(&mut self.db().read().await?).await?;
        if before.is_some() && renames.is_none() && known.iter().any(|key| key.verifier == verifier)
        {
            return Ok(true);
        }
        let head = Head::sign(origin, size, root, key)?.row();
        let before = before.map(|before| before.row());
        let work = async move |tx: &mut Tx| {
            log::add_key(tx, &verifier, head.signed_at).await?;
            match before {
                None => log::insert_head(tx, &head).await,
                Some(before) if before.origin != head.origin => {
                    log::replace_head(tx, &before, &head).await
                }
                Some(_) => Ok(true),
            }
        };
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }
}

/// What a log is called whose address nobody knows.
fn made_up() -> Result<KeyName, Error> {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    Ok(format!("plura.local/{unique}").parse()?)
}
