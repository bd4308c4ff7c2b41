//! Values that others have published.

use plura_tlog::{
    Checkpoint, Hash, KeyError, Note, NoteError, SigningKey, VerifierKey, consistency, inclusion,
    leaf_hash,
};

use crate::logs::Log;

/// The entries of the test data of Certificate Transparency (transparency-dev/merkle,
/// `testonly/constants.go`).
const ENTRIES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// The roots of the trees with the first none, one, two and so on of them.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

fn hash(hex: &str) -> Hash {
    Hash::new(bytes(hex).try_into().expect("32 bytes"))
}

fn log() -> Log {
    let mut log = Log::default();
    log.append(&ENTRIES.map(bytes));
    log
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    let mut log = Log::default();
    assert_eq!(log.frontier.root(), hash(ROOTS[0]));
    for (entry, root) in ENTRIES.iter().zip(&ROOTS[1..]) {
        log.append(&[bytes(entry)]);
        assert_eq!(log.frontier.root(), hash(root), "{entry}");
    }
}

#[test]
fn inclusion_proofs_are_those_of_certificate_transparency() {
    #[track_caller]
    fn check(index: u64, size: u64, path: &[&str]) {
        let mut log = Log::default();
        let size_here = usize::try_from(size).expect("small");
        log.append(&ENTRIES[..size_here].iter().map(|entry| bytes(entry)).collect::<Vec<_>>());
        let proof = inclusion(&log.store, index, size).expect("a proof");
        assert_eq!(proof.path, path.iter().map(|node| hash(node)).collect::<Vec<_>>());
        let leaf = leaf_hash(&bytes(ENTRIES[usize::try_from(index).expect("small")]));
        assert!(proof.verify(&leaf, &hash(ROOTS[size_here])));
    }
    check(0, 1, &[]);
    check(0, 2, &["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"]);
    check(1, 2, &[ROOTS[1]]);
    check(2, 3, &[ROOTS[2]]);
    check(
        1,
        5,
        &[
            ROOTS[1],
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    );
    check(
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    );
    check(
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            ROOTS[4],
        ],
    );
}

#[test]
fn consistency_proofs_are_those_of_certificate_transparency() {
    #[track_caller]
    fn check(old: u64, new: u64, path: &[&str]) {
        let proof = consistency(&log().store, old, new).expect("a proof");
        assert_eq!(proof.path, path.iter().map(|node| hash(node)).collect::<Vec<_>>());
        let root = |size: u64| hash(ROOTS[usize::try_from(size).expect("small")]);
        assert!(proof.verify(&root(old), &root(new)));
    }
    check(1, 1, &[]);
    check(
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    );
    check(
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            ROOTS[4],
        ],
    );
}

/// The key, the text and the signature of the tests of Go's `golang.org/x/mod/sumdb/note`.
const SIGNER: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUg\
                         YN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn notes_are_those_of_go() {
    let signer = SigningKey::from_text(SIGNER).expect("a key");
    assert_eq!(*signer.to_text(), SIGNER);
    assert_eq!(signer.verifier().to_string(), VERIFIER);
    assert_eq!(signer.verifier().id(), 0xc74f_20a3);
    let note = Note::sign(TEXT, &[&signer]).expect("a note");
    assert_eq!(note.to_string(), format!("{TEXT}\n{SIGNATURE}"));
    let read = Note::from_bytes(note.to_string().as_bytes()).expect("a note");
    assert_eq!(read, note);
    let keys = [VERIFIER.parse::<VerifierKey>().expect("a key")];
    assert_eq!(read.verify(&keys), Ok(vec![&keys[0]]));
    let other = note.to_string().replace("cryptography", "cryptographY");
    let other = Note::from_bytes(other.as_bytes()).expect("a note");
    assert!(matches!(other.verify(&keys), Err(NoteError::Forged(_))));
}

#[test]
fn a_key_is_written_one_way() {
    // As the tests of Go: no part of a key is one, nor a key with another byte.
    for start in 0..VERIFIER.len() {
        for end in start..=VERIFIER.len() {
            let part = &VERIFIER[start..end];
            assert_eq!(part.parse::<VerifierKey>().is_ok(), part == VERIFIER, "{part}");
        }
        let mut other = VERIFIER.as_bytes().to_vec();
        other[start] += 1;
        let other = String::from_utf8(other).expect("ASCII");
        assert!(other.parse::<VerifierKey>().is_err(), "{other}");
    }
    let wrong = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==";
    assert_eq!(wrong.parse::<VerifierKey>(), Err(KeyError::Malformed));
    assert!(SigningKey::from_text(VERIFIER).is_err());
}

/// The head of Go's checksum database has a name with spaces in it.
#[test]
fn a_checkpoint_of_another_log_is_read() {
    let text = "go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let checkpoint = Checkpoint::from_text(text).expect("a checkpoint");
    assert_eq!(checkpoint.origin(), "go.sum database tree");
    assert_eq!(checkpoint.size(), 20_852_163);
    assert_eq!(checkpoint.to_text(), text);
}
