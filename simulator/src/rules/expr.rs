//! The expression that both kinds of rules become, and whether a tweet matches it.
//!
//! Case is ignored everywhere. v2 also searches the quoted tweet ([`Term::Text`]), v1.1 does not ([`Term::OwnText`]); the
//! text of a retweet is that of the retweeted tweet. A keyword also finds hashtags, handles and words of links' addresses.

use super::area::Area;
use crate::tweet::model::{MediaKind, Tweet};
use crate::tweet::search_text::SearchText;
use crate::tweet::users::Account;
use crate::tweet::words::{has_run, words};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Any(Vec<Expr>),
    /// Matches every tweet if it is empty.
    All(Vec<Expr>),
    Not(Box<Expr>),
    Term(Term),
}

/// Values of `is:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Is {
    Retweet,
    Reply,
    Quote,
    Verified,
    Nullcast,
}

/// Values of `has:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Has {
    Hashtags,
    Cashtags,
    Links,
    Mentions,
    Media,
    Images,
    #[serde(alias = "video_link")]
    Videos,
    Geo,
}

/// Something to find in a text. All but the written forms are in lower case and without sign.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Text {
    /// Consecutive words.
    Words {
        words: Vec<String>,
        written: String,
    },
    /// Any part of the text: emoji, or a script without spaces.
    Part(String),
    /// A word between spaces, with its punctuation.
    Exact(String),
    Hashtag(String),
    Mention(String),
    Cashtag(String),
    /// Consecutive words of a link's address.
    Url {
        words: Vec<String>,
        written: String,
    },
    /// The whole address of a link but for `www.` and a final slash.
    Page(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    /// In the tweet or the quoted tweet.
    Text(Text),
    /// In the tweet.
    OwnText(Text),
    From(Account),
    To(Account),
    RetweetsOf(Account),
    Lang(String),
    Is(Is),
    Has(Has),
    Country(String),
    Within(Area),
    Overlaps(Area),
    Conversation(u64),
    /// Matches this many of a hundred tweets.
    Sample(u64),
}

impl Expr {
    pub(crate) fn matches(&self, tweet: &Tweet) -> bool {
        self.evaluate(tweet, false)
    }

    /// Whether `tweet` matches if every `sample:` lets all tweets through: what the generator aims at.
    pub(crate) fn matches_unsampled(&self, tweet: &Tweet) -> bool {
        self.evaluate(tweet, true)
    }

    fn evaluate(&self, tweet: &Tweet, is_unsampled: bool) -> bool {
        match self {
            Expr::Any(parts) => parts.iter().any(|part| part.evaluate(tweet, is_unsampled)),
            Expr::All(parts) => parts.iter().all(|part| part.evaluate(tweet, is_unsampled)),
            Expr::Not(part) => !part.evaluate(tweet, is_unsampled),
            Expr::Term(Term::Sample(_)) if is_unsampled => true,
            Expr::Term(term) => term.matches(tweet),
        }
    }
}

impl Term {
    /// Whether a rule may consist of this term alone.
    pub(crate) fn is_standalone(&self) -> bool {
        !matches!(self, Term::Lang(_) | Term::Is(_) | Term::Has(_) | Term::Sample(_))
    }

    fn matches(&self, tweet: &Tweet) -> bool {
        let content = tweet.content();
        match self {
            Term::OwnText(text) => text.is_in(tweet.search_text()),
            Term::Text(text) => {
                text.is_in(tweet.search_text())
                    || content.quoted.as_ref().is_some_and(|quoted| text.is_in(quoted.search_text()))
            }
            Term::From(account) => account.is(&tweet.author),
            Term::To(account) => tweet.replied.as_ref().is_some_and(|parent| account.is(&parent.author)),
            Term::RetweetsOf(account) => tweet.retweeted.as_ref().is_some_and(|original| account.is(&original.author)),
            Term::Lang(code) => code.eq_ignore_ascii_case(tweet.lang),
            Term::Is(Is::Retweet) => tweet.retweeted.is_some(),
            Term::Is(Is::Reply) => tweet.replied.is_some(),
            Term::Is(Is::Quote) => content.quoted.is_some(),
            Term::Is(Is::Verified) => tweet.author.is_verified,
            Term::Is(Is::Nullcast) => false,
            Term::Has(has) => has.matches(tweet),
            Term::Country(code) => content.place.is_some_and(|place| place.country_code.eq_ignore_ascii_case(code)),
            // Places of retweeted and quoted tweets do not count.
            Term::Within(area) => area.matches(tweet, Area::contains),
            Term::Overlaps(area) => area.matches(tweet, Area::overlaps),
            Term::Conversation(id) => tweet.conversation == *id,
            Term::Sample(percent) => tweet.noise % 100 < *percent,
        }
    }
}

impl Text {
    /// Consecutive words, or a part of the text if `text` has no words that spaces separate.
    pub(crate) fn keyword(text: &str) -> Text {
        if crate::tweet::words::is_part(text) {
            Text::Part(text.to_lowercase())
        } else {
            Text::Words { words: words(text), written: text.to_owned() }
        }
    }

    fn is_in(&self, text: &SearchText) -> bool {
        match self {
            Text::Words { words, .. } => {
                let is_handle = matches!(&words[..], [word] if text.mentions.contains(word));
                is_handle || has_run(&text.words, words) || text.page_words.iter().any(|page| has_run(page, words))
            }
            Text::Part(part) => text.text.contains(part.as_str()),
            Text::Exact(word) => text.text.split_whitespace().any(|other| other == word),
            Text::Hashtag(tag) => text.hashtags.contains(tag),
            Text::Mention(handle) => text.mentions.contains(handle),
            Text::Cashtag(tag) => text.cashtags.contains(tag),
            Text::Url { words, .. } => text.page_words.iter().any(|page| has_run(page, words)),
            Text::Page(page) => {
                let bare = |page: &str| page.strip_prefix("www.").unwrap_or(page).trim_end_matches('/').to_owned();
                text.pages.iter().any(|other| bare(other) == bare(page))
            }
        }
    }
}

impl Has {
    fn matches(self, tweet: &Tweet) -> bool {
        let content = tweet.content();
        let has_media = |kind| content.media.iter().any(|media| media.kind == kind);
        match self {
            Has::Hashtags => !content.body.hashtags.is_empty(),
            Has::Cashtags => !content.body.cashtags.is_empty(),
            Has::Links => !content.body.links.is_empty() || content.body.media_link.is_some(),
            Has::Mentions => !tweet.search_text().mentions.is_empty(),
            Has::Media => !content.media.is_empty(),
            Has::Images => has_media(MediaKind::Photo),
            Has::Videos => has_media(MediaKind::Video),
            Has::Geo => content.place.is_some() || content.point.is_some(),
        }
    }
}
