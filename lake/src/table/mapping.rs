//! The table's columns in order, and where v1.1 and v2 have each of them: the whole mapping as data.
//!
//! A path names members from the object that it is relative to (from the top-level object if it begins with `/`); `[n]`
//! selects an element of an array. Of several paths the first one whose value is present and not null counts. A member
//! whose name ends in `_ms` contains milliseconds. A path that ends in `?` takes the string `"null"` for null, which
//! old v1.1 users contain.

use super::schema::ColumnType::{Bool, Float64, Int8, Int16, Int32, Int64, List, Struct, Text, Time};
use super::schema::Location::{At, Beside, First, Inside, Nowhere};
use super::schema::Reference::{Quoted, RepliedTo, Retweeted};
use super::schema::Rule::*;
use super::schema::{Column, ColumnType, Location, Rule};

/// The Parquet format's name for the element of a list; strict readers reject Arrow's own `item`.
const ELEMENT: &str = "element";

const fn column(name: &'static str, kind: ColumnType, v1: Location, v2: Location) -> Column {
    Column { name, kind, v1, v2 }
}

const fn rule(name: &'static str, kind: ColumnType, v1: Rule, v2: Rule) -> Column {
    Column { name, kind, v1: Location::Rule(v1), v2: Location::Rule(v2) }
}

/// The element of a list of scalars.
const fn element(kind: ColumnType) -> Column {
    column(ELEMENT, kind, At(&[""]), At(&[""]))
}

/// The element of a list of structs.
const fn elements(members: &'static [Column]) -> Column {
    column(ELEMENT, Struct(members), Beside, Beside)
}

