//! Every kind of identity, every action of `/v2`, every kind of place.

use std::collections::BTreeSet;

use plura_oci::Action;
use plura_testkit::{Answer, Client, Image, Issuer, Random, digest, media_type};
use reqwest::Method;
use serde_json::Value;

use super::Closed;
use super::grid::{Grid, Line, OUTSIDERS, check_alike};
use super::people;

/// Where something is asked for: a repository of a private project; one of a public project; one that
/// the private project does not have; one of a project that there is not.
pub(super) const PLACES: [&str; 4] = ["apps/web", "open/web", "apps/non", "none/web"];

/// What is expected for each action and identity in each of the places, in their order.
///
/// `+` let through; `L` 401, to log in; `S` 401, to come again with a token of wider scope; `-` 403;
/// `P` 403, since there is no such project and pushing does not make one.
///
/// What is let through is made so that it changes nothing: it is answered with the statuses at the end
/// of the row, first in a repository that there is, then in one that there is not.
const TABLE: &str = "
request -            anonymous nobody stranger reader developer promoter maintainer reader-all maintainer-all root robot robot-all limited docker workload there missing
HEAD ping            L         +      +        +      +         +        +          +          +              +    +     +         +       +      +        200   -
GET  ping            L         +      +        +      +         +        +          +          +              +    +     +         +       +      +        200   -
HEAD catalog         L         +      +        +      +         +        +          +          +              +    +     +         S       S      +        200   -
GET  catalog         L         +      +        +      +         +        +          +          +              +    +     +         S       S      +        200   -
HEAD tags            L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   404
GET  tags            L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   404
HEAD manifest        L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   404
GET  manifest        L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   404
HEAD manifest@       L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   404
GET  manifest@       L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   404
HEAD history         L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   200
GET  history         L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   200
HEAD referrers       L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   200
GET  referrers       L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   200
HEAD blob            L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   404
GET  blob            L+LL      S+SS   -+--     +++-   +++-      +++-     +++-       ++++       ++++           ++++ +++-  ++++      +SS-    +SS-   ++--     200   404
PUT  manifest        LLLL      SSSS   ----     ----   +-+-      ----     +-+-       ----       +++P           +++P +-+-  ----      S-S-    +-S-   +---     400   400
PUT  manifest@       LLLL      SSSS   ----     ----   +-+-      ----     +-+-       ----       +++P           +++P +-+-  ----      S-S-    +-S-   +---     400   400
POST session         LLLL      SSSS   ----     ----   +-+-      ----     +-+-       ----       +++P           +++P +-+-  ----      S-S-    +-S-   +---     202   202
POST whole           LLLL      SSSS   ----     ----   +-+-      ----     +-+-       ----       +++P           +++P +-+-  ----      S-S-    +-S-   +---     400   400
POST mount           LLLL      SSSS   ----     ----   +-+-      ----     +-+-       ----       +++P           +++P +-+-  ----      S-S-    +-S-   +---     202   202
POST mount-any       LLLL      SSSS   ----     ----   +-+-      ----     +-+-       ----       +++P           +++P +-+-  ----      S-S-    +-S-   +---     202   202
HEAD upload          LLLL      SSSS   ----     ----   +-+-      ----     +-+-       ----       +++P           +++P +-+-  ----      S-S-    +-S-   +---     404   404
GET  upload          LLLL      SSSS   ----     ----   +-+-      ----     +-+-       ----       +++P           +++P +-+-  ----      S-S-    +-S-   +---     404   404
PATCH upload         LLLL      SSSS   ----     ----   +-+-      ----     +-+-       ----       +++P           +++P +-+-  ----      S-S-    +-S-   +---     404   404
PUT  upload          LLLL      SSSS   ----     ----   +-+-      ----     +-+-       ----       +++P           +++P +-+-  ----      S-S-    +-S-   +---     404   404
DELETE upload        LLLL      SSSS   ----     ----   +-+-      ----     +-+-       ----       +++P           +++P +-+-  ----      S-S-    +-S-   +---     404   404
DELETE manifest      LLLL      SSSS   ----     ----   ----      ----     +-+-       ----       ++++           ++++ ----  ----      S-S-    ----   ----     404   404
DELETE manifest@     LLLL      SSSS   ----     ----   ----      ----     +-+-       ----       ++++           ++++ ----  ----      S-S-    ----   ----     404   404
DELETE blob          LLLL      SSSS   ----     ----   ----      ----     +-+-       ----       ++++           ++++ ----  ----      S-S-    ----   ----     404   404
";

