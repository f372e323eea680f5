//! v2's `includes`: the users, posts, media, places and polls that a post refers to, each once.

use std::sync::Arc;

use super::corpus::Place;
use super::fields::{
    Fields, expansion, media as want_media, place as want_place, poll as want_poll, user as want_user,
};
use super::json::Json;
use super::model::{Media, MediaKind, Poll, Tweet};
use super::people::User;
use super::v2::{media_key, post};

/// Writes `includes`, or nothing where nothing was asked for or is there.
pub(crate) fn write(json: &mut Json<'_>, tweet: &Tweet, fields: &Fields) {
    let wanted = fields.expansions;
    let others: Vec<&Arc<Tweet>> = if wanted.has(expansion::REFERENCED) {
        [&tweet.retweeted, &tweet.quoted, &tweet.replied].into_iter().flatten().collect()
    } else {
        Vec::new()
    };
    let users = users(tweet, &others, fields);
    let mut media: Vec<&Media> = Vec::new();
    if wanted.has(expansion::MEDIA) {
        media.extend(&tweet.media);
    }
    if wanted.has(expansion::REFERENCED_MEDIA) {
        media.extend(others.iter().flat_map(|other| &other.media));
    }
    let place = if wanted.has(expansion::PLACE) { tweet.place } else { None };
    let poll = if wanted.has(expansion::POLLS) { tweet.poll.as_ref() } else { None };
    if users.is_empty() && others.is_empty() && media.is_empty() && place.is_none() && poll.is_none() {
        return;
    }
    json.key("includes").open();
    if !users.is_empty() {
        json.key("users").list();
        for user in users {
            json.item();
            write_user(json, user, fields);
        }
        json.end_list();
    }
    if !others.is_empty() {
        json.key("tweets").list();
        for other in others {
            json.item();
            post(json, other, fields);
        }
        json.end_list();
    }
    if !media.is_empty() {
        json.key("media").list();
        for media in media {
            json.item();
            write_media(json, media, fields);
        }
        json.end_list();
    }
    if let Some(place) = place {
        json.key("places").list().item();
        write_place(json, place, fields);
        json.end_list();
    }
    if let Some(poll) = poll {
        json.key("polls").list().item();
        write_poll(json, poll, fields);
        json.end_list();
    }
    json.close();
}

