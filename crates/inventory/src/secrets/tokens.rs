//! Tokens that are known by their form, wherever they are.

use std::{cell::LazyCell, sync::LazyLock};

use aho_corasick::AhoCorasick;
use flate2::Crc;

use super::{Rule, Seen, is_published};

/// A way to begin, and what follows it.
struct Form {
    rule: Rule,
    prefix: &'static str,
    read: fn(Candidate<'_>) -> Option<&[u8]>,
}

/// A place where a prefix was found.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    text: &'a [u8],
    /// Where the prefix begins, and where it ends.
    start: usize,
    end: usize,
}

const FORMS: &[Form] = &[
    Form { rule: Rule::PrivateKey, prefix: "-----BEGIN ", read: private_key },
    Form { rule: Rule::AwsSecretKey, prefix: "AKIA", read: aws },
    Form { rule: Rule::GithubToken, prefix: "ghp_", read: checksummed },
    Form { rule: Rule::GithubToken, prefix: "gho_", read: checksummed },
    Form { rule: Rule::GithubToken, prefix: "ghu_", read: checksummed },
    Form { rule: Rule::GithubToken, prefix: "ghs_", read: checksummed },
    Form { rule: Rule::GithubToken, prefix: "ghr_", read: checksummed },
    Form { rule: Rule::GithubToken, prefix: "github_pat_", read: github_fine_grained },
    Form { rule: Rule::GitlabToken, prefix: "glpat-", read: gitlab },
    Form { rule: Rule::GitlabToken, prefix: "gldt-", read: gitlab },
    Form { rule: Rule::GitlabToken, prefix: "glrt-", read: gitlab },
    Form { rule: Rule::SlackToken, prefix: "xoxb-", read: slack },
    Form { rule: Rule::SlackToken, prefix: "xoxp-", read: slack },
    Form { rule: Rule::SlackToken, prefix: "xoxa-", read: slack },
    Form { rule: Rule::SlackToken, prefix: "hooks.slack.com/services/T", read: slack_webhook },
    Form { rule: Rule::NpmToken, prefix: "npm_", read: checksummed },
    Form { rule: Rule::PypiToken, prefix: "pypi-AgEIcHlwaS5vcmc", read: pypi },
    Form { rule: Rule::StripeKey, prefix: "sk_live_", read: stripe },
    Form { rule: Rule::StripeKey, prefix: "rk_live_", read: stripe },
    Form { rule: Rule::VaultToken, prefix: "hvs.", read: vault },
];

/// All prefixes are looked for at once.
static PREFIXES: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(FORMS.iter().map(|form| form.prefix)).ok());

pub(super) fn search<'a>(path: &str, text: &'a [u8]) -> Vec<Seen<'a>> {
    let mut seen = Vec::new();
    let Some(prefixes) = PREFIXES.as_ref() else { return seen };
    let service_account = LazyCell::new(|| is_service_account(text));
    for found in prefixes.find_iter(text) {
        let form = &FORMS[found.pattern().as_usize()];
        let candidate = Candidate { text, start: found.start(), end: found.end() };
        if let Some(value) = (form.read)(candidate)
            && !is_example(value)
            && !(form.rule == Rule::PrivateKey && is_published(path))
        {
            let google = form.rule == Rule::PrivateKey && *service_account;
            let rule = if google { Rule::GcpServiceAccount } else { form.rule };
            seen.push(Seen { rule, at: candidate.start, value });
        }
    }
    seen
}

fn is_example(value: &[u8]) -> bool {
    let holds = |word: &[u8]| memchr::memmem::find(value, word).is_some();
    holds(b"EXAMPLE") || holds(b"example") || holds(b"XXXXXX") || holds(b"xxxxxx")
}

/// The key of a service account is a PEM block inside JSON.
fn is_service_account(text: &[u8]) -> bool {
    let holds = |word: &[u8]| memchr::memmem::find(text, word).is_some();
    holds(b"\"service_account\"") && holds(b"\"private_key_id\"")
}

impl<'a> Candidate<'a> {
    /// The run of such bytes behind the prefix, if nothing of that kind stands in front of it.
    fn run(self, belongs: impl Fn(u8) -> bool) -> Option<&'a [u8]> {
        let before = self.start.checked_sub(1).map(|at| self.text[at]);
        if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return None;
        }
        let rest = &self.text[self.end..];
        let most = &rest[..rest.len().min(LONGEST)];
        let length = most.iter().position(|byte| !belongs(*byte)).unwrap_or(most.len());
        Some(&most[..length])
    }

    fn whole(self, run: &[u8]) -> &'a [u8] {
        &self.text[self.start..self.end + run.len()]
    }
}

/// No token is longer.
const LONGEST: usize = 512;

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_url_safe(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

/// Thirty random characters of base 62, and their CRC-32 in six more: GitHub and npm.
fn checksummed(candidate: Candidate<'_>) -> Option<&[u8]> {
    let run = candidate.run(is_word).filter(|run| run.len() == 36)?;
    let (random, checksum) = run.split_at(30);
    let mut crc = Crc::new();
    crc.update(random);
    (base62(crc.sum()) == *checksum).then(|| candidate.whole(run))
}

fn base62(mut number: u32) -> [u8; 6] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = [b'0'; 6];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    text
}

