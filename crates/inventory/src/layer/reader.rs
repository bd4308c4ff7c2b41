use std::{collections::BTreeMap, io::Read};

use super::{header::EntryKind, interest::Interest, tar::Walker, whiteout::Whiteout};
use crate::{
    Evidence, LayerError, LayerFacts, Limit, Limits, Note, OsRelease, executable,
    packages::{self, Found, Unreadable},
    secrets,
};

/// What is known of a layer while it is read.
pub(super) struct Reader<'a> {
    limits: &'a Limits,
    evidence: BTreeMap<String, Evidence>,
    facts: LayerFacts,
    /// Packages and bytes that are kept, of which there may be so many.
    packages: u64,
    kept: u64,
    notes_dropped: u64,
    /// The path of the entry, and its data if it is larger than the window; used again for each.
    path: String,
    data: Vec<u8>,
}

const SPARSE: &str = "it is stored as a sparse file, which is not read";
/// Enough to tell executables, and to tell text from the rest.
const BEGINNING: usize = 512;

impl<'a> Reader<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            evidence: BTreeMap::new(),
            facts: LayerFacts::default(),
            packages: 0,
            kept: 0,
            notes_dropped: 0,
            path: String::new(),
            data: Vec::new(),
        }
    }

    /// Reads the entry at which `walker` is.
    pub(super) fn entry<R: Read>(&mut self, walker: &mut Walker<'_, R>) -> Result<(), LayerError> {
        self.path.clear();
        self.path.push_str(&walker.entry().path);
        let kind = walker.entry().kind;
        if kind == EntryKind::Directory || self.path.is_empty() {
            return Ok(());
        }
        if let Some(whiteout) = Whiteout::of(&self.path) {
            return self.remove(whiteout, walker);
        }
        if let Some(earlier) = self.evidence.remove(&self.path) {
            self.facts.duplicates += 1;
            self.packages -= earlier.packages.len() as u64;
        }
        if kind == EntryKind::File {
            self.facts.files += 1;
            self.file(walker)
        } else {
            self.facts.covers.insert(&self.path);
            Ok(())
        }
    }

    pub(super) fn finish(mut self, entries: u64, expanded_bytes: u64) -> LayerFacts {
        if self.notes_dropped > 0 {
            let reason = format!("and {} more files were not read", self.notes_dropped);
            self.facts.notes.push(Note { path: String::new(), reason });
        }
        self.facts.covers.finish();
        self.facts.removed.sort_unstable();
        self.facts.removed.dedup();
        self.facts.opaque.sort_unstable();
        self.facts.opaque.dedup();
        let evidence = self.evidence.into_values().collect();
        LayerFacts { evidence, entries, expanded_bytes, ..self.facts }
    }

    fn remove<R: Read>(
        &mut self,
        whiteout: Whiteout,
        walker: &Walker<'_, R>,
    ) -> Result<(), LayerError> {
        let (list, path) = match whiteout {
            Whiteout::Removed(path) => (&mut self.facts.removed, path),
            Whiteout::Opaque(path) => (&mut self.facts.opaque, path),
            Whiteout::Ignored => return Ok(()),
        };
        let kept = path.len() as u64 + 24;
        list.push(path);
        let count = (self.facts.removed.len() + self.facts.opaque.len()) as u64;
        if count > self.limits.whiteouts {
            return Err(walker.exceeded(Limit::Whiteouts, self.limits.whiteouts));
        }
        self.keep(kept, walker)
    }

    fn file<R: Read>(&mut self, walker: &mut Walker<'_, R>) -> Result<(), LayerError> {
        if let Some(interest) = Interest::of(&self.path) {
            self.facts.covers.insert(&self.path);
            self.interesting(interest, walker)?;
        } else if executable::is_executable(walker.peek(BEGINNING)?) {
            self.facts.covers.insert(&self.path);
            return self.executable(walker);
        } else if walker.entry().executable {
            self.facts.covers.insert(&self.path);
        }
        self.search(walker)
    }

    fn interesting<R: Read>(
        &mut self,
        interest: Interest,
        walker: &mut Walker<'_, R>,
    ) -> Result<(), LayerError> {
        let held = interest.is_held();
        let most = if held { self.limits.held_file_bytes } else { self.limits.text_file_bytes };
        let mut found = self.found();
        let Some(bytes) = Self::whole(&mut self.data, walker, most)? else {
            self.not_whole(walker, most);
            return Ok(());
        };
        let mut evidence = Evidence::at(&self.path);
        let read = read(interest, bytes, self.limits, &mut evidence, &mut found);
        if let Err(Unreadable(reason)) = read {
            self.note(reason);
        }
        self.add(evidence, found, walker)
    }

    /// Executables may be very large, and what is looked for in them is found in passing.
    fn executable<R: Read>(&mut self, walker: &mut Walker<'_, R>) -> Result<(), LayerError> {
        if walker.entry().sparse {
            self.note(SPARSE);
            return Ok(());
        }
        let mut found = self.found();
        let read = if walker.fits_window() {
            executable::packages(walker.peek(usize::MAX)?, &mut found)
        } else {
            scan(walker, &mut found)?
        };
        if let Err(Unreadable(reason)) = read {
            self.note(reason);
        }
        self.add(Evidence::at(&self.path), found, walker)
    }

    /// The data of the entry in one piece, if it may be held and is the file's own.
    fn whole<'b, R: Read>(
        data: &'b mut Vec<u8>,
        walker: &'b mut Walker<'_, R>,
        most: u64,
    ) -> Result<Option<&'b [u8]>, LayerError> {
        if walker.entry().sparse || walker.entry().size > most {
            return Ok(None);
        }
        if walker.fits_window() {
            return walker.peek(usize::MAX).map(Some);
        }
        walker.take(data)?;
        Ok(Some(data))
    }

    fn not_whole<R: Read>(&mut self, walker: &Walker<'_, R>, most: u64) {
        if walker.entry().sparse {
            self.note(SPARSE);
        } else {
            self.note(&format!("it is larger than {most} bytes"));
        }
    }

    fn search<R: Read>(&mut self, walker: &mut Walker<'_, R>) -> Result<(), LayerError> {
        // What was taken before was too large to be searched.
        let size = walker.entry().size;
        let most = self.limits.searched_file_bytes;
        if size == 0 || size > most || !walker.fits_window() || walker.entry().sparse {
            return Ok(());
        }
        let beginning = walker.peek(BEGINNING)?;
        if memchr::memchr(0, beginning).is_some() {
            return Ok(());
        }
        let room = self.limits.findings.saturating_sub(self.facts.findings.len());
        let mut found = secrets::search(&self.path, walker.peek(usize::MAX)?);
        if found.len() > room {
            found.truncate(room);
            self.note("more secrets than are reported");
        }
        self.facts.findings.append(&mut found);
        Ok(())
    }

    /// As many packages as there is room for.
    fn found(&self) -> Found {
        Found::with_room(
            self.limits.packages.saturating_sub(self.packages),
            self.limits.kept_bytes.saturating_sub(self.kept),
        )
    }

    fn add<R: Read>(
        &mut self,
        mut evidence: Evidence,
        found: Found,
        walker: &Walker<'_, R>,
    ) -> Result<(), LayerError> {
        evidence.packages = match found.finish() {
            Ok(packages) => packages,
            Err(Limit::Packages) => {
                return Err(walker.exceeded(Limit::Packages, self.limits.packages));
            }
            Err(limit) => return Err(walker.exceeded(limit, self.limits.kept_bytes)),
        };
        if evidence == Evidence::at(&evidence.path) {
            return Ok(());
        }
        self.packages += evidence.packages.len() as u64;
        self.keep(evidence.kept_bytes(), walker)?;
        self.evidence.insert(evidence.path.clone(), evidence);
        Ok(())
    }

    fn keep<R: Read>(&mut self, bytes: u64, walker: &Walker<'_, R>) -> Result<(), LayerError> {
        self.kept += bytes;
        if self.kept > self.limits.kept_bytes {
            return Err(walker.exceeded(Limit::KeptBytes, self.limits.kept_bytes));
        }
        Ok(())
    }

    fn note(&mut self, reason: &str) {
        if self.facts.notes.len() >= self.limits.notes {
            self.notes_dropped += 1;
            return;
        }
        let (path, reason) = (self.path.clone(), reason.to_owned());
        self.facts.notes.push(Note { path, reason });
    }
}

