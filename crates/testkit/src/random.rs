//! Content nobody pushed before, reproducible from a printed seed.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// A source of test content (`SplitMix64`: small, and good enough to make bytes unique).
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The seed in `PLURA_TEST_SEED`, or a fresh one; printed, so that a failure can be repeated.
    #[expect(clippy::print_stderr, reason = "a failing test must show how to repeat it")]
    pub fn printed() -> Self {
        let seed = match std::env::var("PLURA_TEST_SEED") {
            Ok(text) => text.parse().expect("PLURA_TEST_SEED is a decimal number"),
            Err(_) => RandomState::new().build_hasher().finish(),
        };
        eprintln!("repeat with PLURA_TEST_SEED={seed}");
        Self::seeded(seed)
    }

    /// The source that always gives the same.
    pub const fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("a usize fits 64 bits");
        usize::try_from(self.number() % limit).expect("smaller than a usize")
    }

    /// That many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.number().to_le_bytes());
        words.flatten().take(count).collect()
    }

    /// That many lower-case hexadecimal digits.
    pub fn hex(&mut self, digits: usize) -> String {
        let mut text = String::new();
        while text.len() < digits {
            write!(text, "{:016x}", self.number()).expect("writing to a string does not fail");
        }
        text.truncate(digits);
        text
    }
}
