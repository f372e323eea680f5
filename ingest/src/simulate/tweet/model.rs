//! What a tweet is before it has a wire form: text with its entities, author, references, media.
//!
//! One value of this kind is written as a v1.1 status and as a v2 post ([`super::v1`], [`super::v2`]), so both forms of a
//! tweet agree. All spans are code points of the text, as both APIs count them. Nothing here knows of connections.

use std::sync::{Arc, OnceLock};

use super::people::User;
use crate::simulate::rules::facts::Facts;

/// Code points `start..end` of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A hashtag or cashtag, without its sign.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) span: Span,
    pub(crate) text: String,
}

/// A user's handle in a text.
#[derive(Debug, Clone)]
pub(crate) struct Mention {
    pub(crate) span: Span,
    pub(crate) user: Arc<User>,
}

/// A shortened link in a text.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) span: Span,
    pub(crate) short: String,
    pub(crate) expanded: String,
    pub(crate) display: String,
    /// Title of the page, where the link was unwound.
    pub(crate) title: Option<&'static str>,
}

/// A name that the service recognised in a text.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) span: Span,
    pub(crate) text: &'static str,
    pub(crate) kind: &'static str,
}

/// The link at the end of a text that stands for its media.
#[derive(Debug, Clone)]
pub(crate) struct MediaLink {
    pub(crate) span: Span,
    pub(crate) short: String,
    pub(crate) display: String,
    pub(crate) expanded: String,
}

/// A text and what stands in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body {
    pub(crate) text: String,
    /// Code points in `text`.
    pub(crate) chars: u32,
    /// Code points shown: without leading mentions of a reply and the media link.
    pub(crate) display: (u32, u32),
    pub(crate) hashtags: Vec<Tag>,
    pub(crate) cashtags: Vec<Tag>,
    pub(crate) mentions: Vec<Mention>,
    pub(crate) links: Vec<Link>,
    pub(crate) names: Vec<Name>,
    pub(crate) media_link: Option<MediaLink>,
}

/// Kinds of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaKind {
    Photo,
    Video,
    Gif,
}

/// A picture or film.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    pub(crate) id: u64,
    pub(crate) kind: MediaKind,
    pub(crate) file: String,
    pub(crate) width: u64,
    pub(crate) height: u64,
    pub(crate) duration_ms: u64,
    pub(crate) views: u64,
    pub(crate) alt: Option<&'static str>,
}

/// A poll; v1.1 never showed them.
#[derive(Debug, Clone)]
pub(crate) struct Poll {
    pub(crate) id: u64,
    pub(crate) minutes: u64,
    pub(crate) ends_ms: i64,
    pub(crate) options: Vec<&'static str>,
}

/// How often a tweet was answered, liked, …, at the moment it is streamed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) retweets: u64,
    pub(crate) replies: u64,
    pub(crate) likes: u64,
    pub(crate) quotes: u64,
    pub(crate) bookmarks: u64,
    pub(crate) views: u64,
}

/// One tweet.
#[derive(Debug)]
pub(crate) struct Tweet {
    pub(crate) id: u64,
    /// When it was written, milliseconds since the epoch; the id holds the same time.
    pub(crate) created_ms: i64,
    pub(crate) author: Arc<User>,
    pub(crate) lang: &'static str,
    /// Client name and its page.
    pub(crate) source: (&'static str, &'static str),
    /// The whole text; of a retweet, the cut `RT @…: …`.
    pub(crate) body: Body,
    /// v1.1's 140 characters, where the text is longer.
    pub(crate) compat: Option<Box<Body>>,
    /// v2's 280 characters, where the text is longer (a note).
    pub(crate) head: Option<Box<Body>>,
    pub(crate) media: Vec<Media>,
    pub(crate) poll: Option<Poll>,
    pub(crate) place: Option<&'static super::corpus::Place>,
    /// Longitude and latitude.
    pub(crate) point: Option<(f64, f64)>,
    pub(crate) retweeted: Option<Arc<Tweet>>,
    pub(crate) quoted: Option<Arc<Tweet>>,
    pub(crate) replied: Option<Arc<Tweet>>,
    pub(crate) conversation: u64,
    /// Earlier versions of this tweet, oldest first.
    pub(crate) earlier_versions: Vec<u64>,
    pub(crate) counts: Counts,
    pub(crate) sensitive: bool,
    /// Indices into the topics of the corpus.
    pub(crate) topics: Vec<usize>,
    pub(crate) facts: OnceLock<Facts>,
}

