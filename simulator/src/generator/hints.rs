//! From a rule to a tweet that is likely to match it.
//!
//! Hints steer the generator and prove nothing: whether the tweet matches is always evaluated afterwards.

use crate::rng::Rng;
use crate::rules::area::Area;
use crate::rules::expr::{Expr, Has, Is, Term, Text};
use crate::tweet::users::Account;

/// What a tweet refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Original,
    Retweet,
    Quote,
    Reply,
}

/// Properties that the next tweet should have.
#[derive(Debug, Clone, Default)]
pub(crate) struct TargetTweet {
    pub(crate) texts: Vec<Text>,
    pub(crate) has: Vec<Has>,
    pub(crate) author: Option<Account>,
    pub(crate) reply_to: Option<Account>,
    pub(crate) retweet_of: Option<Account>,
    pub(crate) lang: Option<String>,
    pub(crate) country: Option<String>,
    pub(crate) area: Option<Area>,
    pub(crate) kind: Option<Kind>,
}

impl TargetTweet {
    /// One random way to match `expr`.
    pub(crate) fn new(expr: &Expr, rng: &mut Rng) -> TargetTweet {
        let mut target = TargetTweet::default();
        target.add(expr, rng);
        target
    }

    pub(crate) fn by(author: Option<Account>) -> TargetTweet {
        TargetTweet { author, ..TargetTweet::default() }
    }

    fn add(&mut self, expr: &Expr, rng: &mut Rng) {
        match expr {
            Expr::Any(parts) => self.add(rng.pick(parts), rng),
            Expr::All(parts) => parts.iter().for_each(|part| self.add(part, rng)),
            Expr::Not(part) if self.kind.is_none() => {
                let kinds = match **part {
                    Expr::Term(Term::Is(Is::Retweet)) => [Kind::Original, Kind::Original, Kind::Reply, Kind::Quote],
                    Expr::Term(Term::Is(Is::Reply | Is::Quote)) => {
                        [Kind::Original, Kind::Original, Kind::Retweet, Kind::Retweet]
                    }
                    _ => return,
                };
                self.kind = Some(*rng.pick(&kinds));
            }
            Expr::Not(_) => {}
            Expr::Term(term) => self.add_term(term),
        }
    }

    fn add_term(&mut self, term: &Term) {
        match term {
            Term::Text(text) | Term::OwnText(text) => self.texts.push(text.clone()),
            Term::Has(has) => self.has.push(*has),
            Term::From(account) => self.author = Some(account.clone()),
            Term::To(account) => self.reply_to = Some(account.clone()),
            Term::RetweetsOf(account) => self.retweet_of = Some(account.clone()),
            Term::Lang(code) => self.lang = Some(code.clone()),
            Term::Country(code) => self.country = Some(code.clone()),
            Term::Within(area) | Term::Overlaps(area) => {
                self.area = Some(*area);
                self.kind = self.kind.or(Some(Kind::Original));
            }
            Term::Is(Is::Retweet) => self.kind = Some(Kind::Retweet),
            Term::Is(Is::Reply) => self.kind = Some(Kind::Reply),
            Term::Is(Is::Quote) => self.kind = Some(Kind::Quote),
            // Random tweets have these often enough, or the generator cannot make them.
            Term::Is(Is::Verified | Is::Nullcast) | Term::Sample(_) | Term::Conversation(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_one_way_to_match_the_rule() {
        let rule = crate::rules::v2::parse("(from:alice OR #bird) lang:fr -is:retweet", 1024).expect("a valid rule");
        let mut rng = Rng::new(1, b"hints");
        for _ in 0..50 {
            let target = TargetTweet::new(&rule, &mut rng);
            assert_eq!(target.lang.as_deref(), Some("fr"));
            assert_ne!(target.author.is_some(), target.texts == [Text::Hashtag("bird".to_owned())]);
            assert!(target.kind.is_some_and(|kind| kind != Kind::Retweet));
        }
    }
}
