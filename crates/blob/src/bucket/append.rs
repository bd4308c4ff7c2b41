//! From the wire to the bucket: bytes are hashed, gathered to parts and sent, all at once, with
//! bounded memory between them.

use std::{collections::VecDeque, io};

use bytes::Bytes;
use futures_util::Stream;
use object_store::{PutPayload, multipart::MultipartStore};
use plura_oci::{Hasher, UploadId};
use tokio::{sync::mpsc, task::JoinHandle, task::JoinSet};

use super::{
    Bucket, failed, inconsistent,
    memory::{Held, SMALL},
    parts::{MOST_PARTS, Multipart, Parts, Tail},
    stored,
};
use crate::{
    Appended, BlobKey, Error, Progress,
    gather::{Gather, PIECE},
    ingest::{blocking, join, spawn_hasher},
    request::of_same_request,
};

impl Bucket {
    pub(crate) async fn append(
        &self,
        upload: &UploadId,
        progress: Progress,
        length: Option<u64>,
        body: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<Appended, Error> {
        let mut body = Gather::new(body);
        let (mut sending, progress) =
            Sending::receive(self, upload, progress, length, &mut body).await?;
        if progress.arrived > 0 {
            sending.keep_rest().await?;
        }
        sending.end(progress, body.interrupted).await
    }

    pub(crate) async fn append_last(
        &self,
        upload: &UploadId,
        progress: Progress,
        length: Option<u64>,
        body: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<Appended, Error> {
        let mut body = Gather::new(body);
        let (mut sending, progress) =
            Sending::receive(self, upload, progress, length, &mut body).await?;
        match body.interrupted {
            None => sending.send_rest().await?,
            Some(_) if progress.arrived > 0 => sending.keep_rest().await?,
            Some(_) => {}
        }
        sending.end(progress, body.interrupted).await
    }
}

/// What has been received, and the hash over all of it.
struct Received {
    offset: u64,
    arrived: u64,
    hashing: Hashing,
}

/// One request's work on an upload.
struct Sending<'a> {
    bucket: &'a Bucket,
    upload: &'a UploadId,
    parts: Parts,
    /// What was received and is in no part yet.
    pieces: VecDeque<Bytes>,
    gathered: u64,
    held: Held,
    /// Parts on their way, each with its place; what ends gives its memory back.
    flying: JoinSet<Result<(usize, String), Error>>,
}

impl<'a> Sending<'a> {
    /// Takes the body in, and sends what is large enough to stand as a part.
    async fn receive(
        bucket: &'a Bucket,
        upload: &'a UploadId,
        progress: Progress,
        length: Option<u64>,
        body: &mut Gather<impl Stream<Item = io::Result<Bytes>> + Unpin>,
    ) -> Result<(Self, Received), Error> {
        let before = progress.parts.unwrap_or_default();
        if before.length() != progress.offset {
            return Err(inconsistent(progress.offset, before.length()));
        }
        let mut sending = Self {
            bucket,
            upload,
            parts: Parts { strays: Vec::new(), ..before },
            pieces: VecDeque::new(),
            gathered: 0,
            held: Held::nothing(),
            flying: JoinSet::new(),
        };
        let mut received = Received {
            offset: progress.offset,
            arrived: 0,
            hashing: Hashing::new(progress.hasher),
        };
        loop {
            let left = length.and_then(|length| length.checked_sub(received.arrived));
            sending.make_room(left).await;
            let piece = tokio::select! {
                biased;
                piece = body.next_piece() => piece,
                () = bucket.0.memory.is_needed(&sending.held) => {
                    if let Some(piece) = body.take_begun() {
                        sending.take(piece, &mut received).await?;
                    }
                    received.hashing.settle().await;
                    sending.make_way().await?;
                    continue;
                }
            };
            let Some(piece) = piece else { break };
            sending.take(piece, &mut received).await?;
        }
        Ok((sending, received))
    }

    /// Takes a piece in, for which there is memory.
    async fn take(&mut self, piece: Bytes, received: &mut Received) -> Result<(), Error> {
        if self.gathered == 0 {
            self.take_tail_back().await?;
        }
        received.arrived += piece.len() as u64;
        received.hashing.update(piece.clone()).await?;
        self.gathered += piece.len() as u64;
        self.pieces.push_back(piece);
        while self.gathered >= self.threshold() {
            self.send_part(self.next_size()).await?;
        }
        Ok(())
    }

