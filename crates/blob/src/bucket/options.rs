use std::{fmt, time::Duration};

use object_store::{
    BackoffConfig, Certificate, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
};

use super::named::NamedConnector;
use crate::Error;

/// Where a bucket is, how it is reached, and how much is held in memory for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketOptions {
    /// The address of the object store; AWS without one.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The name of the bucket.
    pub bucket: String,
    /// What all keys begin with, without a slash at the end; may be empty.
    pub prefix: String,
    /// The keys; without, those of the environment, or of the machine's role.
    pub keys: Option<AccessKeys>,
    /// Where clients reach the object store that are given addresses of objects; as plura does, if not
    /// set. Nothing is asked there.
    pub public_endpoint: Option<String>,
    /// Whether the bucket is the first segment of the path, and not of the host's name.
    pub path_style: bool,
    /// Whether requests may go without encryption.
    pub allow_http: bool,
    /// Authorities whose certificates count beside those of the system, PEM.
    pub authorities: Option<Vec<u8>>,
    /// How the object store is to encrypt what it keeps.
    pub encryption: Encryption,
    /// The class of storage that is asked for.
    pub storage_class: Option<String>,
    /// The size of the first parts, at least 5 MiB.
    pub part_size: u64,
    /// Whether all parts of an object but the last must be of one size.
    pub uniform_parts: bool,
    /// How many parts of an upload are sent at once.
    pub parts_in_flight: usize,
    /// How many bytes of parts all uploads of this process hold in memory; more waits.
    pub upload_memory: u64,
    /// How long an upload holds that memory without filling a part, while others wait for it.
    pub patience: Duration,
    /// How often what failed is tried again.
    pub retries: Retries,
}

/// What requests are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeys {
    /// The public half.
    pub id: String,
    /// The secret half.
    pub secret: String,
}

/// How the object store is to encrypt what it keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket does by itself.
    #[default]
    None,
    /// With keys of the object store (SSE-S3).
    Aes256,
    /// With this key of the key management service, or with its default key (SSE-KMS).
    Kms(Option<String>),
}

/// How often what failed is tried again. 503 `SlowDown` is tried again as every other 5xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How many times after the first.
    pub count: usize,
    /// The first pause; each is longer than the one before it, up to fifty times as long.
    pub pause: Duration,
    /// How long an answer may be silent.
    pub silence: Duration,
}

/// The least size of a part that is not the last, fixed by S3.
pub(super) const LEAST_PART: u64 = 5 << 20;

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeys").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self { count: 6, pause: Duration::from_millis(100), silence: Duration::from_mins(1) }
    }
}

impl Default for BucketOptions {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: "us-east-1".to_owned(),
            bucket: String::new(),
            prefix: String::new(),
            keys: None,
            public_endpoint: None,
            path_style: true,
            allow_http: false,
            authorities: None,
            encryption: Encryption::None,
            storage_class: None,
            part_size: 8 << 20,
            uniform_parts: false,
            parts_in_flight: 3,
            upload_memory: 256 << 20,
            patience: Self::PATIENCE,
            retries: Retries::default(),
        }
    }
}

/// The variables that credentials come from, and nothing else does: an address in the environment
/// would be one that no setting shows.
const CREDENTIALS: [&str; 9] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

impl BucketOptions {
    /// What is right for clients of every speed: long beside what it takes to store a part of a part, and
    /// short beside what people wait.
    pub const PATIENCE: Duration = Duration::from_secs(10);

    /// The client of the bucket, which has not asked it for anything yet.
    pub(super) fn client(&self) -> Result<AmazonS3, Error> {
        self.check()?;
        let builder = self
            .builder(self.endpoint.as_deref())
            .with_http_connector(NamedConnector)
            .with_client_options(self.client_options()?)
            .with_retry(self.retry())
            // What TLS protects needs no second hash of every byte.
            .with_unsigned_payload(self.is_encrypted());
        let builder = match &self.keys {
            Some(keys) => builder.with_access_key_id(&keys.id).with_secret_access_key(&keys.secret),
            None => from_environment(builder),
        };
        let builder = match &self.encryption {
            Encryption::None => builder,
            Encryption::Aes256 => with(builder, "aws_server_side_encryption", "AES256"),
            Encryption::Kms(None) => with(builder, "aws_server_side_encryption", "aws:kms"),
            Encryption::Kms(Some(key)) => builder.with_sse_kms_encryption(key),
        };
        builder.build().map_err(|error| Error::Options(error.to_string()))
    }

