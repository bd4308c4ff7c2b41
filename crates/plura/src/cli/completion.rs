//! `plura completion`.

use clap::Args;
use clap_complete::Shell;

/// Which shell to complete for.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct CompletionArgs {
    /// The shell
    pub(crate) shell: Shell,
}

const HELP: &str = "\
Examples:
  source <(plura completion bash)                   In this shell only
  plura completion bash > ~/.local/share/bash-completion/completions/plura
  plura completion fish > ~/.config/fish/completions/plura.fish";
