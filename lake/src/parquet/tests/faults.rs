//! Hours that cannot be read, and which of them end a conversion.

use super::*;
use crate::store::memory::{Call, Fault, MemoryStore};

const THREE: &str = "2026-11-22T05..2026-11-22T08";

/// A lake of three closed hours in memory, where any request can be made to fail.
struct Faulty {
    place: Place,
    store: Arc<MemoryStore>,
}

impl Faulty {
    async fn new() -> Faulty {
        let (place, store) = (Place::new(), Arc::new(MemoryStore::new()));
        for number in 5..8 {
            let hour: Hour = format!("2026-11-22T0{number}").parse().expect("an hour");
            closed_hour(store.as_ref(), &place.pattern, hour, number * 10..number * 10 + 3, Codec::None).await;
        }
        Faulty { place, store }
    }

    /// Makes every request of a kind for what begins with this name fail.
    fn refuse(&self, call: Call, name: &str, kind: ErrorKind) {
        self.store.inject(call, name, 0, usize::MAX, Fault::Fail(kind));
    }

    async fn convert(&self, options: &ConvertOptions) -> Result<Summary, ConvertError> {
        let lakes = Lakes::from(Lake::new(Arc::clone(&self.store) as Arc<dyn Store>, self.place.pattern.clone()));
        let ranges = [THREE.parse().expect("a range")];
        let (target, workers) = (self.place.places(), Workers::new(std::num::NonZeroUsize::new(1)));
        convert_hours(&lakes, &ranges, &target, options, &workers, &mut |_| ControlFlow::Continue(())).await
    }
}

fn made(summary: &Summary) -> Vec<String> {
    summary.hours.iter().map(|report| report.hour.to_string()).collect()
}

fn names(failed: &[(String, ConvertError)]) -> Vec<&str> {
    failed.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn an_hour_that_is_archived_or_locked_does_not_keep_the_others_from_being_converted() {
    for kind in [ErrorKind::Archived, ErrorKind::AccessDenied, ErrorKind::Io, ErrorKind::Timeout, ErrorKind::Server] {
        // Its object, or its manifest.
        for (call, name) in [(Call::Read, "11-22-06/"), (Call::Get, "_hours/2026-11-22T06")] {
            let lake = Faulty::new().await;
            lake.refuse(call, name, kind);
            let done = lake.convert(&ConvertOptions::default()).await.expect("the others are converted");
            assert_eq!(made(&done), ["2026-11-22T05", "2026-11-22T07"], "{kind:?} {name}");
            assert_eq!(names(&done.failed), ["2026-11-22T06"]);
            assert_eq!(done.failed[0].1.kind(), kind);
            assert_eq!(lake.place.target().len(), 4);
        }
    }
}

#[tokio::test]
async fn archived_hours_that_are_to_be_skipped_are_told_apart_from_those_that_failed() {
    let lake = Faulty::new().await;
    lake.refuse(Call::Read, "11-22-05/", ErrorKind::Archived);
    lake.refuse(Call::Get, "_hours/2026-11-22T06", ErrorKind::Archived);
    lake.refuse(Call::Read, "11-22-07/", ErrorKind::AccessDenied);
    let options = ConvertOptions { skip_archived: true, ..ConvertOptions::default() };
    let done = lake.convert(&options).await.expect("no error is of all hours");
    assert_eq!(names(&done.archived), ["2026-11-22T05", "2026-11-22T06"]);
    assert_eq!(names(&done.failed), ["2026-11-22T07"]);
    assert_eq!(made(&done), [""; 0]);
}

#[tokio::test]
async fn credentials_that_are_refused_for_two_hours_in_a_row_end_a_conversion() {
    let lake = Faulty::new().await;
    lake.refuse(Call::Read, "11-22-06/", ErrorKind::Credentials);
    let done = lake.convert(&ConvertOptions::default()).await.expect("one hour may be refused");
    assert_eq!(names(&done.failed), ["2026-11-22T06"]);
    let lake = Faulty::new().await;
    for hour in ["11-22-05/", "11-22-06/"] {
        lake.refuse(Call::Read, hour, ErrorKind::Credentials);
    }
    let error = lake.convert(&ConvertOptions::default()).await.expect_err("two in a row");
    assert_eq!(error.kind(), ErrorKind::Credentials);
}

#[tokio::test]
async fn a_bucket_that_is_gone_and_a_server_without_a_connection_end_a_conversion_at_once() {
    for kind in [ErrorKind::NoSuchBucket, ErrorKind::Unreachable] {
        let lake = Faulty::new().await;
        lake.refuse(Call::Read, "11-22-05/", kind);
        let error = lake.convert(&ConvertOptions::default()).await.expect_err("it is of all");
        assert_eq!(error.kind(), kind);
    }
}

#[tokio::test]
async fn objects_that_fail_in_a_row_end_a_conversion_only_where_the_lake_cannot_be_listed() {
    let lake = Faulty::new().await;
    for hour in ["11-22-05/", "11-22-06/"] {
        lake.refuse(Call::Read, hour, ErrorKind::Server);
    }
    let done = lake.convert(&ConvertOptions::default()).await.expect("it still lists its hours");
    assert_eq!(
        (made(&done), names(&done.failed)),
        (vec!["2026-11-22T07".to_owned()], vec!["2026-11-22T05", "2026-11-22T06"])
    );
    // The first listing is that of the plan.
    lake.store.inject(Call::List, "_hours/", 1, usize::MAX, Fault::Fail(ErrorKind::Server));
    let options = ConvertOptions { replace: true, ..ConvertOptions::default() };
    let error = lake.convert(&options).await.expect_err("the store has failed");
    assert_eq!(error.kind(), ErrorKind::Server);
}
