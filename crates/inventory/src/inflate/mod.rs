//! Gzip (RFC 1952) and deflate (RFC 1951), decoded as fast as safe code can.
//!
//! Most of the time that reading a layer takes is spent here, so this is the one decoder that is our
//! own: against the others that are written in Rust it decodes several literals at a step, copies in
//! pieces of sixteen bytes, and never asks in between whether input or output are at an end, because
//! both buffers have room to spare. Everything is checked that can be wrong with the bytes.

#![expect(
    clippy::cast_possible_truncation,
    reason = "bits are masked to what fits; to check it again would cost what this saves"
)]

mod block;
mod input;
mod symbols;
mod table;

use std::io::{self, Read};

use block::Codes;
use crc32fast::Hasher;
use input::Input;

/// The members of a gzip stream, one after another.
pub(crate) struct GzipReader<R> {
    input: Input<R>,
    output: Output,
    state: State,
    codes: Codes,
    last_block: bool,
    crc: Hasher,
    /// Bytes of the member, as far as its trailer counts.
    length: u32,
}

/// What was decoded: history that may be copied from, then what was not taken yet.
struct Output {
    bytes: Box<[u8; CAPACITY + SPARE]>,
    /// What is in front of it was taken by the reader.
    taken: usize,
    end: usize,
    /// What is in front of it is in the checksum.
    summed: usize,
    /// Where the member begins: nothing is copied from in front of it.
    member: usize,
}

enum State {
    /// In front of a member, of which there must be one.
    Start,
    /// In front of another, if there is one.
    Next,
    Block,
    Stored(usize),
    Codes,
    Trailer,
    Done,
}

const HISTORY: usize = 32 << 10;
/// A power of two: an offset that is masked with it needs no other check.
const CAPACITY: usize = 256 << 10;
/// The longest copy, with what a copy in pieces may write beyond it, and the literals of a step.
const SPARE: usize = 512;
/// Names and comments in headers are for people.
const LONGEST_HEADER: usize = 128 << 10;

fn corrupt(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<R: Read> GzipReader<R> {
    #[expect(
        clippy::large_stack_arrays,
        reason = "there is no other way into a box without unsafe"
    )]
    pub(crate) fn new(source: R) -> Self {
        let bytes = Box::new([0; CAPACITY + SPARE]);
        Self {
            input: Input::new(source),
            output: Output { bytes, taken: 0, end: 0, summed: 0, member: 0 },
            state: State::Start,
            codes: Codes::new(),
            last_block: false,
            crc: Hasher::new(),
            length: 0,
        }
    }

    pub(crate) fn get_ref(&self) -> &R {
        &self.input.source
    }

    /// Decodes until the output is full or the stream is at its end.
    fn produce(&mut self) -> io::Result<()> {
        self.output.make_room();
        while self.output.has_room() && !matches!(self.state, State::Done) {
            self.input.look_ahead()?;
            self.step()?;
            if self.input.is_overrun() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.sum();
        Ok(())
    }

    fn step(&mut self) -> io::Result<()> {
        match self.state {
            State::Next if self.input.is_empty() => self.state = State::Done,
            State::Start | State::Next => {
                self.header()?;
                self.output.member = self.output.end;
                self.crc.reset();
                self.length = 0;
                self.state = State::Block;
            }
            State::Block => self.state = self.block()?,
            State::Stored(left) => {
                let left = left - self.output.copy_stored(&mut self.input, left)?;
                self.state = if left == 0 { self.behind_block() } else { State::Stored(left) };
            }
            State::Codes => {
                if self.codes.decode(&mut self.input, &mut self.output)? {
                    self.state = self.behind_block();
                }
            }
            State::Trailer => self.trailer()?,
            State::Done => {}
        }
        Ok(())
    }

    fn behind_block(&self) -> State {
        if self.last_block { State::Trailer } else { State::Block }
    }

    fn block(&mut self) -> io::Result<State> {
        self.input.refill();
        self.last_block = self.input.take(1) == 1;
        match self.input.take(2) {
            0 => {
                self.input.align();
                self.input.refill();
                let (length, complement) = (self.input.take(16), self.input.take(16));
                self.input.align();
                if length != !complement & 0xffff {
                    return Err(corrupt("the length of a stored block"));
                }
                Ok(State::Stored(length as usize))
            }
            1 => self.codes.fixed().map(|()| State::Codes),
            2 => self.codes.read(&mut self.input).map(|()| State::Codes),
            _ => Err(corrupt("the type of a block")),
        }
    }

    fn header(&mut self) -> io::Result<()> {
        let mut fixed = [0; 10];
        for byte in &mut fixed {
            *byte = self.header_byte()?;
        }
        let flags = fixed[3];
        if fixed[..3] != [0x1f, 0x8b, 8] || flags & 0xe0 != 0 {
            return Err(corrupt("the header of a member"));
        }
        if flags & 4 != 0 {
            let length = [self.header_byte()?, self.header_byte()?];
            for _ in 0..u16::from_le_bytes(length) {
                self.header_byte()?;
            }
        }
        for flag in [8, 16] {
            let mut length = 0;
            while flags & flag != 0 && self.header_byte()? != 0 {
                length += 1;
                if length > LONGEST_HEADER {
                    return Err(corrupt("a name without an end"));
                }
            }
        }
        if flags & 2 != 0 {
            self.header_byte()?;
            self.header_byte()?;
        }
        Ok(())
    }

    fn header_byte(&mut self) -> io::Result<u8> {
        self.input.look_ahead()?;
        self.input.byte().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn trailer(&mut self) -> io::Result<()> {
        self.input.align();
        self.sum();
        let mut trailer = [0; 8];
        for byte in &mut trailer {
            *byte = self.header_byte()?;
        }
        let number = |at: usize| {
            let bytes = [trailer[at], trailer[at + 1], trailer[at + 2], trailer[at + 3]];
            u32::from_le_bytes(bytes)
        };
        if number(0) != self.crc.clone().finalize() || number(4) != self.length {
            return Err(corrupt("the checksum"));
        }
        self.state = State::Next;
        Ok(())
    }

    fn sum(&mut self) {
        let bytes = &self.output.bytes[self.output.summed..self.output.end];
        self.crc.update(bytes);
        self.length = self.length.wrapping_add(bytes.len() as u32);
        self.output.summed = self.output.end;
    }
}

impl Output {
    fn has_room(&self) -> bool {
        self.end + SPARE <= CAPACITY
    }

    /// Keeps what may still be copied from. Everything else was taken.
    fn make_room(&mut self) {
        let kept = self.end.min(HISTORY);
        let shift = self.end - kept;
        self.bytes.copy_within(shift..self.end, 0);
        self.end = kept;
        self.taken = kept;
        self.summed = kept;
        self.member = self.member.saturating_sub(shift);
    }

    fn copy_stored<R: Read>(&mut self, input: &mut Input<R>, most: usize) -> io::Result<usize> {
        let room = CAPACITY - self.end;
        let available = input.available();
        let amount = most.min(room).min(available.len());
        if amount == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.bytes[self.end..self.end + amount].copy_from_slice(&available[..amount]);
        input.at += amount;
        self.end += amount;
        Ok(amount)
    }
}

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.output.taken == self.output.end && !matches!(self.state, State::Done) {
            self.produce()?;
        }
        let available = &self.output.bytes[self.output.taken..self.output.end];
        let amount = available.len().min(into.len());
        into[..amount].copy_from_slice(&available[..amount]);
        self.output.taken += amount;
        Ok(amount)
    }
}

