//! Writes the text of a tweet: sentences of its author's language, with what the wish asks for in between.
//!
//! Entities are noted while the text grows, so their spans are right by construction.

use std::sync::Arc;

use super::corpus::{self, Language};
use super::dice::Dice;
use super::model::{Body, Link, Media, MediaKind, MediaLink, Name, Span, Tweet};
use super::people::{People, User, Who, short_link, word};
use crate::simulate::rules::wish::Wish;

/// A piece of a text.
enum Piece {
    Text(String),
    Hashtag(String),
    Cashtag(String),
    Mention(Arc<User>),
    Link(Link),
    Name(usize),
}

/// Writes the text of an original, a reply (`to` is who is answered) or a quote (`quoted`).
pub(crate) fn write(
    dice: &mut Dice,
    people: &mut People,
    author: &User,
    wish: &Wish,
    to: Option<&Tweet>,
    quoted: Option<&Tweet>,
) -> Body {
    let language = &corpus::languages()[author.language];
    let language = wish.lang.as_deref().and_then(corpus::language).map_or(language, |at| &corpus::languages()[at]);
    let mut body = Body::default();
    if let Some(parent) = to {
        body.push_mention(&parent.author);
        body.push(" ");
    }
    let shown_from = body.chars;
    let mut pieces = wanted(dice, people, wish);
    sprinkle(dice, people, wish, language, &mut pieces);
    for sentence in sentences(dice, language) {
        let at = dice.below(pieces.len() as u64 + 1) as usize;
        pieces.insert(at, Piece::Text(sentence));
    }
    for piece in pieces {
        put(&mut body, piece);
    }
    if dice.chance(330) {
        body.space();
        for _ in 0..dice.between(1, 3) {
            let emoji = dice.favour(&corpus::EMOJI);
            body.push(emoji);
        }
    }
    let shown_to = body.chars;
    body.display = (shown_from, shown_to);
    if let Some(quoted) = quoted {
        body.space();
        body.push_link(status_link(dice, &quoted.author, quoted.id));
    }
    body
}

fn put(body: &mut Body, piece: Piece) {
    body.space();
    match piece {
        Piece::Text(text) => {
            body.push(&text);
        }
        Piece::Hashtag(tag) => body.push_hashtag(&tag),
        Piece::Cashtag(tag) => body.push_cashtag(&tag),
        Piece::Mention(user) => body.push_mention(&user),
        Piece::Link(link) => body.push_link(link),
        Piece::Name(at) => {
            let (text, kind) = corpus::NAMES[at];
            let span = body.push(text);
            body.names.push(Name { span, text, kind });
        }
    }
}

fn wanted(dice: &mut Dice, people: &mut People, wish: &Wish) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for text in &wish.texts {
        pieces.push(Piece::Text(text.replace('&', "&amp;")));
    }
    for tag in &wish.hashtags {
        pieces.push(Piece::Hashtag(respell(dice, tag)));
    }
    for tag in &wish.cashtags {
        pieces.push(Piece::Cashtag(tag.clone()));
    }
    for handle in &wish.mentions {
        if let Some(who) = Who::parse(handle) {
            pieces.push(Piece::Mention(people.named(&who, handle)));
        }
    }
    for url in &wish.urls {
        let address = if url.contains("://") { url.clone() } else { format!("https://{url}") };
        pieces.push(Piece::Link(link(dice, address)));
    }
    // Several asked-for things do not always stand in the order of the rule.
    let len = pieces.len() as u64;
    if len > 1 {
        let (one, other) = (dice.below(len) as usize, dice.below(len) as usize);
        pieces.swap(one, other);
    }
    pieces
}

