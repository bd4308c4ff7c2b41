//! What another registry keeps in the same bucket, below a prefix of its own: read, and never written to.

use std::time::SystemTime;

use futures_util::StreamExt;
use object_store::{
    ObjectStoreExt,
    list::{PaginatedListOptions, PaginatedListStore},
    path::Path,
};
use plura_oci::{Algorithm, Digest};

use super::{Bucket, failed};
use crate::Error;

/// What somebody else wrote below a prefix of the bucket.
#[derive(Clone, Debug)]
pub struct ForeignPrefix {
    bucket: Bucket,
    prefix: Path,
}

/// Some of what is directly below a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignPage {
    /// The last names of prefixes with other keys below them.
    pub directories: Vec<String>,
    /// The last names of objects.
    pub objects: Vec<String>,
    /// What to ask for the next page with; without, there is none.
    pub next: Option<String>,
}

/// What is known of an object without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignObject {
    /// Its length in bytes.
    pub size: u64,
    /// When it was written.
    pub modified: SystemTime,
}

/// What plura's own keys begin with.
const OWN: [&str; 4] = ["blobs", "damaged", "probe", "log"];

/// Bucket and prefix of a location that is in a bucket.
pub(crate) fn place_of(location: &str) -> Option<(&str, &str)> {
    let place = location.strip_prefix("s3://")?;
    Some(place.split_once('/').unwrap_or((place, "")))
}

/// What lies at `path` below a prefix, or the prefix itself for an empty path. Neither leaves the other:
/// keys are text, and no client may take a part of one for the way to another directory.
pub(super) fn below(prefix: &Path, path: &str) -> Result<Path, Error> {
    let whole = match (prefix.as_ref(), path) {
        (prefix, "") => prefix.to_owned(),
        ("", path) => path.to_owned(),
        (prefix, path) => format!("{prefix}/{path}"),
    };
    match Path::parse(&whole) {
        Ok(parsed) if parsed.as_ref() == whole => Ok(parsed),
        _ => Err(Error::Corrupt {
            path: path.into(),
            detail: "it is no key that could be asked for".to_owned(),
        }),
    }
}

impl Bucket {
    /// What is below `prefix` in the bucket of that name, which must be this one.
    pub fn foreign(&self, bucket: &str, prefix: &str) -> Result<ForeignPrefix, Error> {
        let own = &self.0.options.bucket;
        if bucket != own {
            let message = format!("`{bucket}` is another bucket than `{own}`");
            return Err(Error::Options(message));
        }
        let prefix = below(&Path::default(), prefix.trim_matches('/'))?;
        Ok(ForeignPrefix { bucket: self.clone(), prefix })
    }

    pub(crate) fn register_adopted(&self, number: u32, root: ForeignPrefix, owned: bool) {
        self.0.adopted.register(number, root.prefix, owned);
    }

    pub(crate) async fn find_adopted(&self, number: u32) -> Result<(), Error> {
        let prefix = self.0.adopted.root(number)?.place;
        let root = ForeignPrefix { bucket: self.clone(), prefix };
        let page = root.page("", None, Some(1)).await?;
        if page.directories.is_empty() && page.objects.is_empty() && page.next.is_none() {
            let message = format!("there is nothing below {}", root.location());
            return Err(Error::Options(message));
        }
        Ok(())
    }
}

