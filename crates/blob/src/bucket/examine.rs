//! What an object store really honours of what plura needs, found out by doing it.

use futures_util::TryStreamExt;
use object_store::{
    ObjectStore, ObjectStoreExt, PutMode, PutPayload, multipart::MultipartStore, path::Path,
};

use super::{Bucket, code_of, options::LEAST_PART};

/// Something that plura asks of an object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// An object can be written.
    Write,
    /// A part of an object can be read.
    Range,
    /// An object can be written in parts.
    Multipart,
    /// Unfinished writing in parts can be listed; nothing depends on it but tidiness.
    ListMultipart,
    /// Objects can be listed.
    List,
    /// Objects can be deleted.
    Delete,
    /// An object that exists is not overwritten on demand; nothing depends on it.
    ConditionalWrite,
}

/// Whether an object store does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitness {
    /// What.
    pub requirement: Requirement,
    /// Whether plura cannot do without it.
    pub needed: bool,
    /// What is wrong, in words; nothing if nothing is.
    pub problem: Option<String>,
    /// What to do about it, where that is known.
    pub fix: Option<&'static str>,
}

impl Requirement {
    /// The requirement in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Write => "write an object",
            Self::Range => "read a range",
            Self::Multipart => "write in parts",
            Self::ListMultipart => "list unfinished writes in parts",
            Self::List => "list objects",
            Self::Delete => "delete objects",
            Self::ConditionalWrite => "refuse to overwrite on demand",
        }
    }
}

/// What was asked of the object store.
type Tried = Result<Result<(), String>, object_store::Error>;

impl Bucket {
    /// Does everything that plura needs once, with objects below `probe/` that are removed again. What
    /// fails first fails the rest, which is then not tried.
    pub async fn examine(&self) -> Vec<Fitness> {
        let id = getrandom::u64().unwrap_or_default();
        let small = self.below(&format!("probe/{id:016x}"));
        let large = self.below(&format!("probe/{id:016x}-parts"));
        let mut found = Vec::new();
        self.judge(&mut found, Requirement::Write, self.try_write(&small).await);
        if found.iter().all(|fitness| fitness.problem.is_none()) {
            self.judge(&mut found, Requirement::Range, self.try_range(&small).await);
            self.judge(&mut found, Requirement::Multipart, self.try_parts(&large).await);
            found.push(self.try_list_multipart().await);
            self.judge(&mut found, Requirement::List, self.try_list(&small).await);
            self.judge(
                &mut found,
                Requirement::ConditionalWrite,
                self.try_conditional(&small).await,
            );
            self.judge(&mut found, Requirement::Delete, self.try_delete(vec![small, large]).await);
        }
        found
    }

    fn judge(&self, found: &mut Vec<Fitness>, requirement: Requirement, tried: Tried) {
        let needed = requirement != Requirement::ConditionalWrite;
        let (problem, fix) = match tried {
            Ok(Ok(())) => (None, None),
            Ok(Err(problem)) => (Some(problem), None),
            Err(error) => {
                let (problem, fix) = self.explain(&error);
                (Some(problem), fix)
            }
        };
        found.push(Fitness { requirement, needed, problem, fix });
    }

    async fn try_write(&self, path: &Path) -> Tried {
        self.0.store.put(path, PutPayload::from_static(b"plura")).await?;
        Ok(Ok(()))
    }

    async fn try_range(&self, path: &Path) -> Tried {
        let part = self.0.store.get_range(path, 1..3).await?;
        Ok(if &*part == b"lu" { Ok(()) } else { Err("a range is answered with more".to_owned()) })
    }

    async fn try_parts(&self, path: &Path) -> Tried {
        let store = &self.0.store;
        let id = store.create_multipart(path).await?;
        let first = vec![0; usize::try_from(LEAST_PART).unwrap_or_default()];
        // In the wrong order, as they may arrive.
        let second = store.put_part(path, &id, 1, PutPayload::from_static(b"end")).await?;
        let first = store.put_part(path, &id, 0, first.into()).await?;
        store.complete_multipart(path, &id, vec![first, second]).await?;
        let found = store.head(path).await?.size;
        let expected = LEAST_PART + 3;
        let problem = || format!("it put {found} bytes together of {expected}");
        Ok(if found == expected { Ok(()) } else { Err(problem()) })
    }

