use std::{borrow::Cow, sync::Arc, time::Instant};

use plura_meta::{
    Connection, Timestamp, Tx,
    account::{self, Account, AccountId, Kind},
    credential,
};
use plura_policy::{AccountName, SpiffeId};
use sha2::{Digest as _, Sha256};

use crate::{
    Access, Error, Identity, Method, Principal, guesses, keys,
    known::{Known, Proof},
    password::Password,
    rights,
    secret::{Secret, SecretKind},
    signing::TokenClaims,
};

/// What a request shows.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// Nothing.
    None,
    /// A name and a password, API token, robot's secret or token (RFC 7617).
    Basic {
        /// The name; not looked at where the rest says who it is.
        name: &'a str,
        /// The rest.
        password: &'a Password,
    },
    /// A token of ours, or a secret (RFC 6750).
    Bearer(&'a str),
    /// A browser's session.
    Session(&'a str),
    /// A client certificate, verified by the handshake.
    Certificate(&'a Arc<CertificateNames>),
}

/// The names in a client certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CertificateNames {
    /// Its SPIFFE ID, if it is an X.509-SVID.
    pub spiffe_id: Option<SpiffeId>,
    /// Its host names.
    pub dns_names: Vec<String>,
}

/// How long a password that was verified need not be again.
const PASSWORD_PROVED: std::time::Duration = std::time::Duration::from_mins(1);

/// The names of accounts are noted as used once a minute at most.
const TOUCH: std::time::Duration = std::time::Duration::from_mins(1);

impl Access {
    /// Finds out who is asking. `address` is the client's, for brute force.
    ///
    /// On an open server everybody is local, whatever they show: a client that has a password for
    /// another server of that name must not fail here.
    pub async fn authenticate(
        &self,
        shown: Credential<'_>,
        address: std::net::IpAddr,
    ) -> Result<Arc<Principal>, Error> {
        if self.is_open().await? {
            return Ok(Arc::clone(&self.shared.local));
        }
        plura_fault::point("access.authenticate")
            .map_err(|error| Error::System(error.to_string()))?;
        match shown {
            Credential::None => Ok(Arc::clone(&self.shared.anonymous)),
            Credential::Bearer(text) => self.bearer(text).await,
            Credential::Session(text) => {
                let prove = async || Self::prove_secret(text, &[SecretKind::Session]);
                self.remembered(b"session ", text, prove).await
            }
            Credential::Certificate(names) => {
                let proof = Proof::Certificate(Arc::clone(names));
                let key = format!("{names:?}");
                self.remembered(b"certificate ", &key, async || Ok((proof, Timestamp(i64::MAX))))
                    .await
            }
            Credential::Basic { name, password } => self.basic(name, password, address).await,
        }
    }

    /// Who sends this `Authorization`, if that was found out a moment ago; then nothing else of it need
    /// be looked at.
    pub fn recall(&self, authorization: &str) -> Option<Arc<Principal>> {
        let key = self.recall_key(authorization);
        // Whether it is somebody who is locked out is for the long way to find out.
        let is_password = matches!(key, Cow::Owned(_));
        if is_password && !self.shared.lockout.is_quiet(Instant::now()) {
            return None;
        }
        self.shared.memory.recall(&key)
    }

    /// Notes what [`Access::recall`] will answer.
    pub fn note(&self, authorization: &str, principal: &Arc<Principal>) {
        self.shared.memory.note(&self.recall_key(authorization), principal);
    }

    /// A token is its own key, since it is as good as its text. A password is not kept, not even here.
    fn recall_key<'a>(&self, authorization: &'a str) -> Cow<'a, [u8]> {
        const BEARER: &[u8] = b"bearer ";
        let text = authorization.as_bytes();
        if text.get(..BEARER.len()).is_some_and(|start| start.eq_ignore_ascii_case(BEARER)) {
            return Cow::Borrowed(text);
        }
        Cow::Owned(self.shared.password_key.digest_of(&[authorization]).to_vec())
    }

    /// Whoever reaches an open server.
    pub fn local(&self) -> Arc<Principal> {
        Arc::clone(&self.shared.local)
    }

    /// Nobody in particular.
    pub fn anonymous(&self) -> Arc<Principal> {
        Arc::clone(&self.shared.anonymous)
    }

    pub(crate) async fn bearer(&self, text: &str) -> Result<Arc<Principal>, Error> {
        const KINDS: &[SecretKind] = &[SecretKind::ApiToken, SecretKind::Robot];
        self.remembered(b"bearer ", text, async || {
            if Secret::is_one(text) {
                return Self::prove_secret(text, KINDS);
            }
            self.prove_token(text).await
        })
        .await
    }

    /// Answers from memory, or proves and remembers. The key is the credential itself: in memory only,
    /// and compared as a whole.
    async fn remembered(
        &self,
        kind: &[u8],
        text: &str,
        prove: impl AsyncFnOnce() -> Result<(Proof, Timestamp), Error>,
    ) -> Result<Arc<Principal>, Error> {
        let now = Timestamp::now();
        let memory = &self.shared.memory;
        // A token is as good as its text, so it is its own key; nothing is copied for a look.
        let key = [kind, text.as_bytes()].concat();
        let generation = memory.generation();
        let (proof, until) = match memory.look(&key, now) {
            Known::Fresh(principal) => return Ok(principal),
            Known::Proved(proof, until) => (proof, until),
            Known::Nothing => prove().await?,
        };
        match self.read(&proof, now).await {
            Ok(principal) => Ok(memory.keep(&key, generation, (proof, until), principal)),
            Err(error) => {
                memory.forget(&key);
                Err(error)
            }
        }
    }

    async fn basic(
        &self,
        name: &str,
        password: &Password,
        address: std::net::IpAddr,
    ) -> Result<Arc<Principal>, Error> {
        let text = password.expose();
        if Secret::is_one(text) {
            return self.bearer_of(name, text).await;
        }
        if text.starts_with("eyJ") {
            return self.foreign_or_own(text).await;
        }
        // Before anything is remembered: who is locked out must not learn, from being let in, that a
        // guess is the password of somebody who was here a moment ago.
        self.check_lock(name, address)?;
        if !self.shared.lockout.is_quiet(Instant::now()) {
            let name = name.parse::<AccountName>().ok();
            self.check_shared_lock(counted(name.as_ref()), address).await?;
        }
        let key = self.shared.password_key.digest(name, password);
        // Of many requests that show the same, one verifies it, and the others learn from that one.
        let turn = self.shared.memory.turn(key);
        let _turn = turn.wait().await;
        let now = Timestamp::now();
        let (memory, generation) = (&self.shared.memory, self.shared.memory.generation());
        match memory.look(&key, now) {
            Known::Fresh(principal) => return Ok(principal),
            Known::Proved(proof, until) => match self.read(&proof, now).await {
                // The hash is another one now, perhaps of the same password.
                Err(Error::BadCredentials) => memory.forget(&key),
                read => return Ok(memory.keep(&key, generation, (proof, until), read?)),
            },
            Known::Nothing => {}
        }
        let (account, hash) = self.check_password(name, password, address).await?;
        let (proof, until) = (Proof::Password { account, hash }, now.after(PASSWORD_PROVED));
        let principal = self.read(&proof, now).await?;
        Ok(memory.keep(&key, generation, (proof, until), principal))
    }

    /// A secret with a name: the name must be right where one is given, so that a mistake is noticed.
    async fn bearer_of(&self, name: &str, text: &str) -> Result<Arc<Principal>, Error> {
        let principal = self.bearer(text).await?;
        let any = matches!(name, "" | "token" | "oauth2" | "<token>");
        if any || name == principal.identity.name() {
            return Ok(principal);
        }
        Err(Error::BadCredentials)
    }

    /// Whether somebody goes by that name.
    pub async fn is_account(&self, name: &str) -> Result<bool, Error> {
        Ok(account::find_named(&mut self.read_db().await?, name).await?.is_some())
    }

    /// Whether the password is that name's; counts what fails.
    pub(crate) async fn check_password(
        &self,
        name: &str,
        password: &Password,
        address: std::net::IpAddr,
    ) -> Result<(AccountId, String), Error> {
        self.check_lock(name, address)?;
        let name = name.parse::<AccountName>().ok();
        let text = counted(name.as_ref());
        self.check_shared_lock(text, address).await?;
        let found = match &name {
            Some(name) => account::find_named(&mut self.read_db().await?, name.as_str()).await?,
            None => None,
        };
        let active = found
            .filter(|account| account.is_active(Timestamp::now()) && account.kind() == Kind::User);
        let stored = active.as_ref().and_then(|account| account.password_hash.as_deref());
        // Without a hash the same work is done, so that time does not tell who exists.
        let verified = self.shared.hasher.verify(password, stored).await?;
        // What was guessed at the same time counts, too: as if it had been one after the other.
        self.check_lock(text, address)?;
        if let (Some(Account { id, password_hash: Some(hash), .. }), true) = (active, verified.ok) {
            self.note_success(text, address).await?;
            return Ok((id, hash));
        }
        self.count_failure(text, address).await?;
        Err(Error::BadCredentials)
    }

    fn check_lock(&self, name: &str, address: std::net::IpAddr) -> Result<(), Error> {
        let name = name.parse::<AccountName>().ok();
        let checked = self.shared.lockout.check(counted(name.as_ref()), address, Instant::now());
        checked.map_err(guesses::refused)
    }

    pub(crate) fn prove_secret(
        text: &str,
        kinds: &[SecretKind],
    ) -> Result<(Proof, Timestamp), Error> {
        let secret: Secret = text.parse().map_err(|_| Error::BadCredentials)?;
        if !kinds.contains(&secret.kind()) {
            return Err(Error::BadCredentials);
        }
        let hash = secret.hash().as_str().to_owned();
        Ok((Proof::Secret { hash }, Timestamp(i64::MAX)))
    }

    pub(crate) async fn prove_token(&self, text: &str) -> Result<(Proof, Timestamp), Error> {
        let (key, claims) = self.verify_own(text).await?;
        let until = ends(&claims);
        Ok((Proof::Token { claims: Arc::new(claims), key }, until))
    }

    /// What is proved belongs to somebody; who that is now, and what they may do now.
    pub(crate) async fn read(&self, proof: &Proof, now: Timestamp) -> Result<Principal, Error> {
        let mut connection = self.read_db().await?;
        match proof {
            Proof::Password { account: id, hash } => {
                let account = active(&mut connection, id, now).await?;
                if account.password_hash.as_ref() != Some(hash) {
                    return Err(Error::BadCredentials);
                }
                let credential = Some(password_mark(hash));
                let principal = of_account(&mut connection, &account, Method::Password).await?;
                drop(connection);
                self.note_use(account, None, now);
                Ok(Principal { credential, ..principal })
            }
            Proof::Secret { hash } => {
                let found = credential::find(&mut connection, hash).await?;
                let found = found.filter(|found| found.expires_at.is_none_or(|until| now < until));
                let found = found.ok_or(Error::BadCredentials)?;
                let account = active(&mut connection, &found.account_id, now).await?;
                let method = method(&found.kind);
                let mut principal = of_account(&mut connection, &account, method).await?;
                drop(connection);
                principal.rights.ceiling = found.scopes.as_deref().map(scopes).transpose()?;
                principal.credential = Some(found.id.clone());
                self.note_use(account, Some(found), now);
                Ok(principal)
            }
            Proof::Token { claims, key } => {
                // It may have been taken back since.
                keys::published(&mut connection, key, now).await?;
                self.read_token(&mut connection, claims, now).await
            }
            Proof::Certificate(names) => {
                let rights = rights::of_certificate(&mut connection, names).await?;
                let name = names.spiffe_id.as_ref().map(ToString::to_string);
                let name = name.or_else(|| names.dns_names.first().cloned());
                let identity = Identity::Certificate(name.ok_or(Error::BadCredentials)?);
                Ok(Principal::without_credential(identity, Method::Certificate, rights))
            }
        }
    }

    async fn read_token(
        &self,
        connection: &mut Connection,
        claims: &TokenClaims,
        now: Timestamp,
    ) -> Result<Principal, Error> {
        let mut principal = match claims.kind.as_str() {
            "anonymous" => Principal::anonymous(),
            "user" | "robot" => {
                let account = active(connection, &AccountId::from_token(&claims.sub), now).await?;
                check_credential(connection, &account, claims.credential.as_deref(), now).await?;
                of_account(connection, &account, Method::Bearer).await?
            }
            "workload" => self.read_workload(connection, claims).await?,
            _ => return Err(Error::BadToken("of an unknown kind".to_owned())),
        };
        principal.method = Method::Bearer;
        principal.credential.clone_from(&claims.credential);
        principal.build.clone_from(&claims.build);
        principal.rights.ceiling = claims.ceiling();
        principal.until = Some(ends(claims));
        Ok(principal)
    }

    /// Notes the use of an account, at most once a minute, and lets nobody wait for it.
    fn note_use(
        &self,
        account: Account,
        credential: Option<credential::Credential>,
        now: Timestamp,
    ) {
        let stale = |last: Option<Timestamp>| last.is_none_or(|last| last.after(TOUCH) < now);
        let credential = credential.filter(|credential| stale(credential.last_used_at));
        if !stale(account.last_used_at) && credential.is_none() {
            return;
        }
        let db = self.shared.db.clone();
        tokio::spawn(async move {
            let work = async move |tx: &mut Tx| {
                account::touch(tx, &account.id, now).await?;
                if let Some(credential) = credential {
                    credential::touch(tx, &credential.id, now).await?;
                }
                Ok::<(), Error>(())
            };
            if let Err(error) = db.write(move |tx| Box::pin(async move { work(tx).await })).await {
                tracing::warn!(%error, "cannot note that an account was used");
            }
        });
    }
}

