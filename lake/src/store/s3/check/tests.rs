//! What a server's word proves.

use super::*;

fn body(content: &'static [u8], parts: &[Range<u64>]) -> BodyDigests {
    digest(content, content.len() as u64, parts, Algorithm::default()).expect("memory reads")
}

fn told(etag: &str) -> Told<'_> {
    Told { etag, ..Told::default() }
}

#[test]
fn an_etag_that_is_the_md5_proves_the_content_and_another_one_contradicts() {
    let hello = body(b"hello", &[]);
    for etag in ["\"5d41402abc4b2a76b9719d911017c592\"", "5D41402ABC4B2A76B9719D911017C592"] {
        assert_eq!(weigh(&hello, told(etag)), Weighed::Same, "{etag}");
    }
    let other = weigh(&hello, told("\"7d793037a0760186574b0282f2f435e7\""));
    assert!(matches!(other, Weighed::Contradicts { by_etag: true, .. }), "{other:?}");
}

#[test]
fn a_checksum_that_is_another_contradicts_whatever_the_etag_says() {
    let hello = body(b"hello", &[]);
    let (right, wrong) = (Crc64::of(b"hello").to_string(), Crc64::of(b"jello").to_string());
    let md5 = "\"5d41402abc4b2a76b9719d911017c592\"";
    assert_eq!(weigh(&hello, Told { checksum: Some(&right), ..told("\"opaque\"") }), Weighed::Same);
    let weighed = weigh(&hello, Told { checksum: Some(&wrong), ..told(md5) });
    assert!(matches!(weighed, Weighed::Contradicts { by_etag: false, .. }), "{weighed:?}");
    // A server may only repeat the checksum that was sent along: its ETag counts as well.
    let weighed = weigh(&hello, Told { checksum: Some(&right), ..told("\"7d793037a0760186574b0282f2f435e7\"") });
    assert!(matches!(weighed, Weighed::Contradicts { by_etag: true, .. }), "{weighed:?}");
}

#[test]
fn an_etag_that_cannot_be_an_md5_says_nothing() {
    let hello = body(b"hello", &[]);
    for etag in ["", "\"opaque\"", "\"0123\"", "\"7d793037a0760186574b0282f2f435e7-2\""] {
        assert_eq!(weigh(&hello, told(etag)), Weighed::Silent, "{etag}");
    }
    let encrypted = Told { hides_md5: true, ..told("\"7d793037a0760186574b0282f2f435e7\"") };
    assert_eq!(weigh(&hello, encrypted), Weighed::Silent);
}

#[test]
fn another_length_is_another_content() {
    let weighed = weigh(&body(b"hello", &[]), Told { bytes: Some(4), ..Told::default() });
    assert!(matches!(weighed, Weighed::Different(_)), "{weighed:?}");
}

#[test]
fn the_etag_of_an_upload_in_parts_is_compared_where_it_has_as_many_parts() {
    let parts = body(b"hello", &[0..2, 2..5]);
    assert_eq!(parts.whole, body(b"hello", &[]).whole);
    assert_eq!(parts.parts, [body(b"he", &[]).whole, body(b"llo", &[]).whole]);
    // printf '%s' he | md5sum, and so on: the MD5 of both MD5s.
    let etag = parts.etag();
    assert!(etag.ends_with("-2"), "{etag}");
    assert_eq!(weigh(&parts, told(&etag)), Weighed::Same);
    assert!(matches!(weigh(&body(b"jello", &[0..2, 2..5]), told(&etag)), Weighed::Contradicts { .. }));
    assert_eq!(weigh(&body(b"hello", &[0..1, 1..2, 2..5]), told(&etag)), Weighed::Silent);
}

#[test]
fn a_body_is_read_to_its_length_and_no_further() {
    let found = digest(&b"hello, world"[..], 5, &[], Algorithm::default()).expect("memory reads");
    assert_eq!((found.bytes, found.whole), (5, body(b"hello", &[]).whole));
    assert_eq!(digest(&b"he"[..], 5, &[], Algorithm::default()).expect("memory reads").bytes, 2);
}

#[test]
fn the_checksum_that_was_asked_for_is_the_one_that_is_weighed() {
    for (algorithm, text) in [
        (Algorithm::Crc64Nvme, "M3eFcAZSQlc="),
        (Algorithm::Crc32, "NhCmhg=="),
        (Algorithm::Crc32c, "mnG7TA=="),
        (Algorithm::Sha256, "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
    ] {
        let hello = digest(&b"hello"[..], 5, &[], algorithm).expect("memory reads");
        assert_eq!(hello.whole.checksum, text, "{algorithm}");
        assert_eq!(weigh(&hello, Told { checksum: Some(text), ..told("\"opaque\"") }), Weighed::Same);
        let jello = digest(&b"jello"[..], 5, &[], algorithm).expect("memory reads").whole.checksum;
        let weighed = weigh(&hello, Told { checksum: Some(&jello), ..told("\"opaque\"") });
        assert!(matches!(weighed, Weighed::Contradicts { by_etag: false, .. }), "{weighed:?}");
    }
}
