use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use super::metered::Metered;
use crate::{LayerError, Limit, Limits, Place};

/// The archive inside a layer, uncompressed, through a window that can be looked at in place.
pub(super) struct Expanded<'a, R: Read> {
    decoder: Decoder<R>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes that came out of the decoder.
    produced: u64,
    limits: &'a Limits,
    /// What errors say; kept up by the walker above.
    pub(super) entry: u64,
    pub(super) path: String,
}

enum Decoder<R: Read> {
    Plain(Metered<R>),
    Gzip(Box<MultiGzDecoder<Metered<R>>>),
    Zstd(ZstdDecoder<'static, Metered<R>>),
}

/// What is at most seen in place. It stays in the processor's cache.
pub(super) const WINDOW: usize = 512 << 10;

impl<'a, R: Read> Expanded<'a, R> {
    pub(super) fn new(source: R, limits: &'a Limits) -> Result<Self, LayerError> {
        let mut source = Metered::new(source);
        let decoder = match source.magic().map_err(LayerError::Read)? {
            [0x1f, 0x8b, ..] => Decoder::Gzip(Box::new(MultiGzDecoder::new(source))),
            // A frame, or one that is to be skipped, as seekable variants begin with.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
                let mut decoder = ZstdDecoder::with_buffer(source).map_err(LayerError::Read)?;
                let window = limits.zstd_window_log;
                decoder.window_log_max(window).map_err(LayerError::Read)?;
                Decoder::Zstd(decoder)
            }
            _ => Decoder::Plain(source),
        };
        let buffer = vec![0; WINDOW].into_boxed_slice();
        let path = String::new();
        Ok(Self { decoder, buffer, start: 0, end: 0, produced: 0, limits, entry: 0, path })
    }

    /// Offset of the window in the archive.
    pub(super) fn offset(&self) -> u64 {
        self.produced - (self.end - self.start) as u64
    }

    /// What is seen already.
    pub(super) fn window(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(super) fn consume(&mut self, amount: usize) {
        self.start = (self.start + amount).min(self.end);
    }

    /// Sees to it that `amount` bytes are in the window, which must not be more than it holds. Says no
    /// if the archive ends before.
    pub(super) fn require(&mut self, amount: usize) -> Result<bool, LayerError> {
        while self.end - self.start < amount {
            if !self.fill(amount)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Skips; says no if the archive ends before.
    pub(super) fn skip(&mut self, mut amount: u64) -> Result<bool, LayerError> {
        loop {
            let seen = (self.end - self.start) as u64;
            let step = seen.min(amount);
            self.start += usize::try_from(step).unwrap_or(0);
            amount -= step;
            if amount == 0 {
                return Ok(true);
            }
            if !self.fill(1)? {
                return Ok(false);
            }
        }
    }

    /// Reads on to the end of the source, so that all of it is known to be whole.
    pub(super) fn drain(&mut self) -> Result<(), LayerError> {
        loop {
            self.start = self.end;
            if !self.fill(1)? {
                return Ok(());
            }
        }
    }

    /// Reads more, making room for `amount` bytes in all.
    fn fill(&mut self, amount: usize) -> Result<bool, LayerError> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.start + amount > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let read = match self.decode() {
            Ok(read) => read,
            Err(error) => return Err(self.failure(error)),
        };
        self.end += read;
        self.produced += read as u64;
        self.check()?;
        Ok(read > 0)
    }

    fn decode(&mut self) -> io::Result<usize> {
        let into = &mut self.buffer[self.end..];
        loop {
            let read = match &mut self.decoder {
                Decoder::Plain(decoder) => decoder.read(into),
                Decoder::Gzip(decoder) => decoder.read(into),
                Decoder::Zstd(decoder) => decoder.read(into),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    fn source(&self) -> &Metered<R> {
        match &self.decoder {
            Decoder::Plain(source) => source,
            Decoder::Gzip(decoder) => decoder.get_ref(),
            Decoder::Zstd(decoder) => decoder.get_ref(),
        }
    }

    fn check(&self) -> Result<(), LayerError> {
        if self.produced > self.limits.expanded_bytes {
            return Err(self.exceeded(Limit::ExpandedBytes, self.limits.expanded_bytes));
        }
        let plain = matches!(self.decoder, Decoder::Plain(_));
        let most = self.source().received.saturating_mul(self.limits.ratio);
        if !plain && self.produced > self.limits.ratio_from && self.produced > most {
            return Err(self.exceeded(Limit::Ratio, self.limits.ratio));
        }
        Ok(())
    }

    fn failure(&self, error: io::Error) -> LayerError {
        if self.source().failed {
            return LayerError::Read(error);
        }
        match &self.decoder {
            Decoder::Plain(_) => LayerError::Read(error),
            Decoder::Gzip(_) => self.damaged("its gzip stream does not decode"),
            Decoder::Zstd(_) if error.to_string().contains("too much memory") => {
                self.exceeded(Limit::ZstdWindow, u64::from(self.limits.zstd_window_log))
            }
            Decoder::Zstd(_) => self.damaged("its zstd stream does not decode"),
        }
    }

    pub(super) fn exceeded(&self, limit: Limit, most: u64) -> LayerError {
        LayerError::LimitExceeded { limit, most, place: self.place() }
    }

    pub(super) fn damaged(&self, what: &'static str) -> LayerError {
        LayerError::Damaged { what, place: self.place() }
    }

    fn place(&self) -> Place {
        let path = Place::shortened(&self.path);
        Place { offset: self.offset(), entry: self.entry, path }
    }

    pub(super) fn limits(&self) -> &'a Limits {
        self.limits
    }
}
