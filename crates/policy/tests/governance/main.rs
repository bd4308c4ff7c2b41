//! The document that governs, from its text to its decisions.

mod analysis;
mod changes;
mod document;
mod expressions;
mod gates;
mod given;
mod hostile;
mod order;
mod properties;
mod pulls;
mod tags;
