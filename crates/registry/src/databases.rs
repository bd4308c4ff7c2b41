//! Moving an installation's metadata to another database.

use plura_meta::{
    Location,
    copy::{Copied, copy},
};

use crate::{Error, Lock, database_path, lock};

/// Copies the database at `from` to `to`, which must be empty, and tells of each table that is done. A
/// database in the directory of an installation must not be in use.
pub async fn copy_database(
    from: &Location,
    to: &Location,
    progress: &mut (dyn FnMut(&Copied) + Send),
) -> Result<Vec<Copied>, Error> {
    let _alone = [alone(from)?, alone(to)?];
    Ok(copy(from, to, progress).await?)
}

/// The installation that a file belongs to, if it is where installations keep theirs.
fn alone(location: &Location) -> Result<Option<Lock>, Error> {
    let Location::File(path) = location else { return Ok(None) };
    let directory = path.parent().filter(|directory| database_path(directory) == *path);
    directory.filter(|directory| directory.is_dir()).map(lock).transpose()
}
