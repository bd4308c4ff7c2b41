//! Version orders against what their ecosystems say: each file in `tables` names where it is from.

use std::cmp::Ordering;

use plura_advisories::VersionOrder;
use proptest::prelude::*;

/// Rows of `left < right`, with `<`, `=` or `>` between.
fn check(order: VersionOrder, table: &str) {
    let mut wrong = Vec::new();
    let rows = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for row in rows {
        let [left, sign, right] = row.split(' ').collect::<Vec<_>>()[..] else {
            panic!("not a row: {row}");
        };
        let expected = match sign {
            "<" => Ordering::Less,
            "=" => Ordering::Equal,
            ">" => Ordering::Greater,
            _ => panic!("not a row: {row}"),
        };
        let forth = order.compare(left, right);
        let back = order.compare(right, left).map(Ordering::reverse);
        if forth.as_ref() != Ok(&expected) || back.as_ref() != Ok(&expected) {
            wrong.push(format!("{row}: {forth:?}"));
        }
    }
    assert!(wrong.is_empty(), "{order}: {} rows\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn dpkg() {
    check(VersionOrder::Dpkg, include_str!("tables/dpkg.txt"));
}

#[test]
fn apk() {
    check(VersionOrder::Apk, include_str!("tables/apk.txt"));
}

#[test]
fn rpm() {
    check(VersionOrder::Rpm, include_str!("tables/rpm.txt"));
}

#[test]
fn semver() {
    check(VersionOrder::SemVer, include_str!("tables/semver.txt"));
    check(VersionOrder::Npm, include_str!("tables/semver.txt"));
    check(VersionOrder::Go, include_str!("tables/semver.txt"));
}

#[test]
fn npm() {
    check(VersionOrder::Npm, include_str!("tables/npm.txt"));
}

#[test]
fn pep440() {
    check(VersionOrder::Pep440, include_str!("tables/pep440.txt"));
}

#[test]
fn maven() {
    check(VersionOrder::Maven, include_str!("tables/maven.txt"));
}

#[test]
fn gem() {
    check(VersionOrder::Gem, include_str!("tables/gem.txt"));
}

#[test]
fn nuget() {
    check(VersionOrder::NuGet, include_str!("tables/nuget.txt"));
}

#[test]
fn composer() {
    check(VersionOrder::Composer, include_str!("tables/composer.txt"));
}

#[test]
fn go() {
    check(VersionOrder::Go, include_str!("tables/go.txt"));
}

#[test]
fn bitnami() {
    check(VersionOrder::Bitnami, include_str!("tables/bitnami.txt"));
}

#[test]
fn components() {
    check(VersionOrder::Components, include_str!("tables/components.txt"));
}

#[test]
fn what_is_no_version_says_why() {
    for (order, version) in [
        (VersionOrder::Dpkg, "a:1"),
        (VersionOrder::Dpkg, "1-"),
        (VersionOrder::Dpkg, "1:"),
        (VersionOrder::Dpkg, "1 2"),
        (VersionOrder::Apk, "1."),
        (VersionOrder::Apk, "1_foo"),
        (VersionOrder::Apk, "1.0bc"),
        (VersionOrder::Apk, "1-r"),
        (VersionOrder::Apk, "edge"),
        (VersionOrder::SemVer, "1.2.3beta"),
        (VersionOrder::SemVer, "1.2.3-"),
        (VersionOrder::SemVer, "1.2.3-a..b"),
        (VersionOrder::SemVer, "latest"),
        (VersionOrder::Npm, "workspace:*"),
        (VersionOrder::Pep440, "2004d"),
        (VersionOrder::Pep440, "1.0+"),
        (VersionOrder::Pep440, "french toast"),
        (VersionOrder::Gem, "1..2"),
        (VersionOrder::Gem, "junk"),
        (VersionOrder::Gem, "2.3422222.222.222222222.22222.ads0as.dasd0.ddd2222.2.qd3e."),
        (VersionOrder::NuGet, "1.2.3.4.5"),
        (VersionOrder::NuGet, "$(Version)"),
        (VersionOrder::Composer, "dev-master"),
        (VersionOrder::Composer, "a"),
        (VersionOrder::Composer, "1.0.0-meh"),
        (VersionOrder::Composer, "1.0.0.0.0"),
        (VersionOrder::Composer, "feature-foo"),
        (VersionOrder::Go, "(devel)"),
        (VersionOrder::Go, "go"),
        (VersionOrder::Components, "1.a"),
    ] {
        let error = order.key(version).expect_err(version);
        assert!(!error.reason.is_empty() && error.to_string().contains(version), "{error}");
    }
    for order in VersionOrder::ALL {
        assert!(order.key("").is_err());
        assert!(order.key("1.0\u{1b}[31m").is_err_and(|e| e.to_string().contains("1.0\\u{1b}")));
        assert!(order.key(&"1".repeat(VersionOrder::MAX_LENGTH + 1)).is_err());
    }
}

/// Texts that are often versions of some ecosystem, and often nearly alike.
fn version() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "0",
        "00",
        "1",
        "01",
        "2",
        "10",
        "99999999999999999999",
        ".",
        "-",
        "_",
        "+",
        "~",
        "^",
        ":",
        "!",
        "v",
        "a",
        "b",
        "rc",
        "alpha",
        "beta",
        "dev",
        "post",
        "final",
        "sp",
        "jre",
        "-r",
        "_p",
        "x",
        "A",
        "go",
        "RC",
        "ga",
        "snapshot",
        "é",
        " ",
    ]);
    prop_oneof![
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()),
        "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}([-.+~_]?(a|b|rc|alpha|p|dev|post|x)?[0-9]{0,2}){0,2}",
        any::<String>(),
    ]
}

fn order() -> impl Strategy<Value = VersionOrder> {
    prop::sample::select(VersionOrder::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn every_order_is_total(order in order(), a in version(), b in version(), c in version()) {
        let keys = [order.key(&a), order.key(&b), order.key(&c)];
        let Ok([a, b, c]) = <[_; 3]>::try_from(keys.into_iter().flatten().collect::<Vec<_>>()) else {
            return Ok(());
        };
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        if a == b {
            prop_assert_eq!(a.cmp(&c), b.cmp(&c));
        }
    }

    #[test]
    fn keys_are_bounded(order in order(), text in any::<String>(), count in 1_usize..40) {
        if let Ok(key) = order.key(&text.repeat(count)) {
            prop_assert!(key.as_bytes().len() <= 4 * VersionOrder::MAX_LENGTH + 64);
        }
    }

    /// A key must not end where another one goes on, or what is written behind it would decide.
    #[test]
    fn no_key_is_the_beginning_of_another(order in order(), a in version(), b in version()) {
        if let (Ok(a), Ok(b)) = (order.key(&a), order.key(&b)) && a != b {
            prop_assert!(!b.as_bytes().starts_with(a.as_bytes()));
        }
    }
}
