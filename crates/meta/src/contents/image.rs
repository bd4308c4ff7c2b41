//! What is in images.

use plura_oci::Digest;

use super::package::{self, PackageId};
use crate::{Connection, Error, Timestamp, Tx};

/// The key of an image's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct ImageId(pub(crate) i64);

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredImage {
    /// Its key.
    pub id: ImageId,
    /// What it was read by.
    pub basis: String,
    /// Why not all of it could be read.
    pub problem: Option<String>,
    /// When it was read.
    pub read_at: Timestamp,
    /// What is in it.
    pub document: Vec<u8>,
}

/// What was read of an image, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImage {
    /// Its digest.
    pub digest: Digest,
    /// What it was read by.
    pub basis: String,
    /// Why not all of it could be read.
    pub problem: Option<String>,
    /// The base that it declares.
    pub base_digest: Option<Digest>,
    /// The name of that.
    pub base_name: Option<String>,
    /// When it was built, as it says.
    pub created_at: Option<Timestamp>,
    /// When it was read.
    pub read_at: Timestamp,
    /// What is in it.
    pub document: Vec<u8>,
    /// Its layers, lowest first, each with its chain.
    pub layers: Vec<ChainedLayer>,
}

/// A layer of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainedLayer {
    /// Its digest.
    pub digest: Digest,
    /// The digest of this layer and all below.
    pub chain: Digest,
}

/// What became of an image that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing was known of it before.
    First,
    /// It took the place of what was known.
    Again,
    /// Nobody has its manifest any more; nothing is kept.
    Gone,
    /// Some of its packages are not known any more; nothing is kept.
    PackagesGone,
}

/// What is known of the image of that digest.
pub async fn find(
    connection: &mut Connection,
    digest: &Digest,
) -> Result<Option<StoredImage>, Error> {
    const SQL: &str = "
        select id, basis, problem, read_at, document from image where digest = $1";
    connection.query_as(SQL).bind(digest.to_string()).fetch_optional().await
}

/// Keeps what was read of an image in the place of what was known.
pub async fn keep(tx: &mut Tx, new: &NewImage, packages: &[PackageId]) -> Result<Kept, Error> {
    const BEFORE: &str = "select id from image where digest = $1";
    if !is_anywhere(tx, &new.digest).await? {
        return Ok(Kept::Gone);
    }
    if !package::are_known(tx, packages).await? {
        return Ok(Kept::PackagesGone);
    }
    let before: Option<ImageId> =
        tx.query_scalar(BEFORE).bind(new.digest.to_string()).fetch_optional().await?;
    let had = match before {
        Some(id) => take_apart(tx, id).await?,
        None => Vec::new(),
    };
    let id = write(tx, new, packages.len()).await?;
    add_layers(tx, id, &new.layers).await?;
    add_packages(tx, id, packages).await?;
    package::forget_unused(tx, &had).await?;
    Ok(if before.is_some() { Kept::Again } else { Kept::First })
}

/// Lets an image be read again when it is asked for.
pub async fn outdate(tx: &mut Tx, digest: &Digest) -> Result<(), Error> {
    const SQL: &str = "update image set basis = '0' where digest = $1";
    tx.query(SQL).bind(digest.to_string()).execute().await?;
    Ok(())
}

/// Forgets what is known of an image that no repository has any more.
pub(crate) async fn forget_unless_anywhere(tx: &mut Tx, digest: &Digest) -> Result<(), Error> {
    const FIND: &str = "select id from image where digest = $1";
    const REVIEW: &str = "delete from image_review where digest = $1";
    if is_anywhere(tx, digest).await? {
        return Ok(());
    }
    let digest = digest.to_string();
    tx.query(REVIEW).bind(&digest).execute().await?;
    let found: Option<ImageId> = tx.query_scalar(FIND).bind(&digest).fetch_optional().await?;
    if let Some(id) = found {
        let packages = take_apart(tx, id).await?;
        tx.query("delete from image where id = $1").bind(id).execute().await?;
        package::forget_unused(tx, &packages).await?;
    }
    Ok(())
}

async fn is_anywhere(connection: &mut Connection, digest: &Digest) -> Result<bool, Error> {
    const SQL: &str = "select exists (select 1 from manifest where digest = $1)";
    connection.query_scalar(SQL).bind(digest.to_string()).fetch_one().await
}

/// Takes its layers and packages from an image; the packages that it had.
async fn take_apart(tx: &mut Tx, id: ImageId) -> Result<Vec<PackageId>, Error> {
    const LAYERS: &str = "delete from image_layer where image_id = $1";
    const PACKAGES: &str = "delete from image_package where image_id = $1 returning package_id";
    tx.query(LAYERS).bind(id).execute().await?;
    tx.query_scalar(PACKAGES).bind(id).fetch_all().await
}

async fn write(tx: &mut Tx, new: &NewImage, packages: usize) -> Result<ImageId, Error> {
    const SQL: &str = "
        insert into image (digest, basis, problem, chain, base_digest, base_name, packages,
            created_at, read_at, document)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict (digest) do update
            set basis = excluded.basis, problem = excluded.problem, chain = excluded.chain,
                base_digest = excluded.base_digest, base_name = excluded.base_name,
                packages = excluded.packages, created_at = excluded.created_at,
                read_at = excluded.read_at, document = excluded.document
        returning id";
    let chain = new.layers.last().map(|layer| layer.chain.to_string());
    tx.query_scalar(SQL)
        .bind(new.digest.to_string())
        .bind(&new.basis)
        .bind(&new.problem)
        .bind(chain.unwrap_or_default())
        .bind(new.base_digest.map(|digest| digest.to_string()))
        .bind(&new.base_name)
        .bind(i64::try_from(packages).unwrap_or(i64::MAX))
        .bind(new.created_at)
        .bind(new.read_at)
        .bind(&new.document)
        .fetch_one()
        .await
}

async fn add_layers(tx: &mut Tx, id: ImageId, layers: &[ChainedLayer]) -> Result<(), Error> {
    const SQL: &str = "
        insert into image_layer (image_id, position, digest, chain)
        select cast($1 as bigint), layer.key, json_extract(layer.value, '$.digest'),
            json_extract(layer.value, '$.chain')
        from json_each($2) as layer";
    let layers: Vec<String> = layers
        .iter()
        .map(|layer| format!(r#"{{"digest":"{}","chain":"{}"}}"#, layer.digest, layer.chain))
        .collect();
    let layers = format!("[{}]", layers.join(","));
    tx.query(SQL).bind(id).bind(layers).execute().await?;
    Ok(())
}

async fn add_packages(tx: &mut Tx, id: ImageId, packages: &[PackageId]) -> Result<(), Error> {
    const SQL: &str = "
        insert into image_package (image_id, package_id)
        select cast($1 as bigint), cast(package.value as bigint) from json_each($2) as package";
    tx.query(SQL).bind(id).bind(package::numbers(packages)).execute().await?;
    Ok(())
}
