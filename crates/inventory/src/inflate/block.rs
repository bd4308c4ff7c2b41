use std::io::{self, Read};

use super::{
    CAPACITY, Output, SPARE, corrupt,
    input::{Input, word},
    symbols::{
        DISTANCE_TEMPLATES, DISTANCES, FIXED_LITERALS, LENGTH_CODE_ORDER, LENGTH_CODE_TEMPLATES,
        LITERAL_TEMPLATES, LITERALS,
    },
    table::{END, LITERAL, LONGER, SPECIAL, Table, code_bits, extra_bits, value},
};

const LITERAL_BITS: usize = 11;
const DISTANCE_BITS: usize = 8;
const LENGTH_CODE_BITS: usize = 7;
/// The index and, for each symbol at worst, a table of the longest codes' remaining bits.
const LITERAL_SIZE: usize = (1 << LITERAL_BITS) + LITERALS * (1 << (15 - LITERAL_BITS));
const DISTANCE_SIZE: usize = (1 << DISTANCE_BITS) + DISTANCES * (1 << (15 - DISTANCE_BITS));

/// The two codes of a block.
pub(super) struct Codes {
    literals: Table<LITERAL_SIZE, LITERAL_BITS>,
    distances: Table<DISTANCE_SIZE, DISTANCE_BITS>,
    lengths: Table<{ 1 << LENGTH_CODE_BITS }, LENGTH_CODE_BITS>,
}

impl Codes {
    pub(super) fn new() -> Self {
        Self { literals: Table::new(), distances: Table::new(), lengths: Table::new() }
    }

    pub(super) fn fixed(&mut self) -> io::Result<()> {
        self.build(&FIXED_LITERALS, &[5; DISTANCES])
    }

    fn build(&mut self, literals: &[u8], distances: &[u8]) -> io::Result<()> {
        let built = self.literals.build(literals, &LITERAL_TEMPLATES)
            && self.distances.build(distances, &DISTANCE_TEMPLATES);
        if built { Ok(()) } else { Err(corrupt("the codes of a block")) }
    }

    /// Reads the codes that a block begins with (RFC 1951, section 3.2.7).
    pub(super) fn read<R: Read>(&mut self, input: &mut Input<R>) -> io::Result<()> {
        input.refill();
        let literals = input.take(5) as usize + 257;
        let distances = input.take(5) as usize + 1;
        let codes = input.take(4) as usize + 4;
        if literals > 286 || distances > 30 {
            return Err(corrupt("the number of codes"));
        }
        let mut own = [0; 19];
        for symbol in &LENGTH_CODE_ORDER[..codes] {
            input.refill();
            own[*symbol] = u8::try_from(input.take(3)).unwrap_or(0);
        }
        if own.iter().all(|length| *length == 0)
            || !self.lengths.build(&own, &LENGTH_CODE_TEMPLATES)
            || self.lengths.entries.contains(&SPECIAL)
        {
            return Err(corrupt("the code of lengths"));
        }
        let mut lengths = [0; 286 + 30];
        let lengths = &mut lengths[..literals + distances];
        self.read_lengths(input, lengths)?;
        // Without an end there would be none.
        if lengths[256] == 0 {
            return Err(corrupt("the code of the end of a block"));
        }
        let (literals, distances) = lengths.split_at(literals);
        self.build(literals, distances)
    }

    fn read_lengths<R: Read>(&self, input: &mut Input<R>, lengths: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < lengths.len() {
            input.refill();
            let index = input.bits as usize & ((1 << LENGTH_CODE_BITS) - 1);
            let entry = self.lengths.entries[index];
            if entry & SPECIAL != 0 {
                return Err(corrupt("a length"));
            }
            input.take(code_bits(entry));
            let (length, repeat) = match value(entry) {
                16 if done == 0 => return Err(corrupt("a length that repeats nothing")),
                16 => (lengths[done - 1], 3 + input.take(2)),
                17 => (0, 3 + input.take(3)),
                18 => (0, 11 + input.take(7)),
                length => (u8::try_from(length).unwrap_or(0), 1),
            };
            let end = done + repeat as usize;
            let repeated = lengths.get_mut(done..end).ok_or_else(|| corrupt("too many lengths"))?;
            repeated.fill(length);
            done = end;
        }
        Ok(())
    }

