//! What a change means: of a document, what became stricter and what laxer; of a decision, what another
//! document or another fact would have changed.

mod decisions;
mod directions;
mod documents;

pub use decisions::{DecisionChange, OutcomeChange, between};
pub use documents::{Change, Direction, DocumentChange, compare};
