//! Retention as its users see it.

mod cost;
mod imports;
mod plans;
mod properties;
mod repository;
mod rules;
