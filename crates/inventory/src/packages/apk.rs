use std::borrow::Cow;

use super::Found;
use crate::{Package, PackageKind};

/// Reads `lib/apk/db/installed`: paragraphs of `X:value` lines.
pub fn read(bytes: &[u8], found: &mut Found) {
    let mut paragraph = Paragraph::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.is_empty() {
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
    architecture: Option<Cow<'a, str>>,
    origin: Option<Cow<'a, str>>,
    license: Option<Cow<'a, str>>,
}

impl<'a> Paragraph<'a> {
    fn take(&mut self, line: &'a [u8]) {
        let [key, b':', value @ ..] = line else { return };
        let value = || String::from_utf8_lossy(value);
        match key {
            b'P' => self.name = value(),
            b'V' => self.version = value(),
            b'A' => self.architecture = Some(value()),
            b'o' => self.origin = Some(value()),
            b'L' => self.license = Some(value()),
            _ => {}
        }
    }

    fn package(&self) -> Option<Package> {
        let package = Package::new(PackageKind::Apk, &self.name, &self.version)?;
        let package = package
            .with_architecture(self.architecture.as_deref())
            .with_source(self.origin.as_deref(), None)
            .with_licenses(self.license.as_deref());
        Some(package)
    }
}
