/// One page of a list: at most `limit` entries behind `after`, in byte order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// `n`: how many entries the client wants at most; without it, everything that one answer may hold.
    pub limit: Option<u32>,
    /// `last`: the entry behind which the page starts; it need not exist.
    pub after: Option<String>,
}

impl Page {
    /// The most entries in one answer; a client that asks for more, or for all, follows `Link`.
    pub const MAX: u32 = 10_000;

    /// How many entries to answer, at most [`Page::MAX`].
    pub fn size(&self) -> u32 {
        self.limit.unwrap_or(Self::MAX).min(Self::MAX)
    }
}
