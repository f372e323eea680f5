//! The v1.1 wire form, as streams sent it: compatibility mode, ASCII with escapes, nulls where there is nothing.
//!
//! A text of more than 140 characters is cut, and the whole of it stands in `extended_tweet`; the same holds inside
//! `retweeted_status` and `quoted_status`.

use super::corpus::Place;
use super::json::Json;
use super::model::{Body, Media, MediaKind, Span, Tweet};
use super::v1_user;

/// Appends the line of `tweet`, without its line end.
pub(crate) fn write(out: &mut Vec<u8>, tweet: &Tweet) {
    let mut json = Json::new(out, true);
    status(&mut json, tweet, 0);
}

/// Appends the message that the tweet was deleted, at `at_ms`, without its line end.
pub(crate) fn write_delete(out: &mut Vec<u8>, tweet: &Tweet, at_ms: i64) {
    let mut json = Json::new(out, true);
    json.open().key("delete").open().key("status").open();
    both(&mut json, "id", Some(tweet.id));
    both(&mut json, "user_id", Some(tweet.author.id));
    json.close().key("timestamp_ms").id(at_ms.max(0) as u64).close().close();
}

/// Appends the message that `undelivered` tweets were not sent since the connection began, without its line end.
pub(crate) fn write_limit(out: &mut Vec<u8>, undelivered: u64, at_ms: i64) {
    let mut json = Json::new(out, true);
    json.open().key("limit").open().key("track").number(undelivered);
    json.key("timestamp_ms").id(at_ms.max(0) as u64).close().close();
}

/// Appends the message that the client is about to be too slow, without its line end.
pub(crate) fn write_warning(out: &mut Vec<u8>, percent_full: u64, at_ms: i64) {
    let mut json = Json::new(out, true);
    json.open().key("warning").open().key("code").str("FALLING_BEHIND").key("message");
    json.str("Your connection is falling behind and messages are being queued for delivery to you.");
    json.key("percent_full").number(percent_full).key("timestamp_ms").id(at_ms.max(0) as u64).close().close();
}

/// `name` as a number and `name_str` as a string, or both null.
fn both(json: &mut Json<'_>, name: &str, id: Option<u64>) {
    json.key(name);
    match id {
        Some(id) => json.number(id),
        None => json.raw("null"),
    };
    json.item().raw("\"").raw(name).raw("_str\":");
    match id {
        Some(id) => json.id(id),
        None => json.raw("null"),
    };
}

/// `depth` 0 is the line itself, 1 what it repeats or quotes, 2 what is quoted there: that one is only named.
fn status(json: &mut Json<'_>, tweet: &Tweet, depth: usize) {
    json.open().key("created_at").time_v1(tweet.created_ms);
    both(json, "id", Some(tweet.id));
    let shown = tweet.compat.as_deref().unwrap_or(&tweet.body);
    json.key("text").str(&shown.text);
    if tweet.retweeted.is_none() && shown.display != (0, shown.chars) {
        range(json, "display_text_range", shown.display);
    }
    json.key("source")
        .raw("\"\\u003ca href=\\\"")
        .raw(tweet.source.1)
        .raw("\\\" rel=\\\"nofollow\\\"\\u003e")
        .raw(tweet.source.0);
    json.raw("\\u003c\\/a\\u003e\"").key("truncated").bool(tweet.compat.is_some());
    let parent = tweet.replied.as_deref();
    both(json, "in_reply_to_status_id", parent.map(|parent| parent.id));
    both(json, "in_reply_to_user_id", parent.map(|parent| parent.author.id));
    json.key("in_reply_to_screen_name");
    match parent {
        Some(parent) => json.str(&parent.author.handle),
        None => json.raw("null"),
    };
    json.key("user");
    v1_user::write(json, &tweet.author);
    geo(json, tweet);
    json.key("contributors").raw("null");
    let retweeted = tweet.retweeted.as_deref().filter(|_| depth == 0);
    if let Some(original) = retweeted {
        json.key("retweeted_status");
        status(json, original, 1);
    }
    // A retweet of a quote is a quote as well, and carries what is quoted.
    let quoted = tweet.content().quoted.as_deref();
    if let Some(quoted) = quoted {
        both(json, "quoted_status_id", Some(quoted.id));
        if depth < 2 {
            json.key("quoted_status");
            status(json, quoted, 2);
        }
        if let Some(link) = tweet.content().body.links.last() {
            json.key("quoted_status_permalink").open().key("url").str(&link.short).key("expanded").str(&link.expanded);
            json.key("display").str(&link.display).close();
        }
    }
    json.key("is_quote_status").bool(quoted.is_some());
    if tweet.compat.is_some() {
        extended(json, tweet);
    }
    counts(json, tweet, depth);
    entities(json, shown, if tweet.compat.is_some() { &[] } else { &tweet.media });
    if tweet.compat.is_none() {
        extended_entities(json, &tweet.body, &tweet.media);
    }
    tail(json, tweet, depth);
    json.close();
}

