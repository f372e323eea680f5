//! Several spools of one lake, that come and go in any order and accept the same tweets while more than one of them reads: each accepted
//! line is listed once, whichever comes back.

use cauce_lake::manifest::Codec;
use proptest::prelude::*;

use super::world::{Fault, SPOOLS, World};

#[derive(Debug, Clone)]
enum Act {
    Start(usize),
    HalfStart(usize),
    Line { n: usize, hour: i64, minute: i64 },
    LineForAll { hour: i64, minute: i64 },
    LineAgain { n: usize, nth: usize },
    Roll(usize),
    Commit(usize),
    Freeze { n: usize, hour: i64 },
    Carry { n: usize, nth: usize, fault: Option<Fault> },
    Work { n: usize, rounds: usize },
    Land(usize),
    Kill { n: usize, power: Option<u64> },
    Stop(usize),
    Copy(usize),
    Restore { nth: usize, n: usize },
    Lose(usize),
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    let n = || 0..SPOOLS;
    let fault = prop_oneof![
        2 => Just(None),
        1 => Just(Some(Fault::AnswerLost)),
        2 => Just(Some(Fault::OnItsWay)),
    ];
    prop_oneof![
        6 => n().prop_map(Act::Start),
        1 => n().prop_map(Act::HalfStart),
        12 => (n(), 0..2i64, 0..3i64).prop_map(|(n, hour, minute)| Act::Line { n, hour, minute }),
        8 => (0..2i64, 0..3i64).prop_map(|(hour, minute)| Act::LineForAll { hour, minute }),
        3 => (n(), any::<usize>()).prop_map(|(n, nth)| Act::LineAgain { n, nth }),
        2 => n().prop_map(Act::Roll),
        4 => n().prop_map(Act::Commit),
        2 => (n(), 0..2i64).prop_map(|(n, hour)| Act::Freeze { n, hour }),
        8 => (n(), any::<usize>(), fault).prop_map(|(n, nth, fault)| Act::Carry { n, nth, fault }),
        4 => (n(), 1..5usize).prop_map(|(n, rounds)| Act::Work { n, rounds }),
        2 => any::<usize>().prop_map(Act::Land),
        4 => (n(), proptest::option::of(any::<u64>())).prop_map(|(n, power)| Act::Kill { n, power }),
        1 => n().prop_map(Act::Stop),
        2 => n().prop_map(Act::Copy),
        2 => (any::<usize>(), n()).prop_map(|(nth, n)| Act::Restore { nth, n }),
        1 => n().prop_map(Act::Lose),
        1 => Just(Act::Wait),
    ]
}

fn run(world: &mut World, act: &Act) {
    match *act {
        Act::Start(n) => world.start(n),
        Act::HalfStart(n) => world.half_start(n),
        Act::Line { n, hour, minute } => world.line(n, hour, minute),
        Act::LineForAll { hour, minute } => world.line_for_all(hour, minute),
        Act::LineAgain { n, nth } => world.line_again(n, nth),
        Act::Roll(n) => world.roll(n),
        Act::Commit(n) => world.commit(n),
        Act::Freeze { n, hour } => world.freeze(n, hour),
        Act::Carry { n, nth, fault } => world.carry(n, nth, fault),
        Act::Work { n, rounds } => world.work(n, rounds),
        Act::Land(nth) => world.land(nth),
        Act::Kill { n, power } => world.kill(n, power),
        Act::Stop(n) => world.stop(n),
        Act::Copy(n) => world.copy(n),
        Act::Restore { nth, n } => world.restore(nth, n),
        Act::Lose(n) => world.lose(n),
        Act::Wait => world.wait(),
    }
}

/// Some seconds of them; `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    let config = ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig { cases: 200, ..config },
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_spools_come_back_in_any_order_each_accepted_line_is_listed_once(
        acts in proptest::collection::vec(act(), 0..80),
        order in Just((0..SPOOLS).collect::<Vec<_>>()).prop_shuffle(),
        land in 0..=SPOOLS,
        gzip in any::<bool>(),
    ) {
        let mut world = World::new(if gzip { Codec::Gzip } else { Codec::None });
        acts.iter().for_each(|act| run(&mut world, act));
        (0..SPOOLS).for_each(|n| world.kill(n, None));
        for (at, n) in order.iter().enumerate() {
            world.start(*n);
            if land == at {
                // After it has looked what is there.
                world.land_all();
            }
            world.end(*n).map_err(TestCaseError::fail)?;
        }
        world.land_all();
        world.check().map_err(TestCaseError::fail)?;
    }
}

/// Lines of the first hour come in and are stored, in files of their own.
fn store(world: &mut World, n: usize, files: usize) {
    for _ in 0..files {
        world.line(n, 0, 1);
        world.line(n, 0, 1);
        world.roll(n);
        world.work(n, 3);
    }
}

/// All lines that ever came in are listed once.
#[track_caller]
fn assert_all_listed(world: &World) {
    let listed = world.listed().expect("the lake is in order");
    let wanted = (1..=world.lines()).map(|line| (line, 1)).collect();
    assert_eq!(listed, wanted, "how often each line is listed");
}

#[test]
fn spools_that_take_turns_in_an_hour_list_what_the_others_stored_once() {
    let mut world = World::new(Codec::None);
    for n in [0, 1, 0, 1] {
        world.start(n);
        store(&mut world, n, 2);
        world.kill(n, None);
    }
    for n in [0, 1, 0] {
        world.finish(n).expect("it ends");
    }
    assert_all_listed(&world);
}

