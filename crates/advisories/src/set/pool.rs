use std::collections::HashMap;

/// A string of bytes in a [`Pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Symbol(u32);

/// Strings that are kept once, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Pool {
    pub(crate) fn bytes(&self, symbol: Symbol) -> &[u8] {
        let index = symbol.0 as usize;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(index).copied().unwrap_or_default();
        self.bytes.get(start.unwrap_or_default()..end).unwrap_or_default()
    }

    /// For what was interned as text.
    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        std::str::from_utf8(self.bytes(symbol)).unwrap_or_default()
    }

    /// How much memory it takes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

/// A pool that is being filled.
#[derive(Default)]
pub(crate) struct PoolBuilder {
    pool: Pool,
    known: HashMap<Box<[u8]>, Symbol>,
}

impl PoolBuilder {
    /// The one symbol of these bytes.
    pub(crate) fn intern(&mut self, bytes: &[u8]) -> Symbol {
        if let Some(symbol) = self.known.get(bytes) {
            return *symbol;
        }
        // There is no memory for four billion strings; the last symbol would stand for all others.
        let symbol = Symbol(u32::try_from(self.pool.ends.len()).unwrap_or(u32::MAX));
        self.pool.bytes.extend_from_slice(bytes);
        self.pool.ends.push(self.pool.bytes.len());
        self.known.insert(bytes.into(), symbol);
        symbol
    }

    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        self.pool.text(symbol)
    }

    pub(crate) fn bytes(&self, symbol: Symbol) -> &[u8] {
        self.pool.bytes(symbol)
    }

    /// What has been interned so far.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn finish(mut self) -> Pool {
        self.pool.bytes.shrink_to_fit();
        self.pool.ends.shrink_to_fit();
        self.pool
    }
}
