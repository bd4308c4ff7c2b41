//! The help of the commands about access, without what all of them have in common.

use insta::assert_snapshot;

use crate::{Place, data};

/// The help of a command, without the options that every command has.
pub(crate) fn help(command: &str) -> String {
    let words: Vec<&str> = command.split(' ').chain(["-h"]).collect();
    let text = data(Place::empty().plura(&words));
    let sections = text.trim_end().split("\n\n").filter(|section| {
        !section.starts_with("Server options:") && !section.starts_with("Global options:")
    });
    sections.collect::<Vec<_>>().join("\n\n")
}

#[test]
fn how_to_reach_a_server_is_the_same_for_all() {
    let text = data(Place::empty().plura(&["user", "list", "--help"]));
    let from = text.find("Server options:").expect("the heading is there");
    let to = text.find("Global options:").expect("another one follows");
    assert_snapshot!(&text[from..to], @r"
    Server options:
          --server <URL>    The address of the server [env: PLURA_SERVER] [default:
                            http://127.0.0.1:5000]
          --token <TOKEN>   An API token, instead of the login that `plura login` keeps; others on this
                            machine can see flags, but not variables [env: PLURA_TOKEN]
          --ca-file <FILE>  Trust the certificate authorities in this PEM file, and no others [env:
                            PLURA_CA_FILE]
    ");
}

#[test]
fn logging_in_and_out() {
    assert_snapshot!(help("login"), @r"
    Log in to a registry, for plura, docker, podman and others

    Usage: plura login [OPTIONS] [SERVER]

    Arguments:
      [SERVER]  The server: HOST[:PORT] or a whole address [env: PLURA_SERVER] [default:
                http://127.0.0.1:5000]

    Options:
      -u, --user <NAME>     The name of the user or robot; otherwise it is asked for
          --password-stdin  Read the password from standard input instead of asking for it
      -h, --help            Print help (see more with '--help')

    The password is asked for. An API token, or the secret of a robot, may take its place. The login is
    checked with the server and kept where docker, podman and others look: in docker's `config.json`, or
    in the credential helper that the file names. If the server gives out identity tokens, one is kept
    instead of the password.

    Examples:
      plura login registry.example.com
      plura login -u robot+apps+ci --password-stdin registry.example.com < secret
      plura login --ca-file ca.pem https://registry.internal:8443
    ");
    assert_snapshot!(help("logout"), @r"
    Forget the login of a registry

    Usage: plura logout [OPTIONS] [SERVER]

    Arguments:
      [SERVER]  The server: HOST[:PORT] or a whole address [env: PLURA_SERVER] [default:
                http://127.0.0.1:5000]

    Options:
      -h, --help  Print help (see more with '--help')

    Only this machine forgets the login. `plura user logout` ends sessions, and `plura token revoke`
    tokens.

    Example:
      plura logout registry.example.com
    ");
}

#[test]
fn users() {
    assert_snapshot!(help("user"), @r"
    People who may log in

    Usage: plura user [OPTIONS] <COMMAND>

    Commands:
      list      List the users
      create    Create a user
      show      Show a user
      update    Change what is known about a user
      disable   Keep a user from logging in, and end what they are logged in to
      enable    Let a user log in again
      delete    Delete a user, with their tokens and what they are allowed
      password  Set a password: your own, or as an administrator that of another
      logout    End all sessions of a user, on every device
      help      Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("user list"), @r"
    List the users

    Usage: plura user list [OPTIONS]

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Examples:
      plura user list
      plura user list --json | jq -r '.[] | select(.administrator).name'
    ");
    assert_snapshot!(help("user create"), @r"
    Create a user

    Usage: plura user create [OPTIONS] <NAME>

    Arguments:
      <NAME>  The user

    Options:
          --email <ADDRESS>      Their address
          --display-name <TEXT>  Their name as people write it
          --administrator        Let them do everything
          --without-password     Set no password: there are other ways to log in
          --password-stdin       Read the password from standard input instead of asking for it
          --json                 Print as JSON
      -h, --help                 Print help

    The password is asked for.

    Examples:
      plura user create alice --email alice@example.com
      plura user create root --administrator --password-stdin < password
      plura user create bob@example.com --without-password     Logs in with OIDC only
    ");
    assert_snapshot!(help("user show"), @r"
    Show a user

    Usage: plura user show [OPTIONS] <NAME>

    Arguments:
      <NAME>  The user

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura user show alice
    ");
    assert_snapshot!(help("user update"), @r"
    Change what is known about a user

    Usage: plura user update [OPTIONS] <--email <ADDRESS>|--display-name <TEXT>|--administrator <BOOL>> <NAME>

    Arguments:
      <NAME>  The user

    Options:
          --email <ADDRESS>       Their address
          --display-name <TEXT>   Their name as people write it
          --administrator <BOOL>  Whether they may do everything [possible values: true, false]
          --json                  Print as JSON
      -h, --help                  Print help

    Examples:
      plura user update alice --email alice@example.org
      plura user update alice --administrator=false
    ");
}

#[test]
fn users_and_more() {
    assert_snapshot!(help("user disable"), @r"
    Keep a user from logging in, and end what they are logged in to

    Usage: plura user disable [OPTIONS] <NAME>

    Arguments:
      <NAME>  The user

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura user disable alice
    ");
    assert_snapshot!(help("user enable"), @r"
    Let a user log in again

    Usage: plura user enable [OPTIONS] <NAME>

    Arguments:
      <NAME>  The user

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura user enable alice
    ");
    assert_snapshot!(help("user delete"), @r"
    Delete a user, with their tokens and what they are allowed

    Usage: plura user delete [OPTIONS] <NAME>

    Arguments:
      <NAME>  The user

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura user delete alice
    ");
    assert_snapshot!(help("user password"), @r"
    Set a password: your own, or as an administrator that of another

    Usage: plura user password [OPTIONS] [NAME]

    Arguments:
      [NAME]  The user; otherwise yourself

    Options:
          --password-stdin  Read the password from standard input instead of asking for it
          --json            Print as JSON
      -h, --help            Print help

    Your own password is only changed along with the one that you have now: it is asked for, or is the
    first of two lines on standard input.

    Examples:
      plura user password                               Your own
      plura user password alice                         As an administrator
      plura user password alice --password-stdin < new
    ");
    assert_snapshot!(help("user logout"), @r"
    End all sessions of a user, on every device

    Usage: plura user logout [OPTIONS] <NAME>

    Arguments:
      <NAME>  The user

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura user logout alice
    ");
}

#[test]
fn robots() {
    assert_snapshot!(help("robot"), @r"
    Accounts of programs

    Usage: plura robot [OPTIONS] <COMMAND>

    Commands:
      list     List the robots
      create   Create a robot, and print its secret
      show     Show a robot
      update   Change the description of a robot, or when it expires
      disable  Refuse a robot until it is enabled again
      enable   Accept a robot again
      rotate   Give a robot a new secret, and print it
      delete   Delete a robot, with what it is allowed
      help     Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("robot list"), @r"
    List the robots

    Usage: plura robot list [OPTIONS]

    Options:
          --project <PROJECT>  Only those of this project
          --json               Print as JSON
      -h, --help               Print help

    Examples:
      plura robot list --project apps
      plura robot list --json | jq -r '.[] | select(.expires_soon).name'
    ");
    assert_snapshot!(help("robot create"), @r"
    Create a robot, and print its secret

    Usage: plura robot create [OPTIONS] --role <ROLE> <NAME>

    Arguments:
      <NAME>  The name within the project: `ci` becomes `robot+PROJECT+ci`

    Options:
          --project <PROJECT>       The project that it belongs to; otherwise it belongs to none
          --role <ROLE>             What it may do; can be repeated [possible values: reader, developer,
                                    promoter, maintainer, administrator]
          --repositories <PATTERN>  Only in repositories like this: `*` is any part of a name between
                                    slashes, `**` any part
          --description <TEXT>      What it is for
          --expires-in-days <DAYS>  When its secret expires: otherwise in 90 days; 0 is never, which
                                    only administrators may say
          --json                    Print as JSON
      -h, --help                    Print help (see more with '--help')

    The secret is printed once, on standard output, and cannot be shown again. A robot of a project is
    allowed things in that project; one without a project, everywhere.

    Examples:
      plura robot create ci --project apps --role developer > secret
      plura robot create ci --project apps --role developer --repositories 'apps/web-*'
      plura robot create mirror --role reader --expires-in-days 30
    ");
    assert_snapshot!(help("robot show"), @r"
    Show a robot

    Usage: plura robot show [OPTIONS] <ROBOT>

    Arguments:
      <ROBOT>  The whole name of the robot: `robot+PROJECT+NAME`, or `robot+NAME` outside of projects

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura robot show robot+apps+ci
    ");
    assert_snapshot!(help("robot update"), @r"
    Change the description of a robot, or when it expires

    Usage: plura robot update [OPTIONS] <--description <TEXT>|--expires-in-days <DAYS>> <ROBOT>

    Arguments:
      <ROBOT>  The whole name of the robot

    Options:
          --description <TEXT>      What it is for
          --expires-in-days <DAYS>  When its secret expires, counted from now; 0 is never, which only
                                    administrators may say
          --json                    Print as JSON
      -h, --help                    Print help

    Examples:
      plura robot update robot+apps+ci --description 'GitLab, group apps'
      plura robot update robot+apps+ci --expires-in-days 90
    ");
}

#[test]
fn robots_and_more() {
    assert_snapshot!(help("robot disable"), @r"
    Refuse a robot until it is enabled again

    Usage: plura robot disable [OPTIONS] <ROBOT>

    Arguments:
      <ROBOT>  The whole name of the robot: `robot+PROJECT+NAME`, or `robot+NAME` outside of projects

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura robot disable robot+apps+ci
    ");
    assert_snapshot!(help("robot enable"), @r"
    Accept a robot again

    Usage: plura robot enable [OPTIONS] <ROBOT>

    Arguments:
      <ROBOT>  The whole name of the robot: `robot+PROJECT+NAME`, or `robot+NAME` outside of projects

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura robot enable robot+apps+ci
    ");
    assert_snapshot!(help("robot rotate"), @r"
    Give a robot a new secret, and print it

    Usage: plura robot rotate [OPTIONS] <ROBOT>

    Arguments:
      <ROBOT>  The whole name of the robot

    Options:
          --overlap <DURATION>  How long the old secret goes on working; otherwise an hour
          --json                Print as JSON
      -h, --help                Print help

    The new secret is printed once, on standard output. The old one works for a while longer, so that it
    can be replaced where it is used.

    Examples:
      plura robot rotate robot+apps+ci > secret
      plura robot rotate robot+apps+ci --overlap 0s > secret      The old one is known to others
    ");
    assert_snapshot!(help("robot delete"), @r"
    Delete a robot, with what it is allowed

    Usage: plura robot delete [OPTIONS] <ROBOT>

    Arguments:
      <ROBOT>  The whole name of the robot: `robot+PROJECT+NAME`, or `robot+NAME` outside of projects

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura robot delete robot+apps+ci
    ");
}

#[test]
fn tokens() {
    assert_snapshot!(help("token"), @r"
    Your API tokens

    Usage: plura token [OPTIONS] <COMMAND>

    Commands:
      list    List your tokens
      create  Create a token, and print it
      revoke  Make a token useless
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("token list"), @r"
    List your tokens

    Usage: plura token list [OPTIONS]

    Options:
          --user <NAME>  Those of this user; otherwise your own
          --json         Print as JSON
      -h, --help         Print help

    Examples:
      plura token list
      plura token list --user alice     As an administrator
    ");
    assert_snapshot!(help("token create"), @"
    Create a token, and print it

    Usage: plura token create [OPTIONS] <NAME>

    Arguments:
      <NAME>  What to call it

    Options:
          --scope <SCOPE>           What it is limited to, as `repository:PATTERN:ACTIONS`; can be
                                    repeated; without one, it may do all that its user may
          --expires-in-days <DAYS>  When it expires
          --json                    Print as JSON
      -h, --help                    Print help

    The token is printed once, on standard output, and cannot be shown again. It never allows more than
    its user is allowed. Use it as a password, or as PLURA_TOKEN.

    Examples:
      plura token create laptop --scope 'repository:apps/**:pull' --expires-in-days 30 > token
      plura token create deploy --scope 'repository:apps/web:pull,push'
    ");
    assert_snapshot!(help("token revoke"), @r"
    Make a token useless

    Usage: plura token revoke [OPTIONS] <ID>

    Arguments:
      <ID>  The id of the token

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura token revoke 01981f6e-8a3b-7c61-9d2f-3f1f8f0f2a11     An id that `plura token list` shows
    ");
}

#[test]
fn projects() {
    assert_snapshot!(help("project"), @r"
    Projects: the first part of repository names, with its limits

    Usage: plura project [OPTIONS] <COMMAND>

    Commands:
      list    List the projects
      create  Create a project
      show    Show a project
      update  Change who may pull from a project and how, or its limits
      delete  Delete a project that has no repositories
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("project list"), @r"
    List the projects

    Usage: plura project list [OPTIONS]

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura project list
    ");
    assert_snapshot!(help("project create"), @r"
    Create a project

    Usage: plura project create [OPTIONS] <PROJECT>

    Arguments:
      <PROJECT>  The project

    Options:
          --public               Let everybody pull, without a login
          --quota-bytes <SIZE>   The most bytes that it may hold
          --quota-tags <NUMBER>  The most tags that it may hold
          --redirect <WHEN>      Whether clients are sent to the object store for blobs [possible
                                 values: inherit, on, off]
          --json                 Print as JSON
      -h, --help                 Print help

    A project is the first part of the names of its repositories: `apps/search/web` is in the project
    `apps`.

    Examples:
      plura project create apps
      plura project create base --public --quota-bytes 50GiB --quota-tags 1000
    ");
    assert_snapshot!(help("project show"), @r"
    Show a project

    Usage: plura project show [OPTIONS] <PROJECT>

    Arguments:
      <PROJECT>  The project

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura project show apps
    ");
    assert_snapshot!(help("project update"), @r"
    Change who may pull from a project and how, or its limits

    Usage: plura project update [OPTIONS] <--public <BOOL>|--quota-bytes <SIZE>|--quota-tags <NUMBER>|--redirect <WHEN>> <PROJECT>

    Arguments:
      <PROJECT>  The project

    Options:
          --public <BOOL>        Whether everybody may pull, without a login [possible values: true,
                                 false]
          --quota-bytes <SIZE>   The most bytes that it may hold, or `none`
          --quota-tags <NUMBER>  The most tags that it may hold, or `none`
          --redirect <WHEN>      Whether clients are sent to the object store for blobs [possible
                                 values: inherit, on, off]
          --json                 Print as JSON
      -h, --help                 Print help

    Examples:
      plura project update apps --public=false
      plura project update apps --quota-bytes 100GiB --quota-tags none
      plura project update apps --redirect off
    ");
}

#[test]
fn projects_and_more() {
    assert_snapshot!(help("project delete"), @r"
    Delete a project that has no repositories

    Usage: plura project delete [OPTIONS] <PROJECT>

    Arguments:
      <PROJECT>  The project

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura project delete apps
    ");
}

#[test]
fn members() {
    assert_snapshot!(help("member"), @r"
    Who may do what, in a project or everywhere

    Usage: plura member [OPTIONS] <COMMAND>

    Commands:
      list    List who may do what
      add     Allow somebody something
      remove  Take back what somebody was allowed
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("member list"), @r"
    List who may do what

    Usage: plura member list [OPTIONS] <--project <PROJECT>|--everywhere>

    Options:
          --project <PROJECT>  In this project
          --everywhere         In every project
          --json               Print as JSON
      -h, --help               Print help

    Examples:
      plura member list --project apps
      plura member list --everywhere
    ");
    assert_snapshot!(help("member add"), @r"
    Allow somebody something

    Usage: plura member add [OPTIONS] --role <ROLE> <--project <PROJECT>|--everywhere> <SUBJECT>

    Arguments:
      <SUBJECT>  Who: `user:alice`, `group:sre`, ...

    Options:
          --role <ROLE>             What they may do [possible values: reader, developer, promoter,
                                    maintainer, administrator]
          --repositories <PATTERN>  Only in repositories like this: `*` is any part of a name between
                                    slashes, `**` any part
          --project <PROJECT>       In this project
          --everywhere              In every project
          --json                    Print as JSON
      -h, --help                    Print help (see more with '--help')

    Subjects are `user:NAME`, `robot:NAME`, `group:NAME`, `trust:NAME`, `spiffe:PATTERN`, and `everyone`
    for anybody who is logged in.

    Examples:
      plura member add user:alice --role developer --project apps
      plura member add group:sre --role maintainer --everywhere
      plura member add everyone --role reader --project apps --repositories 'apps/base-*'
    ");
    assert_snapshot!(help("member remove"), @r"
    Take back what somebody was allowed

    Usage: plura member remove [OPTIONS] <--project <PROJECT>|--everywhere> <SUBJECT|ID>

    Arguments:
      <SUBJECT|ID>  Who, as it is listed, or the id of one entry of the list

    Options:
          --role <ROLE>        Only this role [possible values: reader, developer, promoter, maintainer,
                               administrator]
          --project <PROJECT>  In this project
          --everywhere         In every project
          --json               Print as JSON
      -h, --help               Print help (see more with '--help')

    Exit status: 1 if there is no such member.

    Examples:
      plura member remove user:alice --project apps                     All that alice may do there
      plura member remove user:alice --role developer --project apps    Only that
      plura member remove 17 --everywhere                               An id that `list` shows
    ");
}

#[test]
fn trust() {
    assert_snapshot!(help("trust"), @r"
    Whom to trust: whose signatures count, and which tokens of CI jobs and workloads are accepted

    Usage: plura trust [OPTIONS] <COMMAND>

    Commands:
      policy  Whose signatures count, in which repositories
      root    Who vouches for the identities of signers
      key     Make a pair of keys that signs and verifies
      list    List whose tokens are trusted
      add     Trust the tokens of an issuer that fulfil conditions
      show    Show whose tokens are trusted, with the conditions
      remove  Trust the tokens no more
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("trust list"), @r"
    List whose tokens are trusted

    Usage: plura trust list [OPTIONS]

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura trust list
    ");
    assert_snapshot!(help("trust add"), @r#"
    Trust the tokens of an issuer that fulfil conditions

    Usage: plura trust add [OPTIONS] <--github|--gitlab|--kubernetes|--generic|--file <FILE>> <NAME>

    Arguments:
      <NAME>  What to call it

    Options:
          --github                     Of jobs of GitHub Actions
          --gitlab                     Of jobs of GitLab CI
          --kubernetes                 Of service accounts of a Kubernetes cluster
          --generic                    Of any other issuer
          --file <FILE>                As a JSON file says that has everything; `-` is standard input
          --issuer <URL>               Who signs the tokens; known for github.com and gitlab.com
          --audience <TEXT>            Whom the tokens are meant for; otherwise this server, as
                                       `--server` names it
          --repository-id <ID>         GitHub: the id of the repository; can be repeated
          --owner-id <ID>              GitHub: the id of the owner of the repository; can be repeated
          --project-id <ID>            GitLab: the id of the project; can be repeated
          --namespace-id <ID>          GitLab: the id of the group or user that the project is in; can
                                       be repeated
          --ref-type <TYPE>            GitLab: `branch` or `tag`
          --ref <REF>                  GitHub and GitLab: the branch or tag; can be repeated
          --environment <NAME>         GitHub and GitLab: the deployment environment; can be repeated
          --service-account-uid <UID>  Kubernetes: the uid of the service account; can be repeated
          --namespace <NAME>           Kubernetes: the namespace of the service account; can be repeated
          --subject <SUB>              Others: the subject of the tokens; can be repeated
          --condition <CLAIM=VALUE>    What any other claim of the token must be; can be repeated; `/`
                                       leads into a claim, as in `kubernetes.io/node/name=n1`
          --allow-pull-request-target  GitHub: also accept jobs that run for pull requests from
                                       elsewhere with the rights of the repository
          --jwks-file <FILE>           The keys of the issuer in a file on the server, which then does
                                       not fetch them
          --token-lifetime <DURATION>  How long a token of plura lasts that is given for one of theirs
          --role <ROLE>                What the tokens allow; can be repeated [possible values: reader,
                                       developer, promoter, maintainer, administrator]
          --project <PROJECT>          In this project; otherwise everywhere
          --repositories <PATTERN>     Only in repositories like this: `*` is any part of a name between
                                       slashes, `**` any part
          --replace                    Replace the trust of that name, if there is one
          --json                       Print as JSON
      -h, --help                       Print help (see more with '--help')

    A token must fulfil every condition; a condition that is given several times, one of its values. `*`
    in a value stands for anything, but not in ids. Repositories, owners and accounts are named by ids,
    because names can be taken over by others.

    Examples:
      plura trust add github-main --github --repository-id 1296269 --owner-id 9919 \
          --ref refs/heads/main --role developer --project apps
      plura trust add gitlab-tags --gitlab --issuer https://gitlab.example.com --project-id 42 \
          --namespace-id 7 --ref-type tag --role promoter --project apps
      plura trust add puller --kubernetes --issuer https://kubernetes.default.svc \
          --service-account-uid $(kubectl get sa puller -o jsonpath={.metadata.uid}) \
          --role reader --project apps
      plura trust add github-main --file trust.json --replace
    "#);
    assert_snapshot!(help("trust show"), @r"
    Show whose tokens are trusted, with the conditions

    Usage: plura trust show [OPTIONS] <NAME>

    Arguments:
      <NAME>  The name of the trust

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura trust show github-main --json > trust.json     A file for `plura trust add --file`
    ");
    assert_snapshot!(help("trust remove"), @r"
    Trust the tokens no more

    Usage: plura trust remove [OPTIONS] <NAME>

    Arguments:
      <NAME>  The name of the trust

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura trust remove github-main
    ");
}

#[test]
fn audit() {
    assert_snapshot!(help("audit"), @"
    Show who did what

    Usage: plura audit [OPTIONS]

    Options:
          --actor <NAME>       Of this user or robot
          --action <ACTION>    Of this kind, such as `manifest.push`, or with a dot at the end, all that
                               begin so
          --target <TARGET>    About this, such as `apps/web:1.0`
          --outcome <OUTCOME>  That ended like this [possible values: allowed, denied]
          --project <PROJECT>  In this project
          --since <TIME>       Not before this time
          --until <TIME>       Before this time
          --limit <NUMBER>     At most so many [default: 100]
          --json               Print as JSON
          --jsonl              Print as JSON, one entry a line, each as soon as it arrives
      -h, --help               Print help

    The newest entries come first. Times are like `2026-07-01`, `2026-07-01T12:00:00Z`, or how long ago:
    `24h`, `7d`.

    Examples:
      plura audit --since 24h --outcome denied
      plura audit --actor robot+apps+ci --action manifest.push --limit 10
      plura audit --project apps --since 2026-07-01 --limit 100000 --jsonl > july.jsonl
    ");
}

#[test]
fn access() {
    assert_snapshot!(help("access"), @r"
    Ask what is allowed, and why

    Usage: plura access [OPTIONS] <COMMAND>

    Commands:
      explain  Say whether somebody may do something, and why
      whoami   Say who you are to the server, and what you may do
      help     Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("access explain"), @"
    Say whether somebody may do something, and why

    Usage: plura access explain [OPTIONS] --as <SUBJECT> --action <ACTION>

    Options:
          --as <SUBJECT>     Who: `user:NAME`, `robot:NAME`, `trust:NAME`, `spiffe://...`, `anonymous`
          --action <ACTION>  What: `pull`, `push`, `delete`, `promote`, ...
          --repo <NAME>      In which repository; otherwise, on the whole installation
          --json             Print as JSON
      -h, --help             Print help

    The answer is that of the rules by which requests are decided. Exit status: 0 allowed, 1 denied.

    Examples:
      plura access explain --as user:alice --action push --repo apps/web
      plura access explain --as trust:github-main --action pull --repo base/debian --json
      plura access explain --as anonymous --action pull --repo base/debian
    ");
    assert_snapshot!(help("access whoami"), @r"
    Say who you are to the server, and what you may do

    Usage: plura access whoami [OPTIONS]

    Options:
          --json  Print as JSON
      -h, --help  Print help

    Example:
      plura access whoami
    ");
}

#[test]
fn images() {
    assert_snapshot!(help("image"), @"
    Look at images: configuration, history, layers, what belongs to them

    Usage: plura image [OPTIONS] <COMMAND>

    Commands:
      inspect   Show what an image is: platforms, configuration, labels, tags, what is about it
      history   Show how an image came to be, the first step first
      layers    Show the layers of an image, the lowest first
      manifest  Print a manifest or a configuration, byte for byte
      tree      Show what belongs to an image: children, attestations, signatures
      diff      Show in what two images differ
      packages  List the packages of an image
      sbom      Print the SBOM of an image, or compare it with those that came with it
      base      Show what an image stands on, or what stands on it
      facts     Show what is in an image: operating system, user, ports, secrets
      vulns     Show which vulnerabilities an image has, now
      report    Keep what another scanner says about an image
      scan      Let a scanner look at an image, and keep what it says
      help      Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help
    ");
    assert_snapshot!(help("image inspect"), @"
    Show what an image is: platforms, configuration, labels, tags, what is about it

    Usage: plura image inspect [OPTIONS] <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image; without a tag or digest, `latest`

    Options:
          --platform <OS/ARCH[/VARIANT]>  For which platform, if it is for several
          --json                          Print as JSON
      -h, --help                          Print help

    Of an index, its children are shown, and what all of them say alike; with `--platform`, one of them.
    Artifacts that are no images are shown with what they are.

    Examples:
      plura image inspect apps/web:1.0.0
      plura image inspect apps/web:1.0.0 --platform linux/arm64
      plura image inspect apps/web@sha256:... --json | jq -r '.config.labels'
    ");
    assert_snapshot!(help("image history"), @"
    Show how an image came to be, the first step first

    Usage: plura image history [OPTIONS] <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image; without a tag or digest, `latest`

    Options:
          --platform <OS/ARCH[/VARIANT]>  For which platform, if it is for several
          --no-trunc                      Show whole commands and digests
          --json                          Print as JSON
      -h, --help                          Print help

    Steps that made no layer are marked `empty`.

    Examples:
      plura image history apps/web:1.0.0
      plura image history apps/web:1.0.0 --platform linux/arm64 --no-trunc
    ");
    assert_snapshot!(help("image layers"), @"
    Show the layers of an image, the lowest first

    Usage: plura image layers [OPTIONS] <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image; without a tag or digest, `latest`

    Options:
          --platform <OS/ARCH[/VARIANT]>  For which platform, if it is for several
          --json                          Print as JSON
      -h, --help                          Print help

    Sizes are those of the layers as they are stored and pulled, mostly compressed.

    Examples:
      plura image layers apps/web:1.0.0
      plura image layers apps/web:1.0.0 --platform linux/arm64 --json | jq -r '.[].digest'
    ");
}

#[test]
fn parts_of_images() {
    assert_snapshot!(help("image manifest"), @"
    Print a manifest or a configuration, byte for byte

    Usage: plura image manifest [OPTIONS] <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image; without a tag or digest, `latest`

    Options:
          --platform <OS/ARCH[/VARIANT]>  For which platform, if it is for several
          --config                        The configuration that the manifest names, instead of the
                                          manifest
          --pretty                        Indented for reading; these are other bytes than were pushed
      -h, --help                          Print help

    What is printed is what was pushed, so that its digest can be computed from it.

    Examples:
      plura image manifest apps/web:1.0.0 | sha256sum
      plura image manifest apps/web:1.0.0 --platform linux/arm64 --config --pretty
    ");
    assert_snapshot!(help("image tree"), @"
    Show what belongs to an image: children, attestations, signatures

    Usage: plura image tree [OPTIONS] <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image; without a tag or digest, `latest`

    Options:
          --platform <OS/ARCH[/VARIANT]>  For which platform, if it is for several
          --json                          Print as JSON
      -h, --help                          Print help

    Signatures and attestations that cosign keeps under tags (`sha256-....sig`) are shown where they
    belong.

    Example:
      plura image tree apps/web:1.0.0
    ");
    assert_snapshot!(help("image diff"), @"
    Show in what two images differ

    Usage: plura image diff [OPTIONS] <A> <B>

    Arguments:
      <A>  The one, which is taken to be the older
      <B>  The other

    Options:
          --platform <OS/ARCH[/VARIANT]>  For which platform, if they are for several
          --json                          Print as JSON
      -h, --help                          Print help

    Compared are platform, configuration, environment, labels, layers and history. Of images for several
    platforms, `--platform` says which to compare.

    Examples:
      plura image diff apps/web:1.0.0 apps/web:1.1.0
      plura image diff base/debian:12 apps/web:1.0.0 --platform linux/arm64 --json
    ");
}