fn github_fine_grained(candidate: Candidate<'_>) -> Option<&[u8]> {
    let run = candidate.run(is_word).filter(|run| run.len() == 82 && run[22] == b'_')?;
    is_random(run).then(|| candidate.whole(run))
}

fn gitlab(candidate: Candidate<'_>) -> Option<&[u8]> {
    // Newer ones have two more parts behind dots.
    let run = candidate.run(|byte| is_url_safe(byte) || byte == b'.')?;
    let end = run.iter().rposition(|byte| *byte != b'.').map_or(0, |last| last + 1);
    let first = run.iter().position(|byte| *byte == b'.').unwrap_or(end);
    let fits = (end == 20 && first == 20) || (first >= 27 && end - first <= 14);
    (fits && is_random(&run[..end])).then(|| candidate.whole(&run[..end]))
}

fn slack(candidate: Candidate<'_>) -> Option<&[u8]> {
    let run = candidate.run(is_url_safe)?;
    let mut parts = run.split(|byte| *byte == b'-');
    let number = |part: Option<&[u8]>| {
        part.is_some_and(|part| part.len() >= 10 && part.iter().all(u8::is_ascii_digit))
    };
    let numbered = number(parts.next()) && number(parts.next());
    let secret = parts.next_back().is_some_and(|last| last.len() >= 24 && is_random(last));
    (numbered && secret).then(|| candidate.whole(run))
}

fn slack_webhook(candidate: Candidate<'_>) -> Option<&[u8]> {
    let rest = &candidate.text[candidate.end..];
    let most = &rest[..rest.len().min(LONGEST)];
    let length = most.iter().position(|byte| !is_word(*byte) && *byte != b'/');
    let run = &most[..length.unwrap_or(most.len())];
    let mut parts = run.split(|byte| *byte == b'/');
    let (team, hook, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = team.len() >= 7 && hook.len() >= 8 && hook[0] == b'B' && secret.len() == 24;
    (fits && is_random(secret)).then(|| candidate.whole(run))
}

fn pypi(candidate: Candidate<'_>) -> Option<&[u8]> {
    let run = candidate.run(is_url_safe).filter(|run| run.len() >= 50)?;
    Some(candidate.whole(run))
}

fn stripe(candidate: Candidate<'_>) -> Option<&[u8]> {
    let run = candidate.run(is_word).filter(|run| run.len() >= 24 && is_random(run))?;
    Some(candidate.whole(run))
}

fn vault(candidate: Candidate<'_>) -> Option<&[u8]> {
    let run = candidate.run(is_url_safe).filter(|run| run.len() >= 90 && is_random(run))?;
    Some(candidate.whole(run))
}

/// The identifier of an access key is no secret; the forty characters near it are.
fn aws(candidate: Candidate<'_>) -> Option<&[u8]> {
    const NEAR: usize = 400;
    let identifier = candidate.run(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())?;
    let base32 =
        identifier.iter().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(byte));
    if identifier.len() != 16 || !base32 || is_example(identifier) {
        return None;
    }
    let from = candidate.start.saturating_sub(NEAR);
    let to = candidate.text.len().min(candidate.end + NEAR);
    let mut words = candidate.text[from..to].split(|byte| !is_aws_secret_byte(*byte));
    words
        .find(|word| word.len() == 40 && is_random(word) && !word.iter().all(u8::is_ascii_hexdigit))
}

fn is_aws_secret_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+')
}

/// A PEM block with at least one whole line of base64 and its end, `\n` also as JSON writes it.
fn private_key(candidate: Candidate<'_>) -> Option<&[u8]> {
    const LONGEST_KEY: usize = 16 << 10;
    const MARK: &[u8] = b"PRIVATE KEY";
    let rest = &candidate.text[candidate.end..];
    let rest = &rest[..rest.len().min(LONGEST_KEY)];
    // `RSA PRIVATE KEY-----`, `PGP PRIVATE KEY BLOCK-----`
    let label = &rest[..memchr::memmem::find(&rest[..rest.len().min(64)], b"-----")?];
    memchr::memmem::find(label, MARK)?;
    if label.starts_with(b"ENCRYPTED") {
        return None;
    }
    let body = &rest[label.len() + 5..];
    // The next dashes end it or begin another, so that no byte is looked at for two of them.
    let end = memchr::memmem::find(body, b"-----")?;
    let body = body[end..].starts_with(b"-----END ").then_some(&body[..end])?;
    if memchr::memmem::find(body, b"Proc-Type: 4,ENCRYPTED").is_some() {
        return None;
    }
    let mut lines = body.split(|byte| !is_aws_secret_byte(*byte) && *byte != b'=');
    lines.any(|line| line.len() >= 40 && is_random(line)).then_some(body)
}

/// Random characters are of several kinds and do not repeat much.
fn is_random(text: &[u8]) -> bool {
    let kinds = [
        text.iter().any(u8::is_ascii_lowercase),
        text.iter().any(u8::is_ascii_uppercase),
        text.iter().any(u8::is_ascii_digit),
    ];
    let mut seen = [false; 256];
    for byte in text {
        seen[usize::from(*byte)] = true;
    }
    let different = seen.iter().filter(|seen| **seen).count();
    kinds.iter().filter(|kind| **kind).count() >= 2 && different >= 10.min(text.len() / 2)
}
