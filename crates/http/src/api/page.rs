//! Lists that are answered in pages.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::{auth::bad_request, error::ApiError};

/// What a page of a list begins behind, and how much is on it.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct Page {
    /// Begin behind this: `next` of the page before.
    #[param(max_length = 255)]
    after: Option<String>,
    /// The most entries of the page.
    #[serde(default = "usual")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

const LARGEST: u32 = 1000;
const LONGEST_NAME: usize = 255;

const fn usual() -> u32 {
    100
}

impl Page {
    /// The page, if it can be one.
    pub(super) fn checked(self) -> Result<Self, ApiError> {
        if !(1..=LARGEST).contains(&self.limit) {
            return Err(bad_request(&format!("limit: expected 1 to {LARGEST}")));
        }
        if self.after.as_ref().is_some_and(|after| after.len() > LONGEST_NAME) {
            return Err(bad_request("after: expected `next` of the page before"));
        }
        Ok(self)
    }

    /// What it begins behind. No name has a zero byte, and no name is between the text before one and
    /// the whole; PostgreSQL takes no text with one.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref().map(|after| after.split('\0').next().unwrap_or_default())
    }

    /// How much to ask for: one more than is answered tells whether there is more.
    pub(super) const fn wanted(&self) -> u32 {
        self.limit + 1
    }

    /// The entries of the page, and what the next one begins behind.
    pub(super) fn cut<T>(
        &self,
        mut found: Vec<T>,
        name: impl Fn(&T) -> &str,
    ) -> (Vec<T>, Option<String>) {
        let limit = self.limit as usize;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| name(last).to_owned());
        (found, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_begins_where_this_one_ends() {
        let page = |limit| Page { after: None, limit };
        let names = |count: u8| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
        for (found, limit, kept, next) in
            [(0, 2, 0, None), (2, 2, 2, None), (3, 2, 2, Some("1")), (1, 1000, 1, None)]
        {
            let (entries, behind) = page(limit).cut(names(found), |name| name);
            assert_eq!((entries.len(), behind.as_deref()), (kept, next), "{found} of {limit}");
        }
        assert!(page(0).checked().is_err());
        assert!(page(1001).checked().is_err());
    }
}