    async fn try_list_multipart(&self) -> Fitness {
        let problem = match self.multiparts("").await {
            Ok(Some(_)) => None,
            Ok(None) => Some("it does not know or not allow the request".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        let fix = "have the bucket abort unfinished writes in parts by a lifecycle rule";
        let fix = problem.is_some().then_some(fix);
        Fitness { requirement: Requirement::ListMultipart, needed: false, problem, fix }
    }

    async fn try_list(&self, path: &Path) -> Tried {
        let listed: Vec<_> = self.0.store.list(Some(&self.below("probe"))).try_collect().await?;
        let there = listed.iter().any(|object| object.location == *path);
        Ok(if there { Ok(()) } else { Err("an object that was written is not listed".to_owned()) })
    }

    async fn try_conditional(&self, path: &Path) -> Tried {
        let put = self.0.store.put_opts(path, PutPayload::new(), PutMode::Create.into()).await;
        match put {
            Ok(_) => Ok(Err("it overwrites all the same; plura does not rely on it".to_owned())),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Ok(())),
            Err(error) => Err(error),
        }
    }

    async fn try_delete(&self, paths: Vec<Path>) -> Tried {
        let subjects = paths.clone().into_iter().map(Ok);
        let subjects = Box::pin(futures_util::stream::iter(subjects));
        self.0.store.delete_stream(subjects).try_collect::<Vec<_>>().await?;
        for path in paths {
            match self.0.store.head(&path).await {
                Ok(_) => return Ok(Err("an object that was deleted is still there".to_owned())),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Ok(()))
    }

    /// An error of the object store in words of ours, and what to do about it.
    fn explain(&self, error: &object_store::Error) -> (String, Option<&'static str>) {
        let options = &self.0.options;
        let (bucket, region) = (&options.bucket, &options.region);
        let text = error.to_string();
        // Some object stores have one code for all of these.
        let code = match code_of(error).as_deref() {
            Some("AccessDenied") if text.contains("signature") => {
                Some("SignatureDoesNotMatch".into())
            }
            Some("AccessDenied") if text.contains("No such key") => {
                Some("InvalidAccessKeyId".into())
            }
            code => code.map(ToOwned::to_owned),
        };
        let (problem, fix) = match code.as_deref() {
            Some("NoSuchBucket") => (
                format!("there is no bucket `{bucket}`"),
                "create it, or correct `storage.s3.bucket`",
            ),
            Some("SignatureDoesNotMatch") => (
                "the signature does not match".to_owned(),
                "correct `storage.s3.secret_key`; it is not the one that belongs to the access key",
            ),
            Some("InvalidAccessKeyId" | "NotSignedUp") => {
                ("the access key is unknown".to_owned(), "correct `storage.s3.access_key`")
            }
            Some("AccessDenied" | "AllAccessDisabled") => (
                format!("access to the bucket `{bucket}` is denied"),
                "allow the key to get, put, list and delete objects and to write in parts there",
            ),
            Some("RequestTimeTooSkewed") => (
                "the clocks of this machine and of the object store differ too much".to_owned(),
                "set this machine's clock, best by NTP",
            ),
            Some(
                "AuthorizationHeaderMalformed"
                | "PermanentRedirect"
                | "TemporaryRedirect"
                | "IllegalLocationConstraintException"
                | "InvalidRegion",
            ) => (
                format!("the bucket is not in the region `{region}`"),
                "correct `storage.s3.region`",
            ),
            _ => return self.explain_other(error),
        };
        (problem, Some(fix))
    }

    fn explain_other(&self, error: &object_store::Error) -> (String, Option<&'static str>) {
        let text = error.to_string();
        let endpoint = self.0.options.address();
        if text.contains("incorrectly configured region") {
            let problem = format!("the bucket is not in the region `{}`", self.0.options.region);
            return (problem, Some("correct `storage.s3.region`"));
        }
        let kinds = [
            (
                "error sending request",
                "cannot reach",
                "see that it runs, and `storage.s3.endpoint`",
            ),
            (
                "169.254.169.254",
                "there are no credentials for",
                "set `storage.s3.access_key` and `storage.s3.secret_key`, or AWS_ACCESS_KEY_ID and \
              AWS_SECRET_ACCESS_KEY",
            ),
        ];
        // The later is the more telling.
        for (sign, problem, fix) in kinds.into_iter().rev() {
            if text.contains(sign) {
                return (format!("{problem} {endpoint}: {}", innermost(error)), Some(fix));
            }
        }
        (text, None)
    }
}

/// The last cause, which says most in the fewest words.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
