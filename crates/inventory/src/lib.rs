//! What is in an image: packages, operating system, base, configuration and baked-in secrets.
//!
//! A layer is read once, as a stream, by [`read_layer`] into [`LayerFacts`], which are kept;
//! [`combine`] makes the [`ImageFacts`] of the layers of an image without reading them again.
//! Everything that is read is bounded by [`Limits`]: layers come from whoever may push. This crate
//! is synchronous and does no I/O but reading from what it is given.

mod base;
mod combine;
mod configuration;
mod error;
mod evidence;
mod executable;
mod json;
mod layer;
mod limits;
mod os_release;
mod package;
mod packages;
mod path_set;
mod purl;
mod sbom;
mod secrets;
mod zip;

pub use base::{DeclaredBase, declared_base, longest_known_base};
pub use combine::{ImageFacts, ImageFinding, ImageLayer, ImagePackage, combine};
pub use configuration::{ConfigurationError, ImageConfiguration, Variable};
pub use error::{LayerError, Place};
pub use evidence::{Evidence, LayerFacts, Note};
pub use layer::read_layer;
pub use limits::{Limit, Limits};
pub use os_release::OsRelease;
pub use package::{Package, PackageKind, SourcePackage};
pub use path_set::PathSet;
pub use purl::{Purl, purl};
pub use sbom::{
    Difference, ForeignPackage, SbomError, SbomSubject, VersionDifference, cyclonedx, difference,
    read_sbom, spdx,
};
pub use secrets::{Finding, Rule};

pub mod parse {
    //! The readers of single files, as fuzz targets and tests call them.
    pub use crate::executable::packages as executable;
    pub use crate::packages::parse_for_tests::*;
    pub use crate::zip::visit as zip;
}
