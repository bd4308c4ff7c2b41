/// What a file's name says about lower layers (image-spec, "Whiteouts").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whiteout {
    /// This path is not there any more.
    Removed(String),
    /// Nothing that lower layers have in this directory is there any more.
    Opaque(String),
    /// Bookkeeping of an old storage driver.
    Ignored,
}

impl Whiteout {
    pub(super) fn of(path: &str) -> Option<Self> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let target = name.strip_prefix(".wh.")?;
        Some(match target {
            ".wh..opq" => Self::Opaque(directory.to_owned()),
            // `.wh.` alone and names that would lead elsewhere are nobody's whiteouts.
            "" | "." | ".." => Self::Ignored,
            _ if target.starts_with(".wh.") => Self::Ignored,
            _ if directory.is_empty() => Self::Removed(target.to_owned()),
            _ => Self::Removed(format!("{directory}/{target}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whiteouts_are_told_by_their_names() {
        let check = |path, expected| assert_eq!(Whiteout::of(path), expected, "{path}");
        check("etc/.wh.passwd", Some(Whiteout::Removed("etc/passwd".into())));
        check(".wh.etc", Some(Whiteout::Removed("etc".into())));
        check("var/lib/.wh..wh..opq", Some(Whiteout::Opaque("var/lib".into())));
        check(".wh..wh..opq", Some(Whiteout::Opaque(String::new())));
        check(".wh..wh.plnk", Some(Whiteout::Ignored));
        check("etc/.wh...", Some(Whiteout::Ignored));
        check("etc/passwd", None);
    }
}
