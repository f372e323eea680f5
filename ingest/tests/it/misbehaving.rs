//! A store that answers late, loses answers, lies, throttles or is away, with a stream that does not wait for it: nothing is
//! lost or doubled, each hour is in order, memory stays bounded and the agent goes on.

use std::time::Duration;

use cauce_lake::store::servers::S3Server;

use crate::case::{Case, ThreeHours};
use crate::faults::{Asked, Fault, error};
use crate::lake::{go_s3, moto};

/// Streams three hours into files of 50 tweets, with something done to requests all the while.
fn streams_through(behaviour: impl FnMut(&Asked) -> Option<Fault> + Send + 'static) {
    if let Some(server) = go_s3() {
        streams_to(server, behaviour);
    }
}

fn streams_to(server: &S3Server, behaviour: impl FnMut(&Asked) -> Option<Fault> + Send + 'static) {
    let case = Case::on(server, &ThreeHours::of(400, 1, ""), "roll_count = 50");
    let agent = case.place.start("run");
    agent.line("the lake is ours");
    case.proxy.misbehave(behaviour);
    case.wait_until_closed();
    assert!(case.proxy.faults() >= 5, "{} faults", case.proxy.faults());
    case.proxy.misbehave(|_| None);
    case.finish(agent);
}

#[test]
fn answers_that_come_late_change_nothing() {
    streams_through(|asked| asked.puts_object().then_some(Fault::Late(Duration::from_secs(1))));
}

#[test]
fn answers_that_are_lost_after_the_put_was_carried_out_double_nothing() {
    streams_through(|asked| (asked.puts_object() && asked.puts % 2 == 0).then_some(Fault::LoseAnswer));
}

#[test]
fn requests_that_are_lost_lose_nothing() {
    streams_through(|asked| (asked.number % 4 == 0).then_some(Fault::LoseRequest));
}

#[test]
fn an_error_under_a_success_is_not_taken_for_one() {
    streams_through(|asked| {
        (asked.puts_object() && asked.puts % 2 == 0).then(|| Fault::Say(200, error("InternalError")))
    });
}

#[test]
fn an_error_under_a_success_is_not_taken_for_a_failure_either() {
    streams_through(|asked| {
        (asked.puts_object() && asked.puts % 2 == 0).then(|| Fault::DoAndSay(200, error("SlowDown")))
    });
}

#[test]
fn a_page_of_something_else_under_a_success_is_not_taken_for_one() {
    streams_through(|asked| (asked.number % 4 == 1).then(|| Fault::Say(200, "<html>Please log in</html>".to_owned())));
}

#[test]
fn a_success_without_a_word_is_not_taken_for_one() {
    streams_through(|asked| (asked.puts_object() && asked.puts % 2 == 0).then(|| Fault::Say(200, String::new())));
}

#[test]
fn objects_that_are_said_to_be_stored_and_are_not_are_put_again() {
    streams_through(|asked| (asked.puts_object() && asked.puts % 2 == 0).then_some(Fault::PretendStored));
}

/// One server refuses other bytes than were signed, the other takes them.
fn on_both(fault: &Fault) {
    for server in [go_s3(), moto()].into_iter().flatten() {
        let fault = fault.clone();
        streams_to(server, move |asked| (asked.puts_object() && asked.puts % 3 == 0).then(|| fault.clone()));
    }
}

#[test]
fn bytes_that_change_on_the_way_are_put_again() {
    on_both(&Fault::ChangeByte);
}

#[test]
fn bytes_that_change_on_the_way_are_put_again_where_the_answer_is_lost_too() {
    on_both(&Fault::ChangeByteAndLoseAnswer);
}

#[test]
fn a_storm_of_requests_to_slow_down_passes() {
    streams_through(|asked| (asked.number < 12).then(|| Fault::Say(503, error("SlowDown"))));
}

#[test]
fn conflicts_and_server_errors_after_the_put_was_carried_out_double_nothing() {
    streams_through(|asked| {
        match asked.puts % 6 {
            0 => Some(Fault::DoAndSay(409, error("ConditionalRequestConflict"))),
            2 => Some(Fault::DoAndSay(500, error("InternalError"))),
            4 => Some(Fault::Say(409, error("OperationAborted"))),
            _ => None,
        }
        .filter(|_| asked.puts_object())
    });
}
