//! Hours that S3 has archived, and objects that a user may not read: each is a fault of its own hour, and the others are read.

use cauce_lake::catalogue::fixture::{self, closed_hour, object_name};
use cauce_lake::manifest::Codec;
use cauce_lake::pattern::Escapes;
use cauce_lake::store::servers::S3Server;
use cauce_lake::{Hour, LakeUrl, store};

use crate::faults::{Fault, Proxy, error};
use crate::lake::{RUNTIME, fresh_bucket, introduce, moto};
use crate::program::{Ended, Place};

const HOURS: [&str; 3] = ["2026-11-22T05", "2026-11-22T06", "2026-11-22T07"];
const ARCHIVED: &str = "archived in storage class GLACIER: restore it, or leave this hour out";

fn hour(name: &str) -> Hour {
    name.parse().expect("an hour")
}

fn object_of(name: &str) -> String {
    object_name(&fixture::pattern("%m-%d-%h", Escapes::Cauce), hour(name), 1)
}

fn manifest_of(name: &str) -> String {
    format!("_hours/{name}.json")
}

/// A bucket with three closed hours, and a place whose programs find it.
fn three_hours(server: &S3Server) -> (Place, String) {
    let bucket = fresh_bucket(server);
    let url: LakeUrl = format!("s3://{bucket}").parse().expect("a lake's URL");
    RUNTIME.block_on(async {
        let store = store::open(&url, &server.options()).await.expect("the store opens");
        for (n, name) in (0..).zip(HOURS) {
            let ids = n * 10..n * 10 + 3;
            closed_hour(store.as_ref(), &fixture::pattern("%m-%d-%h", Escapes::Cauce), hour(name), ids, Codec::None)
                .await;
        }
    });
    let mut place = Place::new();
    introduce(&mut place, server);
    place.set("CAUCE_LAKE__URL", &format!("s3://{bucket}"));
    (place, bucket)
}

/// Moves an object into the archive, as a lifecycle rule does.
fn archive(server: &S3Server, bucket: &str, key: &str) {
    RUNTIME.block_on(async {
        let copy = server.client().await.copy_object().bucket(bucket).key(key).copy_source(format!("{bucket}/{key}"));
        copy.storage_class("GLACIER".into()).send().await.expect("it is archived");
    });
}

#[track_caller]
fn assert_says(ended: &Ended, code: i32, out: &[&str], err: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}{}", ended.out, ended.err);
    for (text, words) in [(&ended.out, out), (&ended.err, err)] {
        for word in words {
            assert!(text.contains(word), "{word:?} is missing in:\n{text}");
        }
    }
}

#[test]
fn an_archived_hour_fails_alone_and_can_be_skipped() {
    let Some(server) = moto() else { return };
    let archived = HOURS[1];
    for key in [object_of(archived), manifest_of(archived)] {
        let (place, bucket) = three_hours(server);
        archive(server, &bucket, &key);

        let verified = place.ingest("verify");
        let unread = format!("1 hour could not be read: {archived} (--skip-archived leaves archived hours out)");
        assert_says(&verified, 1, &["2 hours read, 0 with problems, 1 not readable", ARCHIVED], &[&unread]);
        let skipped = place.ingest("verify --skip-archived");
        assert_says(&skipped, 0, &["1 left out as archived", &format!("left out as archived: {archived}\n")], &[]);

        let converted = place.ingest("convert --to parquet");
        let failed = format!("failed: {archived}: ");
        let advice = "1 of 3 hours were not converted; --skip-archived leaves archived hours out";
        assert_says(&converted, 1, &["hours       2 made, 0 up to date, 1 failed"], &[&failed, ARCHIVED, advice]);
        for name in [HOURS[0], HOURS[2]] {
            let success = format!("parquet/date=2026-11-22/hour={}/_SUCCESS", &name[11..]);
            assert!(place.path(&success).exists(), "{success}");
        }
        let skipped = place.ingest("convert --to parquet --skip-archived");
        let left_out = format!("left out    {archived}: ");
        assert_says(&skipped, 0, &["0 failed, 1 left out as archived", &left_out, ARCHIVED], &[]);
    }
}

#[test]
fn an_object_that_may_not_be_read_is_the_fault_of_its_hour() {
    let Some(server) = moto() else { return };
    let (mut place, _) = three_hours(server);
    let proxy = Proxy::before(&server.endpoint);
    place.set("CAUCE_LAKE__S3__ENDPOINT_URL", &proxy.endpoint());
    let locked = object_of(HOURS[0]);
    proxy.misbehave(move |asked| {
        (asked.method == "GET" && asked.path.contains(&locked)).then(|| Fault::Say(403, error("AccessDenied")))
    });
    let denied = "s3:GetObject";
    assert_says(&place.ingest("verify"), 1, &["2 hours read", denied], &["1 hour could not be read: 2026-11-22T05"]);
    let converted = place.ingest("convert --to parquet");
    assert_says(&converted, 1, &["2 made"], &["failed: 2026-11-22T05", denied, "1 of 3 hours were not converted"]);
}

#[test]
fn credentials_that_are_refused_for_two_hours_end_it() {
    let Some(server) = moto() else { return };
    let (mut place, _) = three_hours(server);
    let proxy = Proxy::before(&server.endpoint);
    place.set("CAUCE_LAKE__S3__ENDPOINT_URL", &proxy.endpoint());
    let refused = [object_of(HOURS[0]), object_of(HOURS[1])];
    proxy.misbehave(move |asked| {
        let is_refused = asked.method == "GET" && refused.iter().any(|key| asked.path.contains(key));
        is_refused.then(|| Fault::Say(403, error("ExpiredToken")))
    });
    for line in ["verify", "convert --to parquet"] {
        let ended = place.ingest(line);
        assert_says(&ended, 4, &[], &["the credentials are not accepted", "ExpiredToken"]);
    }
}

#[test]
fn a_login_page_in_the_place_of_the_store_is_said_to_be_one() {
    let Some(server) = moto() else { return };
    let (mut place, _) = three_hours(server);
    let proxy = Proxy::before(&server.endpoint);
    place.set("CAUCE_LAKE__S3__ENDPOINT_URL", &proxy.endpoint());
    proxy.misbehave(|_| Some(Fault::Say(200, "<html><title>Please log in</title></html>".to_owned())));
    for line in ["hours", "verify", "convert --to parquet", "cat 2026-11-22T05"] {
        let ended = place.ingest(line);
        assert_says(&ended, 4, &[], &["no S3 server answered", "\"Please log in\"", "login pages on the way to it"]);
    }
}
