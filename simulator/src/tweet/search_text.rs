//! The parts of a text that rules compare: words, entities in lower case, addresses of links.

use super::body::Body;
use super::words::words;

/// A text prepared for comparison. Tags and handles are in lower case and without their sign.
#[derive(Debug, Default)]
pub(crate) struct SearchText {
    /// The text in lower case.
    pub(crate) text: String,
    /// Its words, without those of shortened links.
    pub(crate) words: Vec<String>,
    pub(crate) hashtags: Vec<String>,
    pub(crate) cashtags: Vec<String>,
    pub(crate) mentions: Vec<String>,
    /// Addresses behind the links, in lower case and without scheme.
    pub(crate) pages: Vec<String>,
    /// The words of each address.
    pub(crate) page_words: Vec<Vec<String>>,
}

impl SearchText {
    pub(crate) fn new(body: &Body) -> SearchText {
        let links = || body.links.iter().chain(&body.media_link).map(|link| &link.item);
        // The random letters of `t.co` links are no words of the text.
        let without_links = links().fold(body.text.clone(), |text, link| text.replacen(&link.short, " ", 1));
        let pages = links().map(|link| link.expanded.split_once("://").map_or(&*link.expanded, |(_, page)| page));
        SearchText {
            text: body.text.to_lowercase(),
            words: words(&without_links),
            hashtags: body.hashtags.iter().map(|tag| tag.item.to_lowercase()).collect(),
            cashtags: body.cashtags.iter().map(|tag| tag.item.to_lowercase()).collect(),
            mentions: body.mentions.iter().map(|mention| mention.item.handle.to_lowercase()).collect(),
            page_words: pages.clone().map(words).collect(),
            pages: pages.map(str::to_lowercase).collect(),
        }
    }
}