impl ForeignPrefix {
    /// Where it is, as `s3://BUCKET/PREFIX`.
    pub fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket.0.options.bucket, self.prefix)
    }

    /// The last part of the prefix; the bucket's name without one.
    pub fn name(&self) -> &str {
        self.prefix.filename().unwrap_or(&self.bucket.0.options.bucket)
    }

    /// Refuses a tree at `path` that has keys of plura's below it, or is below them: each would take what
    /// the other wrote for its own.
    pub fn check_apart(&self, path: &str) -> Result<(), Error> {
        let tree = below(&self.prefix, path.trim_matches('/'))?;
        for own in OWN.map(|name| self.bucket.below(name)) {
            if tree.prefix_matches(&own) || own.prefix_matches(&tree) {
                return Err(Error::Options(format!(
                    "the tree at `{tree}/` and plura's own objects at `{own}/` are below each other; \
                     choose another `storage.s3.prefix`"
                )));
            }
        }
        Ok(())
    }

    /// What is directly below `path`: the first page, or the one that `next` leads to.
    pub async fn list(&self, path: &str, next: Option<String>) -> Result<ForeignPage, Error> {
        self.page(path, next, None).await
    }

    async fn page(
        &self,
        path: &str,
        next: Option<String>,
        limit: Option<usize>,
    ) -> Result<ForeignPage, Error> {
        let begin = match below(&self.prefix, path)?.as_ref() {
            "" => String::new(),
            path => format!("{path}/"),
        };
        let options = PaginatedListOptions {
            delimiter: Some("/".into()),
            max_keys: limit,
            page_token: next,
            ..PaginatedListOptions::default()
        };
        let prefix = Some(begin.as_str()).filter(|begin| !begin.is_empty());
        let listed = self.bucket.0.store.list_paginated(prefix, options).await;
        let listed = listed.map_err(|error| failed("list", &begin, error))?;
        // Some tools write an empty object for the prefix itself.
        let name = |path: &Path| {
            let name = path.as_ref().strip_prefix(&begin)?;
            (!name.is_empty() && !name.contains('/')).then(|| name.to_owned())
        };
        let objects = listed.result.objects.iter().map(|object| &object.location);
        Ok(ForeignPage {
            directories: listed.result.common_prefixes.iter().filter_map(name).collect(),
            objects: objects.filter_map(name).collect(),
            next: listed.page_token,
        })
    }

    /// Size and time of an object, if it is there.
    pub async fn inspect(&self, path: &str) -> Result<Option<ForeignObject>, Error> {
        match self.bucket.0.store.head(&below(&self.prefix, path)?).await {
            Ok(found) => {
                let modified = found.last_modified.into();
                Ok(Some(ForeignObject { size: found.size, modified }))
            }
            Err(error) => if_there(failed("inspect", path, error)),
        }
    }

    /// An object, if it is there; its bytes, if they are no more than `limit`.
    pub async fn read(
        &self,
        path: &str,
        limit: u64,
    ) -> Result<Option<(ForeignObject, Option<Vec<u8>>)>, Error> {
        let got = match self.bucket.request(&below(&self.prefix, path)?, path, None).await {
            Ok(got) => got,
            Err(error) => return if_there(error),
        };
        let found = ForeignObject { size: got.meta.size, modified: got.meta.last_modified.into() };
        if found.size > limit {
            return Ok(Some((found, None)));
        }
        let bytes = gather(got, path, found.size).await?;
        Ok(Some((found, Some(bytes))))
    }

    /// At most `count` bytes from `offset` on, if the object is there; none behind its end.
    pub async fn read_range(
        &self,
        path: &str,
        offset: u64,
        count: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        // What object stores answer to a range behind the end differs too much.
        let Some(found) = self.inspect(path).await? else { return Ok(None) };
        let range = offset..offset.saturating_add(count).min(found.size);
        if range.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let length = range.end - range.start;
        match self.bucket.request(&below(&self.prefix, path)?, path, Some(range)).await {
            Ok(got) => gather(got, path, length).await.map(Some),
            Err(error) => if_there(error),
        }
    }

    /// The digest of an object's bytes.
    pub async fn digest(&self, path: &str, algorithm: Algorithm) -> Result<Digest, Error> {
        self.bucket.hash(&below(&self.prefix, path)?, path, algorithm).await
    }
}

/// All bytes of an answer, which must be so many.
async fn gather(got: object_store::GetResult, path: &str, length: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    let mut frames = got.into_stream();
    while let Some(frame) = frames.next().await {
        bytes.extend_from_slice(&frame.map_err(|error| failed("read", path, error))?);
        if bytes.len() as u64 > length {
            break;
        }
    }
    if bytes.len() as u64 == length {
        return Ok(bytes);
    }
    Err(Error::Store {
        action: "read",
        key: path.to_owned(),
        missing: false,
        source: format!("it sent {} bytes of {length}", bytes.len()).into(),
    })
}

fn if_there<T>(error: Error) -> Result<Option<T>, Error> {
    if error.is_missing() { Ok(None) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BucketOptions;

    fn bucket(prefix: &str) -> Bucket {
        let options = BucketOptions {
            bucket: "images".to_owned(),
            prefix: prefix.to_owned(),
            ..BucketOptions::default()
        };
        Bucket::open(&options).unwrap()
    }

    #[tokio::test]
    async fn a_tree_and_plura_keep_apart() {
        let v2 = "docker/registry/v2";
        for (own, tree, base, apart) in [
            ("", "", v2, true),
            ("plura", "", v2, true),
            ("", "old", v2, true),
            ("old", "old", v2, true),
            ("docker", "", v2, true),
            (v2, "", v2, false),
            ("docker/registry/v2/repositories/x", "", v2, false),
            ("", "blobs", v2, false),
            ("", "damaged", v2, false),
            ("plura", "plura/blobs", v2, false),
            ("plura", "plura/blobs-old", v2, true),
            ("", "", "", false),
            ("plura", "", "", false),
            ("plura", "layouts", "", true),
        ] {
            let found = bucket(own).foreign("images", tree).unwrap().check_apart(base);
            assert_eq!(found.is_ok(), apart, "`{own}` and `{tree}` with `{base}`: {found:?}");
        }
        assert!(bucket("").foreign("others", "").is_err());
    }

    #[test]
    fn what_is_below_a_prefix_stays_below() {
        let prefix = Path::parse("some/where").unwrap();
        for (path, whole) in [
            ("", Some("some/where")),
            ("a/b", Some("some/where/a/b")),
            ("a b", Some("some/where/a b")),
        ] {
            assert_eq!(below(&prefix, path).ok().as_ref().map(Path::as_ref), whole, "{path}");
        }
        for path in ["..", "../x", "a/../b", "a//b", "/a", "a/", ".", "a\0", "a\nb"] {
            assert!(below(&prefix, path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_location_says_whether_it_is_in_a_bucket() {
        assert_eq!(place_of("s3://images/a/b"), Some(("images", "a/b")));
        assert_eq!(place_of("s3://images"), Some(("images", "")));
        assert_eq!(place_of("/srv/registry"), None);
    }
}
