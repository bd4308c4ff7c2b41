//! Tests of the binary from outside: over HTTP, over signals, over its files.

mod access;
mod api;
mod distribution;
mod governance;
mod identities;
mod images;
mod operating;
mod replicas;
mod trust;
mod vulnerabilities;
