//! Huffman codes as tables that are indexed by the next bits.

/// The entry is a literal, which is its value.
pub(super) const LITERAL: u32 = 1 << 31;
/// The entry is neither a literal nor a value: one of the two below, or no code at all.
pub(super) const SPECIAL: u32 = 1 << 30;
/// The code is longer than the index; its value is where its own table begins.
pub(super) const LONGER: u32 = 1 << 29;
/// The code ends the block.
pub(super) const END: u32 = 1 << 28;

/// Codes have at most so many bits.
const LONGEST: usize = 15;

/// The bits of the code that the index has seen.
pub(super) fn code_bits(entry: u32) -> u32 {
    entry & 31
}

/// How many bits follow the code; for a longer one, how many index its own table.
pub(super) fn extra_bits(entry: u32) -> u32 {
    entry >> 8 & 31
}

pub(super) fn value(entry: u32) -> usize {
    (entry >> 13 & 0x7fff) as usize
}

/// What a symbol becomes in a table, but for the bits of its code.
pub(super) const fn template(value: u32, extra: u32, flags: u32) -> u32 {
    flags | value << 13 | extra << 8
}

/// A table with an index of `BITS` bits and, behind it, those of longer codes.
pub(super) struct Table<const SIZE: usize, const BITS: usize> {
    pub(super) entries: Box<[u32; SIZE]>,
}

impl<const SIZE: usize, const BITS: usize> Table<SIZE, BITS> {
    pub(super) fn new() -> Self {
        Self { entries: Box::new([SPECIAL; SIZE]) }
    }

    /// Builds the table of the code with these lengths, one for each symbol (RFC 1951, section 3.2.2).
    /// Says no if there is no such code.
    pub(super) fn build(&mut self, lengths: &[u8], templates: &[u32]) -> bool {
        let mut counts = [0_u32; LONGEST + 1];
        for length in lengths {
            counts[usize::from(*length & 15)] += 1;
        }
        counts[0] = 0;
        let longest = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        let mut left = 1_i64;
        for count in &counts[1..] {
            left = left * 2 - i64::from(*count);
            if left < 0 {
                return false;
            }
        }
        // A code may lack some words only if it has one word, of one bit, or none.
        if left > 0 && longest > 1 {
            return false;
        }
        self.fill(lengths, templates, first_codes(&counts), longest)
    }

    fn fill(
        &mut self,
        lengths: &[u8],
        templates: &[u32],
        mut next: [u32; LONGEST + 1],
        longest: usize,
    ) -> bool {
        self.entries[..1 << BITS].fill(SPECIAL);
        let longer = longest.saturating_sub(BITS);
        let mut free = 1 << BITS;
        for (length, template) in lengths.iter().zip(templates) {
            let length = usize::from(*length & 15);
            if length == 0 {
                continue;
            }
            let code = next[length];
            next[length] += 1;
            let reversed = (code.reverse_bits() >> (32 - length)) as usize;
            if length <= BITS {
                let entry = template | length as u32;
                self.entries[reversed..1 << BITS]
                    .iter_mut()
                    .step_by(1 << length)
                    .for_each(|e| *e = entry);
                continue;
            }
            let index = reversed & ((1 << BITS) - 1);
            if self.entries[index] == SPECIAL {
                let flags = SPECIAL | LONGER;
                self.entries[index] =
                    self::template(free as u32, longer as u32, flags) | BITS as u32;
                let Some(own) = self.entries.get_mut(free..free + (1 << longer)) else {
                    return false;
                };
                own.fill(SPECIAL);
                free += 1 << longer;
            }
            let start = value(self.entries[index]);
            let entry = template | (length - BITS) as u32;
            let own = &mut self.entries[start..start + (1 << longer)];
            own[reversed >> BITS..]
                .iter_mut()
                .step_by(1 << (length - BITS))
                .for_each(|e| *e = entry);
        }
        true
    }
}

/// The first code of each length.
fn first_codes(counts: &[u32; LONGEST + 1]) -> [u32; LONGEST + 1] {
    let mut next = [0; LONGEST + 1];
    let mut code = 0;
    for length in 1..=LONGEST {
        code = (code + counts[length - 1]) << 1;
        next[length] = code;
    }
    next
}
