use std::fmt;

use plura_meta::{Timestamp, repository, tag, tag_event, tag_event::TagEvent};
use plura_oci::{HistoryPage, Page, RepositoryName, Tag};

use crate::{Error, Registry};

/// One page of names, in byte order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The page.
    pub names: Vec<String>,
    /// Whether there are more behind it.
    pub more: bool,
}

/// A part of a tag's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagHistory {
    /// The entries, the newest first.
    pub entries: Vec<TagEvent>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Which repositories somebody may read.
pub enum Readable {
    /// All of them.
    Everything,
    /// Those in these projects that the function says yes to.
    Within {
        /// Names of projects, in any order: what is in others is not even looked at.
        projects: Vec<String>,
        /// Whether a repository in one of them may be read.
        covers: Box<dyn Fn(&RepositoryName) -> bool + Send + Sync>,
    },
}

impl Readable {
    /// Whether the repository may be read.
    pub fn contains(&self, name: &RepositoryName) -> bool {
        match self {
            Self::Everything => true,
            Self::Within { covers, .. } => covers(name),
        }
    }
}

impl fmt::Debug for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("Everything"),
            Self::Within { projects, .. } => f.debug_tuple("Within").field(projects).finish(),
        }
    }
}

impl Registry {
    /// The repositories that somebody may read, by name. What a page costs grows with the page and
    /// with what must be left out of the projects on it, not with the number of repositories.
    pub async fn repositories(&self, page: &Page, readable: &Readable) -> Result<Names, Error> {
        let mut connection = self.db().read().await?;
        let start = behind(page).map(following).unwrap_or_default();
        let Readable::Within { projects, covers } = readable else {
            let found = repository::list(&mut connection, &start, None, one_more(page)).await?;
            return Ok(Names::cut(found, page));
        };
        let (wanted, mut found) = (one_more(page) as usize, Vec::new());
        for (first, end) in ranges(projects) {
            let mut from = first.max(start.clone());
            while found.len() < wanted {
                let names = repository::list(&mut connection, &from, Some(&end), one_more(page));
                let names = names.await?;
                let Some(last) = names.last() else { break };
                from = following(last);
                let readable = |name: &String| name.parse().is_ok_and(|name| covers(&name));
                found.extend(names.into_iter().filter(readable));
            }
        }
        Ok(Names::cut(found, page))
    }

    /// What a tag pointed at, and when it was deleted: the newest first, whether there is the tag now or not.
    /// Of a repository that there is not, nothing.
    pub async fn tag_history(
        &self,
        name: &RepositoryName,
        tag: &Tag,
        page: &HistoryPage,
    ) -> Result<TagHistory, Error> {
        let mut connection = self.db().read().await?;
        let Some(id) = repository::find(&mut connection, name).await? else {
            return Ok(TagHistory::default());
        };
        let filter = tag_event::Filter {
            before: page.before_millisecond().map(Timestamp),
            since: page.since_millisecond().map(Timestamp),
            digest: page.digest.map(|digest| digest.to_string()),
        };
        let wanted = page.size();
        let mut entries = tag_event::list(&mut connection, id, tag, &filter, wanted + 1).await?;
        let more = entries.len() > wanted as usize;
        entries.truncate(wanted as usize);
        Ok(TagHistory { entries, more })
    }

    /// The tags of a repository, by name.
    pub async fn tags(&self, name: &RepositoryName, page: &Page) -> Result<Names, Error> {
        let mut connection = self.db().read().await?;
        let id = repository::find(&mut connection, name).await?;
        let id = id.ok_or_else(|| Error::RepositoryUnknown(name.clone()))?;
        let found = tag::list(&mut connection, id, behind(page), one_more(page)).await?;
        Ok(Names::cut(found, page))
    }
}

/// Where the repositories of projects stand among all names: first name and what is behind the last.
///
/// A project's own name and the names below it do not stand together: `apps`, `apps-x/a`, `apps/a`.
fn ranges(projects: &[String]) -> Vec<(String, String)> {
    let of = |project: &String| {
        // `0` follows `/`, and a space precedes every character of a name.
        [(project.clone(), format!("{project} ")), (format!("{project}/"), format!("{project}0"))]
    };
    let mut ranges: Vec<_> = projects.iter().flat_map(of).collect();
    ranges.sort_unstable();
    ranges.dedup();
    ranges
}

/// What a page begins behind. Clients may write anything there, also a zero byte, which no name has and
/// PostgreSQL does not take; no name is between the text before it and the whole.
fn behind(page: &Page) -> Option<&str> {
    page.after.as_deref().map(|after| after.split('\0').next().unwrap_or_default())
}

/// Where the names behind one begin: no name is between it and this, since none has such a character.
fn following(name: &str) -> String {
    format!("{name}\u{1}")
}

/// One more than the page holds tells whether there are more.
fn one_more(page: &Page) -> u32 {
    page.size().saturating_add(1)
}

impl Names {
    fn cut(mut names: Vec<String>, page: &Page) -> Self {
        let size = page.size() as usize;
        let more = names.len() > size && size > 0;
        names.truncate(size);
        Self { names, more }
    }
}