/// All columns.
pub(super) static COLUMNS: &[Column] = &[
    rule("tweet_id", Int64, TweetId, TweetId),
    rule("role", Text, Role, Role),
    rule("ingest_path", Text, IngestPath, IngestPath),
    rule("api", Text, Api, Api),
    rule("received_at", Time, ReceivedAt, ReceivedAt),
    rule("created_at", Time, CreatedAt, CreatedAt),
    column(
        "text",
        Text,
        At(&[
            "retweeted_status.extended_tweet.full_text",
            "retweeted_status.full_text",
            "retweeted_status.text",
            "extended_tweet.full_text",
            "full_text",
            "text",
        ]),
        Location::Rule(Text2),
    ),
    rule("text_complete", Bool, TextComplete1, TextComplete2),
    column("text_as_sent", Text, At(&["text", "full_text"]), At(&["text"])),
    column(
        "display_start",
        Int32,
        At(&["extended_tweet.display_text_range[0]", "display_text_range[0]"]),
        At(&["display_text_range[0]"]),
    ),
    column(
        "display_end",
        Int32,
        At(&["extended_tweet.display_text_range[1]", "display_text_range[1]"]),
        At(&["display_text_range[1]"]),
    ),
    column("lang", Text, At(&["lang"]), At(&["lang"])),
    rule("source", Text, Source, Source),
    rule("tweet_type", Text, TweetType1, TweetType2),
    column("conversation_id", Int64, Nowhere, At(&["conversation_id"])),
    column(
        "reply_to_tweet_id",
        Int64,
        At(&["in_reply_to_status_id_str", "in_reply_to_status_id"]),
        Location::Rule(ReferenceId(RepliedTo)),
    ),
    column(
        "reply_to_user_id",
        Int64,
        At(&["in_reply_to_user_id_str", "in_reply_to_user_id"]),
        At(&["in_reply_to_user_id"]),
    ),
    column("reply_to_username", Text, At(&["in_reply_to_screen_name"]), Location::Rule(ReplyUsername2)),
    column(
        "retweeted_id",
        Int64,
        At(&["retweeted_status.id_str", "retweeted_status.id"]),
        Location::Rule(ReferenceId(Retweeted)),
    ),
    column(
        "quoted_id",
        Int64,
        At(&["quoted_status_id_str", "quoted_status_id", "quoted_status.id_str", "quoted_status.id"]),
        Location::Rule(ReferenceId(Quoted)),
    ),
    column(
        "retweeted_user_id",
        Int64,
        At(&["retweeted_status.user.id_str", "retweeted_status.user.id"]),
        Location::Rule(ReferenceAuthor(Retweeted)),
    ),
    column(
        "quoted_user_id",
        Int64,
        At(&["quoted_status.user.id_str", "quoted_status.user.id"]),
        Location::Rule(ReferenceAuthor(Quoted)),
    ),
    column(
        "edit_chain_id",
        Int64,
        At(&["edit_history.initial_tweet_id", "edit_history.edit_tweet_ids[0]"]),
        At(&["edit_history_tweet_ids[0]", "edit_history_post_ids[0]"]),
    ),
    column(
        "edit_ids",
        List(&element(Int64)),
        At(&["edit_history.edit_tweet_ids"]),
        At(&["edit_history_tweet_ids", "edit_history_post_ids"]),
    ),
    column("edits_left", Int8, At(&["edit_controls.edits_remaining"]), At(&["edit_controls.edits_remaining"])),
    column(
        "editable_until",
        Time,
        At(&["edit_controls.editable_until_ms", "edit_controls.editable_until"]),
        At(&["edit_controls.editable_until"]),
    ),
    column("edit_eligible", Bool, At(&["editable"]), At(&["edit_controls.is_edit_eligible"])),
    column("possibly_sensitive", Bool, At(&["possibly_sensitive"]), At(&["possibly_sensitive"])),
    column("reply_settings", Text, Nowhere, At(&["reply_settings"])),
    column("paid_partnership", Bool, At(&["paid_partnership"]), At(&["paid_partnership"])),
    column("community_id", Int64, Nowhere, At(&["community_id"])),
    column("author_id", Int64, At(&["user.id_str", "user.id"]), At(&["author_id"])),
    column("author", Struct(AUTHOR), Inside("user"), Location::Rule(Author2)),
    column("metrics", Struct(METRICS), Beside, Inside("public_metrics")),
    column(
        "hashtags",
        List(&elements(HASHTAG)),
        At(&["extended_tweet.entities.hashtags", "entities.hashtags"]),
        At(&["note_tweet.entities.hashtags", "note_post.entities.hashtags", "entities.hashtags"]),
    ),
    column(
        "cashtags",
        List(&elements(HASHTAG)),
        At(&["extended_tweet.entities.symbols", "entities.symbols"]),
        At(&["note_tweet.entities.cashtags", "note_post.entities.cashtags", "entities.cashtags"]),
    ),
    column(
        "mentions",
        List(&elements(MENTION)),
        At(&["extended_tweet.entities.user_mentions", "entities.user_mentions"]),
        At(&["note_tweet.entities.mentions", "note_post.entities.mentions", "entities.mentions"]),
    ),
    column(
        "urls",
        List(&elements(URL)),
        At(&["extended_tweet.entities.urls", "entities.urls"]),
        At(&["note_tweet.entities.urls", "note_post.entities.urls", "entities.urls"]),
    ),
    column("annotations", List(&elements(ANNOTATION)), Nowhere, At(&["entities.annotations"])),
    column("contexts", List(&elements(CONTEXT)), Nowhere, At(&["context_annotations"])),
    column(
        "media",
        List(&elements(MEDIA)),
        At(&[
            "extended_tweet.extended_entities.media",
            "extended_entities.media",
            "extended_tweet.entities.media",
            "entities.media",
        ]),
        Location::Rule(Media2),
    ),
    column("poll", Struct(POLL), First("entities.polls"), Location::Rule(Poll2)),
    column(
        "lon",
        Float64,
        At(&["coordinates.coordinates[0]", "geo.coordinates[1]"]),
        At(&["geo.coordinates.coordinates[0]"]),
    ),
    column(
        "lat",
        Float64,
        At(&["coordinates.coordinates[1]", "geo.coordinates[0]"]),
        At(&["geo.coordinates.coordinates[1]"]),
    ),
    column("place", Struct(PLACE), Inside("place"), Location::Rule(Place2)),
    column("withheld", Struct(WITHHELD), Beside, Inside("withheld")),
    column("rule_ids", List(&RULE_ID), At(&["matching_rules"]), At(&["/matching_rules"])),
    column("rule_tags", List(&RULE_TAG), At(&["matching_rules"]), At(&["/matching_rules"])),
    column("matched_terms", List(&element(Text)), Nowhere, Nowhere),
];

