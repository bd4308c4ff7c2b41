//! Lists of tags and of repositories: order, pages, the ends of both.

use plura_testkit::{Image, Manifest, Repository};

use super::Plura;

/// A repository with these tags on one manifest.
async fn tagged(plura: &mut Plura, tags: &[&str]) -> Repository {
    let repository = plura.repository("tags");
    let annotations = serde_json::json!({"unique": plura.random.hex(8)});
    let manifest = Manifest::index(&[]).with("annotations", annotations);
    for tag in tags {
        repository.put_manifest(tag, &manifest).await.expect(201);
    }
    repository
}

/// One page of tags and where the next one is.
async fn page(repository: &Repository, query: &str) -> (Vec<String>, Option<String>) {
    let answer = repository.client.get(&repository.path(&format!("tags/list{query}"))).await;
    let answer = answer.expect(200);
    let body = answer.json();
    assert_eq!(body["name"], repository.name.as_str());
    let tags = body["tags"].as_array().unwrap_or_else(|| panic!("a list, even if empty: {body}"));
    let tags = tags.iter().map(|tag| tag.as_str().expect("text").to_owned()).collect();
    (tags, answer.next_page())
}

#[tokio::test]
async fn tags_are_listed_in_the_order_of_their_bytes_and_none_is_lost() {
    let mut plura = Plura::start();
    // Tags that begin with other tags, and characters before and after the letters.
    let tags = [
        "latest",
        "v1",
        "v1.0",
        "v1-rc",
        "v10",
        "v1_0",
        "V1",
        "v",
        "_",
        "_v",
        "0",
        "1.0",
        "10",
        "A",
        "a",
        "aa",
        "a.b",
        "a-b",
        "a_b",
        "Z",
        "z",
        "v1.0.0",
        "v1.0.0-rc.1",
    ];
    let repository = tagged(&mut plura, &tags).await;
    let mut expected = tags.to_vec();
    expected.sort_unstable();
    let (all, next) = page(&repository, "").await;
    assert_eq!((all, next), (expected.iter().map(ToString::to_string).collect(), None));
    for n in [1, 2, 5, 23, 24, 1000, 1_000_000_000] {
        let path = repository.path(&format!("tags/list?n={n}"));
        let pages = plura.client.pages(&path).await;
        assert_eq!(pages.len(), tags.len().div_ceil(n), "n={n}");
        assert_eq!(plura.client.listing(&path, "tags").await, expected, "n={n}");
    }
    for last in ["v1", "v1.", "v", "", "0", "A", "zz", "v1.0.0"] {
        let rest: Vec<&str> = expected.iter().copied().filter(|tag| *tag > last).collect();
        assert_eq!(page(&repository, &format!("?last={last}")).await.0, rest, "last={last}");
        let (some, next) = page(&repository, &format!("?n=2&last={last}")).await;
        assert_eq!(some, rest[..rest.len().min(2)], "last={last}");
        assert_eq!(next.is_some(), rest.len() > 2, "last={last}");
    }
}

#[tokio::test]
async fn the_link_to_the_next_page_keeps_the_page_size() {
    let mut plura = Plura::start();
    let repository = tagged(&mut plura, &["a", "b", "c", "d", "e"]).await;
    let (first, next) = page(&repository, "?n=2").await;
    assert_eq!(first, ["a", "b"]);
    let next = next.unwrap();
    let query = next.split_once('?').expect("a query").1;
    let mut parameters: Vec<&str> = query.split('&').collect();
    parameters.sort_unstable();
    assert_eq!(parameters, ["last=b", "n=2"]);
    let path = repository.path("tags/list");
    assert!(next.starts_with(&path) || next.starts_with(&plura.client.base()), "{next}");
}

#[tokio::test]
async fn a_page_of_nothing_is_empty_and_has_no_next() {
    let mut plura = Plura::start();
    let repository = tagged(&mut plura, &["a", "b"]).await;
    for query in ["?n=0", "?n=0&last=a", "?last=b", "?last=b%00", "?n=5&last=zzz"] {
        assert_eq!(page(&repository, query).await, (Vec::new(), None), "{query}");
    }
    let catalog = plura.client.get("/v2/_catalog?n=0").await.expect(200);
    assert_eq!(catalog.json(), serde_json::json!({"repositories": []}));
    assert_eq!(catalog.next_page(), None);
    plura.client.get("/v2/_catalog?last=zzz%00a").await.expect(200);
}

