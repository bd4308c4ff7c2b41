use plura_meta::{repository, tag};
use plura_oci::{Page, RepositoryName};

use crate::{Error, Registry};

impl Registry {
    /// The repositories that hold a manifest, by name.
    pub async fn repositories(&self, page: &Page) -> Result<Vec<String>, Error> {
        Ok(repository::list(&mut self.db().read().await?, page).await?)
    }

    /// The tags of a repository, by name.
    pub async fn tags(&self, name: &RepositoryName, page: &Page) -> Result<Vec<String>, Error> {
        let mut connection = self.db().read().await?;
        let id = repository::find(&mut connection, name).await?;
        let id = id.ok_or_else(|| Error::RepositoryUnknown(name.clone()))?;
        Ok(tag::list(&mut connection, id, page).await?)
    }
}
