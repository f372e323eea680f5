//! Which connections are open, what each of them wants, and what happens to one too many.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::rules::track::Filter;

/// What a connection gets.
#[derive(Debug, Clone)]
pub(crate) enum Wants {
    /// What the app's rules match (v2).
    Rules,
    /// Everything (v2 sample).
    SampleV2,
    /// What these parameters match (v1.1).
    Filter(Arc<Filter>),
    /// Everything (v1.1 sample).
    SampleV1,
}

impl Wants {
    /// Whether it is a v2 stream.
    pub(crate) fn is_v2(&self) -> bool {
        matches!(self, Wants::Rules | Wants::SampleV2)
    }
}

/// An open connection.
#[derive(Debug)]
struct Connection {
    number: u64,
    wants: Wants,
    /// Cancelled when the service throws it out in favour of a younger one.
    evicted: CancellationToken,
}

/// All open connections, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: Vec<Connection>,
    last: u64,
}

impl Connections {
    /// Open connections of the same kind of API.
    pub(crate) fn count(&self, v2: bool) -> usize {
        self.open.iter().filter(|open| open.wants.is_v2() == v2).count()
    }

    /// Throws out the oldest connections of an API until at most `keep` are left.
    pub(crate) fn evict(&mut self, v2: bool, keep: usize) {
        let excess = self.count(v2).saturating_sub(keep);
        for old in self.open.iter().filter(|open| open.wants.is_v2() == v2).take(excess) {
            old.evicted.cancel();
        }
        self.open.retain(|open| !open.evicted.is_cancelled());
    }

    /// Adds one: its number and the sign that it is thrown out.
    pub(crate) fn add(&mut self, wants: Wants) -> (u64, CancellationToken) {
        self.last += 1;
        let evicted = CancellationToken::new();
        self.open.push(Connection { number: self.last, wants, evicted: evicted.clone() });
        (self.last, evicted)
    }

    /// Forgets one.
    pub(crate) fn remove(&mut self, number: u64) {
        self.open.retain(|open| open.number != number);
    }

    /// What is wanted by anybody.
    pub(crate) fn wants(&self) -> impl Iterator<Item = &Wants> {
        self.open.iter().map(|open| &open.wants)
    }
}
