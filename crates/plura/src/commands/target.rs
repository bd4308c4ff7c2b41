//! Which image of which server a command is about.

use anyhow::anyhow;
use plura_oci::{Digest, Reference, RepositoryName};

use crate::cli::{BadName, ImageName, ServerArgs, server_address};
use crate::docker_config::host_of;
use crate::exit::Hint;

/// An image, and where it is.
pub(super) struct Target {
    /// The server that has it.
    pub(super) server: ServerArgs,
    /// Its repository there.
    pub(super) repository: RepositoryName,
    /// Its tag or digest.
    pub(super) reference: Reference,
}

impl Target {
    /// The image of that name, on the server that the name begins with; else on the one that is asked.
    pub(super) fn of(image: &ImageName, server: &ServerArgs) -> anyhow::Result<Self> {
        let server = match image.host() {
            Some(host) if host != host_of(server.server.url()) => another(host, server)?,
            _ => server.clone(),
        };
        let repository = image.repository(server.server.url());
        let hint = match &repository {
            Err(BadName::OtherServer(_)) => "name the server with `--server URL` or `PLURA_SERVER`",
            _ => "names are those of repositories, such as `apps/web:1.0.0`",
        };
        let repository = repository.hint(hint)?;
        Ok(Self { server, repository, reference: image.reference.clone() })
    }

    /// `registry.example.com/apps/web`
    pub(super) fn place(&self) -> String {
        format!("{}/{}", host_of(self.server.server.url()), self.repository)
    }

    /// `apps/web@sha256:...`
    pub(super) fn named(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.repository)
    }
}

/// A token is meant for the server that it was given with.
fn another(host: &str, server: &ServerArgs) -> anyhow::Result<ServerArgs> {
    let hint = "name the server with `--server URL` or `PLURA_SERVER`";
    if server.token.as_ref().is_some_and(|token| !token.is_empty()) {
        let asked = &server.server;
        return Err(anyhow!("the image is of {host}, and the token that was given is for {asked}"))
            .hint(hint);
    }
    let address = server_address(host).map_err(|error| anyhow!(error)).hint(hint)?;
    Ok(ServerArgs { server: address, ..server.clone() })
}
