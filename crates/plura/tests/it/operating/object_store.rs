//! An object store instead of the data directory: the same registry, with few requests, and errors that
//! say what to do.

use plura_testkit::{Client, Image, PushMethod, Random, S3, S3Mishap, S3Request, Server, digest};

use super::{plura_with, server};

/// Variables that point plura at an object store.
pub(super) fn variables(store: &S3) -> Vec<(&'static str, String)> {
    vec![
        ("PLURA_STORAGE__BACKEND", "s3".to_owned()),
        ("PLURA_STORAGE__S3__ENDPOINT", store.endpoint()),
        ("PLURA_STORAGE__S3__BUCKET", S3::BUCKET.to_owned()),
        ("PLURA_STORAGE__S3__PREFIX", "the/prefix".to_owned()),
        ("PLURA_STORAGE__S3__ACCESS_KEY", S3::ACCESS_KEY.to_owned()),
        ("PLURA_STORAGE__S3__SECRET_KEY", S3::SECRET_KEY.to_owned()),
        ("PLURA_COLLECTION__ENABLED", "false".to_owned()),
        ("PLURA_CONTENTS__READ", "false".to_owned()),
        // The log is written beside blobs, when it has something to say.
        ("PLURA_TRANSPARENCY__INTEGRATE", "false".to_owned()),
    ]
}

/// A server on the object store; nothing is counted of its start.
fn start(store: &S3, more: &[(&str, &str)]) -> Server {
    let variables = variables(store);
    let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
    let variables: Vec<_> = variables.chain(more.iter().copied()).collect();
    let started = server(&variables).start();
    store.take_requests();
    started
}

