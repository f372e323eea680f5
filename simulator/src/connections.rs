//! The open connections, what each of them gets, and evictions.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::rules::expr::Expr;

/// Which tweets a connection gets.
#[derive(Debug, Clone)]
pub(crate) enum Selection {
    /// What the app's rules match (v2).
    Rules,
    /// Everything (v2's sample).
    Sample,
    /// What this expression matches (v1.1).
    V1(Arc<Expr>),
}

impl Selection {
    pub(crate) fn is_v2(&self) -> bool {
        !matches!(self, Selection::V1(_))
    }
}

#[derive(Debug)]
struct Connection {
    number: u64,
    selection: Selection,
    /// Cancelled when the service disconnects it in favour of a younger one.
    evicted: CancellationToken,
}

/// All open connections, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: Vec<Connection>,
    last: u64,
}

impl Connections {
    /// Open connections to v2, or to v1.1.
    pub(crate) fn count(&self, is_v2: bool) -> usize {
        self.open.iter().filter(|open| open.selection.is_v2() == is_v2).count()
    }

    /// Disconnects the oldest connections to one API until at most `keep` are left.
    pub(crate) fn evict(&mut self, is_v2: bool, keep: usize) {
        let excess = self.count(is_v2).saturating_sub(keep);
        for old in self.open.iter().filter(|open| open.selection.is_v2() == is_v2).take(excess) {
            old.evicted.cancel();
        }
        self.open.retain(|open| !open.evicted.is_cancelled());
    }

    /// Adds a connection. Returns its number and the token that an eviction cancels.
    pub(crate) fn add(&mut self, selection: Selection) -> (u64, CancellationToken) {
        self.last += 1;
        let evicted = CancellationToken::new();
        self.open.push(Connection { number: self.last, selection, evicted: evicted.clone() });
        (self.last, evicted)
    }

    pub(crate) fn remove(&mut self, number: u64) {
        self.open.retain(|open| open.number != number);
    }

    pub(crate) fn selections(&self) -> impl Iterator<Item = &Selection> {
        self.open.iter().map(|open| &open.selection)
    }
}
