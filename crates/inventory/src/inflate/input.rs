//! Compressed bytes, and the bits that were taken from them.

use std::io::{self, Read};

/// The source, read ahead so that decoding need not look for its end at every bit.
pub(super) struct Input<R> {
    pub(super) source: R,
    /// What was read, and behind the end of the source zeros.
    pub(super) bytes: Box<[u8; SIZE]>,
    pub(super) at: usize,
    end: usize,
    ended: bool,
    pub(super) bits: u64,
    pub(super) count: u32,
}

const CAPACITY: usize = 64 << 10;
/// The longest thing that is read in one go is the description of a block's codes.
pub(super) const AHEAD: usize = 1024;
/// Zeros behind the end, so that it can be passed by so much.
const PADDING: usize = 2 * AHEAD;
/// An offset that is masked to a power of two, with a word behind it, needs no other check.
const SIZE: usize = MASK + 1 + size_of::<u64>();
const MASK: usize = (128 << 10) - 1;

/// The next eight bytes, of which there are so many up to the mask.
#[inline]
pub(super) fn word(bytes: &[u8; SIZE], at: usize) -> u64 {
    let at = at & MASK;
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

impl<R: Read> Input<R> {
    #[expect(
        clippy::large_stack_arrays,
        reason = "there is no other way into a box without unsafe"
    )]
    pub(super) fn new(source: R) -> Self {
        Self { source, bytes: Box::new([0; SIZE]), at: 0, end: 0, ended: false, bits: 0, count: 0 }
    }

    /// Sees to it that enough is there to be read in one go, or else the end of the source.
    pub(super) fn look_ahead(&mut self) -> io::Result<()> {
        while !self.ended && self.end - self.at < AHEAD {
            // Whole bytes among the bits may be given back.
            let kept = self.at.min(size_of::<u64>());
            let from = self.at - kept;
            self.bytes.copy_within(from..self.end, 0);
            self.end -= from;
            self.at = kept;
            match self.source.read(&mut self.bytes[self.end..CAPACITY])? {
                0 => {
                    self.ended = true;
                    self.bytes[self.end..self.end + PADDING].fill(0);
                }
                read => self.end += read,
            }
        }
        Ok(())
    }

    /// As far as decoding may go before it looks ahead again.
    pub(super) fn limit(&self) -> usize {
        if self.ended { self.end + AHEAD } else { self.end }
    }

    /// Whether more bits were taken than there are.
    pub(super) fn is_overrun(&self) -> bool {
        self.at * 8 > self.end * 8 + self.count as usize
    }

    /// Whether nothing is left. Bits must have been given back.
    pub(super) fn is_empty(&self) -> bool {
        self.ended && self.at >= self.end
    }

    /// Bytes that are there as such. Bits must have been given back.
    pub(super) fn available(&self) -> &[u8] {
        &self.bytes[self.at.min(self.end)..self.end]
    }

    /// Makes at least 56 bits available.
    pub(super) fn refill(&mut self) {
        self.bits |= word(&self.bytes, self.at) << self.count;
        self.at += (63 - self.count as usize) >> 3;
        self.count |= 0x38;
    }

    /// Takes bits, at most as many as are available.
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let taken = self.bits & ((1 << count) - 1);
        self.bits >>= count;
        self.count -= count;
        u32::try_from(taken).unwrap_or(0)
    }

    /// Drops what is left of a byte, and gives the whole ones back.
    pub(super) fn align(&mut self) {
        self.at -= (self.count >> 3) as usize;
        self.bits = 0;
        self.count = 0;
    }

    /// The next byte; nothing behind the end. Bits must have been given back.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = self.available().first().copied();
        self.at += 1;
        byte
    }
}