/// The line itself: the last column, where it is selected.
pub(super) static RAW: Column = rule("raw", ColumnType::Binary, Raw, Raw);

static AUTHOR: &[Column] = &[
    column("username", Text, At(&["screen_name"]), At(&["username"])),
    column("name", Text, At(&["name"]), At(&["name"])),
    column("created_at", Time, At(&["created_at?"]), At(&["created_at"])),
    column("description", Text, At(&["description"]), At(&["description"])),
    column("location", Text, At(&["location"]), At(&["location"])),
    column("url", Text, At(&["url?"]), At(&["url"])),
    column("verified", Bool, At(&["verified?"]), At(&["verified"])),
    column("verified_type", Text, Nowhere, At(&["verified_type"])),
    column("protected", Bool, At(&["protected?"]), At(&["protected"])),
    column("followers", Int64, At(&["followers_count?"]), At(&["public_metrics.followers_count"])),
    column("following", Int64, At(&["friends_count?"]), At(&["public_metrics.following_count"])),
    column("posts", Int64, At(&["statuses_count?"]), At(&["public_metrics.tweet_count", "public_metrics.post_count"])),
    column("listed", Int64, At(&["listed_count?"]), At(&["public_metrics.listed_count"])),
    column("likes", Int64, At(&["favourites_count?"]), At(&["public_metrics.like_count"])),
    column("profile_image_url", Text, At(&["profile_image_url_https?"]), At(&["profile_image_url"])),
    column("banner_url", Text, At(&["profile_banner_url?"]), At(&["profile_banner_url"])),
    column("pinned_id", Int64, Nowhere, At(&["pinned_tweet_id", "pinned_post_id"])),
];

static METRICS: &[Column] = &[
    column("retweets", Int64, At(&["retweet_count", "repost_count"]), At(&["retweet_count", "repost_count"])),
    column("likes", Int64, At(&["favorite_count"]), At(&["like_count"])),
    column("replies", Int64, At(&["reply_count"]), At(&["reply_count"])),
    column("quotes", Int64, At(&["quote_count"]), At(&["quote_count"])),
    column("bookmarks", Int64, Nowhere, At(&["bookmark_count"])),
    column("impressions", Int64, Nowhere, At(&["impression_count"])),
];

const START: Column = column("start", Int32, At(&["indices[0]"]), At(&["start"]));
const END: Column = column("end", Int32, At(&["indices[1]"]), At(&["end"]));

static HASHTAG: &[Column] = &[column("tag", Text, At(&["text"]), At(&["tag"])), START, END];

static MENTION: &[Column] = &[
    column("user_id", Int64, At(&["id_str", "id"]), At(&["id"])),
    column("username", Text, At(&["screen_name"]), At(&["username"])),
    START,
    END,
];

static URL: &[Column] = &[
    column("url", Text, At(&["url"]), At(&["url"])),
    column("expanded", Text, At(&["expanded_url"]), At(&["expanded_url"])),
    column("display", Text, At(&["display_url"]), At(&["display_url"])),
    column("unwound", Text, At(&["unwound.url"]), At(&["unwound_url"])),
    column("title", Text, At(&["unwound.title"]), At(&["title"])),
    column("description", Text, At(&["unwound.description"]), At(&["description"])),
    column("status", Int16, At(&["unwound.status"]), At(&["status"])),
    column("media_key", Text, Nowhere, At(&["media_key"])),
    START,
    END,
];

