//! The help of the commands about signatures.

use insta::assert_snapshot;

use crate::help::help;

#[test]
fn signing_and_verifying() {
    assert_snapshot!(help("sign"), @r"
    Sign an image

    Usage: plura sign [OPTIONS] --key <KEY> <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image; without a tag or digest, `latest`

    Options:
          --key <KEY>               The private key: a file, or `vault://[MOUNT/]KEY`
          --password-file <FILE>    Read the password of the key from the first line of this file
          --form <FORM>             How to store it [default: bundle] [possible values: bundle, tag]
      -a, --annotation <KEY=VALUE>  What to say with the signature; can be repeated
          --recursive               Of an index, also sign what is in it
          --json                    Print as JSON
      -h, --help                    Print help (see more with '--help')

    A tag is resolved once; what is signed is the digest, which is printed. The signature is stored
    beside the image, where cosign finds it. The password of an encrypted key is that of
    `COSIGN_PASSWORD` or `--password-file`, or asked for. A name that begins with a registry's host asks
    that registry.

    A key in the transit engine of HashiCorp Vault or OpenBao is named `vault://[MOUNT/]KEY`;
    `VAULT_ADDR`, `VAULT_TOKEN` (or the file `~/.vault-token`), `VAULT_NAMESPACE` and `VAULT_CACERT` say
    how to reach it.

    Examples:
      plura sign apps/web:1.0.0 --key release.key
      plura sign registry.example.com/apps/web:1.0.0 --key vault://transit/release -a stage=prod
      plura sign apps/web:1.0.0 --key release.key --recursive     An index, and every image in it
      plura sign apps/web:1.0.0 --key release.key --form tag      For cosign before version 3
    ");
    assert_snapshot!(help("attest"), @r"
    Sign a statement about an image: an SBOM, provenance, a verdict

    Usage: plura attest [OPTIONS] --key <KEY> <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image; without a tag or digest, `latest`

    Options:
          --predicate <FILE>      What to state, as JSON; `-` is standard input
          --type <TYPE>           What kind of statement it is
          --verdict               State what the server's trust policy says of the image
          --policy <NAME>         Which trust policy, if several are about the image
          --key <KEY>             The private key: a file, or `vault://[MOUNT/]KEY`
          --password-file <FILE>  Read the password of the key from the first line of this file
          --form <FORM>           How to store it [default: bundle] [possible values: bundle, tag]
          --json                  Print as JSON
      -h, --help                  Print help (see more with '--help')

    The types have cosign's names: `slsaprovenance` (or `slsaprovenance02`), `slsaprovenance1`,
    `cyclonedx`, `spdx`, `openvex`, `vuln`, `link` and `custom`; any other type is named by its URI.
    With `--verdict`, the server is asked whether the image is verified, and its answer becomes a
    verification summary (VSA).

    Keys and their passwords are named as `plura sign --help` says.

    Examples:
      plura attest apps/web:1.0.0 --predicate sbom.cdx.json --type cyclonedx --key release.key
      plura attest apps/web:1.0.0 --predicate test.json --type https://example.com/tests/v1 --key ci.key
      plura attest apps/web:1.0.0 --verdict --policy release --key registry.key
    ");
    assert_snapshot!(help("verify"), @r"
    Say whether an image is signed by those who are trusted

    Usage: plura verify [OPTIONS] <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image; without a tag or digest, `latest`

    Options:
          --explain                    Also show every signature and statement, and why each counts or
                                       not
          --policy <FILE>              Ask what this trust policy would say, in JSON or TOML; `-` is
                                       standard input
          --key <[NAME=]KEY>           Trust a public key, whose holder is called NAME: a file in PEM,
                                       or `vault://[MOUNT/]KEY`; can be repeated
          --identity <NAME>            What to call the identity that the next options describe
          --issuer <URL>               Trust an identity that this issuer vouches for
          --issuer-pattern <PATTERN>   The issuer as an anchored pattern: `^https://.*\.example\.com$`
          --subject <TEXT>             Who the identity is: a workflow, an email address, a SPIFFE ID
          --subject-pattern <PATTERN>  Who the identity is, as an anchored pattern
          --required <N>               How many different signers it takes; otherwise 1
          --attestation <TYPE>         A statement that must be there, signed by somebody trusted: a
                                       type as for `plura attest`; can be repeated
          --json                       Print as JSON
      -h, --help                       Print help

    The server's trust policies decide, all that are about the repository. With keys, an identity or a
    policy in a file, the question is what these would say; nothing on the server changes. Exit status:
    0 verified, 1 not verified, or no trust policy is about the repository.

    Examples:
      plura verify apps/web:1.0.0
      plura verify apps/web:1.0.0 --explain          Every signature, and why it counts or not
      plura verify apps/web:1.0.0 --key release.pub
      plura verify apps/web:1.0.0 --issuer https://token.actions.githubusercontent.com \
          --subject-pattern '^https://github\.com/acme/web/.*$'
      plura verify apps/web:1.0.0 --policy release.toml --json
    ");
}

#[test]
fn whose_signatures_count() {
    assert_snapshot!(help("trust policy"), @r"
    Whose signatures count, in which repositories

    Usage: plura trust policy [OPTIONS] <COMMAND>

    Commands:
      list    List trust policies
      show    Show a trust policy
      set     Put a trust policy in force
      remove  Take a trust policy out of force
      check   Say whether a trust policy is valid, without a server
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("trust policy set"), @r"
    Put a trust policy in force

    Usage: plura trust policy set [OPTIONS] <FILE|NAME>

    Arguments:
      <FILE|NAME>  The file, `-` being standard input; or the name, where options say the rest

    Options:
          --repositories <PATTERN>     For repositories like this: `*` is any part of a name between
                                       slashes, `**` any part; can be repeated
          --key <[NAME=]KEY>           Trust a public key, whose holder is called NAME: a file in PEM,
                                       or `vault://[MOUNT/]KEY`; can be repeated
          --identity <NAME>            What to call the identity that the next options describe
          --issuer <URL>               Trust an identity that this issuer vouches for
          --issuer-pattern <PATTERN>   The issuer as an anchored pattern: `^https://.*\.example\.com$`
          --subject <TEXT>             Who the identity is: a workflow, an email address, a SPIFFE ID
          --subject-pattern <PATTERN>  Who the identity is, as an anchored pattern
          --required <N>               How many different signers it takes; otherwise 1
          --attestation <TYPE>         A statement that must be there, signed by somebody trusted: a
                                       type as for `plura attest`; can be repeated
          --json                       Print as JSON
      -h, --help                       Print help

    A trust policy says whose signatures count in which repositories, and how many different signers it
    takes. It is read from a file, JSON or TOML, that has its name in it; or made of the options here,
    which are then all it says. A policy of that name is replaced, and everything that it is about is
    verified anew.

    Examples:
      plura trust policy set release.toml
      plura trust policy set release --repositories 'apps/**' --key release=release.pub
      plura trust policy set release --repositories 'apps/**' --key release=vault://transit/release
      plura trust policy set both --repositories 'apps/**' --key a.pub --key b.pub --required 2
      plura trust policy set ci --repositories 'apps/web' --identity ci \
          --issuer https://token.actions.githubusercontent.com \
          --subject https://github.com/acme/web/.github/workflows/release.yml@refs/heads/main
    ");
    assert_snapshot!(help("trust policy check"), @r"
    Say whether a trust policy is valid, without a server

    Usage: plura trust policy check [OPTIONS] <FILE>

    Arguments:
      <FILE>  The trust policy in JSON or TOML; `-` is standard input

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Exit status: 0 valid, 1 not, 2 it cannot be read as one.

    Example:
      plura trust policy check release.toml
    ");
    assert_snapshot!(help("trust root"), @r"
    Who vouches for the identities of signers

    Usage: plura trust root [OPTIONS] <COMMAND>

    Commands:
      show    Show who vouches for identities: certificate authorities, logs, timestamp authorities
      set     Put another trust root in force
      update  Put in force what its publisher says now
      reset   Go back to the trust root of Sigstore's public services that plura brings along
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("trust root set"), @r"
    Put another trust root in force

    Usage: plura trust root set [OPTIONS] <FILE>

    Arguments:
      <FILE>  The trust root; `-` is standard input

    Options:
          --json  Print as JSON
      -h, --help  Print help

    The file is a `trusted_root.json`, as `cosign trusted-root create` writes it and Sigstore publishes
    it. Everything is verified anew.

    Example:
      plura trust root set trusted_root.json
    ");
    assert_snapshot!(help("trust key"), @r"
    Make a pair of keys that signs and verifies

    Usage: plura trust key [OPTIONS] <NAME>

    Arguments:
      <NAME>  The files, without `.key` and `.pub`

    Options:
          --password-file <FILE>  Read the password from the first line of this file
          --json                  Print as JSON
      -h, --help                  Print help

    The private key is NAME.key, encrypted as cosign does it and readable by you only; the public key is
    NAME.pub. Files that exist are not touched. The password is that of `COSIGN_PASSWORD` or
    `--password-file`, or asked for.

    Examples:
      plura trust key release
      plura trust policy set release --repositories 'apps/**' --key release.pub
    ");
}
