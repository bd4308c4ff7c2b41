//! The help of the commands about the log, the document that governs, and channels.

use insta::assert_snapshot;

use crate::help::help;

#[test]
fn the_log() {
    assert_snapshot!(help("log"), @"");
    assert_snapshot!(help("log status"), @"");
    assert_snapshot!(help("log list"), @"");
    assert_snapshot!(help("log prove"), @"");
    assert_snapshot!(help("log verify"), @"");
}

#[test]
fn documents() {
    assert_snapshot!(help("policy"), @"");
    assert_snapshot!(help("policy check"), @"");
    assert_snapshot!(help("policy diff"), @"");
    assert_snapshot!(help("policy apply"), @"");
    assert_snapshot!(help("policy history"), @"");
    assert_snapshot!(help("policy test"), @"");
    assert_snapshot!(help("policy simulate"), @"");
}

#[test]
fn channels() {
    assert_snapshot!(help("reg promote"), @"");
    assert_snapshot!(help("reg rollback"), @"");
    assert_snapshot!(help("reg status"), @"");
    assert_snapshot!(help("reg history"), @"");
    assert_snapshot!(help("reg release"), @"");
    assert_snapshot!(help("reg cancel"), @"");
    assert_snapshot!(help("reg metrics"), @"");
}

#[test]
fn what_people_decide() {
    assert_snapshot!(help("reg why"), @"");
    assert_snapshot!(help("reg approve"), @"");
    assert_snapshot!(help("reg freeze"), @"");
    assert_snapshot!(help("reg block"), @"");
    assert_snapshot!(help("reg evidence"), @"");
    assert_snapshot!(help("reg evidence verify"), @"");
}
