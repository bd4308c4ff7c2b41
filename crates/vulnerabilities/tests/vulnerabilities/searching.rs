use plura_registry::Readable;
use plura_vulnerabilities::{PackageQuery, Search, SearchAnswer};

use crate::support::{Has, Installation, advisory, both};

async fn filled(installation: &Installation) {
    let one = installation
        .image("apps/web:1", &[Has("npm", "lodash", "4.17.20"), Has("Debian:12", "zlib", "1.2")])
        .await;
    installation.index("apps/web:multi", &[one]).await;
    installation.image("apps/api:1", &[Has("npm", "lodash", "4.17.21")]).await;
    installation.image("base/node:1", &[Has("npm", "lodash", "4.17.20")]).await;
    let lodash = advisory("GHSA-1", "CVE-2026-1", ("npm", "lodash"), "4.17.21");
    installation.import("npm", &[lodash]).await;
    installation.settle().await;
}

async fn search(installation: &Installation, search: &Search) -> SearchAnswer {
    let readable = Readable::Everything;
    installation.vulnerabilities.search(search, None, 100, &readable).await.unwrap()
}

fn places(answer: &SearchAnswer) -> Vec<String> {
    let places = answer.found.iter().flat_map(|found| &found.places);
    let mut places: Vec<_> =
        places.map(|place| format!("{}:{}", place.repository, place.tags.join(","))).collect();
    places.sort_unstable();
    places
}

#[tokio::test]
async fn a_vulnerability_is_found_by_any_name_wherever_it_is() {
    for installation in both().await {
        filled(&installation).await;
        for name in ["CVE-2026-1", "GHSA-1"] {
            let answer = search(&installation, &Search::Vulnerability(name.to_owned())).await;
            assert_eq!(places(&answer), ["apps/web:1,multi", "base/node:1"], "{name}");
            assert_eq!(answer.found[0].severity.as_deref(), Some("critical"));
        }
        for name in ["CVE-2026-2", "", "a\0b"] {
            let answer = search(&installation, &Search::Vulnerability(name.to_owned())).await;
            assert!(answer.found.is_empty());
        }
    }
}

#[tokio::test]
async fn a_package_is_found_by_version_with_or_without_vulnerabilities() {
    for installation in both().await {
        filled(&installation).await;
        let query = |name: &str, ecosystem: Option<&str>, below: Option<&str>| {
            Search::Package(PackageQuery {
                name: name.to_owned(),
                ecosystem: ecosystem.map(str::to_owned),
                below: below.map(str::to_owned),
            })
        };
        for (wanted, expected) in [
            (query("lodash", None, None), 3),
            (query("lodash", Some("npm"), Some("4.17.21")), 2),
            (query("lodash", Some("PyPI"), None), 0),
            (query("zlib", Some("Debian"), Some("1.10")), 1),
            (query("zlib", Some("Debian:11"), None), 0),
            (query("none", None, None), 0),
        ] {
            let answer = search(&installation, &wanted).await;
            assert_eq!(answer.found.len(), expected, "{wanted:?}");
        }
    }
}

#[tokio::test]
async fn what_is_new_is_what_advisories_or_images_are_new_for() {
    for installation in both().await {
        filled(&installation).await;
        let hour = jiff::SignedDuration::from_hours(1);
        let since = |at: jiff::Timestamp| Search::Since(at);
        let now = jiff::Timestamp::now();
        let recent = search(&installation, &since(now.checked_sub(hour).unwrap())).await;
        assert_eq!(places(&recent), ["apps/web:1,multi", "base/node:1"]);
        let later = now.checked_add(hour).unwrap();
        assert!(search(&installation, &since(later)).await.found.is_empty());
        // The advisory is old, one image is not.
        let read_at = later.as_millisecond();
        installation.sql("update package_vulnerability set first_seen_at = 5").await;
        installation
            .sql(&format!(
                "update image set read_at = {read_at} where digest in (
                    select manifest.digest from manifest
                    join repository on repository.id = manifest.repository_id
                    where repository.name = 'base/node')"
            ))
            .await;
        assert_eq!(places(&search(&installation, &since(now)).await), ["base/node:1"]);
    }
}

#[tokio::test]
async fn only_what_may_be_read_is_told_page_by_page() {
    for installation in both().await {
        filled(&installation).await;
        let wanted = Search::Vulnerability("CVE-2026-1".to_owned());
        let readable = Readable::Within {
            projects: vec!["base".to_owned()],
            covers: Box::new(|name| name.as_str().starts_with("base/")),
        };
        let vulnerabilities = &installation.vulnerabilities;
        let answer = vulnerabilities.search(&wanted, None, 100, &readable).await.unwrap();
        assert_eq!(places(&answer), ["base/node:1"]);

        let (mut after, mut seen) = (None::<String>, Vec::new());
        loop {
            let everything = Readable::Everything;
            let page = vulnerabilities.search(&wanted, after.as_deref(), 1, &everything).await;
            let page = page.unwrap();
            seen.extend(places(&page));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, ["apps/web:1,multi", "base/node:1"]);
        let wrong = vulnerabilities.search(&wanted, Some("x"), 1, &Readable::Everything).await;
        assert!(wrong.is_err());
    }
}
