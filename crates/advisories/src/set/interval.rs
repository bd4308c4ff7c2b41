//! Events of OSV ranges, brought into intervals of version keys.
//!
//! OSV schema, "Evaluation": the events are sorted by version and gone through; a version is affected
//! if it is introduced at or below it, and neither fixed at or below it nor last affected below it.

use super::pool::{Pool, PoolBuilder, Symbol};
use crate::{VersionOrder, osv::Event};

/// Versions that are affected: from one, if there is a first, up to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) from: Option<Bound>,
    pub(crate) end: End,
}

/// A version as it was written, and its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) key: Symbol,
    pub(crate) text: Symbol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing ends it.
    Never,
    /// The version that fixes it.
    Fixed(Bound),
    /// The last version that has it.
    LastAffected(Bound),
    /// Nothing is said from this version on.
    Limit(Bound),
}

impl Interval {
    pub(crate) fn contains(&self, key: &[u8], pool: &Pool) -> bool {
        let begun = self.from.is_none_or(|from| pool.bytes(from.key) <= key);
        begun
            && match self.end {
                End::Never => true,
                End::Fixed(bound) | End::Limit(bound) => key < pool.bytes(bound.key),
                End::LastAffected(bound) => key <= pool.bytes(bound.key),
            }
    }
}

/// An event and its place: a key, or in front of all keys.
struct Placed {
    key: Option<Box<[u8]>>,
    /// At one version, being introduced comes first and being fixed second, so that what is fixed where
    /// it was introduced affects nothing.
    rank: u8,
    end: Option<End>,
    bound: Option<Bound>,
}

/// The intervals between events, or why there is nothing to be said about them.
pub(crate) fn intervals(
    events: &[Event],
    order: VersionOrder,
    pool: &mut PoolBuilder,
) -> Result<Vec<Interval>, String> {
    let mut placed = Vec::with_capacity(events.len());
    let mut limit: Option<(Box<[u8]>, Bound)> = None;
    let mut unlimited = false;
    for event in events {
        match event {
            Event::Introduced(version) => placed.push(introduced(version, order, pool)?),
            Event::Fixed(version) => placed.push(end(version, order, pool, End::Fixed)?),
            Event::LastAffected(version) => {
                placed.push(end(version, order, pool, End::LastAffected)?);
            }
            Event::Limit(version) if &**version == "*" => unlimited = true,
            // Versions before any one of the limits are spoken of, so only the highest counts.
            Event::Limit(version) => {
                let found = bound(version, order, pool)?;
                limit = limit.filter(|limit| limit.0 >= found.0).or(Some(found));
            }
            Event::Unknown(()) => return Err("it has an event of a kind that is not known".into()),
        }
    }
    placed.sort_by(|left, right| (&left.key, left.rank).cmp(&(&right.key, right.rank)));
    let intervals = walk(placed);
    Ok(match limit {
        Some((key, limit)) if !unlimited => cut(intervals, &key, limit, pool),
        _ => intervals,
    })
}

fn walk(placed: Vec<Placed>) -> Vec<Interval> {
    let mut intervals = Vec::new();
    let mut open: Option<Option<Bound>> = None;
    for event in placed {
        match (event.end, open) {
            (None, None) => open = Some(event.bound),
            (Some(end), Some(from)) => {
                // In front of all versions there is none, not even one that is less than 0.
                if event.key.is_some() {
                    intervals.push(Interval { from, end });
                }
                open = None;
            }
            // Introduced twice, or ended before it began.
            _ => {}
        }
    }
    if let Some(from) = open {
        intervals.push(Interval { from, end: End::Never });
    }
    intervals
}

fn cut(
    intervals: Vec<Interval>,
    limit_key: &[u8],
    limit: Bound,
    pool: &PoolBuilder,
) -> Vec<Interval> {
    let key = |bound: Bound| pool.bytes(bound.key);
    let before = |interval: &Interval| interval.from.is_none_or(|from| key(from) < limit_key);
    let shortened = |mut interval: Interval| {
        let reaches = match interval.end {
            End::Never => true,
            End::Fixed(bound) | End::Limit(bound) => key(bound) > limit_key,
            End::LastAffected(bound) => key(bound) >= limit_key,
        };
        if reaches {
            interval.end = End::Limit(limit);
        }
        interval
    };
    intervals.into_iter().filter(before).map(shortened).collect()
}

fn introduced(
    version: &str,
    order: VersionOrder,
    pool: &mut PoolBuilder,
) -> Result<Placed, String> {
    if version == "0" {
        return Ok(Placed { key: None, rank: 0, end: None, bound: None });
    }
    let (key, bound) = bound(version, order, pool)?;
    Ok(Placed { key: Some(key), rank: 0, end: None, bound: Some(bound) })
}

fn end(
    version: &str,
    order: VersionOrder,
    pool: &mut PoolBuilder,
    kind: fn(Bound) -> End,
) -> Result<Placed, String> {
    let (key, bound) = bound(version, order, pool)?;
    let end = kind(bound);
    // Debian says with "fixed in 0" that no version ever was affected.
    let never = version == "0" && matches!(end, End::Fixed(_));
    let key = (!never).then_some(key);
    let rank = if matches!(end, End::Fixed(_)) { 1 } else { 2 };
    Ok(Placed { key, rank, end: Some(end), bound: Some(bound) })
}

fn bound(
    version: &str,
    order: VersionOrder,
    pool: &mut PoolBuilder,
) -> Result<(Box<[u8]>, Bound), String> {
    let key = order.key(version).map_err(|error| error.to_string())?;
    let bound = Bound { key: pool.intern(key.as_bytes()), text: pool.intern(version.as_bytes()) };
    Ok((key.as_bytes().into(), bound))
}
