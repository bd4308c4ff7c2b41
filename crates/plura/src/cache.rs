//! Where is remembered what was seen, as other tools do.

use std::path::PathBuf;

/// A directory of ours in the cache of whoever asks; nothing if they have none.
pub(crate) fn directory(name: &str) -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    Some(cache?.join("plura").join(name))
}
