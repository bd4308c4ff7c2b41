//! Starts the real binary, builds images, speaks raw HTTP: what tests of several crates share.
//!
//! Nothing here uses the code under test: digests, names and HTTP are written down a second time,
//! so that a mistake in the server cannot hide behind the same mistake in its tests. Everything
//! panics with a message that names the request and shows the answer, because only tests call it.

#![expect(
    clippy::missing_panics_doc,
    reason = "panicking with a readable message is what a test helper does when it is unhappy"
)]
#![expect(
    clippy::return_self_not_must_use,
    reason = "an assertion on an answer is made by the call; the answer is returned to chain more"
)]

mod answer;
mod client;
mod command;
mod digest;
mod eventually;
mod http;
mod image;
mod issuer;
mod json;
mod jwt;
pub mod postgres;
mod proxy;
mod random;
pub mod raw;
mod receiver;
mod repository;
mod s3;
mod server;
mod update_repository;
mod upload;
mod web_server;

pub use answer::Answer;
pub use client::{Client, Request};
pub use command::Outcome;
pub use digest::{Algorithm, digest};
pub use eventually::eventually;
pub use image::{Blob, Image, Manifest, media_type};
pub use issuer::{Issuer, LoginClient, Mishap};
pub use json::{assert_json, assert_json_contains};
pub use jwt::Jwt;
pub use proxy::{Passage, Proxy};
pub use random::Random;
pub use receiver::{Delivered, Receiver, Reception};
pub use repository::{PushMethod, Repository};
pub use s3::{S3, S3Mishap, S3Request};
pub use server::{Builder, Ended, Server};
pub use update_repository::{Publication, UpdateMirror, UpdateRepository};
pub use upload::Upload;
pub use web_server::{WebReply, WebRequest, WebServer};