    /// What signs addresses for clients. The host is part of what is signed, so that for another host it
    /// takes another signer; the credentials are those of `client`, and fetched once for both.
    pub(super) fn signer(&self, client: &AmazonS3) -> Result<AmazonS3, Error> {
        let Some(endpoint) = &self.public_endpoint else { return Ok(client.clone()) };
        let signer = self.builder(Some(endpoint)).with_credentials(client.credentials().clone());
        signer.build().map_err(|error| Error::Options(error.to_string()))
    }

    /// The bucket, as it is called at an endpoint.
    fn builder(&self, endpoint: Option<&str>) -> AmazonS3Builder {
        let builder = AmazonS3Builder::new()
            .with_region(&self.region)
            .with_bucket_name(&self.bucket)
            .with_virtual_hosted_style_request(!self.path_style);
        match endpoint {
            Some(endpoint) => builder.with_endpoint(self.endpoint_of_bucket(endpoint)),
            None => builder,
        }
    }

    /// How the client talks.
    pub(super) fn client_options(&self) -> Result<ClientOptions, Error> {
        const CONNECT: Duration = Duration::from_secs(5);
        let mut options = ClientOptions::new()
            .with_allow_http(!self.is_encrypted())
            .with_connect_timeout(CONNECT)
            // No transfer that makes progress is cut: only silence counts.
            .with_timeout_disabled()
            .with_read_timeout(self.retries.silence)
            .with_pool_idle_timeout(Duration::from_secs(20));
        if let Some(pem) = &self.authorities {
            let bundle = Certificate::from_pem_bundle(pem);
            let bundle = bundle.map_err(|error| Error::Options(error.to_string()))?;
            options = bundle.into_iter().fold(options, ClientOptions::with_root_certificate);
        }
        Ok(options)
    }

    /// The address that the bucket's keys are below.
    pub(super) fn address(&self) -> String {
        let (region, bucket) = (&self.region, &self.bucket);
        match (&self.endpoint, self.path_style) {
            (Some(endpoint), true) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            (Some(endpoint), false) => self.endpoint_of_bucket(endpoint),
            (None, true) => format!("https://s3.{region}.amazonaws.com/{bucket}"),
            (None, false) => format!("https://{bucket}.s3.{region}.amazonaws.com"),
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.endpoint.as_ref().is_none_or(|endpoint| endpoint.starts_with("https://"))
    }

    /// The object store's own address, with the bucket's name in it where it is asked for that way.
    fn endpoint_of_bucket(&self, endpoint: &str) -> String {
        let endpoint = endpoint.trim_end_matches('/');
        match endpoint.split_once("://") {
            Some((scheme, host)) if !self.path_style => {
                format!("{scheme}://{}.{host}", self.bucket)
            }
            _ => endpoint.to_owned(),
        }
    }

    fn retry(&self) -> RetryConfig {
        let Retries { count, pause, silence } = self.retries;
        RetryConfig {
            backoff: BackoffConfig { init_backoff: pause, max_backoff: pause * 50, base: 2.0 },
            max_retries: count,
            retry_timeout: silence * 2,
        }
    }

    fn check(&self) -> Result<(), Error> {
        if !self.is_encrypted() && !self.allow_http {
            let endpoint = self.endpoint.as_deref().unwrap_or_default();
            return Err(Error::Options(format!(
                "{endpoint} is not encrypted, and nobody allowed that"
            )));
        }
        if self.part_size < LEAST_PART {
            return Err(Error::Options("a part has at least 5 MiB".to_owned()));
        }
        if self.upload_memory < 2 * (self.part_size + LEAST_PART) {
            let message = "the memory for uploads must hold two parts and 10 MiB more";
            return Err(Error::Options(message.to_owned()));
        }
        Ok(())
    }
}

fn from_environment(builder: AmazonS3Builder) -> AmazonS3Builder {
    CREDENTIALS.iter().fold(builder, |builder, name| match std::env::var(name) {
        Ok(value) => with(builder, name, &value),
        Err(_) => builder,
    })
}

/// Sets an option that has no function of its own.
fn with(builder: AmazonS3Builder, name: &str, value: &str) -> AmazonS3Builder {
    match name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
        Ok(key) => builder.with_config(key, value),
        Err(_) => builder,
    }
}
