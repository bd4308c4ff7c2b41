//! The command line: what can be typed, and its help. What commands do is in [`crate::commands`].
//!
//! Adding a command takes a variant of [`Command`], a struct of its arguments here, and a file
//! there.

mod access;
mod adopt;
mod audit;
mod channels;
mod completion;
mod config;
mod db;
mod decisions;
mod events;
mod export;
mod groups;
mod health;
mod hold;
mod image;
mod image_name;
mod init;
mod installation;
mod jobs;
mod log;
mod login;
mod man;
mod member;
mod policy;
mod project;
mod registry;
mod reports;
mod robot;
mod scanner;
mod signing;
mod token;
mod trust;
mod trust_policy;
mod usage;
mod user;
mod vulnerabilities;

use std::ffi::{OsStr, OsString};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub(crate) use self::access::{AccessCommand, ExplainArgs, WhoamiArgs};
pub(crate) use self::adopt::AdoptArgs;
pub(crate) use self::audit::{AuditArgs, AuditOutputArgs, Outcome};
pub(crate) use self::channels::{
    CancelArgs, ChannelHistoryArgs, FiguresArgs, PromoteArgs, ReleaseArgs, RollbackArgs, StatusArgs,
};
pub(crate) use self::completion::CompletionArgs;
pub(crate) use self::config::{CheckSettingsArgs, ConfigCommand, ImportArgs, ShowArgs};
pub(crate) use self::db::{DatabasePlace, DbArgs, DbCommand, DbCopyArgs};
pub(crate) use self::decisions::{
    ApproveArgs, BlockArgs, FreezeArgs, ImageAboutArgs, PostCheckArgs, RevokeArgs, RulesArgs,
    UnfreezeArgs, WhichDigest, WhyArgs,
};
pub(crate) use self::events::{
    DeliveryStateArg, EventsArgs, WebhookAddArgs, WebhookArgs, WebhookCommand,
    WebhookDeliveriesArgs, WebhookListArgs, WebhookReplayArgs,
};
pub(crate) use self::export::ExportArgs;
pub(crate) use self::groups::{
    AuthorityArgs, InstallationArgs, OutputArgs, PasswordArgs, RealmArgs, Role, ServeArgs,
    ServerArgs,
};
pub(crate) use self::health::HealthArgs;
pub(crate) use self::hold::{HoldArgs, ReleaseHoldArgs};
pub(crate) use self::image::{
    BaseArgs, DiffArgs, FactsArgs, HistoryArgs, ImageArgs, ImageCommand, ManifestArgs,
    PackagesArgs, SbomArgs, WhichArgs,
};
pub(crate) use self::image_name::{BadName, ImageName};
pub(crate) use self::init::InitArgs;
pub(crate) use self::installation::{BackupArgs, CheckArgs, RestoreArgs};
pub(crate) use self::jobs::{JobArgs, JobsCommand, JobsListArgs, TuneArgs};
pub(crate) use self::log::{LogCommand, LogListArgs, LogProveArgs, LogStatusArgs, LogVerifyArgs};
pub(crate) use self::login::{LoginArgs, LogoutArgs, address as server_address, is_local};
pub(crate) use self::man::ManArgs;
pub(crate) use self::member::{MemberAddArgs, MemberCommand, MemberListArgs, MemberRemoveArgs};
pub(crate) use self::policy::{
    DocumentArgs, DocumentDiffArgs, PolicyApplyArgs, PolicyCommand, PolicyHistoryArgs,
    PolicyInitArgs, PolicyShowArgs, PolicySimulateArgs, PolicyTestArgs,
};
pub(crate) use self::project::{
    Limit, ProjectArgs, ProjectCommand, ProjectCreateArgs, ProjectUpdateArgs, RedirectArg,
};
pub(crate) use self::registry::{CollectArgs, LayoutCheckArgs, RegistryCommand};
pub(crate) use self::reports::{EvidenceArgs, EvidenceCommand, NotesArgs, VerifyEvidenceArgs};
pub(crate) use self::robot::{
    RobotArgs, RobotCommand, RobotCreateArgs, RobotRotateArgs, RobotUpdateArgs,
};
pub(crate) use self::scanner::{
    ScanArgs, ScannerAddArgs, ScannerCommand, ScannerRemoveArgs, WhichScanner,
};
pub(crate) use self::signing::{AttestArgs, Form, KeyArgs, SignArgs, StatementArgs, VerifyArgs};
pub(crate) use self::token::{TokenCommand, TokenCreateArgs, TokenListArgs, TokenRevokeArgs};
pub(crate) use self::trust::{TrustAddArgs, TrustArgs, TrustCommand, TrustTerms};
pub(crate) use self::trust_policy::{
    Mirror, PolicyArgs, PolicyCheckArgs, PolicySetArgs, RootArgs, RootSetArgs, RootUpdateArgs,
    TrustKeyArgs, TrustPolicyCommand, TrustRootCommand, TrustedArgs,
};
pub(crate) use self::usage::UsageArgs;
pub(crate) use self::user::{
    UserArgs, UserCommand, UserCreateArgs, UserPasswordArgs, UserUpdateArgs,
};
pub(crate) use self::vulnerabilities::{
    AdvisoriesArgs, AdvisoriesCommand, AdvisoriesImportArgs, AdvisoriesRemoveArgs,
    ExceptionAddArgs, ExceptionCommand, ExceptionImportArgs, ExceptionRemoveArgs,
    ImageVulnerabilitiesArgs, ReportArgs, ScopeArgs, SearchArgs, SeverityArg,
};

