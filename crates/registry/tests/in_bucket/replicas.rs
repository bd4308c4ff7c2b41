//! Several processes on one database and one bucket: an upload goes on wherever its next request comes,
//! and is written to by one request at a time.

use bytes::Bytes;
use futures_util::StreamExt;
use plura_oci::{Algorithm, Digest, UploadId};
use plura_registry::{Chunk, Claim, DatabaseServer, Error, Registry, Settings};
use plura_testkit::postgres::{Database, Postgres};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::{behind::Behind, bucket::Bucket, support::*};

const MIB: usize = 1 << 20;

/// Two processes, as far as they can tell.
struct Replicas {
    one: Registry,
    other: Registry,
    bucket: Bucket,
    database: Database,
    _directories: [TempDir; 2],
}

impl Replicas {
    async fn start() -> Self {
        let database = Postgres::shared().database(migrate).await;
        let directories = [temporary(), temporary()];
        let bucket = Bucket::beside(directories[0].path());
        let open = async |directory: &TempDir| {
            let server = DatabaseServer::new(&database.url()).unwrap().max_connections(4);
            let database = Some(server);
            let settings = Settings { database, storage: bucket.storage(), ..settings() };
            Registry::open(directory.path(), settings).await.unwrap()
        };
        let (one, other) = (open(&directories[0]).await, open(&directories[1]).await);
        Self { one, other, bucket, database, _directories: directories }
    }

    async fn behind(&self) -> Behind {
        Behind::server(&self.database.url()).await
    }

    /// Waits until a request has claimed the session that there is.
    async fn claimed(&self) {
        const SQL: &str = "select '', '', id from upload where claim is not null";
        eventually(async || (self.behind().await.select(SQL).await.len() == 1).then_some(())).await;
    }

    async fn end(self) {
        let Self { one, other, bucket, database, .. } = self;
        one.close().await;
        other.close().await;
        let url = database.url();
        bucket.assert_nothing_leaked(async || Behind::server(&url).await);
    }
}

/// A body that comes when it is sent.
pub(crate) fn slow() -> (mpsc::UnboundedSender<Bytes>, Chunk) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let body = futures_util::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|bytes| (Ok(bytes), receiver))
    });
    (sender, Chunk { claim: Claim::default(), body: body.boxed() })
}

async fn start(registry: &Registry) -> UploadId {
    registry.start_upload(&name("app"), Algorithm::Sha256).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_hops_from_one_to_the_other() {
    let replicas = Replicas::start().await;
    let both = [&replicas.one, &replicas.other];
    let app = name("app");
    for chunks in [&[1, 2, 0][..], &[6 * MIB, 100, 9 * MIB, 3], &[12 * MIB, 0]] {
        let bytes = content(chunks.len() as u64, chunks.iter().sum());
        let digest = Digest::sha256(&bytes);
        let id = start(both[0]).await;
        let (mut offset, last) = (0, chunks.len() - 1);
        for (number, length) in chunks.iter().enumerate() {
            let (registry, piece) =
                (both[(number + 1) % 2], chunk(&bytes[offset..offset + length]));
            offset += length;
            if number == last {
                registry.finish_upload(&app, &id, &digest, piece).await.unwrap();
            } else {
                let found = registry.append_upload(&app, &id, piece).await.unwrap();
                assert_eq!(found, offset as u64);
            }
        }
        for registry in both {
            assert_eq!(read(registry, "app", &digest).await.unwrap(), bytes);
        }
    }
    replicas.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_at_a_time_writes_to_a_session() {
    let replicas = Replicas::start().await;
    let app = name("app");
    let id = start(&replicas.one).await;
    let (sender, body) = slow();
    let first = {
        let (registry, app, id) = (replicas.one.clone(), app.clone(), id.clone());
        tokio::spawn(async move { registry.append_upload(&app, &id, body).await })
    };
    replicas.claimed().await;
    let second = replicas.other.append_upload(&app, &id, chunk(b"0")).await;
    assert_refused!(second, Error::UploadBusy);
    assert_refused!(replicas.other.cancel_upload(&app, &id).await, Error::UploadBusy);
    sender.send(Bytes::from_static(b"0123")).unwrap();
    drop(sender);
    assert_eq!(first.await.unwrap().unwrap(), 4);
    let digest = Digest::sha256(b"01234567");
    replicas.other.finish_upload(&app, &id, &digest, chunk(b"4567")).await.unwrap();
    replicas.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_that_died_had_claimed_is_taken_over() {
    let replicas = Replicas::start().await;
    let app = name("app");
    let id = start(&replicas.one).await;
    replicas.one.append_upload(&app, &id, chunk(b"0123")).await.unwrap();
    let held = "update upload set claim = 'of the dead', claimed_until = 9000000000000000";
    replicas.behind().await.execute(held).await;
    let refused = replicas.other.append_upload(&app, &id, chunk(b"4567")).await;
    assert_refused!(refused, Error::UploadBusy);
    replicas.behind().await.execute("update upload set claimed_until = 1").await;
    assert_eq!(replicas.other.append_upload(&app, &id, chunk(b"4567")).await.unwrap(), 8);
    let digest = Digest::sha256(b"01234567");
    replicas.one.finish_upload(&app, &id, &digest, chunk(b"")).await.unwrap();
    assert_eq!(read(&replicas.other, "app", &digest).await.unwrap(), b"01234567");
    replicas.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_chunk_replaced_is_removed_by_whoever_goes_on() {
    let replicas = Replicas::start().await;
    let app = name("app");
    for fault in ["upload.advanced", "bucket.delete"] {
        let id = start(&replicas.one).await;
        replicas.one.append_upload(&app, &id, chunk(b"0123")).await.unwrap();
        // The chunk is recorded, and what it replaced stays behind.
        plura_fault::arm(fault, Some(plura_fault::Fault::Error));
        let appended = replicas.one.append_upload(&app, &id, chunk(b"4567")).await;
        plura_fault::arm(fault, None);
        assert_eq!(appended.is_err(), fault == "upload.advanced", "{appended:?}");
        assert_eq!(replicas.other.upload_offset(&app, &id).await.unwrap(), 8);
        let digest = Digest::sha256(b"01234567");
        replicas.other.finish_upload(&app, &id, &digest, chunk(b"")).await.unwrap();
    }
    replicas.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_claim_changes_nothing() {
    let replicas = Replicas::start().await;
    let app = name("app");
    let id = start(&replicas.one).await;
    let (sender, body) = slow();
    let first = {
        let (registry, app, id) = (replicas.one.clone(), app.clone(), id.clone());
        let digest = Digest::sha256(b"late");
        tokio::spawn(async move { registry.finish_upload(&app, &id, &digest, body).await })
    };
    replicas.claimed().await;
    replicas.behind().await.execute("update upload set claimed_until = 1").await;
    assert_eq!(replicas.other.append_upload(&app, &id, chunk(b"0123")).await.unwrap(), 4);
    sender.send(Bytes::from_static(b"late")).unwrap();
    drop(sender);
    assert_refused!(first.await.unwrap(), Error::UploadBusy);
    assert_eq!(replicas.one.upload_offset(&app, &id).await.unwrap(), 4);
    let digest = Digest::sha256(b"0123");
    replicas.other.finish_upload(&app, &id, &digest, chunk(b"")).await.unwrap();
    replicas.end().await;
}
