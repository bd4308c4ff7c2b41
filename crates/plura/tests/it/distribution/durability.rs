//! What was acknowledged survives dropped connections, restarts and SIGKILL; what was begun can be
//! continued.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use plura_testkit::{Algorithm, Image, Manifest, PushMethod, Random, Repository, Upload, raw};

use super::uploads::check_readable;
use super::{Plura, eventually};

/// How many bytes the upload has, once the server is ready to continue it.
async fn received(upload: &mut Upload) -> Option<usize> {
    let progress = upload.progress().await;
    if progress.status != 204 {
        progress.expect_one_of(&[409, 416, 423, 429]);
        return None;
    }
    let last = progress.header("range").strip_prefix("0-").expect("a range from 0").parse();
    let last: usize = last.expect("the last byte");
    Some(if last == 0 { 0 } else { last + 1 })
}

/// Sends the rest of the bytes from wherever the upload is, and finishes it.
async fn check_resumes(
    repository: &Repository,
    upload: Upload,
    bytes: &[u8],
    acknowledged: usize,
    algorithm: Algorithm,
) {
    let upload = Arc::new(tokio::sync::Mutex::new(upload));
    let resumed = || async {
        let mut upload = upload.lock().await;
        let offset = received(&mut upload).await?;
        assert!((acknowledged..=bytes.len()).contains(&offset), "{offset} bytes");
        // The broken request may still be noticed only now; then the offset moved.
        let answer = upload.patch(offset, bytes[offset..].to_vec()).await;
        (answer.expect_one_of(&[202, 409, 416, 423, 429]).status == 202).then_some(())
    };
    eventually("the upload can be continued", resumed).await;
    let digest = algorithm.digest(bytes);
    upload.lock().await.finish(&digest).await.expect(201);
    check_readable(repository, &digest, bytes).await;
}

#[tokio::test]
async fn an_upload_continues_after_its_connection_broke() {
    let mut plura = Plura::start();
    let repository = plura.repository("dropped");
    for (algorithm, sent) in
        [(Algorithm::Sha256, 0), (Algorithm::Sha512, 1), (Algorithm::Sha256, 700_000)]
    {
        let bytes = plura.random.bytes(1_500_000);
        let mut upload = repository.start_upload().await;
        upload.patch(0, bytes[..1000].to_vec()).await.expect(202);
        let mut connection = raw::Connection::open(&plura.client.authority()).await;
        let headers = ["Content-Length: 1499000", "Content-Range: 1000-1499999"];
        connection.send_head(&format!("PATCH {}", upload.location), &headers).await;
        connection.send(&bytes[1000..1000 + sent]).await;
        drop(connection);
        check_resumes(&repository, upload, &bytes, 1000, algorithm).await;
    }
}

#[tokio::test]
async fn an_upload_continues_after_a_stream_broke() {
    let mut plura = Plura::start();
    let repository = plura.repository("stream");
    let bytes = plura.random.bytes(500_000);
    let upload = repository.start_upload().await;
    let mut connection = raw::Connection::open(&plura.client.authority()).await;
    let line = format!("PATCH {}", upload.location);
    connection.send_head(&line, &["Transfer-Encoding: chunked"]).await;
    // 0x30000 bytes are announced for this piece, and fewer come.
    connection.send(b"30000\r\n").await;
    connection.send(&bytes[..100_000]).await;
    drop(connection);
    check_resumes(&repository, upload, &bytes, 0, Algorithm::Sha256).await;
}

#[tokio::test]
async fn a_finish_that_broke_off_leaves_no_blob() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("finish").await;
    let bytes = plura.random.bytes(300_000);
    let digest = plura_testkit::digest(&bytes);
    let post = format!("POST {}?digest={digest}", repository.path("blobs/uploads/"));
    let upload = repository.start_upload().await;
    let put = format!("PUT {}?digest={digest}", upload.location);
    for line in [post, put] {
        let mut connection = raw::Connection::open(&plura.client.authority()).await;
        connection.send_head(&line, &["Content-Length: 300000"]).await;
        connection.send(&bytes[..299_999]).await;
        drop(connection);
        repository.head_blob(&digest).await.expect(404);
    }
    assert_eq!(repository.push_bytes(&bytes).await, digest);
    check_readable(&repository, &digest, &bytes).await;
}

#[tokio::test]
async fn an_upload_continues_after_a_restart() {
    let mut plura = Plura::start();
    let repository = plura.repository("restart");
    for algorithm in Algorithm::ALL {
        let bytes = plura.random.bytes(400_000);
        let mut upload = repository.start_upload().await;
        upload.patch(0, bytes[..150_001].to_vec()).await.expect(202);
        plura.server.restart();
        assert_eq!(received(&mut upload).await, Some(150_001));
        upload.patch(150_001, bytes[150_001..300_000].to_vec()).await.expect(202);
        plura.server.restart();
        let digest = algorithm.digest(&bytes);
        upload.finish_with(300_000, bytes[300_000..].to_vec(), &digest).await.expect(201);
        check_readable(&repository, &digest, &bytes).await;
    }
}

#[tokio::test]
async fn an_upload_continues_after_the_server_was_killed() {
    let mut plura = Plura::start();
    let repository = plura.repository("killed");
    for algorithm in Algorithm::ALL {
        let bytes = plura.random.bytes(400_000);
        let mut upload = repository.start_upload().await;
        upload.patch(0, bytes[..150_001].to_vec()).await.expect(202);
        plura.server.kill_hard();
        plura.server.start_again();
        check_resumes(&repository, upload, &bytes, 150_001, algorithm).await;
    }
}

