//! A v2 rule as a tree, and whether a tweet matches it (operators of the filtered stream).
//!
//! Case is ignored everywhere. The content of a quoted tweet counts, as it does in the real stream; the content of a
//! retweet is that of the tweet it repeats. A keyword also finds hashtags, handles and words of links' addresses.

use super::area::Area;
use super::facts::Facts;
use super::tokens::has_run;
use crate::simulate::tweet::corpus;
use crate::simulate::tweet::dice::mix;
use crate::simulate::tweet::model::{MediaKind, Tweet};
use crate::simulate::tweet::people::Who;

/// A rule or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// At least one of these.
    Any(Vec<Expr>),
    /// All of these.
    All(Vec<Expr>),
    /// Not this.
    Not(Box<Expr>),
    /// One operator.
    Term(Term),
}

/// What `is:` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Is {
    Retweet,
    Reply,
    Quote,
    Verified,
    Nullcast,
}

/// What `has:` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Has {
    Hashtags,
    Cashtags,
    Links,
    Mentions,
    Media,
    Images,
    Video,
    Geo,
}

/// One operator of a rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    /// Words that follow each other; with the words as they were written.
    Words(Vec<String>, String),
    /// A part of the text: emoji, or a script without spaces.
    Part(String),
    Hashtag(String),
    Mention(String),
    Cashtag(String),
    From(Who),
    To(Who),
    RetweetsOf(Who),
    Lang(String),
    Is(Is),
    Has(Has),
    /// Words that follow each other in a link's address; with the address as it was written.
    Url(Vec<String>, String),
    Country(String),
    /// `bounding_box:`
    Area(Area),
    Conversation(u64),
    /// This many of a hundred.
    Sample(u64),
}

impl Expr {
    /// Whether `tweet` matches.
    pub(crate) fn matches(&self, tweet: &Tweet) -> bool {
        self.holds(tweet, false)
    }

    /// Whether `tweet` would match if every `sample:` let all through: what the generator aims at.
    pub(crate) fn matches_unsampled(&self, tweet: &Tweet) -> bool {
        self.holds(tweet, true)
    }

    fn holds(&self, tweet: &Tweet, unsampled: bool) -> bool {
        match self {
            Expr::Any(parts) => parts.iter().any(|part| part.holds(tweet, unsampled)),
            Expr::All(parts) => parts.iter().all(|part| part.holds(tweet, unsampled)),
            Expr::Not(part) => !part.holds(tweet, unsampled),
            Expr::Term(Term::Sample(_)) if unsampled => true,
            Expr::Term(term) => term.matches(tweet),
        }
    }
}

impl Term {
    /// Whether it may be the only operator of a rule.
    pub(crate) fn stands_alone(&self) -> bool {
        !matches!(self, Term::Lang(_) | Term::Is(_) | Term::Has(_) | Term::Sample(_))
    }

    fn matches(&self, tweet: &Tweet) -> bool {
        let content = tweet.content();
        // The tweet's own facts, and those of the tweet it (or what it repeats) quotes.
        let said = |test: &dyn Fn(&Facts) -> bool| {
            test(tweet.facts()) || content.quoted.as_deref().is_some_and(|quoted| test(quoted.facts()))
        };
        match self {
            Term::Words(words, _) => {
                said(&|facts| has_run(&facts.words, words) || facts.page_words.iter().any(|page| has_run(page, words)))
            }
            Term::Part(part) => said(&|facts| facts.text.contains(part.as_str())),
            Term::Hashtag(tag) => said(&|facts| facts.hashtags.contains(tag)),
            Term::Mention(handle) => said(&|facts| facts.mentions.contains(handle)),
            Term::Cashtag(tag) => said(&|facts| facts.cashtags.contains(tag)),
            Term::Url(words, _) => said(&|facts| facts.page_words.iter().any(|page| has_run(page, words))),
            Term::From(who) => who.is(&tweet.author),
            Term::To(who) => tweet.replied.as_ref().is_some_and(|parent| who.is(&parent.author)),
            Term::RetweetsOf(who) => tweet.retweeted.as_ref().is_some_and(|first| who.is(&first.author)),
            Term::Lang(code) => code.eq_ignore_ascii_case(tweet.lang),
            Term::Is(Is::Retweet) => tweet.retweeted.is_some(),
            Term::Is(Is::Reply) => tweet.replied.is_some(),
            Term::Is(Is::Quote) => content.quoted.is_some(),
            Term::Is(Is::Verified) => tweet.author.verified,
            Term::Is(Is::Nullcast) => false,
            Term::Has(what) => has(content, tweet, *what),
            Term::Country(code) => {
                content.place.is_some_and(|place: &corpus::Place| place.country_code.eq_ignore_ascii_case(code))
            }
            // The tweet's own place: those of retweeted and quoted tweets do not count.
            Term::Area(area) => area.holds(tweet),
            Term::Conversation(id) => tweet.conversation == *id,
            Term::Sample(percent) => mix(tweet.id) % 100 < *percent,
        }
    }
}

fn has(content: &Tweet, tweet: &Tweet, what: Has) -> bool {
    match what {
        Has::Hashtags => !content.body.hashtags.is_empty(),
        Has::Cashtags => !content.body.cashtags.is_empty(),
        Has::Links => !content.body.links.is_empty() || content.body.media_link.is_some(),
        Has::Mentions => !tweet.facts().mentions.is_empty(),
        Has::Media => !content.media.is_empty(),
        Has::Images => content.media.iter().any(|media| media.kind == MediaKind::Photo),
        Has::Video => content.media.iter().any(|media| media.kind == MediaKind::Video),
        Has::Geo => content.place.is_some() || content.point.is_some(),
    }
}
