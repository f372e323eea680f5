//! v2's post, in `data` or in `includes.tweets`.

use serde::Serialize;

use super::fields::{Fields, expansion, tweet as want};
use super::json::{Id, List, non_empty, point};
use super::time::TimeV2;
use crate::tweet::body::{Body, Link, Spanned};
use crate::tweet::model::{Media, MediaKind, Tweet};

pub(super) fn post<'a>(tweet: &'a Tweet, fields: &Fields) -> impl Serialize + use<'a> {
    let Fields { tweet: set, expansions, .. } = *fields;
    let body = tweet.head.as_deref().unwrap_or(&tweet.body);
    let is_late = tweet.noise / 1000 % 10 < 7;
    let is_author_wanted = set.has(want::AUTHOR_ID) || expansions.has(expansion::AUTHOR);
    let is_parent_wanted = set.has(want::IN_REPLY_TO_USER_ID) || expansions.has(expansion::IN_REPLY_TO);
    let are_references_wanted = set.has(want::REFERENCED_TWEETS) || expansions.has(expansion::REFERENCED);
    let are_attachments_wanted =
        set.has(want::ATTACHMENTS) || expansions.has(expansion::MEDIA) || expansions.has(expansion::POLLS);
    let is_place_wanted = set.has(want::GEO) || expansions.has(expansion::PLACE);
    let counts = tweet.counts;
    object! {
        "id" if !is_late => Id(tweet.id),
        "context_annotations" if set.has(want::CONTEXT_ANNOTATIONS) && !tweet.topics.is_empty() => &tweet.topics,
        "entities" ? => set.has(want::ENTITIES).then(|| entities(body, &tweet.media)).flatten(),
        "author_id" if is_author_wanted => Id(tweet.author.id),
        "in_reply_to_user_id" ? => tweet.replied.as_ref().filter(|_| is_parent_wanted).map(|parent| Id(parent.author.id)),
        "referenced_tweets" ? => are_references_wanted.then(|| references(tweet)).flatten(),
        "attachments" ? => are_attachments_wanted.then(|| attachments(tweet)).flatten(),
        "geo" if is_place_wanted && (tweet.place.is_some() || tweet.point.is_some()) => object! {
            "coordinates" ? => tweet.point.map(point), "place_id" ? => tweet.place.map(|place| &place.id),
        },
        "id" if is_late => Id(tweet.id),
        "edit_history_tweet_ids" => List(tweet.earlier_versions.iter().chain([&tweet.id]).map(|id| Id(*id))),
        "text" => &body.text,
        "created_at" if set.has(want::CREATED_AT) => TimeV2(tweet.created_ms),
        "conversation_id" if set.has(want::CONVERSATION_ID) => Id(tweet.conversation),
        "display_text_range" if set.has(want::DISPLAY_TEXT_RANGE) => body.display,
        "lang" if set.has(want::LANG) => tweet.lang,
        "public_metrics" if set.has(want::PUBLIC_METRICS) => object! {
            "retweet_count" => counts.retweets, "reply_count" => counts.replies, "like_count" => counts.likes,
            "quote_count" => counts.quotes, "bookmark_count" => counts.bookmarks, "impression_count" => counts.views,
        },
        "possibly_sensitive" if set.has(want::POSSIBLY_SENSITIVE) => tweet.is_sensitive,
        "reply_settings" if set.has(want::REPLY_SETTINGS) => "everyone",
        "edit_controls" if set.has(want::EDIT_CONTROLS) => object! {
            "edits_remaining" => 5_usize.saturating_sub(tweet.earlier_versions.len()),
            "is_edit_eligible" => tweet.retweeted.is_none() && tweet.replied.is_none(),
            "editable_until" => TimeV2(tweet.created_ms + 1_800_000),
        },
        "note_tweet" if set.has(want::NOTE_TWEET) && tweet.head.is_some() => object! {
            "text" => &tweet.body.text, "entities" ? => entities(&tweet.body, &[]),
        },
    }
}

fn references(tweet: &Tweet) -> Option<impl Serialize> {
    let all = [("retweeted", &tweet.retweeted), ("quoted", &tweet.quoted), ("replied_to", &tweet.replied)];
    let present = all.into_iter().filter_map(|(kind, other)| Some((kind, other.as_ref()?.id)));
    non_empty(present.map(|(kind, id)| object! { "type" => kind, "id" => Id(id) }))
}

fn attachments(tweet: &Tweet) -> Option<impl Serialize> {
    (!tweet.media.is_empty() || tweet.poll.is_some()).then(|| {
        object! {
            "media_keys" ? => non_empty(tweet.media.iter().map(media_key)),
            "poll_ids" ? => tweet.poll.as_ref().map(|poll| [Id(poll.id)]),
        }
    })
}

/// The entities, if there are any. `media` are those of the body's media link.
fn entities<'a>(body: &'a Body, media: &'a [Media]) -> Option<impl Serialize + use<'a>> {
    let tag =
        |Spanned { span, item }: &'a Spanned<String>| object! { "start" => span.0, "end" => span.1, "tag" => item };
    let media_urls = body.media_link.iter().flat_map(move |link| media.iter().map(move |media| (link, Some(media))));
    let urls = body.links.iter().map(|link| (link, None)).chain(media_urls);
    let has_urls = urls.clone().next().is_some();
    let is_empty = body.hashtags.is_empty()
        && body.cashtags.is_empty()
        && body.mentions.is_empty()
        && body.names.is_empty()
        && !has_urls;
    (!is_empty).then(|| {
        object! {
            "hashtags" ? => non_empty(body.hashtags.iter().map(tag)),
            "cashtags" ? => non_empty(body.cashtags.iter().map(tag)),
            "mentions" ? => non_empty(body.mentions.iter().map(|Spanned { span, item }| object! {
                "start" => span.0, "end" => span.1, "username" => &item.handle, "id" => Id(item.id),
            })),
            "urls" if has_urls => List(urls.map(|(link, media)| url(link, media))),
            // The only spans that include their end.
            "annotations" ? => non_empty(body.names.iter().map(|Spanned { span, item }| object! {
                "start" => span.0, "end" => span.1 - 1, "probability" => f64::from(4000 + span.0 * 7919 % 5900) / 1e4,
                "type" => &item.kind, "normalized_text" => &item.text,
            })),
        }
    })
}

fn url<'a>(Spanned { span, item }: &'a Spanned<Link>, media: Option<&Media>) -> impl Serialize + use<'a> {
    let preview = item.preview;
    let image = |name: &'static str, width, height| {
        preview.map(|(_, number)| {
            object! {
                "url" => format!("https://pbs.twimg.com/news_img/{number}/x?format=jpg&name={name}"),
                "width" => width, "height" => height,
            }
        })
    };
    object! {
        "start" => span.0, "end" => span.1, "url" => &item.short, "expanded_url" => &item.expanded,
        "display_url" => &item.display, "media_key" ? => media.map(media_key), "status" if preview.is_some() => 200,
        "title" ? => preview.map(|(title, _)| title), "unwound_url" if preview.is_some() => &item.expanded,
        "images" if preview.is_some() => [image("orig", 1200, 630), image("150x150", 150, 150)],
    }
}

/// `3_…` for a photo, `7_…` for a video, `16_…` for an animated GIF.
pub(super) fn media_key(media: &Media) -> String {
    let prefix = match media.kind {
        MediaKind::Photo => 3,
        MediaKind::Video => 7,
        MediaKind::Gif => 16,
    };
    format!("{prefix}_{}", media.id)
}
