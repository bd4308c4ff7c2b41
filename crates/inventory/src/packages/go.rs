use super::Found;
use crate::{Package, PackageKind};

const MAGIC: &[u8] = b"\xff Go buildinf:";
const ALIGNMENT: u64 = 16;
/// The version and the modules follow the header in the file itself, since Go 1.18.
const INLINE: u8 = 2;
const HEADER: usize = 32;
/// The linker puts sixteen bytes in front of and behind the modules.
const SENTINEL: usize = 16;

/// Finds the build information that the Go linker leaves in an executable, and reads its modules.
///
/// It is found by its own mark, so that the format of the executable does not matter. Programs that
/// look for that mark contain it as well, but without anything readable behind it.
///
/// Only the first `step` bytes are searched for its beginning; they are at `offset` of the file.
pub(crate) fn read(bytes: &[u8], step: usize, offset: u64, found: &mut Found) -> bool {
    let end = bytes.len().min(step + MAGIC.len() - 1);
    for at in memchr::memmem::find_iter(&bytes[..end], MAGIC) {
        if (offset + at as u64).is_multiple_of(ALIGNMENT)
            && let Some((version, modules)) = build_information(&bytes[at..])
        {
            add(version, modules, found);
            return true;
        }
    }
    false
}

fn build_information(bytes: &[u8]) -> Option<(&str, &str)> {
    if bytes.get(15)? & INLINE == 0 {
        return None;
    }
    let (version, rest) = string(bytes.get(HEADER..)?)?;
    let (modules, _) = string(rest)?;
    let version = std::str::from_utf8(version).ok()?;
    let modules = match modules.len().checked_sub(2 * SENTINEL) {
        Some(_) => std::str::from_utf8(&modules[SENTINEL..modules.len() - SENTINEL]).ok()?,
        None => "",
    };
    (version.starts_with("go") || version.starts_with("devel")).then_some((version, modules))
}

/// A string with its length in front, and what follows.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return bytes.get(index + 1..)?.split_at_checked(length);
        }
    }
    None
}

fn add(version: &str, modules: &str, found: &mut Found) {
    // `go1.22.1 X:boringcrypto`
    let toolchain = version.split_whitespace().next().unwrap_or_default();
    if let Some(version) = toolchain.strip_prefix("go") {
        found.push(Package::new(PackageKind::Go, "stdlib", version));
    }
    let mut main = None;
    // A replacement is the line after what it replaces, so each waits for the next.
    let mut pending: Option<(&str, &str)> = None;
    for line in modules.lines() {
        let mut fields = line.split('\t');
        let (kind, first) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let version = fields.next().unwrap_or_default();
        match kind {
            "mod" => main = Some((first, version)),
            "dep" => push(pending.replace((first, version)), found),
            // A directory has neither a name nor a version that advisories know.
            "=>" if !first.starts_with(['.', '/']) => pending = Some((first, version)),
            _ => {}
        }
    }
    push(pending, found);
    if let Some((path, version)) = main {
        push(Some((path, &main_version(version, modules))), found);
    }
}

fn push(module: Option<(&str, &str)>, found: &mut Found) {
    if let Some((path, version)) = module {
        let version = if version.is_empty() { "(devel)" } else { version };
        found.push(Package::new(PackageKind::Go, path, version));
    }
}

/// A module that was built in its own working copy has no version, but mostly a commit, from which
/// follows the pseudo-version that it would have as a dependency.
fn main_version(version: &str, modules: &str) -> String {
    if !version.is_empty() && version != "(devel)" {
        return version.to_owned();
    }
    let setting = |name: &str| {
        let line = |line: &str| {
            line.strip_prefix("build\t")?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)
        };
        modules.lines().find_map(line)
    };
    let (Some(revision), Some(time)) = (setting("vcs.revision"), setting("vcs.time")) else {
        return "(devel)".to_owned();
    };
    let digits: String = time.chars().filter(char::is_ascii_digit).take(14).collect();
    match revision.get(..12) {
        Some(revision) if digits.len() == 14 => format!("v0.0.0-{digits}-{revision}"),
        _ => "(devel)".to_owned(),
    }
}
