//! The details of the mapping, with a line or two each, and the selection of columns.

use serde_json::json;

use super::*;
use crate::manifest::IngestPath;

#[test]
fn a_retweet_has_the_whole_text_of_its_original() {
    let columns = &["text", "text_complete", "text_as_sent", "tweet_type", "retweeted_id", "retweeted_user_id"];
    let v1 = r#"{"id":2,"text":"RT @x: a…","truncated":false,"is_quote_status":true,"retweeted_status":{"id":1,"text":"a…",
        "truncated":true,"user":{"id_str":"7"},"extended_tweet":{"full_text":"a whole"}}}"#;
    let v2 = r#"{"data":{"id":"2","text":"RT @x: a…","referenced_tweets":[{"type":"quoted","id":"9"},{"type":"retweeted","id":"1"}]},
        "includes":{"tweets":[{"text":"a…","note_tweet":{"text":"a whole"},"author_id":"7","id":"1"}]}}"#;
    for line in [v1, v2] {
        assert_eq!(
            row(columns, line),
            json!({"text": "a whole", "text_complete": true, "text_as_sent": "RT @x: a…", "tweet_type": "retweet",
                "retweeted_id": 1, "retweeted_user_id": 7})
        );
    }
    let alone = r#"{"data":{"id":"2","text":"RT @x: a…","referenced_tweets":[{"type":"retweeted","id":"1"}]}}"#;
    let alone = row(columns, alone);
    assert_eq!((&alone["text"], &alone["text_complete"]), (&json!("RT @x: a…"), &json!(false)));
    let cut = r#"{"id":2,"text":"RT @x: a…","retweeted_status":{"id":1,"text":"a…","truncated":true}}"#;
    assert_eq!(row(columns, cut)["text_complete"], false);
}

#[test]
fn the_longest_text_and_its_entities_count() {
    let columns = &["text", "display_start", "display_end", "hashtags.tag"];
    let v1 = r##"{"id":2,"text":"#a…","truncated":true,"entities":{"hashtags":[{"text":"a"}]},"display_text_range":[0,3],
        "extended_tweet":{"full_text":"#a #b","display_text_range":[0,5],"entities":{"hashtags":[{"text":"a"},{"text":"b"}]}}}"##;
    let v2 = r##"{"data":{"id":"2","text":"#a…","display_text_range":[0,5],"entities":{"hashtags":[{"tag":"a"}]},
        "note_tweet":{"text":"#a #b","entities":{"hashtags":[{"tag":"a"},{"tag":"b"}]}}}}"##;
    for line in [v1, v2] {
        assert_eq!(
            row(columns, line),
            json!({"text": "#a #b", "display_start": 0, "display_end": 5, "hashtags": [{"tag": "a"}, {"tag": "b"}]})
        );
    }
}

#[test]
fn both_spellings_of_v2_are_read() {
    let columns =
        &["metrics.retweets", "author.posts", "author.pinned_id", "edit_chain_id", "edit_ids", "quoted_user_id"];
    for (tweet, retweet) in [("tweet", "retweet"), ("post", "repost")] {
        let line = format!(
            r#"{{"includes":{{"{tweet}s":[{{"id":"5","author_id":"6"}}],
            "users":[{{"id":"7","pinned_{tweet}_id":"3","public_metrics":{{"{tweet}_count":12}}}}]}},
            "data":{{"id":"2","author_id":7,"public_metrics":{{"{retweet}_count":4}},"edit_history_{tweet}_ids":["1","2"],
            "referenced_{tweet}s":[{{"type":"quoted","id":"5"}}]}}}}"#
        );
        assert_eq!(
            row(columns, &line),
            json!({"metrics": {"retweets": 4}, "author": {"posts": 12, "pinned_id": 3}, "edit_chain_id": 1,
                "edit_ids": [1, 2], "quoted_user_id": 6})
        );
    }
}

#[test]
fn what_is_referred_to_and_not_included_keeps_its_id() {
    let line = r#"{"data":{"id":"1","author_id":"7","geo":{"place_id":"x"},"attachments":{"media_keys":["3_1"],"poll_ids":["5"]}}}"#;
    assert_eq!(
        row(&["author_id", "author", "place.id", "place.name", "poll.id", "media.key", "media.url"], line),
        json!({"author_id": 7, "author": null, "place": {"id": "x", "name": null}, "poll": {"id": 5},
            "media": [{"key": "3_1", "url": null}]})
    );
}

