//! What is written, and what is wrong with it.

use std::collections::BTreeSet;

use plura_policy::{
    Governance, GovernanceDocument,
    document::{DocumentError, EXAMPLE, MAX_SIZE, Promotion},
};
use serde_json::Value;

use crate::given::governance;

#[test]
fn the_example_governs() {
    let governance = governance(EXAMPLE);
    let channels: Vec<String> = governance.channels.keys().map(ToString::to_string).collect();
    assert_eq!(channels, ["dev:stable", "prod:candidate", "prod:stable", "stg:stable"]);
    let stable = &governance.channels[&"prod".parse().unwrap()];
    assert_eq!(stable.soak.unwrap().to_string(), "15m");
    let canary = stable.canary.as_ref().unwrap();
    let steps: Vec<String> =
        canary.steps.iter().map(|step| format!("{} for {}", step.weight, step.hold)).collect();
    assert_eq!(steps, ["5% for 10m", "25% for 10m", "100% for 5m"]);
    assert!(stable.automatic);
    assert_eq!(stable.watch.as_ref().unwrap().name, "careful");
    assert!(governance.blocks.rolls_back(&stable.name));
    assert!(!governance.blocks.rolls_back(&"stg".parse().unwrap()));
    assert_eq!(governance.promotion, Promotion::default());
}

#[test]
fn a_document_that_says_nothing_has_the_digest_that_it_always_had() {
    let written = serde_json::to_value(GovernanceDocument::default()).unwrap();
    for key in ["promotion", "blocks", "retention"] {
        assert_eq!(written.get(key), None, "{written}");
    }
    let channel = GovernanceDocument::from_toml("[[channels]]\nname = \"prod\"\n").unwrap();
    let written = serde_json::to_value(channel).unwrap();
    assert_eq!(written["channels"][0].get("automatic"), None, "{written}");
}

/// Tables whose keys are names of the user's own.
const NAMED: [&str; 8] =
    ["base_images", "windows", "gates", "canaries", "metrics", "predicates", "values", "grace"];

/// Every key, by the way to it.
fn keys(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            let is_named = NAMED.iter().any(|name| path.ends_with(&format!(".{name}")));
            for (key, value) in entries {
                let path = format!("{path}.{}", if is_named { "*" } else { key });
                keys(&path, value, found);
                found.insert(path);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(path, value, found)),
        _ => {}
    }
}

#[test]
fn every_key_is_in_the_example() {
    let (mut written, mut known) = (BTreeSet::new(), BTreeSet::new());
    keys("", &toml::from_str(EXAMPLE).unwrap(), &mut written);
    let document = GovernanceDocument::from_toml(EXAMPLE).unwrap();
    keys("", &serde_json::to_value(document).unwrap(), &mut known);
    let missing: Vec<&String> = known.difference(&written).collect();
    assert!(missing.is_empty(), "not in the example: {missing:?}");
    assert!(known.len() > 100, "{}", known.len());
}

#[test]
fn a_document_is_read_back_from_what_it_is_written_as() {
    for text in [EXAMPLE, "", "format = 1", "[[channels]]\nname = \"prod\"\n"] {
        let document = GovernanceDocument::from_toml(text).unwrap();
        let from_toml = GovernanceDocument::from_toml(&document.to_toml()).unwrap();
        assert_eq!(from_toml, document);
        let json = serde_json::to_vec(&document).unwrap();
        let from_json = GovernanceDocument::from_json(&json).unwrap();
        assert_eq!(from_json, document);
        assert_eq!(from_json.digest(), document.digest());
    }
}

#[test]
fn the_digest_is_of_what_is_said() {
    let digest = |text: &str| governance(text).source;
    let first = "[gates.a.non_root]\n[[channels]]\nname = \"prod\"\ngates = [\"a\"]\n";
    let same = "# a comment\n[[channels]]\ngates = ['a']\nname = 'prod'\nwindows = []\n\
                [gates.a]\nnon_root = {}\n";
    assert_eq!(digest(first), digest(same));
    // A gate without settings is a gate.
    let other = first.replace("[gates.a.non_root]", "[gates.a]");
    assert_ne!(digest(first), digest(&other));
}

fn problems(text: &str) -> Vec<String> {
    let problems = Governance::from_toml(text).expect_err(text).problems;
    assert!(problems.iter().all(|problem| !problem.fix.is_empty()), "{problems:?}");
    problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.observed)).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is one document, and what is wrong with it")]