/// The name that failures are counted for: what cannot be one is not kept as one.
fn counted(name: Option<&AccountName>) -> &str {
    name.map_or("", AccountName::as_str)
}

/// When a token of ours ends.
fn ends(claims: &TokenClaims) -> Timestamp {
    Timestamp(claims.exp.saturating_mul(1000))
}

/// The account, if it may do anything.
async fn active(
    connection: &mut Connection,
    id: &AccountId,
    now: Timestamp,
) -> Result<Account, Error> {
    let found = account::find(connection, id).await?;
    found.filter(|account| account.is_active(now)).ok_or(Error::BadCredentials)
}

/// A token lives no longer than what it was got with.
async fn check_credential(
    connection: &mut Connection,
    account: &Account,
    credential: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    let ended = || Error::BadToken("what it was issued for has ended".to_owned());
    let Some(id) = credential else { return Ok(()) };
    if id.starts_with(PASSWORD_MARK) {
        let same = account.password_hash.as_deref().map(password_mark).as_deref() == Some(id);
        return if same { Ok(()) } else { Err(ended()) };
    }
    let found = credential::find_by_id(connection, id).await?;
    let live = found.is_some_and(|found| found.expires_at.is_none_or(|until| now < until));
    if live { Ok(()) } else { Err(ended()) }
}

