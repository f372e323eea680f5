//! v2's `includes`: the users, posts, media, places and polls that a post refers to, each once.

use serde::Serialize;

use super::fields::{
    Fields, Set, expansion, media as want_media, place as want_place, poll as want_poll, user as want_user,
};
use super::json::{Id, List, non_empty};
use super::time::TimeV2;
use super::v2_post::{media_key, post};
use crate::corpus::Place;
use crate::tweet::model::{Media, MediaKind, Poll, Tweet};
use crate::tweet::users::User;

/// The objects that the client asked for, if there are any.
pub(super) fn includes<'a>(tweet: &'a Tweet, fields: &'a Fields) -> Option<impl Serialize + use<'a>> {
    let wants = |bit| fields.expansions.has(bit);
    let tweets: Vec<&Tweet> = [&tweet.retweeted, &tweet.quoted, &tweet.replied]
        .into_iter()
        .filter_map(|other| other.as_deref())
        .filter(|_| wants(expansion::REFERENCED))
        .collect();
    let users = users(tweet, &tweets, fields.expansions);
    let mut media: Vec<&Media> = tweet.media.iter().filter(|_| wants(expansion::MEDIA)).collect();
    if wants(expansion::REFERENCED_MEDIA) {
        media.extend(tweets.iter().flat_map(|other| &other.media));
    }
    let place = tweet.place.filter(|_| wants(expansion::PLACE));
    let poll = tweet.poll.as_ref().filter(|_| wants(expansion::POLLS));
    let is_empty = users.is_empty() && tweets.is_empty() && media.is_empty() && place.is_none() && poll.is_none();
    (!is_empty).then(|| {
        object! {
            "users" ? => non_empty(users.into_iter().map(move |user| user_object(user, fields.user))),
            "tweets" ? => non_empty(tweets.into_iter().map(move |tweet| post(tweet, fields))),
            "media" ? => non_empty(media.into_iter().map(move |media| media_object(media, fields.media))),
            "places" ? => place.map(|place| [place_object(place, fields.place)]),
            "polls" ? => poll.map(|poll| [poll_object(poll, fields.poll)]),
        }
    })
}

