//! `plura sign`, and what `plura verify` makes of it.

use plura_testkit::eventually;
use serde_json::json;

use super::{REPOSITORY, Workbench, signers};

#[tokio::test]
async fn what_is_signed_in_either_form_is_verified() {
    let bench = Workbench::start();
    bench.trust("release", &["alice"]);
    for (tag, form, place) in [("a", "bundle", "sha256:"), ("b", "tag", "sha256-")] {
        let digest = bench.push(tag).await;
        let image = format!("{REPOSITORY}:{tag}");
        bench.run(&format!("verify {image}")).expect(1).expect_stdout("it has no signature");
        let signed = bench.json(&format!("sign {image} --key alice.key --form {form} -a a=b"), 0);
        assert_eq!(signed["signed"][0]["digest"], json!(digest));
        assert_eq!(signed["signed"][0]["image"], json!(format!("{REPOSITORY}@{digest}")));
        let stored = signed["signed"][0]["signature"].as_str().expect("a place");
        assert!(stored.starts_with(place), "{stored}");
        let verified = bench.run(&format!("verify {image}")).expect(0);
        let verified = verified.expect_stdout(&format!("verified: {REPOSITORY}@{digest}\n"));
        verified
            .expect_stdout("  release: signed by alice\n")
            .expect_stdout("    alice, key sha256:");
        let evidence = bench.json(&format!("verify {image}"), 0);
        assert_eq!(signers(&evidence), json!(["alice"]));
    }
}

#[tokio::test]
async fn signatures_under_one_tag_do_not_push_each_other_out() {
    let bench = Workbench::start();
    bench.push("1").await;
    for key in ["alice", "bob", "alice"] {
        bench.run(&format!("sign {REPOSITORY}:1 --key {key}.key --form tag")).expect(0);
    }
    let verify = format!("verify {REPOSITORY}:1 --key alice.pub --key bob.pub --required 2");
    assert_eq!(signers(&bench.json(&verify, 0)), json!(["alice", "bob"]));
}

#[tokio::test]
async fn an_index_is_signed_with_everything_in_it() {
    let bench = Workbench::start();
    let (index, children) = bench.push_index("1").await;
    let signed = bench.json(&format!("sign {REPOSITORY}:1 --key alice.key --recursive"), 0);
    let signed = signed["signed"].as_array().expect("a list").iter();
    let signed: Vec<_> = signed.map(|one| one["digest"].as_str().expect("a digest")).collect();
    assert_eq!(signed, [&index, &children[0], &children[1]]);
    for digest in &signed {
        bench.run(&format!("verify {REPOSITORY}@{digest} --key alice.pub")).expect(0);
    }
}

#[tokio::test]
async fn a_child_is_verified_by_its_index() {
    let bench = Workbench::start();
    let (index, children) = bench.push_index("1").await;
    bench.trust("release", &["alice"]);
    bench.run(&format!("sign {REPOSITORY}@{index} --key alice.key")).expect(0);
    let child = format!("verify {REPOSITORY}@{}", children[0]);
    // Of the children it is found out after the index, in the background.
    let verified = async || bench.run(&child).status.filter(|status| *status == 0);
    eventually("the child is verified", verified).await;
    let inherited = format!("inherited from the index {index}");
    bench.run(&child).expect(0).expect_stdout(&inherited);
    let explained = bench.run(&format!("{child} --explain")).expect(0);
    explained.expect_stdout(&format!("signatures of the index {index}\n"));
    // Without one in force, the child's own signatures are all there is.
    bench.run(&format!("{child} --key alice.pub")).expect(1);
}

#[tokio::test]
async fn a_stranger_does_not_count_and_is_explained() {
    let bench = Workbench::start();
    bench.push("1").await;
    bench.trust("release", &["alice"]);
    bench.run(&format!("sign {REPOSITORY}:1 --key bob.key")).expect(0);
    let said = bench.run(&format!("verify {REPOSITORY}:1 --explain")).expect(1);
    let said = said.expect_stdout("not verified: ").expect_stdout("release: does not count: ");
    let said = said.expect_stdout("observed: ").expect_stdout("required: ");
    said.expect_stdout("fix: ").expect_stderr("hint: ");
    bench.run(&format!("verify {REPOSITORY}:1 --key bob.pub")).expect(0);
}

#[tokio::test]
async fn a_name_may_carry_its_registry() {
    let bench = Workbench::start();
    bench.push("1").await;
    let host = bench.server.client().authority();
    bench.run(&format!("sign {host}/{REPOSITORY}:1 --key alice.key")).expect(0);
    // The one in the name is asked, not the other.
    let elsewhere = format!("--server http://127.0.0.1:1 {host}/{REPOSITORY}:1 --key alice.pub");
    bench.run(&format!("verify {elsewhere}")).expect(0);
    let said = bench.run(&format!("verify {elsewhere} --token secret")).expect(2);
    said.expect_stderr("the token that was given is for http://127.0.0.1:1");
}

#[tokio::test]
async fn what_is_not_there_cannot_be_signed() {
    let bench = Workbench::start();
    bench.push("1").await;
    bench.run(&format!("sign {REPOSITORY}:2 --key alice.key")).expect(1).expect_stderr("404");
    bench.run(&format!("verify {REPOSITORY}:2")).expect(1).expect_stderr("404");
    let said = bench.run(&format!("verify {REPOSITORY}:1")).expect(1);
    let said = said.expect_stderr("no trust policy is about apps/web");
    said.expect_stderr("hint: `plura trust policy set NAME");
}