    /// Holds memory for what is to come until the next part goes, of which `left` is announced.
    async fn make_room(&mut self, left: Option<u64>) {
        let whole = self.parts.multipart.is_none() && self.gathered == 0;
        if left == Some(0) && whole {
            // Nothing is taken back to be sent again.
            return;
        }
        let tail = self.parts.tail.as_ref().map_or(0, |tail| tail.length);
        let here = self.gathered + tail;
        let wanted = match left {
            Some(left) => here.saturating_add(left).min(self.threshold()),
            // Most bodies that do not say how long they are turn out to be short.
            None if here + 2 * PIECE as u64 <= SMALL => SMALL,
            None => self.threshold(),
        };
        self.bucket.0.memory.hold(&mut self.held, wanted).await;
    }

    /// The bytes that are in no part: they go in front of what arrives now.
    async fn take_tail_back(&mut self) -> Result<(), Error> {
        let Some(tail) = self.parts.tail.take() else { return Ok(()) };
        let bytes = self.bucket.read_whole(&stored(&tail.key)?, tail.length).await?;
        self.gathered += bytes.len() as u64;
        self.pieces.push_front(bytes);
        self.parts.strays.push(tail.key);
        Ok(())
    }

    /// Gives all memory back, and goes to the end of the queue for it: what is in no part is stored, and
    /// taken back when it is this upload's turn again, as if another request went on with it.
    async fn make_way(&mut self) -> Result<(), Error> {
        self.keep_rest().await?;
        self.held = Held::nothing();
        Ok(())
    }

    /// Stores what is in no part so that the upload can go on after it.
    async fn keep_rest(&mut self) -> Result<(), Error> {
        let begun = self.parts.multipart.is_some();
        if begun && self.bucket.0.sizes.is_part(self.gathered) {
            return self.send_part(self.gathered).await;
        }
        if self.gathered > 0 {
            self.put_tail().await?;
        }
        Ok(())
    }

    /// Stores what is in no part, after which nothing comes.
    async fn send_rest(&mut self) -> Result<(), Error> {
        if self.parts.multipart.is_none() {
            // Whole already, unless nothing at all has arrived.
            return match (&self.parts.tail, self.gathered) {
                (Some(_), 0) => Ok(()),
                _ => self.put_tail().await,
            };
        }
        self.take_tail_back().await?;
        match self.gathered {
            0 => Ok(()),
            rest => self.send_part(rest).await,
        }
    }

    async fn put_tail(&mut self) -> Result<(), Error> {
        let key = self.new_key()?;
        let (payload, length) = self.cut(self.gathered);
        self.bucket.put(&key, payload).await?;
        self.held = Held::nothing();
        self.parts.tail = Some(Tail { key: key.to_string(), length });
        Ok(())
    }

    /// Sends the first `size` bytes of what was gathered, as soon as there is room on the way.
    async fn send_part(&mut self, size: u64) -> Result<(), Error> {
        while self.flying.len() >= self.bucket.0.options.parts_in_flight.max(1) {
            self.land_one().await?;
        }
        if self.parts.multipart.is_none() {
            let key = self.new_key()?;
            let id = self.bucket.begin_multipart(&key).await?;
            let (key, parts) = (key.to_string(), Vec::new());
            self.parts.multipart = Some(Multipart { key, id, parts });
        }
        let (payload, size) = self.cut(size);
        let held = self.held.split(size);
        let Some(multipart) = &mut self.parts.multipart else { return Ok(()) };
        let (key, id, place) =
            (stored(&multipart.key)?, multipart.id.clone(), multipart.parts.len());
        if place >= MOST_PARTS {
            let detail = "it has more parts than an object may have; set larger parts".to_owned();
            return Err(Error::Options(detail));
        }
        multipart.parts.push((String::new(), size));
        let bucket = self.bucket.clone();
        self.flying.spawn(of_same_request(async move {
            let _held = held;
            plura_fault::point("bucket.part").map_err(Error::io("write", key.as_str()))?;
            let part = bucket.0.store.put_part(&bucket.path(&key), &id, place, payload).await;
            let part = part.map_err(|error| failed("write a part of", key.as_str(), error))?;
            Ok((place, part.content_id))
        }));
        Ok(())
    }

