use plura_inventory::{OsRelease, SourcePackage};

use crate::{archive::Archive, facts, fixture, packages};

const RPM: [&str; 3] =
    ["rpm alpha 2:1.2.3-4.el9", "rpm alpha-libs 2:1.2.3-4.el9", "rpm beta 0.9~rc1-1"];

#[test]
fn rpm_databases_of_all_kinds_say_the_same() {
    for (path, name) in [
        ("var/lib/rpm/rpmdb.sqlite", "rpmdb.sqlite"),
        ("usr/lib/sysimage/rpm/Packages.db", "Packages.db"),
        ("var/lib/rpm/Packages", "Packages"),
    ] {
        let archive = Archive::default().file(path, fixture(name));
        assert_eq!(packages(archive.clone()), RPM, "{name}");
        let evidence = &facts(archive).evidence[0];
        let libs = &evidence.packages[1];
        assert_eq!(libs.architecture.as_deref(), Some("noarch"));
        assert_eq!(libs.licenses, ["MIT AND BSD-3-Clause"]);
        let (name, version) = ("alpha".to_owned(), "1.2.3-4.el9".to_owned());
        assert_eq!(libs.source, Some(SourcePackage { name, version }));
    }
}

#[test]
fn an_rpm_database_that_is_cut_off_is_noted_and_never_the_end() {
    for name in ["rpmdb.sqlite", "Packages.db", "Packages"] {
        let whole = fixture(name);
        for length in (0..whole.len()).step_by(997) {
            let archive = Archive::default().file(&format!("var/lib/rpm/{name}"), &whole[..length]);
            let facts = facts(archive);
            let found: usize = facts.evidence.iter().map(|e| e.packages.len()).sum();
            assert!(found == 3 || !facts.notes.is_empty(), "{name} cut off at {length}");
        }
    }
}

#[test]
fn changes_that_are_not_in_the_database_yet_are_noted() {
    let archive = Archive::default()
        .file("var/lib/rpm/rpmdb.sqlite", fixture("rpmdb.sqlite"))
        .file("var/lib/rpm/rpmdb.sqlite-wal", "changes");
    assert!(facts(archive).notes[0].reason.contains("not applied"));
}

const DPKG: &str = "\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: glibc (2.36-9)
Version: 2.36-9+deb12u4
Description: GNU C Library
 Version: not this one

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: adduser
Status: hold ok installed
Architecture: all
Version: 1:3.134
";

#[test]
fn dpkg_lists_what_is_installed() {
    let archive = Archive::default()
        .file("var/lib/dpkg/status", DPKG)
        .file(
            "usr/share/doc/libc6/copyright",
            "Format: x\nLicense: LGPL-2.1+\n\nLicense: MIT\n text\n",
        )
        .file("usr/share/doc/adduser/copyright", "see `/usr/share/common-licenses/GPL-2'.\n");
    assert_eq!(packages(archive.clone()), ["deb adduser 1:3.134", "deb libc6 2.36-9+deb12u4"]);
    let facts = facts(archive);
    let status = facts.evidence.iter().find(|e| e.path == "var/lib/dpkg/status").unwrap();
    let source = |name: &str, version: &str| {
        Some(SourcePackage { name: name.to_owned(), version: version.to_owned() })
    };
    assert_eq!(status.packages[0].source, source("adduser", "1:3.134"));
    assert_eq!(status.packages[1].source, source("glibc", "2.36-9"));
    let licenses = |of: &str| {
        let evidence = facts.evidence.iter().find(|e| e.licenses_of.as_deref() == Some(of));
        evidence.unwrap().licenses.clone()
    };
    assert_eq!(licenses("libc6"), ["LGPL-2.1+", "MIT"]);
    assert_eq!(licenses("adduser"), ["GPL-2"]);
}

#[test]
fn distroless_images_have_a_file_for_each_package() {
    let archive = Archive::default()
        .file("var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a-0\n")
        .file("var/lib/dpkg/status.d/tzdata.md5sums", "Package: no\nVersion: 1\n")
        .file("var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12.4\n");
    assert_eq!(packages(archive), ["deb base-files 12.4", "deb tzdata 2024a-0"]);
}

const APK: &str = "\
C:Q1hdUpqRv5mYgJEqW52UmVsvmeysE=
P:musl
V:1.2.5-r0
A:x86_64
L:MIT
o:musl
F:lib
R:libc.musl-x86_64.so.1

P:libcrypto3
V:3.3.0-r2
A:x86_64
L:Apache-2.0
o:openssl";

#[test]
fn apk_lists_what_is_installed() {
    let archive = Archive::default().file("lib/apk/db/installed", APK);
    assert_eq!(packages(archive.clone()), ["apk libcrypto3 3.3.0-r2", "apk musl 1.2.5-r0"]);
    let package = &facts(archive).evidence[0].packages[0];
    assert_eq!(package.source.as_ref().unwrap().name, "openssl");
    assert_eq!(package.licenses, ["Apache-2.0"]);
}

#[test]
fn the_operating_system_is_read() {
    let archive = Archive::default().file("usr/lib/os-release", "ID=alpine\nVERSION_ID=3.20.1\n");
    let facts = facts(archive);
    let expected = OsRelease {
        id: "alpine".to_owned(),
        version_id: "3.20.1".to_owned(),
        ..OsRelease::default()
    };
    assert_eq!(facts.evidence[0].os_release, Some(expected));
}
