use jiff::{SignedDuration, Timestamp};
use plura_oci::Digest;

use super::Exception;
use crate::{
    Match,
    openvex::{VexDocument, VexStatement, VexStatus},
};

/// An image by everything that it is called.
#[derive(Clone, Copy, Debug)]
pub struct ImageNames<'a> {
    /// Of its manifest, and of the indexes that it is in.
    pub digests: &'a [Digest],
    /// The repository that it is in.
    pub repository: &'a str,
    /// The project of the repository.
    pub project: &'a str,
}

/// What is left of the matches of an image, and why the others are not.
#[derive(Debug, Default)]
pub struct Applied<'a> {
    /// What counts.
    pub open: Vec<&'a Match>,
    /// What does not count, and who says so.
    pub suppressed: Vec<Suppressed<'a>>,
    /// What counts although somebody is looking into it or says that it is so.
    pub noted: Vec<Noted<'a>>,
    /// Exceptions that hold and are about this image, which has nothing that they cover.
    pub unused: Vec<&'a Exception>,
    /// Exceptions about this image that are over.
    pub expired: Vec<&'a Exception>,
    /// Exceptions about this image that hold and soon will not.
    pub expiring: Vec<&'a Exception>,
}

/// A match that does not count.
#[derive(Clone, Copy, Debug)]
pub struct Suppressed<'a> {
    /// What was found.
    pub found: &'a Match,
    /// Why it does not count.
    pub by: SuppressedBy<'a>,
}

/// A match with a statement that does not suppress it.
#[derive(Clone, Copy, Debug)]
pub struct Noted<'a> {
    /// What was found.
    pub found: &'a Match,
    /// What is said about it.
    pub statement: &'a VexStatement,
}

/// Why a match does not count.
#[derive(Clone, Copy, Debug)]
pub enum SuppressedBy<'a> {
    /// It was decided to live with it.
    Exception(&'a Exception),
    /// The image does not have it, says the VEX statement of that document.
    Vex(&'a VexStatement, &'a VexDocument),
}

/// Sorts the matches of an image by what is said about them at a time. Documents must be such as
/// may be believed; nothing is verified here.
///
/// Of several VEX statements about one match the newest counts. What VEX says comes before
/// exceptions, since an image that does not have something needs none for it.
pub fn apply<'a>(
    matches: &'a [Match],
    exceptions: &'a [Exception],
    documents: &'a [VexDocument],
    image: &ImageNames<'_>,
    at: Timestamp,
    warning: SignedDuration,
) -> Applied<'a> {
    let about: Vec<&Exception> = exceptions.iter().filter(|known| known.is_about(image)).collect();
    let holding: Vec<&Exception> = about.iter().copied().filter(|known| known.holds(at)).collect();
    let mut used = vec![false; holding.len()];
    let mut applied = Applied::default();
    for found in matches {
        // Which exceptions are of use does not depend on which one is named.
        let covering: Vec<usize> =
            (0..holding.len()).filter(|i| holding[*i].covers(found)).collect();
        for index in &covering {
            used[*index] = true;
        }
        let newest = newest_statement(documents, found, image, at);
        if let Some((statement, document)) = newest.filter(|(newest, _)| newest.status.clears()) {
            let by = SuppressedBy::Vex(statement, document);
            applied.suppressed.push(Suppressed { found, by });
        } else if let Some(index) = covering.first() {
            let by = SuppressedBy::Exception(holding[*index]);
            applied.suppressed.push(Suppressed { found, by });
        } else {
            applied.open.push(found);
            applied.noted.extend(newest.map(|(statement, _)| Noted { found, statement }));
        }
    }
    let soon = at.saturating_add(warning).unwrap_or(Timestamp::MAX);
    let unused = holding.iter().zip(&used).filter(|(_, used)| !**used);
    applied.unused = unused.map(|(exception, _)| *exception).collect();
    applied.expiring = holding.iter().copied().filter(|known| known.is_expired(soon)).collect();
    applied.expired = about.into_iter().filter(|known| known.is_expired(at)).collect();
    applied
}

fn newest_statement<'a>(
    documents: &'a [VexDocument],
    found: &Match,
    image: &ImageNames<'_>,
    at: Timestamp,
) -> Option<(&'a VexStatement, &'a VexDocument)> {
    let statements = documents.iter().flat_map(|document| {
        document.statements.iter().map(move |statement| (statement, document))
    });
    let about = statements.filter(|(statement, document)| {
        statement.timestamp <= at && statement.is_about(found, image, document.subject.as_ref())
    });
    // Of two that are equally old, the one that suppresses nothing.
    about.max_by_key(|(statement, _)| (statement.timestamp, !statement.status.clears()))
}

impl VexStatus {
    /// Whether it says that the image does not have the vulnerability.
    pub fn clears(self) -> bool {
        matches!(self, Self::NotAffected | Self::Fixed)
    }
}
