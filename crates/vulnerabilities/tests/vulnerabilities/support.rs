//! An installation on each engine, images whose contents are known, advisories as they are published.

use std::{fmt::Write as _, io::Write as _, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::DeflateEncoder};
use plura_contents::Contents;
use plura_evidence::Evidence;
use plura_oci::{Digest, RepositoryName};
use plura_registry::{Chunk, DatabaseServer, PutManifest, Registry};
use plura_testkit::postgres::{Database, Postgres};
use plura_vulnerabilities::{
    Error, ImageVulnerabilities, ImportRequest, Imported, Origin, Settings, Sources,
    Vulnerabilities,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An installation whose packages nobody matches but when a test says so.
pub(crate) struct Installation {
    pub(crate) registry: Registry,
    pub(crate) vulnerabilities: Vulnerabilities,
    directory: TempDir,
    database: Option<Database>,
}

/// A package that an image has.
#[derive(Clone, Copy)]
pub(crate) struct Has(pub(crate) &'static str, pub(crate) &'static str, pub(crate) &'static str);

/// One on each engine.
pub(crate) async fn both() -> [Installation; 2] {
    let database = Postgres::shared().empty_database();
    [Installation::new(None).await, Installation::new(Some(database)).await]
}

impl Installation {
    async fn new(database: Option<Database>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server =
            database.as_ref().map(|database| DatabaseServer::new(&database.url()).unwrap());
        let settings =
            plura_registry::Settings { database: server, ..plura_registry::Settings::default() };
        let registry = Registry::open(directory.path(), settings).await.unwrap();
        let settings = Settings {
            directory: directory.path().to_owned(),
            longest_exception: Duration::from_hours(24 * 90),
            expiry_warning: Duration::from_hours(24 * 14),
        };
        let contents = Contents::new(registry.clone(), plura_contents::Settings::default());
        let sources = Sources { contents, evidence: Evidence::new(registry.clone()) };
        let vulnerabilities = Vulnerabilities::new(registry.clone(), sources, settings);
        Self { registry, vulnerabilities, directory, database }
    }

    /// Runs SQL that both engines know.
    pub(crate) async fn sql(&self, sql: &str) -> String {
        if let Some(database) = &self.database {
            return database.sql(sql);
        }
        let path = plura_registry::database_path(self.directory.path());
        let url = format!("sqlite://{}", path.display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let query = sqlx::query_as::<_, (String,)>(AssertSqlSafe(sql.to_owned()));
        let row = query.fetch_optional(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        row.map(|(text,)| text).unwrap_or_default()
    }

    /// Pushes an image, and lets it be known to have these packages.
    pub(crate) async fn image(&self, name: &str, packages: &[Has]) -> Digest {
        let digest = self.manifest(name).await;
        self.read(digest, packages).await;
        digest
    }

    async fn manifest(&self, name: &str) -> Digest {
        let (repository, tag) = name.split_once(':').unwrap();
        let config = json!({ "config": { "Labels": { "name": name } } }).to_string();
        let config_digest = Digest::sha256(config.as_bytes());
        let repository: RepositoryName = repository.parse().unwrap();
        let chunk = Chunk::from(Bytes::from(config.clone()));
        self.registry.push_blob(&repository, &config_digest, chunk).await.unwrap();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config_digest, "size": config.len(),
            },
            "layers": [],
        });
        self.put(&repository, tag, &manifest).await
    }

    /// Pushes an index of images that are there.
    pub(crate) async fn index(&self, name: &str, children: &[Digest]) -> Digest {
        let (repository, tag) = name.split_once(':').unwrap();
        let child = |digest: &Digest| json!({ "mediaType": MANIFEST, "digest": digest, "size": 1 });
        let children: Vec<Value> = children.iter().map(child).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children });
        self.put(&repository.parse().unwrap(), tag, &index).await
    }

    async fn put(&self, repository: &RepositoryName, tag: &str, manifest: &Value) -> Digest {
        let put = PutManifest {
            repository: repository.clone(),
            reference: tag.parse().unwrap(),
            tags: Vec::new(),
            content_type: None,
            bytes: manifest.to_string().into(),
        };
        self.registry.put_manifest(put).await.unwrap().digest
    }

    /// Lets an image be known to have these packages, as reading its layers does.
    pub(crate) async fn read(&self, digest: Digest, packages: &[Has]) {
        let count = packages.len();
        self.sql(&format!(
            "insert into image (digest, basis, chain, packages, read_at, document)
             values ('{digest}', 'b', 'c', {count}, 1000, '')"
        ))
        .await;
        for Has(distribution, name, version) in packages {
            let document = document(distribution, name, version).replace('\'', "''");
            self.sql(&format!(
                "insert into package (identity, ecosystem, name, version, document)
                 values ('{distribution}/{name}/{version}', '{distribution}', '{name}', '{version}',
                    '{document}') on conflict (identity) do nothing"
            ))
            .await;
            self.sql(&format!(
                "insert into image_package (image_id, package_id)
                 select image.id, package.id from image, package
                 where image.digest = '{digest}'
                   and package.identity = '{distribution}/{name}/{version}'"
            ))
            .await;
        }
    }

    pub(crate) async fn import(&self, source: &str, records: &[Value]) -> Imported {
        self.send(source, lines(records)).await.unwrap()
    }

    pub(crate) async fn send(&self, source: &str, bytes: Vec<u8>) -> Result<Imported, Error> {
        let request = ImportRequest { source: source.to_owned(), location: "a test".to_owned() };
        self.vulnerabilities.import(&Origin::system(), request, sent(&bytes)).await
    }

    pub(crate) async fn of(&self, name: &str) -> ImageVulnerabilities {
        let (repository, reference) = match name.split_once('@') {
            Some(parts) => parts,
            None => name.split_once(':').unwrap(),
        };
        let (repository, reference) = (repository.parse().unwrap(), reference.parse().unwrap());
        self.vulnerabilities.of(&repository, &reference, None).await.unwrap()
    }

    /// The names of what counts.
    pub(crate) async fn open(&self, name: &str) -> Vec<String> {
        let answer = self.of(name).await;
        let open = answer.vulnerabilities.into_iter().filter(|one| one.suppressed.is_none());
        open.map(|one| one.id).collect()
    }

    /// Matches until there is nothing left to match.
    pub(crate) async fn settle(&self) {
        while self.vulnerabilities.work().await.unwrap() {}
    }

    /// The last event of an action, as it is told.
    pub(crate) async fn event(&self, action: &str) -> Value {
        let sql =
            format!("select detail from audit where action = '{action}' order by id desc limit 1");
        serde_json::from_str(&self.sql(&sql).await).unwrap_or_default()
    }
}

