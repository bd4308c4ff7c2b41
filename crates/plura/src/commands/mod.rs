//! What commands do: one file each.

mod access;
mod adopt;
mod advisories;
mod answers;
mod approval;
mod attest;
mod audit;
mod backup;
mod block;
mod channels;
mod check;
mod collect;
mod completion;
mod config;
mod db;
mod decision;
mod demo;
mod events;
mod exception;
mod export;
mod freeze;
mod health;
mod hold;
mod image;
mod import;
mod init;
mod jobs;
mod layout_check;
mod log;
mod login;
mod man;
mod member;
mod policy;
mod policy_document;
mod posted_check;
mod project;
mod reports;
mod robot;
mod scanner;
mod serve;
mod sign;
mod target;
mod token;
mod trust;
mod trust_key;
mod trust_policy;
mod trust_root;
mod usage;
mod user;
mod verify;
mod version;
mod vulnerabilities;
mod webhook;
mod why;

use crate::cli::{self, Command, InstallationArgs, RegistryCommand};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::settings::{Flag, Resolved, Sources, resolve};

/// Does what was asked.
pub(crate) fn run(command: Command, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Demo => demo::run(printer),
        Command::Serve(args) => serve::run(&args, printer),
        Command::Init(args) => init::run(&args, printer),
        Command::Health(args) => health::run(&args, printer),
        Command::Login(args) => login::run(&args, printer),
        Command::Logout(args) => login::log_out(&args, printer),
        Command::Registry(command) => registry(&command, printer),
        Command::Image(command) => image::run(&command, printer),
        Command::Vulns(args) => vulnerabilities::search(&args, printer),
        Command::Advisories(command) => advisories::run(&command, printer),
        Command::Exception(command) => exception::run(&command, printer),
        Command::Scanner(command) => scanner::run(&command, printer),
        Command::Sign(args) => sign::run(&args, printer),
        Command::Attest(args) => attest::run(&args, printer),
        Command::Verify(args) => verify::run(&args, printer),
        Command::User(command) => user::run(&command, printer),
        Command::Robot(command) => robot::run(&command, printer),
        Command::Token(command) => token::run(&command, printer),
        Command::Project(command) => project::run(&command, printer),
        Command::Member(command) => member::run(&command, printer),
        Command::Trust(command) => trust::run(&command, printer),
        Command::Policy(command) => policy::run(&command, printer),
        Command::Audit(args) => audit::run(&args, printer),
        Command::Log(command) => log::run(&command, printer),
        Command::Events(args) => events::run(&args, printer),
        Command::Webhook(command) => webhook::run(&command, printer),
        Command::Jobs(command) => jobs::run(&command, printer),
        Command::Access(command) => access::run(&command, printer),
        Command::Check(args) => check::run(&args, printer),
        Command::Backup(args) => backup::run(&args, printer),
        Command::Restore(args) => backup::restore(&args, printer),
        Command::Adopt(args) => adopt::run(&args, printer),
        Command::Export(args) => export::run(&args, printer),
        Command::Db(command) => db::run(&command, printer),
        Command::Config(command) => config::run(command, printer),
        Command::Completion(args) => completion::run(&args, printer),
        Command::Man(args) => man::run(&args, printer),
        Command::Version(args) => version::run(&args, printer),
    }
}

fn registry(command: &RegistryCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match command {
        RegistryCommand::Promote(args) => channels::promote(args, printer),
        RegistryCommand::Rollback(args) => channels::roll_back(args, printer),
        RegistryCommand::Status(args) => channels::status(args, printer),
        RegistryCommand::History(args) => channels::history(args, printer),
        RegistryCommand::Cancel(args) => channels::cancel(args, printer),
        RegistryCommand::Release(args) => channels::release(args, printer),
        RegistryCommand::Metrics(args) => channels::metrics(args, printer),
        RegistryCommand::Notes(args) => reports::notes(args, printer),
        RegistryCommand::Evidence(args) => reports::evidence(args, printer),
        RegistryCommand::Collect(args) => collect::run(args, printer),
        RegistryCommand::Check(args) => layout_check::run(args, printer),
        RegistryCommand::Why(args) => why::run(args, printer),
        RegistryCommand::Approve(args) => approval::approve(args, printer),
        RegistryCommand::Approvals(args) => approval::list(args, printer),
        RegistryCommand::Revoke(args) => approval::revoke(args, printer),
        RegistryCommand::PostCheck(args) => posted_check::post(args, printer),
        RegistryCommand::Checks(args) => posted_check::list(args, printer),
        RegistryCommand::Block(args) => block::block(args, printer),
        RegistryCommand::Unblock(args) => block::unblock(args, printer),
        RegistryCommand::Blocks(args) => block::list(args, printer),
        RegistryCommand::Freeze(args) => freeze::freeze(args, printer),
        RegistryCommand::Unfreeze(args) => freeze::unfreeze(args, printer),
        RegistryCommand::Freezes(args) => freeze::list(args, printer),
        RegistryCommand::Hold(args) => hold::hold(args, printer),
        RegistryCommand::Holds(args) => hold::list(args, printer),
        RegistryCommand::ReleaseHold(args) => hold::release(args, printer),
        RegistryCommand::Usage(args) => usage::run(args, printer),
    }
}

/// The settings of an installation, with the flags that set some.
fn settings(installation: &InstallationArgs, flags: Vec<Flag>) -> anyhow::Result<Resolved> {
    let sources = sources(installation, flags)?;
    resolve(&sources).hint("`plura config reference` describes every key")
}

fn sources(installation: &InstallationArgs, flags: Vec<Flag>) -> anyhow::Result<Sources> {
    let file = installation.config.as_deref();
    Sources::gather(file, cli::environment(), flags)
        .hint("name another file with `--config`, or set variables; every setting has a default")
}