/// All that a gzip stream holds, if it is intact and that is at most `most` bytes.
pub fn gunzip(stream: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut reader = GzipReader::new(stream).take(most as u64 + 1);
    reader.read_to_end(&mut bytes).ok()?;
    (bytes.len() <= most).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use flate2::{Compression, GzBuilder, bufread::MultiGzDecoder};
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 4 << 20;

    fn compressed(data: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = GzBuilder::new()
            .filename("name")
            .comment("comment")
            .extra(vec![1, 2, 3])
            .write(Vec::new(), Compression::new(level));
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// What a decoder that everybody uses makes of it.
    fn expected(stream: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        MultiGzDecoder::new(stream).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Runs, repetitions from afar and noise, in unlike parts.
    fn data() -> impl Strategy<Value = Vec<u8>> {
        let run = (any::<u8>(), 1..2000_usize).prop_map(|(byte, length)| vec![byte; length]);
        let noise = prop::collection::vec(any::<u8>(), 1..2000);
        let words =
            prop::collection::vec(prop::sample::select(vec!["the ", "of ", "x", "\n"]), 1..800)
                .prop_map(|words| words.concat().into_bytes());
        let part = prop_oneof![run, noise, words];
        (prop::collection::vec(part, 0..8), 1..60_usize)
            .prop_map(|(parts, repeat)| parts.concat().repeat(repeat))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_compressed_comes_out(data in data(), level in 0..10_u32) {
            let stream = compressed(&data, level);
            prop_assert_eq!(gunzip(&stream, MOST), Some(data.clone()));
            let twice = [stream.clone(), stream].concat();
            prop_assert_eq!(gunzip(&twice, 2 * MOST), Some(data.repeat(2)));
        }

        #[test]
        fn a_stream_that_was_changed_is_judged_as_others_do(
            data in data(),
            level in 0..10_u32,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut stream = compressed(&data, level);
            for (at, byte) in changes {
                let at = at.index(stream.len());
                stream[at] = byte;
            }
            if let Some(cut) = cut {
                stream.truncate(cut.index(stream.len()));
            }
            // Flags of the header that are of no consequence are judged by each in its own way.
            if stream.get(..40) == compressed(&data, level).get(..40) {
                prop_assert_eq!(gunzip(&stream, MOST), expected(&stream));
            }
        }
    }

    #[test]
    fn every_prefix_of_a_stream_is_cut_off() {
        let data: Vec<u8> = (0..20_000_u32).flat_map(|n| (n * n % 251).to_be_bytes()).collect();
        let stream = compressed(&data, 6);
        for length in 0..stream.len() {
            assert_eq!(gunzip(&stream[..length], MOST), None, "{length}");
        }
    }
}