fn extended(json: &mut Json<'_>, tweet: &Tweet) {
    json.key("extended_tweet").open().key("full_text").str(&tweet.body.text);
    range(json, "display_text_range", tweet.body.display);
    entities(json, &tweet.body, &tweet.media);
    extended_entities(json, &tweet.body, &tweet.media);
    json.close();
}

fn counts(json: &mut Json<'_>, tweet: &Tweet, depth: usize) {
    // At the moment of streaming the tweet itself has no counts yet; what it repeats or quotes has.
    let counts = if depth == 0 { super::model::Counts::default() } else { tweet.counts };
    json.key("quote_count").number(counts.quotes).key("reply_count").number(counts.replies);
    json.key("retweet_count").number(counts.retweets).key("favorite_count").number(counts.likes);
}

fn tail(json: &mut Json<'_>, tweet: &Tweet, depth: usize) {
    json.key("favorited").bool(false).key("retweeted").bool(false);
    if !tweet.body.links.is_empty() || !tweet.media.is_empty() {
        json.key("possibly_sensitive").bool(tweet.sensitive);
    }
    if let Some(first) = tweet.earlier_versions.first() {
        json.key("edit_history").open().key("initial_tweet_id").id(*first).key("edit_tweet_ids").list();
        for version in tweet.earlier_versions.iter().chain([&tweet.id]) {
            json.item().id(*version);
        }
        json.end_list().close().key("edit_controls").open().key("edits_remaining").number(4);
        json.key("editable_until_ms")
            .id((tweet.created_ms + 1_800_000).max(0) as u64)
            .close()
            .key("editable")
            .bool(true);
    }
    json.key("filter_level").raw("\"low\"").key("lang").str(tweet.lang);
    if depth == 0 {
        json.key("timestamp_ms").id(tweet.created_ms.max(0) as u64);
    }
}

fn range(json: &mut Json<'_>, key: &str, (start, end): (u32, u32)) {
    json.key(key).list().item().number(start.into()).item().number(end.into()).end_list();
}

fn geo(json: &mut Json<'_>, tweet: &Tweet) {
    match tweet.point {
        Some((longitude, latitude)) => {
            // The old member has latitude first, the new one longitude.
            for (key, first, second) in [("geo", latitude, longitude), ("coordinates", longitude, latitude)] {
                json.key(key).open().key("type").raw("\"Point\"").key("coordinates").list();
                json.item().float(first).item().float(second).end_list().close();
            }
        }
        None => {
            json.key("geo").raw("null").key("coordinates").raw("null");
        }
    }
    json.key("place");
    match tweet.place {
        Some(place) => write_place(json, place),
        None => {
            json.raw("null");
        }
    }
}