#[test]
fn a_v1_place_has_the_box_of_its_polygon_and_a_point_is_longitude_first() {
    let line = r#"{"id":1,"text":"a","place":{"id":"x","bounding_box":{"type":"Polygon","coordinates":[[[-3.8,40.3],[-3.8,40.6],[-3.5,40.6],[-3.5,40.3]]]}},
        "geo":{"type":"Point","coordinates":[40.4,-3.7]},"coordinates":null}"#;
    let expected = json!({"lon": -3.7, "lat": 40.4, "place": {"bbox": [-3.8, 40.3, -3.5, 40.6]}});
    assert_eq!(row(&["lon", "lat", "place.bbox"], line), expected);
    let both = line.replace("null", r#"{"coordinates":[1.0,2]}"#);
    assert_eq!(row(&["lon", "lat"], &both), json!({"lon": 1.0, "lat": 2.0}));
}

#[test]
fn the_word_null_is_null_where_v1_users_wrote_it() {
    let line = r#"{"id":1,"text":"null","source":"<a href=\"http:\/\/x\" rel=\"nofollow\">App</a>",
        "user":{"name":"null","url":"null","verified":"null","followers_count":"null","created_at":"null"}}"#;
    let columns =
        &["text", "source", "author.name", "author.url", "author.verified", "author.followers", "author.created_at"];
    assert_eq!(
        row(columns, line),
        json!({"text": "null", "source": "App",
            "author": {"name": "null", "created_at": null, "url": null, "verified": null, "followers": null}})
    );
}

