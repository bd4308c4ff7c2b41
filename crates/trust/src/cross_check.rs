use crate::{Identity, Provenance, Reason, Refusal, json::shortened};

/// What a registry knows of a push that provenance cannot make up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pushed<'a> {
    /// The image's label `org.opencontainers.image.revision`.
    pub revision: Option<&'a str>,
    /// The commit of the build that pushed, from its token.
    pub commit: Option<&'a str>,
    /// The repository of the build that pushed, from its token, as a URL.
    pub repository: Option<&'a str>,
    /// The run that pushed, from its token: a URL, or the number that its URL contains.
    pub run: Option<&'a str>,
}

/// Where provenance contradicts what is known otherwise. What is not known contradicts nothing.
pub fn cross_check(
    provenance: &Provenance,
    signer: Option<&Identity>,
    pushed: &Pushed<'_>,
) -> Vec<Refusal> {
    let source = provenance.source.as_ref();
    let commit = source.and_then(|source| source.commit.as_deref());
    let repository = source.map(|source| source.repository.as_str());
    let certified =
        |name: &str| signer.and_then(|one| one.extensions.get(name)).map(String::as_str);
    let invocation = provenance.invocation.as_deref();
    let checks = [
        differs(Reason::OtherCommit, "revision label", commit, pushed.revision, same_commit),
        differs(Reason::OtherPusher, "commit of the push", commit, pushed.commit, same_commit),
        differs(Reason::OtherPusher, "repository of the push", repository, pushed.repository, same),
        differs(Reason::OtherPusher, "run of the push", invocation, pushed.run, same_run),
        differs(
            Reason::OtherCommit,
            "commit of the signer",
            commit,
            certified("source-repository-digest"),
            same_commit,
        ),
        differs(
            Reason::OtherPusher,
            "repository of the signer",
            repository,
            certified("source-repository-uri"),
            same,
        ),
    ];
    checks.into_iter().flatten().collect()
}

fn differs(
    reason: Reason,
    what: &str,
    stated: Option<&str>,
    known: Option<&str>,
    same: fn(&str, &str) -> bool,
) -> Option<Refusal> {
    let (stated, known) = (stated?, known?);
    (!same(stated, known)).then(|| {
        let observed = format!("the provenance says `{}`", shortened(stated));
        Refusal::new(reason, observed).requiring(format!("`{}`, the {what}", shortened(known)))
    })
}

fn same(one: &str, other: &str) -> bool {
    let bare = |url: &str| {
        let url = url.trim_end_matches('/').to_ascii_lowercase();
        url.strip_suffix(".git").map(str::to_owned).unwrap_or(url)
    };
    bare(one) == bare(other)
}

/// Whole commits only: a short one is easily made to fit.
fn same_commit(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Runs are named by a URL or by the number in it that says which: `.../actions/runs/42/attempts/1`.
fn same_run(invocation: &str, run: &str) -> bool {
    let parts: Vec<_> = invocation.split('/').collect();
    let named = parts.windows(2).find(|pair| matches!(pair[0], "runs" | "jobs" | "pipelines"));
    match named {
        Some(pair) => pair[1] == run || invocation == run,
        None => invocation == run || (!run.is_empty() && parts.contains(&run)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::Source;

    fn provenance() -> Provenance {
        Provenance {
            predicate_type: String::new(),
            builder: String::new(),
            build_type: String::new(),
            source: Some(Source {
                repository: "https://github.com/acme/web".to_owned(),
                commit: Some("c0ffee".to_owned()),
                reference: None,
            }),
            parameters: Value::Null,
            dependencies: Vec::new(),
            invocation: Some("https://github.com/acme/web/actions/runs/42/attempts/1".to_owned()),
            started: None,
            finished: None,
        }
    }

    #[track_caller]
    fn check(pushed: &Pushed<'_>, expected: &[Reason]) {
        let found = cross_check(&provenance(), None, pushed);
        assert_eq!(found.iter().map(|refusal| refusal.reason).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn provenance_agrees_with_what_is_known() {
        check(&Pushed::default(), &[]);
        check(
            &Pushed {
                revision: Some("C0FFEE"),
                commit: Some("c0ffee"),
                repository: Some("https://github.com/Acme/web.git"),
                run: Some("42"),
            },
            &[],
        );
    }

    #[test]
    fn what_contradicts_is_named() {
        check(&Pushed { revision: Some("c0ff"), ..Pushed::default() }, &[Reason::OtherCommit]);
        check(&Pushed { commit: Some("beef"), ..Pushed::default() }, &[Reason::OtherPusher]);
        for run in ["4", "1", "runs"] {
            check(&Pushed { run: Some(run), ..Pushed::default() }, &[Reason::OtherPusher]);
        }
        let repository = Some("https://github.com/evil/web");
        check(&Pushed { repository, ..Pushed::default() }, &[Reason::OtherPusher]);
    }
}