fn write_place(json: &mut Json<'_>, place: &Place) {
    json.open()
        .key("id")
        .str(place.id)
        .key("url")
        .raw("\"https:\\/\\/api.twitter.com\\/1.1\\/geo\\/id\\/")
        .raw(place.id)
        .raw(".json\"");
    json.key("place_type").str(place.kind).key("name").str(place.name).key("full_name").str(place.full_name);
    json.key("country_code").str(place.country_code).key("country").str(place.country);
    json.key("bounding_box").open().key("type").raw("\"Polygon\"").key("coordinates").list().item().list();
    let [west, south, east, north] = place.bbox;
    for (x, y) in [(west, south), (west, north), (east, north), (east, south)] {
        json.item().list().item().float(x).item().float(y).end_list();
    }
    json.end_list().end_list().close().key("attributes").open().close().close();
}

fn indices(json: &mut Json<'_>, span: Span) {
    range(json, "indices", (span.start, span.end));
}

fn entities(json: &mut Json<'_>, body: &Body, media: &[Media]) {
    json.key("entities").open();
    for (key, tags) in [("hashtags", &body.hashtags), ("symbols", &body.cashtags)] {
        json.key(key).list();
        for tag in tags {
            json.item().open().key("text").str(&tag.text);
            indices(json, tag.span);
            json.close();
        }
        json.end_list();
    }
    json.key("urls").list();
    for link in &body.links {
        json.item()
            .open()
            .key("url")
            .str(&link.short)
            .key("expanded_url")
            .str(&link.expanded)
            .key("display_url")
            .str(&link.display);
        indices(json, link.span);
        json.close();
    }
    json.end_list().key("user_mentions").list();
    for mention in &body.mentions {
        json.item().open().key("screen_name").str(&mention.user.handle).key("name").str(&mention.user.name);
        both(json, "id", Some(mention.user.id));
        indices(json, mention.span);
        json.close();
    }
    json.end_list();
    media_list(json, body, media.get(..media.len().min(1)).unwrap_or_default());
    json.close();
}

fn extended_entities(json: &mut Json<'_>, body: &Body, media: &[Media]) {
    if body.media_link.is_some() && !media.is_empty() {
        json.key("extended_entities").open();
        media_list(json, body, media);
        json.close();
    }
}

fn media_list(json: &mut Json<'_>, body: &Body, media: &[Media]) {
    let Some(link) = body.media_link.as_ref().filter(|_| !media.is_empty()) else { return };
    json.key("media").list();
    for item in media {
        json.item().open();
        both(json, "id", Some(item.id));
        indices(json, link.span);
        for (key, scheme) in [("media_url", "http"), ("media_url_https", "https")] {
            json.key(key).raw("\"").raw(scheme).raw(":\\/\\/pbs.twimg.com\\/media\\/").raw(&item.file).raw(".jpg\"");
        }
        json.key("url").str(&link.short).key("display_url").str(&link.display).key("expanded_url").str(&link.expanded);
        json.key("type").raw(match item.kind {
            MediaKind::Photo => "\"photo\"",
            MediaKind::Video => "\"video\"",
            MediaKind::Gif => "\"animated_gif\"",
        });
        if item.kind != MediaKind::Photo {
            video(json, item);
        }
        json.key("sizes").open();
        for (name, most, fit) in
            [("thumb", 150, "crop"), ("small", 680, "fit"), ("medium", 1200, "fit"), ("large", 2048, "fit")]
        {
            json.key(name).open().key("w").number(item.width.min(most)).key("h").number(item.height.min(most));
            json.key("resize").str(fit).close();
        }
        json.close().close();
    }
    json.end_list();
}

fn video(json: &mut Json<'_>, media: &Media) {
    json.key("video_info").open().key("aspect_ratio").list().item().number(16).item().number(9).end_list();
    if media.kind == MediaKind::Video {
        json.key("duration_millis").number(media.duration_ms);
    }
    json.key("variants").list();
    for rate in [632_000, 2_176_000] {
        json.item().open().key("bitrate").number(rate).key("content_type").raw("\"video\\/mp4\"").key("url");
        json.raw("\"https:\\/\\/video.twimg.com\\/ext_tw_video\\/")
            .number(media.id)
            .raw("\\/vid\\/")
            .number(rate)
            .raw("\\/");
        json.raw(&media.file).raw(".mp4\"").close();
    }
    json.end_list().close();
}
