//! Tests of the binary from outside: over HTTP, over signals, over its files.

<<<<<<< HEAD
mod api;
=======
mod access;
>>>>>>> attacks
mod distribution;
mod operating;
