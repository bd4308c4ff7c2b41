//! `plura trust policy` and `plura trust root`.

use serde_json::json;

use super::{REPOSITORY, Workbench, signers};

#[tokio::test]
async fn a_policy_is_set_shown_and_removed() {
    let bench = Workbench::start();
    bench.push("1").await;
    bench.run(&format!("sign {REPOSITORY}:1 --key alice.key")).expect(0);
    let set = "trust policy set release --repositories apps/** --key alice.pub --key bob.pub";
    bench.run(&format!("{set} --required 2")).expect(0).expect_stderr("`release` is in force");
    bench.run(&format!("verify {REPOSITORY}:1")).expect(1).expect_stdout("signed by alice");
    bench.run(set).expect(0);
    assert_eq!(signers(&bench.json(&format!("verify {REPOSITORY}:1"), 0)), json!(["alice"]));

    let shown = bench.run("trust policy show release").expect(0);
    let shown = shown.expect_stdout("alice (sha256:").expect_stdout("apps/**");
    assert!(!shown.stdout.contains("BEGIN"), "{shown}");
    bench.run("trust policy list").expect(0).expect_stdout("alice, bob");

    // What is shown can be set again.
    let json = bench.run("trust policy show release --json").expect(0).stdout;
    bench.run("trust policy remove release").expect(0);
    bench.run("trust policy show release").expect(1);
    bench.run(&format!("verify {REPOSITORY}:1")).expect(1).expect_stderr("no trust policy");
    bench.write("release.json", &json);
    bench.run("trust policy check release.json").expect(0);
    bench.run("trust policy set release.json").expect(0);
    bench.run("trust policy remove release").expect(0);
    bench.run_with("trust policy set -", &json).expect(0);
    bench.run(&format!("verify {REPOSITORY}:1 --policy release.json")).expect(0);
}

#[test]
fn a_policy_that_trusts_everybody_is_refused_before_it_is_sent() {
    let bench = Workbench::start();
    let set = "trust policy set ci --repositories apps/** --identity ci --issuer https://a.example";
    bench.run(set).expect(1).expect_stderr("hint: ");
    bench.run(&format!("{set} --subject-pattern .*")).expect(1).expect_stderr("^");
    bench.run(&format!("{set} --subject build")).expect(0);
    bench.write("ci.toml", "name = 'ci'\nrepositories = ['apps/**']\n");
    bench.run("trust policy check ci.toml").expect(1).expect_stderr("0 signers are required");
    bench.run("trust policy check missing.toml").expect(2);
    bench.run("trust policy set ci --key alice.pub").expect(2).expect_stderr("--repositories");
}

#[test]
fn the_trust_root_is_replaced_and_reset() {
    let bench = Workbench::start();
    let own = bench.json("trust root show", 0);
    assert_eq!(own["is_set"], json!(false));
    bench.write("root.json", "{}");
    bench.run("trust root set missing.json").expect(2);
    bench.write("other.json", "{\"mediaType\": \"other\"}");
    bench.run("trust root set other.json").expect(2).expect_stderr("is no trust root");
    assert_eq!(bench.json("trust root show", 0), own);
    assert_eq!(bench.json("trust root reset", 0), own);
    bench.run("trust root show").expect(0).expect_stdout("plura's own");
}
