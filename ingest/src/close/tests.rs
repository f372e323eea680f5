//! Closing by the rules of the lake: which hours, when, and what their manifests say.

use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{Codec, IngestPath};
use cauce_lake::{Hour, Key};

use super::*;
use crate::spool::entry::{Append, Entry, FileHead, MessageCounts, Target};

const MINUTE: i64 = 60_000;
const LATENESS: i64 = 10 * MINUTE;

fn hour(text: &str) -> Hour {
    text.parse().expect("valid hour")
}

fn policy(live: bool, partition_by: PartitionBy) -> Policy {
    Policy { live, partition_by, lateness_ms: LATENESS, repair_wait_ms: 30 * MINUTE, catch_up_hours: 31 * 24 }
}

fn live_from(first: Hour) -> State {
    let mut state = State::default();
    state.apply(&Entry::LiveFrom { hour: first });
    state
}

/// A state in which `path` files with the given lines were made for an hour.
fn with_file(state: &mut State, id: u64, of: Hour, role: Role, late: bool, lines: u64) {
    let target = Target { folder: "x".into(), hour: Some(of), role, late, path: IngestPath::Stream };
    let key = Key::new(format!("x/tweets.{}.json", of.start_ms() + i64::try_from(id).expect("small"))).expect("valid");
    let created_ms = of.start_ms() + 7;
    state.apply(&Entry::Created(FileHead { id, target, key, codec: Codec::None, created_ms }));
    append(state, id, created_ms, lines);
}

/// A file has so many lines since then.
fn append(state: &mut State, id: u64, at_ms: i64, lines: u64) {
    state.apply(&Entry::Appended {
        at_ms,
        max_event_ms: None,
        files: vec![Append {
            id,
            end: 10 * lines,
            lines,
            crc: 0,
            arrivals: vec![(at_ms / 1000, lines)],
            ids: vec![],
            messages: MessageCounts::default(),
        }],
        duplicates: vec![],
        rejects: vec![],
        positions: vec![],
    });
}

fn store(state: &mut State, id: u64) {
    state.apply(&Entry::Sealed { id, bytes: 10, sha256: "ab".into(), crc64: Crc64::of(b"x") });
    state.apply(&Entry::Stored { id });
}

#[test]
fn by_arrival_every_hour_between_the_first_and_now_closes_at_its_end() {
    let first = hour("2026-11-22T05");
    let policy = policy(true, PartitionBy::ReceivedAt);
    let state = live_from(first);
    assert_eq!(policy.due(&state, first.end_ms() - 1, 0), []);
    assert_eq!(policy.due(&state, first.end_ms(), 0), [first]);
    let three = [first, first.next(), first.next().next()];
    assert_eq!(policy.due(&state, first.start_ms() + 3 * HOUR_MS, 0), three);
}

#[test]
fn a_finite_source_closes_nothing_by_time() {
    let first = hour("2026-11-22T05");
    let mut state = State::default();
    with_file(&mut state, 1, first, Role::Tweets, false, 3);
    let policy = policy(false, PartitionBy::CreatedAt);
    assert_eq!(policy.due(&state, first.end_ms() + 100 * HOUR_MS, 0), []);
}

#[test]
fn at_its_end_a_finite_run_closes_what_has_ended_and_leaves_the_running_hour_open() {
    let first = hour("2026-11-22T05");
    let mut state = State::default();
    with_file(&mut state, 1, first, Role::Tweets, false, 3);
    with_file(&mut state, 2, first.next(), Role::Tweets, false, 3);
    let policy = policy(false, PartitionBy::CreatedAt);
    assert_eq!(policy.at_the_end(&state, first.end_ms() - 1), []);
    assert_eq!(policy.at_the_end(&state, first.end_ms()), [first]);
    assert_eq!(policy.at_the_end(&state, first.next().end_ms()), [first, first.next()]);
}

#[test]
fn a_finite_run_leaves_no_holes_in_a_live_run_and_goes_back_no_further_than_the_catch_up() {
    let first = hour("2026-11-22T05");
    let held = first.next().next();
    let policy = policy(false, PartitionBy::CreatedAt);
    let mut state = live_from(first);
    with_file(&mut state, 1, held, Role::Tweets, false, 1);
    assert_eq!(policy.at_the_end(&state, held.end_ms()), [first, first.next(), held]);
    let mut state = live_from(hour("2016-11-22T05"));
    with_file(&mut state, 1, held, Role::Tweets, false, 1);
    assert_eq!(policy.at_the_end(&state, held.end_ms()).len(), 31 * 24 + 1);
}

