//! Parts of blobs, and content that the client has already (RFC 9110, sections 13 and 14).

use plura_testkit::{Algorithm, Answer, Image, PushMethod, Random, Repository};
use reqwest::Method;

use super::Plura;

/// A repository with one blob of that many bytes.
async fn stored(plura: &mut Plura, size: usize) -> (Repository, String, Vec<u8>) {
    let repository = plura.repository("ranges");
    let bytes = plura.random.bytes(size);
    let digest = repository.push_bytes(&bytes).await;
    (repository, digest, bytes)
}

async fn get_range(repository: &Repository, digest: &str, range: &str) -> Answer {
    repository.blob(Method::GET, digest).header("range", range).await
}

#[tokio::test]
async fn a_range_gives_exactly_that_part() {
    let mut plura = Plura::start();
    let (repository, sha256, bytes) = stored(&mut plura, 2048).await;
    let sha512 = Algorithm::Sha512.digest(&bytes);
    repository.push_by(PushMethod::Post, &bytes, &sha512).await.expect(201);
    for (range, first, last) in [
        ("bytes=500-1499", 500, 1499),
        ("bytes=500-", 500, 2047),
        ("bytes=-500", 1548, 2047),
        ("bytes=2000-5000", 2000, 2047),
        ("bytes=0-0", 0, 0),
        ("bytes=2047-2047", 2047, 2047),
        ("bytes=2047-", 2047, 2047),
        ("bytes=-1", 2047, 2047),
        ("bytes=0-2047", 0, 2047),
        ("bytes=0-", 0, 2047),
        ("bytes=-2048", 0, 2047),
        ("bytes=-9999", 0, 2047),
        ("bytes=7-99999999999999999999999", 7, 2047),
        ("bytes= 3-5", 3, 5),
        ("Bytes=3-5", 3, 5),
    ] {
        for digest in [&sha256, &sha512] {
            let part = get_range(&repository, digest, range).await;
            assert_eq!(part.status, 206, "{range}: {}", part.describe());
            part.expect_header("content-range", &format!("bytes {first}-{last}/2048"))
                .expect_header("content-length", &(last - first + 1).to_string())
                .expect_header("docker-content-digest", digest)
                .expect_header("accept-ranges", "bytes")
                .expect_body(&bytes[first..=last]);
        }
    }
}

#[tokio::test]
async fn a_range_without_any_byte_of_the_blob_cannot_be_satisfied() {
    let mut plura = Plura::start();
    let (repository, digest, _) = stored(&mut plura, 2048).await;
    for range in
        ["bytes=500-0", "bytes=5000-10000", "bytes=2048-", "bytes=-0", "bytes=2048-2048,4000-"]
    {
        let refused = get_range(&repository, &digest, range).await;
        assert_eq!(refused.status, 416, "{range}: {}", refused.describe());
        refused.expect_header("content-range", "bytes */2048");
    }
}

#[tokio::test]
async fn what_is_not_a_range_of_bytes_is_ignored_or_refused() {
    let mut plura = Plura::start();
    let (repository, digest, bytes) = stored(&mut plura, 100).await;
    // RFC 9110, section 14.2: a unit that is not understood must be ignored.
    get_range(&repository, &digest, "lines=1-2").await.expect(200).expect_body(&bytes);
    for range in ["bytes", "bytes=", "bytes=a-b", "bytes=1", "bytes=--1", "bytes=1-2-3", "bytes=-"]
    {
        let answer = get_range(&repository, &digest, range).await.expect_one_of(&[200, 416]);
        if answer.status == 200 {
            answer.expect_body(&bytes);
        }
    }
}

#[tokio::test]
async fn several_ranges_give_all_their_parts_or_the_whole() {
    let mut plura = Plura::start();
    let (repository, digest, bytes) = stored(&mut plura, 2048).await;
    let answer = get_range(&repository, &digest, "bytes=0-9,100-149,-5").await;
    if answer.status == 200 {
        answer.expect_body(&bytes);
        return;
    }
    let answer = answer.expect(206);
    let kind = answer.header("content-type");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect(kind);
    // Between the parts there are a boundary and headers, whose order and case are free.
    let mut found = answer.body.as_ref();
    for (first, last) in [(0, 9), (100, 149), (2043, 2047)] {
        let range = format!("bytes {first}-{last}/2048\r\n").into_bytes();
        for wanted in [&range, &bytes[first..=last]] {
            let at = found.windows(wanted.len()).position(|window| window == wanted);
            let at = at.unwrap_or_else(|| panic!("{first}-{last} is missing or out of order"));
            found = &found[at + wanted.len()..];
        }
    }
    assert!(String::from_utf8_lossy(found).contains(&format!("--{boundary}--")));
}

#[tokio::test]
async fn many_overlapping_ranges_do_not_multiply_the_blob() {
    let mut plura = Plura::start();
    let (repository, digest, bytes) = stored(&mut plura, 64 * 1024).await;
    let range = format!("bytes={}", vec!["0-"; 500].join(","));
    let answer = get_range(&repository, &digest, &range).await.expect_one_of(&[200, 206, 416]);
    assert!(answer.body.len() <= 2 * bytes.len(), "{} bytes", answer.body.len());
}

