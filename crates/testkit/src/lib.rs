//! Starts the real binary, builds images, speaks raw HTTP: what tests of several crates share.