#[test]
fn a_live_source_closes_no_hour_before_its_run_that_has_not_ended() {
    let running = hour("2026-11-22T05");
    let mut state = live_from(running.next());
    with_file(&mut state, 1, running, Role::Tweets, false, 1);
    let policy = policy(true, PartitionBy::CreatedAt);
    assert_eq!(policy.due(&state, running.end_ms() - 1, 0), []);
    assert_eq!(policy.due(&state, running.end_ms(), 0), [running]);
}

#[test]
fn by_creation_an_hour_closes_when_a_later_tweet_has_passed_the_lateness() {
    let first = hour("2026-11-22T05");
    let policy = policy(true, PartitionBy::CreatedAt);
    let mut state = live_from(first);
    let now = first.start_ms() + 4 * HOUR_MS;
    state.max_event_ms = Some(first.end_ms() + LATENESS - 1);
    assert_eq!(policy.due(&state, now, now), []);
    state.max_event_ms = Some(first.end_ms() + LATENESS);
    assert_eq!(policy.due(&state, now, now), [first]);
}

#[test]
fn by_creation_an_hour_closes_after_a_silence_as_long_as_the_lateness() {
    let first = hour("2026-11-22T05");
    let policy = policy(true, PartitionBy::CreatedAt);
    let mut state = live_from(first);
    state.max_event_ms = Some(first.end_ms() - MINUTE);
    let last_line = first.end_ms() - MINUTE;
    assert_eq!(policy.due(&state, first.end_ms() + LATENESS - 1, last_line), []);
    assert_eq!(policy.due(&state, first.end_ms() + LATENESS, last_line), [first]);
    // Tweets still come, though they are old: no silence.
    assert_eq!(policy.due(&state, first.end_ms() + LATENESS, first.end_ms() + LATENESS), []);
}

#[test]
fn by_creation_an_hour_with_an_open_gap_waits_for_its_repair_and_not_for_ever() {
    let first = hour("2026-11-22T05");
    let policy = policy(true, PartitionBy::CreatedAt);
    let mut state = live_from(first);
    state.max_event_ms = Some(first.end_ms() - MINUTE);
    state.apply(&Entry::GapOpened { from_ms: first.end_ms() - MINUTE, cause: "stall".into() });
    let ripe = first.end_ms() + LATENESS;
    assert_eq!(policy.due(&state, ripe, 0), []);
    assert_eq!(policy.due(&state, ripe + 30 * MINUTE, 0), [first]);
}

#[test]
fn an_hour_before_the_run_closes_when_nothing_more_comes_for_it() {
    let first = hour("2026-11-22T05");
    let old = hour("2026-11-20T00");
    let policy = policy(true, PartitionBy::CreatedAt);
    let mut state = live_from(first);
    with_file(&mut state, 1, old, Role::Tweets, false, 1);
    let came = old.end_ms() + MINUTE;
    append(&mut state, 1, came, 2);
    assert_eq!(policy.due(&state, came + LATENESS - 1, 0), []);
    assert_eq!(policy.due(&state, came + LATENESS, 0), [old]);
}

#[test]
fn after_a_long_stop_only_the_hours_within_the_catch_up_are_closed() {
    let first = hour("2026-01-01T00");
    let policy = policy(true, PartitionBy::ReceivedAt);
    let state = live_from(first);
    let now = first.start_ms() + 100 * 24 * HOUR_MS;
    let start = policy.run_start(&state, now).expect("the run is moved");
    assert_eq!(start, Hour::from_index(Hour::containing(now).index() - 31 * 24));
    assert_eq!(policy.run_start(&live_from(start), now), None);
}

#[test]
fn hours_that_the_lake_has_closed_already_are_left_out_of_the_run() {
    let first = hour("2026-11-22T05");
    let policy = policy(true, PartitionBy::ReceivedAt);
    let mut state = live_from(first);
    state.apply(&Entry::KnownClosed { names: vec![ManifestName::closing(first), ManifestName::closing(first.next())] });
    let now = first.start_ms() + 2 * HOUR_MS + 1;
    assert_eq!(policy.run_start(&state, now), Some(first.next().next()));
}

