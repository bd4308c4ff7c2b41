//! What was found out about user names and passwords a moment ago.
//!
//! A client that sends Basic credentials sends them with every request, and each costs 19 MiB and two
//! passes of argon2. A verdict is found by an HMAC of the credentials under a key that this process
//! made: whoever reads the memory of the cache has no hash of a password to attack offline.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use quick_cache::sync::Cache;
use zeroize::Zeroizing;

use crate::password::Password;
use crate::random::{self, NoRandomness};

/// How long a verdict holds. Also how long a changed password may work in another process.
pub const VERDICT_LIFETIME: Duration = Duration::from_mins(1);

/// A bounded cache of verdicts. It may lose any of them at any time.
pub struct Verdicts<V> {
    key: hmac::Key,
    cache: Cache<[u8; 32], Entry<V>>,
    /// Raised by `forget_all`; a verdict of an earlier one is void even if it comes in later.
    generation: AtomicU64,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    generation: u64,
    ends: Instant,
}

/// What the cache has to say.
#[derive(Debug)]
pub enum Lookup<V> {
    /// These credentials were verified within the last minute.
    Known(V),
    /// Find out, then [`Verdicts::remember`] the answer with this.
    Unknown(Question),
}

/// Credentials that were looked up and not found, without the credentials.
#[derive(Debug)]
pub struct Question {
    digest: [u8; 32],
    generation: u64,
}

impl<V: Clone> Verdicts<V> {
    /// An empty cache for so many credentials.
    pub fn new(capacity: usize) -> Result<Self, NoRandomness> {
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(random::bytes()?);
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()),
            cache: Cache::new(capacity),
            generation: AtomicU64::new(0),
        })
    }

    /// What was found out about these credentials, if that is no longer ago than a minute.
    pub fn lookup(&self, name: &str, password: &Password, now: Instant) -> Lookup<V> {
        // Read before the caller reads the account: what changes meanwhile voids the answer.
        let generation = self.generation.load(Ordering::SeqCst);
        let digest = self.digest(name, password);
        match self.cache.get(&digest) {
            Some(entry) if entry.generation == generation && now < entry.ends => {
                Lookup::Known(entry.value)
            }
            _ => Lookup::Unknown(Question { digest, generation }),
        }
    }

    /// Keeps the answer to a question. Only for credentials that were found to be right: wrong ones
    /// would let anybody fill the cache.
    pub fn remember(&self, question: &Question, value: V, now: Instant) {
        let Question { digest, generation } = *question;
        if let Some(ends) = now.checked_add(VERDICT_LIFETIME) {
            self.cache.insert(digest, Entry { value, generation, ends });
        }
    }

    /// Voids every verdict, also those that are being found out now. For when a password, an account
    /// or a membership changes.
    pub fn forget_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.cache.clear();
    }

    fn digest(&self, name: &str, password: &Password) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [name, password.expose()] {
            // Its length before it: `ab` + `c` is not `a` + `bc`.
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(
        verdicts: &Verdicts<u32>,
        name: &str,
        password: &str,
        now: Instant,
    ) -> Result<u32, Question> {
        match verdicts.lookup(name, &Password::from(password), now) {
            Lookup::Known(value) => Ok(value),
            Lookup::Unknown(question) => Err(question),
        }
    }

    fn learn(verdicts: &Verdicts<u32>, name: &str, password: &str, value: u32, now: Instant) {
        let question = ask(verdicts, name, password, now).unwrap_err();
        verdicts.remember(&question, value, now);
    }

    #[test]
    fn a_verdict_holds_for_a_minute() {
        let (verdicts, start) = (Verdicts::new(100).unwrap(), Instant::now());
        learn(&verdicts, "alice", "the password", 7, start);
        assert_eq!(
            ask(&verdicts, "alice", "the password", start + Duration::from_secs(59)).unwrap(),
            7
        );
        assert!(ask(&verdicts, "alice", "the password", start + VERDICT_LIFETIME).is_err());
        assert!(ask(&verdicts, "alice", "another one", start).is_err());
        assert!(ask(&verdicts, "bob", "the password", start).is_err());
    }

    #[test]
    fn where_the_name_ends_matters() {
        let (verdicts, start) = (Verdicts::new(100).unwrap(), Instant::now());
        learn(&verdicts, "ab", "c", 1, start);
        assert!(ask(&verdicts, "a", "bc", start).is_err());
        assert!(ask(&verdicts, "", "abc", start).is_err());
    }

    #[test]
    fn forgetting_voids_what_is_being_found_out() {
        let (verdicts, start) = (Verdicts::new(100).unwrap(), Instant::now());
        learn(&verdicts, "alice", "the password", 7, start);
        let slow = ask(&verdicts, "bob", "his password", start).unwrap_err();
        verdicts.forget_all();
        verdicts.remember(&slow, 8, start);
        assert!(ask(&verdicts, "alice", "the password", start).is_err());
        assert!(ask(&verdicts, "bob", "his password", start).is_err());
    }

    #[test]
    fn two_processes_have_different_keys() {
        let password = Password::from("the password");
        let digest = || Verdicts::<()>::new(1).unwrap().digest("alice", &password);
        assert_ne!(digest(), digest());
    }

    #[test]
    fn its_size_is_bounded() {
        let (verdicts, start) = (Verdicts::new(100).unwrap(), Instant::now());
        for number in 0..1000 {
            learn(&verdicts, "alice", &number.to_string(), number, start);
        }
        assert!(verdicts.cache.len() <= 200, "{}", verdicts.cache.len());
    }
}
