//! The help of the commands about the log, the document that governs, and channels.

#![expect(clippy::too_many_lines, reason = "a help is as long as it is")]

use insta::assert_snapshot;

use crate::help::help;

#[test]
fn the_log() {
    assert_snapshot!(help("log"), @r"
    The log of what was decided, for everybody to verify

    Usage: plura log [OPTIONS] <COMMAND>

    Commands:
      status  Show how far the log is, and which keys sign it
      list    List entries, the newest first
      prove   Get the proof that an entry is part of the log
      verify  Verify that the log is what was signed, and that it only grew
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("log status"), @r"
    Show how far the log is, and which keys sign it

    Usage: plura log status [OPTIONS]

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura log status
    ");
    assert_snapshot!(help("log list"), @r"
    List entries, the newest first

    Usage: plura log list [OPTIONS]

    Options:
          --subject <SUBJECT>  About this: a digest, a channel, a vulnerability
          --kind <KIND>        Of this kind, such as `exception.granted`, or with a dot at the end, all
                               that begin so
          --limit <NUMBER>     At most so many [default: 100]
          --json               Print as JSON
      -h, --help               Print help

    Examples:
      plura log list --subject CVE-2024-3094
      plura log list --kind exception. --limit 1000 --json
    ");
    assert_snapshot!(help("log prove"), @r"
    Get the proof that an entry is part of the log

    Usage: plura log prove [OPTIONS] <INDEX>

    Arguments:
      <INDEX>  The number of the entry

    Options:
          --wait <SECONDS>  Seconds to wait for it to become part of the log [default: 10]
      -h, --help            Print help

    The proof is JSON: the entry, its way to the root of the tree, and the checkpoint that signs the
    root. It needs no server to be verified, only the key of the log.

    Example:
      plura log prove 42 > entry-42.json
      plura log verify --offline entry-42.json
    ");
    assert_snapshot!(help("log verify"), @r"
    Verify that the log is what was signed, and that it only grew

    Usage: plura log verify [OPTIONS]

    Options:
          --key <KEY>        A key of the log, as `plura log status` prints it; instead of those that
                             are remembered
          --offline <FILE>   Verify this proof alone; no server is asked
          --directory <DIR>  Verify the copy of the log in this directory; no server is asked
          --cache <DIR>      Where to remember what was seen, instead of `plura/log` in your cache
                             directory
          --json             Print as JSON
      -h, --help             Print help

    Everything is read and hashed here, nothing is believed: signatures, all entries, and that the log
    continues what was seen of it before. Then the server is asked to compare its database with the log.
    Keys and checkpoint are remembered where the log was sound; without `--key`, the keys that the
    server names are believed the first time, and no others after that.

    Exit status: 0, or 1 if something is not what was signed.

    Examples:
      plura log verify
      plura log verify --key 'registry.example.com+2b9cf1a8+AZ...'
      plura log verify --offline entry-42.json
      plura log verify --directory ./copy-of-the-log
    ");
}

#[test]
fn documents() {
    assert_snapshot!(help("policy"), @r"
    The document that governs: what may be pushed, promoted and pulled

    Usage: plura policy [OPTIONS] <COMMAND>

    Commands:
      example   Print a document with every key and what it means
      init      Write a document to begin with
      check     Say whether a document is valid, without a server
      diff      Say what a document makes stricter and what laxer
      test      Ask a document what it decides in cases whose answer is known, without a server
      apply     Put a document in force
      show      Show the document in force, or one that was
      history   List the documents that were in force: who applied them, when and why
      simulate  Say what a document would have decided otherwise
      help      Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("policy check"), @r"
    Say whether a document is valid, without a server

    Usage: plura policy check [OPTIONS] <FILE>

    Arguments:
      <FILE>  The document in TOML or JSON; `-` is standard input

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Everything that is wrong is told, with its place and what would be right.

    Exit status: 0 valid, 1 not, 2 the file could not be read.

    Example:
      plura policy check policy.toml
    ");
    assert_snapshot!(help("policy diff"), @r"
    Say what a document makes stricter and what laxer

    Usage: plura policy diff [OPTIONS] <FILE> [NEW]

    Arguments:
      <FILE>  The document; or the one before, if another follows
      [NEW]   The document after

    Options:
          --json  Print as JSON
      -h, --help  Print help

    With one file, it is compared with the document in force; with two, no server is asked.

    Exit status: 0 whatever changes, 1 a document is not valid, 2 one could not be read.

    Examples:
      plura policy diff new.toml
      plura policy diff policy.toml new.toml
    ");
    assert_snapshot!(help("policy apply"), @r"
    Put a document in force

    Usage: plura policy apply [OPTIONS] --reason <TEXT> <FILE>

    Arguments:
      <FILE>  The document in TOML or JSON; `-` is standard input

    Options:
          --reason <TEXT>    Why, for those who read the history
          --expect <DIGEST>  The SHA-256 of the document that must be in force; otherwise the one that
                             it is compared with
          --yes              Also if it makes something laxer
          --json             Print as JSON
      -h, --help             Print help

    The document is compared with the one in force first. If it makes something laxer, that is told and
    nothing is done without `--yes`. Nothing is done either if somebody else applied another one
    meanwhile.

    Exit status: 0 it is in force, 1 it was refused, 2 it could not be asked.

    Example:
      plura policy apply policy.toml --reason 'medium vulnerabilities need an exception'
    ");
    assert_snapshot!(help("policy history"), @r"
    List the documents that were in force: who applied them, when and why

    Usage: plura policy history [OPTIONS]

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura policy history
    ");
    assert_snapshot!(help("policy test"), @r#"
    Ask a document what it decides in cases whose answer is known, without a server

    Usage: plura policy test [OPTIONS] <DIR>

    Arguments:
      <DIR>  The directory of the cases

    Options:
          --policy <FILE>  The document [default: policy.toml]
          --json           Print as JSON
      -h, --help           Print help

    Each file of the directory that ends in `.toml` or `.json` is a case: facts about an image, a
    channel, a time, and what is expected.

      description = "a critical vulnerability is not for production"
      channel = "prod:stable"
      at = "2026-07-01T10:00:00+09:00"
      expect = "deny"                                  # allow, wait or deny
      blocking = ["gates.security.vulnerabilities"]    # rules that must stand in the way; may be left
      out

      [facts]
      repository = "apps/web"
      [facts.manifest]
      vulnerabilities = [{ id = "CVE-2026-1", severity = "critical", package = "openssl" }]

    What a case does not say of an image is not there. `plura reg why REF --to CHANNEL --json` prints
    such facts of a real one under `facts`.

    Exit status: 0 all is decided as expected, 1 not, 2 the files could not be read.

    Example:
      plura policy test policy-tests --policy policy.toml
    "#);
    assert_snapshot!(help("policy simulate"), @r"
    Say what a document would have decided otherwise

    Usage: plura policy simulate [OPTIONS] <FILE>

    Arguments:
      <FILE>  The document in TOML or JSON; `-` is standard input

    Options:
          --since <SPAN>  Decisions of how long, in whole days [default: 90d]
          --json          Print as JSON
      -h, --help          Print help

    Decisions about promotions are kept with the facts that they were made from. Each is made again by
    the document, at its own time.

    Exit status: 0 whatever would be different, 1 the document is not valid, 2 it could not be asked.

    Example:
      plura policy simulate new.toml --since 90d
    ");
}

#[test]
fn channels() {
    assert_snapshot!(help("reg promote"), @r"
    Ask for an image to be in a channel

    Usage: plura reg promote [OPTIONS] --to <CHANNEL> <IMAGE>

    Arguments:
      <IMAGE>  The image

    Options:
          --to <CHANNEL>            The channel that it is to be in: `prod:candidate`, or `prod` for
                                    `prod:stable`
          --from <CHANNEL>          The channel that it comes from; without, what the document in force
                                    says
          --reason <TEXT>           Why, for the history
          --dry-run                 Decide and say why; change nothing
          --wait                    Wait until it is there, or is not going to be
          --idempotency-key <NAME>  A name for this request, with which it is carried out once however
                                    often it is sent
          --json                    Print as JSON
      -h, --help                    Print help

    An image is in a channel when everything is true that the document in force asks for. The answer
    says what stands in the way; what only waits goes on by itself. Exit status: 0 if it is there or on
    its way, 1 if it may not be there.

    Examples:
      plura reg promote apps/search:1.4 --to stg               Into the stable channel of stg
      plura reg promote apps/search:1.4 --to prod --wait       Until it has all of the traffic, or
      failed
      plura reg promote apps/search@sha256:... --to prod:candidate --dry-run
                                                               What would be decided, and why
    ");
    assert_snapshot!(help("reg rollback"), @r"
    Take a channel back to what was there before

    Usage: plura reg rollback [OPTIONS] --to <CHANNEL[@DIGEST]> <REPOSITORY>

    Arguments:
      <REPOSITORY>  The repository of the images

    Options:
          --to <CHANNEL[@DIGEST]>   The channel, and perhaps the digest to go back to:
                                    `prod:stable@sha256:...`
          --key <KEY>               The key that the promotion answered with, instead of a role [env:
                                    PLURA_ROLLBACK_KEY]
          --reason <TEXT>           Why, for the history
          --break-glass <REASON>    Go there even though it may not be, for this reason; for
                                    administrators
          --dry-run                 Say what would be done; change nothing
          --idempotency-key <NAME>  A name for this request, with which it is carried out once however
                                    often it is sent
          --json                    Print as JSON
      -h, --help                    Print help

    The channel points at once at what was there before, or at what is named, if that was there before
    and may still be. Nothing is promoted into it then until `plura reg release` says that it may.

    Examples:
      plura reg rollback apps/search --to prod                      To what was there before
      plura reg rollback apps/search --to prod:stable@sha256:...    To this
      plura reg rollback apps/search --to prod --key plura_rb_...   Without the role of a promoter
    ");
    assert_snapshot!(help("reg status"), @r"
    Show what is in channels, and what is on its way

    Usage: plura reg status [OPTIONS] [CHANNEL]

    Arguments:
      [CHANNEL]  Only this channel: `prod:stable`

    Options:
          --service <NAME>  Only of this service
          --json            Print as JSON
      -h, --help            Print help

    Examples:
      plura reg status                       All channels that you may pull from
      plura reg status prod:stable           One of all services
      plura reg status --service search      All of one service
    ");
    assert_snapshot!(help("reg history"), @r"
    Show how a channel came to point at what it does

    Usage: plura reg history [OPTIONS] <CHANNEL> <SERVICE>

    Arguments:
      <CHANNEL>  The channel: `prod:stable`
      <SERVICE>  The service

    Options:
          --at <TIME>  Only what was there at this time
          --json       Print as JSON
      -h, --help       Print help

    Examples:
      plura reg history prod:stable search                                Every move, the last first
      plura reg history prod:stable search --at 2026-11-01T12:00:00Z      What was there then
    ");
    assert_snapshot!(help("reg release"), @r"
    Let images be promoted again into a channel that went back

    Usage: plura reg release [OPTIONS] <CHANNEL> <SERVICE>

    Arguments:
      <CHANNEL>  The channel: `prod:stable`
      <SERVICE>  The service

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Examples:
      plura reg release prod:stable search
    ");
    assert_snapshot!(help("reg cancel"), @r"
    Cancel a promotion; the traffic that it has goes back

    Usage: plura reg cancel [OPTIONS] <PROMOTION>

    Arguments:
      <PROMOTION>  The promotion, by its key

    Options:
          --reason <TEXT>  Why, for the history
          --json           Print as JSON
      -h, --help           Print help

    Examples:
      plura reg cancel 0190163d-8694-739b-aea5-966c26f8ad90 --reason 'the wrong image'
    ");
    assert_snapshot!(help("reg metrics"), @r"
    Show figures about images, promotions and rollbacks

    Usage: plura reg metrics [OPTIONS]

    Options:
          --repo <NAME>  Only of this repository
          --json         Print as JSON
      -h, --help         Print help

    Examples:
      plura reg metrics                      Of the whole registry
      plura reg metrics --repo apps/search   Of one repository
    ");
}

#[test]
fn what_people_decide() {
    assert_snapshot!(help("reg why"), @r"
    Say whether an image may be in a channel, and why

    Usage: plura reg why [OPTIONS] --to <CHANNEL> <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image

    Options:
          --to <CHANNEL>         The channel
          --if-exception <NAME>  Also what would be different with an exception for this vulnerability
          --json                 Print as JSON
      -h, --help                 Print help

    The policy is asked now, from what is known now: what is answered is what a promotion would be
    answered. What stands in the way comes first, each with what was found, what is asked for, what to
    do, and when time alone changes the answer.

    Exit status: 0 it may, 1 it may not, 2 it could not be asked, 3 not yet.

    Examples:
      plura reg why apps/web:1.0.0 --to prod:stable
      plura reg why apps/web:1.0.0 --to prod:stable --if-exception CVE-2026-1234
    ");
    assert_snapshot!(help("reg approve"), @r"
    Stand for an image being in a channel

    Usage: plura reg approve [OPTIONS] --to <CHANNEL> <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image

    Options:
          --to <CHANNEL>    The channel
          --reason <TEXT>   Why
          --expires <TIME>  Until when it counts: a time, or for how long, such as `24h`
          --json            Print as JSON
      -h, --help            Print help

    What is approved is the digest that the tag points at now, for this channel alone. Who pushed it may
    approve it as well, which by itself is not enough.

    Examples:
      plura reg approve apps/web:1.0.0 --to prod:stable --reason 'tested by hand'
      plura reg approve apps/web:1.0.0 --to prod:stable --expires 24h
    ");
    assert_snapshot!(help("reg freeze"), @r"
    Let nothing move into some channels for a time

    Usage: plura reg freeze [OPTIONS] --until <TIME> --reason <TEXT> <CHANNELS>

    Arguments:
      <CHANNELS>  The pattern of the channels

    Options:
          --until <TIME>   Until when: a time, or for how long, such as `4h`
          --from <TIME>    From when on: a time, or in how long; otherwise at once
          --reason <TEXT>  Why
          --json           Print as JSON
      -h, --help           Print help

    In patterns of channels, `*` stands for anything. Rollbacks are possible all the same.

    Examples:
      plura reg freeze 'prod:*' --until 4h --reason 'the launch'
      plura reg freeze '*' --from 2026-12-24 --until 2026-12-27 --reason holidays
    ");
    assert_snapshot!(help("reg block"), @r"
    Let nobody run a digest any more

    Usage: plura reg block [OPTIONS] --reason <TEXT> <[NAME@]DIGEST>

    Arguments:
      <[NAME@]DIGEST>  The digest

    Options:
          --reason <TEXT>  Why
          --json           Print as JSON
      -h, --help           Print help

    A digest alone is meant in every repository, one behind a name there alone. It need not be there
    yet.

    Examples:
      plura reg block sha256:4f53... --reason 'leaks a key'
      plura reg block apps/web@sha256:4f53... --reason 'breaks payments'
      plura reg unblock apps/web@sha256:4f53... --reason 'the other side is mended'
    ");
    assert_snapshot!(help("reg evidence"), @r"
    Write everything that is known of an image into one file, or check such a file

    Usage: plura reg evidence [OPTIONS] --output <FILE> <IMAGE>
           plura reg evidence <COMMAND>

    Commands:
      verify  Check that everything in a file is what it says, without a server
      help    Print this message or the help of the given subcommand(s)

    Arguments:
      <IMAGE>  The image

    Options:
      -o, --output <FILE>  The file to write
      -h, --help           Print help

    The file is a tar with manifests, configurations, signatures, attestations, SBOMs, vulnerabilities,
    facts, the document in force, decisions, the key that they are signed with, and what the log has
    about the image, each entry with the proof that the log has it. It is checked without a server.

    Examples:
      plura reg evidence apps/search@sha256:... -o evidence.tar
      plura reg evidence verify evidence.tar
      plura reg evidence verify evidence.tar --key installation.pub
      plura reg evidence verify evidence.tar --log-key 'registry.example.com+2b9cf1a8+AZ...'
    ");
    assert_snapshot!(help("reg evidence verify"), @r"
    Check that everything in a file is what it says, without a server

    Usage: plura reg evidence verify [OPTIONS] <FILE>

    Arguments:
      <FILE>  The file

    Options:
          --key <FILE>     A file with the public key of the installation; without, only that all is by
                           one and the same key is shown
          --log-key <KEY>  A key of the log, as `plura log status` prints it; without, those that the
                           installation names in the file are believed
          --json           Print as JSON
      -h, --help           Print help
    ");
}
