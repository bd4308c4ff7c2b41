//! Properties of the vocabulary: what is printed can be read back, what is read is what the grammar
//! says, and ranges and hashes are those of the bytes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::cast_possible_truncation, reason = "the content of the ranges has 40 bytes")]

mod oracle;

use plura_oci::{
    Action, Algorithm, ByteRange, ContentRange, Digest, Hasher, HistoryPage, Page, Reference,
    RepositoryName, StartUpload, Tag, UploadId, location,
};
use proptest::prelude::*;

/// Names that exercise the grammar, among them its own words.
fn name() -> impl Strategy<Value = RepositoryName> {
    let part = prop_oneof![
        2 => "[a-z0-9]{1,6}((\\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}",
        1 => prop::sample::select(vec!["v2", "blobs", "uploads", "manifests", "tags", "list", "referrers"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.join("/").parse().unwrap())
}

fn tag() -> impl Strategy<Value = Tag> {
    "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}".prop_map(|text| text.parse().unwrap())
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(vec![Algorithm::Sha256, Algorithm::Sha512])
}

fn digest() -> impl Strategy<Value = Digest> {
    (algorithm(), any::<u64>()).prop_map(|(a, seed)| Digest::of(a, &seed.to_le_bytes()))
}

fn upload_id() -> impl Strategy<Value = UploadId> {
    "[a-z0-9][a-z0-9-]{0,63}".prop_map(|text| text.parse().unwrap())
}

fn reference() -> impl Strategy<Value = Reference> {
    prop_oneof![tag().prop_map(Reference::Tag), digest().prop_map(Reference::Digest)]
}

fn page() -> impl Strategy<Value = Page> {
    let after = prop::option::of("\\PC{1,12}");
    (prop::option::of(any::<u32>()), after).prop_map(|(limit, after)| Page { limit, after })
}

/// Of the times that there are in rows.
fn time() -> impl Strategy<Value = jiff::Timestamp> {
    (0..4_102_444_800_000_i64)
        .prop_map(|at| jiff::Timestamp::from_millisecond(at).expect("it is within a century"))
}

fn history_page() -> impl Strategy<Value = HistoryPage> {
    let times = (prop::option::of(time()), prop::option::of(time()));
    (prop::option::of(any::<u32>()), times, prop::option::of(digest()))
        .prop_map(|(limit, (before, since), digest)| HistoryPage { limit, before, since, digest })
}

fn start_upload() -> impl Strategy<Value = StartUpload> {
    prop_oneof![
        algorithm().prop_map(StartUpload::Session),
        digest().prop_map(StartUpload::Whole),
        (digest(), prop::option::of(name()))
            .prop_map(|(digest, from)| StartUpload::Mount { digest, from }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let manifests = prop_oneof![
        (name(), reference()).prop_map(|(n, r)| Action::GetManifest(n, r)),
        (name(), reference()).prop_map(|(n, r)| Action::DeleteManifest(n, r)),
        (name(), reference(), prop::collection::vec(tag(), 0..4)).prop_map(
            |(repository, reference, tags)| Action::PutManifest { repository, reference, tags }
        ),
    ];
    let lists = prop_oneof![
        page().prop_map(Action::ListRepositories),
        (name(), page()).prop_map(|(n, p)| Action::ListTags(n, p)),
        (name(), tag(), history_page()).prop_map(|(n, t, p)| Action::TagHistory(n, t, p)),
        (name(), digest(), prop::option::of("\\PC{1,12}"), page()).prop_map(
            |(repository, subject, artifact_type, page)| {
                Action::ListReferrers { repository, subject, artifact_type, page }
            }
        ),
    ];
    let blobs = prop_oneof![
        (name(), digest()).prop_map(|(n, d)| Action::GetBlob(n, d)),
        (name(), digest()).prop_map(|(n, d)| Action::DeleteBlob(n, d)),
    ];
    let uploads = prop_oneof![
        (name(), start_upload()).prop_map(|(n, start)| Action::StartUpload(n, start)),
        (name(), upload_id()).prop_map(|(n, id)| Action::UploadStatus(n, id)),
        (name(), upload_id()).prop_map(|(n, id)| Action::AppendUpload(n, id)),
        (name(), upload_id(), digest()).prop_map(|(n, id, d)| Action::FinishUpload(n, id, d)),
        (name(), upload_id()).prop_map(|(n, id)| Action::CancelUpload(n, id)),
    ];
    prop_oneof![1 => Just(Action::Ping), 4 => manifests, 4 => lists, 3 => blobs, 5 => uploads]
}

/// Texts close to the grammar: a random one would almost never be accepted.
fn nearly(alphabet: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![4 => alphabet, 1 => "\\PC{0,20}", 1 => any::<String>()]
}

proptest! {
    #[test]
    fn an_action_is_read_back_as_it_was_printed(action in action()) {
        let request = oracle::request(&action);
        prop_assert_eq!(request.parse(), Ok(action), "{:?}", request);
    }

    #[test]
    fn a_path_may_escape_any_of_its_characters(action in action(), seed in any::<u64>()) {
        let mut request = oracle::request(&action);
        let escape = |(index, c): (usize, char)| {
            // A slash that is escaped is no longer one that separates.
            if c != '/' && seed >> (index % 64) & 1 == 1 {
                format!("%{:02x}", u32::from(c))
            } else {
                c.to_string()
            }
        };
        let words = request.path.strip_prefix("/v2").unwrap();
        request.path = format!("/v2{}", words.chars().enumerate().map(escape).collect::<String>());
        prop_assert_eq!(request.parse(), Ok(action), "{:?}", request);
    }

    #[test]
    fn a_name_is_what_the_grammar_says(text in nearly("[a-z0-9._/-]{0,12}")) {
        let parsed = text.parse::<RepositoryName>();
        prop_assert_eq!(parsed.is_ok(), oracle::is_name(&text));
        prop_assert!(parsed.is_err() || parsed.unwrap().to_string() == text);
    }

    #[test]
    fn a_tag_is_what_the_grammar_says(text in nearly("[a-zA-Z0-9_.+-]{0,130}")) {
        let parsed = text.parse::<Tag>();
        prop_assert_eq!(parsed.is_ok(), oracle::is_tag(&text));
        prop_assert!(parsed.is_err() || parsed.unwrap().to_string() == text);
    }

    #[test]
    fn a_digest_is_what_the_grammar_says(
        text in nearly("sha(256:[0-9a-f]{63,65}|512:[0-9a-f]{127,129}|256:[0-9a-fA-F]{64})")
    ) {
        let parsed = text.parse::<Digest>();
        prop_assert_eq!(parsed.is_ok(), oracle::is_digest(&text));
        prop_assert!(parsed.is_err() || parsed.unwrap().to_string() == text);
    }

    #[test]
    fn an_upload_id_is_what_can_have_been_handed_out(text in nearly("[a-z0-9A-Z._-]{0,66}")) {
        prop_assert_eq!(text.parse::<UploadId>().is_ok(), oracle::is_upload_id(&text));
    }

    #[test]
    fn a_reference_is_a_tag_or_a_digest_and_never_both(reference in reference()) {
        let text = reference.to_string();
        prop_assert_eq!(text.parse::<Reference>(), Ok(reference));
        prop_assert_ne!(text.parse::<Tag>().is_ok(), text.parse::<Digest>().is_ok());
    }

    #[test]
    fn values_survive_json(name in name(), tag in tag(), digest in digest()) {
        let text = serde_json::to_string(&(&name, &tag, &digest)).unwrap();
        let back: (RepositoryName, Tag, Digest) = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back, (name, tag, digest));
    }

    #[test]
    fn a_range_is_the_slice_that_it_names(
        size in 0u64..40, first in prop::option::of(0u64..50), last in prop::option::of(0u64..50)
    ) {
        let text = |n: Option<u64>| n.map_or(String::new(), |n| n.to_string());
        let header = format!("bytes={}-{}", text(first), text(last));
        let bytes: Vec<u64> = (0..size).collect();
        let parsed = ByteRange::parse(&header, size);
        let seen = parsed.map(|range| range.map(|r| bytes[r.start as usize..r.end as usize].to_vec()));
        match named(&bytes, first, last) {
            None => prop_assert_eq!(seen, Ok(None)),
            Some(expected) if expected.is_empty() => prop_assert!(seen.is_err()),
            Some(expected) => prop_assert_eq!(seen, Ok(Some(expected))),
        }
    }

    #[test]
    fn a_range_is_read_back_from_the_answer(size in 1u64.., a in any::<u64>(), b in any::<u64>()) {
        let (start, last) = (a.min(b) % size, a.max(b) % size);
        let (start, last) = (start.min(last), start.max(last));
        let range = ByteRange::parse(&format!("bytes={start}-{last}"), size).unwrap().unwrap();
        prop_assert_eq!(range, ByteRange { start, end: last + 1 });
        prop_assert_eq!(range.content_range(size), format!("bytes {start}-{last}/{size}"));
    }

    #[test]
    fn a_chunk_is_read_back(start in any::<u64>(), length in any::<u64>()) {
        prop_assume!(start.checked_add(length).is_some());
        let chunk = ContentRange { start, length };
        let last = i128::from(start) + i128::from(length) - 1;
        for text in [format!("{start}-{last}"), format!("bytes {start}-{last}/*")] {
            prop_assert_eq!(text.parse::<ContentRange>(), Ok(chunk), "{}", text);
        }
    }

    #[test]
    fn an_upload_says_where_the_next_chunk_starts(offset in 1u64..) {
        let chunk: ContentRange = location::upload_range(offset).parse().unwrap();
        prop_assert_eq!(chunk, ContentRange { start: 0, length: offset });
    }

    #[test]
    fn a_hash_may_be_saved_at_any_place(
        algorithm in algorithm(),
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
    ) {
        let mut hasher = algorithm.hasher();
        for piece in &pieces {
            hasher.update(piece);
            hasher = hasher.save().restore().unwrap();
        }
        prop_assert_eq!(hasher.finish(), Digest::of(algorithm, &pieces.concat()));
    }

    #[test]
    fn any_bytes_are_a_hash_state_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let restored = plura_oci::SavedHash(bytes.clone()).restore();
        if let Some(hasher) = restored {
            let algorithm = hasher.algorithm();
            prop_assert_eq!(Hasher::finish(hasher).algorithm(), algorithm);
        }
    }

    #[test]
    fn the_referrers_tag_is_a_tag(digest in digest()) {
        let tag = Tag::of_referrers(&digest).to_string();
        prop_assert!(oracle::is_tag(&tag));
        prop_assert!(digest.to_string().replace(':', "-").starts_with(&tag));
    }
}

/// What a range names, byte by byte: `None` if it is no range, empty if there is nothing there.
fn named(bytes: &[u64], first: Option<u64>, last: Option<u64>) -> Option<Vec<u64>> {
    let size = bytes.len() as u64;
    let wanted = |at: &&u64| match (first, last) {
        (Some(first), Some(last)) => **at >= first && **at <= last,
        (Some(first), None) => **at >= first,
        (None, Some(suffix)) => **at + suffix >= size,
        (None, None) => false,
    };
    (first.is_some() || last.is_some()).then(|| bytes.iter().filter(wanted).copied().collect())
}