#[tokio::test]
async fn an_upload_continues_after_the_server_was_killed_in_the_middle_of_a_chunk() {
    let mut plura = Plura::start();
    let repository = plura.repository("killed");
    let bytes = plura.random.bytes(3_000_000);
    let mut upload = repository.start_upload().await;
    upload.patch(0, bytes[..1000].to_vec()).await.expect(202);
    let mut connection = raw::Connection::open(&plura.client.authority()).await;
    let headers = ["Content-Length: 2999000", "Content-Range: 1000-2999999"];
    connection.send_head(&format!("PATCH {}", upload.location), &headers).await;
    connection.send(&bytes[1000..2_000_000]).await;
    plura.server.kill_hard();
    plura.server.start_again();
    check_resumes(&repository, upload, &bytes, 1000, Algorithm::Sha256).await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let mut plura = Plura::start();
    let repository = plura.repository("restart");
    let image = Image::random(&mut plura.random);
    repository.push_image_as("latest", &image).await;
    let about = Image::artifact(&mut plura.random, "application/vnd.example.signature");
    let about = about.about(&image.manifest);
    repository.push_image(&about).await;
    let deleted = Image::random(&mut plura.random);
    repository.push_image_as("deleted", &deleted).await;
    repository.delete_manifest(&deleted.digest()).await.expect(202);
    let other = plura.repository("mounted");
    other.mount(&image.blobs[0].digest(), Some(&repository.name)).await.expect(201);

    plura.server.restart();
    check_image(&repository, "latest", &image).await;
    check_image(&repository, &about.digest(), &about).await;
    assert_eq!(repository.referrers(&image.digest()).await.len(), 1);
    assert_eq!(repository.tags().await, ["latest"]);
    repository.get_manifest(&deleted.digest()).await.expect(404);
    check_readable(&other, &image.blobs[0].digest(), &image.blobs[0].bytes).await;
    assert_eq!(plura.client.catalog().await, [other.name.as_str(), repository.name.as_str()]);
}

async fn check_image(repository: &Repository, reference: &str, image: &Image) {
    let get = repository.get_manifest(reference).await.expect(200);
    get.expect_body(&image.manifest.bytes);
    for blob in &image.blobs {
        check_readable(repository, &blob.digest(), &blob.bytes).await;
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_right_after() {
    let mut plura = Plura::start();
    let repository = plura.repository("kill");
    let mut kept: Vec<Image> = Vec::new();
    for round in 0..6 {
        let image = Image::random(&mut plura.random);
        let method = PushMethod::ALL[round];
        for blob in &image.blobs {
            repository.push_by(method, &blob.bytes, &blob.digest()).await.expect(201);
        }
        repository.put_manifest(&format!("v{round}"), &image.manifest).await.expect(201);
        if let Some(old) = kept.pop_if(|_| round == 3) {
            repository.delete_manifest(&old.digest()).await.expect(202);
            plura.server.kill_hard();
            plura.server.start_again();
            repository.get_manifest(&old.digest()).await.expect(404);
        } else {
            plura.server.kill_hard();
            plura.server.start_again();
        }
        kept.push(image);
        for image in &kept {
            check_image(&repository, &image.digest(), image).await;
        }
        check_image(&repository, &format!("v{round}"), &kept[kept.len() - 1]).await;
    }
    assert_eq!(repository.tags().await, ["v0", "v1", "v3", "v4", "v5"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_among_many_pushes() {
    let mut plura = Plura::start();
    let repository = plura.repository("storm");
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let mut pushers = Vec::new();
    for pusher in 0..8 {
        let random = Random::seeded(plura.random.number());
        pushers.push(tokio::spawn(push_until_killed(
            (pusher, random),
            repository.clone(),
            Arc::clone(&acknowledged),
            Arc::clone(&count),
        )));
    }
    let enough = || async { (count.load(Ordering::Relaxed) >= 60).then_some(()) };
    eventually("sixty images are pushed", enough).await;
    plura.server.kill_hard();
    for pusher in pushers {
        pusher.await.unwrap();
    }
    plura.server.start_again();
    let acknowledged = acknowledged.lock().unwrap().clone();
    let tags = repository.tags().await;
    for (tag, manifest) in acknowledged {
        let get = repository.get_manifest(&tag).await.expect(200);
        get.expect_body(&manifest.bytes);
        assert!(tags.contains(&tag), "{tag} is listed");
        for layer in manifest.json()["layers"].as_array().unwrap() {
            let digest = layer["digest"].as_str().unwrap();
            let blob = repository.get_blob(digest).await.expect(200);
            assert_eq!(plura_testkit::digest(&blob.body), digest);
        }
    }
}

/// Pushes image after image until the server is gone, noting what it acknowledged.
async fn push_until_killed(
    (pusher, mut random): (usize, Random),
    repository: Repository,
    acknowledged: Arc<Mutex<Vec<(String, Manifest)>>>,
    count: Arc<AtomicUsize>,
) {
    for place in 0.. {
        let image = Image::random(&mut random);
        for blob in &image.blobs {
            let digest = blob.digest();
            let target = repository.path(&format!("blobs/uploads/?digest={digest}"));
            let request = repository.client.post(&target).body(blob.bytes.clone());
            match request.attempt().await {
                Ok(answer) => drop(answer.expect(201)),
                Err(_) => return,
            }
        }
        let tag = format!("p{pusher}-{place}");
        let request = repository.manifest(reqwest::Method::PUT, &tag);
        let request = request.header("content-type", &image.manifest.media_type);
        match request.body(image.manifest.bytes.clone()).attempt().await {
            Ok(answer) => drop(answer.expect(201)),
            Err(_) => return,
        }
        acknowledged.lock().expect("nobody panicked").push((tag, image.manifest));
        count.fetch_add(1, Ordering::Relaxed);
    }
}
