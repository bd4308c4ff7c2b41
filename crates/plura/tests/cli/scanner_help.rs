//! The help of the commands about other scanners.

use insta::assert_snapshot;

use crate::help::help;

#[test]
fn scanners() {
    assert_snapshot!(help("scanner"), @"
    Other scanners that images may be shown to

    Usage: plura scanner [OPTIONS] <COMMAND>

    Commands:
      add     Add a scanner that images may be shown to
      list    List the scanners that images may be shown to
      remove  Forget a scanner; what it said stays
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("scanner add"), @"
    Add a scanner that images may be shown to

    Usage: plura scanner add [OPTIONS] <NAME> <URL>

    Arguments:
      <NAME>  What to call it
      <URL>   Where it is: what `/api/v1/metadata` follows

    Options:
          --json  Print as JSON
      -h, --help  Print help

    The scanner speaks the open API of pluggable scanners, version 1, as those for Harbor do. It is
    `plura image scan` that asks it, and not the server.

    Example:
      plura scanner add trivy http://scanner.example.com:8080
      plura image scan apps/web:1.0.0 --scanner trivy
    ");
    assert_snapshot!(help("scanner remove"), @"
    Forget a scanner; what it said stays

    Usage: plura scanner remove [OPTIONS] <NAME>

    Arguments:
      <NAME>  Its name

    Options:
          --json  Print as JSON
      -h, --help  Print help
    ");
    assert_snapshot!(help("image scan"), @"
    Let a scanner look at an image, and keep what it says

    Usage: plura image scan [OPTIONS] <--scanner <NAME>|--adapter <URL>> <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image; without a tag or digest, `latest`

    Options:
          --scanner <NAME>             A scanner that `plura scanner add` added
          --adapter <URL>              Any scanner: what `/api/v1/metadata` follows
          --authorization-file <FILE>  What the scanner is shown as `Authorization` is in this file
          --registry-url <URL>         Where the scanner reaches the registry, if that is another
                                       address than that of the server
          --timeout <SPAN>             How long the scanner may take [default: 10m]
          --json                       Print as JSON
      -h, --help                       Print help

    The scanner speaks the open API of pluggable scanners, version 1, as those for Harbor do. It gets a
    token that is good for pulling from this repository for some minutes. What it says is kept beside
    what is found here, as with `plura image report`.

    Example:
      plura image scan apps/web:1.0.0 --adapter http://scanner.example.com:8080
    ");
}
