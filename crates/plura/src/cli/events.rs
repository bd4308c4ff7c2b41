//! `plura webhook`, `plura events`: what happens, told to others.

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::{OutputArgs, RealmArgs, ServerArgs, audit::moment};

/// What can be done about webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Send what happens from now on to an address
    #[command(after_help = ADD_HELP)]
    Add(WebhookAddArgs),

    /// List where events are sent
    #[command(after_help = LIST_HELP)]
    List(WebhookListArgs),

    /// Send nothing more, until `enable`
    #[command(after_help = ONE_HELP)]
    Disable(WebhookArgs),

    /// Send what happens from now on again
    #[command(after_help = ONE_HELP)]
    Enable(WebhookArgs),

    /// Remove a webhook, and what was to be sent to it
    #[command(after_help = ONE_HELP)]
    Remove(WebhookArgs),

    /// Send something that is no event now, and show what is answered
    #[command(after_help = TEST_HELP)]
    Test(WebhookArgs),

    /// List what is sent, was sent, and was given up
    #[command(after_help = DELIVERIES_HELP)]
    Deliveries(WebhookDeliveriesArgs),

    /// Send what was given up again
    #[command(after_help = REPLAY_HELP)]
    Replay(WebhookReplayArgs),
}

const ADD_HELP: &str = "\
Secrets are named, not given: `file:apps/ci` is a file below the directory that the setting \
`events.secrets` names; webhooks of everything may also have `env:WEBHOOK_SECRET_NAME`, a variable of the \
server. The address may be such a name, too.

Events are types such as `tag.set`, or families such as `promotion.*`. The form `harbor` has pushes, \
deletions, scans, retention and quotas only.

Examples:
  plura webhook add flux --project apps --address https://flux.example.com/hook/0123 --form harbor \\
    --authorization file:apps/flux
  plura webhook add chat --everywhere --address file:slack --form slack --event 'promotion.*'";

/// A webhook
#[derive(Debug, Args)]
pub(crate) struct WebhookAddArgs {
    /// What it is called
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The https address, or the name of a secret that is one
    #[arg(long, value_name = "URL")]
    pub(crate) address: String,

    /// How events are written
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) form: FormArg,

    /// Only events like this, which may be given several times
    #[arg(long = "event", value_name = "PATTERN")]
    pub(crate) events: Vec<String>,

    /// Sign with the secret of this name
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: Option<String>,

    /// Send the secret of this name as `Authorization`
    #[arg(long, value_name = "SECRET")]
    pub(crate) authorization: Option<String>,

    #[command(flatten)]
    pub(crate) realm: RealmArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// How events are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormArg {
    /// As Harbor sends them, for Kargo, Flux and Argo CD Image Updater
    Harbor,
    /// `CloudEvents` 1.0
    #[default]
    #[value(name = "cloudevents")]
    CloudEvents,
    /// A line of text
    Slack,
}

impl FormArg {
    /// The form as the server calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Harbor => "harbor",
            Self::CloudEvents => "cloudevents",
            Self::Slack => "slack",
        }
    }
}

const LIST_HELP: &str = "\
Examples:
  plura webhook list --project apps
  plura webhook list --everywhere --json";

/// Whose webhooks
#[derive(Debug, Args)]
pub(crate) struct WebhookListArgs {
    #[command(flatten)]
    pub(crate) realm: RealmArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const ONE_HELP: &str = "\
Exit status: 1 if there is no such webhook.

Examples:
  plura webhook disable flux --project apps
  plura webhook enable flux --project apps
  plura webhook remove chat --everywhere";

const TEST_HELP: &str = "\
Exit status: 1 if it is not accepted, or if there is no such webhook.

Examples:
  plura webhook test flux --project apps";

/// Which webhook
#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    /// What it is called
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) realm: RealmArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const DELIVERIES_HELP: &str = "\
The newest come first. What fails is sent again after 10 seconds, then after twice as long, up to an \
hour, for a day; what is refused, five times. Then it is dead, and `plura webhook replay` sends it again.

Examples:
  plura webhook deliveries flux --project apps
  plura webhook deliveries flux --project apps --state dead --json";

/// Which deliveries
#[derive(Debug, Args)]
pub(crate) struct WebhookDeliveriesArgs {
    /// What the webhook is called
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Only those in this state
    #[arg(long, value_name = "STATE", value_enum)]
    pub(crate) state: Option<DeliveryStateArg>,

    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,

    #[command(flatten)]
    pub(crate) realm: RealmArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeliveryStateArg {
    /// It is still to be sent
    Waiting,
    /// It was accepted
    Delivered,
    /// It was given up
    Dead,
}

impl DeliveryStateArg {
    /// The state as the server calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

const REPLAY_HELP: &str = "\
Exit status: 1 if nothing was given up.

Examples:
  plura webhook replay flux --project apps
  plura webhook replay flux --project apps --event 4711";

/// What to send again
#[derive(Debug, Args)]
pub(crate) struct WebhookReplayArgs {
    /// What the webhook is called
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Only the event of this id
    #[arg(long, value_name = "ID")]
    pub(crate) event: Option<i64>,

    #[command(flatten)]
    pub(crate) realm: RealmArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const EVENTS_HELP: &str = "\
The oldest come first. Without `--project`, whoever may read the audit of everything sees the events of \
everything. Times are like `2026-07-01`, `2026-07-01T12:00:00Z`, or how long ago: `24h`, `7d`.

Examples:
  plura events --since 1h
  plura events --follow --project apps --type 'tag.*'
  plura events --follow --jsonl | jq .subject";

/// Which events
#[derive(Debug, Args)]
#[command(after_help = EVENTS_HELP)]
pub(crate) struct EventsArgs {
    /// Go on with what happens, until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,

    /// Not before this time; a day ago, or with `--follow` now, if it is not given
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,

    /// In this project
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,

    /// Only of this type, such as `tag.set`, or of this family, such as `tag.*`
    #[arg(long = "type", value_name = "PATTERN")]
    pub(crate) kinds: Option<String>,

    /// Print as JSON, one event a line, each as soon as it arrives
    #[arg(long)]
    pub(crate) jsonl: bool,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
