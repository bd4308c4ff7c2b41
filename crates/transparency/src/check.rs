//! Compares what the database says was decided with the tree that was signed: what was tampered with.

use plura_blob::{Blobs, Storage};
use plura_meta::{Connection, Db, Location, log};
use plura_tlog::{Bundle, Damage, EMPTY_ROOT, Frontier, Hash, Resource, TILE_WIDTH, verify_log};
use serde::Serialize;

use crate::{Error, Head, Transparency, blocking, entry::entry_of, signed, tiles::Tiles, unsigned};

/// The most findings that are told.
const MOST: usize = 1000;

/// What was compared and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LogCheck {
    /// How many entries there are.
    pub size: u64,
    /// How many of them are part of the tree, and were compared with it.
    pub integrated: u64,
    /// What is wrong; nothing, if the log is sound.
    pub findings: Vec<LogFinding>,
}

/// Something that is not what was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LogFinding {
    /// Where: `entry 7`, a tile, `checkpoint`.
    pub subject: String,
    /// The number of the entry, where it is one.
    pub index: Option<u64>,
    /// What is wrong.
    pub detail: String,
}

/// Compares the log of the installation in `directory`, which may be in use, and changes nothing.
pub async fn check(
    directory: &std::path::Path,
    storage: &Storage,
    location: &Location,
) -> Result<LogCheck, Error> {
    let tiles = Tiles::new(Blobs::existing(directory, storage)?.records());
    run(&tiles, Rows::One(Box::new(Db::connect_read_only(location).await?))).await
}

impl Transparency {
    /// Compares the rows of the log with its tiles, and both with the head.
    pub async fn check(&self) -> Result<LogCheck, Error> {
        run(&self.shared.tiles, Rows::Any(self.db().clone())).await
    }
}

/// Where rows are read.
enum Rows {
    /// By any connection, so that none is held for long.
    Any(Db),
    /// By this one.
    One(Box<Connection>),
}

/// What rows and tiles differ in.
#[derive(Default)]
struct Differences {
    /// Entries whose row is another one, or is not there.
    entries: Vec<(u64, &'static str)>,
    tiles: Vec<(Resource, Damage)>,
}

async fn run(tiles: &Tiles, mut rows: Rows) -> Result<LogCheck, Error> {
    let (head, keys, size) = rows.head().await?;
    let mut check = LogCheck { size, ..LogCheck::default() };
    let Some(head) = head else { return Ok(check) };
    check.integrated = head.size;
    if let Some(problem) = head.problem(&keys) {
        check.add("checkpoint", None, problem);
    }
    let (differences, root) = compare(tiles, &mut rows, &head).await?;
    let rows_are_signed = root == Some(head.root);
    let verified = verify(tiles, &head).await?;
    for (resource, damage) in differences.tiles {
        check.add(&resource.to_string(), None, damage.to_string());
    }
    for (index, what) in differences.entries {
        if rows_are_signed {
            let resource = Resource::entries(index / u64::from(TILE_WIDTH), head.size);
            let subject = resource.map(|resource| resource.to_string()).unwrap_or_default();
            check.add(&subject, Some(index), Damage::OtherEntry(index).to_string());
        } else {
            check.add(&format!("entry {index}"), Some(index), what.to_owned());
        }
    }
    if let Some(problem) = verified {
        check.add("tree", None, problem);
    }
    if !rows_are_signed && check.findings.is_empty() {
        check.add("tree", None, "the entries do not lead to the root that was signed".to_owned());
    }
    Ok(check)
}

/// Goes through the entries bundle by bundle; the root that the rows lead to, if none is missing.
async fn compare(
    tiles: &Tiles,
    rows: &mut Rows,
    head: &Head,
) -> Result<(Differences, Option<Hash>), Error> {
    let mut differences = Differences::default();
    let mut tree = Some(Frontier::default());
    for number in 0..head.size.div_ceil(u64::from(TILE_WIDTH)) {
        let Some(resource) = Resource::entries(number, head.size) else { break };
        let first = number * u64::from(TILE_WIDTH);
        let found = tiles.read_all([resource]).await?.into_values().next();
        let logged = found.as_deref().map(Bundle::from_bytes);
        let logged = match &logged {
            None => Err(Damage::Missing),
            Some(Err(error)) => Err(Damage::Malformed(*error)),
            Some(Ok(bundle)) => Ok(bundle),
        };
        if let Err(damage) = &logged {
            differences.tiles.push((resource, *damage));
        }
        let logged = logged.ok().map(Bundle::entries).unwrap_or_default();
        let written = rows.entries(first, resource.width()).await?;
        let mut entries = Vec::with_capacity(usize::from(resource.width()));
        for (place, index) in (0..usize::from(resource.width())).zip(first..) {
            let row = written.iter().find(|row| unsigned(row.position) == index);
            let Some(row) = row else {
                tree = None;
                differences.add(index, "is not in the database any more");
                continue;
            };
            let entry = entry_of(row).map_err(plura_tlog::Error::from)?;
            if logged.get(place).is_some_and(|logged| *logged != entry.as_bytes()) {
                differences.add(index, "is another one in the database than was logged");
            }
            entries.push(entry);
        }
        tree = match tree {
            Some(tree) => Some(tree.append(&entries)?.0),
            None => None,
        };
    }
    Ok((differences, tree.map(|tree| if head.size == 0 { EMPTY_ROOT } else { tree.root() })))
}

/// What is wrong with the tree itself, if something is.
async fn verify(tiles: &Tiles, head: &Head) -> Result<Option<String>, Error> {
    let (source, size, root) = (tiles.blocking(), head.size, head.root);
    blocking(move || match verify_log(&source, size, &root) {
        Ok(()) => Ok(None),
        Err(error @ plura_tlog::Error::Unreadable { .. }) => Err(error.into()),
        Err(error) => Ok(Some(error.to_string())),
    })
    .await
}

impl LogCheck {
    /// Whether everything is what was signed.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn add(&mut self, subject: &str, index: Option<u64>, detail: String) {
        if self.findings.len() < MOST {
            self.findings.push(LogFinding { subject: subject.to_owned(), index, detail });
        }
    }
}

impl Differences {
    fn add(&mut self, index: u64, what: &'static str) {
        if self.entries.len() < MOST {
            self.entries.push((index, what));
        }
    }
}

impl Rows {
    async fn head(&mut self) -> Result<(Option<Head>, Vec<String>, u64), Error> {
        match self {
            Self::Any(db) => head(&mut db.read().await?).await,
            Self::One(connection) => head(connection).await,
        }
    }

    async fn entries(&mut self, from: u64, count: u16) -> Result<Vec<log::LoggedEntry>, Error> {
        let (from, count) = (signed(from), u32::from(count));
        Ok(match self {
            Self::Any(db) => log::entries(&mut db.read().await?, from, count).await?,
            Self::One(connection) => log::entries(connection, from, count).await?,
        })
    }
}

async fn head(connection: &mut Connection) -> Result<(Option<Head>, Vec<String>, u64), Error> {
    let head = log::head(connection).await?.as_ref().map(Head::read).transpose()?;
    let keys = log::keys(connection).await?.into_iter().map(|key| key.verifier).collect();
    Ok((head, keys, unsigned(log::size(connection).await?)))
}
