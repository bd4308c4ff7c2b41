//! `plura trust root update`.

use plura_testkit::{Publication, UpdateRepository};
use serde_json::{Value, json};

use super::Workbench;

/// A trust root that is not Sigstore's.
const ROOT: &str = include_str!("../../../../trust/tests/fixtures/keyless/trusted_root.json");

/// A server, and a repository whose first root is the file `first.json`.
fn start() -> (Workbench, UpdateRepository) {
    let (bench, repository) = (Workbench::start(), UpdateRepository::new());
    bench.write("first.json", &repository.first_root());
    (bench, repository)
}

fn update(mirror: impl std::fmt::Display) -> String {
    format!("trust root update --mirror {mirror} --first-root first.json")
}

/// The same trust root in other words.
fn other_root() -> String {
    let mut root: Value = serde_json::from_str(ROOT).expect("it is JSON");
    root["tlogs"] = json!([]);
    root.to_string()
}

#[tokio::test]
async fn the_trust_root_follows_its_publisher() {
    let (bench, mut repository) = start();
    repository.publish(&Publication::of(1, ROOT));
    let update = update(repository.path().display());
    let before = bench.json("trust root show", 0);
    let dry = bench.json(&format!("{update} --dry-run"), 0);
    assert_eq!(bench.json("trust root show", 0), before);

    bench.run(&update).expect(0).expect_stderr("what is published is in force");
    let first = bench.json("trust root show", 0);
    assert_eq!(first["is_set"], json!(true));
    assert_eq!(first["digest"], dry["published"]);
    bench.run(&update).expect(0);
    bench.run(&format!("{update} --dry-run")).expect(0).expect_stderr("is in force");

    repository.rotate();
    repository.publish(&Publication::of(2, &other_root()));
    bench.run(&format!("{update} --dry-run")).expect(0).expect_stderr("not in force");
    let second = bench.json(&update, 0);
    assert_ne!(second["digest"], first["digest"]);
    assert_eq!(second["logs"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_asked_over_http() {
    let (bench, mut repository) = start();
    repository.rotate();
    repository.publish(&Publication::of(1, ROOT));
    let mirror = repository.serve().await;
    assert_eq!(bench.json(&update(mirror.url()), 0)["is_set"], json!(true));
    drop(mirror);
}

#[tokio::test]
async fn no_mirror_can_go_back_to_what_was_withdrawn() {
    let (bench, repository) = start();
    let update = update(repository.path().display());
    repository.publish(&Publication::of(7, ROOT));
    bench.run(&update).expect(0);
    repository.publish(&Publication::of(6, &other_root()));
    refused(&bench, &update, "");
    // It is what was seen from here that counts.
    bench.run(&format!("{update} --cache elsewhere")).expect(0);
}

#[tokio::test]
async fn what_is_not_signed_by_the_publisher_changes_nothing() {
    type Case<'a> = (&'a dyn Fn(&mut UpdateRepository), &'a str);
    let expired = |to: &mut UpdateRepository| {
        let expires = "2020-01-01T00:00:00Z";
        to.publish(&Publication { expires, ..Publication::of(2, ROOT) });
    };
    let elsewhere = |to: &mut UpdateRepository| {
        to.publish(&Publication { name: "other.json", ..Publication::of(2, ROOT) });
    };
    let cases: [Case<'_>; 6] = [
        (&|to| to.tamper(".trusted_root.json", "tlogs", "tlogz"), ""),
        (&|to| to.tamper("1.targets.json", "\"version\":1", "\"version\":2"), ""),
        (&|to| to.tamper("timestamp.json", "2199-01-01", "2198-01-01"), ""),
        (&UpdateRepository::usurp, ""),
        (&expired, "is the clock right?"),
        (&elsewhere, "trusted_root.json"),
    ];
    let bench = Workbench::start();
    for (change, told) in cases {
        let mut repository = UpdateRepository::new();
        bench.write("first.json", &repository.first_root());
        repository.publish(&Publication::of(1, ROOT));
        change(&mut repository);
        refused(&bench, &update(repository.path().display()), told);
    }
    let repository = UpdateRepository::new();
    repository.publish(&Publication::of(1, "{}"));
    bench.write("first.json", &repository.first_root());
    refused(&bench, &update(repository.path().display()), "is no trust root");
}

#[tokio::test]
async fn a_repository_is_verified_from_its_own_first_root() {
    let (bench, repository) = start();
    repository.publish(&Publication::of(1, ROOT));
    let mirror = repository.path().display();
    refused(&bench, &format!("trust root update --mirror {mirror}"), "--first-root");
    bench.write("first.json", ROOT);
    refused(&bench, &update(mirror), "the first root does not hold");
    bench.run("trust root update --mirror ftp://a.example").expect(2).expect_stderr("https://");
    refused(&bench, "trust root update --mirror missing", "hint: ");
}

#[track_caller]
fn refused(bench: &Workbench, update: &str, told: &str) {
    let before = bench.json("trust root show", 0);
    bench.run(update).expect(2).expect_stderr(told);
    assert_eq!(bench.json("trust root show", 0), before);
}
