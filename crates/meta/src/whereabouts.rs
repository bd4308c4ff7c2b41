//! Where vulnerabilities and packages are: in which images, and under which names those can be pulled.

use plura_oci::{Digest, RepositoryName, Tag};

use crate::{
    Connection, Error, PackageId, Timestamp,
    db::{json_array, parse},
    vulnerability::list,
};

/// Where a page of a search ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The key of the package.
    pub package: i64,
    /// The key of the image.
    pub image: i64,
    /// The vulnerability, where one package may have several.
    pub vulnerability: String,
}

/// A package of an image, with the vulnerability that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPackage {
    /// Where it stands in the order of all.
    pub place: Place,
    /// The image.
    pub digest: Digest,
    /// When the image was read.
    pub read_at: Timestamp,
    /// The package, as JSON.
    pub package: String,
    /// The match, as JSON, and when it was first seen; nothing where packages were looked for.
    pub found: Option<(String, Timestamp)>,
}

/// A package by its name.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct NamedPackage {
    /// Its key.
    pub id: PackageId,
    /// The package, as JSON.
    pub document: String,
}

/// A name under which an image can be pulled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImagePlace {
    /// The image.
    pub digest: Digest,
    /// The repository.
    pub repository: RepositoryName,
    /// A tag that points at it, or at an index that has it.
    pub tag: Option<Tag>,
}

#[derive(sqlx::FromRow)]
struct Row {
    package_id: i64,
    image_id: i64,
    vulnerability: String,
    digest: String,
    read_at: Timestamp,
    package: String,
    document: Option<String>,
    first_seen_at: Option<Timestamp>,
}

/// Images that have a vulnerability, by its canonical name, behind `after`; at most `limit`.
pub async fn with_vulnerability(
    connection: &mut Connection,
    vulnerability: &str,
    after: &Place,
    limit: u32,
) -> Result<Vec<FoundPackage>, Error> {
    const SQL: &str = "
        select package.id as package_id, image.id as image_id, found.vulnerability,
            image.digest, image.read_at, package.document as package, found.document,
            found.first_seen_at
        from package_vulnerability as found
        join package on package.id = found.package_id
        join image_package on image_package.package_id = package.id
        join image on image.id = image_package.image_id
        where found.vulnerability = $1
          and (found.package_id > $2
            or (found.package_id = $2 and image_package.image_id > $3))
        order by found.package_id, image_package.image_id
        limit $4";
    let query = connection.query_as(SQL).bind(vulnerability).bind(after.package);
    found(query.bind(after.image).bind(i64::from(limit)).fetch_all().await?)
}

/// What was found in images since an instant, because the advisory is new, or the image: in the order of
/// packages, behind `after`; at most `limit`.
pub async fn found_since(
    connection: &mut Connection,
    since: Timestamp,
    after: &Place,
    limit: u32,
) -> Result<Vec<FoundPackage>, Error> {
    const SQL: &str = "
        select package.id as package_id, image.id as image_id, found.vulnerability,
            image.digest, image.read_at, package.document as package, found.document,
            found.first_seen_at
        from (
            select seen.package_id, seen.vulnerability, image_package.image_id
            from package_vulnerability as seen
            join image_package on image_package.package_id = seen.package_id
            where seen.first_seen_at >= $1
            union
            select seen.package_id, seen.vulnerability, image_package.image_id
            from image as fresh
            join image_package on image_package.image_id = fresh.id
            join package_vulnerability as seen on seen.package_id = image_package.package_id
            where fresh.read_at >= $1
        ) as hit
        join package_vulnerability as found on found.package_id = hit.package_id
            and found.vulnerability = hit.vulnerability
        join package on package.id = hit.package_id
        join image on image.id = hit.image_id
        where hit.package_id > $2
           or (hit.package_id = $2 and hit.image_id > $3)
           or (hit.package_id = $2 and hit.image_id = $3 and hit.vulnerability > $4)
        order by hit.package_id, hit.image_id, hit.vulnerability
        limit $5";
    let query = connection.query_as(SQL).bind(since).bind(after.package).bind(after.image);
    found(query.bind(&after.vulnerability).bind(i64::from(limit)).fetch_all().await?)
}

/// The packages of that name; at most `limit`.
pub async fn named(
    connection: &mut Connection,
    name: &str,
    limit: u32,
) -> Result<Vec<NamedPackage>, Error> {
    const SQL: &str = "select id, document from package where name = $1 order by id limit $2";
    connection.query_as(SQL).bind(name).bind(i64::from(limit)).fetch_all().await
}

/// Images that have one of the packages, behind `after`; at most `limit`.
pub async fn with_packages(
    connection: &mut Connection,
    packages: &[PackageId],
    after: &Place,
    limit: u32,
) -> Result<Vec<FoundPackage>, Error> {
    const SQL: &str = "
        select package.id as package_id, image.id as image_id, '' as vulnerability,
            image.digest, image.read_at, package.document as package,
            cast(null as text) as document, cast(null as bigint) as first_seen_at
        from package
        join image_package on image_package.package_id = package.id
        join image on image.id = image_package.image_id
        where package.id in (select cast(wanted.value as bigint) from json_each($1) as wanted)
          and (package.id > $2 or (package.id = $2 and image_package.image_id > $3))
        order by package.id, image_package.image_id
        limit $4";
    let query = connection.query_as(SQL).bind(list(packages)).bind(after.package);
    found(query.bind(after.image).bind(i64::from(limit)).fetch_all().await?)
}

/// The names under which images can be pulled, also as children of indexes; at most `limit`.
pub async fn places(
    connection: &mut Connection,
    images: &[Digest],
    limit: u32,
) -> Result<Vec<ImagePlace>, Error> {
    const SQL: &str = "
        select manifest.digest, repository.name as repository, tag.name as tag
        from manifest
        join repository on repository.id = manifest.repository_id
        left join tag on tag.repository_id = manifest.repository_id
            and tag.digest = manifest.digest
        where manifest.digest in (select wanted.value from json_each($1) as wanted)
        union
        select child.digest, repository.name, tag.name
        from manifest as child
        join repository on repository.id = child.repository_id
        join manifest_reference on manifest_reference.repository_id = child.repository_id
            and manifest_reference.digest = child.digest
        join manifest as parent on parent.id = manifest_reference.manifest_id
        join tag on tag.repository_id = parent.repository_id and tag.digest = parent.digest
        where child.digest in (select wanted.value from json_each($1) as wanted)
        order by 1, 2, 3
        limit $2";
    type Row = (String, String, Option<String>);
    let query = connection.query_as(SQL).bind(json_array(images)).bind(i64::from(limit));
    let rows: Vec<Row> = query.fetch_all().await?;
    let place = |(digest, repository, tag): Row| {
        Ok(ImagePlace {
            digest: parse("manifest.digest", &digest)?,
            repository: parse("repository.name", &repository)?,
            tag: tag.map(|tag| parse("tag.name", &tag)).transpose()?,
        })
    };
    rows.into_iter().map(place).collect()
}

fn found(rows: Vec<Row>) -> Result<Vec<FoundPackage>, Error> {
    let package = |row: Row| {
        let Row { package_id, image_id, vulnerability, digest, read_at, package, .. } = row;
        Ok(FoundPackage {
            place: Place { package: package_id, image: image_id, vulnerability },
            digest: parse("image.digest", &digest)?,
            read_at,
            package,
            found: row.document.zip(row.first_seen_at),
        })
    };
    rows.into_iter().map(package).collect()
}
