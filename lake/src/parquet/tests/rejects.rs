//! Lines that did not read, through the whole converter: beside the table, never in it.

use super::*;

#[tokio::test]
async fn lines_that_do_not_read_are_kept_beside_the_tweets() {
    let place = Place::new();
    let store = place.store("lake");
    let text = format!("{}{{\"data\":\n\n{}[1,2]\n", tweets([1]), tweets([2]));
    let name = object_name(&place.pattern, hour(HOUR), 1);
    let objects = vec![object(&store, &name, &text, Codec::None).await];
    put_manifest(&store, &manifest(hour(HOUR), objects), None).await;
    let done = place.convert(&[HOUR], &place.options()).await.expect("converted");
    assert_eq!((done.hours[0].rows, done.hours[0].rejects), (2, 2));
    let rejects = String::from_utf8(place.bytes("../parquet-rejects/date=2026-11-22/hour=05.jsonl")).expect("text");
    let first: serde_json::Value = serde_json::from_str(rejects.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["object"], &first["line"], &first["length"]), (&name.as_str().into(), &2.into(), &8.into()));
    assert_eq!(
        (first["offset"].as_u64(), first["bytes"].as_str()),
        (Some(tweets([1]).len() as u64), Some("eyJkYXRhIjo="))
    );
    assert!(first["reason"].as_str().is_some_and(|reason| reason.len() > 5), "{first}");
    assert_eq!(rejects.lines().count(), 2);
    // Readers take the target's root for a table: nothing else lies in it.
    assert_eq!(place.target(), ["date=2026-11-22/hour=05/_SUCCESS", "date=2026-11-22/hour=05/tweets.parquet"]);
    assert_eq!(place.rejects(), ["date=2026-11-22/hour=05.jsonl"]);
    // Made anew without them, they go.
    let objects = vec![object(&store, &name, &tweets([1]), Codec::None).await];
    put_manifest(&store, &manifest(hour(HOUR), objects), None).await;
    let replace = ConvertOptions { replace: true, ..place.options() };
    place.convert(&[HOUR], &replace).await.expect("replaced");
    assert_eq!(place.target().len(), 2);
    assert_eq!(place.rejects(), [""; 0]);
}

#[tokio::test]
async fn without_a_place_for_them_rejects_fail_their_hour_before_anything_is_put() {
    let place = Place::new();
    let store = place.store("lake");
    closed_hour(&store, &place.pattern, hour(HOUR), 1..10, Codec::None).await;
    let bad = hour(HOUR).next();
    let objects = vec![object(&store, &object_name(&place.pattern, bad, 1), "{\n", Codec::None).await];
    put_manifest(&store, &manifest(bad, objects), None).await;
    let (lakes, options, workers) = (place.lakes(&["lake"]), place.options(), Workers::default());
    let target = Target::new(Arc::new(place.store("parquet")), None);
    let done = convert_hours(&lakes, &[], &target, &options, &workers, &mut |_| ControlFlow::Continue(())).await;
    let done = done.expect("the other hour is converted");
    assert_eq!((done.made(), done.failed.len()), (1, 1));
    assert!(done.failed[0].1.to_string().contains("with --rejects (rejects=)"), "{}", done.failed[0].1);
    assert!(place.target().iter().all(|name| name.contains("hour=05")), "{:?}", place.target());
}
