//! What rules look at in a tweet, worked out once: words, entities in lower case, links taken apart.

use super::tokens;
use crate::simulate::tweet::model::{Body, Tweet};

/// What a tweet says, ready for comparison.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The text in lower case.
    pub(crate) text: String,
    /// Its words, without those of shortened links.
    pub(crate) words: Vec<String>,
    /// Hashtags in lower case, without their sign.
    pub(crate) hashtags: Vec<String>,
    /// Cashtags in lower case, without their sign.
    pub(crate) cashtags: Vec<String>,
    /// Handles in lower case, without their sign.
    pub(crate) mentions: Vec<String>,
    /// Pages behind the links, in lower case, without scheme.
    pub(crate) pages: Vec<String>,
    /// The words of each page's address.
    pub(crate) page_words: Vec<Vec<String>>,
}

impl Facts {
    /// The facts of a tweet; of a retweet, those of what it repeats, and that it names the first author.
    pub(crate) fn of(tweet: &Tweet) -> Facts {
        let content = tweet.content();
        let mut facts = Facts::of_body(&content.body);
        if tweet.retweeted.is_some() {
            facts.mentions.push(content.author.handle.to_lowercase());
        }
        facts
    }

    fn of_body(body: &Body) -> Facts {
        let lower = |text: &str| text.to_lowercase();
        let mut facts = Facts {
            text: body.text.to_lowercase(),
            words: tokens::words(&without_links(body)),
            hashtags: body.hashtags.iter().map(|tag| lower(&tag.text)).collect(),
            cashtags: body.cashtags.iter().map(|tag| lower(&tag.text)).collect(),
            mentions: body.mentions.iter().map(|mention| lower(&mention.user.handle)).collect(),
            ..Facts::default()
        };
        let pages =
            body.links.iter().map(|link| &link.expanded).chain(body.media_link.iter().map(|link| &link.expanded));
        for page in pages {
            let bare = page.split_once("://").map_or(page.as_str(), |(_, rest)| rest);
            facts.page_words.push(tokens::words(bare));
            facts.pages.push(bare.to_lowercase());
        }
        facts
    }
}

/// The text with its shortened links blanked out: nobody looks for `t.co`'s random letters.
fn without_links(body: &Body) -> String {
    let mut text = body.text.clone();
    for short in body.links.iter().map(|link| &link.short).chain(body.media_link.iter().map(|link| &link.short)) {
        text = text.replacen(short.as_str(), " ", 1);
    }
    text
}
