//! Who may do what: a server with an administrator, met by everybody who is not supposed to get in,
//! and by those who are.
//!
//! What is expected is written down here and never asked of the code under test. Every test has a
//! server of its own.

mod api_table;
mod audit;
mod browsers;
mod closed;
mod crashes;
mod escalation;
mod forgery;
mod grid;
mod guessing;
mod isolation;
mod jobs;
mod leaks;
mod limits;
mod names;
mod people;
mod proxies;
mod quotas;
mod revocation;
mod table;
mod tokens;

use closed::Closed;
pub(crate) use closed::{
    ADMINISTRATOR, Account, Closed as ClosedServer, ask_for_token, docker_token, exchange, text,
};
