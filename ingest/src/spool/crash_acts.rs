//! What the crash tests do to a spool, in any order: what an agent does, faults of the disk, crashes.

use proptest::prelude::*;

use super::crash_model::TWEETS;
use super::sim_disk::Fault;

/// Files that take lines at the same time, at most.
pub(super) const SLOTS: u64 = 4;

#[derive(Debug, Clone)]
pub(super) enum Act {
    Line { slot: u64, tweet: u64, size: usize },
    Roll { slot: u64 },
    Commit,
    Store { nth: usize },
    Foreign { nth: usize },
    Listed { nth: usize },
    LeaveOut { nth: usize, every: u64 },
    Freeze { hour: i64 },
    Plan,
    Close { refused: bool },
    Note { which: u8 },
    Checkpoint,
    Crash,
}

/// A crash: the power goes or only the process, then recoveries that fail, each with a crash of its own.
#[derive(Debug, Clone)]
pub(super) struct Crash {
    pub(super) power: Option<u64>,
    pub(super) failing: Vec<(Fault, Option<u64>)>,
}

#[derive(Debug, Clone)]
pub(super) struct Do {
    pub(super) act: Act,
    pub(super) fault: Option<Fault>,
    pub(super) crash: Crash,
}

pub(super) fn acts() -> impl Strategy<Value = Vec<Do>> {
    let act = prop_oneof![
        12 => (0..SLOTS, 0..TWEETS, prop_oneof![4 => 1usize..80, 1 => 200usize..3000])
            .prop_map(|(slot, tweet, size)| Act::Line { slot, tweet, size }),
        3 => (0..SLOTS).prop_map(|slot| Act::Roll { slot }),
        8 => Just(Act::Commit),
        2 => any::<usize>().prop_map(|nth| Act::Store { nth }),
        1 => any::<usize>().prop_map(|nth| Act::Foreign { nth }),
        1 => any::<usize>().prop_map(|nth| Act::Listed { nth }),
        2 => (any::<usize>(), 1u64..4).prop_map(|(nth, every)| Act::LeaveOut { nth, every }),
        1 => (0i64..2).prop_map(|hour| Act::Freeze { hour }),
        1 => Just(Act::Plan),
        1 => any::<bool>().prop_map(|refused| Act::Close { refused }),
        2 => (0u8..7).prop_map(|which| Act::Note { which }),
        2 => Just(Act::Checkpoint),
        2 => Just(Act::Crash),
    ];
    let step = (act, prop_oneof![4 => Just(None), 1 => fault(false).prop_map(Some)], crash());
    proptest::collection::vec(step.prop_map(|(act, fault, crash)| Do { act, fault, crash }), 0..60)
}

fn fault(serial: bool) -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => (0u32..40).prop_map(move |after| Fault::Power { after, syncs: serial }),
        3 => any::<u64>().prop_map(|seed| Fault::PowerInSync { seed }),
        2 => any::<u64>().prop_map(|seed| Fault::SyncError { seed }),
        1 => (0usize..3000).prop_map(|bytes| Fault::NoSpace { bytes }),
        1 => (0u32..20).prop_map(|after| Fault::ReadOnly { after }),
    ]
}

pub(super) fn crash() -> impl Strategy<Value = Crash> {
    let power = || prop_oneof![2 => any::<u64>().prop_map(Some), 1 => Just(None)];
    let failing = proptest::collection::vec((fault(true), power()), 0..3);
    (power(), failing).prop_map(|(power, failing)| Crash { power, failing })
}