/// Every action of `/v2` by its name in the log.
const ACTIONS: [&str; 15] = [
    "ping",
    "list_repositories",
    "list_tags",
    "get_manifest",
    "put_manifest",
    "delete_manifest",
    "list_referrers",
    "get_blob",
    "delete_blob",
    "start_upload",
    "upload_status",
    "append_upload",
    "finish_upload",
    "cancel_upload",
    "tag_history",
];

/// The place of an action in [`ACTIONS`]: an action that is added does not compile before it has one,
/// and [`every_action_has_a_row`] fails before it has a row.
const fn place(action: &Action) -> usize {
    match action {
        Action::Ping => 0,
        Action::ListRepositories(_) => 1,
        Action::ListTags(..) => 2,
        Action::GetManifest(..) => 3,
        Action::PutManifest { .. } => 4,
        Action::DeleteManifest(..) => 5,
        Action::ListReferrers { .. } => 6,
        Action::GetBlob(..) => 7,
        Action::DeleteBlob(..) => 8,
        Action::StartUpload(..) => 9,
        Action::UploadStatus(..) => 10,
        Action::AppendUpload(..) => 11,
        Action::FinishUpload(..) => 12,
        Action::CancelUpload(..) => 13,
        Action::TagHistory(..) => 14,
    }
}

/// A row of the table.
struct Row {
    method: Method,
    what: &'static str,
    cells: Vec<&'static str>,
    there: u16,
    missing: u16,
}

fn rows() -> (Vec<&'static str>, Vec<Row>) {
    let grid = Grid::read(TABLE, 2);
    let row = |line: Line| {
        let [method, what] = line.request[..] else { unreachable!("as many as were asked for") };
        let (there, missing) = (status(line.rest[0]), status(line.rest[1]));
        let method = method.parse().expect("a method");
        Row { method, what, cells: line.cells, there, missing }
    };
    (grid.identities, grid.lines.into_iter().map(row).collect())
}

/// A status, or none.
fn status(text: &str) -> u16 {
    text.parse().unwrap_or(0)
}

/// What the requests are made of.
struct Content {
    image: Image,
    absent: String,
}

impl Row {
    /// The path and query of the request about a repository.
    fn target(&self, content: &Content, name: &str) -> String {
        const UPLOAD: &str = "0198c5a0-0000-7000-8000-000000000000";
        let Content { image, absent } = content;
        let present = if self.method == Method::DELETE { absent } else { &image.digest() };
        let blob = image.blobs[0].digest();
        let blob = if self.method == Method::DELETE { absent } else { &blob };
        let tag = if self.method == Method::DELETE { "absent" } else { "v1" };
        match self.what {
            "ping" => "/v2/".to_owned(),
            "catalog" => "/v2/_catalog".to_owned(),
            "tags" => format!("/v2/{name}/tags/list"),
            "history" => format!("/v2/{name}/_oci/tag-history/{tag}"),
            "manifest" => format!("/v2/{name}/manifests/{tag}"),
            "manifest@" => format!("/v2/{name}/manifests/{present}"),
            "referrers" => format!("/v2/{name}/referrers/{absent}"),
            "blob" => format!("/v2/{name}/blobs/{blob}"),
            "session" => format!("/v2/{name}/blobs/uploads/"),
            "whole" => format!("/v2/{name}/blobs/uploads/?digest={absent}"),
            "mount" => format!("/v2/{name}/blobs/uploads/?mount={absent}&from={name}"),
            "mount-any" => format!("/v2/{name}/blobs/uploads/?mount={absent}"),
            "upload" if self.method == Method::PUT => {
                format!("/v2/{name}/blobs/uploads/{UPLOAD}?digest={absent}")
            }
            "upload" => format!("/v2/{name}/blobs/uploads/{UPLOAD}"),
            other => panic!("what is {other}?"),
        }
    }

