/// Why nothing is told, or nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such webhook.
    #[error("there is no webhook `{0}`")]
    WebhookUnknown(String),
    /// There is one of that name.
    #[error("there is a webhook `{0}` already")]
    WebhookExists(String),
    /// There is no such job.
    #[error("there is no job `{0}`; `plura jobs list` names all")]
    JobUnknown(String),
    /// Nobody may let it stand still, or go slower.
    #[error("`{0}` always works as it does: what happens meanwhile would be lost")]
    JobAlways(&'static str),
    /// There is no such project.
    #[error("there is no project `{0}`")]
    ProjectUnknown(String),
    /// There are as many as there may be.
    #[error("there are {0} webhooks, which is as many as there may be; remove one")]
    TooMany(usize),
    /// A value cannot be one.
    #[error("{field}: {expected}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What was expected.
        expected: String,
    },
    /// Connections cannot be prepared.
    #[error("cannot prepare connections: {0}")]
    Connections(String),
    /// Metadata could not be read or changed.
    #[error(transparent)]
    Metadata(#[from] plura_meta::Error),
}

impl Error {
    pub(crate) fn invalid(field: &'static str, expected: impl Into<String>) -> Self {
        Self::Invalid { field, expected: expected.into() }
    }
}

impl plura_meta::Failure for Error {
    fn of_database(&self) -> Option<&plura_meta::Error> {
        match self {
            Self::Metadata(error) => Some(error),
            _ => None,
        }
    }
}
