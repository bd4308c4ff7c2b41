use serde_json::{Value, json};

use crate::support::{Has, advisory, both};

const OPENSSL: Has = Has("Debian:12", "openssl", "3.0.11-1");
const LODASH: Has = Has("npm", "lodash", "4.17.20");

fn openssl() -> Value {
    advisory("DSA-1", "CVE-2026-1", ("Debian:12", "openssl"), "3.0.12-1")
}

fn lodash() -> Value {
    advisory("GHSA-1", "CVE-2026-2", ("npm", "lodash"), "4.17.21")
}

#[tokio::test]
async fn an_image_has_what_its_packages_have_as_soon_as_advisories_say_so() {
    for installation in both().await {
        installation.image("apps/web:1", &[OPENSSL, LODASH]).await;
        let nothing = installation.of("apps/web:1").await;
        assert!(nothing.vulnerabilities.is_empty() && nothing.newest_advisory.is_none());
        assert_eq!(nothing.not_covered.len(), 2);

        installation.import("osv", &[openssl(), lodash()]).await;
        // Nobody has matched anything yet: asking does.
        let answer = installation.of("apps/web:1").await;
        let found: Vec<_> = answer
            .vulnerabilities
            .iter()
            .map(|one| (one.id.as_str(), one.severity.as_str(), one.fixed[0].as_str()))
            .collect();
        assert_eq!(
            found,
            [("CVE-2026-1", "critical", "3.0.12-1"), ("CVE-2026-2", "critical", "4.17.21")]
        );
        assert!(answer.not_covered.is_empty(), "{:?}", answer.not_covered);
        assert_eq!((answer.counts.critical, answer.counts.fixable), (2, 2));
        assert_eq!(answer.vulnerabilities[0].package.purl, "pkg:deb/openssl@3.0.11-1");
        assert_eq!(answer.newest_advisory.unwrap().to_string(), "2026-07-01T00:00:00Z");
        assert_eq!(answer.images[0].packages, 2);
    }
}

#[tokio::test]
async fn what_is_matched_again_keeps_when_it_was_first_seen() {
    for installation in both().await {
        installation.image("apps/web:1", &[OPENSSL, LODASH]).await;
        installation.import("osv", &[openssl(), lodash()]).await;
        installation.settle().await;
        assert_eq!(installation.vulnerabilities.waiting().await.unwrap(), 0);
        let first = installation.of("apps/web:1").await.vulnerabilities[0].first_seen_at;

        let mut changed = openssl();
        changed["summary"] = "another word".into();
        changed["modified"] = "2026-07-02T00:00:00Z".into();
        installation.import("osv", &[changed]).await;
        assert_eq!(installation.vulnerabilities.waiting().await.unwrap(), 2);
        installation.settle().await;
        let answer = installation.of("apps/web:1").await;
        assert_eq!(answer.vulnerabilities.len(), 1);
        assert_eq!(answer.vulnerabilities[0].summary, "another word");
        assert_eq!(answer.vulnerabilities[0].first_seen_at, first);
        let event = installation.event("vulnerabilities.change").await;
        assert_eq!(event, json!({ "packages": 2, "added": 0, "changed": 1, "removed": 1 }));
    }
}

#[tokio::test]
async fn several_sources_are_one_set_and_a_source_can_go() {
    for installation in both().await {
        installation.image("apps/web:1", &[OPENSSL, LODASH]).await;
        installation.import("debian", &[openssl()]).await;
        installation.import("npm", &[lodash()]).await;
        assert_eq!(installation.open("apps/web:1").await, ["CVE-2026-1", "CVE-2026-2"]);
        let origin = plura_vulnerabilities::Origin::system();
        installation.vulnerabilities.remove_source(&origin, "debian").await.unwrap();
        assert_eq!(installation.open("apps/web:1").await, ["CVE-2026-2"]);
        assert!(installation.vulnerabilities.remove_source(&origin, "debian").await.is_err());
        let status = installation.vulnerabilities.status().await.unwrap();
        assert_eq!((status.sources.len(), status.advisories), (1, 1));
    }
}

#[tokio::test]
async fn an_index_has_what_its_images_have() {
    for installation in both().await {
        let one = installation.image("apps/web:amd64", &[OPENSSL, LODASH]).await;
        let two = installation.image("apps/web:arm64", &[LODASH]).await;
        let three = installation.image("apps/web:s390x", &[]).await;
        installation.index("apps/web:1", &[one, two, three]).await;
        installation.import("osv", &[openssl(), lodash()]).await;
        let answer = installation.of("apps/web:1").await;
        let found: Vec<_> =
            answer.vulnerabilities.iter().map(|one| (one.id.as_str(), one.images.len())).collect();
        assert_eq!(found, [("CVE-2026-1", 1), ("CVE-2026-2", 2)]);
        assert_eq!(answer.images.len(), 3);
        assert!(answer.images.iter().all(|image| image.read_at.is_some()));
    }
}

#[tokio::test]
async fn what_nobody_read_yet_is_read_first() {
    for installation in both().await {
        installation.import("osv", &[openssl()]).await;
        let one = installation.image("apps/web:1", &[Has("fedora:40", "bash", "5")]).await;
        let answer = installation.of("apps/web:1").await;
        assert_eq!(answer.not_covered[0].ecosystem, "fedora-40");
        installation.sql("delete from image_package").await;
        installation.sql(&format!("delete from image where digest = '{one}'")).await;
        let answer = installation.of("apps/web:1").await;
        assert!(answer.images[0].read_at.is_some(), "{answer:?}");
        assert_eq!(answer.images[0].packages, 0);
        let repository = "apps/web".parse().unwrap();
        let unknown = "none".parse().unwrap();
        let answer = installation.vulnerabilities.of(&repository, &unknown, None).await;
        assert!(matches!(answer, Err(plura_vulnerabilities::Error::Image(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn thousands_of_packages_are_matched_in_batches() {
    const MANY: &str =
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 4500)";
    for installation in both().await {
        let document =
            r#"{"package":{"kind":"npm","name":"lodash","version":"4.17.20"},"purl":""}"#;
        let into = "insert into package (identity, ecosystem, name, version, document)";
        let values = format!("select '' || i, 'npm', 'lodash', '' || i, '{document}' from n");
        installation.sql(&format!("{into} {MANY} {values}")).await;
        installation.import("osv", &[lodash()]).await;
        assert_eq!(installation.vulnerabilities.waiting().await.unwrap(), 4500);
        installation.settle().await;
        let count = "select cast(count(*) as text) from package_vulnerability";
        assert_eq!(installation.sql(count).await, "4500");
        assert_eq!(installation.vulnerabilities.waiting().await.unwrap(), 0);
    }
}
