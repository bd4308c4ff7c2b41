//! What goes and what stays.

use plura_policy::retention::{
    Change, History, Object, Plan, RootKind, Roots, decide, plan, still_holds,
};
use serde_json::{Value, json};

use crate::repository::{NOW, Repository, attachment, days_ago, deleted, digest, root, rules, tag};

fn planned(document: &Value, repository: &Repository, roots: &Roots) -> Plan {
    plan(&rules(document), &repository.0, roots, NOW)
}

#[track_caller]
fn check(document: &Value, repository: &Repository, roots: &Roots, expected: &[&str]) {
    let names: Vec<&str> = expected.iter().copied().filter(|name| !name.starts_with(':')).collect();
    let mut found = deleted(&planned(document, repository, roots), &names);
    let mut expected = expected.to_vec();
    // Which of several goes first, its digest decides, which nobody sees here.
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

fn everything() -> Value {
    json!({"name": "all", "tags": ["*"], "untagged": true, "unless_kept": true})
}

#[test]
fn what_no_rule_names_is_kept() {
    let repository = Repository::new().image("a", "main", 9000).manifest("b", 9000);
    check(&json!({}), &repository, &Roots::default(), &[]);
    let elsewhere = json!({"expire": [{"name": "x", "tags": ["*"], "untagged": true,
        "repositories": ["apps/other", "charts/**"], "unless_kept": true}]});
    check(&elsewhere, &repository, &Roots::default(), &[]);
    let except = json!({"expire": [{"name": "x", "tags": ["*"], "untagged": true,
        "except_repositories": ["apps/*"], "unless_kept": true}]});
    check(&except, &repository, &Roots::default(), &[]);
}

#[test]
fn branches_go_after_a_week_without_use() {
    let document = json!({"expire": [{"name": "branches", "tags": ["branch-*"], "idle": "7d"}]});
    let repository = Repository::new()
        .image("a", "branch-a", 8)
        .image("b", "branch-b", 7)
        .image("c", "branch-c", 30)
        .pulled("branch-c", 2)
        .image("d", "main", 30)
        .image("e", "branch-e", 30)
        .tag("branch-e-again", "e", 1);
    check(&document, &repository, &Roots::default(), &[":branch-a", ":branch-e", "a"]);
}

#[test]
fn each_tag_is_decided_about_by_itself() {
    let document = json!({"expire": [{"name": "branches", "tags": ["branch-*"], "idle": "7d"}]});
    let repository = Repository::new().image("a", "branch-a", 30).tag("v1.0.0", "a", 30);
    check(&document, &repository, &Roots::default(), &[":branch-a"]);
}

#[test]
fn the_newest_are_those_with_the_highest_versions() {
    let document = json!({
        "keep": [{"name": "releases", "tags": ["v*"], "newest": 2, "order": "version"}],
        "expire": [everything()],
    });
    // A repair of an old release is pushed last and is not the newest; two names are one image.
    let repository = Repository::new()
        .image("a", "v1.9.0", 30)
        .image("b", "v1.10.0", 20)
        .tag("v1.10", "b", 20)
        .image("c", "v1.10.1_abc", 10)
        .image("d", "v1.8.9", 1)
        .image("e", "v1.11.0-rc.1", 1)
        .image("f", "vnext", 0);
    check(
        &document,
        &repository,
        &Roots::default(),
        &[":v1.10", ":v1.10.0", ":v1.8.9", ":v1.9.0", ":vnext", "a", "b", "d", "f"],
    );
}

#[test]
fn each_pattern_keeps_its_newest() {
    let document = json!({
        "keep": [{"name": "x", "tags": ["a-*", "b-*"], "except_tags": ["*-old"], "newest": 1}],
        "expire": [everything()],
    });
    let repository = Repository::new()
        .image("1", "a-1", 2)
        .image("2", "a-2", 1)
        .image("3", "b-1", 9)
        .image("4", "b-old", 0);
    let plan = planned(&document, &repository, &Roots::default());
    assert_eq!(deleted(&plan, &["1", "4"])[..2], [":a-1", ":b-old"]);
    assert_eq!(plan.deleted.manifests, 2);
}

#[test]
fn channels_keep_their_history_for_their_window() {
    let document = json!({
        "channels": [
            {"channel": "prod:stable", "window": "180d"},
            {"channel": "prod:*", "window": "30d"},
            {"channel": "dev", "window": "14d"},
        ],
        "expire": [everything()],
    });
    let history = |name: &str, channel: &str, until: Option<i64>| History {
        channel: channel.to_owned(),
        digest: digest(name),
        until: until.map(days_ago),
    };
    let history = vec![
        history("now", "prod:stable", None),
        history("stable", "prod:stable", Some(180)),
        history("old-stable", "prod:stable", Some(181)),
        history("candidate", "prod:candidate", Some(31)),
        history("dev", "dev:anything", Some(14)),
        history("old-dev", "dev:anything", Some(15)),
        history("other", "test:stable", Some(9000)),
    ];
    let names = ["now", "stable", "old-stable", "candidate", "dev", "old-dev", "other"];
    let repository = names.iter().fold(Repository::new(), |r, name| r.image(name, name, 400));
    let plan = planned(&document, &repository, &Roots { history, needed: Vec::new() });
    let mut gone: Vec<_> =
        deleted(&plan, &names).into_iter().filter(|name| !name.starts_with(':')).collect();
    gone.sort();
    assert_eq!(gone, ["candidate", "old-dev", "old-stable"]);
}

#[test]
fn what_is_needed_stays_with_its_names() {
    let document = json!({"expire": [everything()]});
    let kinds = [RootKind::Promotion, RootKind::Running, RootKind::Hold, RootKind::Rollback];
    for kind in kinds {
        let repository =
            Repository::new().image("a", "a", 99).manifest("b", 99).image("c", "c", 99);
        let roots = Roots { history: Vec::new(), needed: vec![root("a", kind), root("b", kind)] };
        check(&document, &repository, &roots, &[":c", "c"]);
        let document = rules(&document);
        let decisions = decide(&document, &repository.0, &roots, NOW);
        let verdict = decisions.manifest(&digest("a")).expect("it is there");
        assert!(!verdict.deleted);
        assert_eq!(verdict.reason, format!("it is {kind}: a detail"));
    }
}

#[test]
fn signatures_go_with_their_image_and_never_before_it() {
    let document = json!({"expire": [{"name": "untagged", "untagged": true, "older_than": "7d"}]});
    let signature = attachment("old");
    let fresh = attachment("fresh");
    let repository = Repository::new()
        .manifest("old", 30)
        .image("old-signature", &signature, 1)
        .referrer("old-sbom", "old", 1)
        .referrer("old-sbom-signature", "old-sbom", 1)
        .manifest("fresh", 1)
        .image("fresh-signature", &fresh, 30)
        .referrer("fresh-sbom", "fresh", 30);
    let plan = planned(&document, &repository, &Roots::default());
    let names = ["old", "old-signature", "old-sbom", "old-sbom-signature"];
    let gone = deleted(&plan, &names);
    let at = |name: &str| gone.iter().position(|gone| gone == name).expect(name);
    assert_eq!(gone.len(), 5, "{gone:?}");
    assert_eq!(at("old"), 0);
    assert_eq!(at(&format!(":{signature}")) + 1, at("old-signature"));
    assert!(at("old-sbom") < at("old-sbom-signature"));
    assert!(plan.delete.iter().all(|deletion| deletion.rule == "untagged"));
}

#[test]
fn no_rule_about_tags_is_about_the_tags_of_signatures() {
    let document = json!({"expire": [{"name": "all", "tags": ["*"], "unless_kept": true}],
        "keep": [{"name": "a", "tags": ["a"]}]});
    let signature = attachment("a");
    let repository = Repository::new()
        .image("a", "a", 1)
        .image("s", &signature, 1)
        .image("b", "b", 1)
        .image("t", &attachment("b"), 1);
    check(
        &document,
        &repository,
        &Roots::default(),
        &[":b", "b", &format!(":{}", attachment("b")), "t"],
    );
}

#[test]
fn children_stay_with_an_index_that_stays() {
    let document = json!({"expire": [everything()], "keep": [{"name": "x", "tags": ["x"]}]});
    let repository = Repository::new()
        .manifest("shared", 9)
        .manifest("mine", 9)
        .manifest("theirs", 9)
        .referrer("sbom", "shared", 9)
        .index("x", &["shared", "mine"], 9)
        .tag("x", "x", 9)
        .index("y", &["shared", "theirs"], 9)
        .tag("y", "y", 9)
        .tag("mine", "mine", 9);
    check(&document, &repository, &Roots::default(), &[":mine", ":y", "y", "theirs"]);
}

#[test]
fn a_referrer_that_is_needed_keeps_its_subject() {
    let document = json!({"expire": [everything()]});
    let repository =
        Repository::new().image("a", "a", 9).referrer("r", "a", 9).referrer("other", "a", 9);
    let needed = vec![root("r", RootKind::Hold)];
    check(&document, &repository, &Roots { history: Vec::new(), needed }, &[":a"]);
}

#[test]
fn the_list_of_referrers_under_a_tag_goes_with_its_subject() {
    let document = json!({"expire": [{"name": "x", "tags": ["a"], "unless_kept": true}]});
    let list = plura_oci::Tag::of_referrers(&digest("a")).to_string();
    let repository = Repository::new()
        .image("a", "a", 9)
        .referrer("r", "a", 9)
        .index("list", &["r"], 9)
        .tag(&list, "list", 9);
    check(
        &document,
        &repository,
        &Roots::default(),
        &[":a", "a", &format!(":{list}"), "list", "r"],
    );
}

#[test]
fn tags_that_attach_things_to_each_other_are_no_rule() {
    let document = json!({"expire": [everything()]});
    let repository = Repository::new()
        .manifest("a", 9)
        .manifest("b", 9)
        .tag(&attachment("a"), "b", 9)
        .tag(&attachment("b"), "a", 9)
        .manifest("c", 9)
        .tag(&attachment("c"), "c", 9);
    check(&document, &repository, &Roots::default(), &["c", &format!(":{}", attachment("c"))]);
}

#[test]
fn an_untagged_image_has_time_since_it_lost_its_tag() {
    let document = json!({"expire": [{"name": "u", "untagged": true, "older_than": "7d"}]});
    let repository = Repository::new()
        .manifest("a", 400)
        .untagged_since("a", 1)
        .manifest("b", 400)
        .untagged_since("b", 8);
    check(&document, &repository, &Roots::default(), &["b"]);
}

#[test]
fn that_a_tag_is_immutable_does_not_keep_it() {
    let document = json!({"expire": [everything()]});
    let repository = Repository::new().image("a", "a", 9).immutable("a");
    let plan = planned(&document, &repository, &Roots::default());
    assert_eq!((plan.deleted.tags, plan.deleted.immutable_tags), (1, 1));
    assert!(plan.delete[0].immutable);
}

#[test]
fn a_plan_is_the_same_until_something_changes() {
    let document = rules(&json!({"expire": [{"name": "x", "tags": ["*"], "idle": "7d"}]}));
    let repository = || Repository::new().image("a", "a", 9).image("b", "b", 9);
    let made = plan(&document, &repository().0, &Roots::default(), NOW);
    let later = plan(&document, &repository().0, &Roots::default(), NOW + 1000);
    assert_eq!(made.id, later.id);
    let text = serde_json::to_string(&made).expect("JSON");
    assert_eq!(serde_json::from_str::<Plan>(&text).expect("a plan"), made);
    let recheck = |repository: Repository, roots: &Roots| {
        let held = still_holds(&made, &decide(&document, &repository.0, roots, NOW));
        let changes = held.err().unwrap_or_default().into_iter();
        changes.map(|withdrawn| (withdrawn.object, withdrawn.change)).collect::<Vec<_>>()
    };
    assert_eq!(recheck(repository(), &Roots::default()), []);
    // What could be deleted besides is for the next plan.
    assert_eq!(recheck(repository().image("c", "c", 99), &Roots::default()), []);
    let changes = recheck(repository().pulled("a", 1), &Roots::default());
    assert_eq!(changes.len(), 2);
    assert!(matches!(changes[0], (_, Change::Kept(_))));
    let moved = recheck(repository().tag("b", "a", 9), &Roots::default());
    let of_b = Object::Tag { tag: tag("b"), digest: digest("b") };
    assert!(moved.contains(&(of_b, Change::Moved(digest("a")))), "{moved:?}");
    let gone = recheck(Repository::new().image("a", "a", 9), &Roots::default());
    assert_eq!(gone.iter().filter(|(_, change)| *change == Change::Gone).count(), 2);
    let needed = Roots { history: Vec::new(), needed: vec![root("a", RootKind::Running)] };
    assert_eq!(recheck(repository(), &needed).len(), 2);
}

#[test]
fn every_answer_has_its_reason() {
    let document = rules(&json!({
        "keep": [{"name": "recent", "tags": ["k*"], "pushed_within": "3d"}],
        "expire": [{"name": "old", "tags": ["*"], "older_than": "7d"}],
    }));
    let repository = Repository::new()
        .image("k", "k", 1)
        .referrer("r", "k", 1)
        .image("o", "o", 9)
        .referrer("p", "o", 9)
        .image("n", "n", 1);
    let decisions = decide(&document, &repository.0, &Roots::default(), NOW);
    let tag_verdict = |text: &str| decisions.tag(&tag(text)).expect("it is there");
    let manifest = |name: &str| decisions.manifest(&digest(name)).expect("it is there").reason;
    assert_eq!(tag_verdict("k").reason, "the rule `recent` keeps it");
    assert_eq!(tag_verdict("o").reason, "it was pushed more than 7d ago");
    assert_eq!(tag_verdict("o").rule, "old");
    assert_eq!(tag_verdict("n").reason, "no rule lets it go");
    assert_eq!(manifest("k"), "the tag `k` keeps it");
    assert_eq!(manifest("r"), format!("it belongs to {}, which is kept", digest("k")));
    assert_eq!(manifest("p"), format!("it belongs to {}, which goes", digest("o")));
    assert_eq!(decisions.tag(&tag("none")), None);
    let kept = decisions.plan().kept;
    assert_eq!(kept.total.bytes, 30);
    assert_eq!(kept.because["recent"], 1);
    assert_eq!(kept.because["no rule"], 1);
    assert_eq!(kept.because["tagged"], 2);
}