static ANNOTATION: &[Column] = &[
    column("type", Text, Nowhere, At(&["type"])),
    column("text", Text, Nowhere, At(&["normalized_text"])),
    column("probability", Float64, Nowhere, At(&["probability"])),
    START,
    END,
];

static CONTEXT: &[Column] = &[
    column("domain_id", Int64, Nowhere, At(&["domain.id"])),
    column("domain", Text, Nowhere, At(&["domain.name"])),
    column("entity_id", Int64, Nowhere, At(&["entity.id"])),
    column("entity", Text, Nowhere, At(&["entity.name"])),
];

static MEDIA: &[Column] = &[
    column("key", Text, At(&["id_str"]), At(&["media_key"])),
    column("type", Text, At(&["type"]), At(&["type"])),
    column("url", Text, At(&["media_url_https"]), At(&["url"])),
    column("preview_url", Text, Nowhere, At(&["preview_image_url"])),
    column("width", Int32, At(&["sizes.large.w"]), At(&["width"])),
    column("height", Int32, At(&["sizes.large.h"]), At(&["height"])),
    column("duration_ms", Int64, At(&["video_info.duration_millis"]), At(&["duration_ms"])),
    column("alt", Text, At(&["ext_alt_text"]), At(&["alt_text"])),
    column("views", Int64, Nowhere, At(&["public_metrics.view_count"])),
    column("variants", List(&elements(VARIANT)), At(&["video_info.variants"]), At(&["variants"])),
];

static VARIANT: &[Column] = &[
    column("content_type", Text, At(&["content_type"]), At(&["content_type"])),
    column("bit_rate", Int64, At(&["bitrate"]), At(&["bit_rate"])),
    column("url", Text, At(&["url"]), At(&["url"])),
];

static POLL: &[Column] = &[
    column("id", Int64, At(&["id_str", "id"]), At(&["id"])),
    column("ends_at", Time, At(&["end_datetime"]), At(&["end_datetime"])),
    column("minutes", Int32, At(&["duration_minutes"]), At(&["duration_minutes"])),
    column("status", Text, At(&["voting_status"]), At(&["voting_status"])),
    column("options", List(&elements(POLL_OPTION)), At(&["options"]), At(&["options"])),
];

static POLL_OPTION: &[Column] = &[
    column("position", Int32, At(&["position"]), At(&["position"])),
    column("label", Text, At(&["text"]), At(&["label"])),
    column("votes", Int64, At(&["votes"]), At(&["votes"])),
];

static PLACE: &[Column] = &[
    column("id", Text, At(&["id"]), At(&["id"])),
    column("name", Text, At(&["name"]), At(&["name"])),
    column("full_name", Text, At(&["full_name"]), At(&["full_name"])),
    column("type", Text, At(&["place_type"]), At(&["place_type"])),
    column("country", Text, At(&["country"]), At(&["country"])),
    column("country_code", Text, At(&["country_code"]), At(&["country_code"])),
    column("bbox", List(&element(Float64)), Location::Rule(Bbox1), At(&["geo.bbox"])),
];

static WITHHELD: &[Column] = &[
    column("copyright", Bool, At(&["withheld_copyright"]), At(&["copyright"])),
    column("countries", List(&element(Text)), At(&["withheld_in_countries"]), At(&["country_codes"])),
    column("scope", Text, At(&["withheld_scope"]), At(&["scope"])),
];

static RULE_ID: Column = column(ELEMENT, Int64, At(&["id_str", "id"]), At(&["id"]));
static RULE_TAG: Column = column(ELEMENT, Text, At(&["tag"]), At(&["tag"]));