    async fn ask(&self, client: &Client, target: &str) -> Answer {
        let request = client.request(self.method.clone(), target);
        match (self.method.as_str(), self.what) {
            ("GET" | "HEAD" | "DELETE", _) => request.await,
            (_, "manifest" | "manifest@") => {
                request.header("content-type", media_type::IMAGE).body("no manifest").await
            }
            (_, "whole") => request.body("something else").await,
            _ => request.body("").await,
        }
    }

    /// What an answer says, in a letter of the table.
    fn letter(&self, answer: &Answer, place: usize) -> char {
        let allowed = if place < 2 { self.there } else { self.missing };
        let challenge = answer.header_if_any("www-authenticate");
        let has_body = self.method != Method::HEAD && answer.status >= 400;
        let error = if has_body { answer.json()["errors"][0].clone() } else { Value::Null };
        let is_code = |expected: &str| !has_body || error["code"] == expected;
        let narrow = challenge.is_some_and(|text| text.contains(r#"error="insufficient_scope""#));
        match (answer.status, challenge) {
            (401, Some(_)) if narrow && is_code("UNAUTHORIZED") => 'S',
            (401, Some(_)) if is_code("UNAUTHORIZED") => 'L',
            (403, None) if is_code("DENIED") => {
                if error["detail"]["rule"] == "access.create_projects" { 'P' } else { '-' }
            }
            (status, None) if status == allowed => '+',
            _ => '?',
        }
    }

    /// Whether that is what was expected. The answer to a `HEAD` has no body that would tell `P`.
    fn is_as_expected(&self, got: char, expected: char) -> bool {
        got == expected || (self.method == Method::HEAD && (got, expected) == ('-', 'P'))
    }
}

#[test]
fn every_action_has_a_row() {
    let image = Image::random(&mut Random::seeded(1));
    let content = Content { image, absent: digest(b"absent") };
    let mut named = BTreeSet::new();
    for row in rows().1 {
        let target = row.target(&content, "apps/web");
        let (path, query) = target.split_once('?').map_or((&*target, None), |(p, q)| (p, Some(q)));
        let action = Action::parse(row.method.as_str(), path, query);
        let action = action.unwrap_or_else(|error| panic!("{target}: {error:?}"));
        assert_eq!(ACTIONS[place(&action)], action.name(), "{target}");
        named.insert(action.name());
    }
    assert_eq!(named, BTreeSet::from(ACTIONS));
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says_and_nothing_else() {
    let mut closed = Closed::start();
    let issuer = Issuer::start().await;
    closed.project("apps").await;
    closed.public_project("open").await;
    let (_, image) = closed.image("apps/web").await;
    closed.root.repository("open/web").push_image_as("v1", &image).await;
    let content = Content { image, absent: digest(b"absent") };
    let everybody = people::everybody(&mut closed, &issuer).await;
    let (identities, rows) = rows();
    let mut wrong = Vec::new();
    for row in &rows {
        for (identity, cell) in identities.iter().zip(&row.cells) {
            let mut answers = Vec::new();
            for (place, expected) in cell.chars().enumerate() {
                let target = row.target(&content, PLACES[place]);
                let answer = row.ask(&everybody[identity], &target).await;
                let got = row.letter(&answer, place);
                if !row.is_as_expected(got, expected) {
                    let what = answer.describe();
                    wrong.push(format!("{identity}: expected {expected}, got {got}: {what}"));
                }
                answers.push(answer);
            }
            if OUTSIDERS.contains(identity) && answers.len() == PLACES.len() {
                check_alike(identity, &answers[0], &answers[2]);
                check_alike(identity, &answers[0], &answers[3]);
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong.join("\n\n"));
}
