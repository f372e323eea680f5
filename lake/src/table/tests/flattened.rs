//! v2 tweets that are the whole line: flattened by twarc2, with embedded references, and without.

use super::*;

const PLACE: &str = r#""full_name":"Lyon, France","id":"p1","name":"Lyon","country":"France","country_code":"FR","place_type":"city","geo":{"type":"Feature","bbox":[4.7,45.7,4.9,45.8]}"#;
const AUTHOR: &str = r#"{"id":"7","username":"x","name":"X Y","created_at":"2018-10-10T20:19:24.000Z","public_metrics":{"followers_count":5,"tweet_count":9},"verified":false}"#;
const OTHER: &str = r#"{"id":"8","username":"z","name":"Z"}"#;
const MEDIA: &str = r#"{"media_key":"3_1","type":"photo","url":"https://pbs.example/1.jpg","width":4,"height":3}"#;
const POLL: &str =
    r#"{"id":"70","options":[{"position":1,"label":"yes","votes":3}],"voting_status":"open","duration_minutes":60}"#;
const ORIGINAL: &str = r#""id":"1454638400000000001","author_id":"8","text":"the long or\u2026","note_tweet":{"text":"the long original, all of it"},"created_at":"2021-10-31T00:00:00.000Z""#;

/// The members of a tweet in every form, except for embedded objects.
const OWN: &str = r#""id":"1454638400000000000","author_id":"7","in_reply_to_user_id":"8","text":"RT @z: the long or\u2026","created_at":"2021-10-30T00:00:00.000Z","edit_history_tweet_ids":["1454638400000000000"],"public_metrics":{"retweet_count":2,"like_count":1,"impression_count":10},"conversation_id":"1454638400000000001","lang":"en","entities":{"hashtags":[{"start":0,"end":2,"tag":"a"}]}"#;

fn stream() -> String {
    format!(
        r#"{{"data":{{{OWN},"referenced_tweets":[{{"type":"retweeted","id":"1454638400000000001"}}],"attachments":{{"media_keys":["3_1","3_2"],"poll_ids":["70"]}},"geo":{{"place_id":"p1"}}}},"includes":{{"users":[{AUTHOR},{OTHER}],"tweets":[{{{ORIGINAL}}}],"media":[{MEDIA}],"polls":[{POLL}],"places":[{{{PLACE}}}]}},"matching_rules":[{{"id":"5","tag":"t"}}]}}"#
    )
}

fn flattened() -> String {
    format!(
        r#"{{{OWN},"author":{AUTHOR},"in_reply_to_user":{OTHER},"referenced_tweets":[{{"type":"retweeted",{ORIGINAL},"author":{OTHER}}}],"attachments":{{"media_keys":["3_1","3_2"],"media":[{MEDIA}],"poll_ids":["70"],"poll":{POLL}}},"geo":{{"place_id":"p1",{PLACE}}},"__twarc":{{"url":"https://api.twitter.com/2/tweets","version":"2.14"}},"matching_rules":[{{"id":"5","tag":"t"}}]}}"#
    )
}

fn bare() -> String {
    format!(
        r#"{{{OWN},"referenced_tweets":[{{"type":"retweeted","id":"1454638400000000001"}}],"attachments":{{"media_keys":["3_1"],"poll_ids":["70"]}},"geo":{{"place_id":"p1"}}}}"#
    )
}

#[test]
fn a_flattened_tweet_has_the_rows_of_its_line_in_the_stream() {
    for referenced in [false, true] {
        let options = TableOptions { referenced, ..TableOptions::default() };
        let (pushed, mut expected) = decode(&options, stream().as_bytes());
        assert_eq!(pushed, Pushed::Tweet { rows: 1 + u32::from(referenced) });
        let (pushed_flat, rows) = decode(&options, flattened().as_bytes());
        assert_eq!(pushed_flat, pushed);
        // A reference contains the author's id; only the flattened form embeds the author.
        if let Some(original) = expected.get_mut(1) {
            original["author"]["username"] = json!("z");
        }
        assert_eq!(rows, expected);
        assert_eq!(rows[0]["text"], "the long original, all of it");
        assert_eq!(rows[0]["author"]["username"], "x");
        assert_eq!(rows[0]["tweet_type"], "retweet");
    }
}

#[test]
fn a_bare_tweet_of_v2_has_its_own_values_and_the_ids_of_all_else() {
    let (pushed, rows) = decode(&TableOptions::default(), bare().as_bytes());
    assert_eq!(pushed, Pushed::Tweet { rows: 1 });
    let row = &rows[0];
    let expected = json!({
        "api": "v2", "tweet_id": 1_454_638_400_000_000_000_i64, "author_id": 7, "author": null, "tweet_type": "retweet",
        "retweeted_id": 1_454_638_400_000_000_001_i64, "retweeted_user_id": null, "text_complete": false,
        "text": "RT @z: the long or\u{2026}", "reply_to_user_id": 8, "edit_ids": [1_454_638_400_000_000_000_i64],
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&row[name], value, "{name}");
    }
    assert_eq!(row["metrics"]["likes"], 1);
    assert_eq!(row["place"]["id"], "p1");
    assert_eq!(row["poll"]["id"], 70);
    assert_eq!(row["media"][0]["key"], "3_1");
}

#[test]
fn the_long_text_of_a_bare_tweet_is_its_note() {
    let line = r#"{"id":"1454638400000000000","text":"beg\u2026","note_tweet":{"text":"beginning and end","entities":{"hashtags":[{"tag":"n","start":0,"end":2}]}},"author_id":"7"}"#;
    let row = row(&["text", "text_complete", "text_as_sent", "hashtags.tag", "tweet_type", "author.username"], line);
    assert_eq!(
        row,
        json!({"text": "beginning and end", "text_complete": true, "text_as_sent": "beg\u{2026}",
            "hashtags": [{"tag": "n"}], "tweet_type": "original", "author": null})
    );
}

#[test]
fn a_status_of_v1_stays_one_whatever_else_it_holds() {
    let line =
        r#"{"id":1454638400000000000,"id_str":"1454638400000000000","text":"a","author_id":"7","user":{"id_str":"9"}}"#;
    assert_eq!(row(&["api", "author_id"], line), json!({"api": "v1", "author_id": 9}));
}

#[test]
fn of_a_repeated_member_the_last_decides_whether_a_bare_tweet_is_of_v2() {
    let tweet = |marks: &str| format!(r#"{{"id":"1454638400000000000","text":"a",{marks}}}"#);
    let api = |marks: &str| row(&["api"], &tweet(marks));
    assert_eq!(api(r#""note_tweet":{"text":"b"},"note_tweet":null"#), json!({"api": "v1"}));
    assert_eq!(api(r#""note_tweet":null,"note_tweet":{"text":"b"}"#), json!({"api": "v2"}));
    assert_eq!(api(r#""author_id":"7","note_tweet":{"text":"b"},"note_tweet":null"#), json!({"api": "v2"}));
}
