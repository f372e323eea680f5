//! Media, polls and places of generated tweets.

use super::hints::TargetTweet;
use crate::corpus::{Place, corpus};
use crate::rng::Rng;
use crate::rules::area::Area;
use crate::rules::expr::Has;
use crate::tweet::id::snowflake;
use crate::tweet::model::{Media, MediaKind, Poll, Tweet};

/// One to four photos, a video or an animated GIF.
pub(crate) fn media(rng: &mut Rng, target: &TargetTweet, created_ms: i64) -> Vec<Media> {
    let kind = match rng.below(100) {
        _ if target.has.contains(&Has::Videos) => MediaKind::Video,
        _ if target.has.iter().any(|has| matches!(has, Has::Media | Has::Images)) => MediaKind::Photo,
        0..=79 => MediaKind::Photo,
        80..=94 => MediaKind::Video,
        _ => MediaKind::Gif,
    };
    let count = if kind == MediaKind::Photo { 1 + rng.rank(4) } else { 1 };
    let media = |_| {
        let (width, height) = *rng.pick(&[(1200, 675), (1080, 1350), (2048, 1536), (720, 1280), (1280, 720)]);
        Media {
            id: snowflake(created_ms - rng.between(900, 40_000) as i64, rng.bits()),
            kind,
            file: rng.alphanumeric(15),
            width,
            height,
            duration_ms: if kind == MediaKind::Photo { 0 } else { rng.between(3_000, 140_000) },
            views: rng.below(900),
            alt: rng.chance(180).then_some("a street in the evening, wet from the rain"),
        }
    };
    (0..count).map(media).collect()
}

pub(crate) fn poll(rng: &mut Rng, created_ms: i64) -> Poll {
    let minutes = *rng.pick(&[60, 1440, 4320, 10_080]);
    let options = rng.pick(&corpus().polls);
    let id = snowflake(created_ms - 400, rng.bits());
    Poll { id, minutes, ends_ms: created_ms + minutes as i64 * 60_000, options }
}

/// Tags the tweet with a place, a point or both, if the target asks for one or by chance.
pub(crate) fn add_place(rng: &mut Rng, target: &TargetTweet, tweet: &mut Tweet) {
    let places = |test: &dyn Fn(&Place) -> bool| -> Vec<&'static Place> {
        corpus().places.iter().filter(|place| test(place)).collect()
    };
    if let Some(area) = target.area {
        // A place that is partly outside, or no place at all, needs a point within the area.
        let places = places(&|place| area.overlaps(place.edges));
        tweet.place = (!places.is_empty()).then(|| *rng.pick(&places));
        if !tweet.place.is_some_and(|place| area.contains(place.edges)) || rng.chance(250) {
            tweet.point = Some(point(rng, area));
        }
    } else if target.has.contains(&Has::Geo) || target.country.is_some() || rng.chance(20) {
        let country = target.country.as_deref();
        let places = places(&|place| country.is_none_or(|code| place.country_code.eq_ignore_ascii_case(code)));
        if places.is_empty() {
            return;
        }
        let place = *rng.pick(&places);
        tweet.place = Some(place);
        tweet.point = rng.chance(250).then(|| point(rng, Area(place.edges)));
    }
}

/// A point strictly within the area, rounded to metres so that it has few digits.
fn point(rng: &mut Rng, Area([west, south, east, north]): Area) -> (f64, f64) {
    let mut between = |from: f64, to: f64| {
        let share = rng.between(1, 998) as f64 / 1000.0;
        ((from + (to - from) * share) * 1e5).round() / 1e5
    };
    (between(west, east), between(south, north))
}
