use std::borrow::Cow;

use super::{Found, Unreadable};
use crate::{Limits, Package, PackageKind, zip};

/// Reads a Java archive and those inside of it: `pom.properties` of everything that was packed into
/// it, and the manifest or the file's name for itself if none of those is its own.
pub fn read(
    path: &str,
    bytes: &[u8],
    limits: &Limits,
    found: &mut Found,
) -> Result<(), Unreadable> {
    let mut budget =
        Budget { expanded: limits.archive_expanded_bytes, entries: limits.archive_entries };
    archive(path, bytes, limits.archive_depth, &mut budget, found)
}

/// What may still be inflated for one file, however deep.
struct Budget {
    expanded: u64,
    entries: u64,
}

/// These are small texts in every archive there is.
const LONGEST_TEXT: u64 = 1 << 20;
const EXTENSIONS: [&str; 9] =
    [".jar", ".war", ".ear", ".par", ".sar", ".nar", ".kar", ".jpi", ".hpi"];

#[derive(Default)]
struct Coordinates {
    group: String,
    artifact: String,
    version: String,
}

#[derive(Default)]
struct Contents<'a> {
    poms: Vec<zip::Member<'a>>,
    manifest: Option<zip::Member<'a>>,
    archives: Vec<zip::Member<'a>>,
}

fn archive(
    path: &str,
    bytes: &[u8],
    depth: u32,
    budget: &mut Budget,
    found: &mut Found,
) -> Result<(), Unreadable> {
    let contents = contents(bytes, budget)?;
    let own = FileName::of(path);
    let mut named = false;
    for pom in &contents.poms {
        let Ok(coordinates) = budget.text(pom).map(|text| properties(&text)) else { continue };
        named |= coordinates.artifact == own.artifact;
        push(&coordinates, None, found);
    }
    // An archive with the coordinates of one project only is that project, whatever it is called.
    if !named && contents.poms.len() != 1 {
        let manifest = contents.manifest.as_ref().and_then(|manifest| budget.text(manifest).ok());
        let manifest = manifest.unwrap_or_default();
        let license = attribute(&manifest, "Bundle-License");
        push(&by_manifest(&manifest, &own), license.as_deref(), found);
    }
    if depth == 0 && !contents.archives.is_empty() {
        return Err(Unreadable("it has archives inside of archives too deep"));
    }
    let mut read = Ok(());
    for inner in &contents.archives {
        let inner_read = budget
            .archive(inner)
            .and_then(|data| archive(&inner.name, &data, depth - 1, budget, found));
        read = read.and(inner_read);
    }
    read
}

fn contents<'a>(bytes: &'a [u8], budget: &mut Budget) -> Result<Contents<'a>, Unreadable> {
    let mut contents = Contents::default();
    let mut seen = 0;
    zip::visit(bytes, budget.entries, |member| {
        seen += 1;
        let name = member.name.as_ref();
        if name == "META-INF/MANIFEST.MF" {
            contents.manifest = Some(member);
        } else if name.starts_with("META-INF/maven/") && name.ends_with("/pom.properties") {
            contents.poms.push(member);
        } else if is_archive(name) {
            contents.archives.push(member);
        }
        true
    })?;
    budget.entries -= seen;
    Ok(contents)
}

/// Whether a file of that name is a Java archive.
pub(crate) fn is_archive(name: &str) -> bool {
    let extension = name.rfind('.').map(|dot| &name[dot..]).unwrap_or_default();
    EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

impl Budget {
    /// An archive that is stored as it is takes no memory, and what is in it is paid for itself.
    fn archive<'a>(&mut self, member: &zip::Member<'a>) -> Result<Cow<'a, [u8]>, Unreadable> {
        if member.is_stored() { member.data(u64::MAX) } else { self.take(member, u64::MAX) }
    }

    fn take<'a>(
        &mut self,
        member: &zip::Member<'a>,
        most: u64,
    ) -> Result<Cow<'a, [u8]>, Unreadable> {
        let data = member.data(most.min(self.expanded))?;
        self.expanded -= data.len() as u64;
        Ok(data)
    }

    fn text(&mut self, member: &zip::Member<'_>) -> Result<String, Unreadable> {
        let data = self.take(member, LONGEST_TEXT)?;
        Ok(String::from_utf8_lossy(&data).into_owned())
    }
}

/// Reads a `pom.properties`, which Maven writes.
fn properties(text: &str) -> Coordinates {
    let mut coordinates = Coordinates::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim().to_owned();
        match key.trim() {
            "groupId" => coordinates.group = value,
            "artifactId" => coordinates.artifact = value,
            "version" => coordinates.version = value,
            _ => {}
        }
    }
    coordinates
}

fn push(coordinates: &Coordinates, license: Option<&str>, found: &mut Found) {
    let Coordinates { group, artifact, version } = coordinates;
    if artifact.is_empty() || artifact.contains("${") || version.contains("${") {
        return;
    }
    let name = if group.is_empty() || group.contains("${") {
        artifact.clone()
    } else {
        format!("{group}:{artifact}")
    };
    let package = Package::new(PackageKind::Java, &name, version);
    found.push(package.map(|package| package.with_licenses(license)));
}

/// `name-1.2.3.jar`
struct FileName<'a> {
    artifact: &'a str,
    version: &'a str,
}

impl<'a> FileName<'a> {
    fn of(path: &'a str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        let stem = name.rfind('.').map_or(name, |dot| &name[..dot]);
        let digit = |(at, _): &(usize, &str)| {
            stem[at + 1..].starts_with(|first: char| first.is_ascii_digit())
        };
        match stem.match_indices('-').find(digit) {
            Some((at, _)) => Self { artifact: &stem[..at], version: &stem[at + 1..] },
            None => Self { artifact: stem, version: "" },
        }
    }
}

/// What the manifest says of the archive, with the file's name where it says nothing.
fn by_manifest(manifest: &str, own: &FileName<'_>) -> Coordinates {
    let first = |names: &[&str]| names.iter().find_map(|name| attribute(manifest, name));
    let symbolic = attribute(manifest, "Bundle-SymbolicName")
        .map(|name| name.split(';').next().unwrap_or_default().trim().to_owned());
    let version = match own.version {
        "" => first(&["Implementation-Version", "Bundle-Version", "Specification-Version"]),
        version => Some(version.to_owned()),
    };
    let group = attribute(manifest, "Implementation-Vendor-Id").or_else(|| {
        let symbolic = symbolic.as_deref()?;
        let group = symbolic.strip_suffix(own.artifact)?.strip_suffix('.')?;
        Some(group.to_owned())
    });
    let group = group.filter(|group| group.contains('.') && !group.contains(' '));
    Coordinates {
        group: group.unwrap_or_default(),
        artifact: own.artifact.to_owned(),
        version: version.unwrap_or_default(),
    }
}

/// An attribute of the manifest's main section. Lines are broken after 72 bytes and go on behind a
/// space.
fn attribute(manifest: &str, name: &str) -> Option<String> {
    let mut lines = manifest.lines().take_while(|line| !line.is_empty());
    let is_own = |line: &str| {
        line.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')).map(str::to_owned)
    };
    let mut value = lines.find_map(is_own)?;
    for rest in lines.map_while(|line| line.strip_prefix(' ')).take(16) {
        value.push_str(rest);
    }
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}