    async fn land_one(&mut self) -> Result<(), Error> {
        let Some(landed) = self.flying.join_next().await else { return Ok(()) };
        let lost = |error| Error::io("write", self.upload.as_str())(io::Error::other(error));
        let (place, name) = landed.map_err(lost).flatten()?;
        let parts = self.parts.multipart.iter_mut().flat_map(|multipart| &mut multipart.parts);
        if let Some((part, _)) = parts.skip(place).take(1).next() {
            *part = name;
        }
        Ok(())
    }

    /// Waits for everything that is on its way.
    async fn end(
        mut self,
        received: Received,
        interrupted: Option<io::Error>,
    ) -> Result<Appended, Error> {
        while !self.flying.is_empty() {
            self.land_one().await?;
        }
        let Received { offset, arrived, hashing } = received;
        let hasher = hashing.finish().await?;
        let offset = offset + arrived;
        if self.parts.length() != offset {
            return Err(inconsistent(offset, self.parts.length()));
        }
        let parts = Some(self.parts);
        Ok(Appended { progress: Progress { offset, hasher, parts }, interrupted })
    }

    /// Takes the first `size` bytes out of what was gathered.
    fn cut(&mut self, size: u64) -> (PutPayload, u64) {
        let mut cut = Vec::new();
        let mut left = size;
        while left > 0 {
            let Some(mut piece) = self.pieces.pop_front() else { break };
            let wanted = usize::try_from(left).unwrap_or(usize::MAX);
            if piece.len() > wanted {
                self.pieces.push_front(piece.split_off(wanted));
            }
            left -= piece.len() as u64;
            cut.push(piece);
        }
        self.gathered -= size - left;
        (cut.into_iter().collect(), size - left)
    }

    fn next_size(&self) -> u64 {
        self.bucket.0.sizes.after(self.sent())
    }

    fn threshold(&self) -> u64 {
        self.bucket.0.sizes.gathered(self.sent())
    }

    fn sent(&self) -> usize {
        self.parts.multipart.as_ref().map_or(0, |multipart| multipart.parts.len())
    }

    fn new_key(&self) -> Result<BlobKey, Error> {
        let random = getrandom::u64();
        let random = random.map_err(|error| {
            Error::io("draw a name for", self.upload.as_str())(io::Error::other(error))
        })?;
        Ok(BlobKey::of_attempt(self.upload, random))
    }
}

/// The hash of a body, by a thread of its own as soon as it is worth one.
enum Hashing {
    Small(Box<Hasher>, Vec<Bytes>, usize),
    Thread(mpsc::Sender<Bytes>, JoinHandle<Hasher>),
}

/// Bodies up to this size are hashed at their end, by one trip to a blocking thread.
const SHORT: usize = 1 << 20;
/// Bodies up to this size are hashed in less time than that trip takes.
const TINY: usize = 16 << 10;

impl Hashing {
    fn new(hasher: Hasher) -> Self {
        Self::Small(Box::new(hasher), Vec::new(), 0)
    }

    async fn update(&mut self, piece: Bytes) -> Result<(), Error> {
        match self {
            Self::Small(hasher, pieces, length) => {
                *length += piece.len();
                pieces.push(piece);
                if *length > SHORT {
                    let (sender, thread) = spawn_hasher(Hasher::clone(hasher));
                    for piece in std::mem::take(pieces) {
                        sender.send(piece).await.map_err(lost)?;
                    }
                    *self = Self::Thread(sender, thread);
                }
                Ok(())
            }
            Self::Thread(sender, _) => sender.send(piece).await.map_err(lost),
        }
    }

    /// Hashes what waits to be hashed, so that nothing of the body is in memory any more.
    async fn settle(&mut self) {
        if let Self::Small(hasher, pieces, length) = self {
            let (mut hashed, pieces) = (Hasher::clone(hasher), std::mem::take(pieces));
            *length = 0;
            **hasher = blocking(move || {
                for piece in pieces {
                    hashed.update(&piece);
                }
                hashed
            })
            .await;
        }
    }

    async fn finish(self) -> Result<Hasher, Error> {
        match self {
            Self::Small(mut hasher, pieces, length) => {
                let hash = move || {
                    for piece in pieces {
                        hasher.update(&piece);
                    }
                    *hasher
                };
                Ok(if length <= TINY { hash() } else { blocking(hash).await })
            }
            Self::Thread(sender, thread) => {
                drop(sender);
                join(thread).await.map_err(Error::io("hash", "an upload"))
            }
        }
    }
}

fn lost<E>(_: E) -> Error {
    Error::io("hash", "an upload")(io::ErrorKind::BrokenPipe.into())
}
