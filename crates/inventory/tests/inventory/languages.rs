use plura_inventory::{Limits, read_layer};

use crate::{archive::Archive, facts, fixture, packages};

fn check(path: &str, content: impl AsRef<[u8]>, expected: &[&str]) {
    assert_eq!(packages(Archive::default().file(path, content)), expected, "{path}");
}

#[test]
fn python_distributions_are_read_from_their_metadata() {
    let metadata = "Metadata-Version: 2.1\r\nName: Requests_X\r\nVersion: 2.31.0\r\nLicense: Apache 2.0\r\n\r\n\
        Name: not this\r\n";
    let expected = ["python requests_x 2.31.0"];
    check(
        "usr/lib/python3/site-packages/requests_x-2.31.0.dist-info/METADATA",
        metadata,
        &expected,
    );
    check("usr/lib/python3/dist-packages/requests_x-2.31.0.egg-info/PKG-INFO", metadata, &expected);
    check("usr/lib/python3/dist-packages/requests_x-2.31.0.egg-info", metadata, &expected);
    check("opt/x.egg/EGG-INFO/PKG-INFO", metadata, &expected);
    check("a.dist-info/METADATA", "Name: x\n\nVersion: 1\n", &[]);
}

#[test]
fn npm_packages_are_those_with_a_name_and_a_version() {
    let check =
        |content, expected: &[&str]| check("app/node_modules/a/package.json", content, expected);
    check(
        r#"{"name": "@babel/core", "version": "7.24.0", "license": "MIT"}"#,
        &["npm @babel/core 7.24.0"],
    );
    check(
        r#"{"name": "old", "version": "1.0.0", "licenses": [{"type": "MIT"}]}"#,
        &["npm old 1.0.0"],
    );
    check(r#"{"name": "odd", "version": "1.0.0", "author": [[["#, &[]);
    check(r#"{"name": 5, "version": "1.0.0"}"#, &[]);
    check(r#"{"type": "module"}"#, &[]);
    check(r#"{"name": "@a/b/c", "version": "1.0.0"}"#, &[]);
    check(r#"{"name": "tmpl", "version": "<%= v %>"}"#, &[]);
}

#[test]
fn licenses_are_read_in_all_the_ways_they_were_written() {
    for (license, expected) in [
        (r#""license": "MIT""#, "MIT"),
        (r#""license": {"type": "ISC", "url": "x"}"#, "ISC"),
        (r#""licenses": [{"type": "BSD"}, "MIT"]"#, "BSD,MIT"),
        (r#""license": 7, "licenses": null"#, ""),
    ] {
        let json = format!(r#"{{"name": "a", "version": "1.0.0", {license}}}"#);
        let facts = facts(Archive::default().file("node_modules/a/package.json", json));
        assert_eq!(facts.evidence[0].packages[0].licenses.join(","), expected, "{license}");
    }
}

#[test]
fn ruby_gems_are_read_from_their_specifications() {
    let gemspec = "# -*- encoding: utf-8 -*-\n# stub: json 2.6.1 ruby lib\nGem::Specification.new do |s|\n  \
        s.name = \"json\".freeze\n  s.version = \"2.6.1\"\n  s.required_rubygems_version = Gem::Requirement.new(\">= 0\".freeze)\n  \
        s.licenses = [\"Ruby\".freeze]\nend\n";
    check(
        "usr/lib/ruby/gems/3.1.0/specifications/json-2.6.1.gemspec",
        gemspec,
        &["gem json 2.6.1"],
    );
    check(
        "usr/lib/ruby/gems/3.1.0/specifications/default/json.gemspec",
        gemspec,
        &["gem json 2.6.1"],
    );
    check("src/json.gemspec", gemspec, &[]);
}

#[test]
fn composer_packages_are_read_in_both_versions_of_the_list() {
    let list = r#"[{"name": "symfony/yaml", "version": "v6.4.0", "license": ["MIT"]}, 5]"#;
    let expected = ["composer symfony/yaml v6.4.0"];
    check("app/vendor/composer/installed.json", list, &expected);
    let object = format!(r#"{{"packages": {list}, "dev": true}}"#);
    check("app/vendor/composer/installed.json", object, &expected);
}

#[test]
fn dotnet_packages_are_libraries_that_are_not_projects() {
    let json = r#"{"runtimeTarget": {}, "libraries": {
        "App/1.0.0": {"type": "project"},
        "Newtonsoft.Json/13.0.1": {"type": "package", "serviceable": true},
        "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"type": "runtimepack"}}}"#;
    check(
        "app/App.deps.json",
        json,
        &["nuget microsoft.netcore.app.runtime.linux-x64 8.0.1", "nuget newtonsoft.json 13.0.1"],
    );
}

#[test]
fn go_modules_are_read_from_the_executable() {
    let mut program = b"\x7fELF".to_vec();
    // A program that looks for the mark has it as well, as a constant.
    program.resize(64, 0);
    program.extend_from_slice(b"\xff Go buildinf:");
    program.resize(4096, 0);
    program.extend(fixture("go.buildinfo"));
    let version = go_version();
    let archive = Archive::default().program("usr/bin/tool", &program);
    assert_eq!(
        packages(archive),
        [
            "go example.org/tool/cmd (devel)".to_owned(),
            "go example.org/dep v1.2.3".to_owned(),
            format!("go stdlib {version}"),
        ]
    );
}

/// The version of the toolchain that made the fixture, as it says itself.
fn go_version() -> String {
    let bytes = fixture("go.buildinfo");
    let text = String::from_utf8_lossy(&bytes[33..]);
    text[2..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect()
}

#[test]
fn crates_are_read_from_executables_of_every_format() {
    let elf = fixture("auditable.elf");
    let list = section(&elf);
    for program in [elf.clone(), fixture("auditable32.elf"), pe(&list), mach_o(&list)] {
        let archive = Archive::default().program("usr/bin/app", &program);
        assert_eq!(packages(archive), ["cargo app 0.1.0", "cargo serde 1.0.200"]);
    }
}

#[test]
fn large_executables_are_searched_in_passing() {
    let list = section(&fixture("auditable.elf"));
    let go = fixture("go.buildinfo");
    // Behind a mark that is cut by the window, and behind things that only look like lists.
    for at in [0, 200_000, (256 << 10) - 16, (512 << 10) - 32, 700_000] {
        let mut program = b"\x7fELF".to_vec();
        program.extend(b"\x78\x9c\x05x\xda\x05".repeat(20));
        program.resize(at + 1024, 0);
        program.extend(&go);
        program.resize(at + 2048 + 7, 0);
        program.extend(&list);
        program.resize(2_000_000, 0);
        assert_eq!(packages(Archive::default().program("tool", &program)).len(), 5, "at {at}");
    }
}

/// The zlib stream in the fixture, which begins with its header.
fn section(elf: &[u8]) -> Vec<u8> {
    let start = elf.windows(2).position(|pair| pair == [0x78, 0x9c]).expect("a stream");
    elf[start..].to_vec()
}

fn pe(list: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 512];
    file[..2].copy_from_slice(b"MZ");
    file[60] = 64;
    file[64..68].copy_from_slice(b"PE\0\0");
    file[70] = 1;
    file[88..95].copy_from_slice(b".dep-v0");
    let size = u32::try_from(list.len()).expect("it is small").to_le_bytes();
    file[96..100].copy_from_slice(&size);
    file[104..108].copy_from_slice(&size);
    file[108..112].copy_from_slice(&512_u32.to_le_bytes());
    [&file, list].concat()
}

fn mach_o(list: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 512];
    file[..4].copy_from_slice(&[0xcf, 0xfa, 0xed, 0xfe]);
    file[16] = 1;
    file[32] = 0x19;
    file[36] = 152;
    file[96] = 1;
    file[104..111].copy_from_slice(b".dep-v0");
    file[144..152].copy_from_slice(&(list.len() as u64).to_le_bytes());
    file[152..156].copy_from_slice(&512_u32.to_le_bytes());
    [&file, list].concat()
}

#[test]
fn java_archives_are_read_with_those_inside_of_them() {
    check(
        "app/app-1.0.war",
        fixture("app.war"),
        &[
            "java app 1.0",
            "java org.example.a.vendor.whose.name.is.longer.than.a.line.of.a.manifest:plain 3.1",
            "java org.example:inner 2.0.1",
        ],
    );
}

#[test]
fn a_java_archive_behind_a_script_is_read() {
    // Its offsets are those of the archive alone, which is how it is put together by `cat`.
    let mut bytes = b"#!/bin/sh\nexec java -jar \"$0\"\nexit\n".to_vec();
    bytes.extend(fixture("app.war"));
    assert_eq!(packages(Archive::default().file("app-1.0.jar", bytes)).len(), 3);
}

#[test]
fn archives_are_read_as_deep_as_is_allowed() {
    let limits = Limits { archive_depth: 0, ..Limits::default() };
    let archive = Archive::default().file("app-1.0.war", fixture("app.war")).finish();
    let facts = read_layer(&archive[..], &limits).unwrap();
    assert_eq!(facts.evidence[0].packages.len(), 1);
    assert!(facts.notes[0].reason.contains("too deep"));
}
