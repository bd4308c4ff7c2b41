use std::borrow::Cow;

use crate::Family;

/// The name such that all spellings that the ecosystem takes for one package are alike.
///
/// Everywhere else, npm scopes, Maven's `group:artifact` and Go's module paths among them, case and
/// punctuation are part of the name.
pub fn normalised<'a>(family: &Family, name: &'a str) -> Cow<'a, str> {
    match family {
        Family::PyPi => python(name),
        Family::Packagist | Family::NuGet | Family::Hex | Family::Pub | Family::GitHubActions => {
            lower_case(name)
        }
        Family::SwiftUrl => match name.strip_prefix("https://") {
            Some(rest) => lower_case(rest.strip_suffix(".git").unwrap_or(rest)),
            None => lower_case(name.strip_suffix(".git").unwrap_or(name)),
        },
        // A package URL has a slash where Maven has a colon.
        Family::Maven if !name.contains(':') => match name.rsplit_once('/') {
            Some((group, artifact)) => format!("{group}:{artifact}").into(),
            None => name.into(),
        },
        // The compiler and its library are two names of one release.
        Family::Go if name == "std" => "stdlib".into(),
        _ => name.into(),
    }
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

/// Python packaging, "Names and normalization": runs of `-`, `_` and `.` are one hyphen.
fn python(name: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if name.bytes().all(plain) {
        return name.into();
    }
    let mut normal = String::with_capacity(name.len());
    for character in name.chars() {
        if !['-', '_', '.'].contains(&character) {
            normal.push(character.to_ascii_lowercase());
        } else if !normal.ends_with('-') {
            normal.push('-');
        }
    }
    normal.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_package_are_alike() {
        for (family, name, normal) in [
            (Family::PyPi, "Zope.Interface", "zope-interface"),
            (Family::PyPi, "ruamel__yaml-._clib", "ruamel-yaml-clib"),
            (Family::Npm, "@Babel/Core", "@Babel/Core"),
            (Family::NuGet, "Newtonsoft.Json", "newtonsoft.json"),
            (Family::Packagist, "Symfony/Http-Kernel", "symfony/http-kernel"),
            (
                Family::Maven,
                "org.apache.logging.log4j:log4j-core",
                "org.apache.logging.log4j:log4j-core",
            ),
            (
                Family::Maven,
                "org.apache.logging.log4j/log4j-core",
                "org.apache.logging.log4j:log4j-core",
            ),
            (Family::Go, "github.com/Masterminds/goutils", "github.com/Masterminds/goutils"),
            (Family::Go, "std", "stdlib"),
            (
                Family::SwiftUrl,
                "https://github.com/Apple/swift-nio.git",
                "github.com/apple/swift-nio",
            ),
            (Family::Debian, "openssl", "openssl"),
        ] {
            assert_eq!(normalised(&family, name), normal);
        }
    }
}
