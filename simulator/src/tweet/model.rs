//! One tweet. The same value is written as a v1.1 status and as a v2 post, so both forms agree.

use std::sync::{Arc, OnceLock};

use super::body::Body;
use super::search_text::SearchText;
use super::users::User;
use crate::corpus::{Place, Topic};

/// Serialized as the `type` of both APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MediaKind {
    Photo,
    Video,
    #[serde(rename = "animated_gif")]
    Gif,
}

/// A picture or a video.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    pub(crate) id: u64,
    pub(crate) kind: MediaKind,
    /// File name without extension.
    pub(crate) file: String,
    pub(crate) width: u64,
    pub(crate) height: u64,
    pub(crate) duration_ms: u64,
    pub(crate) views: u64,
    pub(crate) alt: Option<&'static str>,
}

/// A poll; v1.1 does not show it.
#[derive(Debug, Clone)]
pub(crate) struct Poll {
    pub(crate) id: u64,
    pub(crate) minutes: u64,
    pub(crate) ends_ms: i64,
    pub(crate) options: &'static [String],
}

/// Public metrics at the moment of streaming.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) retweets: u64,
    pub(crate) replies: u64,
    pub(crate) likes: u64,
    pub(crate) quotes: u64,
    pub(crate) bookmarks: u64,
    pub(crate) views: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tweet {
    pub(crate) id: u64,
    /// Milliseconds since the Unix epoch; the id holds the same time.
    pub(crate) created_ms: i64,
    pub(crate) author: Arc<User>,
    pub(crate) lang: &'static str,
    /// The client, as v1.1 writes it.
    pub(crate) source: &'static str,
    /// The whole text; of a retweet, the cut `RT @…: …`.
    pub(crate) body: Body,
    /// The first 140 characters, if the text is longer (v1.1).
    pub(crate) compat: Option<Box<Body>>,
    /// The first 280 characters, if the text is longer (v2).
    pub(crate) head: Option<Box<Body>>,
    pub(crate) media: Vec<Media>,
    pub(crate) poll: Option<Poll>,
    pub(crate) place: Option<&'static Place>,
    /// Longitude and latitude.
    pub(crate) point: Option<(f64, f64)>,
    pub(crate) retweeted: Option<Arc<Tweet>>,
    pub(crate) quoted: Option<Arc<Tweet>>,
    pub(crate) replied: Option<Arc<Tweet>>,
    pub(crate) conversation: u64,
    /// Ids of earlier versions, oldest first.
    pub(crate) earlier_versions: Vec<u64>,
    pub(crate) counts: Counts,
    pub(crate) is_sensitive: bool,
    pub(crate) topics: Vec<&'static Topic>,
    /// Random bits: the order of v2's members and `sample:` depend on them.
    pub(crate) noise: u64,
    search_text: OnceLock<SearchText>,
}

impl Tweet {
    /// A tweet without text.
    pub(crate) fn new(id: u64, created_ms: i64, author: Arc<User>, lang: &'static str) -> Tweet {
        Tweet { id, created_ms, author, lang, conversation: id, ..Tweet::default() }
    }

    /// The retweeted tweet, or this one if it is no retweet.
    pub(crate) fn content(&self) -> &Tweet {
        self.retweeted.as_deref().unwrap_or(self)
    }

    /// The text that rules compare: of a retweet, that of the retweeted tweet with a mention of its author.
    pub(crate) fn search_text(&self) -> &SearchText {
        self.search_text.get_or_init(|| {
            let content = self.content();
            let mut text = SearchText::new(&content.body);
            text.mentions.extend(self.retweeted.as_ref().map(|original| original.author.handle.to_lowercase()));
            text
        })
    }
}
