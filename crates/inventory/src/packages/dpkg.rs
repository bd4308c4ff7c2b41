use std::{borrow::Cow, collections::BTreeSet};

use super::Found;
use crate::{Package, PackageKind};

/// Reads `var/lib/dpkg/status`, or one file of `status.d`: paragraphs of `Key: value` lines.
pub fn read(bytes: &[u8], found: &mut Found) {
    let mut paragraph = Paragraph::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            found.push(std::mem::take(&mut paragraph).package());
            if found.is_full() {
                return;
            }
        }
        paragraph.take(line);
    }
    found.push(paragraph.package());
}

#[derive(Default)]
struct Paragraph<'a> {
    name: Cow<'a, str>,
    version: Cow<'a, str>,
    status: Option<Cow<'a, str>>,
    architecture: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
}

impl<'a> Paragraph<'a> {
    fn take(&mut self, line: &'a [u8]) {
        // The other lines of a value begin with a space; none that is of use here has more than one.
        if line.first().is_none_or(u8::is_ascii_whitespace) {
            return;
        }
        let Some(colon) = memchr::memchr(b':', line) else { return };
        let value = || String::from_utf8_lossy(line[colon + 1..].trim_ascii());
        match &line[..colon] {
            b"Package" => self.name = value(),
            b"Version" => self.version = value(),
            b"Status" => self.status = Some(value()),
            b"Architecture" => self.architecture = Some(value()),
            b"Source" => self.source = Some(value()),
            _ => {}
        }
    }

    /// Distroless fragments have no status: what they tell of is there.
    fn is_installed(&self) -> bool {
        let state = self.status.as_deref().map(|status| status.split_whitespace().nth(2));
        !matches!(state, Some(Some("not-installed" | "config-files") | None))
    }

    fn package(&self) -> Option<Package> {
        let package = Package::new(PackageKind::Deb, &self.name, &self.version)?;
        // `Source: glibc (2.36-9)`, the version only where it differs.
        let source = self.source.as_deref().map(|source| match source.split_once('(') {
            Some((name, version)) => (name, Some(version.trim_end_matches(')'))),
            None => (source, None),
        });
        let (name, version) = source.unwrap_or((&self.name, None));
        let package = package
            .with_architecture(self.architecture.as_deref())
            .with_source(Some(name), version);
        self.is_installed().then_some(package)
    }
}

/// No Debian package declares more.
const MOST_LICENSES: usize = 64;

/// The short names of the licenses that a `copyright` file declares in the machine-readable format
/// (DEP 5), or the texts of `common-licenses` that another one refers to.
pub fn licenses(bytes: &[u8]) -> Vec<String> {
    let mut names = BTreeSet::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if names.len() >= MOST_LICENSES {
            break;
        }
        if let Some(name) = line.strip_prefix(b"License:") {
            names.extend(license_name(name));
        } else if let Some(at) = memchr::memmem::find(line, b"/usr/share/common-licenses/") {
            let name = &line[at + b"/usr/share/common-licenses/".len()..];
            let end = name.iter().position(|byte| !is_license_byte(*byte)).unwrap_or(name.len());
            let name = &name[..end];
            names.extend(license_name(name.strip_suffix(b".").unwrap_or(name)));
        }
    }
    names.into_iter().collect()
}

fn license_name(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name.trim_ascii()).ok()?;
    let fits = !name.is_empty() && name.len() <= 80 && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned())
}

fn is_license_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+')
}
