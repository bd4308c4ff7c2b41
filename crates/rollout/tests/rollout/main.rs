//! Figures and traffic, through real sockets.

mod given;
mod measuring;
mod prometheus;
mod shifting;
