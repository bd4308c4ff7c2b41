//! Randomness of the system, for everything that must not be guessed.

/// The system gave no random bytes; nothing secret can be made without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandomness;

/// Bytes that nobody can foresee, from the operating system. The cryptographic library has a generator of
/// its own, which takes 30 ms to gather entropy when it is first used: too long for a start.
pub(crate) fn bytes<const LENGTH: usize>() -> Result<[u8; LENGTH], NoRandomness> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_are_alike() {
        assert_ne!(super::bytes::<32>().unwrap(), super::bytes::<32>().unwrap());
    }
}