const PASSWORD_MARK: &str = "password:";

/// Which password it was, so that a token ends when the password is changed. It tells nothing of it:
/// it is a hash of a salted hash.
fn password_mark(stored: &str) -> String {
    let hash = Sha256::digest(stored.as_bytes());
    format!("{PASSWORD_MARK}{}", hex(&hash[..8]))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) async fn of_account(
    connection: &mut Connection,
    account: &Account,
    method: Method,
) -> Result<Principal, Error> {
    let groups: Vec<String> = serde_json::from_str(&account.groups).unwrap_or_default();
    let rights = rights::of_account(connection, account, &groups).await?;
    let identity = identity(account)?;
    Ok(Principal { groups, ..Principal::without_credential(identity, method, rights) })
}

/// Who an account is.
pub(crate) fn identity(account: &Account) -> Result<Identity, Error> {
    let name: AccountName = account.name.parse().map_err(|_| {
        let message = format!("account.name holds `{}`", account.name);
        Error::Metadata(plura_meta::Error::Corrupt(message))
    })?;
    Ok(match account.kind() {
        Kind::User => Identity::User(account.id.clone(), name),
        Kind::Robot => Identity::Robot(account.id.clone(), name),
    })
}

fn method(kind: &str) -> Method {
    match kind {
        "token" => Method::Token,
        "robot" => Method::Robot,
        "refresh" => Method::Refresh,
        _ => Method::Session,
    }
}

/// Scopes as they are stored: separated by spaces.
pub(crate) fn scopes(text: &str) -> Result<Vec<plura_policy::Scope>, Error> {
    let corrupt = |_| {
        Error::Metadata(plura_meta::Error::Corrupt(format!("credential.scopes holds `{text}`")))
    };
    text.split(' ').filter(|scope| !scope.is_empty()).map(|s| s.parse().map_err(corrupt)).collect()
}
