use plura_meta::{repository, tag};
use plura_oci::{Page, RepositoryName};

use crate::{Error, Registry};

/// One page of names, in byte order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The page.
    pub names: Vec<String>,
    /// Whether there are more behind it.
    pub more: bool,
}

impl Registry {
    /// The repositories, by name.
    pub async fn repositories(&self, page: &Page) -> Result<Names, Error> {
        let mut connection = self.db().read().await?;
        let after = page.after.as_deref();
        let found = repository::list(&mut connection, after, one_more(page)).await?;
        Ok(Names::cut(found, page))
    }

    /// The tags of a repository, by name.
    pub async fn tags(&self, name: &RepositoryName, page: &Page) -> Result<Names, Error> {
        let mut connection = self.db().read().await?;
        let id = repository::find(&mut connection, name).await?;
        let id = id.ok_or_else(|| Error::RepositoryUnknown(name.clone()))?;
        let after = page.after.as_deref();
        let found = tag::list(&mut connection, id, after, one_more(page)).await?;
        Ok(Names::cut(found, page))
    }
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
