//! Asking which images have a vulnerability, a package, or something new.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plura_advisories::{Ecosystem, Match, VersionOrder};
use plura_meta::{
    PackageId,
    whereabouts::{self, FoundPackage, ImagePlace, Place},
};
use plura_oci::Digest;
use plura_registry::Readable;
use serde::Serialize;

use crate::{
    Error, Vulnerabilities, VulnerablePackage, ask::read_match, instant, package::PackageDocument,
};

/// Pages that are looked through for the sake of one answer, where most of what is there may not be read.
const MOST_PAGES: usize = 20;
/// Rows that are looked at together.
const PAGE: u32 = 1000;
/// Names under which the images of a page can be pulled.
const MOST_PLACES: u32 = 100_000;
/// Versions and releases of one name.
const MOST_NAMED: u32 = 10_000;

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// A vulnerability, by any of its names.
    Vulnerability(String),
    /// A package.
    Package(PackageQuery),
    /// What was found since, because an advisory is new or an image is.
    Since(Timestamp),
}

/// Which package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageQuery {
    /// Its name.
    pub name: String,
    /// Where it comes from, with or without a release.
    pub ecosystem: Option<String>,
    /// Only versions in front of this one.
    pub below: Option<String>,
}

/// A page of what was found.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SearchAnswer {
    /// The images.
    pub found: Vec<FoundImage>,
    /// Where the next page begins, if there is more.
    pub next: Option<String>,
}

/// An image that has what was looked for.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct FoundImage {
    /// The image.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Where it can be pulled.
    pub places: Vec<FoundPlace>,
    /// The package.
    pub package: VulnerablePackage,
    /// The vulnerability, unless a package was looked for.
    pub vulnerability: Option<String>,
    /// How severe it is.
    pub severity: Option<String>,
    /// Versions that fix it.
    pub fixed: Vec<String>,
    /// Since when the image is known to have it.
    #[schema(value_type = String)]
    pub first_seen_at: Timestamp,
}

/// A repository that has an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FoundPlace {
    /// The repository.
    pub repository: String,
    /// Its tags there, and those of indexes that have it.
    pub tags: Vec<String>,
}

/// A search as it is carried out.
enum Query {
    Vulnerability(String),
    Packages(Vec<PackageId>),
    Since(plura_meta::Timestamp),
}

impl Vulnerabilities {
    /// The images that have what is looked for and may be read, behind `after`; at most `limit`. A page may
    /// have less although there is more, which `next` tells.
    pub async fn search(
        &self,
        search: &Search,
        after: Option<&str>,
        limit: usize,
        readable: &Readable,
    ) -> Result<SearchAnswer, Error> {
        let mut place = after.map(read_place).transpose()?.unwrap_or_default();
        let query = self.prepare(search).await?;
        let mut found = Vec::new();
        for _ in 0..MOST_PAGES {
            let rows = self.page(&query, &place).await?;
            let is_last = rows.len() < PAGE as usize;
            let mut places = self.places(&rows, readable).await?;
            for row in rows {
                let there = places.get_mut(&row.digest).filter(|there| !there.is_empty());
                if let Some(there) = there {
                    if found.len() == limit {
                        return Ok(SearchAnswer { found, next: Some(place_text(&place)) });
                    }
                    found.push(entry(&row, there.clone())?);
                }
                place = row.place;
            }
            if is_last {
                return Ok(SearchAnswer { found, next: None });
            }
        }
        Ok(SearchAnswer { found, next: Some(place_text(&place)) })
    }

    async fn prepare(&self, search: &Search) -> Result<Query, Error> {
        Ok(match search {
            Search::Vulnerability(name) => {
                let loaded = self.loaded().await?;
                let name = loaded.set.canonical(name).unwrap_or(name);
                Query::Vulnerability(name.replace('\0', ""))
            }
            Search::Package(query) => Query::Packages(self.packages(query).await?),
            Search::Since(since) => Query::Since(crate::timestamp(*since)),
        })
    }

    async fn page(&self, query: &Query, after: &Place) -> Result<Vec<FoundPackage>, Error> {
        let mut connection = self.db().read().await?;
        let connection = &mut connection;
        Ok(match query {
            Query::Vulnerability(name) => {
                whereabouts::with_vulnerability(connection, name, after, PAGE).await?
            }
            Query::Packages(packages) => {
                whereabouts::with_packages(connection, packages, after, PAGE).await?
            }
            Query::Since(since) => {
                whereabouts::found_since(connection, *since, after, PAGE).await?
            }
        })
    }

    /// The packages of that name, from there, in front of that version. What cannot be compared is among
    /// them: it may be.
    async fn packages(&self, query: &PackageQuery) -> Result<Vec<PackageId>, Error> {
        let name = query.name.replace('\0', "");
        let named = whereabouts::named(&mut self.db().read().await?, &name, MOST_NAMED).await?;
        let mut found = Vec::new();
        for package in named {
            if is_wanted(&PackageDocument::read(&package.document)?, query) {
                found.push(package.id);
            }
        }
        Ok(found)
    }