/// People write the same tag in different cases, and rules ignore case.
fn respell(dice: &mut Dice, tag: &str) -> String {
    match dice.below(10) {
        0 => tag.to_uppercase(),
        1..=5 => {
            let mut letters = tag.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
        _ => tag.to_owned(),
    }
}

fn sprinkle(dice: &mut Dice, people: &mut People, wish: &Wish, language: &Language, pieces: &mut Vec<Piece>) {
    if wish.any_hashtag || dice.chance(240) {
        for _ in 0..=dice.below(3) {
            pieces.push(Piece::Hashtag((*dice.favour(language.hashtags)).to_owned()));
        }
    }
    if wish.any_mention || dice.chance(130) {
        pieces.push(Piece::Mention(people.somebody(dice)));
    }
    if wish.any_cashtag || dice.chance(12) {
        pieces.push(Piece::Cashtag((*dice.favour(&corpus::CASHTAGS)).to_owned()));
    }
    if wish.any_link || dice.chance(190) {
        let domain = dice.favour(&corpus::DOMAINS);
        let path = format!("https://{domain}/{}/{}", dice.between(2024, 2026), word(dice, 12).to_lowercase());
        pieces.push(Piece::Link(link(dice, path)));
    }
    if dice.chance(200) {
        pieces.push(Piece::Name(dice.rank(corpus::NAMES.len())));
    }
}

/// One to three sentences or bits of them; now and then a long text.
fn sentences(dice: &mut Dice, language: &Language) -> Vec<String> {
    let count = match dice.below(100) {
        0..=49 => 1,
        50..=83 => 2,
        84..=95 => 3,
        _ => dice.between(5, 14),
    };
    (0..count)
        .map(|_| {
            if dice.chance(550) || !language.spaced {
                let sentence = *dice.pick(language.sentences);
                return if count > 1 && dice.chance(200) { format!("{sentence}\n") } else { sentence.to_owned() };
            }
            let words = language.words();
            let mut text = String::new();
            for at in 0..dice.between(3, 11) {
                if at > 0 {
                    text.push(' ');
                }
                let word = dice.favour(words);
                text.push_str(word);
            }
            text
        })
        .collect()
}

const NOWHERE: Span = Span { start: 0, end: 0 };

fn link(dice: &mut Dice, expanded: String) -> Link {
    let bare = expanded.split_once("://").map_or(expanded.as_str(), |(_, rest)| rest);
    let bare = bare.strip_prefix("www.").unwrap_or(bare);
    let mut display: String = bare.chars().take(26).collect();
    if display.len() < bare.len() {
        display.push('…');
    }
    let title = dice.chance(600).then(|| *dice.pick(&corpus::TITLES));
    Link { span: NOWHERE, short: short_link(dice), display, expanded, title }
}

/// The link to a tweet, as quotes and cut texts carry it.
pub(crate) fn status_link(dice: &mut Dice, author: &User, id: u64) -> Link {
    let expanded = format!("https://twitter.com/{}/status/{id}", author.handle);
    Link { title: None, ..link(dice, expanded) }
}

/// Adds the link that stands for the media; it is not shown.
pub(crate) fn add_media_link(body: &mut Body, dice: &mut Dice, author: &User, id: u64, media: &[Media]) {
    let Some(first) = media.first() else { return };
    body.space();
    let short = short_link(dice);
    let span = body.push(&short);
    let kind = if first.kind == MediaKind::Photo { "photo" } else { "video" };
    let display = format!("pic.twitter.com/{}", &short[13..]);
    let expanded = format!("https://twitter.com/{}/status/{id}/{kind}/1", author.handle);
    body.media_link = Some(MediaLink { span, short, display, expanded });
}

/// The text of a retweet: `RT @handle: …`, cut at 140 characters.
pub(crate) fn retweet(original: &Tweet) -> Body {
    let mut body = Body::default();
    body.push("RT ");
    body.push_mention(&original.author);
    body.push(": ");
    body.append(&original.body, 140);
    body.media_link = None;
    body
}

/// The text cut to `max` characters with a link to the whole of it; `None` where it fits.
pub(crate) fn cut(dice: &mut Dice, body: &Body, max: u32, id: u64) -> Option<Box<Body>> {
    if body.chars <= max {
        return None;
    }
    let mut short = Body::default();
    short.append(body, max - 24);
    short.media_link = None;
    short.push(" ");
    let expanded = format!("https://twitter.com/i/web/status/{id}");
    short.push_link(Link { title: None, ..link(dice, expanded) });
    short.display = (body.display.0.min(short.chars), short.chars);
    Some(Box::new(short))
}