#[test]
fn a_spool_that_was_stopped_in_order_takes_over_what_another_stored_since() {
    let mut world = World::new(Codec::None);
    world.start(0);
    store(&mut world, 0, 1);
    world.stop(0);
    world.start(1);
    store(&mut world, 1, 1);
    world.lose(1);
    world.finish(0).expect("it ends");
    assert_all_listed(&world);
}

#[test]
fn a_manifest_that_arrives_after_its_spool_was_lost_lists_its_objects_alone() {
    let mut world = World::new(Codec::None);
    world.start(0);
    store(&mut world, 0, 2);
    world.freeze(0, 0);
    world.commit(0);
    world.commit(0);
    world.send(0);
    world.lose(0);
    world.start(1);
    store(&mut world, 1, 1);
    world.land_all();
    world.end(1).expect("it ends");
    assert_all_listed(&world);
}

#[test]
fn a_copy_of_a_running_spool_takes_over_what_the_original_stored_since() {
    let mut world = World::new(Codec::None);
    world.start(0);
    store(&mut world, 0, 1);
    world.copy(0);
    store(&mut world, 0, 2);
    world.restore(0, 0);
    world.finish(0).expect("it ends");
    assert_all_listed(&world);
}

#[test]
fn a_copy_of_a_spool_finds_its_open_file_stored_with_more_lines_than_it_knows() {
    for closed in [false, true] {
        let mut world = World::new(Codec::Gzip);
        world.start(0);
        world.line(0, 0, 1);
        world.commit(0);
        world.copy(0);
        store(&mut world, 0, 1);
        if closed {
            world.finish(0).expect("it ends");
        }
        world.restore(0, 0);
        world.finish(0).expect("it ends");
        assert_all_listed(&world);
    }
}

#[test]
fn a_spool_finds_its_file_stored_by_a_copy_with_fewer_lines_and_stores_the_others() {
    for closed in [false, true] {
        let mut world = World::new(Codec::None);
        world.start(0);
        world.line(0, 0, 1);
        world.commit(0);
        world.copy(0);
        world.line(0, 0, 1);
        world.line(0, 0, 1);
        world.commit(0);
        world.kill(0, None);
        world.copy(0);
        world.restore(0, 1);
        world.start(1);
        world.work(1, 3);
        if closed {
            world.finish(1).expect("it ends");
        }
        // Its rest goes under a key of its own, and so does that of a copy of it that comes later.
        world.finish(0).expect("it ends");
        world.restore(1, 2);
        world.start(2);
        world.line(2, 1, 1);
        world.end(2).expect("it ends");
        world.finish(1).expect("it ends");
        assert_all_listed(&world);
    }
}

/// Two agents read at the same time, and each accepts the same lines among others.
fn both_read(world: &mut World) {
    world.start(0);
    world.line(0, 0, 1);
    world.start(1);
    for _ in 0..3 {
        world.line_for_all(0, 1);
        world.line(0, 0, 2);
        world.line(1, 0, 2);
    }
    world.commit(0);
    world.commit(1);
}

#[test]
fn lines_that_two_spools_accepted_at_the_same_time_are_listed_once_when_the_first_comes_back() {
    for closed in [false, true] {
        for codec in [Codec::None, Codec::Gzip] {
            let mut world = World::new(codec);
            both_read(&mut world);
            world.kill(0, None);
            if closed {
                world.end(1).expect("it ends");
            } else {
                world.roll(1);
                world.work(1, 3);
                world.kill(1, None);
            }
            world.finish(0).expect("it ends");
            world.finish(1).expect("it ends");
            assert_all_listed(&world);
        }
    }
}

#[test]
fn lines_that_two_spools_accepted_and_stored_before_either_knew_are_listed_once() {
    for first in [0, 1] {
        let mut world = World::new(Codec::Gzip);
        both_read(&mut world);
        // The first one does not know yet that it has lost the lake.
        for n in [0, 1] {
            world.roll(n);
            world.work(n, 3);
            world.kill(n, None);
        }
        for n in [first, 1 - first, first] {
            world.finish(n).expect("it ends");
        }
        assert_all_listed(&world);
    }
}

#[test]
fn lines_of_an_object_that_was_stored_after_another_spool_took_the_lake_are_listed_once() {
    for codec in [Codec::None, Codec::Gzip] {
        let mut world = World::new(codec);
        both_read(&mut world);
        // The first one does not know yet that it has lost the lake, and the second one has looked at the lake before.
        world.roll(0);
        world.work(0, 3);
        world.kill(0, None);
        world.end(1).expect("it ends");
        world.finish(0).expect("it ends");
        assert_all_listed(&world);
    }
}

#[test]
fn a_manifest_that_arrives_with_lines_that_the_agent_which_runs_accepted_too_lists_them_alone() {
    let mut world = World::new(Codec::None);
    both_read(&mut world);
    world.roll(0);
    world.work(0, 3);
    world.freeze(0, 0);
    world.commit(0);
    world.commit(0);
    world.send(0);
    world.lose(0);
    world.roll(1);
    world.work(1, 3);
    world.land_all();
    world.end(1).expect("it ends");
    assert_all_listed(&world);
}