#[tokio::test]
async fn a_page_size_that_is_no_number_is_refused() {
    let mut plura = Plura::start();
    let repository = tagged(&mut plura, &["a"]).await;
    for path in ["/v2/_catalog".to_owned(), repository.path("tags/list")] {
        for n in ["abc", "-1", "1.5", "0x10", "1e3", "%00", "1%20"] {
            let refused = plura.client.get(&format!("{path}?n={n}")).await;
            refused.expect_error(400, "PAGINATION_NUMBER_INVALID");
        }
    }
}

#[tokio::test]
async fn the_tags_of_a_repository_nobody_pushed_to_are_unknown() {
    let mut plura = Plura::start();
    let repository = plura.repository("unknown");
    for query in ["", "?n=0", "?n=5&last=a"] {
        let answer = plura.client.get(&repository.path(&format!("tags/list{query}"))).await;
        answer.expect_error(404, "NAME_UNKNOWN");
    }
}

#[tokio::test]
async fn a_repository_without_tags_has_an_empty_list() {
    let mut plura = Plura::start();
    let repository = plura.repository("untagged");
    let image = Image::random(&mut plura.random);
    repository.push_image(&image).await;
    assert_eq!(page(&repository, "").await, (Vec::new(), None));
}

#[tokio::test]
async fn deleted_tags_are_not_listed() {
    let mut plura = Plura::start();
    let repository = tagged(&mut plura, &["a", "b", "c"]).await;
    repository.delete_manifest("b").await.expect(202);
    assert_eq!(page(&repository, "").await.0, ["a", "c"]);
    assert_eq!(page(&repository, "?n=1&last=a").await, (vec!["c".to_owned()], None));
}

#[tokio::test]
async fn the_catalogue_lists_every_repository_in_the_order_of_bytes() {
    let mut plura = Plura::start();
    let prefix = format!("tests/catalogue-{}", plura.random.hex(8));
    let mut expected = vec![prefix.clone()];
    // In the order of bytes, `-` and `.` come before `/`, and digits after it.
    for suffix in ["/a", "/a/b", "-a", ".a", "0", "a", "/a-b", "/ab", "_x", "/a/b/c", "__x"] {
        expected.push(format!("{prefix}{suffix}"));
    }
    for name in &expected {
        let image = Image::random(&mut plura.random);
        plura.client.repository(name).push_image_as("latest", &image).await;
    }
    expected.sort();
    let ours = |all: Vec<String>| -> Vec<String> {
        all.into_iter().filter(|name| name.starts_with(&prefix)).collect()
    };
    assert_eq!(ours(plura.client.catalog().await), expected);
    for n in [1, 2, 5, 12, 13] {
        let path = format!("/v2/_catalog?n={n}");
        for page in plura.client.pages(&path).await {
            let names = page.json()["repositories"].as_array().unwrap().len();
            assert!(names <= n, "{names} names on a page of {n}");
        }
        assert_eq!(ours(plura.client.listing(&path, "repositories").await), expected, "n={n}");
    }
    for (place, last) in expected.iter().enumerate() {
        let answer = plura.client.get("/v2/_catalog?n=1").query("last", last).await.expect(200);
        if let Some(next) = expected.get(place + 1) {
            assert_eq!(answer.json()["repositories"], serde_json::json!([next]));
        }
    }
}

#[tokio::test]
async fn a_repository_is_in_the_catalogue_from_its_first_blob() {
    let mut plura = Plura::start();
    let repository = plura.repository("catalogue");
    let listed = || async { plura.client.catalog().await.contains(&repository.name) };
    plura.client.get(&repository.path("manifests/latest")).await.expect(404);
    let upload = repository.start_upload().await;
    assert!(!listed().await, "asking and beginning make no repository");
    upload.cancel().await.expect(204);
    repository.push_bytes(b"first").await;
    assert!(listed().await);
    repository.put_manifest("latest", &Manifest::index(&[])).await.expect(201);
    assert!(listed().await);
}
