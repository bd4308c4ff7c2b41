//! Tests of the binary from outside: over HTTP, over signals, over its files.

mod access;
mod api;
mod channels;
mod distribution;
mod events;
mod governance;
mod identities;
mod images;
mod log;
mod operating;
mod replicas;
mod retention;
mod trust;
mod vulnerabilities;