#[tokio::test]
async fn an_empty_blob_has_no_ranges() {
    let mut plura = Plura::start();
    let (repository, digest, _) = stored(&mut plura, 0).await;
    repository.get_blob(&digest).await.expect(200).expect_header("content-length", "0");
    for range in ["bytes=0-", "bytes=0-0", "bytes=5-9"] {
        let refused = get_range(&repository, &digest, range).await.expect(416);
        refused.expect_header("content-range", "bytes */0");
    }
    // There is no last byte, so the suffix is nothing: both answers are in use.
    get_range(&repository, &digest, "bytes=-5").await.expect_one_of(&[200, 416]);
}

#[tokio::test]
async fn the_headers_of_the_whole_do_not_depend_on_a_range() {
    let mut plura = Plura::start();
    let (repository, digest, _) = stored(&mut plura, 2048).await;
    // RFC 9110, section 14.2: Range is defined for GET only.
    let head = repository.blob(Method::HEAD, &digest).header("range", "bytes=0-9").await;
    head.expect(200)
        .expect_header("content-length", "2048")
        .expect_header("accept-ranges", "bytes");
}

#[tokio::test]
async fn random_ranges_of_a_large_blob_are_right() {
    let mut plura = Plura::start();
    let size = 5 * 1024 * 1024 + 123;
    let (repository, digest, bytes) = stored(&mut plura, size).await;
    let edge = |random: &mut Random| match random.below(3) {
        // Pages and buffers end at powers of two, which is where an error by one would sit.
        0 => (random.below(40) << 17).saturating_sub(random.below(3)),
        1 => random.below(40) << 12,
        _ => random.below(size),
    };
    for _ in 0..60 {
        let (one, two) = (edge(&mut plura.random), edge(&mut plura.random));
        let (first, last) = (one.min(two).min(size - 1), one.max(two).min(size - 1));
        let part = get_range(&repository, &digest, &format!("bytes={first}-{last}")).await;
        part.expect(206).expect_body(&bytes[first..=last]);
    }
}

#[tokio::test]
async fn a_conditional_range_holds_only_for_the_same_content() {
    let mut plura = Plura::start();
    let (repository, digest, bytes) = stored(&mut plura, 100).await;
    let etag = repository.head_blob(&digest).await.expect(200).header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "a strong validator: {etag}");
    let weak = format!("W/{etag}");
    for (condition, status) in [
        (etag.as_str(), 206),
        ("\"another\"", 200),
        // RFC 9110, section 13.1.5: only a strong validator is good enough for a part.
        (weak.as_str(), 200),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 200),
    ] {
        let request = repository.blob(Method::GET, &digest).header("range", "bytes=0-9");
        let answer = request.header("if-range", condition).await.expect(status);
        answer.expect_body(if status == 206 { &bytes[..10] } else { &bytes });
    }
}

#[tokio::test]
async fn content_the_client_has_is_not_sent_again() {
    let mut plura = Plura::start();
    let repository = plura.repository("etag");
    let image = Image::random(&mut plura.random);
    repository.push_image_as("latest", &image).await;
    let blob = repository.path(&format!("blobs/{}", image.blobs[0].digest()));
    let by_digest = repository.path(&format!("manifests/{}", image.digest()));
    for path in [blob, by_digest, repository.path("manifests/latest")] {
        let whole = plura.client.get(&path).await.expect(200);
        let etag = whole.header("etag").to_owned();
        let cases = [
            (etag.clone(), 304),
            (format!("W/{etag}"), 304),
            (format!("\"other\", {etag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ];
        for method in [Method::GET, Method::HEAD] {
            for (condition, status) in &cases {
                let request = plura.client.request(method.clone(), &path);
                let answer = request.header("if-none-match", condition).await;
                assert_eq!(answer.status, *status, "{condition}: {}", answer.describe());
                let answer = answer.expect_header("etag", &etag);
                if *status == 304 {
                    assert!(answer.body.is_empty());
                }
            }
        }
        // RFC 9110, section 13.2.2: the condition is looked at before the range.
        let both = plura.client.get(&path).header("if-none-match", &etag);
        both.header("range", "bytes=0-0").await.expect(304);
    }
}

#[tokio::test]
async fn the_validator_of_a_tag_changes_with_what_it_points_at() {
    let mut plura = Plura::start();
    let repository = plura.repository("etag");
    let (one, two) = (Image::random(&mut plura.random), Image::random(&mut plura.random));
    repository.push_image_as("latest", &one).await;
    let etag = repository.get_manifest("latest").await.expect(200).header("etag").to_owned();
    repository.push_image_as("latest", &two).await;
    let request = repository.manifest(Method::GET, "latest").header("if-none-match", &etag);
    request.await.expect(200).expect_body(&two.manifest.bytes);
}
