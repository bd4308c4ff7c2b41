//! What a channel can go back to, by its history.

use plura_meta::{
    Timestamp,
    channel::{Move, MoveKind, Pointer},
};
use plura_oci::Digest;

/// What a channel can go back to, the last first: what was there before, was not rolled back from since it
/// came there last, and is not there now. `moves` are those of its history, the last first.
pub(crate) fn candidates<'m>(moves: &'m [Move], now_there: &Digest) -> Vec<&'m Move> {
    let mut seen = vec![*now_there];
    let mut left = Vec::new();
    let mut found = Vec::new();
    for made in moves {
        if made.kind == MoveKind::Rollback {
            left.extend(made.previous.filter(|previous| !seen.contains(previous)));
        }
        if seen.contains(&made.digest) {
            continue;
        }
        // What came there last decides: an image that was rolled back from may have been promoted again.
        seen.push(made.digest);
        if !left.contains(&made.digest) {
            found.push(made);
        }
    }
    found
}

/// As if an image had been there: for those who may put aside that it was not.
pub(super) fn never_there(pointer: &Pointer, digest: Digest) -> Move {
    Move {
        channel: pointer.id,
        number: 0,
        at: Timestamp::default(),
        kind: MoveKind::Promotion,
        digest,
        previous: None,
        repository: pointer.repository.clone(),
        place: pointer.place.clone(),
        promotion: None,
        actor: String::new(),
        reason: String::new(),
        decision: None,
        position: 0,
        took: 0,
    }
}
