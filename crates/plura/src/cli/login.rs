//! `plura login` and `plura logout`.

use std::net::IpAddr;

use clap::Args;

use super::{AuthorityArgs, PasswordArgs};
use crate::settings::BaseUrl;

const LOGIN_HELP: &str = "\
The password is asked for. An API token, or the secret of a robot, may take its place. The login is \
checked with the server and kept where docker, podman and others look: in docker's `config.json`, or in \
the credential helper that the file names. If the server gives out identity tokens, one is kept instead \
of the password.

Examples:
  plura login registry.example.com
  plura login -u robot+apps+ci --password-stdin registry.example.com < secret
  plura login --ca-file ca.pem https://registry.internal:8443";

/// Where to log in, and as whom
#[derive(Debug, Args)]
#[command(after_help = LOGIN_HELP)]
pub(crate) struct LoginArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,

    /// The name of the user or robot; otherwise it is asked for
    #[arg(long, short, value_name = "NAME")]
    pub(crate) user: Option<String>,

    #[command(flatten)]
    pub(crate) password: PasswordArgs,

    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
}

const LOGOUT_HELP: &str = "\
Only this machine forgets the login. `plura user logout` ends sessions, and `plura token revoke` tokens.

Example:
  plura logout registry.example.com";

/// Where to log out
#[derive(Debug, Args)]
#[command(after_help = LOGOUT_HELP)]
pub(crate) struct LogoutArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,
}

/// Which server, in docker's spelling as well.
#[derive(Debug, Args)]
pub(crate) struct AddressArgs {
    /// The server: HOST[:PORT] or a whole address
    ///
    /// Without a scheme it is https, and http on this machine.
    #[arg(
        value_name = "SERVER",
        env = "PLURA_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:5000",
        value_parser = address
    )]
    pub(crate) server: BaseUrl,
}

/// An address whose scheme may be left out.
pub(crate) fn address(text: &str) -> Result<BaseUrl, String> {
    let whole = if text.contains("://") { text.to_owned() } else { with_scheme(text) };
    whole.parse().map_err(|_| {
        format!(
            "expected a host such as \"registry.example.com\" or an address such as \
             \"http://127.0.0.1:5000\", found {text:?}"
        )
    })
}

fn with_scheme(host: &str) -> String {
    let plain = format!("http://{host}");
    let local = plain.parse::<BaseUrl>().is_ok_and(|address| is_local(&address));
    if local { plain } else { format!("https://{host}") }
}

/// Whether requests to the address stay on this machine.
pub(crate) fn is_local(address: &BaseUrl) -> bool {
    let host = address.url().host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback());
    loopback || host == "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_may_be_left_out() {
        for (text, expected) in [
            ("registry.example.com", "https://registry.example.com"),
            ("registry.example.com:8443", "https://registry.example.com:8443"),
            ("http://registry.example.com", "http://registry.example.com"),
            ("localhost:5000", "http://localhost:5000"),
            ("127.0.0.1", "http://127.0.0.1"),
            ("[::1]:5000", "http://[::1]:5000"),
        ] {
            assert_eq!(address(text).map(|url| url.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for text in ["", "a/b", "ftp://a", "a b"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
