//! Several processes on one database and one bucket, behind whatever sends each request to another of
//! them: nothing that must be true is only in a process.

mod chaos;
mod cluster;
mod log;
mod together;
