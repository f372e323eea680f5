//! v1.1 streams as a client sees them.

use super::*;

#[tokio::test]
async fn a_signed_v1_request_gets_the_tweets_it_tracks_with_deletes_among_them() {
    let simulator = start(flat_out(2000)).await;
    let mut answer = filter(
        &simulator,
        &[("track", "@realdonaldtrump,#Trump"), ("stall_warnings", "true")],
        "n1",
        &Credentials::default(),
    )
    .await;
    assert_eq!(answer.status(), 200);
    let lines: Vec<Value> = lines(&mut answer, usize::MAX).await.iter().map(|line| value(line)).collect();
    let deletes = lines.iter().filter(|line| line.get("delete").is_some()).count();
    assert_eq!(lines.len() - deletes, 2000);
    assert!((10..100).contains(&deletes), "{deletes}");
    let mut seen = HashSet::new();
    for line in &lines {
        if let Some(deleted) = line["delete"]["status"]["id_str"].as_str() {
            assert!(seen.contains(deleted), "a delete of a tweet that was never sent");
        } else {
            seen.insert(line["id_str"].as_str().expect("an id"));
            let whole = line.to_string().to_lowercase();
            assert!(whole.contains("realdonaldtrump") || whole.contains("\"text\":\"trump\""), "{line}");
        }
    }
}

#[tokio::test]
async fn a_wrongly_signed_v1_request_gets_401_in_html() {
    let simulator = start(flat_out(1)).await;
    let wrong = Credentials { access_token_secret: "other".to_owned(), ..Credentials::default() };
    let refused = filter(&simulator, &[("track", "a")], "n1", &wrong).await;
    assert_eq!(refused.status(), 401);
    assert!(refused.headers()["content-type"].to_str().expect("ascii").starts_with("text/html"));
    let text = refused.text().await.expect("text");
    assert!(text.contains("Error 401 Unauthorized") && text.contains("Problem accessing '/1.1/statuses/filter.json'"));
    assert_eq!(filter(&simulator, &[("track", "a")], "n2", &Credentials::default()).await.status(), 200);
    assert_eq!(filter(&simulator, &[("track", "a")], "n2", &Credentials::default()).await.status(), 401);
    let bad = filter(&simulator, &[("track", &"x".repeat(61))], "n3", &Credentials::default()).await;
    assert_eq!(bad.status(), 406);
    assert!(bad.text().await.expect("text").starts_with("Parameter track item index 0 too long: "));
}

#[tokio::test]
async fn a_second_v1_login_throws_out_the_first_and_a_flood_gets_420() {
    let simulator = start(Options { rate: 100.0, count: None, v1_connects: 3, ..flat_out(1) }).await;
    let mut first = filter(&simulator, &[("track", "a")], "n1", &Credentials::default()).await;
    assert!(!lines(&mut first, 1).await.is_empty());
    let mut second = filter(&simulator, &[("track", "a")], "n2", &Credentials::default()).await;
    let rest = lines(&mut first, usize::MAX).await;
    assert_eq!(value(rest.last().expect("a last word"))["disconnect"]["code"], 7);
    assert!(!lines(&mut second, 1).await.is_empty());
    assert_eq!(filter(&simulator, &[], "n3", &Credentials::default()).await.status(), 406);
    let flood = filter(&simulator, &[("track", "a")], "n4", &Credentials::default()).await;
    assert_eq!(flood.status(), 420);
    assert!(flood.text().await.expect("text").starts_with("Easy there, Turbo."));
}

#[tokio::test]
async fn delimited_lines_have_their_length_before_them() {
    let simulator = start(flat_out(50)).await;
    let mut answer =
        filter(&simulator, &[("track", "#trump"), ("delimited", "length")], "n1", &Credentials::default()).await;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.expect("bytes") {
        bytes.extend_from_slice(&chunk);
    }
    let mut rest = bytes.as_slice();
    let mut tweets = 0;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\r').expect("a length");
        let length: usize = std::str::from_utf8(&rest[..end]).expect("ascii").parse().expect("a number");
        let line = &rest[end + 2..end + 2 + length];
        assert!(line.starts_with(b"{") && line.ends_with(b"}\r\n"));
        tweets += usize::from(!line.starts_with(b"{\"delete\""));
        rest = &rest[end + 2 + length..];
    }
    assert_eq!(tweets, 50);
}
