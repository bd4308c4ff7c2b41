//! What a change of the document means.

use plura_policy::{
    GovernanceDocument,
    change::{Direction, between, compare},
    document::EXAMPLE,
    facts::Known,
    gate::Effect,
};

use crate::given::{decide, governance, image};

use Direction::{Laxer, Other, Stricter};

fn check(before: &str, after: &str, path: &str, direction: Direction) {
    let read = |text: &str| GovernanceDocument::from_toml(text).expect("a document");
    let (before, after) = (read(before), read(after));
    let change = compare(&before, &after);
    let found: Vec<_> =
        change.changes.iter().map(|one| (one.path.as_str(), one.direction)).collect();
    assert_eq!(found, [(path, direction)], "{change}");
    // The other way round it is the other way round.
    let opposite = match direction {
        Stricter => Laxer,
        Laxer => Stricter,
        Other => Other,
    };
    assert_eq!(compare(&after, &before).changes[0].direction, opposite, "{change}");
}

/// A change of one key of a gate.
fn check_gate(gate: &str, before: &str, after: &str, key: &str, direction: Direction) {
    let document = |settings: &str| format!("[gates.g.{gate}]\n{settings}\n");
    let path = format!("gates.g.{gate}.{key}");
    check(&document(before), &document(after), &path, direction);
}

#[test]
fn changes_are_stricter_or_laxer() {
    for (gate, before, after, key, direction) in [
        ("non_root", "", "mode = \"warn\"", "mode", Laxer),
        ("vulnerabilities", "high = 0", "high = 2", "high", Laxer),
        ("vulnerabilities", "", "high = 2", "high", Laxer),
        ("vulnerabilities", "high = \"any\"", "high = \"excepted\"", "high", Stricter),
        ("vulnerabilities", "high = \"excepted\"", "high = 0", "high", Stricter),
        ("vulnerabilities", "high = \"excepted\"", "high = 3", "high", Other),
        ("vulnerabilities", "", "low = 5", "low", Stricter),
        ("vulnerabilities", "", "fixable_only = true", "fixable_only", Laxer),
        ("vulnerabilities", "", "grace = { high = \"7d\" }", "grace.high", Laxer),
        (
            "labels",
            "required = [\"a\"]",
            "required = [\"a\"]\nvalues.b = \"*\"",
            "values.b",
            Stricter,
        ),
        (
            "vulnerabilities",
            "grace = { high = \"7d\" }",
            "grace = { high = \"9d\" }",
            "grace.high",
            Laxer,
        ),
        ("signature", "", "policies = [\"a\"]", "policies", Stricter),
        ("provenance", "", "builders = [\"a\"]", "builders", Stricter),
        ("provenance", "builders = [\"a\"]", "builders = [\"a\", \"b\"]", "builders", Laxer),
        ("provenance", "builders = [\"a\"]", "builders = [\"b\"]", "builders", Other),
        ("sbom", "", "signed = false", "signed", Laxer),
        ("approvals", "required = 1", "required = 2", "required", Stricter),
        ("approvals", "", "required = 2", "required", Stricter),
        ("approvals", "", "author = \"with_others\"", "author", Laxer),
        ("approvals", "", "roles = [\"promoter\"]", "roles", Stricter),
        ("advisories", "newest_within = \"1d\"", "newest_within = \"36h\"", "newest_within", Laxer),
        ("age", "min = \"1h\"", "min = \"2h\"", "min", Stricter),
        ("secrets", "", "ignore = [\"jwt\"]", "ignore", Laxer),
    ] {
        check_gate(gate, before, after, key, direction);
    }
}

#[test]
fn whole_rules_come_and_go() {
    let tag = "[[tags]]\nname = \"a\"\nrepositories = [\"**\"]\n";
    check("", tag, "tags.a", Stricter);
    let other = format!("{tag}{}", tag.replace("\"a\"", "\"b\""));
    check(tag, &other, "tags.b", Stricter);
    let narrower = tag.replace("[\"**\"]", "[\"**\"]\nexcept = [\"x\"]");
    check(tag, &narrower, "tags.a.except", Laxer);
    let shaped = format!("{tag}shapes = [\"{{semver}}\"]\n");
    check(tag, &shaped, "tags.a.shapes", Stricter);
    check(tag, &format!("{tag}forbidden = []\n"), "tags.a.forbidden", Laxer);
    check(
        "[gates.g.sbom]\n",
        "[gates.g]\nsbom = {}\npredicates.p.expression = \"true\"\n",
        "gates.g.predicates.p",
        Stricter,
    );
    check("[gates.g.non_root]\n", "[gates.g.non_root]\n[gates.g.sbom]\n", "gates.g.sbom", Stricter);
    let channel = "[[channels]]\nname = \"prod\"\n";
    check(channel, &format!("{channel}soak = \"5m\"\n"), "channels.prod.soak", Stricter);
    check(channel, &format!("{channel}from = [\"stg\"]\n"), "channels.prod.from", Stricter);
}

