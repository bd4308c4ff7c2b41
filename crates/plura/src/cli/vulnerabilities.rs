//! `plura image vulns`, `plura vulns`, `plura advisories`, `plura exception`: vulnerabilities.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use plura_oci::Digest;

use super::{ImageName, OutputArgs, ServerArgs, WhichArgs, audit::moment};
use crate::settings::Span;

/// How bad something is, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum SeverityArg {
    /// Nobody says
    Unknown,
    /// It does no harm
    Negligible,
    /// 0.1 to 3.9
    Low,
    /// 4.0 to 6.9
    Medium,
    /// 7.0 to 8.9
    High,
    /// 9.0 to 10
    Critical,
}

impl SeverityArg {
    /// The severity that the server calls so.
    pub(crate) fn named(name: &str) -> Self {
        <Self as ValueEnum>::from_str(name, false).unwrap_or(Self::Unknown)
    }
}

/// What to ask about an image, and how to print it
#[derive(Debug, Args)]
pub(crate) struct ImageVulnerabilitiesArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// Only those that are at least so severe
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub(crate) severity: Option<SeverityArg>,

    /// Only those that an update fixes
    #[arg(long)]
    pub(crate) fixable: bool,

    /// Also those that an exception or a vendor's statement suppresses
    #[arg(long)]
    pub(crate) all: bool,

    /// End with exit status 1 if one that counts is at least so severe
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub(crate) fail_on: Option<SeverityArg>,

    /// Print SARIF 2.1.0, for those who show it beside source code
    #[arg(long, conflicts_with = "json")]
    pub(crate) sarif: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const IMAGE_HELP: &str = "\
What is printed is as of now: advisories that came since the image was pushed count. Of an image for \
several platforms, all of them are looked at.

Exit status: 0, or 1 with `--fail-on` if there is such a vulnerability.

Examples:
  plura image vulns apps/web:1.0.0
  plura image vulns apps/web:1.0.0 --severity high --fixable
  plura image vulns apps/web:1.0.0 --fail-on critical --sarif > web.sarif";

/// Which report of another scanner
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The image; without a tag or digest, `latest`
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub(crate) image: ImageName,

    /// What `trivy image --format json` wrote
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const REPORT_HELP: &str = "\
What another scanner says is shown beside what is found here, and changes nothing of it.

Example:
  trivy image --format json registry.example.com/apps/web:1.0.0 > web.json
  plura image report apps/web:1.0.0 web.json";

pub(super) const SEARCH_HELP: &str = "\
Times are like `2026-07-01`, `2026-07-01T12:00:00Z`, or how long ago: `24h`, `7d`. Only images that you \
may pull are listed.

Examples:
  plura vulns --cve CVE-2024-3094
  plura vulns --package openssl --ecosystem Debian:12 --below 3.0.15-1~deb12u1
  plura vulns --since 24h --severity high";

/// What to look for
#[derive(Debug, Args)]
#[command(after_help = SEARCH_HELP)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) wanted: WantedArgs,

    /// Packages from there only: `npm`, `Debian`, `Debian:12`
    #[arg(long, value_name = "ECOSYSTEM", requires = "package")]
    pub(crate) ecosystem: Option<String>,

    /// Packages in front of this version only
    #[arg(long, value_name = "VERSION", requires = "package")]
    pub(crate) below: Option<String>,

    /// Only vulnerabilities that are at least so severe
    #[arg(long, value_name = "SEVERITY", value_enum, conflicts_with = "package")]
    pub(crate) severity: Option<SeverityArg>,

    /// End with exit status 1 if one is at least so severe
    #[arg(long, value_name = "SEVERITY", value_enum, conflicts_with = "package")]
    pub(crate) fail_on: Option<SeverityArg>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What images should have
#[derive(Debug, Args)]
#[group(id = "wanted", required = true, multiple = false)]
pub(crate) struct WantedArgs {
    /// This vulnerability, by any of its names
    #[arg(long, value_name = "NAME")]
    pub(crate) cve: Option<String>,

    /// This package
    #[arg(long, value_name = "NAME")]
    pub(crate) package: Option<String>,

    /// A vulnerability that was found since
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
}

/// What can be done about advisories.
#[derive(Debug, Subcommand)]
pub(crate) enum AdvisoriesCommand {
    /// Take advisories over, in the place of those of the source
    #[command(after_help = IMPORT_HELP)]
    Import(AdvisoriesImportArgs),

    /// Take over again what came from addresses
    #[command(after_help = UPDATE_HELP)]
    Update(AdvisoriesArgs),

    /// Show where advisories are from, and how old they are
    #[command(after_help = STATUS_HELP)]
    Status(AdvisoriesArgs),

    /// Forget the advisories of a source
    #[command(after_help = REMOVE_HELP)]
    Remove(AdvisoriesRemoveArgs),
}

const IMPORT_HELP: &str = "\
What is read are records of the OSV format: a zip archive such as the `all.zip` of each ecosystem at \
osv.dev, one record, one on each line, or a directory of records. It replaces what the source had, in one \
step; if anything fails, that stays.

Where the server has no way out, carry the file there, or push it as an artifact and name that.

Examples:
  plura advisories import https://osv-vulnerabilities.storage.googleapis.com/Debian/all.zip
  plura advisories import npm.zip --source npm
  plura advisories import --artifact mirror/advisories:latest --source npm";

const UPDATE_HELP: &str = "\
Example:
  plura advisories update";

