//! Composes the text of a tweet: sentences in its author's language, with the target's texts between them.

use std::sync::Arc;

use super::hints::TargetTweet;
use crate::corpus::{self, Language, Name, corpus};
use crate::rng::Rng;
use crate::rules::expr::{Has, Text};
use crate::tweet::body::{Body, Link, Span, Spanned};
use crate::tweet::model::{Media, MediaKind, Tweet};
use crate::tweet::users::{Account, User, Users, short_link};

/// A piece of a text.
enum Piece {
    Text(String),
    Hashtag(String),
    Cashtag(String),
    Mention(Arc<User>),
    Link(Link),
    Name(&'static Name),
}

/// The text of an original tweet, of a reply to `parent` or of a quote of `quoted`.
pub(crate) fn text(
    rng: &mut Rng,
    users: &mut Users,
    author: &User,
    target: &TargetTweet,
    parent: Option<&Tweet>,
    quoted: Option<&Tweet>,
) -> Body {
    let language = target.lang.as_deref().and_then(corpus::language).unwrap_or(author.language);
    let language = &corpus().languages[language];
    let mut body = Body::default();
    if let Some(parent) = parent {
        body.push_mention(&parent.author);
        body.push(" ");
    }
    let shown_from = body.chars;
    let mut pieces = targeted(rng, users, target);
    add_random(rng, users, target, language, &mut pieces);
    for sentence in sentences(rng, language) {
        let at = rng.below(pieces.len() as u64 + 1) as usize;
        pieces.insert(at, Piece::Text(sentence));
    }
    for piece in pieces {
        body.push_space();
        match piece {
            Piece::Text(text) => _ = body.push(&text),
            Piece::Hashtag(tag) => body.push_hashtag(tag),
            Piece::Cashtag(tag) => body.push_cashtag(tag),
            Piece::Mention(user) => body.push_mention(&user),
            Piece::Link(link) => body.push_link(link),
            Piece::Name(name) => body.push_name(name),
        }
    }
    if rng.chance(330) {
        body.push_space();
        for _ in 0..rng.between(1, 3) {
            body.push(rng.pick_ranked(&corpus().emoji).as_str());
        }
    }
    body.display = (shown_from, body.chars);
    if let Some(quoted) = quoted {
        body.push_space();
        let address = format!("https://twitter.com/{}/status/{}", quoted.author.handle, quoted.id);
        body.push_link(Link { preview: None, ..link(rng, address) });
    }
    body
}

fn targeted(rng: &mut Rng, users: &mut Users, target: &TargetTweet) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for text in &target.texts {
        pieces.push(match text {
            Text::Words { written: text, .. } | Text::Part(text) | Text::Exact(text) => {
                Piece::Text(text.replace('&', "&amp;"))
            }
            Text::Hashtag(tag) => Piece::Hashtag(change_case(rng, tag)),
            Text::Cashtag(tag) => Piece::Cashtag(tag.to_uppercase()),
            Text::Mention(handle) => match Account::parse(handle) {
                Some(account) => Piece::Mention(users.named(&account)),
                None => continue,
            },
            Text::Url { written: url, .. } | Text::Page(url) => {
                let address = if url.contains("://") { url.clone() } else { format!("https://{url}") };
                Piece::Link(link(rng, address))
            }
        });
    }
    // The texts of a rule do not always stand in the rule's order.
    if pieces.len() > 1 {
        let len = pieces.len() as u64;
        pieces.swap(rng.below(len) as usize, rng.below(len) as usize);
    }
    pieces
}

