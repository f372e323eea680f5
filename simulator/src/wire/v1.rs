//! v1.1's wire form as streams sent it: compatibility mode, ASCII, null where there is nothing.
//!
//! A text of more than 140 characters is cut, and the whole stands in `extended_tweet`; the same holds in
//! `retweeted_status` and `quoted_status`.

use serde::{Serialize, Serializer};

use super::json::{Id, List, millis, point, write_ascii};
use super::time::TimeV1;
use super::v1_entities::{entities, extended_entities};
use super::v1_user::user;
use crate::corpus::Place;
use crate::tweet::model::{Counts, Media, Tweet};

/// Appends the line of `tweet`, without line end.
pub(crate) fn write(out: &mut Vec<u8>, tweet: &Tweet) {
    write_ascii(out, &Status { tweet, depth: 0 });
}

/// Appends the message that `tweet` was deleted at `at_ms`, without line end.
pub(crate) fn write_delete(out: &mut Vec<u8>, tweet: &Tweet, at_ms: i64) {
    let (id, user) = (tweet.id, tweet.author.id);
    let status = object! { "id" => id, "id_str" => Id(id), "user_id" => user, "user_id_str" => Id(user) };
    write_ascii(out, &object! { "delete" => object! { "status" => status, "timestamp_ms" => millis(at_ms) } });
}

/// Appends the message that `undelivered` tweets were not sent since the connection began, without line end.
pub(crate) fn write_limit(out: &mut Vec<u8>, undelivered: u64, at_ms: i64) {
    let limit = object! { "track" => undelivered, "timestamp_ms" => millis(at_ms) };
    write_ascii(out, &object! { "limit" => limit });
}

/// Appends the message that the client reads too slowly, without line end.
pub(crate) fn write_warning(out: &mut Vec<u8>, percent_full: u64, at_ms: i64) {
    let warning = object! {
        "code" => "FALLING_BEHIND",
        "message" => "Your connection is falling behind and messages are being queued for delivery to you.",
        "percent_full" => percent_full, "timestamp_ms" => millis(at_ms),
    };
    write_ascii(out, &object! { "warning" => warning });
}

/// A status. `depth` 0 is the line itself, 1 a retweeted status, 2 a quoted one: its own quote is only named.
struct Status<'a> {
    tweet: &'a Tweet,
    depth: u8,
}

impl Serialize for Status<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Status { tweet, depth } = *self;
        let body = tweet.compat.as_deref().unwrap_or(&tweet.body);
        let is_cut = tweet.compat.is_some();
        let media: &[Media] = if is_cut { &[] } else { &tweet.media };
        let parent = tweet.replied.as_deref();
        // A retweet of a quote is a quote too.
        let quoted = tweet.content().quoted.as_deref();
        let quote_link = tweet.content().body.links.last().map(|link| &link.item).filter(|_| quoted.is_some());
        // A tweet that has just been written has no counts yet.
        let counts = if depth == 0 { Counts::default() } else { tweet.counts };
        let is_edited = !tweet.earlier_versions.is_empty();
        object! {
            "created_at" => TimeV1(tweet.created_ms), "id" => tweet.id, "id_str" => Id(tweet.id), "text" => &body.text,
            "display_text_range" if tweet.retweeted.is_none() && body.display != (0, body.chars) => body.display,
            "source" => tweet.source, "truncated" => is_cut,
            "in_reply_to_status_id" => parent.map(|parent| parent.id),
            "in_reply_to_status_id_str" => parent.map(|parent| Id(parent.id)),
            "in_reply_to_user_id" => parent.map(|parent| parent.author.id),
            "in_reply_to_user_id_str" => parent.map(|parent| Id(parent.author.id)),
            "in_reply_to_screen_name" => parent.map(|parent| &parent.author.handle),
            "user" => user(&tweet.author),
            // Latitude comes first in `geo`, longitude in `coordinates`.
            "geo" => tweet.point.map(|(longitude, latitude)| point((latitude, longitude))),
            "coordinates" => tweet.point.map(point), "place" => tweet.place.map(place), "contributors" => (),
            "retweeted_status" ? =>
                tweet.retweeted.as_deref().filter(|_| depth == 0).map(|tweet| Status { tweet, depth: 1 }),
            "quoted_status_id" ? => quoted.map(|quoted| quoted.id),
            "quoted_status_id_str" ? => quoted.map(|quoted| Id(quoted.id)),
            "quoted_status" ? => quoted.filter(|_| depth < 2).map(|tweet| Status { tweet, depth: 2 }),
            "quoted_status_permalink" ? => quote_link.map(|link| {
                object! { "url" => &link.short, "expanded" => &link.expanded, "display" => &link.display }
            }),
            "is_quote_status" => quoted.is_some(), "extended_tweet" if is_cut => extended(tweet),
            "quote_count" => counts.quotes, "reply_count" => counts.replies,
            "retweet_count" => counts.retweets, "favorite_count" => counts.likes,
            "entities" => entities(body, media), "extended_entities" ? => extended_entities(body, media),
            "favorited" => false, "retweeted" => false,
            "possibly_sensitive" if !tweet.body.links.is_empty() || !tweet.media.is_empty() => tweet.is_sensitive,
            "edit_history" ? => tweet.earlier_versions.first().map(|first| object! {
                "initial_tweet_id" => Id(*first),
                "edit_tweet_ids" => List(tweet.earlier_versions.iter().chain([&tweet.id]).map(|id| Id(*id))),
            }),
            "edit_controls" if is_edited => object! {
                "edits_remaining" => 4, "editable_until_ms" => millis(tweet.created_ms + 1_800_000),
            },
            "editable" if is_edited => true, "filter_level" => "low", "lang" => tweet.lang,
            "timestamp_ms" if depth == 0 => millis(tweet.created_ms),
        }
        .serialize(serializer)
    }
}

fn extended(tweet: &Tweet) -> impl Serialize {
    object! {
        "full_text" => &tweet.body.text, "display_text_range" => tweet.body.display,
        "entities" => entities(&tweet.body, &tweet.media),
        "extended_entities" ? => extended_entities(&tweet.body, &tweet.media),
    }
}

fn place(place: &Place) -> impl Serialize {
    let [west, south, east, north] = place.edges;
    let corners = [[(west, south), (west, north), (east, north), (east, south)]];
    object! {
        "id" => &place.id, "url" => format!("https://api.twitter.com/1.1/geo/id/{}.json", place.id),
        "place_type" => &place.kind, "name" => &place.name, "full_name" => &place.full_name,
        "country_code" => &place.country_code, "country" => &place.country,
        "bounding_box" => object! { "type" => "Polygon", "coordinates" => corners }, "attributes" => object! {},
    }
}
