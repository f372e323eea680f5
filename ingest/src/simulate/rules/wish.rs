//! The way back from a rule: what a tweet must be like so that the rule is likely to match it.
//!
//! A wish is a hint for the generator and nothing more; whether the tweet matches is always evaluated afterwards.

use super::area::Area;
use super::expr::{Expr, Has, Is, Term};
use super::track::Filter;
use crate::simulate::tweet::dice::Dice;
use crate::simulate::tweet::people::Who;

/// Kinds of tweets by what they refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Original,
    Retweet,
    Quote,
    Reply,
}

/// What a tweet should have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    pub(crate) texts: Vec<String>,
    pub(crate) hashtags: Vec<String>,
    pub(crate) cashtags: Vec<String>,
    pub(crate) mentions: Vec<String>,
    pub(crate) urls: Vec<String>,
    pub(crate) author: Option<Who>,
    pub(crate) reply_to: Option<Who>,
    pub(crate) retweet_of: Option<Who>,
    pub(crate) lang: Option<String>,
    pub(crate) country: Option<String>,
    pub(crate) area: Option<Area>,
    pub(crate) kind: Option<Kind>,
    pub(crate) any_hashtag: bool,
    pub(crate) any_cashtag: bool,
    pub(crate) any_link: bool,
    pub(crate) any_mention: bool,
    pub(crate) image: bool,
    pub(crate) video: bool,
    pub(crate) place: bool,
}

/// Whoever decides which tweets are wanted.
#[derive(Debug, Clone)]
pub(crate) enum Demand {
    /// Anything (the sample stream).
    Anything,
    /// What this rule matches.
    Rule(std::sync::Arc<Expr>),
    /// What these v1.1 parameters match.
    Filter(std::sync::Arc<Filter>),
}

impl Demand {
    /// One way to satisfy it, by chance.
    pub(crate) fn wish(&self, dice: &mut Dice) -> Wish {
        let mut wish = Wish::default();
        match self {
            Demand::Anything => {}
            Demand::Rule(rule) => grant(rule, &mut wish, dice),
            Demand::Filter(filter) => filter.grant(&mut wish, dice),
        }
        wish
    }

    /// Whether `tweet` satisfies it.
    pub(crate) fn met_by(&self, tweet: &crate::simulate::tweet::model::Tweet) -> bool {
        match self {
            Demand::Anything => true,
            Demand::Rule(rule) => rule.matches_unsampled(tweet),
            Demand::Filter(filter) => filter.matches(tweet),
        }
    }
}

fn grant(expr: &Expr, wish: &mut Wish, dice: &mut Dice) {
    match expr {
        Expr::Any(parts) if !parts.is_empty() => grant(dice.pick(parts), wish, dice),
        Expr::All(parts) => parts.iter().for_each(|part| grant(part, wish, dice)),
        Expr::Any(_) => {}
        Expr::Not(part) => match **part {
            Expr::Term(Term::Is(Is::Retweet)) if wish.kind.is_none() => {
                wish.kind = Some(*dice.pick(&[Kind::Original, Kind::Original, Kind::Reply, Kind::Quote]));
            }
            Expr::Term(Term::Is(Is::Reply | Is::Quote)) if wish.kind.is_none() => {
                wish.kind = Some(*dice.pick(&[Kind::Original, Kind::Retweet]));
            }
            _ => {}
        },
        Expr::Term(term) => grant_term(term, wish),
    }
}

fn grant_term(term: &Term, wish: &mut Wish) {
    match term {
        Term::Words(_, text) | Term::Part(text) => wish.texts.push(text.clone()),
        Term::Hashtag(tag) => wish.hashtags.push(tag.clone()),
        Term::Cashtag(tag) => wish.cashtags.push(tag.to_uppercase()),
        Term::Mention(handle) => wish.mentions.push(handle.clone()),
        Term::Url(_, address) => wish.urls.push(address.clone()),
        Term::From(who) => wish.author = Some(who.clone()),
        Term::To(who) => {
            wish.reply_to = Some(who.clone());
            wish.kind = Some(Kind::Reply);
        }
        Term::RetweetsOf(who) => {
            wish.retweet_of = Some(who.clone());
            wish.kind = Some(Kind::Retweet);
        }
        Term::Lang(code) => wish.lang = Some(code.clone()),
        Term::Area(area) => {
            wish.area = Some(*area);
            wish.kind = wish.kind.or(Some(Kind::Original));
        }
        Term::Country(code) => wish.country = Some(code.clone()),
        Term::Is(Is::Retweet) => wish.kind = Some(Kind::Retweet),
        Term::Is(Is::Reply) => wish.kind = Some(Kind::Reply),
        Term::Is(Is::Quote) => wish.kind = Some(Kind::Quote),
        Term::Has(Has::Hashtags) => wish.any_hashtag = true,
        Term::Has(Has::Cashtags) => wish.any_cashtag = true,
        Term::Has(Has::Links) => wish.any_link = true,
        Term::Has(Has::Mentions) => wish.any_mention = true,
        Term::Has(Has::Media | Has::Images) => wish.image = true,
        Term::Has(Has::Video) => wish.video = true,
        Term::Has(Has::Geo) => wish.place = true,
        // Chance brings these often enough, or nothing can.
        Term::Is(Is::Verified | Is::Nullcast) | Term::Sample(_) | Term::Conversation(_) => {}
    }
}