fn users<'a>(tweet: &'a Tweet, others: &[&'a Arc<Tweet>], fields: &Fields) -> Vec<&'a Arc<User>> {
    let wanted = fields.expansions;
    let mut users: Vec<&Arc<User>> = Vec::new();
    if wanted.has(expansion::AUTHOR) {
        users.push(&tweet.author);
    }
    if wanted.has(expansion::IN_REPLY_TO) {
        users.extend(tweet.replied.iter().map(|parent| &parent.author));
    }
    if wanted.has(expansion::REFERENCED_AUTHOR) {
        users.extend(others.iter().map(|other| &other.author));
    }
    if wanted.has(expansion::MENTIONS) {
        users.extend(tweet.body.mentions.iter().map(|mention| &mention.user));
    }
    let mut seen: Vec<u64> = Vec::with_capacity(users.len());
    users.retain(|user| {
        let new = !seen.contains(&user.id);
        seen.push(user.id);
        new
    });
    users
}

fn write_user(json: &mut Json<'_>, user: &User, fields: &Fields) {
    let set = fields.user;
    json.open().key("id").id(user.id).key("username").str(&user.handle).key("name").str(&user.name);
    if set.has(want_user::CREATED_AT) {
        json.key("created_at").time_v2(user.created_ms);
    }
    if set.has(want_user::DESCRIPTION) {
        json.key("description").str(user.description);
    }
    if set.has(want_user::LOCATION)
        && let Some(location) = user.location
    {
        json.key("location").str(location);
    }
    if let Some((short, page)) = &user.url {
        if set.has(want_user::URL) {
            json.key("url").str(short);
        }
        if set.has(want_user::ENTITIES) {
            json.key("entities").open().key("url").open().key("urls").list().item().open();
            json.key("start").number(0).key("end").number(23).key("url").str(short).key("expanded_url").str(page);
            json.key("display_url").str(page.trim_start_matches("https://")).close().end_list().close().close();
        }
    }
    if set.has(want_user::VERIFIED) {
        json.key("verified").bool(user.verified);
    }
    if set.has(want_user::VERIFIED_TYPE) {
        json.key("verified_type").raw(if user.verified { "\"blue\"" } else { "\"none\"" });
    }
    if set.has(want_user::PROTECTED) {
        json.key("protected").bool(false);
    }
    if set.has(want_user::METRICS) {
        json.key("public_metrics").open().key("followers_count").number(user.followers);
        json.key("following_count").number(user.following).key("tweet_count").number(user.posts);
        json.key("listed_count").number(user.listed).key("like_count").number(user.likes);
        json.key("media_count").number(user.media).close();
    }
    if set.has(want_user::IMAGE) {
        json.key("profile_image_url");
        match &user.picture {
            Some(path) => json.raw("\"https://pbs.twimg.com/profile_images/").raw(path).raw("_normal.jpg\""),
            None => json.raw("\"https://abs.twimg.com/sticky/default_profile_images/default_profile_normal.png\""),
        };
    }
    if set.has(want_user::BANNER)
        && let Some(banner) = user.banner
    {
        json.key("profile_banner_url")
            .raw("\"https://pbs.twimg.com/profile_banners/")
            .number(user.id)
            .raw("/")
            .number(banner)
            .raw("\"");
    }
    if set.has(want_user::PINNED)
        && let Some(pinned) = user.pinned
    {
        json.key("pinned_tweet_id").id(pinned);
    }
    json.close();
}

fn write_media(json: &mut Json<'_>, media: &Media, fields: &Fields) {
    let set = fields.media;
    let film = media.kind != MediaKind::Photo;
    json.open().key("media_key");
    media_key(json, media);
    json.key("type").raw(match media.kind {
        MediaKind::Photo => "\"photo\"",
        MediaKind::Video => "\"video\"",
        MediaKind::Gif => "\"animated_gif\"",
    });
    if set.has(want_media::WIDTH) {
        json.key("width").number(media.width);
    }
    if set.has(want_media::HEIGHT) {
        json.key("height").number(media.height);
    }
    let picture = |json: &mut Json<'_>| {
        json.raw("\"https://pbs.twimg.com/media/").raw(&media.file).raw(".jpg\"");
    };
    if set.has(want_media::URL) && !film {
        json.key("url");
        picture(json);
    }
    if set.has(want_media::PREVIEW) && film {
        json.key("preview_image_url");
        picture(json);
    }
    if set.has(want_media::ALT_TEXT)
        && let Some(alt) = media.alt
    {
        json.key("alt_text").str(alt);
    }
    if film {
        if set.has(want_media::DURATION) && media.kind == MediaKind::Video {
            json.key("duration_ms").number(media.duration_ms);
        }
        if set.has(want_media::METRICS) && media.kind == MediaKind::Video {
            json.key("public_metrics").open().key("view_count").number(media.views).close();
        }
        if set.has(want_media::VARIANTS) {
            json.key("variants").list();
            for rate in [632_000, 2_176_000] {
                json.item().open().key("bit_rate").number(rate).key("content_type").raw("\"video/mp4\"").key("url");
                json.raw("\"https://video.twimg.com/ext_tw_video/")
                    .number(media.id)
                    .raw("/vid/")
                    .number(rate)
                    .raw("/")
                    .raw(&media.file);
                json.raw(".mp4\"").close();
            }
            json.item().open().key("content_type").raw("\"application/x-mpegURL\"").key("url");
            json.raw("\"https://video.twimg.com/ext_tw_video/")
                .number(media.id)
                .raw("/pl/")
                .raw(&media.file)
                .raw(".m3u8\"")
                .close();
            json.end_list();
        }
    }
    json.close();
}

fn write_place(json: &mut Json<'_>, place: &Place, fields: &Fields) {
    let set = fields.place;
    json.open().key("id").str(place.id).key("full_name").str(place.full_name);
    if set.has(want_place::NAME) {
        json.key("name").str(place.name);
    }
    if set.has(want_place::COUNTRY) {
        json.key("country").str(place.country);
    }
    if set.has(want_place::COUNTRY_CODE) {
        json.key("country_code").str(place.country_code);
    }
    if set.has(want_place::TYPE) {
        json.key("place_type").str(place.kind);
    }
    if set.has(want_place::GEO) {
        json.key("geo").open().key("type").raw("\"Feature\"").key("bbox").list();
        for edge in place.bbox {
            json.item().float(edge);
        }
        json.end_list().key("properties").open().close().close();
    }
    json.close();
}

fn write_poll(json: &mut Json<'_>, poll: &Poll, fields: &Fields) {
    let set = fields.poll;
    json.open().key("id").id(poll.id).key("options").list();
    for (at, option) in poll.options.iter().enumerate() {
        json.item()
            .open()
            .key("position")
            .number(at as u64 + 1)
            .key("label")
            .str(option)
            .key("votes")
            .number(0)
            .close();
    }
    json.end_list();
    if set.has(want_poll::MINUTES) {
        json.key("duration_minutes").number(poll.minutes);
    }
    if set.has(want_poll::END) {
        json.key("end_datetime").time_v2(poll.ends_ms);
    }
    if set.has(want_poll::STATUS) {
        json.key("voting_status").raw("\"open\"");
    }
    json.close();
}