/// `Debian:12` is a distribution, anything else the packaging of a language.
fn document(distribution: &str, name: &str, version: &str) -> String {
    let system = distribution.split_once(':');
    let kind = if system.is_some() { "deb" } else { distribution };
    let distribution =
        system.map(|(id, release)| json!({ "id": id.to_lowercase(), "version_id": release }));
    json!({
        "package": { "kind": kind, "name": name, "version": version },
        "purl": format!("pkg:{kind}/{name}@{version}"),
        "distribution": distribution,
    })
    .to_string()
}

/// What arrives, in pieces.
pub(crate) fn sent(
    bytes: &[u8],
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + Unpin + use<> {
    let pieces: Vec<_> =
        bytes.chunks(1000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    futures_util::stream::iter(pieces)
}

/// An advisory about versions of a package in front of one.
pub(crate) fn advisory(id: &str, alias: &str, of: (&str, &str), fixed: &str) -> Value {
    let (ecosystem, name) = of;
    json!({
        "schema_version": "1.7.0", "id": id, "modified": "2026-07-01T00:00:00Z",
        "aliases": [alias], "summary": format!("{name} is wrong"),
        "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }],
        "affected": [{
            "package": { "ecosystem": ecosystem, "name": name },
            "ranges": [{
                "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": fixed }],
            }],
        }],
    })
}

pub(crate) fn lines(records: &[Value]) -> Vec<u8> {
    let mut text = String::new();
    for record in records {
        let _ = writeln!(text, "{record}");
    }
    text.into_bytes()
}

/// A zip archive, its members compressed in turn.
pub(crate) fn zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (number, (name, data)) in members.iter().enumerate() {
        let offset = u32::try_from(archive.len()).unwrap();
        let method = if number % 2 == 0 { 8_u16 } else { 0 };
        let stored = if method == 8 { deflated(data) } else { data.clone() };
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
        let mut common = Vec::new();
        common.extend([20, 0, 0, 0]);
        common.extend(method.to_le_bytes());
        common.extend([0; 8]);
        common.extend(length(&stored));
        common.extend(length(data));
        common.extend(name_length);
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend([0; 2]);
        archive.extend(name.as_bytes());
        archive.extend(&stored);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 12]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let (size, offset) = (directory.len(), archive.len());
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\x00\x00\x00\x00");
    archive.extend(count);
    archive.extend(count);
    archive.extend(u32::try_from(size).unwrap().to_le_bytes());
    archive.extend(u32::try_from(offset).unwrap().to_le_bytes());
    archive.extend([0; 2]);
    archive
}

fn deflated(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}
