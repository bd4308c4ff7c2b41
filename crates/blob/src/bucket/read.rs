//! From the bucket to whoever reads: whole, in ranges, hashed, or by an address that clients can use
//! themselves.

use std::{
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use object_store::{
    GetOptions, GetRange, GetResult, ObjectStore,
    client::{HttpRequest, HttpRequestBody},
    path::Path,
    signer::Signer,
};
use plura_oci::{Algorithm, Digest, Hasher};
use tokio::sync::mpsc;

use super::{Bucket, failed};
use crate::{BlobKey, Error, ingest::blocking};

/// A blob in a bucket, to be read.
#[derive(Clone, Debug)]
pub struct BlobObject {
    bucket: Bucket,
    key: BlobKey,
    /// Its length in bytes, as metadata has it.
    pub size: u64,
}

/// Bytes of an object, read ahead of who takes them.
#[derive(Debug)]
pub struct ObjectStream {
    frames: mpsc::Receiver<io::Result<Bytes>>,
}

/// Frames that are read ahead; each is as large as what the connection to the object store gave at
/// once, some 16 to 256 KiB.
const AHEAD: usize = 16;

impl Bucket {
    pub(crate) fn object(&self, key: &BlobKey, size: u64) -> BlobObject {
        BlobObject { bucket: self.clone(), key: key.clone(), size }
    }

    /// The digest of an object.
    pub(crate) async fn rehash(
        &self,
        key: &BlobKey,
        algorithm: Algorithm,
    ) -> Result<Digest, Error> {
        self.hash(&self.place(key)?, key.as_str(), algorithm).await
    }

    /// The digest of whatever object, which errors call `name`.
    pub(super) async fn hash(
        &self,
        path: &Path,
        name: &str,
        algorithm: Algorithm,
    ) -> Result<Digest, Error> {
        let got = self.request(path, name, None).await?;
        let mut bytes = got.into_stream();
        let mut hasher = algorithm.hasher();
        while let Some(frame) = bytes.next().await {
            let frame = frame.map_err(|error| failed("read", name, error))?;
            hasher = update(hasher, frame).await;
        }
        Ok(hasher.finish())
    }

    /// All of a small object, which must have `length` bytes or more; those behind do not count.
    pub(super) async fn read_whole(&self, key: &BlobKey, length: u64) -> Result<Bytes, Error> {
        let (mut bytes, _) = self.get(key, Some(0..length)).await?;
        let mut whole = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        while let Some(frame) = bytes.next().await {
            let frame = frame.map_err(|error| failed("read", key.as_str(), error))?;
            whole.extend_from_slice(&frame);
        }
        if whole.len() as u64 != length {
            return Err(wrong_size(key, whole.len() as u64, length));
        }
        Ok(whole.into())
    }

    /// The bytes, and how large the whole object is. One request; what breaks off is asked for again
    /// from there.
    async fn get(
        &self,
        key: &BlobKey,
        range: Option<Range<u64>>,
    ) -> Result<(impl Stream<Item = object_store::Result<Bytes>> + Unpin + use<>, u64), Error> {
        let got = self.request(&self.place(key)?, key.as_str(), range).await?;
        let size = got.meta.size;
        Ok((got.into_stream(), size))
    }

    /// Asks for an object, which errors call `name`.
    pub(super) async fn request(
        &self,
        path: &Path,
        name: &str,
        range: Option<Range<u64>>,
    ) -> Result<GetResult, Error> {
        plura_fault::point("bucket.get").map_err(Error::io("read", name))?;
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let got = self.0.store.get_opts(path, options).await;
        got.map_err(|error| failed("read", name, error))
    }
}

impl BlobObject {
    /// Reads a range that is not empty and inside of the blob. The object store has answered when this
    /// returns.
    pub async fn read(&self, range: Range<u64>) -> Result<ObjectStream, Error> {
        // Without a range the answer is cheaper for some object stores.
        let wanted = (range != (0..self.size)).then(|| range.clone());
        let (bytes, size) = self.bucket.get(&self.key, wanted).await?;
        if size != self.size {
            return Err(wrong_size(&self.key, size, self.size));
        }
        let (sender, frames) = mpsc::channel(AHEAD);
        tokio::spawn(read_ahead(bytes, range.end - range.start, sender));
        Ok(ObjectStream { frames })
    }

    /// An address under which a GET without credentials is answered with the bytes, for so long.
    ///
    /// It is a credential itself, and not for the log.
    pub async fn signed_url(&self, expires: Duration) -> Result<String, Error> {
        let path = self.bucket.place(&self.key)?;
        // The method of a new request is GET, whose type is of a crate that nothing here names.
        let get = HttpRequest::new(HttpRequestBody::empty()).method().clone();
        let url = self.bucket.0.signer.signed_url(get, &path, expires).await;
        Ok(url.map_err(|error| failed("sign an address of", self.key.as_str(), error))?.into())
    }

    /// Whether the object is there, and as large as it should be.
    pub(crate) async fn verify(&self) -> Result<(), Error> {
        match self.bucket.size_of(&self.key).await? {
            Some(size) if size == self.size => Ok(()),
            Some(size) => Err(wrong_size(&self.key, size, self.size)),
            None => Err(Error::Store {
                action: "find",
                key: self.key.to_string(),
                missing: true,
                source: "there is no such object".into(),
            }),
        }
    }
}

impl Stream for ObjectStream {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        self.frames.poll_recv(cx)
    }
}

/// Passes `expected` bytes on as far as there is room, until nobody wants them any more.
async fn read_ahead(
    mut bytes: impl Stream<Item = object_store::Result<Bytes>> + Unpin,
    expected: u64,
    sender: mpsc::Sender<io::Result<Bytes>>,
) {
    let mut left = expected;
    while left > 0 {
        let frame = tokio::select! {
            frame = bytes.next() => frame,
            () = sender.closed() => return,
        };
        let frame = match frame {
            Some(Ok(frame)) if frame.len() as u64 <= left => Ok(frame),
            Some(Ok(_)) => Err(io::Error::other("the object store sent more than was asked for")),
            Some(Err(error)) => Err(io::Error::other(error)),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        left -= frame.as_ref().map_or(left, |frame| frame.len() as u64);
        if sender.send(frame).await.is_err() {
            return;
        }
    }
}

async fn update(mut hasher: Hasher, frame: Bytes) -> Hasher {
    blocking(move || {
        hasher.update(&frame);
        hasher
    })
    .await
}

fn wrong_size(key: &BlobKey, found: u64, expected: u64) -> Error {
    let detail = format!("it has {found} bytes, and metadata says {expected}");
    Error::Corrupt { path: key.as_str().into(), detail }
}