/// Users write the same tag in different cases.
fn change_case(rng: &mut Rng, tag: &str) -> String {
    match rng.below(10) {
        0 => tag.to_uppercase(),
        1..=5 => {
            let mut letters = tag.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
        _ => tag.to_owned(),
    }
}

fn add_random(rng: &mut Rng, users: &mut Users, target: &TargetTweet, language: &Language, pieces: &mut Vec<Piece>) {
    let is_target = |has| target.has.contains(&has);
    if is_target(Has::Hashtags) || rng.chance(240) {
        for _ in 0..=rng.below(3) {
            pieces.push(Piece::Hashtag(rng.pick_ranked(&language.hashtags).clone()));
        }
    }
    if is_target(Has::Mentions) || rng.chance(130) {
        pieces.push(Piece::Mention(users.random(rng)));
    }
    if is_target(Has::Cashtags) || rng.chance(12) {
        pieces.push(Piece::Cashtag(rng.pick_ranked(&corpus().cashtags).clone()));
    }
    if is_target(Has::Links) || rng.chance(190) {
        let (domain, year) = (rng.pick_ranked(&corpus().domains), rng.between(2024, 2026));
        let address = format!("https://{domain}/{year}/{}", rng.alphanumeric(12).to_lowercase());
        pieces.push(Piece::Link(link(rng, address)));
    }
    if rng.chance(200) {
        pieces.push(Piece::Name(rng.pick_ranked(&corpus().names)));
    }
}

/// One to three sentences, seldom a long text.
fn sentences(rng: &mut Rng, language: &Language) -> Vec<String> {
    let count = match rng.below(100) {
        0..=49 => 1,
        50..=83 => 2,
        84..=95 => 3,
        _ => rng.between(5, 14),
    };
    let sentence = |_| {
        if rng.chance(550) || !language.is_spaced {
            let line_end = if count > 1 && rng.chance(200) { "\n" } else { "" };
            return format!("{}{line_end}", rng.pick(&language.sentences));
        }
        let length = rng.between(3, 11);
        (0..length).map(|_| rng.pick_ranked(&language.words).as_str()).collect::<Vec<_>>().join(" ")
    };
    (0..count).map(sentence).collect()
}

/// A link to `expanded`; [`Body::push_link`] gives it its place.
fn link(rng: &mut Rng, expanded: String) -> Link {
    let bare = expanded.split_once("://").map_or(expanded.as_str(), |(_, page)| page);
    let bare = bare.strip_prefix("www.").unwrap_or(bare);
    let mut display: String = bare.chars().take(26).collect();
    if display.len() < bare.len() {
        display.push('…');
    }
    let preview = rng.chance(600).then(|| (rng.pick(&corpus().titles).as_str(), rng.bits() >> 2));
    Link { short: short_link(rng), display, expanded, preview }
}

/// Appends the link that stands for the media; it is not part of the displayed text.
pub(crate) fn add_media_link(body: &mut Body, rng: &mut Rng, author: &User, id: u64, media: &[Media]) {
    let Some(first) = media.first() else { return };
    body.push_space();
    let short = short_link(rng);
    let span: Span = body.push(&short);
    let kind = if first.kind == MediaKind::Photo { "photo" } else { "video" };
    let display = format!("pic.twitter.com/{}", &short["https://t.co/".len()..]);
    let expanded = format!("https://twitter.com/{}/status/{id}/{kind}/1", author.handle);
    body.media_link = Some(Spanned { span, item: Link { short, display, expanded, preview: None } });
}

/// The text of a retweet: `RT @handle: …`, cut at 140 characters.
pub(crate) fn retweet(original: &Tweet) -> Body {
    let mut body = Body::default();
    body.push("RT ");
    body.push_mention(&original.author);
    body.push(": ");
    body.append(&original.body, 140);
    body
}

/// The text cut to `max` characters with a link to the whole; `None` if it is not longer.
pub(crate) fn cut(rng: &mut Rng, body: &Body, max: u32, id: u64) -> Option<Box<Body>> {
    if body.chars <= max {
        return None;
    }
    let mut short = Body::default();
    short.append(body, max - 24);
    short.push(" ");
    short.push_link(Link { preview: None, ..link(rng, format!("https://twitter.com/i/web/status/{id}")) });
    short.display = (body.display.0.min(short.chars), short.chars);
    Some(Box::new(short))
}
