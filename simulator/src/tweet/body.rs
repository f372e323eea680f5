//! A text and the entities in it. Spans count code points, as both APIs do; they are recorded while the text grows.

use std::sync::Arc;

use super::users::User;
use crate::corpus::Name;

/// Code points `start..end` of a text.
pub(crate) type Span = (u32, u32);

/// An entity and where it is in the text.
#[derive(Debug, Clone)]
pub(crate) struct Spanned<T> {
    pub(crate) span: Span,
    pub(crate) item: T,
}

/// A shortened link.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// `https://t.co/…`, as it stands in the text.
    pub(crate) short: String,
    pub(crate) expanded: String,
    pub(crate) display: String,
    /// Title and image number of the page, if the service followed the link.
    pub(crate) preview: Option<(&'static str, u64)>,
}

/// A text with its entities.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body {
    pub(crate) text: String,
    /// Code points in `text`.
    pub(crate) chars: u32,
    /// The displayed part: without the leading mention of a reply and without the media link.
    pub(crate) display: Span,
    /// Without `#`.
    pub(crate) hashtags: Vec<Spanned<String>>,
    /// Without `$`.
    pub(crate) cashtags: Vec<Spanned<String>>,
    pub(crate) mentions: Vec<Spanned<Arc<User>>>,
    pub(crate) links: Vec<Spanned<Link>>,
    pub(crate) names: Vec<Spanned<&'static Name>>,
    /// The link at the end that stands for the media.
    pub(crate) media_link: Option<Spanned<Link>>,
}

impl Body {
    /// Appends text without entities.
    pub(crate) fn push(&mut self, text: &str) -> Span {
        let start = self.chars;
        self.text.push_str(text);
        self.chars += text.chars().count() as u32;
        (start, self.chars)
    }

    /// Appends a space unless the text is empty or ends with white space.
    pub(crate) fn push_space(&mut self) {
        if self.text.chars().next_back().is_some_and(|last| !last.is_whitespace()) {
            self.push(" ");
        }
    }

    fn push_signed(&mut self, sign: &str, text: &str) -> Span {
        (self.push(sign).0, self.push(text).1)
    }

    pub(crate) fn push_hashtag(&mut self, tag: String) {
        let span = self.push_signed("#", &tag);
        self.hashtags.push(Spanned { span, item: tag });
    }

    pub(crate) fn push_cashtag(&mut self, tag: String) {
        let span = self.push_signed("$", &tag);
        self.cashtags.push(Spanned { span, item: tag });
    }

    pub(crate) fn push_mention(&mut self, user: &Arc<User>) {
        let span = self.push_signed("@", &user.handle);
        self.mentions.push(Spanned { span, item: Arc::clone(user) });
    }

    pub(crate) fn push_link(&mut self, link: Link) {
        let span = self.push(&link.short);
        self.links.push(Spanned { span, item: link });
    }

    pub(crate) fn push_name(&mut self, name: &'static Name) {
        let span = self.push(&name.text);
        self.names.push(Spanned { span, item: name });
    }

    /// Appends as much of `other` as keeps this text within `max` code points, with the entities that fit as a whole. A
    /// cut text ends with `…`.
    pub(crate) fn append(&mut self, other: &Body, max: u32) {
        let offset = self.chars;
        let is_whole = offset + other.chars <= max;
        let room = if is_whole { other.chars } else { (max - offset).saturating_sub(1) };
        let end = other.text.char_indices().nth(room as usize).map_or(other.text.len(), |(at, _)| at);
        self.push(&other.text[..end]);
        self.hashtags.extend(fitting(&other.hashtags, room, offset));
        self.cashtags.extend(fitting(&other.cashtags, room, offset));
        self.mentions.extend(fitting(&other.mentions, room, offset));
        self.links.extend(fitting(&other.links, room, offset));
        self.names.extend(fitting(&other.names, room, offset));
        if !is_whole {
            self.push("…");
        }
        self.display = (0, self.chars);
    }
}

/// The entities that end within `room`, moved by `offset`.
fn fitting<T: Clone>(entities: &[Spanned<T>], room: u32, offset: u32) -> impl Iterator<Item = Spanned<T>> {
    entities
        .iter()
        .filter(move |entity| entity.span.1 <= room)
        .map(move |Spanned { span, item }| Spanned { span: (span.0 + offset, span.1 + offset), item: item.clone() })
}
