//! Packages that images have, each once however many have it.

use serde::Serialize;

use super::json_numbers;
use crate::{Connection, Error, Tx};

/// The key of a package's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type, Serialize)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct PackageId(pub(crate) i64);

/// A package to be known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NewPackage {
    /// What makes it another one than all others, as JSON.
    pub identity: String,
    /// Its packaging, and where that is one of a distribution, which.
    pub ecosystem: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is, as JSON.
    pub document: String,
}

/// Those of the packages that are known, by their identities.
pub async fn find(
    connection: &mut Connection,
    identities: &[&str],
) -> Result<Vec<(PackageId, String)>, Error> {
    const SQL: &str = "
        select package.id, package.identity from package
        where package.identity in (select wanted.value from json_each($1) as wanted)";
    connection.query_as(SQL).bind(json(identities)).fetch_all().await
}

/// Makes packages known that are not yet. Nobody has them before an image does, so they are given to one
/// soon.
pub async fn intern(tx: &mut Tx, packages: &[NewPackage]) -> Result<(), Error> {
    // `where true` keeps `on conflict` from being read as a join condition.
    const SQL: &str = "
        insert into package (identity, ecosystem, name, version, document)
        select json_extract(given.value, '$.identity'), json_extract(given.value, '$.ecosystem'),
            json_extract(given.value, '$.name'), json_extract(given.value, '$.version'),
            json_extract(given.value, '$.document')
        from json_each($1) as given where true
        on conflict (identity) do nothing";
    tx.query(SQL).bind(json(packages)).execute().await?;
    Ok(())
}

/// Whether all of them are still known.
pub(super) async fn are_known(
    connection: &mut Connection,
    packages: &[PackageId],
) -> Result<bool, Error> {
    const SQL: &str = "
        select count(*) from package
        where package.id in (select cast(wanted.value as bigint) from json_each($1) as wanted)";
    let known: i64 = connection.query_scalar(SQL).bind(numbers(packages)).fetch_one().await?;
    Ok(usize::try_from(known) == Ok(packages.len()))
}

/// Forgets those of the packages that no image has any more.
pub(super) async fn forget_unused(tx: &mut Tx, packages: &[PackageId]) -> Result<(), Error> {
    const SQL: &str = "
        delete from package
        where package.id in (select cast(gone.value as bigint) from json_each($1) as gone)
          and not exists (select 1 from image_package where image_package.package_id = package.id)";
    tx.query(SQL).bind(numbers(packages)).execute().await?;
    Ok(())
}

pub(super) fn numbers(packages: &[PackageId]) -> String {
    json_numbers(packages.iter().map(|package| package.0))
}

fn json<T: Serialize>(values: &[T]) -> String {
    // Texts and objects of texts are always written.
    serde_json::to_string(values).unwrap_or_default()
}