fn users<'a>(tweet: &'a Tweet, others: &[&'a Tweet], expansions: Set) -> Vec<&'a User> {
    let wants = |bit| expansions.has(bit);
    let mut users: Vec<&User> = Vec::new();
    if wants(expansion::AUTHOR) {
        users.push(&tweet.author);
    }
    if wants(expansion::IN_REPLY_TO) {
        users.extend(tweet.replied.iter().map(|parent| &*parent.author));
    }
    if wants(expansion::REFERENCED_AUTHOR) {
        users.extend(others.iter().map(|other| &*other.author));
    }
    if wants(expansion::MENTIONS) {
        users.extend(tweet.body.mentions.iter().map(|mention| &*mention.item));
    }
    let mut seen: Vec<u64> = Vec::with_capacity(users.len());
    users.retain(|user| {
        let is_new = !seen.contains(&user.id);
        seen.push(user.id);
        is_new
    });
    users
}

fn user_object(user: &User, set: Set) -> impl Serialize {
    let has = |bit| set.has(bit);
    object! {
        "id" => Id(user.id), "username" => &user.handle, "name" => &user.name,
        "created_at" if has(want_user::CREATED_AT) => TimeV2(user.created_ms),
        "description" if has(want_user::DESCRIPTION) => user.description,
        "location" ? => user.location.filter(|_| has(want_user::LOCATION)),
        "url" ? => user.url.as_ref().filter(|_| has(want_user::URL)).map(|(short, _)| short),
        "entities" ? => user.url.as_ref().filter(|_| has(want_user::ENTITIES)).map(|(short, page)| {
            let url = object! {
                "start" => 0, "end" => 23, "url" => short, "expanded_url" => page,
                "display_url" => page.trim_start_matches("https://"),
            };
            object! { "url" => object! { "urls" => [url] } }
        }),
        "verified" if has(want_user::VERIFIED) => user.is_verified,
        "verified_type" if has(want_user::VERIFIED_TYPE) => if user.is_verified { "blue" } else { "none" },
        "protected" if has(want_user::PROTECTED) => false,
        "public_metrics" if has(want_user::METRICS) => object! {
            "followers_count" => user.followers, "following_count" => user.following, "tweet_count" => user.posts,
            "listed_count" => user.listed, "like_count" => user.likes, "media_count" => user.media,
        },
        "profile_image_url" if has(want_user::IMAGE) => match &user.picture {
            Some(path) => format!("https://pbs.twimg.com/profile_images/{path}_normal.jpg"),
            None => "https://abs.twimg.com/sticky/default_profile_images/default_profile_normal.png".to_owned(),
        },
        "profile_banner_url" ? => user
            .banner
            .filter(|_| has(want_user::BANNER))
            .map(|banner| format!("https://pbs.twimg.com/profile_banners/{}/{banner}", user.id)),
        "pinned_tweet_id" ? => user.pinned.filter(|_| has(want_user::PINNED)).map(Id),
    }
}

fn media_object(media: &Media, set: Set) -> impl Serialize {
    let has = |bit| set.has(bit);
    let (is_film, is_video) = (media.kind != MediaKind::Photo, media.kind == MediaKind::Video);
    let picture = || format!("https://pbs.twimg.com/media/{}.jpg", media.file);
    let film = |path: String| format!("https://video.twimg.com/ext_tw_video/{}/{path}", media.id);
    let mp4 = |rate: u64| {
        object! {
            "bit_rate" => rate, "content_type" => "video/mp4", "url" => film(format!("vid/{rate}/{}.mp4", media.file)),
        }
    };
    object! {
        "media_key" => media_key(media), "type" => media.kind,
        "width" if has(want_media::WIDTH) => media.width, "height" if has(want_media::HEIGHT) => media.height,
        "url" if has(want_media::URL) && !is_film => picture(),
        "preview_image_url" if has(want_media::PREVIEW) && is_film => picture(),
        "alt_text" ? => media.alt.filter(|_| has(want_media::ALT_TEXT)),
        "duration_ms" if has(want_media::DURATION) && is_video => media.duration_ms,
        "public_metrics" if has(want_media::METRICS) && is_video => object! { "view_count" => media.views },
        "variants" if has(want_media::VARIANTS) && is_film => (
            mp4(632_000),
            mp4(2_176_000),
            object! { "content_type" => "application/x-mpegURL", "url" => film(format!("pl/{}.m3u8", media.file)) },
        ),
    }
}

fn place_object(place: &Place, set: Set) -> impl Serialize {
    let has = |bit| set.has(bit);
    object! {
        "id" => &place.id, "full_name" => &place.full_name, "name" if has(want_place::NAME) => &place.name,
        "country" if has(want_place::COUNTRY) => &place.country,
        "country_code" if has(want_place::COUNTRY_CODE) => &place.country_code,
        "place_type" if has(want_place::TYPE) => &place.kind,
        "geo" if has(want_place::GEO) => object! {
            "type" => "Feature", "bbox" => place.edges, "properties" => object! {},
        },
    }
}

fn poll_object(poll: &Poll, set: Set) -> impl Serialize {
    let has = |bit| set.has(bit);
    object! {
        "id" => Id(poll.id),
        "options" => List(poll.options.iter().zip(1_u64..).map(|(label, position)| object! {
            "position" => position, "label" => label, "votes" => 0,
        })),
        "duration_minutes" if has(want_poll::MINUTES) => poll.minutes,
        "end_datetime" if has(want_poll::END) => TimeV2(poll.ends_ms),
        "voting_status" if has(want_poll::STATUS) => "open",
    }
}
