//! `plura trust key`, and the keys that sign.

use std::os::unix::fs::PermissionsExt;

use super::{REPOSITORY, Workbench};

#[test]
fn keys_are_private_and_are_not_overwritten() {
    let bench = Workbench::start();
    let file = |name: &str| bench.folder.path().join(name);
    let private = file("alice.key").metadata().expect("the key is there").permissions();
    assert_eq!(private.mode() & 0o777, 0o600);
    let before = std::fs::read(file("alice.key")).expect("it can be read");
    assert!(before.starts_with(b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    bench.run("trust key alice").expect(1).expect_stderr("`alice.key` exists");
    assert_eq!(std::fs::read(file("alice.key")).expect("it can be read"), before);
    bench.write("carol.pub", "");
    bench.run("trust key carol").expect(1).expect_stderr("`carol.pub` exists");
    assert!(!file("carol.key").exists());
}

#[tokio::test]
async fn a_wrong_password_is_told() {
    let bench = Workbench::start();
    bench.push("1").await;
    bench.write("wrong", "wrong\n");
    bench.write("right", "plura\n");
    let sign = format!("sign {REPOSITORY}:1 --key alice.key --password-file");
    bench.run(&format!("{sign} wrong")).expect(2).expect_stderr("hint: is the password right?");
    bench.run(&format!("{sign} right")).expect(0);
    let said = bench.run(&format!("sign {REPOSITORY}:1 --key alice.pub")).expect(2);
    said.expect_stderr("cannot use the key `alice.pub`");
    let said = bench.run(&format!("verify {REPOSITORY}:1 --key alice.key")).expect(2);
    said.expect_stderr("`alice.key` is a private key");
}