#[test]
fn the_applications_name_is_what_stands_in_its_link_however_that_is_spelled() {
    for (source, name) in [
        (r#"<a href=\"http:\/\/x\" rel=\"nofollow\">App \u2192 1<\/a>"#, "App → 1"),
        (r#"<a href=\"x\" title=\"\u003e\">App</a>"#, "\">App"),
        (r#"<a href=\"x\u0022\u003eApp\u003c\/a\u003e"#, "App"),
        (r#"\u003ca href=\"x\">App</a>"#, "App"),
        (r#"<a href=\"\\\">App</a>"#, "App"),
        ("<a >App</a> beta", "App</a> beta"),
        ("<a x></a>", ""),
        ("<a x></a", "</a"),
        ("<a href", "<a href"),
        ("App</a>", "App</a>"),
        ("web", "web"),
    ] {
        let line = format!(r#"{{"id":1,"text":"a","source":"{source}"}}"#);
        assert_eq!(row(&["source"], &line), json!({"source": name}), "{source}");
    }
}

#[test]
fn rules_come_in_both_forms() {
    let v1 = r#"{"id":1,"text":"a","matching_rules":[{"id":9007199254740992,"id_str":"9007199254740993","tag":null}]}"#;
    let v2 = r#"{"data":{"id":"1"},"matching_rules":[{"id":9007199254740993,"tag":null}]}"#;
    for line in [v1, v2] {
        let expected = json!({"rule_ids": [9_007_199_254_740_993_i64], "rule_tags": [null]});
        assert_eq!(row(&["rule_ids", "rule_tags"], line), expected);
    }
}

#[test]
fn a_time_is_the_finest_that_is_told() {
    let of = |line: &str| row(&["created_at"], line)["created_at"].clone();
    let words = r#""created_at":"Wed Oct 10 20:19:24 +0000 2018""#;
    assert_eq!(
        of(&format!(r#"{{"id":1050118621198921728,"text":"a",{words},"timestamp_ms":"1539202764777"}}"#)),
        1_539_202_764_777_000_i64
    );
    assert_eq!(of(&format!(r#"{{"id":1050118621198921728,"text":"a",{words}}}"#)), 1_539_202_764_211_000_i64);
    assert_eq!(of(&format!(r#"{{"id":20,"text":"a",{words}}}"#)), 1_539_202_764_000_000_i64);
    assert_eq!(of(r#"{"id":20,"text":"a"}"#), Value::Null);
}

#[test]
fn the_origin_and_the_line_itself_are_columns() {
    let asked = TableOptions { raw: true, ..options(&["ingest_path", "received_at", "role", "api"]) };
    let mut decoder = Decoder::new(&Projection::new(&asked).expect("columns"));
    let origin = Origin { path: Some(IngestPath::Backfill), received_at_us: Some(7) };
    let line = r#" {"id":1,"text":"a"} "#;
    decoder.push(line.as_bytes(), &origin);
    assert!(decoder.bytes() >= line.len());
    assert_eq!(
        rows_json(&decoder.finish()),
        [json!({"role": "matched", "ingest_path": "backfill", "api": "v1", "received_at": 7, "raw": line})]
    );
}

#[test]
fn referenced_posts_are_rows_only_on_request_and_once() {
    let asked = TableOptions { referenced: true, ..options(&["tweet_id", "role", "text", "rule_tags"]) };
    let line = br#"{"data":{"id":"2","text":"b"},"includes":{"tweets":[{"id":"1","text":"a"},{"id":"2","text":"b"}]},
        "matching_rules":[{"id":"1","tag":"t"}]}"#;
    let (pushed, rows) = decode(&asked, line);
    assert_eq!(pushed, Pushed::Tweet { rows: 2 });
    assert_eq!(
        rows,
        [
            json!({"tweet_id": 2, "role": "matched", "text": "b", "rule_tags": ["t"]}),
            json!({"tweet_id": 1, "role": "referenced", "text": "a", "rule_tags": null}),
        ]
    );
    assert_eq!(decode(&options(&["tweet_id"]), line).0, Pushed::Tweet { rows: 1 });
    let no_id = br#"{"data":{"id":"2","text":"b"},"includes":{"tweets":[{"text":"a"}]}}"#;
    let refused = RejectReason::WrongType { member: "id".into(), expected: "an id" };
    assert_eq!(decode(&asked, no_id).0, Pushed::Reject(refused));
}

#[test]
fn a_projection_holds_what_is_named_in_the_table_s_order() {
    let projection = Projection::new(&options(&["hashtags.tag", "author.name", "tweet_id", "author.username"]));
    let schema = projection.expect("columns").schema();
    let shown: Vec<_> = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect();
    let member = |name: &str| arrow::datatypes::Field::new(name, DataType::Utf8, true);
    let author = DataType::Struct(vec![member("username"), member("name")].into());
    let tag = arrow::datatypes::Field::new("element", DataType::Struct(vec![member("tag")].into()), true);
    let expected =
        ["tweet_id Int64".to_owned(), format!("author {author}"), format!("hashtags {}", DataType::List(tag.into()))];
    assert_eq!(shown, expected);
    let whole = Projection::new(&options(&["author.name", "author"])).expect("columns").schema();
    assert_eq!(whole.field(0), super::super::schema().field_with_name("author").expect("a column"));
    assert_eq!(whole.metadata()[SCHEMA_VERSION_KEY], SCHEMA_VERSION);
}

#[test]
fn an_unknown_column_is_refused_with_the_nearest_name() {
    for (name, message) in [
        ("twet_id", r#"no column "twet_id" in the table of tweets: did you mean "tweet_id"?"#),
        ("author.user_name", r#"no column "author.user_name" in the table of tweets: did you mean "author.username"?"#),
        ("hashtags.tga", r#"no column "hashtags.tga" in the table of tweets: did you mean "hashtags.tag"?"#),
        ("lang.x", r#"no column "lang.x" in the table of tweets"#),
        ("", r#"no column "" in the table of tweets"#),
    ] {
        let error = Projection::new(&options(&[name])).expect_err("no such column");
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(Projection::new(&options(&[])).expect_err("none"), ColumnError::None);
}

#[test]
fn the_page_on_the_table_names_every_column() {
    let page = include_str!("../../../../docs/tweets-table.md");
    let mut left: Vec<(String, DataType)> =
        super::super::schema().fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
    while let Some((name, data_type)) = left.pop() {
        assert!(name == "element" || page.contains(&format!("`{name}`")), "{name} is not in docs/tweets-table.md");
        match data_type {
            DataType::Struct(fields) => {
                left.extend(fields.iter().map(|field| (field.name().clone(), field.data_type().clone())));
            }
            DataType::List(item) => left.push((item.name().clone(), item.data_type().clone())),
            _ => {}
        }
    }
}
