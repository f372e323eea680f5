//! Round trips of manifests and their names.

use super::*;

fn sample() -> Manifest {
    let at = "2026-11-22T06:00:01Z".parse().expect("valid time");
    Manifest {
        version: VERSION,
        hour: "2026-11-22T05".parse().expect("valid hour"),
        agent: "agent".into(),
        epoch: 3,
        guarantee: Guarantee::ExactlyOnce,
        objects: vec![ObjectEntry {
            key: Key::new("11-22-05/tweets.1795323600123.json").expect("valid key"),
            bytes: 10,
            lines: 2,
            sha256: "0".repeat(64),
            crc64nvme: Some(Crc64::of(b"{\"id\":1}\n")),
            codec: Codec::None,
            path: IngestPath::Stream,
            arrivals: vec![(1_795_323_600, 1), (1_795_323_601, 2)],
        }],
        messages: vec![],
        message_counts: BTreeMap::new(),
        tweets: 2,
        duplicates: 0,
        rejects: 0,
        undelivered: 0,
        gaps: vec![],
        repairs: vec![],
        dedupe_holes: vec![],
        opened_at: at,
        closed_at: at,
        tool_version: "cauce 0.1.0".into(),
    }
}

#[test]
fn a_manifest_is_written_and_read_back() {
    let manifest = sample();
    let key = ManifestName::closing(manifest.hour).key();
    assert_eq!(key.as_str(), "_hours/2026-11-22T05.json");
    assert_eq!(Manifest::from_bytes(&key, &manifest.to_bytes()).expect("readable"), manifest);
}

#[test]
fn a_manifest_without_fast_checksums_is_read_and_one_with_a_malformed_one_is_refused() {
    let manifest = sample();
    let key = ManifestName::closing(manifest.hour).key();
    let text = String::from_utf8(manifest.to_bytes()).expect("JSON is UTF-8");
    let crc = manifest.objects[0].crc64nvme.expect("the sample has one").to_string();
    let without = Manifest::from_bytes(&key, text.replace(&format!(",\"crc64nvme\":\"{crc}\""), "").as_bytes());
    assert_eq!(without.expect("readable").objects[0].crc64nvme, None);
    assert!(Manifest::from_bytes(&key, text.replace(&crc, "AAAA").as_bytes()).is_err());
}

#[test]
fn a_manifest_that_points_outside_the_lake_is_refused() {
    let key = ManifestName::closing(sample().hour).key();
    for outside in ["../other/x.json", "/etc/passwd", "_hours/2026-11-22T04.json", "_agent.json"] {
        let text = String::from_utf8(sample().to_bytes()).expect("JSON is UTF-8");
        let bad = text.replace("11-22-05/tweets.1795323600123.json", outside);
        let error = Manifest::from_bytes(&key, bad.as_bytes()).expect_err("a foreign key was taken");
        assert!(error.to_string().contains("_hours/2026-11-22T05.json"), "{error}");
    }
}

#[test]
fn a_manifest_under_a_foreign_name_or_of_a_later_version_is_refused() {
    let manifest = sample();
    let other = ManifestName::closing(manifest.hour.next()).key();
    assert!(matches!(Manifest::from_bytes(&other, &manifest.to_bytes()), Err(ManifestError::WrongHour { .. })));
    let later = Manifest { version: VERSION + 1, ..manifest };
    let key = ManifestName::closing(later.hour).key();
    assert!(matches!(Manifest::from_bytes(&key, &later.to_bytes()), Err(ManifestError::Version { .. })));
}

#[test]
fn the_number_in_a_name_is_found_whatever_stands_around_it() {
    for name in ["tweets.1795323600123.json", "a.b.1795323600123json.gz", "_messages.1795323600123.json"] {
        assert_eq!(epoch_ms_in_name(name), Some(1_795_323_600_123), "{name}");
    }
    for name in ["_SUCCESS", "tweets.json", "tweets.2026.json", "tweets.99999999999999999999.json"] {
        assert_eq!(epoch_ms_in_name(name), None, "{name}");
    }
}

#[test]
fn a_guarantee_is_shown_as_it_stands_in_a_manifest() {
    for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtMostOnce, Guarantee::UnsafeStore] {
        assert_eq!(serde_json::to_value(guarantee).expect("a word"), guarantee.to_string());
    }
}

#[test]
fn names_of_manifests_are_read_both_ways() {
    let hour = sample().hour;
    for name in [ManifestName::closing(hour), ManifestName { hour, late: Some(12) }] {
        assert_eq!(ManifestName::parse(name.key().as_str()), Some(name));
    }
    for not_ours in [
        "_hours/x.json",
        "_hours/2026-11-22T05.late-0.json",
        "_hours/2026-11-22T05.late-01.json",
        "11-22-05/tweets.1.json",
    ] {
        assert_eq!(ManifestName::parse(not_ours), None, "{not_ours}");
    }
}