fn everything_that_is_wrong_is_told() {
    let found = problems(
        r#"
format = 2
[layout]
channels = "channels/{service}"
[[tags]]
name = "a"
repositories = ["Apps"]
shapes = ["{version}"]
[base_images.none]
[windows.w]
time_zone = "Asia/Soul"
days = ["monday", "friyay"]
from = "9:00"
to = "25:00"
[[freezes]]
name = "f"
reason = ""
from = "2026-02-30"
to = "tomorrow"
[gates.g]
vulnerabilities = { critical = "none", grace = { high = "soon" } }
age = {}
base_image = { allow = ["debian"] }
approvals = { required = 0 }
predicates.p.expression = "user = 'root'"
[canaries.c]
steps = [{ weight = "50%", hold = "1m" }, { weight = "20%", hold = "x" }]
metrics.m = { query = "" }
metrics.n = { query = "q", baseline = "" }
metrics.o = { query = "q", max = 1.0, worse = "higher", significance = 0.7 }
metrics.p = { query = "q", max = 1.0, baseline = "{{release}}", worse = "lower" }
[promotion]
patience = "0s"
data_patience = "soon"
[blocks]
roll_back = [""]
[[retention.channels]]
channel = "prod"
window = "180"
[[retention.keep]]
name = "k"
newest = 0
[[channels]]
name = "Prod"
[[channels]]
name = "prod"
from = ["stg"]
gates = ["h"]
windows = ["v"]
canary = "d"
watch = "e"
[[channels]]
name = "prod"
soak = "15m"
automatic = true
[[pulls]]
name = "p"
repositories = []
gates = []
"#,
    );
    for expected in [
        "format: format 2",
        "layout.channels: `channels/{service}`",
        "tags[0].repositories[0]: `Apps`",
        "tags[0].shapes[0]: `{version}`",
        "base_images.none: every image is one",
        "windows.w.time_zone: `Asia/Soul`",
        "windows.w.days[1]: `friyay`",
        "windows.w.from: `9:00`",
        "windows.w.to: `25:00`",
        "freezes[0].from: `2026-02-30`",
        "freezes[0].to: `tomorrow`",
        "freezes[0].reason: no reason",
        "gates.g.vulnerabilities.critical: `none`",
        "gates.g.age: any age will do",
        "gates.g.base_image.allow[0]: `debian` is none of `base_images`",
        "gates.g.approvals.required: 0 people",
        "gates.g.predicates.p.expression: `user = 'root'`",
        "canaries.c.steps[1].hold: `x`",
        "canaries.c.steps: it does not end with everything",
        "canaries.c.metrics.m.query: no query",
        "canaries.c.metrics.m: any number will do",
        "canaries.c.metrics.n.baseline: no query",
        "canaries.c.metrics.n.worse: a difference may be good or bad",
        "canaries.c.metrics.o: a comparison with nothing",
        "canaries.c.metrics.o.significance: 0.7",
        "canaries.c.metrics.p.baseline: `{{release}}`",
        "promotion.patience: no time at all",
        "promotion.data_patience: `soon`",
        "blocks.roll_back[0]: ``",
        "retention.channels[0].window: `180` cannot be read",
        "retention.keep[0]: a rule about nothing",
        "retention.keep[0].newest: keeps nothing",
        "channels[1].watch: `e` is not in `canaries`",
        "channels[1].watch: it is watched for no time",
        "channels[2].automatic: there is no channel before it",
        "channels[0].name: `Prod`",
        "channels[1].gates[0]: `h` is not in `gates`",
        "channels[1].windows[0]: `v` is not in `windows`",
        "channels[1].canary: `d` is not in `canaries`",
        "channels[2].soak: there is no channel before it",
        "channels[2].name: `prod:stable` is there twice",
        "pulls[0].repositories: about no repository",
        "pulls[0].gates: nothing is asked for",
    ] {
        assert!(found.iter().any(|one| one == expected), "{expected} is not told in {found:#?}");
    }
}

#[test]
fn channels_in_a_circle_are_refused() {
    let circle = "[[channels]]\nname = \"a\"\nfrom = [\"b\"]\n[[channels]]\nname = \"b\"\n\
                  from = [\"a\"]\n[[channels]]\nname = \"c\"\nfrom = [\"d\"]\n";
    let found = problems(circle);
    assert_eq!(
        found,
        [
            "channels: no image can ever come to a:stable",
            "channels: no image can ever come to b:stable",
            "channels: c:stable comes from d:stable, which is no channel",
        ]
    );
}

#[test]
fn what_is_about_channels_is_not_asked_of_pulls() {
    let found = problems(
        "[gates.a.approvals]\n[[pulls]]\nname = \"p\"\nrepositories = [\"**\"]\ngates = [\"a\"]\n",
    );
    assert_eq!(found, ["pulls[0].gates[0]: `gates.a.approvals` is about moves into channels"]);
}

/// Every table, by the way to it.
fn tables(value: &mut Value, visit: &mut impl FnMut(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Object(entries) => {
            visit(entries);
            entries.values_mut().for_each(|value| tables(value, visit));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| tables(value, visit)),
        _ => {}
    }
}

#[test]
fn an_unknown_key_is_an_error_in_every_table() {
    let document: Value = toml::from_str(EXAMPLE).unwrap();
    let mut count = 0;
    tables(&mut document.clone(), &mut |_| count += 1);
    let mut accepted = Vec::new();
    for target in 0..count {
        let mut changed = document.clone();
        let mut place = 0;
        let mut keys = String::new();
        tables(&mut changed, &mut |table| {
            if place == target {
                keys = table.keys().cloned().collect::<Vec<_>>().join(" ");
                table.insert("frobnicate".to_owned(), Value::Bool(true));
            }
            place += 1;
        });
        let bytes = serde_json::to_vec(&changed).unwrap();
        if GovernanceDocument::from_json(&bytes).is_ok() {
            accepted.push(keys);
        }
    }
    assert!(accepted.is_empty(), "unknown keys are taken beside {accepted:?}");
}

#[test]
fn what_cannot_be_read_says_where() {
    let check = |text: &str, path: &str| {
        let DocumentError { problems } = GovernanceDocument::from_toml(text).expect_err(text);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].path, path, "{problems:?}");
    };
    check("format = 1\nformat = 1\n", "line 2, column 1");
    check("format = 1\nfrobnicate = 1\n", "line 2, column 1");
    check("format = \"1\"", "line 1, column 10");
    check(&" ".repeat(MAX_SIZE + 1), "");
}