#[test]
fn what_is_watched_and_what_becomes_of_it() {
    let canary = |metric: &str| {
        format!(
            "[canaries.c]\nsteps = [{{ weight = \"100%\", hold = \"1m\" }}]\n\
             [canaries.c.metrics.m]\nquery = \"q\"\n{metric}\n"
        )
    };
    for (before, after, key, direction) in [
        ("max = 1.0", "max = 2.0", "max", Laxer),
        ("max = 1.0", "max = 1.0\nmin = 0.5", "min", Stricter),
        ("max = 1.0", "max = 1.0\ntolerate = 1", "tolerate", Laxer),
        ("max = 1.0", "max = 1.0\nbaseline = \"b\"", "baseline", Stricter),
        ("baseline = \"a\"", "baseline = \"b\"", "baseline", Other),
        ("", "significance = 0.01", "significance", Laxer),
    ] {
        let path = format!("canaries.c.metrics.m.{key}");
        check(&canary(before), &canary(after), &path, direction);
    }
    let whole = canary("");
    let without = whole.split("[canaries.c.metrics.m]").next().expect("a start");
    check(without, &whole, "canaries.c.metrics.m", Stricter);
    let channel = "[[channels]]\nname = \"prod\"\n";
    check(channel, &format!("{channel}watch = \"c\"\n"), "channels.prod.watch", Stricter);
    check(channel, &format!("{channel}automatic = true\n"), "channels.prod.automatic", Other);
    for (after, path, direction) in [
        ("[promotion]\npatience = \"1h\"\n", "promotion.patience", Other),
        ("[promotion]\nrollback_key_life = \"1d\"\n", "promotion.rollback_key_life", Stricter),
        ("[promotion]\ndata_patience = \"1h\"\n", "promotion.data_patience", Laxer),
        ("[blocks]\nhide_tags = false\n", "blocks.hide_tags", Laxer),
        ("[blocks]\nrefuse_pulls = false\n", "blocks.refuse_pulls", Laxer),
        ("[blocks]\nroll_back = [\"prod:*\"]\n", "blocks.roll_back", Stricter),
        ("[[retention.keep]]\nname = \"k\"\ntags = [\"*\"]\n", "retention.keep.k", Stricter),
        ("[[retention.expire]]\nname = \"e\"\nidle = \"7d\"\n", "retention.expire.e", Laxer),
    ] {
        check("", after, path, direction);
    }
}

#[test]
fn a_document_does_not_differ_from_itself() {
    let document = GovernanceDocument::from_toml(EXAMPLE).unwrap();
    let change = compare(&document, &document);
    assert!(change.is_empty());
    assert_eq!(change.to_string(), "nothing changes");
}

#[test]
fn a_change_is_told_in_words() {
    let read = |text: &str| GovernanceDocument::from_toml(text).unwrap();
    let before = read("[gates.g.approvals]\nrequired = 1\n");
    let after = read("[gates.g.approvals]\nrequired = 2\nroles = [\"promoter\"]\n");
    assert_eq!(
        compare(&before, &after).to_string(),
        "stricter gates.g.approvals.required: 1 becomes 2\n\
         stricter gates.g.approvals.roles: new: [\"promoter\"]"
    );
}

#[test]
fn what_another_document_would_have_decided() {
    let before = governance("[gates.g.non_root]\n[[channels]]\nname=\"prod\"\ngates=[\"g\"]\n");
    let after = governance("[gates.g.sbom]\n[[channels]]\nname = \"prod\"\ngates = [\"g\"]\n");
    let mut facts = image();
    facts.manifest.sboms = Known::Absent("it has none".into());
    let change = between(&decide(&before, &facts), &decide(&after, &facts));
    assert_eq!((change.before, change.after), (Effect::Allow, Effect::Deny));
    assert!(change.is_decisive());
    assert_eq!(
        change.to_string(),
        "allow becomes deny\n\
         gates.g.non_root: not asked any more; it was allow\n\
         gates.g.sbom: asked now: deny: it has none"
    );
    let same = between(&decide(&before, &facts), &decide(&before, &facts));
    assert!(!same.is_decisive() && same.outcomes.is_empty());
}