impl Tweet {
    /// The tweet whose words these are: of a retweet, the one it repeats.
    pub(crate) fn content(&self) -> &Tweet {
        self.retweeted.as_deref().unwrap_or(self)
    }

    /// What the rules look at; worked out once a tweet.
    pub(crate) fn facts(&self) -> &Facts {
        self.facts.get_or_init(|| Facts::of(self))
    }
}

impl Span {
    fn moved(self, by: u32) -> Span {
        Span { start: self.start + by, end: self.end + by }
    }
}

impl Body {
    /// Adds text without entities.
    pub(crate) fn push(&mut self, text: &str) -> Span {
        let start = self.chars;
        self.text.push_str(text);
        self.chars += text.chars().count() as u32;
        Span { start, end: self.chars }
    }

    /// Adds one space unless the text is empty or ends with white space.
    pub(crate) fn space(&mut self) {
        if self.text.chars().next_back().is_some_and(|last| !last.is_whitespace()) {
            self.push(" ");
        }
    }

    /// Adds a hashtag with its sign.
    pub(crate) fn push_hashtag(&mut self, tag: &str) {
        let start = self.push("#").start;
        let end = self.push(tag).end;
        self.hashtags.push(Tag { span: Span { start, end }, text: tag.to_owned() });
    }

    /// Adds a cashtag with its sign.
    pub(crate) fn push_cashtag(&mut self, tag: &str) {
        let start = self.push("$").start;
        let end = self.push(tag).end;
        self.cashtags.push(Tag { span: Span { start, end }, text: tag.to_owned() });
    }

    /// Adds a handle with its sign.
    pub(crate) fn push_mention(&mut self, user: &Arc<User>) {
        let start = self.push("@").start;
        let end = self.push(&user.handle).end;
        self.mentions.push(Mention { span: Span { start, end }, user: Arc::clone(user) });
    }

    /// Adds a link in its short form.
    pub(crate) fn push_link(&mut self, mut link: Link) {
        let short = std::mem::take(&mut link.short);
        link.span = self.push(&short);
        link.short = short;
        self.links.push(link);
    }

    /// Appends as much of `other` as leaves this text at most `max` code points long, with the entities that fit whole;
    /// a cut text ends with `…`. Returns whether all of it fitted.
    pub(crate) fn append(&mut self, other: &Body, max: u32) -> bool {
        let by = self.chars;
        let whole = by + other.chars <= max;
        let room = if whole { other.chars } else { (max - by).saturating_sub(1) };
        let end = other.text.char_indices().nth(room as usize).map_or(other.text.len(), |(at, _)| at);
        self.push(&other.text[..end]);
        let fits = |span: &Span| span.end <= room;
        let tag = |tag: &Tag| Tag { span: tag.span.moved(by), text: tag.text.clone() };
        self.hashtags.extend(other.hashtags.iter().filter(|item| fits(&item.span)).map(tag));
        self.cashtags.extend(other.cashtags.iter().filter(|item| fits(&item.span)).map(tag));
        for item in other.mentions.iter().filter(|item| fits(&item.span)) {
            self.mentions.push(Mention { span: item.span.moved(by), user: Arc::clone(&item.user) });
        }
        for item in other.links.iter().filter(|item| fits(&item.span)) {
            self.links.push(Link { span: item.span.moved(by), ..item.clone() });
        }
        for item in other.names.iter().filter(|item| fits(&item.span)) {
            self.names.push(Name { span: item.span.moved(by), ..item.clone() });
        }
        if let Some(link) = other.media_link.as_ref().filter(|link| fits(&link.span)) {
            self.media_link = Some(MediaLink { span: link.span.moved(by), ..link.clone() });
        }
        if !whole {
            self.push("…");
        }
        self.display = (0, self.chars);
        whole
    }
}
