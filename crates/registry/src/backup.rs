//! Backup and restore of the metadata. The bytes of blobs never change, so any copy of `blobs/` that
//! is taken after the metadata, and within the grace time of collection, completes a backup.

use std::{
    fs::{self, File},
    path::Path,
};

use plura_meta::{Db, Timestamp};

use crate::{Error, blocking, database_path, lock};

/// Writes the metadata of the installation in `directory`, as of one instant, to the new file
/// `target`, which is complete and durable when it appears. The installation may be in use.
pub async fn backup(directory: &Path, target: &Path) -> Result<u64, Error> {
    let failed = |source| Error::Directory { path: target.to_owned(), source };
    if target.exists() {
        return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
    }
    let partial = target.with_extension("partial");
    let mut connection = Db::open_read_only(&database_path(directory)).await?;
    remove_if_there(&partial)?;
    connection.backup(&partial).await?;
    let (from, to) = (partial, target.to_owned());
    blocking(move || publish(&from, &to)).await.map_err(failed)
}

/// Replaces the metadata of the installation in `directory` by the backup in `source`. What was there
/// stays beside it, under the name that is returned.
pub async fn restore(source: &Path, directory: &Path) -> Result<Option<std::path::PathBuf>, Error> {
    let failed = |source| Error::Directory { path: directory.to_owned(), source };
    // A backup that is damaged must not replace anything.
    let mut connection = Db::open_read_only(source).await?;
    if let Some(problem) = connection.integrity_problems().await?.into_iter().next() {
        return Err(plura_meta::Error::Corrupt(problem).into());
    }
    plura_meta::total::read(&mut connection).await?;
    drop(connection);

    fs::create_dir_all(directory).map_err(failed)?;
    let _lock = lock(directory)?;
    let database = database_path(directory);
    let partial = database.with_extension("restoring");
    fs::copy(source, &partial).map_err(failed)?;
    let aside = set_aside(&database)?;
    publish(&partial, &database).map_err(failed)?;
    // Brings the schema up to date, as at every start.
    Db::open(&database).await?.close().await;
    Ok(aside)
}

/// Moves a database with its log out of the way.
fn set_aside(database: &Path) -> Result<Option<std::path::PathBuf>, Error> {
    if !database.exists() {
        return Ok(None);
    }
    let aside = database.with_extension(format!("before-{}", Timestamp::now().0));
    for suffix in ["", "-wal", "-shm"] {
        let from = with_suffix(database, suffix);
        if from.exists() {
            fs::rename(&from, with_suffix(&aside, suffix))
                .map_err(|source| Error::Directory { path: from, source })?;
        }
    }
    Ok(Some(aside))
}

fn with_suffix(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}

fn publish(partial: &Path, target: &Path) -> std::io::Result<u64> {
    let file = File::open(partial)?;
    file.sync_all()?;
    fs::rename(partial, target)?;
    if let Some(parent) = target.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(file.metadata()?.len())
}

fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Directory { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}