    /// Where the images can be pulled by who asks.
    pub(crate) async fn places(
        &self,
        rows: &[FoundPackage],
        readable: &Readable,
    ) -> Result<BTreeMap<Digest, Vec<FoundPlace>>, Error> {
        let mut images: Vec<Digest> = rows.iter().map(|row| row.digest).collect();
        images.sort_unstable();
        images.dedup();
        let mut connection = self.db().read().await?;
        let places = whereabouts::places(&mut connection, &images, MOST_PLACES).await?;
        let mut by_image: BTreeMap<Digest, Vec<FoundPlace>> = BTreeMap::new();
        for ImagePlace { digest, repository, tag } in places {
            if !readable.contains(&repository) {
                continue;
            }
            let there = by_image.entry(digest).or_default();
            let tags = tag.into_iter().map(|tag| tag.to_string());
            match there.last_mut().filter(|last| last.repository == repository.as_str()) {
                Some(last) => last.tags.extend(tags),
                None => there
                    .push(FoundPlace { repository: repository.to_string(), tags: tags.collect() }),
            }
        }
        Ok(by_image)
    }
}

fn is_wanted(package: &PackageDocument, query: &PackageQuery) -> bool {
    let advised = package.advised();
    let ecosystem = advised.as_ref().map(|advised| &advised.ecosystem);
    if let Some(wanted) = &query.ecosystem {
        let wanted = Ecosystem::from(wanted.as_str());
        let release = wanted.canonical_release();
        let is_from_there = ecosystem.is_some_and(|own| {
            own.family().as_str().eq_ignore_ascii_case(wanted.family().as_str())
                && (release.is_empty() || own.canonical_release() == release)
        });
        if !is_from_there {
            return false;
        }
    }
    let Some(below) = &query.below else { return true };
    let order = ecosystem.and_then(Ecosystem::order);
    order.is_none_or(|order| is_below(order, &package.package.version, below))
}

fn is_below(order: VersionOrder, version: &str, bound: &str) -> bool {
    match (order.key(version), order.key(bound)) {
        (Ok(version), Ok(bound)) => version.as_bytes() < bound.as_bytes(),
        _ => true,
    }
}

fn entry(row: &FoundPackage, places: Vec<FoundPlace>) -> Result<FoundImage, Error> {
    let document = PackageDocument::read(&row.package)?;
    let purl = document.purl.clone();
    let found = match &row.found {
        Some((document, first_seen)) => Some((read_match(document)?, *first_seen)),
        None => None,
    };
    let package = match (&found, document.advised()) {
        (Some((found, _)), _) => VulnerablePackage::of(&found.package, purl),
        (None, Some(package)) => VulnerablePackage::of(&package, purl),
        (None, None) => VulnerablePackage {
            name: document.package.name.clone(),
            version: document.package.version.clone(),
            ecosystem: document.origin(),
            source: None,
            purl,
        },
    };
    let first_seen = found.as_ref().map_or(row.read_at, |(_, seen)| (*seen).max(row.read_at));
    let found: Option<Match> = found.map(|(found, _)| found);
    Ok(FoundImage {
        digest: row.digest,
        places,
        package,
        vulnerability: found.as_ref().map(|found| found.vulnerability.to_string()),
        severity: found.as_ref().map(|found| found.severity.band.to_string()),
        fixed: found.iter().flat_map(|found| &found.fixed).map(ToString::to_string).collect(),
        first_seen_at: instant(first_seen),
    })
}

fn place_text(place: &Place) -> String {
    format!("{}.{}.{}", place.package, place.image, place.vulnerability)
}

fn read_place(text: &str) -> Result<Place, Error> {
    let wrong = || Error::Search("after: expected `next` of the page before".to_owned());
    let mut parts = text.splitn(3, '.');
    let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or_else(wrong);
    let (package, image) = (number()?, number()?);
    let vulnerability = parts.next().filter(|name| !name.contains('\0')).ok_or_else(wrong)?;
    Ok(Place { package, image, vulnerability: vulnerability.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let place = Place { package: 7, image: 12, vulnerability: "CVE-2026-1.x".into() };
        assert_eq!(read_place(&place_text(&place)).unwrap(), place);
        for text in ["", "1", "1.2", "a.2.b", "1.2.\0"] {
            assert!(read_place(text).is_err(), "{text}");
        }
    }

    #[test]
    fn versions_are_compared_as_their_ecosystem_does() {
        let package = |version: &str| {
            PackageDocument::read(&format!(
                r#"{{"package":{{"kind":"deb","name":"a","version":"{version}"}},
                    "distribution":{{"id":"debian","version_id":"12"}}}}"#
            ))
            .unwrap()
        };
        let query = |ecosystem: &str, below: &str| PackageQuery {
            name: "a".into(),
            ecosystem: Some(ecosystem.into()),
            below: Some(below.into()),
        };
        for (version, query, expected) in [
            ("1.9", query("Debian", "1.10"), true),
            ("1.10", query("debian:12", "1.10"), false),
            ("1.10~rc1", query("Debian:12.5", "1.10"), true),
            ("1.9", query("Debian:11", "1.10"), false),
            ("1.9", query("npm", "1.10"), false),
        ] {
            assert_eq!(is_wanted(&package(version), &query), expected, "{version} {query:?}");
        }
    }
}
