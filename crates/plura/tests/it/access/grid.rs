//! Tables of who may do what, as text: requests down, identities across.

use plura_testkit::Answer;

/// The identities who may not know whether there is a private project.
pub(super) const OUTSIDERS: [&str; 3] = ["anonymous", "nobody", "stranger"];

/// A table.
pub(super) struct Grid {
    /// The columns.
    pub(super) identities: Vec<&'static str>,
    pub(super) lines: Vec<Line>,
}

/// A row.
pub(super) struct Line {
    /// What is asked.
    pub(super) request: Vec<&'static str>,
    /// What each identity is answered.
    pub(super) cells: Vec<&'static str>,
    /// What stands behind the cells, beginning with the status of what is let through.
    pub(super) rest: Vec<&'static str>,
}

impl Grid {
    /// Reads a table whose rows begin with so many words about the request. The first line has the
    /// names of the columns; those from `there` on are behind the cells.
    pub(super) fn read(text: &'static str, request: usize) -> Self {
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let head: Vec<&str> = lines.next().expect("a head").split_whitespace().collect();
        let end = head.iter().position(|word| *word == "there").expect("statuses behind the cells");
        let identities = head[request..end].to_vec();
        let line = |line: &'static str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(words.len(), head.len(), "{line}");
            Line {
                request: words[..request].to_vec(),
                cells: words[request..end].to_vec(),
                rest: words[end..].to_vec(),
            }
        };
        Self { lines: lines.map(line).collect(), identities }
    }
}

/// Panics if answers about what one may not know differ in more than the names that were asked for.
#[track_caller]
pub(super) fn check_alike(identity: &str, one: &Answer, other: &Answer) {
    assert_eq!(plain(one), plain(other), "{identity}: {}", one.request);
}

/// An answer without what differs from request to request.
pub(super) fn plain(answer: &Answer) -> String {
    let mut headers = answer.headers.clone();
    headers.remove("date");
    headers.remove("x-request-id");
    let text = format!("{} {headers:?} {:?}", answer.status, answer.body);
    let text = ["apps/web", "apps/non", "none/web"]
        .iter()
        .fold(text, |text, repository| text.replace(repository, "REPOSITORY"));
    ["apps", "none"].iter().fold(text, |text, project| text.replace(project, "PROJECT"))
}
