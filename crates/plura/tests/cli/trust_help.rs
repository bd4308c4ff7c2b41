//! The help of the commands about signatures.

use insta::assert_snapshot;

use crate::help::help;

#[test]
fn signing_and_verifying() {
    assert_snapshot!(help("sign"), @"");
    assert_snapshot!(help("attest"), @"");
    assert_snapshot!(help("verify"), @"");
}

#[test]
fn whose_signatures_count() {
    assert_snapshot!(help("trust policy"), @"");
    assert_snapshot!(help("trust policy set"), @"");
    assert_snapshot!(help("trust policy check"), @"");
    assert_snapshot!(help("trust root"), @"");
    assert_snapshot!(help("trust root set"), @"");
    assert_snapshot!(help("trust key"), @"");
}
