use jiff::{SignedDuration, Timestamp};
use plura_vulnerabilities::{Error, ExceptionState, ExceptionTerms, Origin, Scope};
use serde_json::json;

use crate::support::{Has, Installation, advisory, both, sent};

const LODASH: Has = Has("npm", "lodash", "4.17.20");
const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn vulnerable(installation: &Installation) {
    installation.image("apps/web:1", &[LODASH]).await;
    let advisory = advisory("GHSA-1", "CVE-2026-1", ("npm", "lodash"), "4.17.21");
    installation.import("npm", &[advisory]).await;
    assert_eq!(installation.open("apps/web:1").await, ["CVE-2026-1"]);
}

fn terms(id: &str, vulnerability: &str, repositories: &str, days: i32) -> ExceptionTerms {
    let now = Timestamp::now();
    ExceptionTerms {
        id: id.into(),
        vulnerability: Some(vulnerability.into()),
        package: None,
        scope: Scope::Repositories(repositories.parse().unwrap()),
        reason: "not reachable".into(),
        owner: "alice".into(),
        approver: "root".into(),
        granted_at: now,
        expires_at: now.saturating_add(DAY * days).unwrap(),
    }
}

#[tokio::test]
async fn an_exception_counts_by_any_name_until_it_is_over() {
    for installation in both().await {
        vulnerable(&installation).await;
        let (vulnerabilities, origin) = (&installation.vulnerabilities, Origin::system());
        let used = terms("used", "GHSA-1", "apps/*", 30);
        vulnerabilities.grant(&origin, used.clone()).await.unwrap();
        vulnerabilities.grant(&origin, terms("unused", "CVE-2026-9", "apps/*", 3)).await.unwrap();
        vulnerabilities.grant(&origin, terms("other", "GHSA-1", "base/*", 30)).await.unwrap();
        let answer = installation.of("apps/web:1").await;
        let suppressed = answer.vulnerabilities[0].suppressed.as_ref().unwrap();
        assert_eq!((suppressed.name.as_str(), answer.counts.suppressed), ("used", 1));
        assert_eq!(answer.counts.critical, 0);
        assert_eq!(answer.exceptions.unused, ["unused"]);
        assert_eq!(answer.exceptions.expiring, ["unused"]);

        let states: Vec<_> = vulnerabilities
            .exceptions()
            .await
            .unwrap()
            .into_iter()
            .map(|one| (one.terms.id.to_string(), one.state, one.used))
            .collect();
        assert_eq!(
            states,
            [
                ("other".to_owned(), ExceptionState::Active, Some(false)),
                ("unused".to_owned(), ExceptionState::Expiring, Some(false)),
                ("used".to_owned(), ExceptionState::Active, Some(true)),
            ]
        );

        let again = vulnerabilities.grant(&origin, used).await;
        assert!(matches!(again, Err(Error::ExceptionExists(_))), "{again:?}");
        vulnerabilities.revoke(&origin, "used").await.unwrap();
        assert_eq!(installation.open("apps/web:1").await, ["CVE-2026-1"]);
        assert!(vulnerabilities.revoke(&origin, "used").await.is_err());
    }
}

#[tokio::test]
async fn an_exception_ends_without_anybody_doing_anything() {
    for installation in both().await {
        vulnerable(&installation).await;
        let (vulnerabilities, origin) = (&installation.vulnerabilities, Origin::system());
        vulnerabilities.grant(&origin, terms("x", "CVE-2026-1", "apps/*", 1)).await.unwrap();
        assert!(installation.open("apps/web:1").await.is_empty());
        let mut over = terms("x", "CVE-2026-1", "apps/*", 1);
        over.granted_at = Timestamp::now().checked_sub(DAY * 2).unwrap();
        over.expires_at = Timestamp::now().checked_sub(DAY).unwrap();
        let over = serde_json::to_string(&over).unwrap();
        installation.sql(&format!("update vulnerability_exception set document = '{over}'")).await;
        let answer = installation.of("apps/web:1").await;
        assert_eq!((answer.counts.critical, answer.exceptions.expired), (1, vec!["x".to_owned()]));
    }
}