const HELP: &str = "\
Exit status: 0 done, 1 the answer is no (blocked, or a check that failed), 2 the question could not \
be asked (usage, settings, network), 3 not yet (the policy waits for something).

Examples:
  plura demo                        See what it does, in seconds
  plura serve                       Run a registry on 127.0.0.1:5000
  plura login registry.example.com  Log in, for plura, docker, podman and others
  plura image inspect apps/web:1.0  What an image is, and what is about it
  plura image vulns apps/web:1.0    Which vulnerabilities it has, now
  plura verify apps/web:1.0         Is it signed by those whom you trust?
  plura reg why apps/web:1.0 --to prod  May it be in production, and why not?
  plura reg gc --dry-run            What would be collected, and why
  plura config check                Are the settings here valid?
  plura config reference            Every setting, with its default
  plura completion bash             Completion for your shell";

/// An OCI registry that governs the whole life of a container image
#[derive(Debug, Parser)]
#[command(name = "plura", version, arg_required_else_help = true, after_help = HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) global: GlobalArgs,
}

/// Everything `plura` can be asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Walk through the life of an image on a temporary server
    Demo,

    /// Run the registry
    Serve(ServeArgs),

    /// Make the first administrator of an installation
    Init(InitArgs),

    /// Ask a server whether it is ready
    Health(HealthArgs),

    /// Log in to a registry, for plura, docker, podman and others
    Login(LoginArgs),

    /// Forget the login of a registry
    Logout(LogoutArgs),

    /// Ask a running registry
    #[command(subcommand, name = "reg")]
    Registry(RegistryCommand),

    /// Look at images: configuration, history, layers, what belongs to them
    #[command(subcommand)]
    Image(ImageCommand),

    /// Find the images that have a vulnerability, a package, or something new
    Vulns(SearchArgs),

    /// Where knowledge of vulnerabilities comes from
    #[command(subcommand)]
    Advisories(AdvisoriesCommand),

    /// Vulnerabilities to live with, for a time
    #[command(subcommand)]
    Exception(ExceptionCommand),

    /// Other scanners that images may be shown to
    #[command(subcommand)]
    Scanner(ScannerCommand),

    /// Sign an image
    Sign(SignArgs),

    /// Sign a statement about an image: an SBOM, provenance, a verdict
    Attest(AttestArgs),

    /// Say whether an image is signed by those who are trusted
    Verify(Box<VerifyArgs>),

    /// People who may log in
    #[command(subcommand)]
    User(UserCommand),

    /// Accounts of programs
    #[command(subcommand)]
    Robot(RobotCommand),

    /// Your API tokens
    #[command(subcommand)]
    Token(TokenCommand),

    /// Projects: the first part of repository names, with its limits
    #[command(subcommand)]
    Project(ProjectCommand),

    /// Who may do what, in a project or everywhere
    #[command(subcommand)]
    Member(MemberCommand),

    /// Whom to trust: whose signatures count, and which tokens of CI jobs and workloads are accepted
    #[command(subcommand)]
    Trust(TrustCommand),

    /// The document that governs: what may be pushed, promoted and pulled
    #[command(subcommand)]
    Policy(PolicyCommand),

    /// Show who did what
    Audit(AuditArgs),

    /// The log of what was decided, for everybody to verify
    #[command(subcommand)]
    Log(LogCommand),
    /// Show what happens, as it happens
    Events(EventsArgs),

    /// Where events are sent
    #[command(subcommand)]
    Webhook(WebhookCommand),

    /// What goes on in the background
    #[command(subcommand)]
    Jobs(JobsCommand),

    /// Ask what is allowed, and why
    #[command(subcommand)]
    Access(AccessCommand),

    /// Compare metadata and storage, and mend what can be mended
    Check(CheckArgs),

    /// Copy the metadata of an installation, also while it runs
    Backup(BackupArgs),

    /// Replace the metadata of an installation by a backup
    Restore(RestoreArgs),

    /// Take over what another registry stored, without copying it
    Adopt(AdoptArgs),

    /// Write repositories as OCI image layouts, also while the server runs
    Export(ExportArgs),

    /// The database of an installation: its schema, and moving it
    #[command(subcommand)]
    Db(DbCommand),

    /// Show, check and explain settings
    #[command(subcommand)]
    Config(ConfigCommand),

    /// Print a completion script for a shell
    Completion(CompletionArgs),

    /// Print the manual
    Man(ManArgs),

    /// Print the version and what it was built from
    Version(OutputArgs),
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Print data and errors, nothing else
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: Color,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal whose user did not decline it.
    #[default]
    #[value(help = None)]
    Auto,
    /// Even into a file or a pipe.
    #[value(help = None)]
    Always,
    /// Not even on a terminal.
    #[value(help = None)]
    Never,
}

