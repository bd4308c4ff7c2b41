//! The readers of what says that packages are installed.

mod apk;
mod cargo;
mod composer;
mod dotnet;
mod dpkg;
mod gem;
mod go;
mod java;
mod npm;
mod python;
mod rpm;

pub(crate) use apk::read as apk;
pub(crate) use cargo::{find as find_cargo, read as cargo};
pub(crate) use composer::read as composer;
pub(crate) use dotnet::read as dotnet;
pub(crate) use dpkg::{licenses as debian_licenses, read as dpkg};
pub(crate) use gem::read as gemspec;
pub(crate) use go::read as go;
pub(crate) use java::{is_archive as is_java_archive, read as java};
pub(crate) use npm::read as npm;
pub(crate) use python::read as python;
pub(crate) use rpm::{bdb as rpm_bdb, ndb as rpm_ndb, sqlite as rpm_sqlite};

use crate::{Limit, Package};

/// Why a file does not say what it should; the layer as a whole is read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub &'static str);

/// The packages that were found, up to a limit.
#[derive(Debug)]
pub struct Found {
    packages: Vec<Package>,
    room: u64,
    bytes: u64,
    exceeded: Option<Limit>,
}

impl Found {
    /// With room for so many packages, and for so many bytes of them.
    pub fn with_room(packages: u64, bytes: u64) -> Self {
        Self { packages: Vec::new(), room: packages, bytes, exceeded: None }
    }

    /// Adds a package, if that is one.
    pub(crate) fn push(&mut self, package: Option<Package>) {
        let Some(package) = package else { return };
        let kept = package.kept_bytes();
        if self.room == 0 {
            self.exceeded = Some(Limit::Packages);
        } else if self.bytes < kept {
            self.exceeded = Some(Limit::KeptBytes);
        } else {
            self.room -= 1;
            self.bytes -= kept;
            self.packages.push(package);
        }
    }

    /// Whether more would be of no use.
    pub(crate) fn is_full(&self) -> bool {
        self.exceeded.is_some()
    }

    /// The packages in a stable order, each once; or the limit that they exceeded.
    pub fn finish(mut self) -> Result<Vec<Package>, Limit> {
        if let Some(limit) = self.exceeded {
            return Err(limit);
        }
        self.packages.sort_unstable();
        self.packages.dedup();
        self.packages.shrink_to_fit();
        Ok(self.packages)
    }
}

/// The readers by name, for fuzz targets and tests.
pub(crate) mod parse_for_tests {
    pub use super::{
        Found, Unreadable, apk::read as apk, composer::read as composer, dotnet::read as dotnet,
        dpkg::licenses as debian_licenses, dpkg::read as dpkg, gem::read as gemspec,
        java::read as java, npm::read as npm, python::read as python, rpm::bdb as rpm_bdb,
        rpm::ndb as rpm_ndb, rpm::sqlite as rpm_sqlite,
    };
}
