//! v1.1's entities and media.

use serde::Serialize;

use super::json::{Id, List};
use crate::tweet::body::{Body, Link, Span, Spanned};
use crate::tweet::model::{Media, MediaKind};

/// All entities; of the media, the first only.
pub(super) fn entities<'a>(body: &'a Body, media: &'a [Media]) -> impl Serialize {
    let tag = |Spanned { item, span }: &'a Spanned<String>| object! { "text" => item, "indices" => span };
    object! {
        "hashtags" => List(body.hashtags.iter().map(tag)), "symbols" => List(body.cashtags.iter().map(tag)),
        "urls" => List(body.links.iter().map(|Spanned { item, span }| object! {
            "url" => &item.short, "expanded_url" => &item.expanded, "display_url" => &item.display, "indices" => span,
        })),
        "user_mentions" => List(body.mentions.iter().map(|Spanned { item, span }| object! {
            "screen_name" => &item.handle, "name" => &item.name, "id" => item.id, "id_str" => Id(item.id),
            "indices" => span,
        })),
        "media" ? => media_list(body, media.get(..1).unwrap_or_default()),
    }
}

/// All media, if there are any.
pub(super) fn extended_entities(body: &Body, media: &[Media]) -> Option<impl Serialize> {
    media_list(body, media).map(|media| object! { "media" => media })
}

fn media_list(body: &Body, media: &[Media]) -> Option<impl Serialize> {
    let link = body.media_link.as_ref().filter(|_| !media.is_empty())?;
    Some(List(media.iter().map(move |media| one(media, &link.item, link.span))))
}

fn one(media: &Media, link: &Link, span: Span) -> impl Serialize {
    let sizes =
        |width, height| object! { "w" => media.width.min(width), "h" => media.height.min(height), "resize" => "fit" };
    object! {
        "id" => media.id, "id_str" => Id(media.id), "indices" => span,
        "media_url" => format!("http://pbs.twimg.com/media/{}.jpg", media.file),
        "media_url_https" => format!("https://pbs.twimg.com/media/{}.jpg", media.file),
        "url" => &link.short, "display_url" => &link.display, "expanded_url" => &link.expanded,
        "type" => media.kind,
        "video_info" if media.kind != MediaKind::Photo => object! {
            "aspect_ratio" => (16, 9), "duration_millis" if media.kind == MediaKind::Video => media.duration_ms,
            "variants" => List([632_000, 2_176_000].iter().map(|rate| object! {
                "bitrate" => rate, "content_type" => "video/mp4",
                "url" => format!("https://video.twimg.com/ext_tw_video/{}/vid/{rate}/{}.mp4", media.id, media.file),
            })),
        },
        "sizes" => object! {
            "thumb" => object! { "w" => media.width.min(150), "h" => media.height.min(150), "resize" => "crop" },
            "small" => sizes(680, 680), "medium" => sizes(1200, 1200), "large" => sizes(2048, 2048),
        },
    }
}
