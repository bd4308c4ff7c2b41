//! Backup and restore of the metadata. The bytes of blobs never change, so any copy of `blobs/` that
//! is taken after the metadata, and within the grace time of collection, completes a backup.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use plura_meta::{Db, Timestamp};
use tracing::debug;

use crate::{Error, Settings, blocking, database_path, lock};

/// Writes the metadata of the installation in `directory`, as of one instant, to the new file
/// `target`, which is complete and durable when it appears. The installation may be in use.
///
/// The backup is a database of SQLite, wherever the metadata are.
pub async fn backup(directory: &Path, settings: &Settings, target: &Path) -> Result<u64, Error> {
    let failed = |source| Error::Directory { path: target.to_owned(), source };
    if target.exists() {
        return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
    }
    let partial = with_suffix(target, ".partial");
    let mut connection = Db::connect_read_only(&settings.database_location(directory)).await?;
    remove_if_there(&partial)?;
    let copied = match connection.backup(&partial).await {
        Ok(()) => plura_fault::point("backup.copied").map_err(failed),
        Err(error) => Err(error.into()),
    };
    connection.close().await;
    if let Err(error) = copied {
        remove_if_there(&partial)?;
        return Err(error);
    }
    let (from, to) = (partial, target.to_owned());
    blocking(move || publish(&from, &to)).await.map_err(failed)
}

/// Replaces the metadata of the installation in `directory` by the backup in `source`. What was there
/// stays beside it, under the name that is returned.
///
/// The backup is read, checked, copied and brought up to date before anything is replaced.
pub async fn restore(source: &Path, directory: &Path) -> Result<Option<PathBuf>, Error> {
    let failed = |source| Error::Directory { path: directory.to_owned(), source };
    let mut connection = Db::open_read_only(source).await?;
    if let Some(problem) = connection.integrity_problems().await?.into_iter().next() {
        return Err(plura_meta::Error::Corrupt(problem).into());
    }
    plura_meta::total::read(&mut connection).await?;

    fs::create_dir_all(directory).map_err(failed)?;
    let _lock = lock(directory)?;
    // A backup beside a copy of `blobs` is complete: what was being uploaded is in neither.
    fs::create_dir_all(directory.join("uploads")).map_err(failed)?;
    let database = database_path(directory);
    let partial = with_suffix(&database, ".restoring");
    for suffix in ["", "-wal", "-shm"] {
        remove_if_there(&with_suffix(&partial, suffix))?;
    }
    connection.backup(&partial).await?;
    connection.close().await;
    Db::open(&partial).await?.close().await;
    if let Err(error) = Db::empty_log(&database).await {
        // There is none, or it is damaged, which may be why it is to be replaced.
        debug!(%error, "the log of the metadata is set aside as it is");
    }
    let aside = set_aside(&database)?;
    plura_fault::point("restore.aside").map_err(failed)?;
    blocking(move || publish(&partial, &database)).await.map_err(failed)?;
    Ok(aside)
}

/// Gives a database a second name, so that there is one under the first at any time, and moves what is
/// left of its log, which would be taken for that of the database that comes in its place.
fn set_aside(database: &Path) -> Result<Option<PathBuf>, Error> {
    if !database.exists() {
        return Ok(None);
    }
    let aside = database.with_extension(format!("before-{}", Timestamp::now().0));
    let failed = |source| Error::Directory { path: database.to_owned(), source };
    fs::hard_link(database, &aside).map_err(failed)?;
    for suffix in ["-wal", "-shm"] {
        let from = with_suffix(database, suffix);
        if from.exists() {
            fs::rename(&from, with_suffix(&aside, suffix)).map_err(failed)?;
        }
    }
    Ok(Some(aside))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
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
