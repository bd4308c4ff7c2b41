use super::{index, u32_be};
use crate::{Package, PackageKind};

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const LICENSE: u32 = 1014;
const ARCHITECTURE: u32 = 1022;
const SOURCE: u32 = 1044;

const INTEGER: u32 = 4;
const STRING: u32 = 6;
const TRANSLATED: u32 = 9;

/// The header does not hold together.
pub(super) struct Damaged;

/// Reads the header of an installed package as databases hold it: the number of entries, the size of
/// the data, the entries (tag, type, offset, count), the data.
///
/// Keys that packages are signed with are kept as packages too; they are none, and nothing comes back.
pub(super) fn package(header: &[u8]) -> Result<Option<Package>, Damaged> {
    let fields = Fields::read(header).ok_or(Damaged)?;
    let (Some(name), Some(version)) = (fields.name, fields.version) else { return Err(Damaged) };
    if name == "gpg-pubkey" {
        return Ok(None);
    }
    let mut whole = match fields.epoch {
        None | Some(0) => version.to_owned(),
        Some(epoch) => format!("{epoch}:{version}"),
    };
    if let Some(release) = fields.release {
        whole.push('-');
        whole.push_str(release);
    }
    let source = fields.source.and_then(source_package);
    let package = Package::new(PackageKind::Rpm, name, &whole).ok_or(Damaged)?;
    let package = package
        .with_architecture(fields.architecture)
        .with_source(source.map(|(name, _)| name), source.map(|(_, version)| version))
        .with_licenses(fields.license);
    Ok(Some(package))
}

/// `bash-5.1.8-6.el9.src.rpm` is version `5.1.8-6.el9` of `bash`.
fn source_package(file: &str) -> Option<(&str, &str)> {
    let stem = file.strip_suffix(".rpm")?;
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    let (rest, _) = stem.rsplit_once('-')?;
    let (name, _) = rest.rsplit_once('-')?;
    Some((name, &stem[name.len() + 1..]))
}

#[derive(Default)]
struct Fields<'a> {
    name: Option<&'a str>,
    version: Option<&'a str>,
    release: Option<&'a str>,
    epoch: Option<u32>,
    license: Option<&'a str>,
    architecture: Option<&'a str>,
    source: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn read(header: &'a [u8]) -> Option<Self> {
        let count = index(u32_be(header, 0)?);
        let size = index(u32_be(header, 4)?);
        let entries = header.get(8..8_usize.checked_add(count.checked_mul(16)?)?)?;
        let data = header.get(8 + entries.len()..)?.get(..size)?;
        let mut fields = Self::default();
        for entry in entries.as_chunks::<16>().0 {
            let kind = u32_be(entry, 4)?;
            let at = index(u32_be(entry, 8)?);
            let text = || if matches!(kind, STRING | TRANSLATED) { string(data, at) } else { None };
            match u32_be(entry, 0)? {
                NAME => fields.name = text(),
                VERSION => fields.version = text(),
                RELEASE => fields.release = text(),
                LICENSE => fields.license = text(),
                ARCHITECTURE => fields.architecture = text(),
                SOURCE => fields.source = text(),
                EPOCH if kind == INTEGER => fields.epoch = u32_be(data, at),
                _ => {}
            }
        }
        Some(fields)
    }
}

fn string(data: &[u8], at: usize) -> Option<&str> {
    let data = data.get(at..)?;
    std::str::from_utf8(&data[..memchr::memchr(0, data)?]).ok()
}

#[cfg(test)]
mod tests {
    use super::source_package;

    #[test]
    fn a_source_package_is_in_the_name_of_its_file() {
        let check = |file, expected| assert_eq!(source_package(file), expected, "{file}");
        check("bash-5.1.8-6.el9.src.rpm", Some(("bash", "5.1.8-6.el9")));
        check("java-17-openjdk-17.0.1-2.nosrc.rpm", Some(("java-17-openjdk", "17.0.1-2")));
        check("(none)", None);
        check("x.src.rpm", None);
    }
}
