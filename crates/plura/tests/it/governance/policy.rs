//! The commands that people type, against a real server.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use plura_testkit::{Outcome, eventually};
use serde_json::{Value, json};

use super::{Place, image};

const FIRST: &str = "\
# Comments stay.
format = 1

[gates.production.non_root]
[gates.production.approvals]

[[channels]]
name = \"prod:stable\"
gates = [\"production\"]
";

impl Place {
    /// Runs the binary, in the directory of the installation.
    fn run(&self, words: &[&str]) -> Outcome {
        let variables =
            [("PLURA_SERVER", self.server.base()), ("DOCKER_CONFIG", "none".to_owned())];
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        let environment: BTreeMap<_, _> = variables.into_iter().map(own).collect();
        let binary = Path::new(env!("CARGO_BIN_EXE_plura"));
        Outcome::of(binary, words, &environment, self.server.data())
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.server.data().join(name), text).expect("it can be written");
    }
}

#[tokio::test]
async fn a_document_is_applied_shown_compared_and_remembered() {
    let place = Place::start();
    place.run(&["policy", "show"]).expect(0);
    place.write("first.toml", FIRST);
    place.run(&["policy", "apply", "first.toml", "--reason", "the first one"]).expect(0);
    assert_eq!(place.run(&["policy", "show"]).expect(0).stdout, FIRST);

    let laxer = FIRST.replace("approvals]", "approvals]\nmode = \"warn\"");
    place.write("laxer.toml", &laxer);
    let diff = place.run(&["policy", "diff", "laxer.toml"]).expect(0);
    diff.expect_stdout("laxer    gates.production.approvals.mode");
    place.run(&["policy", "apply", "laxer.toml", "--reason", "for now"]).expect(1);
    assert_eq!(place.run(&["policy", "show"]).expect(0).stdout, FIRST);
    let applied = ["policy", "apply", "laxer.toml", "--reason", "for now", "--yes"];
    place.run(&applied).expect(0);
    assert_eq!(place.run(&["policy", "show"]).expect(0).stdout, laxer);
    assert_eq!(place.run(&["policy", "show", "--version", "1"]).expect(0).stdout, FIRST);

    let history = place.run(&["policy", "history", "--json"]).expect(0).json();
    let told: Vec<_> = history.as_array().expect("a list").iter().map(|v| &v["reason"]).collect();
    assert_eq!(told, [&json!("for now"), &json!("the first one")]);
}

#[tokio::test]
async fn a_document_that_was_not_compared_is_not_replaced() {
    let place = Place::start();
    place.write("first.toml", FIRST);
    place.run(&["policy", "apply", "first.toml", "--reason", "a"]).expect(0);
    let other = format!("sha256:{}", "0".repeat(64));
    let apply = ["policy", "apply", "first.toml", "--reason", "b", "--expect", &other];
    place.run(&apply).expect(1);
    place.write("wrong.toml", &FIRST.replace("[\"production\"]", "[\"produktion\"]"));
    let wrong = place.run(&["policy", "apply", "wrong.toml", "--reason", "c"]).expect(1);
    assert!(wrong.stderr.contains("produktion"), "{}", wrong.stderr);
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_and_goes_away() {
    let place = Place::start();
    place.write("first.toml", FIRST);
    place.run(&["policy", "apply", "first.toml", "--reason", "a"]).expect(0);
    let pushed = image("web", &json!({}));
    place.repository.push_image_as("1.0.0", &pushed).await.expect(201);
    let name = "apps/search:1.0.0";
    let why = ["reg", "why", name, "--to", "prod:stable"];
    eventually("its layers are read", || async {
        let why = place.run(&[&why[..], &["--json"]].concat());
        let known = &why.json()["facts"]["manifest"]["configuration"]["state"];
        (*known == json!("known")).then_some(())
    })
    .await;
    let waits = place.run(&why).expect(3);
    let waits = waits.expect_stdout("may not be in prod:stable yet");
    waits.expect_stdout("gates.production.approvals");

    // A server without login has one person, who pushed it as well: what they say does not count.
    place.run(&["reg", "approve", name, "--to", "prod:stable"]).expect(0);
    let approvals = place.run(&["reg", "approvals", name, "--json"]).expect(0).json();
    assert_eq!(approvals[0]["is_authors"], true);
    place.run(&why).expect(3);
    let approval = approvals[0]["id"].as_str().expect("an identifier").to_owned();
    place.run(&["reg", "revoke", "apps/search", &approval]).expect(0);

    let digest = pushed.digest();
    place.run(&["reg", "block", &digest, "--reason", "leaks a key"]).expect(0);
    place.run(&why).expect(1).expect_stdout("leaks a key");
    place.run(&["reg", "blocks"]).expect(0).expect_stdout("everywhere");
    place.run(&["reg", "unblock", &digest, "--reason", "it does not"]).expect(0);
    place.run(&why).expect(3);

    place.run(&["reg", "freeze", "prod:*", "--until", "4h", "--reason", "launch"]).expect(0);
    place.run(&why).expect(3).expect_stdout("launch");
    let freezes = place.run(&["reg", "freezes", "--json"]).expect(0).json();
    let freeze = freezes[0]["id"].as_str().expect("an identifier").to_owned();
    place.run(&["reg", "unfreeze", &freeze]).expect(0);
    assert_eq!(place.run(&["reg", "freezes", "--json"]).expect(0).json(), json!([]));

    place.run(&["reg", "post-check", name, "smoke", "success"]).expect(0);
    let checks: Value = place.run(&["reg", "checks", name, "--json"]).expect(0).json();
    assert_eq!(checks[0]["state"], "success");
    place.run(&["reg", "why", name, "--to", "nowhere"]).expect(2);
}

#[tokio::test]
async fn what_is_simulated_changes_nothing() {
    let place = Place::start();
    place.write("first.toml", FIRST);
    let simulated = place.run(&["policy", "simulate", "first.toml", "--json"]).expect(0).json();
    assert_eq!((&simulated["decisions"], &simulated["more"]), (&json!(0), &json!(false)));
    let shown = place.run(&["policy", "show", "--json"]).expect(0).json();
    assert_eq!(shown["version"], 0);
}
