//! argon2id, a few at a time, away from the threads that serve connections.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{Semaphore, oneshot};

use super::{LONGEST, Password};
use crate::random::{self, NoRandomness};

/// Each takes 19 MiB and a processor for some 20 ms; two at a time leave the others to transfers.
const AT_ONCE: usize = 2;
/// More than wait here are turned away: a flood of wrong passwords must not become a queue that right
/// ones wait behind for minutes.
const WAITING: usize = 128;

/// What is verified for a name that does not exist, so that the time does not tell. No password is
/// known for it, and the answer is not used.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$cGx1cmEgbm9ib2R5IQ$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Memory, passes and lanes of a stored hash beyond which it is not verified but called damaged.
const MOST: (u32, u32, u32) = (256 * 1024, 16, 16);

/// Hashes and verifies passwords with argon2id (19 MiB, two passes, one lane), as PHC strings.
///
/// On threads of its own: the allocator keeps the 19 MiB for each thread that ever hashed, and the
/// runtime has a hundred that may block.
#[derive(Clone, Debug)]
pub struct Hasher {
    jobs: mpsc::Sender<Job>,
    waiting: Arc<Semaphore>,
}

type Job = Box<dyn FnOnce() + Send>;

/// The outcome of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The password is the one that was hashed.
    pub ok: bool,
    /// It is, and the hash was made with other parameters than today's: store a new one.
    pub needs_rehash: bool,
}

impl Verified {
    const NO: Self = Self { ok: false, needs_rehash: false };
}

/// A password could neither be called right nor wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HasherError {
    /// More are waiting than would be answered in a sensible time.
    #[error("too many passwords are being verified; retry in a second")]
    Busy,
    /// What is stored is no argon2 hash of a bearable cost.
    #[error("the stored password hash is damaged; set a new password")]
    Damaged,
    /// No salt could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The computation ended without an answer: no memory, or the process is ending.
    #[error("the password hash could not be computed")]
    Failed,
}

impl Default for Hasher {
    fn default() -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..AT_ONCE {
            let queue = Arc::clone(&queue);
            // They end when the last hasher is gone. Where no thread can be had, the others do it; where
            // none is there, nobody answers, and that is an error of its own.
            let _ = thread::Builder::new().name("password".into()).spawn(move || work(&queue));
        }
        Self { jobs, waiting: Arc::new(Semaphore::new(AT_ONCE + WAITING)) }
    }
}

/// Does what is queued, one after the other.
fn work(queue: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job();
    }
}

impl Hasher {
    /// The PHC string to store for `password`.
    pub async fn hash(&self, password: &Password) -> Result<String, HasherError> {
        let password = password.clone();
        self.run(move || hash(&password)).await
    }

    /// Whether `password` is the one that `stored` was made of; `None` for a name that is not known,
    /// which takes the same time and is never right.
    pub async fn verify(
        &self,
        password: &Password,
        stored: Option<&str>,
    ) -> Result<Verified, HasherError> {
        let known = stored.is_some();
        let (password, stored) = (password.clone(), stored.unwrap_or(NOBODY).to_owned());
        let verified = self.run(move || verify(&password, &stored)).await?;
        Ok(if known { verified } else { Verified::NO })
    }

    /// Runs it when its turn has come. It runs to its end even if the caller goes away, and keeps its
    /// place until then.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HasherError> + Send + 'static,
    ) -> Result<T, HasherError> {
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| HasherError::Busy)?;
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            // A mistake takes the request down that met it, and not the thread, without which nobody
            // could log in.
            let result = catch_unwind(AssertUnwindSafe(work));
            drop(place);
            // Nobody listens if the caller went away.
            let _ = answer.send(result);
        });
        self.jobs.send(job).map_err(|_| HasherError::Failed)?;
        match answered.await.map_err(|_| HasherError::Failed)? {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }
}

fn argon2id() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

fn hash(password: &Password) -> Result<String, HasherError> {
    let salt: [u8; 16] = random::bytes()?;
    let hash = argon2id().hash_password_with_salt(password.expose().as_bytes(), &salt);
    Ok(hash.map_err(|_| HasherError::Failed)?.to_string())
}

