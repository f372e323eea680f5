//! The v2 wire form: `{"data":…,"includes":…,"matching_rules":…}`, with the members the client asked for.
//!
//! Members stand in an order of their own on every line, often with other objects' ids before the post's, because the
//! real service promises no order and readers must not rely on one. Empty members are left out.

use super::corpus;
use super::dice::mix;
use super::fields::{Fields, expansion, tweet as want};
use super::json::Json;
use super::model::{Body, Link, Media, MediaKind, Tweet};
use super::v2_includes;

/// A rule that matched: its id and tag.
pub(crate) type Match<'a> = (&'a str, Option<&'a str>);

/// Appends the line of `tweet`, without its line end. Without `rules` there are no `matching_rules` (sample streams).
pub(crate) fn write(out: &mut Vec<u8>, tweet: &Tweet, fields: &Fields, rules: Option<&[Match<'_>]>) {
    let mut json = Json::new(out, false);
    let order = mix(tweet.id ^ 0xfeed);
    json.open();
    if order % 10 < 6 {
        v2_includes::write(&mut json, tweet, fields);
        json.key("data");
        post(&mut json, tweet, fields);
    } else {
        json.key("data");
        post(&mut json, tweet, fields);
        v2_includes::write(&mut json, tweet, fields);
    }
    if let Some(rules) = rules {
        json.key("matching_rules").list();
        for (id, tag) in rules {
            json.item().open().key("id").str(id);
            if let Some(tag) = tag {
                json.key("tag").str(tag);
            }
            json.close();
        }
        json.end_list();
    }
    json.close();
}

/// One post, in `data` or in `includes.tweets`.
pub(crate) fn post(json: &mut Json<'_>, tweet: &Tweet, fields: &Fields) {
    let set = fields.tweet;
    let late = mix(tweet.id) % 10 < 7;
    json.open();
    if !late {
        json.key("id").id(tweet.id);
    }
    if set.has(want::CONTEXT_ANNOTATIONS) && !tweet.topics.is_empty() {
        topics(json, &tweet.topics);
    }
    if set.has(want::ENTITIES) {
        let body = tweet.head.as_deref().unwrap_or(&tweet.body);
        entities(json, body, &tweet.media);
    }
    let author_asked = set.has(want::AUTHOR_ID) || fields.expansions.has(expansion::AUTHOR);
    if author_asked {
        json.key("author_id").id(tweet.author.id);
    }
    references(json, tweet, fields);
    if late {
        json.key("id").id(tweet.id);
    }
    json.key("edit_history_tweet_ids").list();
    for version in tweet.earlier_versions.iter().chain([&tweet.id]) {
        json.item().id(*version);
    }
    json.end_list();
    json.key("text").str(&tweet.head.as_deref().unwrap_or(&tweet.body).text);
    if set.has(want::CREATED_AT) {
        json.key("created_at").time_v2(tweet.created_ms);
    }
    if set.has(want::CONVERSATION_ID) {
        json.key("conversation_id").id(tweet.conversation);
    }
    if set.has(want::DISPLAY_TEXT_RANGE) {
        let display = tweet.head.as_deref().unwrap_or(&tweet.body).display;
        json.key("display_text_range")
            .list()
            .item()
            .number(display.0.into())
            .item()
            .number(display.1.into())
            .end_list();
    }
    details(json, tweet, fields);
    json.close();
}

fn references(json: &mut Json<'_>, tweet: &Tweet, fields: &Fields) {
    let set = fields.tweet;
    if let Some(parent) = &tweet.replied
        && (set.has(want::IN_REPLY_TO_USER_ID) || fields.expansions.has(expansion::IN_REPLY_TO))
    {
        json.key("in_reply_to_user_id").id(parent.author.id);
    }
    let all = [("retweeted", &tweet.retweeted), ("quoted", &tweet.quoted), ("replied_to", &tweet.replied)];
    let asked = set.has(want::REFERENCED_TWEETS) || fields.expansions.has(expansion::REFERENCED);
    if asked && all.iter().any(|(_, other)| other.is_some()) {
        json.key("referenced_tweets").list();
        for (kind, other) in all.iter().filter_map(|(kind, other)| other.as_ref().map(|other| (kind, other))) {
            json.item().open().key("type").str(kind).key("id").id(other.id).close();
        }
        json.end_list();
    }
    let attached = set.has(want::ATTACHMENTS)
        || fields.expansions.has(expansion::MEDIA)
        || fields.expansions.has(expansion::POLLS);
    if attached && (!tweet.media.is_empty() || tweet.poll.is_some()) {
        json.key("attachments").open();
        if !tweet.media.is_empty() {
            json.key("media_keys").list();
            for media in &tweet.media {
                json.item();
                media_key(json, media);
            }
            json.end_list();
        }
        if let Some(poll) = &tweet.poll {
            json.key("poll_ids").list().item().id(poll.id).end_list();
        }
        json.close();
    }
    if (set.has(want::GEO) || fields.expansions.has(expansion::PLACE))
        && (tweet.place.is_some() || tweet.point.is_some())
    {
        json.key("geo").open();
        if let Some((longitude, latitude)) = tweet.point {
            json.key("coordinates").open().key("type").raw("\"Point\"").key("coordinates").list();
            json.item().float(longitude).item().float(latitude).end_list().close();
        }
        if let Some(place) = tweet.place {
            json.key("place_id").str(place.id);
        }
        json.close();
    }
}

fn details(json: &mut Json<'_>, tweet: &Tweet, fields: &Fields) {
    let set = fields.tweet;
    if set.has(want::LANG) {
        json.key("lang").str(tweet.lang);
    }
    if set.has(want::PUBLIC_METRICS) {
        let counts = &tweet.counts;
        json.key("public_metrics").open().key("retweet_count").number(counts.retweets);
        json.key("reply_count").number(counts.replies).key("like_count").number(counts.likes);
        json.key("quote_count").number(counts.quotes).key("bookmark_count").number(counts.bookmarks);
        json.key("impression_count").number(counts.views).close();
    }
    if set.has(want::POSSIBLY_SENSITIVE) {
        json.key("possibly_sensitive").bool(tweet.sensitive);
    }
    if set.has(want::REPLY_SETTINGS) {
        json.key("reply_settings").raw("\"everyone\"");
    }
    if set.has(want::EDIT_CONTROLS) {
        let eligible = tweet.retweeted.is_none() && tweet.replied.is_none();
        json.key("edit_controls").open().key("edits_remaining").number(5 - tweet.earlier_versions.len().min(5) as u64);
        json.key("is_edit_eligible").bool(eligible);
        json.key("editable_until").time_v2(tweet.created_ms + 1_800_000).close();
    }
    if set.has(want::NOTE_TWEET) && tweet.head.is_some() {
        json.key("note_tweet").open().key("text").str(&tweet.body.text);
        entities(json, &tweet.body, &[]);
        json.close();
    }
}

fn topics(json: &mut Json<'_>, topics: &[usize]) {
    json.key("context_annotations").list();
    for topic in topics.iter().map(|at| &corpus::TOPICS[*at]) {
        json.item().open();
        for (key, (id, name, description)) in [("domain", topic.domain), ("entity", topic.entity)] {
            json.key(key).open().key("id").str(id).key("name").str(name).key("description").str(description).close();
        }
        json.close();
    }
    json.end_list();
}

fn span(json: &mut Json<'_>, start: u32, end: u32) {
    json.item().open().key("start").number(start.into()).key("end").number(end.into());
}

/// `entities`, or nothing where there are none. `media` are those behind the body's media link.
fn entities(json: &mut Json<'_>, body: &Body, media: &[Media]) {
    let urls = !body.links.is_empty() || (body.media_link.is_some() && !media.is_empty());
    let any = urls
        || !body.hashtags.is_empty()
        || !body.cashtags.is_empty()
        || !body.mentions.is_empty()
        || !body.names.is_empty();
    if !any {
        return;
    }
    json.key("entities").open();
    for (key, tags) in [("hashtags", &body.hashtags), ("cashtags", &body.cashtags)] {
        if !tags.is_empty() {
            json.key(key).list();
            for tag in tags {
                span(json, tag.span.start, tag.span.end);
                json.key("tag").str(&tag.text).close();
            }
            json.end_list();
        }
    }
    if !body.mentions.is_empty() {
        json.key("mentions").list();
        for mention in &body.mentions {
            span(json, mention.span.start, mention.span.end);
            json.key("username").str(&mention.user.handle).key("id").id(mention.user.id).close();
        }
        json.end_list();
    }
    if urls {
        json.key("urls").list();
        for link in &body.links {
            url(json, link);
        }
        if let Some(link) = &body.media_link {
            for media in media {
                span(json, link.span.start, link.span.end);
                json.key("url")
                    .str(&link.short)
                    .key("expanded_url")
                    .str(&link.expanded)
                    .key("display_url")
                    .str(&link.display);
                json.key("media_key");
                media_key(json, media);
                json.close();
            }
        }
        json.end_list();
    }
    if !body.names.is_empty() {
        json.key("annotations").list();
        for name in &body.names {
            // The only spans whose end is included.
            span(json, name.span.start, name.span.end - 1);
            let probability = 0.4 + (mix(u64::from(name.span.start)) % 5900) as f64 / 10_000.0;
            json.key("probability").float((probability * 1e4).round() / 1e4).key("type").str(name.kind);
            json.key("normalized_text").str(name.text).close();
        }
        json.end_list();
    }
    json.close();
}

fn url(json: &mut Json<'_>, link: &Link) {
    span(json, link.span.start, link.span.end);
    json.key("url").str(&link.short).key("expanded_url").str(&link.expanded).key("display_url").str(&link.display);
    if let Some(title) = link.title {
        json.key("status").number(200).key("title").str(title).key("unwound_url").str(&link.expanded);
        let image = mix(link.expanded.len() as u64 ^ super::dice::hash(&link.short)) >> 2;
        json.key("images").list();
        for (name, size) in [("orig", 1200), ("150x150", 150)] {
            json.item()
                .open()
                .key("url")
                .raw("\"https://pbs.twimg.com/news_img/")
                .number(image)
                .raw("/x?format=jpg&name=")
                .raw(name);
            json.raw("\"").key("width").number(size).key("height").number(if size == 150 { 150 } else { 630 }).close();
        }
        json.end_list();
    }
    json.close();
}

/// `3_…` photo, `7_…` video, `16_…` animated picture.
pub(crate) fn media_key(json: &mut Json<'_>, media: &Media) {
    let prefix = match media.kind {
        MediaKind::Photo => "\"3_",
        MediaKind::Video => "\"7_",
        MediaKind::Gif => "\"16_",
    };
    json.raw(prefix).number(media.id).raw("\"");
}