    /// Decodes what is in the input, or as much as fits. Says whether the block is at its end.
    ///
    /// The state of the input is held in variables of its own, which is what makes this fast: 56 bits
    /// are enough for two literals, which have at most eleven, and a length, or for a distance.
    pub(super) fn decode<R: Read>(
        &self,
        input: &mut Input<R>,
        output: &mut Output,
    ) -> io::Result<bool> {
        const LITERAL_MASK: usize = (1 << LITERAL_BITS) - 1;
        const DISTANCE_MASK: usize = (1 << DISTANCE_BITS) - 1;
        let (literals, distances) = (&*self.literals.entries, &*self.distances.entries);
        let limit = input.limit();
        let bytes = &*input.bytes;
        let out = &mut *output.bytes;
        let last = CAPACITY - SPARE;
        let (mut at, mut bits, mut count) = (input.at, input.bits, input.count);
        let mut to = output.end;
        let mut ended = false;

        macro_rules! refill {
            () => {
                bits |= word(bytes, at) << count;
                at += (63 - count as usize) >> 3;
                count |= 0x38;
            };
        }
        macro_rules! skip {
            ($bits:expr) => {{
                let skipped = $bits;
                bits >>= skipped;
                count -= skipped;
            }};
        }
        macro_rules! put {
            ($entry:expr) => {
                // A literal's value has eight bits.
                out[to & (CAPACITY - 1)] = (value($entry) & 0xff) as u8;
                to += 1;
            };
        }

        refill!();
        // The next entry is looked up before the copy, so that neither waits for the other.
        let mut entry = literals[bits as usize & LITERAL_MASK];
        while at + 24 <= limit && to <= last {
            if entry & LITERAL != 0 {
                skip!(code_bits(entry));
                put!(entry);
                entry = literals[bits as usize & LITERAL_MASK];
                if entry & LITERAL != 0 {
                    skip!(code_bits(entry));
                    put!(entry);
                    entry = literals[bits as usize & LITERAL_MASK];
                }
            }
            if entry & SPECIAL != 0 && entry & LONGER != 0 {
                skip!(code_bits(entry));
                entry = literals[value(entry) + (bits & ((1 << extra_bits(entry)) - 1)) as usize];
            }
            skip!(code_bits(entry));
            if entry & LITERAL != 0 {
                put!(entry);
                refill!();
                entry = literals[bits as usize & LITERAL_MASK];
                continue;
            }
            if entry & SPECIAL != 0 {
                if entry & END == 0 {
                    return Err(corrupt("a code of a length"));
                }
                ended = true;
                break;
            }
            let length = value(entry) + (bits & ((1 << extra_bits(entry)) - 1)) as usize;
            skip!(extra_bits(entry));
            refill!();
            entry = distances[bits as usize & DISTANCE_MASK];
            if entry & SPECIAL != 0 {
                if entry & LONGER != 0 {
                    skip!(code_bits(entry));
                    let index = (bits & ((1 << extra_bits(entry)) - 1)) as usize;
                    entry = distances[value(entry) + index];
                }
                if entry & SPECIAL != 0 {
                    return Err(corrupt("a code of a distance"));
                }
            }
            skip!(code_bits(entry));
            let distance = value(entry) + (bits & ((1 << extra_bits(entry)) - 1)) as usize;
            skip!(extra_bits(entry));
            if distance > to - output.member {
                return Err(corrupt("a distance that leads in front of the beginning"));
            }
            refill!();
            entry = literals[bits as usize & LITERAL_MASK];
            copy(out, to, distance, length);
            to += length;
        }
        (input.at, input.bits, input.count) = (at, bits, count);
        output.end = to;
        Ok(ended)
    }
}

/// Copies `length` bytes from `distance` before, which may overlap what they are copied to. May write
/// beyond, where nothing is yet.
#[inline]
fn copy(out: &mut [u8; CAPACITY + SPARE], to: usize, distance: usize, length: usize) {
    const PIECE: usize = 16;
    const MASK: usize = CAPACITY - 1;
    let from = to - distance;
    if distance >= PIECE {
        let mut done = 0;
        while done < length {
            let (from, to) = ((from + done) & MASK, (to + done) & MASK);
            let mut piece = [0; PIECE];
            piece.copy_from_slice(&out[from..from + PIECE]);
            out[to..to + PIECE].copy_from_slice(&piece);
            done += PIECE;
        }
    } else if distance == 1 {
        let byte = out[from];
        out[to..to + length].fill(byte);
    } else {
        for index in 0..length {
            out[(to + index) & MASK] = out[(from + index) & MASK];
        }
    }
}