#[tokio::test]
async fn exceptions_that_may_not_be_are_refused() {
    for installation in both().await {
        let (vulnerabilities, origin) = (&installation.vulnerabilities, Origin::system());
        let good = terms("x", "CVE-2026-1", "apps/*", 30);
        for bad in [
            ExceptionTerms { approver: "alice".into(), ..good.clone() },
            ExceptionTerms { reason: " ".into(), ..good.clone() },
            ExceptionTerms { vulnerability: None, ..good.clone() },
            terms("x", "CVE-2026-1", "apps/*", 91),
            terms("x", "CVE-2026-1", "apps/*", -1),
            terms("a/b", "CVE-2026-1", "apps/*", 1),
        ] {
            let refused = vulnerabilities.grant(&origin, bad).await;
            let expected = matches!(refused, Err(Error::Refused(_) | Error::ExceptionName(_)));
            assert!(expected, "{refused:?}");
        }
        assert!(vulnerabilities.exceptions().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn ignore_files_become_exceptions() {
    let yaml = "vulnerabilities:\n  - id: CVE-2026-1\n    statement: it is fine\n  - id: CVE-2026-2\n    \
                paths: [usr/bin/x]\nsecrets:\n  - id: s\n";
    for installation in both().await {
        vulnerable(&installation).await;
        let (vulnerabilities, origin) = (&installation.vulnerabilities, Origin::system());
        let scope = || Scope::Project("apps".into());
        let people = ("alice", "root");
        let done = vulnerabilities.import_ignored(&origin, yaml, scope(), people).await.unwrap();
        assert_eq!((done.granted, done.other), (vec!["CVE-2026-1".to_owned()], 1));
        assert_eq!(done.refused.len(), 1);
        assert!(installation.open("apps/web:1").await.is_empty());
        let lines = "# why\nCVE-2026-3 exp:2020-01-01\nGHSA-1\n";
        let done = vulnerabilities.import_ignored(&origin, lines, scope(), people).await.unwrap();
        assert_eq!(done.granted, ["GHSA-1"]);
        for wrong in ["misspelt:\n  - a\n", "{", "<html>"] {
            let refused = vulnerabilities.import_ignored(&origin, wrong, scope(), people).await;
            assert!(!refused.is_ok_and(|done| !done.granted.is_empty()), "{wrong}");
        }
    }
}

#[tokio::test]
async fn a_vendor_that_is_believed_clears_an_image() {
    for installation in both().await {
        vulnerable(&installation).await;
        let (vulnerabilities, origin) = (&installation.vulnerabilities, Origin::system());
        let document = |status: &str, time: &str| {
            let document = json!({
                "@context": "https://openvex.dev/ns/v0.2.0", "@id": format!("vex-{status}"),
                "author": "Vendor", "timestamp": time, "version": 1,
                "statements": [{
                    "vulnerability": { "name": "CVE-2026-1" },
                    "products": [{ "@id": "pkg:npm/lodash@4.17.20" }],
                    "status": status, "justification": "vulnerable_code_not_in_execute_path",
                }],
            });
            sent(document.to_string().as_bytes())
        };
        let first = document("not_affected", "2026-01-01T00:00:00Z");
        let first = vulnerabilities.add_vex(&origin, first).await.unwrap();
        let answer = installation.of("apps/web:1").await;
        let suppressed = answer.vulnerabilities[0].suppressed.as_ref().unwrap();
        assert_eq!(suppressed.reason, "vulnerable_code_not_in_execute_path");

        let second = document("under_investigation", "2026-02-01T00:00:00Z");
        vulnerabilities.add_vex(&origin, second).await.unwrap();
        let answer = installation.of("apps/web:1").await;
        assert_eq!(answer.counts.critical, 1);
        assert_eq!(answer.vulnerabilities[0].note.as_ref().unwrap().status, "under_investigation");
        assert_eq!(vulnerabilities.vex().await.unwrap().len(), 2);
        let digest = first.digest.parse().unwrap();
        vulnerabilities.remove_vex(&origin, &digest).await.unwrap();
        assert!(vulnerabilities.remove_vex(&origin, &digest).await.is_err());
        let wrong = vulnerabilities.add_vex(&origin, sent(b"{}")).await;
        assert!(matches!(wrong, Err(Error::Vex(_))), "{wrong:?}");
    }
}

#[tokio::test]
async fn another_scanner_is_a_second_opinion() {
    let report = json!({
        "SchemaVersion": 2, "ArtifactName": "apps/web:1", "Results": [{
            "Target": "package-lock.json", "Class": "lang-pkgs", "Type": "npm",
            "Vulnerabilities": [{
                "VulnerabilityID": "CVE-2026-7", "PkgName": "lodash",
                "InstalledVersion": "4.17.20", "Severity": "HIGH",
            }],
        }],
    });
    for installation in both().await {
        vulnerable(&installation).await;
        let (vulnerabilities, origin) = (&installation.vulnerabilities, Origin::system());
        let (repository, reference) = ("apps/web".parse().unwrap(), "1".parse().unwrap());
        let sent_report = sent(report.to_string().as_bytes());
        let received =
            vulnerabilities.add_report(&origin, &repository, &reference, None, sent_report);
        assert_eq!(received.await.unwrap().findings, 1);
        let answer = installation.of("apps/web:1").await;
        assert_eq!(answer.counts.critical, 1);
        let [opinion] = &answer.reports[..] else { panic!("{:?}", answer.reports) };
        assert_eq!(
            (&opinion.only_there[0], &opinion.only_here[0]),
            (&"CVE-2026-7".to_owned(), &"CVE-2026-1".to_owned())
        );
        // It goes with the manifest.
        installation
            .registry
            .delete_manifest(&repository, &answer.digest.to_string().parse().unwrap())
            .await
            .unwrap();
        assert_eq!(
            installation.sql("select cast(count(*) as text) from scanner_report").await,
            "0"
        );
    }
}

#[tokio::test]
async fn sarif_has_a_result_for_each_and_says_what_is_suppressed() {
    for installation in both().await {
        vulnerable(&installation).await;
        let log = installation.of("apps/web:1").await.sarif("0.1.0");
        let results = log["runs"][0]["results"].as_array().unwrap();
        assert_eq!((results.len(), &results[0]["ruleId"]), (1, &json!("CVE-2026-1")));
    }
}
