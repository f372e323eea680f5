//! Generates tweets: decides who writes, what the tweet refers to, its media and its place.
//!
//! A tweet depends on the seed, its number, its time and the connections' rules only, so the same run gives the same
//! bytes. A rule steers; a tweet that does not match it after some tries is sent as it is, and the connections evaluate
//! their rules themselves.

mod attachments;
mod compose;
mod hints;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use self::hints::{Kind, TargetTweet};
use crate::corpus::{self, corpus};
use crate::rng::Rng;
use crate::rules::expr::{Expr, Has};
use crate::tweet::id::snowflake;
use crate::tweet::model::{Counts, Tweet};
use crate::tweet::users::{User, Users};

/// Tweets kept so that later ones can retweet, quote and answer them.
const RECENT: usize = 600;
/// How many times a tweet is generated until it matches.
const TRIES: usize = 8;
/// Largest age of a referenced tweet that was never on the stream.
const MAX_AGE_MS: u64 = 36 * 3_600_000;

#[derive(Debug)]
pub(crate) struct Generator {
    seed: u64,
    users: Users,
    recent: VecDeque<Arc<Tweet>>,
    /// Referenced tweets generated so far: their ids must differ.
    references: u64,
}

/// What all parts of one tweet share.
struct Draft<'a> {
    rng: &'a mut Rng,
    id: u64,
    created_ms: i64,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Generator {
        Generator { seed, users: Users::new(seed), recent: VecDeque::new(), references: 0 }
    }

    /// Tweet `number`, created at `created_ms`, which should match one of `rules`; any tweet if there are none. Numbers
    /// must come in order.
    pub(crate) fn tweet(&mut self, number: u64, created_ms: i64, rules: &[Arc<Expr>]) -> Arc<Tweet> {
        let mut rng = Rng::numbered(self.seed, b't', number);
        // 21 bits that no nearby number shares; the lowest bit is 1 only in tweets that are just referenced.
        let id = snowflake(created_ms, number.wrapping_mul(0x9e37_79b1) << 1);
        let rule = if rules.is_empty() { &Expr::All(Vec::new()) } else { rng.pick(rules).as_ref() };
        let mut draft = Draft { rng: &mut rng, id, created_ms };
        let mut tweet = self.attempt(&mut draft, rule);
        for _ in 1..TRIES {
            if rule.matches_unsampled(&tweet) {
                break;
            }
            tweet = self.attempt(&mut draft, rule);
        }
        let tweet = Arc::new(tweet);
        if tweet.retweeted.is_none() {
            if self.recent.len() >= RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(Arc::clone(&tweet));
        }
        tweet
    }

    fn attempt(&mut self, draft: &mut Draft<'_>, rule: &Expr) -> Tweet {
        let target = TargetTweet::new(rule, draft.rng);
        let kind = match target.kind {
            _ if target.retweet_of.is_some() => Kind::Retweet,
            _ if target.reply_to.is_some() => Kind::Reply,
            Some(kind) => kind,
            None => match draft.rng.below(100) {
                0..=34 => Kind::Retweet,
                35..=49 => Kind::Quote,
                50..=69 => Kind::Reply,
                _ => Kind::Original,
            },
        };
        match kind {
            Kind::Retweet => self.retweet(draft, &target, rule),
            Kind::Original => self.compose(draft, &target, None, None),
            Kind::Quote => {
                let quoted = self.reference(draft, &TargetTweet::default());
                self.compose(draft, &target, None, Some(quoted))
            }
            Kind::Reply => {
                let parent = self.reference(draft, &TargetTweet::by(target.reply_to.clone()));
                self.compose(draft, &target, Some(parent), None)
            }
        }
    }

    fn author(&mut self, rng: &mut Rng, target: &TargetTweet) -> Arc<User> {
        match &target.author {
            Some(account) => self.users.named(account),
            None => self.users.random_writing(rng, target.lang.as_deref().and_then(corpus::language)),
        }
    }

    /// In half of all cases a recent tweet of the stream that is older than the draft; younger ones more often.
    fn recent(&self, draft: &mut Draft<'_>) -> Option<&Arc<Tweet>> {
        if self.recent.is_empty() || !draft.rng.chance(500) {
            return None;
        }
        let tweet = &self.recent[self.recent.len() - 1 - draft.rng.rank(self.recent.len())];
        (tweet.created_ms < draft.created_ms).then_some(tweet)
    }

    /// A tweet to quote or to answer.
    fn reference(&mut self, draft: &mut Draft<'_>, target: &TargetTweet) -> Arc<Tweet> {
        if target.author.is_none()
            && let Some(tweet) = self.recent(draft)
        {
            return Arc::clone(tweet);
        }
        self.unseen(draft, target)
    }

    /// A tweet from before the draft that was never on the stream.
    fn unseen(&mut self, draft: &mut Draft<'_>, target: &TargetTweet) -> Arc<Tweet> {
        // A random bound below a random bound: most referenced tweets are young.
        let bound = draft.rng.between(60_000, MAX_AGE_MS);
        let created_ms = draft.created_ms - 1000 - draft.rng.below(bound) as i64;
        let id = self.reference_id(created_ms);
        let mut tweet = self.compose(&mut Draft { rng: &mut *draft.rng, id, created_ms }, target, None, None);
        let reach = 10_u64.pow(1 + draft.rng.rank(5) as u32);
        let likes = draft.rng.below(reach);
        tweet.counts = Counts {
            retweets: likes / 5 + 1,
            replies: likes / 12,
            likes,
            quotes: likes / 30,
            bookmarks: likes / 40,
            views: likes * 31 + 17,
        };
        Arc::new(tweet)
    }

    fn reference_id(&mut self, created_ms: i64) -> u64 {
        self.references += 1;
        snowflake(created_ms, (self.references << 1) | 1)
    }

    fn retweet(&mut self, draft: &mut Draft<'_>, target: &TargetTweet, rule: &Expr) -> Tweet {
        let author = self.author(draft.rng, target);
        let known = if target.retweet_of.is_none() { self.recent(draft) } else { None };
        let original = match known.filter(|tweet| rule.matches_unsampled(tweet)) {
            Some(tweet) => Arc::clone(tweet),
            None => self.unseen(draft, &TargetTweet { author: target.retweet_of.clone(), ..target.clone() }),
        };
        let mut tweet = Tweet::new(draft.id, draft.created_ms, author, original.lang);
        tweet.source = draft.rng.pick_ranked(&corpus().clients).as_str();
        tweet.noise = draft.rng.bits();
        tweet.body = compose::retweet(&original);
        tweet.counts.retweets = original.counts.retweets + 1;
        tweet.is_sensitive = original.is_sensitive;
        tweet.topics.clone_from(&original.topics);
        tweet.retweeted = Some(original);
        tweet
    }

    fn compose(
        &mut self,
        draft: &mut Draft<'_>,
        target: &TargetTweet,
        parent: Option<Arc<Tweet>>,
        quoted: Option<Arc<Tweet>>,
    ) -> Tweet {
        let author = self.author(draft.rng, target);
        let Draft { rng, id, created_ms } = draft;
        let (id, created_ms) = (*id, *created_ms);
        let language = target.lang.as_deref().and_then(corpus::language).unwrap_or(author.language);
        let mut tweet = Tweet::new(id, created_ms, author, &corpus().languages[language].code);
        tweet.source = rng.pick_ranked(&corpus().clients).as_str();
        tweet.noise = rng.bits();
        tweet.body = compose::text(rng, &mut self.users, &tweet.author, target, parent.as_deref(), quoted.as_deref());
        if target.has.iter().any(|has| matches!(has, Has::Media | Has::Images | Has::Videos)) || rng.chance(200) {
            tweet.media = attachments::media(rng, target, created_ms);
            compose::add_media_link(&mut tweet.body, rng, &tweet.author, id, &tweet.media);
        } else if quoted.is_none() && rng.chance(6) {
            tweet.poll = Some(attachments::poll(rng, created_ms));
        }
        if tweet.media.is_empty() && quoted.is_none() {
            tweet.body.display.1 = tweet.body.chars;
        }
        tweet.compat = compose::cut(rng, &tweet.body, 140, id);
        tweet.head = compose::cut(rng, &tweet.body, 280, id);
        attachments::add_place(rng, target, &mut tweet);
        tweet.is_sensitive = rng.chance(25);
        if rng.chance(620) {
            let topics = &corpus().topics;
            let first = rng.rank(topics.len());
            tweet.topics = (0..=rng.below(4) as usize).map(|step| &topics[(first + step * 5) % topics.len()]).collect();
        }
        if rng.chance(4) {
            let earlier_ms = created_ms - rng.between(60_000, 25 * 60_000) as i64;
            tweet.earlier_versions = vec![self.reference_id(earlier_ms)];
        }
        if let Some(parent) = parent {
            tweet.conversation = parent.conversation;
            tweet.replied = Some(parent);
        }
        tweet.quoted = quoted;
        tweet
    }
}
