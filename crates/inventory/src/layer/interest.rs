use crate::packages::is_java_archive;

/// What a file tells, judged by where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    ApkInstalled,
    DpkgStatus,
    /// One package of a system without dpkg's own programs.
    DpkgFragment,
    DebianCopyright,
    RpmSqlite,
    RpmNdb,
    RpmBdb,
    /// What is not yet in the database beside it.
    RpmWriteAhead,
    OsRelease,
    PythonMetadata,
    NpmPackage,
    JavaArchive,
    Gemspec,
    ComposerInstalled,
    DotnetDependencies,
}

const RPM_DIRECTORIES: [&str; 3] = ["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"];
impl Interest {
    pub(super) fn of(path: &str) -> Option<Self> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        match path {
            "lib/apk/db/installed" | "usr/lib/apk/db/installed" => return Some(Self::ApkInstalled),
            "var/lib/dpkg/status" => return Some(Self::DpkgStatus),
            "etc/os-release" | "usr/lib/os-release" => return Some(Self::OsRelease),
            _ => {}
        }
        match directory {
            "var/lib/dpkg/status.d" => return dpkg_fragment(name),
            _ if RPM_DIRECTORIES.contains(&directory) => return rpm(name),
            _ => {}
        }
        match name {
            "package.json" => return Some(Self::NpmPackage),
            "METADATA" if directory.ends_with(".dist-info") => return Some(Self::PythonMetadata),
            "PKG-INFO" if in_egg(directory) => return Some(Self::PythonMetadata),
            "installed.json" if last(directory) == "composer" => {
                return Some(Self::ComposerInstalled);
            }
            "copyright" if directory.starts_with("usr/share/doc/") => {
                return Some(Self::DebianCopyright);
            }
            _ => {}
        }
        Self::of_extension(directory, name)
    }

    fn of_extension(directory: &str, name: &str) -> Option<Self> {
        let dot = name.rfind('.')?;
        let extension = &name[dot..];
        match extension {
            ".egg-info" => Some(Self::PythonMetadata),
            ".gemspec" if is_specification(directory) => Some(Self::Gemspec),
            ".json" if name.ends_with(".deps.json") => Some(Self::DotnetDependencies),
            _ if is_java_archive(name) => Some(Self::JavaArchive),
            _ => None,
        }
    }

    /// Whether the file is a database, or an archive, that is read as a whole.
    pub(super) fn is_held(self) -> bool {
        matches!(self, Self::RpmSqlite | Self::RpmNdb | Self::RpmBdb | Self::JavaArchive)
    }
}

fn dpkg_fragment(name: &str) -> Option<Interest> {
    (!name.ends_with(".md5sums")).then_some(Interest::DpkgFragment)
}

fn rpm(name: &str) -> Option<Interest> {
    match name {
        "rpmdb.sqlite" => Some(Interest::RpmSqlite),
        "rpmdb.sqlite-wal" => Some(Interest::RpmWriteAhead),
        "Packages.db" => Some(Interest::RpmNdb),
        "Packages" => Some(Interest::RpmBdb),
        _ => None,
    }
}

fn in_egg(directory: &str) -> bool {
    directory.ends_with(".egg-info") || last(directory) == "EGG-INFO"
}

/// `specifications`, or the directories of it that Ruby's own gems are in.
fn is_specification(directory: &str) -> bool {
    directory.rsplit('/').take(2).any(|component| component == "specifications")
}

fn last(directory: &str) -> &str {
    directory.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_of_interest_by_where_they_are() {
        for (path, expected) in [
            ("lib/apk/db/installed", Some(Interest::ApkInstalled)),
            ("home/lib/apk/db/installed", None),
            ("var/lib/dpkg/status.d/libc6", Some(Interest::DpkgFragment)),
            ("var/lib/dpkg/status.d/libc6.md5sums", None),
            ("usr/lib/sysimage/rpm/Packages.db", Some(Interest::RpmNdb)),
            ("usr/lib/python3/dist-packages/six-1.16.0.egg-info", Some(Interest::PythonMetadata)),
            ("a/x.egg/EGG-INFO/PKG-INFO", Some(Interest::PythonMetadata)),
            ("a/METADATA", None),
            ("app/node_modules/@a/b/package.json", Some(Interest::NpmPackage)),
            (
                "usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec",
                Some(Interest::Gemspec),
            ),
            ("src/my.gemspec", None),
            ("app/My.deps.json", Some(Interest::DotnetDependencies)),
            ("app/A.JAR", Some(Interest::JavaArchive)),
            ("app/vendor/composer/installed.json", Some(Interest::ComposerInstalled)),
        ] {
            assert_eq!(Interest::of(path), expected, "{path}");
        }
    }
}