fn verify(password: &Password, stored: &str) -> Result<Verified, HasherError> {
    plura_fault::point("access.verify").map_err(|_| HasherError::Failed)?;
    let stored = PasswordHash::new(stored).map_err(|_| HasherError::Damaged)?;
    let params = bearable(&stored)?;
    // A text that could not have been set takes the time of one that could.
    let bytes = password.expose().as_bytes();
    let settable = bytes.len() <= LONGEST * 4;
    let bytes = if settable { bytes } else { b"" };
    match argon2id().verify_password(bytes, &stored) {
        Ok(()) if settable => Ok(Verified { ok: true, needs_rehash: !is_todays(&stored, &params) }),
        Ok(()) | Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verified::NO),
        Err(_) => Err(HasherError::Damaged),
    }
}

/// The parameters of a stored hash, if verifying it cannot take all memory or minutes.
fn bearable(stored: &PasswordHash) -> Result<Params, HasherError> {
    let params = Params::try_from(stored).map_err(|_| HasherError::Damaged)?;
    let whole = stored.salt.is_some() && stored.hash.is_some();
    let (memory, passes, lanes) = MOST;
    let cheap = params.m_cost() <= memory && params.t_cost() <= passes && params.p_cost() <= lanes;
    if whole && cheap { Ok(params) } else { Err(HasherError::Damaged) }
}

fn is_todays(stored: &PasswordHash, params: &Params) -> bool {
    let today = Params::DEFAULT;
    stored.algorithm == Algorithm::Argon2id.ident()
        && stored.version == Some(Version::V0x13.into())
        && (params.m_cost(), params.t_cost(), params.p_cost())
            == (today.m_cost(), today.t_cost(), today.p_cost())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password() -> Password {
        "a rather long password".into()
    }

    #[tokio::test]
    async fn what_was_hashed_is_verified() {
        let hasher = Hasher::default();
        let stored = hasher.hash(&password()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let verified = hasher.verify(&password(), Some(&stored)).await.unwrap();
        assert_eq!(verified, Verified { ok: true, needs_rehash: false });
        let wrong = hasher.verify(&"another password".into(), Some(&stored)).await.unwrap();
        assert_eq!(wrong, Verified::NO);
        assert_ne!(stored, hasher.hash(&password()).await.unwrap(), "each has a salt of its own");
    }

    #[tokio::test]
    async fn a_hash_of_yesterday_is_to_be_made_anew() {
        let old =
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let old = old.hash_password_with_salt(b"a rather long password", b"saltsaltsalt").unwrap();
        let verified = Hasher::default().verify(&password(), Some(&old.to_string())).await.unwrap();
        assert_eq!(verified, Verified { ok: true, needs_rehash: true });
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let hasher = Hasher::default();
        assert_eq!(hasher.verify(&password(), None).await.unwrap(), Verified::NO);
        assert_eq!(hasher.verify(&"".into(), None).await.unwrap(), Verified::NO);
        let nobody = PasswordHash::new(NOBODY).unwrap();
        assert!(is_todays(&nobody, &bearable(&nobody).unwrap()), "it costs what others cost");
    }

    #[tokio::test]
    async fn a_text_too_long_to_have_been_set_is_wrong() {
        let hasher = Hasher::default();
        let empty = hasher.hash(&"".into()).await.unwrap();
        let long = Password::from("x".repeat(LONGEST * 4 + 1));
        assert_eq!(hasher.verify(&long, Some(&empty)).await.unwrap(), Verified::NO);
    }

    #[tokio::test]
    async fn damaged_hashes_are_called_damaged() {
        for stored in [
            "",
            "secret",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=bad,t=2,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAA",
            "$scrypt$ln=1,r=8,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            let outcome = Hasher::default().verify(&password(), Some(stored)).await;
            assert_eq!(outcome, Err(HasherError::Damaged), "{stored}");
        }
    }

    #[tokio::test]
    async fn a_flood_is_turned_away() {
        let hasher = Hasher::default();
        let places = u32::try_from(AT_ONCE + WAITING).unwrap();
        let waiting = hasher.waiting.acquire_many(places).await.unwrap();
        assert_eq!(hasher.verify(&password(), None).await, Err(HasherError::Busy));
        drop(waiting);
        assert_eq!(hasher.verify(&password(), None).await, Ok(Verified::NO));
    }
}