const STATUS_HELP: &str = "\
Example:
  plura advisories status --json | jq '.age_seconds'";

const REMOVE_HELP: &str = "\
Example:
  plura advisories remove npm";

/// What to take over
#[derive(Debug, Args)]
pub(crate) struct AdvisoriesImportArgs {
    /// A zip archive, a file or a directory of records, or the address of such an archive or file
    #[arg(value_name = "FILE|DIR|URL", required_unless_present = "artifact")]
    pub(crate) from: Option<String>,

    /// An artifact on the server whose layers they are
    #[arg(long, value_name = "NAME[:TAG|@DIGEST]", conflicts_with = "from", requires = "source")]
    pub(crate) artifact: Option<ImageName>,

    /// What to call where they come from; otherwise named like the file, or the directory above `all.zip`
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// How to print it
#[derive(Debug, Args)]
pub(crate) struct AdvisoriesArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Which source
#[derive(Debug, Args)]
pub(crate) struct AdvisoriesRemoveArgs {
    /// The source
    #[arg(value_name = "NAME")]
    pub(crate) source: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What can be done about exceptions.
#[derive(Debug, Subcommand)]
pub(crate) enum ExceptionCommand {
    /// Live with a vulnerability for a time
    #[command(after_help = ADD_HELP)]
    Add(Box<ExceptionAddArgs>),

    /// List exceptions, with whether they hold and are of use
    #[command(after_help = LIST_HELP)]
    List(AdvisoriesArgs),

    /// End an exception
    #[command(after_help = END_HELP)]
    Remove(ExceptionRemoveArgs),

    /// Take over an ignore file of Trivy, or what a vendor says in OpenVEX
    #[command(after_help = EXCEPTION_IMPORT_HELP)]
    Import(ExceptionImportArgs),
}

const ADD_HELP: &str = "\
Whoever grants an exception approves it; its owner is somebody else. `vulnerabilities.longest_exception` \
says how long one may hold.

Examples:
  plura exception add --vulnerability CVE-2024-3094 --repositories 'apps/**' \\
      --reason 'sshd is not in the image' --owner alice --expires 30d
  plura exception add --package busybox --project base --reason ... --owner bob --expires 2026-12-31";

const LIST_HELP: &str = "\
Example:
  plura exception list --json | jq '.[] | select(.used == false)'";

const END_HELP: &str = "\
Example:
  plura exception remove CVE-2024-3094";

const EXCEPTION_IMPORT_HELP: &str = "\
Entries of `.trivyignore.yaml` and `.trivyignore` become exceptions. OpenVEX documents are taken over as \
they are, and believed: what they call `not_affected` or `fixed` does not count any more.

Examples:
  plura exception import .trivyignore.yaml --repositories 'apps/**' --owner alice
  plura exception import vendor.openvex.json";

/// What to live with
#[derive(Debug, Args)]
pub(crate) struct ExceptionAddArgs {
    /// The vulnerability, by any of its names; without, all that the package has
    #[arg(long, value_name = "NAME", required_unless_present = "package")]
    pub(crate) vulnerability: Option<String>,

    /// The package; without, all that have the vulnerability
    #[arg(long, value_name = "PATTERN")]
    pub(crate) package: Option<String>,

    /// Packages from there only: `npm`, `Debian`, `Debian:12`
    #[arg(long, value_name = "ECOSYSTEM", requires = "package")]
    pub(crate) ecosystem: Option<String>,

    /// Exactly this version of the package
    #[arg(long, value_name = "VERSION", requires = "package")]
    pub(crate) package_version: Option<String>,

    #[command(flatten)]
    pub(crate) scope: ScopeArgs,

    /// Why it may stay
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    /// Who is responsible: somebody else than you
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: String,

    /// Until when: a time, or for how long, such as `30d`
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub(crate) expires: Timestamp,

    /// What to call it; otherwise like the vulnerability or package
    #[arg(long, value_name = "NAME")]
    pub(crate) id: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// In which images
#[derive(Debug, Args)]
#[group(id = "scope", multiple = false)]
pub(crate) struct ScopeArgs {
    /// In one image, wherever it is
    #[arg(long, value_name = "DIGEST")]
    pub(crate) digest: Option<Digest>,

    /// In the repositories with such names
    #[arg(long, value_name = "PATTERN")]
    pub(crate) repositories: Option<String>,

    /// In a project
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
}

/// Which exception
#[derive(Debug, Args)]
pub(crate) struct ExceptionRemoveArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) id: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What to take over
#[derive(Debug, Args)]
pub(crate) struct ExceptionImportArgs {
    /// An ignore file of Trivy, or an OpenVEX document; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) scope: ScopeArgs,

    /// Who is responsible for exceptions: somebody else than you
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// A time, UTC unless it says otherwise, the midnight before a day, or a span from now on.
pub(super) fn end(text: &str) -> Result<Timestamp, String> {
    let span = || {
        let span = SignedDuration::try_from(text.parse::<Span>().ok()?.duration()).ok()?;
        Timestamp::now().checked_add(span).ok()
    };
    // The name of a time zone in brackets would be read over.
    let plain = || text.parse::<DateTime>().ok().filter(|_| !text.contains('['));
    let plain = || Some(plain()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let time = text.parse().ok().or_else(span).or_else(plain);
    time.ok_or(format!(
        "expected a time such as \"2026-07-01\" or \"2026-07-01T12:00:00Z\", or for how long, such as \
         \"30d\", found {text:?}"
    ))
}