impl Color {
    /// What was asked for on a command line that is still to be parsed. Help and usage errors need
    /// to know, and after those there is no parsed command line.
    pub(crate) fn typed(arguments: &[OsString]) -> Self {
        let follows = arguments.iter().skip_while(|word| *word != "--color").nth(1);
        let attached = || arguments.iter().find_map(|word| word.to_str()?.strip_prefix("--color="));
        let word = follows.map(OsString::as_os_str).or_else(|| attached().map(OsStr::new));
        let word = word.and_then(OsStr::to_str).unwrap_or_default();
        <Self as ValueEnum>::from_str(word, false).unwrap_or_default()
    }
}

/// The whole command line as data, for the manual and completion.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Every environment variable that stands for a flag, of any command.
pub(crate) fn environment() -> Vec<String> {
    let mut names: Vec<String> = flags_environment();
    collect_environment(&command(), &mut names);
    names
}

/// The shared groups count before any command uses them: a variable set once for a whole machine
/// must not trouble the commands that do not read it.
fn flags_environment() -> Vec<String> {
    let mut names = Vec::new();
    collect_environment(&ServerArgs::augment_args(clap::Command::new("")), &mut names);
    names
}

fn collect_environment(command: &clap::Command, names: &mut Vec<String>) {
    let variables = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
    names.extend(variables.map(str::to_owned));
    command.get_subcommands().for_each(|command| collect_environment(command, names));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn variables_of_flags_are_known() {
        let names = environment();
        for name in ["PLURA_SERVER", "PLURA_CONFIG", "PLURA_TOKEN", "PLURA_CA_FILE"] {
            assert!(names.iter().any(|known| known == name), "{name} is missing");
        }
    }

    #[test]
    fn the_colour_is_known_before_the_rest_is_parsed() {
        for (line, expected) in [
            ("plura --color never", Color::Never),
            ("plura config --color=always", Color::Always),
            ("plura --color", Color::Auto),
            ("plura --color=mauve", Color::Auto),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(Color::typed(&words), expected, "{line}");
        }
    }
}
