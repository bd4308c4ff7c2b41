use plura_vulnerabilities::{Error, ImportError};
use serde_json::json;

use crate::support::{Has, advisory, both, lines, zip};

const LODASH: Has = Has("npm", "lodash", "4.17.20");

#[tokio::test]
async fn the_form_in_which_advisories_come_makes_no_difference() {
    let one = advisory("GHSA-1", "CVE-2026-1", ("npm", "lodash"), "4.17.21");
    let two = advisory("GHSA-2", "CVE-2026-2", ("npm", "minimist"), "1.2.6");
    let archive = zip(&[
        ("GHSA-2.json", serde_json::to_vec_pretty(&two).unwrap()),
        ("README.md", b"not a record".to_vec()),
        ("npm/GHSA-1.json", one.to_string().into_bytes()),
    ]);
    for installation in both().await {
        let first = installation.import("npm", &[one.clone(), two.clone()]).await;
        assert!(!first.unchanged);
        assert_eq!(first.source.counts.ecosystems["npm"], 2);
        let second = installation.send("npm", archive.clone()).await.unwrap();
        assert!(second.unchanged, "{second:?}");
        assert_eq!(second.source.digest, first.source.digest);
        // Nothing has to be matched again.
        installation.image("apps/web:1", &[LODASH]).await;
        installation.settle().await;
        installation.send("npm", archive.clone()).await.unwrap();
        assert_eq!(installation.vulnerabilities.waiting().await.unwrap(), 0);
        let single = serde_json::to_vec_pretty(&one).unwrap();
        assert_eq!(installation.send("npm", single).await.unwrap().source.advisories, 1);
    }
}

#[tokio::test]
async fn what_is_left_out_is_counted_and_named() {
    let good = advisory("GHSA-1", "CVE-2026-1", ("npm", "lodash"), "4.17.21");
    let mut withdrawn = advisory("GHSA-2", "CVE-2026-2", ("npm", "lodash"), "4.17.21");
    withdrawn["withdrawn"] = "2026-07-01T00:00:00Z".into();
    let records = [
        good,
        json!({ "id": "no modified" }),
        json!({ "id": "has spaces", "modified": "2026-07-01T00:00:00Z" }),
        withdrawn,
    ];
    for installation in both().await {
        let source = installation.import("npm", &records).await.source;
        assert_eq!((source.advisories, source.counts.withdrawn), (2, 1));
        let skipped = source.counts.skipped;
        assert_eq!((skipped.total(), skipped.examples.len()), (2, 2), "{skipped:?}");
        assert!(skipped.examples[0].starts_with("line 2: "), "{skipped:?}");
        let status = installation.vulnerabilities.status().await.unwrap();
        assert_eq!(status.sources[0].counts.skipped, skipped);
        let event = installation.event("advisories.import").await;
        assert_eq!(event["advisories"], 2);
    }
}

#[tokio::test]
async fn what_is_nothing_replaces_nothing() {
    let good = advisory("GHSA-1", "CVE-2026-1", ("npm", "lodash"), "4.17.21");
    let whole = zip(&[("a.json", lines(std::slice::from_ref(&good)))]);
    for installation in both().await {
        installation.image("apps/web:1", &[LODASH]).await;
        installation.import("npm", std::slice::from_ref(&good)).await;
        for bytes in [
            Vec::new(),
            b"<html>not found</html>".to_vec(),
            zip(&[("README.md", b"x".to_vec())]),
            whole[..whole.len() - 30].to_vec(),
            b"PK\x03\x04".to_vec(),
            [b"PK\x03\x04".to_vec(), vec![0xff; 5000]].concat(),
        ] {
            let refused = installation.send("npm", bytes).await;
            assert!(matches!(refused, Err(Error::Import(_))), "{refused:?}");
        }
        for name in ["", "a/b", "a b", &"a".repeat(65)] {
            let refused = installation.send(name, lines(std::slice::from_ref(&good))).await;
            assert!(matches!(refused, Err(Error::Import(ImportError::Name(_)))), "{refused:?}");
        }
        assert_eq!(installation.open("apps/web:1").await, ["CVE-2026-1"]);
    }
}

#[tokio::test]
async fn what_was_replaced_goes_from_the_database() {
    let advisories: Vec<_> = (0..3000)
        .map(|number| {
            let (id, cve) = (format!("GHSA-{number}"), format!("CVE-2026-{number}"));
            advisory(&id, &cve, ("npm", &format!("p{number}")), "2")
        })
        .collect();
    for installation in both().await {
        installation.import("npm", &advisories).await;
        let blocks = "select cast(count(*) as text) from advisory_block";
        let before = installation.sql(blocks).await;
        installation.import("npm", &advisories[1..]).await;
        assert_ne!(installation.sql(blocks).await, before);
        installation.settle().await;
        assert_eq!(installation.sql(blocks).await, before);
        assert_eq!(
            installation.sql("select cast(count(*) as text) from advisory_import").await,
            "1"
        );
        // An import that is going on stays, one that nobody goes on with does not.
        let old = "insert into advisory_import (source, started_at) values ('a', 1), ('b', 9000000000000)";
        installation.sql(old).await;
        installation.settle().await;
        assert_eq!(
            installation.sql("select cast(count(*) as text) from advisory_import").await,
            "2"
        );
    }
}