/// Looks through an executable that does not fit into the window.
fn scan<R: Read>(
    walker: &mut Walker<'_, R>,
    found: &mut Found,
) -> Result<Result<(), Unreadable>, LayerError> {
    let mut scan = executable::Scan::new(walker.entry().size);
    loop {
        let remaining = walker.remaining();
        let window = walker.peek(usize::MAX)?;
        let last = window.len() as u64 == remaining;
        // What begins in the first half may go on in the second.
        let step = if last { window.len() } else { window.len() / 2 };
        scan.look(window, step, found);
        walker.consume(step);
        if last {
            return Ok(scan.finish());
        }
    }
}

fn read(
    interest: Interest,
    bytes: &[u8],
    limits: &Limits,
    evidence: &mut Evidence,
    found: &mut Found,
) -> Result<(), Unreadable> {
    match interest {
        Interest::ApkInstalled => packages::apk(bytes, found),
        Interest::DpkgStatus | Interest::DpkgFragment => packages::dpkg(bytes, found),
        Interest::DebianCopyright => {
            evidence.licenses = packages::debian_licenses(bytes);
            let directory = evidence.path.trim_end_matches("/copyright");
            evidence.licenses_of = directory.rsplit('/').next().map(str::to_owned);
            if evidence.licenses.is_empty() {
                evidence.licenses_of = None;
            }
        }
        Interest::RpmSqlite => return packages::rpm_sqlite(bytes, found),
        Interest::RpmNdb => return packages::rpm_ndb(bytes, found),
        Interest::RpmBdb => return packages::rpm_bdb(bytes, found),
        Interest::RpmWriteAhead if !bytes.is_empty() => {
            return Err(Unreadable("it holds changes to the rpm database that are not applied"));
        }
        Interest::RpmWriteAhead => {}
        Interest::OsRelease => evidence.os_release = OsRelease::parse(bytes),
        Interest::PythonMetadata => packages::python(bytes, found),
        Interest::NpmPackage => packages::npm(bytes, found),
        Interest::JavaArchive => return packages::java(&evidence.path, bytes, limits, found),
        Interest::Gemspec => packages::gemspec(bytes, found),
        Interest::ComposerInstalled => return packages::composer(bytes, found),
        Interest::DotnetDependencies => return packages::dotnet(bytes, found),
    }
    Ok(())
}