/// Follows a redirect.
pub(super) async fn follow(store: &S3, location: &str) -> Vec<u8> {
    let target = location.strip_prefix(&store.endpoint()).expect("it leads to the object store");
    Client::of(&store.endpoint()).get(target).await.expect(200).body.to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_and_pulls_take_as_few_requests_as_they_can() {
    use S3Request::{Begin, Complete, Get, Part, Put};

    let store = S3::start();
    let server = start(&store, &[("PLURA_STORAGE__REDIRECT__ENABLED", "false")]);
    let repository = server.client().repository("apps/web");
    let mut random = Random::seeded(7);
    for method in
        [PushMethod::Post, PushMethod::PostPut, PushMethod::PostStreamedPut, PushMethod::Stream]
    {
        for (size, expected) in [
            (100, vec![Put]),
            (4 << 20, vec![Put]),
            (12 << 20, vec![Put]),
            (20 << 20, vec![Begin, Complete, Part, Part]),
            (30 << 20, vec![Begin, Complete, Part, Part, Part, Part]),
        ] {
            let bytes = random.bytes(size);
            let digest = digest(&bytes);
            repository.push_by(method, &bytes, &digest).await.expect(201);
            let mut requests = store.take_requests();
            // Parts overtake each other.
            requests.sort_by_key(|request| format!("{request:?}"));
            assert_eq!(requests, expected, "{method:?} of {size} bytes");

            repository.head_blob(&digest).await.expect(200);
            let unknown = plura_testkit::digest(&random.bytes(8));
            repository.get_blob(&unknown).await.expect(404);
            assert_eq!(store.take_requests(), [], "what metadata knows is not asked for");
            repository.get_blob(&digest).await.expect(200).expect_body(&bytes);
            assert_eq!(store.take_requests(), [Get]);
        }
    }
    assert_eq!(store.unfinished(), [""; 0]);
    assert!(store.objects().iter().all(|key| key.starts_with("the/prefix/blobs/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_object_store_is_asked_for_names_the_request_that_it_is_for() {
    let store = S3::start();
    let server = start(&store, &[("PLURA_STORAGE__REDIRECT__ENABLED", "false")]);
    store.take_senders();
    let client = server.client();
    let bytes = Random::seeded(9).bytes(20 << 20);
    let digest = digest(&bytes);
    let push = client.post("/v2/apps/web/blobs/uploads/").query("digest", &digest);
    push.header("x-request-id", "push-1").body(bytes).await.expect(201);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let pull = client.get(&format!("/v2/apps/web/blobs/{digest}"));
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let pulled = pull.header("traceparent", &parent).await.expect(200);
    pulled.expect_header("x-request-id", trace);
    let senders = store.take_senders();
    assert!(senders.len() >= 5, "{senders:#?}");
    for (kind, client, request) in senders {
        let expected = if kind == S3Request::Get { trace } else { "push-1" };
        assert_eq!(request.as_deref(), Some(expected), "{kind:?}");
        assert!(client.ends_with(&format!(" request/{expected}")), "{kind:?}: {client}");
    }
}

#[tokio::test]
async fn blobs_are_fetched_from_the_object_store_by_those_who_can() {
    let store = S3::start();
    let server = start(&store, &[]);
    let client = server.client();
    let repository = client.repository("apps/web");
    let bytes = Random::seeded(1).bytes(100_000);
    let digest = repository.push_bytes(&bytes).await;
    store.take_requests();

    let answer = repository.get_blob(&digest).await.expect(307);
    assert_eq!(answer.header("docker-content-digest"), digest);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(store.take_requests(), [], "an address is signed without asking");
    assert_eq!(follow(&store, answer.header("location")).await, bytes);
    repository.head_blob(&digest).await.expect(200).expect_no_header("location");
    let known = client.get(&format!("/v2/apps/web/blobs/{digest}"));
    known.header("if-none-match", &format!("\"{digest}\"")).await.expect(304);

    let tampered = answer.header("location").replace("X-Amz-Expires=900", "X-Amz-Expires=901");
    let target = tampered.strip_prefix(&store.endpoint()).expect("it leads there");
    Client::of(&store.endpoint()).get(target).await.expect(403);
    assert!(!server.log().contains("X-Amz-Signature"), "an address is a credential");

    let near = [("PLURA_STORAGE__REDIRECT__STREAM_TO", "[\"127.0.0.0/8\"]")];
    let server = start(&store, &near);
    let repository = server.client().repository("apps/web");
    let digest = repository.push_bytes(&bytes).await;
    let always = server.client().patch("/api/v1/projects/apps");
    let always = always.header("content-type", "application/json");
    always.body("{\"redirect\": \"on\"}").await.expect(200);
    repository.get_blob(&digest).await.expect(200).expect_body(&bytes);
    for (range, from, to) in
        [("bytes=0-0", 0, 1), ("bytes=99-", 99, 100_000), ("bytes=-7", 99_993, 100_000)]
    {
        let part = server.client().get(&format!("/v2/apps/web/blobs/{digest}"));
        let part = part.header("range", range).await.expect(206).expect_body(&bytes[from..to]);
        assert_eq!(part.header("content-range"), format!("bytes {from}-{}/100000", to - 1));
    }
    let beyond = server.client().get(&format!("/v2/apps/web/blobs/{digest}"));
    beyond.header("range", "bytes=100000-").await.expect(416);
}

#[tokio::test]
async fn clients_are_sent_to_where_they_reach_the_object_store() {
    let store = S3::start();
    // Another name of the same object store: whoever signs for the wrong host is refused.
    let public = store.endpoint().replace("127.0.0.1", "localhost");
    let server = start(&store, &[("PLURA_STORAGE__REDIRECT__ENDPOINT", public.as_str())]);
    let repository = server.client().repository("apps/web");
    let bytes = Random::seeded(4).bytes(100_000);
    let digest = repository.push_bytes(&bytes).await;
    let location = repository.get_blob(&digest).await.expect(307).header("location").to_owned();
    let target = location.strip_prefix(&public).expect("it leads to the public address");
    Client::of(&public).get(target).await.expect(200).expect_body(&bytes);
    Client::of(&store.endpoint()).get(target).await.expect(403);
}

#[tokio::test]
async fn a_project_decides_for_itself_whether_its_clients_are_sent_to_the_object_store() {
    let bytes = Random::seeded(2).bytes(1000);
    for enabled in [true, false] {
        let store = S3::start();
        let word = enabled.to_string();
        let server = start(&store, &[("PLURA_STORAGE__REDIRECT__ENABLED", word.as_str())]);
        let repository = server.client().repository("apps/web");
        let digest = repository.push_bytes(&bytes).await;
        let expect = async |redirect: &str, status: u16| {
            let change = server.client().patch("/api/v1/projects/apps");
            let change = change.header("content-type", "application/json");
            change.body(format!("{{\"redirect\": \"{redirect}\"}}")).await.expect(200);
            repository.get_blob(&digest).await.expect(status);
        };
        // At once, since it is read with the blob.
        expect("off", 200).await;
        expect("on", 307).await;
        expect("inherit", if enabled { 307 } else { 200 }).await;
    }
}

#[tokio::test]
async fn an_image_is_pushed_pulled_and_deleted_and_nothing_stays() {
    let store = S3::start();
    let at_once = [
        ("PLURA_COLLECTION__GRACE", "0s"),
        ("PLURA_COLLECTION__KEEP_UNTAGGED", "0s"),
        ("PLURA_STORAGE__REDIRECT__ENABLED", "false"),
    ];
    let mut server = start(&store, &at_once);
    let image = Image::random(&mut Random::seeded(3));
    let repository = server.client().repository("apps/web");
    repository.push_image_as("v1", &image).await;
    server.restart();
    let repository = server.client().repository("apps/web");
    for blob in &image.blobs {
        repository.get_blob(&blob.digest()).await.expect(200).expect_body(&blob.bytes);
    }
    repository.delete_manifest("v1").await.expect(202);
    for _ in 0..2 {
        let collect = server.client().post("/v1/registry/gc");
        collect.header("content-type", "application/json").body("{}").await.expect(200);
    }
    assert_eq!(store.objects(), [""; 0]);
}

#[tokio::test]
async fn an_object_store_that_fails_is_answered_with_a_time_to_try_again() {
    let store = S3::start();
    let server = start(&store, &[("PLURA_STORAGE__REDIRECT__ENABLED", "false")]);
    let repository = server.client().repository("apps/web");
    let bytes = Random::seeded(5).bytes(1000);
    let digest = digest(&bytes);
    store.order(S3Request::Put, 100, S3Mishap::Refuse(503, "SlowDown"));
    let refused = repository.push_by(PushMethod::Post, &bytes, &digest).await.expect(503);
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
    store.calm();
    repository.push_by(PushMethod::Post, &bytes, &digest).await.expect(201);
    store.order(S3Request::Get, 2, S3Mishap::Refuse(503, "SlowDown"));
    repository.get_blob(&digest).await.expect(200).expect_body(&bytes);
    store.order(S3Request::Get, 100, S3Mishap::Refuse(500, "InternalError"));
    assert!(repository.get_blob(&digest).await.expect(503).header_if_any("retry-after").is_some());
}

#[test]
fn what_is_wrong_with_an_object_store_is_said_with_what_to_do() {
    let store = S3::start();
    let check = |more: &[(&str, &str)]| {
        let variables = variables(&store);
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<_> = variables.chain(more.iter().copied()).collect();
        plura_with(&variables, &["config", "check"])
    };
    let fit = check(&[]).expect(0);
    for line in ["ok     write in parts", "ok     delete objects", "AbortIncompleteMultipartUpload"]
    {
        assert!(fit.stdout.contains(line), "{}", fit.stdout);
    }
    assert_eq!(store.objects(), [""; 0]);
    let public =
        check(&[("PLURA_STORAGE__REDIRECT__ENDPOINT", "https://s3.example.com")]).expect(0);
    public.expect_stdout("clients that are redirected use https://s3.example.com");
    let plain = check(&[("PLURA_STORAGE__REDIRECT__ENDPOINT", "http://s3.example.com")]).expect(1);
    plain.expect_stdout("storage.redirect.endpoint");
    for (variable, value, expected) in [
        ("PLURA_STORAGE__S3__SECRET_KEY", "wrong", "storage.s3.secret_key"),
        ("PLURA_STORAGE__S3__ACCESS_KEY", "wrong", "storage.s3.access_key"),
        ("PLURA_STORAGE__S3__ENDPOINT", "http://127.0.0.1:9", "cannot reach http://127.0.0.1:9"),
    ] {
        let wrong = check(&[(variable, value)]).expect(1);
        assert!(wrong.stdout.contains(expected), "{variable}: {}", wrong.stdout);
    }
    for (status, code, expected) in [
        (404, "NoSuchBucket", "there is no bucket `plura`"),
        (403, "AccessDenied", "denied"),
        (403, "RequestTimeTooSkewed", "clock"),
        (400, "AuthorizationHeaderMalformed", "storage.s3.region"),
    ] {
        store.order(S3Request::Put, 1, S3Mishap::Refuse(status, code));
        let wrong = check(&[]).expect(1);
        assert!(wrong.stdout.contains(expected), "{code}: {}", wrong.stdout);
    }
}