fn author() -> Author {
    Author { agent: "agent".into(), epoch: 3, guarantee: Guarantee::ExactlyOnce }
}

#[test]
fn a_manifest_waits_for_every_file_of_its_hour() {
    let of = hour("2026-11-22T05");
    let mut state = State::default();
    with_file(&mut state, 1, of, Role::Tweets, false, 3);
    with_file(&mut state, 2, of, Role::Messages, false, 2);
    store(&mut state, 1);
    state.apply(&Entry::Frozen { hour: of, at_ms: of.end_ms() });
    assert!(ready(&state, &author(), of.end_ms()).is_empty());
    store(&mut state, 2);
    let planned = ready(&state, &author(), of.end_ms());
    assert_eq!(planned.len(), 1);
    let manifest = &planned[0].manifest;
    assert_eq!((manifest.tweets, manifest.objects.len(), manifest.messages.len()), (3, 1, 1));
    assert_eq!((manifest.epoch, manifest.hour), (3, of));
}

#[test]
fn an_empty_hour_has_a_manifest_too_and_gaps_are_in_every_hour_they_overlap() {
    let of = hour("2026-11-22T05");
    let mut state = State::default();
    state.apply(&Entry::GapOpened { from_ms: of.start_ms() + MINUTE, cause: "disconnect".into() });
    state.apply(&Entry::GapClosed { to_ms: of.end_ms() + MINUTE });
    for frozen in [of.previous(), of, of.next(), of.next().next()] {
        state.apply(&Entry::Frozen { hour: frozen, at_ms: frozen.end_ms() });
    }
    let gaps: Vec<usize> = ready(&state, &author(), 0).iter().map(|planned| planned.manifest.gaps.len()).collect();
    assert_eq!(gaps, [0, 1, 1, 0]);
}

#[test]
fn a_quarantined_file_does_not_hold_its_hour_open() {
    let of = hour("2026-11-22T05");
    let mut state = State::default();
    with_file(&mut state, 1, of, Role::Tweets, false, 3);
    state.apply(&Entry::Frozen { hour: of, at_ms: of.end_ms() });
    state.apply(&Entry::Quarantined { id: 1, reason: "foreign".into() });
    let planned = ready(&state, &author(), of.end_ms());
    assert_eq!(planned[0].manifest.objects, []);
}

#[test]
fn late_files_get_numbered_manifests_after_the_hour_is_closed() {
    let of = hour("2026-11-22T05");
    let mut state = State::default();
    with_file(&mut state, 1, of, Role::Tweets, true, 2);
    store(&mut state, 1);
    assert!(ready(&state, &author(), 0).is_empty(), "the hour is not closed yet");
    state.apply(&Entry::KnownClosed { names: vec![ManifestName { hour: of, late: Some(4) }] });
    let planned = ready(&state, &author(), 0);
    assert_eq!(planned[0].name, ManifestName { hour: of, late: Some(5) });
    state.apply(&Entry::Planned { name: planned[0].name, bytes: vec![], files: vec![1] });
    assert!(ready(&state, &author(), 0).is_empty(), "one plan at a time");
    state.apply(&Entry::Closed { name: planned[0].name });
    assert!(state.files.is_empty() && ready(&state, &author(), 0).is_empty());
}

#[test]
fn when_another_manifest_has_the_name_our_objects_are_listed_as_late() {
    let of = hour("2026-11-22T05");
    let mut state = State::default();
    with_file(&mut state, 1, of, Role::Tweets, false, 2);
    store(&mut state, 1);
    state.apply(&Entry::Frozen { hour: of, at_ms: of.end_ms() });
    state.apply(&Entry::Planned { name: ManifestName::closing(of), bytes: vec![], files: vec![1] });
    state.apply(&Entry::Refused { name: ManifestName::closing(of) });
    let planned = ready(&state, &author(), of.end_ms());
    assert_eq!(planned[0].name, ManifestName { hour: of, late: Some(1) });
    assert_eq!(planned[0].manifest.tweets, 2);
}
