//! Replicas are killed and started again at random under load. What was acknowledged is there at the
//! end, and nothing else is left over.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use plura_testkit::{Client, Image, Random, Server};
use reqwest::Method;
use serde_json::json;

use super::cluster::{Cluster, answered, path_of};

/// How long the load goes on: a few seconds unless told otherwise, in `PLURA_CHAOS_SECONDS`.
fn span() -> Duration {
    let seconds = std::env::var("PLURA_CHAOS_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("PLURA_CHAOS_SECONDS is a number"));
    Duration::from_secs(seconds.unwrap_or(8))
}

/// Clients that push, pull and delete, each in a repository of its own.
const WORKERS: usize = 4;

/// An image whose push was acknowledged.
#[derive(Debug, Clone)]
struct Acknowledged {
    repository: String,
    tag: String,
    image: Image,
}

/// One client of the installation. Each of its requests goes to another replica, as a load balancer
/// that knows nothing would send it.
struct Worker {
    replicas: Vec<Client>,
    random: Random,
    repository: String,
    kept: Vec<Acknowledged>,
    pushes: u32,
    pulls: u32,
    deletes: u32,
}

impl Worker {
    fn new(replicas: Vec<Client>, number: usize, seed: u64) -> Self {
        Self {
            replicas,
            random: Random::seeded(seed),
            repository: format!("apps/worker-{number}"),
            kept: Vec::new(),
            pushes: 0,
            pulls: 0,
            deletes: 0,
        }
    }

    async fn work_until(mut self, deadline: Instant) -> Self {
        while Instant::now() < deadline {
            match self.random.below(10) {
                0..6 => self.push().await,
                6..9 => self.pull().await,
                _ => self.delete().await,
            }
        }
        self
    }

    fn any(&mut self) -> Client {
        let chosen = self.random.below(self.replicas.len());
        self.replicas[chosen].clone()
    }

    /// Pushes an image; what breaks off in the middle is given up, as a client would in the end.
    async fn push(&mut self) {
        let image = Image::random(&mut self.random);
        for blob in &image.blobs {
            if !self.push_blob(&blob.bytes, &blob.digest()).await {
                return;
            }
        }
        let tag = format!("v{}", self.random.hex(12));
        let path = format!("/v2/{}/manifests/{tag}", self.repository);
        for _ in 0..20 {
            let request = self.any().put(&path);
            let request = request.header("content-type", &image.manifest.media_type);
            let request = request.body(image.manifest.bytes.clone());
            // 400: a blob was collected since, because the push was held up for longer than the grace.
            match answered(request, &[201, 400]).await.map(|answer| answer.status) {
                Some(201) => {
                    let repository = self.repository.clone();
                    self.kept.push(Acknowledged { repository, tag, image });
                    self.pushes += 1;
                    return;
                }
                Some(_) => return,
                None => {}
            }
        }
    }

    /// Pushes a blob, each chunk through another replica; where the answer to one is lost, the next
    /// replica is asked how far the upload is.
    async fn push_blob(&mut self, bytes: &Bytes, digest: &str) -> bool {
        let start = format!("/v2/{}/blobs/uploads/", self.repository);
        let started = answered(self.any().post(&start).body(Bytes::new()), &[202]).await;
        let Some(started) = started else { return false };
        let location = path_of(started.header("location"));
        let mut offset = 0;
        for _ in 0..50 {
            let flow = if offset < bytes.len() {
                self.push_chunk(&location, bytes, &mut offset).await
            } else {
                self.finish(&location, digest).await
            };
            if let ControlFlow::Break(done) = flow {
                return done;
            }
        }
        false
    }

    async fn push_chunk(
        &mut self,
        location: &str,
        bytes: &Bytes,
        offset: &mut usize,
    ) -> ControlFlow<bool> {
        let length = (1 + self.random.below(bytes.len())).min(bytes.len() - *offset);
        let chunk = bytes.slice(*offset..*offset + length);
        let range = format!("{offset}-{}", *offset + length - 1);
        let request = self.any().patch(location).header("content-range", &range).body(chunk);
        if answered(request, &[202, 416]).await.is_some_and(|answer| answer.status == 202) {
            *offset += length;
            return ControlFlow::Continue(());
        }
        let Some(progress) = answered(self.any().get(location), &[204, 404]).await else {
            return ControlFlow::Continue(());
        };
        if progress.status == 404 {
            return ControlFlow::Break(false);
        }
        let range = progress.header("range");
        let (_, last) = range.split_once('-').expect("a range");
        let last: usize = last.parse().expect("an offset");
        // `0-0` stands for nothing as well as for one byte; the server says which with the next chunk.
        if last > 0 {
            *offset = last + 1;
        }
        ControlFlow::Continue(())
    }

    async fn finish(&mut self, location: &str, digest: &str) -> ControlFlow<bool> {
        let request = self.any().put(location).query("digest", digest).body(Bytes::new());
        if answered(request, &[201, 404]).await.is_some_and(|answer| answer.status == 201) {
            return ControlFlow::Break(true);
        }
        // The answer may have been lost after the commit.
        let path = format!("/v2/{}/blobs/{digest}", self.repository);
        match answered(self.any().head(&path), &[200, 404]).await.map(|answer| answer.status) {
            Some(200) => ControlFlow::Break(true),
            _ => ControlFlow::Continue(()),
        }
    }

    async fn pull(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        let chosen = self.random.below(self.kept.len());
        let Acknowledged { repository, tag, image } = self.kept[chosen].clone();
        let client = self.any();
        let path = format!("/v2/{repository}/manifests/{tag}");
        let Some(manifest) = answered(client.get(&path), &[200]).await else { return };
        manifest.expect_body(&image.manifest.bytes);
        for blob in &image.blobs {
            let path = format!("/v2/{repository}/blobs/{}", blob.digest());
            let Some(answer) = answered(self.any().get(&path), &[200]).await else { return };
            answer.expect_body(&blob.bytes);
        }
        self.pulls += 1;
    }

    async fn delete(&mut self) {
        // Rarely used up: pushes are six times as many.
        let Some(gone) = self.kept.pop() else { return };
        let path = format!("/v2/{}/manifests/{}", gone.repository, gone.image.digest());
        for _ in 0..50 {
            let request = self.any().request(Method::DELETE, &path);
            if answered(request, &[202, 404]).await.is_some() {
                self.deletes += 1;
                return;
            }
        }
    }
}

/// Kills one replica after the other, at random, and starts each again at once; returns how often.
fn kill_until(deadline: Instant, servers: &mut [Server], mut random: Random) -> u32 {
    let mut kills = 0;
    while Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(200 + random.number() % 800));
        let chosen = random.below(servers.len());
        servers[chosen].kill_hard();
        servers[chosen].start_again();
        kills += 1;
    }
    kills
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_replicas_being_killed() {
    let mut random = Random::printed();
    let mut cluster = Cluster::start(3, &[("PLURA_COLLECTION__GRACE", "10s")]);
    let deadline = Instant::now() + span();
    let work = (0..WORKERS).map(|number| {
        let worker = Worker::new(cluster.clients(), number, random.number());
        tokio::spawn(worker.work_until(deadline))
    });
    let work: Vec<_> = work.collect();
    let (mut servers, source) = (cluster.take_servers(), Random::seeded(random.number()));
    let killing = std::thread::spawn(move || (kill_until(deadline, &mut servers, source), servers));
    let mut workers = Vec::new();
    for worker in work {
        workers.push(worker.await.expect("a worker finds nothing wrong"));
    }
    let (kills, servers) = killing.join().expect("replicas start again");
    cluster.give_servers(servers);
    let sum = |count: fn(&Worker) -> u32| workers.iter().map(count).sum::<u32>();
    let (pushes, pulls, deletes) = (sum(|w| w.pushes), sum(|w| w.pulls), sum(|w| w.deletes));
    assert!(kills > 2 && pushes > 10 && pulls > 0, "{kills} kills, {pushes} pushes, {pulls} pulls");
    report(&format!("{kills} kills, {pushes} pushes, {pulls} pulls, {deletes} deletions"));

    let collect = json!({"dry_run": false});
    // A replica that was killed while it collected keeps the others from it for a minute.
    let collected = cluster.clients()[0].post("/v1/registry/gc").json(&collect).await;
    collected.expect_one_of(&[200, 409]);
    let clients = cluster.clients();
    let kept = workers.iter().flat_map(|worker| &worker.kept);
    for (kept, client) in kept.zip(clients.iter().cycle()) {
        check_there(client, kept).await;
    }
    cluster.stop();
    cluster.check_sound();
}

#[expect(clippy::print_stderr, reason = "a long run is told by what it did")]
fn report(text: &str) {
    eprintln!("{text}");
}

async fn check_there(client: &Client, kept: &Acknowledged) {
    let repository = client.repository(&kept.repository);
    for reference in [&kept.tag, &kept.image.digest()] {
        let manifest = repository.get_manifest(reference).await.expect(200);
        manifest.expect_body(&kept.image.manifest.bytes);
    }
    for blob in &kept.image.blobs {
        repository.get_blob(&blob.digest()).await.expect(200).expect_body(&blob.bytes);
    }
}
