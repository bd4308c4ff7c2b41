//! What was found out about credentials a moment ago, so that a request costs no more than a look.
//!
//! Two times matter. What was *proved* (a signature, a password) is not proved again while the proof
//! holds. What somebody *may do* is read again after [`FRESH`], so that disabling an account, ending a
//! credential or taking a role away takes effect within that time on every replica, and at once on the
//! one that did it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use plura_meta::{Timestamp, account::AccountId};
use quick_cache::sync::Cache;

use crate::{
    CertificateNames, NoRandomness, Principal,
    password::Password,
    random,
    signing::{KeyId, TokenClaims},
};

/// How long rights are believed; well below the five seconds within which a revocation must be felt.
pub(crate) const FRESH: Duration = Duration::from_secs(3);

/// Credentials to remember.
const CAPACITY: usize = 16_384;

/// What was proved, so that rights can be read again without proving it again.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// Somebody knows the password that has this hash.
    Password { account: AccountId, hash: String },
    /// Somebody has the secret with this hash.
    Secret { hash: String },
    /// A token of ours says so, which was signed with that key.
    Token { claims: Arc<TokenClaims>, key: KeyId },
    /// A handshake proved it.
    Certificate(Arc<CertificateNames>),
}

/// When somebody's rights were read, and what has changed since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    read_at: Instant,
    generation: u64,
    /// When what was proved ends.
    until: Timestamp,
}

impl Default for Freshness {
    /// Of somebody about whom nothing was proved.
    fn default() -> Self {
        Self { read_at: Instant::now(), generation: 0, until: Timestamp(i64::MAX) }
    }
}

#[derive(Debug)]
struct Entry {
    proof: Proof,
    principal: Arc<Principal>,
}

/// A look into what is known.
pub(crate) enum Known {
    /// This is who it is.
    Fresh(Arc<Principal>),
    /// This was proved; what they may do is to be read again.
    Proved(Proof, Timestamp),
    /// Nothing.
    Nothing,
}

/// A bounded memory of credentials.
#[derive(Debug)]
pub(crate) struct Memory {
    entries: Cache<Box<[u8]>, Arc<Entry>>,
    /// By what stands in a request's `Authorization`, so that most requests cost one look.
    recent: Cache<Box<[u8]>, Arc<Principal>>,
    /// Passwords that are being verified.
    turns: Mutex<HashMap<[u8; 32], Arc<tokio::sync::Mutex<()>>>>,
    generation: AtomicU64,
}

/// A turn to find out about a password, after those who found out about the same before.
pub(crate) struct Turn<'a> {
    memory: &'a Memory,
    key: [u8; 32],
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl Turn<'_> {
    pub(crate) async fn wait(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.lock.lock().await
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = self.memory.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and this one: nobody else waits.
        if Arc::strong_count(&self.lock) <= 2 {
            turns.remove(&self.key);
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        let (entries, recent) = (Cache::new(CAPACITY), Cache::new(CAPACITY));
        Self { entries, recent, turns: Mutex::default(), generation: AtomicU64::new(0) }
    }
}

impl Memory {
    pub(crate) fn turn(&self, key: [u8; 32]) -> Turn<'_> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = Arc::clone(turns.entry(key).or_default());
        Turn { memory: self, key, lock }
    }

    pub(crate) fn look(&self, key: &[u8], now: Timestamp) -> Known {
        let Some(entry) = self.entries.get(key) else { return Known::Nothing };
        let until = entry.principal.freshness.until;
        if until <= now {
            return Known::Nothing;
        }
        if self.is_fresh(&entry.principal) {
            return Known::Fresh(Arc::clone(&entry.principal));
        }
        Known::Proved(entry.proof.clone(), until)
    }

    /// Who was found out to send this `Authorization`, if that is still believed.
    pub(crate) fn recall(&self, key: &[u8]) -> Option<Arc<Principal>> {
        let principal = self.recent.get(key)?;
        let good = self.is_fresh(&principal) && Timestamp::now() < principal.freshness.until;
        good.then_some(principal)
    }

    pub(crate) fn note(&self, key: &[u8], principal: &Arc<Principal>) {
        self.recent.insert(key.into(), Arc::clone(principal));
    }

    fn is_fresh(&self, principal: &Principal) -> bool {
        let Freshness { read_at, generation, .. } = principal.freshness;
        generation == self.generation.load(SeqCst) && read_at.elapsed() < FRESH
    }

    /// To be called before the database is read for what [`Memory::keep`] will keep.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(SeqCst)
    }

    /// Keeps what was read; it is as fresh as the reading.
    pub(crate) fn keep(
        &self,
        key: &[u8],
        generation: u64,
        (proof, until): (Proof, Timestamp),
        principal: Principal,
    ) -> Arc<Principal> {
        let freshness = Freshness { read_at: Instant::now(), generation, until };
        let principal = Arc::new(Principal { freshness, ..principal });
        let entry = Entry { proof, principal: Arc::clone(&principal) };
        self.entries.insert(key.into(), Arc::new(entry));
        principal
    }

    pub(crate) fn forget(&self, key: &[u8]) {
        self.entries.remove(key);
    }

    /// Has everybody's rights read again: something about access has changed.
    pub(crate) fn changed(&self) {
        self.generation.fetch_add(1, SeqCst);
    }
}

/// Turns passwords into keys of the memory: a dump of this process's memory has no password in it, and
/// no hash that could be tried against a list.
pub(crate) struct PasswordKey(aws_lc_rs::hmac::Key);

impl std::fmt::Debug for PasswordKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordKey(..)")
    }
}

impl PasswordKey {
    pub(crate) fn new() -> Result<Self, NoRandomness> {
        let bytes = zeroize::Zeroizing::new(random::bytes::<32>()?);
        Ok(Self(aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, bytes.as_slice())))
    }

    pub(crate) fn digest(&self, name: &str, password: &Password) -> [u8; 32] {
        self.digest_of(&[name, password.expose()])
    }

    pub(crate) fn digest_of(&self, parts: &[&str]) -> [u8; 32] {
        let mut context = aws_lc_rs::hmac::Context::with_key(&self.0);
        for part in parts {
            // Its length before it: `ab` + `c` is not `a` + `bc`.
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}
