//! The issuers that tokens come from, with their keys.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;

use super::fetch::Web;
use super::file::KeyFile;
use super::keys::{Key, KeySet};
use super::source::{Snapshot, Source};
use super::token::{Header, Token};
use super::{Claims, Expected, FetchError, TokenError};

/// Issuers whose keys are kept. Who may name an issuer is trusted; this bounds what is forgotten there.
const MOST_ISSUERS: usize = 1000;

/// How issuers are asked. Times that are compared with `now` are in seconds.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long keys are used before they are fetched again.
    pub lifetime: u64,
    /// How long an issuer is left in peace after it was asked, whatever tokens name.
    pub minimum_interval: u64,
    /// How long after they were fetched keys are used if they cannot be fetched again.
    pub stale_for: u64,
    /// How long one answer may take.
    pub patience: Duration,
    /// How many bytes an answer, or a file with keys, may have.
    pub largest_answer: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lifetime: 60 * 60,
            minimum_interval: 30,
            stale_for: 24 * 60 * 60,
            patience: Duration::from_secs(10),
            largest_answer: 256 << 10,
        }
    }
}

/// Verifies tokens of other issuers. Clones share what was fetched.
#[derive(Debug, Clone)]
pub struct Issuers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: Options,
    web: Arc<Web>,
    sources: Cache<String, Arc<Source>>,
    files: Cache<std::path::PathBuf, Arc<KeyFile>>,
}

impl Default for Issuers {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Issuers {
    /// Issuers that nothing is known of yet. Nobody is asked before there is a token.
    pub fn new(options: Options) -> Self {
        let web = Arc::new(Web::new(options.patience, options.largest_answer));
        let (sources, files) = (Cache::new(MOST_ISSUERS), Cache::new(MOST_ISSUERS));
        Self(Arc::new(Shared { options, web, sources, files }))
    }

    /// What `token` claims, if its issuer signed it for us and it is valid at `now` (in seconds since
    /// 1970). It may have been used before, and whom it stands for is another question: see
    /// [`Claims::nonce`] and [`super::TrustRule::matches`].
    pub async fn verify(
        &self,
        token: &str,
        expected: &Expected,
        now: i64,
    ) -> Result<Claims, TokenError> {
        let claims = self.signed(token, expected, now).await?;
        claims.check(expected, now)?;
        Ok(claims)
    }

    /// What `token` claims, if its issuer signed it, for whomever and whenever.
    pub(crate) async fn signed(
        &self,
        token: &str,
        expected: &Expected,
        now: i64,
    ) -> Result<Claims, TokenError> {
        let token = Token::parse(token)?;
        let claims = token.unverified_claims()?;
        // Before anybody is asked for keys: a token of somebody else is not a reason to.
        claims.check_issuer(&expected.issuer)?;
        self.check_signature(&token, expected, now).await?;
        Ok(claims)
    }

    async fn check_signature(
        &self,
        token: &Token<'_>,
        expected: &Expected,
        now: i64,
    ) -> Result<(), TokenError> {
        let check = |keys: &KeySet| {
            let key = find(keys, &token.header)?;
            let valid = key.verifies(token.message, token.signature, token.header.algorithm);
            if valid { Ok(()) } else { Err(TokenError::Signature) }
        };
        let fetched = if let Some(path) = &expected.jwks_file {
            self.file(path, now).await.map(|keys| check(&keys))
        } else {
            let enough = |snapshot: &Snapshot| {
                !matches!(find(&snapshot.keys, &token.header), Err(TokenError::UnknownKey))
            };
            let snapshot = self.snapshot(&expected.issuer, enough, now).await;
            snapshot.map(|snapshot| check(&snapshot.keys))
        };
        let issuer = &expected.issuer;
        fetched.map_err(|source| TokenError::NoKeys { issuer: issuer.clone(), source })?
    }

    /// What the issuer says of itself.
    pub(super) async fn snapshot(
        &self,
        issuer: &str,
        enough: impl Fn(&Snapshot) -> bool,
        now: i64,
    ) -> Result<Arc<Snapshot>, FetchError> {
        let new = || Ok::<_, Infallible>(Arc::new(Source::new(issuer)));
        let Ok(source) = self.0.sources.get_or_insert_with(issuer, new);
        source.snapshot(&self.0.web, &self.0.options, enough, now).await
    }

    async fn file(&self, path: &Path, now: i64) -> Result<Arc<KeySet>, FetchError> {
        let new = || Ok::<_, Infallible>(Arc::new(KeyFile::new(path)));
        let Ok(file) = self.0.files.get_or_insert_with(path, new);
        file.keys(&self.0.options, now).await
    }

    pub(super) fn web(&self) -> &Web {
        &self.0.web
    }
}

fn find<'a>(keys: &'a KeySet, header: &Header) -> Result<&'a Key, TokenError> {
    keys.find(header.key_id.as_deref(), header.algorithm)
}
