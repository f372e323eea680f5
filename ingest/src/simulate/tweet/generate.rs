//! Decides what the next tweet is: who writes, what it refers to, which media and places it has.
//!
//! The next tweet depends on the seed, on its turn, on its time and on the demands alone, so that the same run gives the
//! same bytes. A demand steers; a tweet that does not meet it after some tries is let go as it is, and whoever sends it
//! evaluates the rules for himself.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use super::dice::Dice;
use super::model::{Counts, Media, MediaKind, Poll, Tweet};
use super::people::{People, User, Who, word};
use super::{compose, corpus};
use crate::simulate::clock::snowflake;
use crate::simulate::rules::area::Area;
use crate::simulate::rules::wish::{Demand, Kind, Wish};

/// Tweets kept so that later ones can repeat, quote and answer them.
const RECENT: usize = 600;
/// How often a tweet is written anew because it does not meet the demand.
const TRIES: usize = 8;
/// The furthest that a tweet never seen on the stream lies before the one that refers to it.
const MAX_AGE_MS: u64 = 36 * 3_600_000;

/// Makes tweets, one a turn.
#[derive(Debug)]
pub(crate) struct Generator {
    seed: u64,
    people: People,
    recent: VecDeque<Arc<Tweet>>,
    references: u64,
}

impl Generator {
    /// The tweets of this seed.
    pub(crate) fn new(seed: u64) -> Generator {
        Generator { seed, people: People::new(seed), recent: VecDeque::new(), references: 0 }
    }

    /// The tweet of `turn`, written at `created_ms`. Turns must come in order.
    pub(crate) fn tweet(&mut self, turn: u64, created_ms: i64, demands: &[Demand]) -> Arc<Tweet> {
        let mut dice = Dice::new(self.seed, turn);
        // 21 bits that no other turn near it has; the lowest bit is 0, and 1 for tweets that were only referred to.
        let id = snowflake(created_ms, turn.wrapping_mul(0x9e37_79b1) << 1);
        let anything = [Demand::Anything];
        let demand = dice.pick(if demands.is_empty() { &anything } else { demands }).clone();
        let mut tweet = self.attempt(&mut dice, id, created_ms, &demand);
        for _ in 1..TRIES {
            if demand.met_by(&tweet) {
                break;
            }
            tweet = self.attempt(&mut dice, id, created_ms, &demand);
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

    fn attempt(&mut self, dice: &mut Dice, id: u64, created_ms: i64, demand: &Demand) -> Tweet {
        let wish = demand.wish(dice);
        let forced = if wish.retweet_of.is_some() {
            Some(Kind::Retweet)
        } else if wish.reply_to.is_some() {
            Some(Kind::Reply)
        } else {
            wish.kind
        };
        let kind = forced.unwrap_or_else(|| match dice.below(100) {
            0..=34 => Kind::Retweet,
            35..=49 => Kind::Quote,
            50..=69 => Kind::Reply,
            _ => Kind::Original,
        });
        match kind {
            Kind::Retweet => self.retweet(dice, id, created_ms, &wish, demand),
            Kind::Original => self.compose(dice, id, created_ms, &wish, None, None),
            Kind::Quote => {
                let quoted = self.reference(dice, created_ms, &Wish::default());
                self.compose(dice, id, created_ms, &wish, None, Some(quoted))
            }
            Kind::Reply => {
                let other = Wish { author: wish.reply_to.clone(), ..Wish::default() };
                let parent = self.reference(dice, created_ms, &other);
                self.compose(dice, id, created_ms, &wish, Some(parent), None)
            }
        }
    }

    fn author(&mut self, dice: &mut Dice, wish: &Wish) -> Arc<User> {
        if let Some(who) = &wish.author {
            let spelt = if let Who::Handle(handle) = who { handle.clone() } else { String::new() };
            return self.people.named(who, &spelt);
        }
        self.people.somebody_writing(dice, wish.lang.as_deref().and_then(corpus::language))
    }

    /// An earlier tweet: one that was on the stream, or one that nobody has seen here before.
    fn reference(&mut self, dice: &mut Dice, before_ms: i64, wish: &Wish) -> Arc<Tweet> {
        if wish.author.is_none() && !self.recent.is_empty() && dice.chance(500) {
            // New ones more often: the far end of the queue is the youngest.
            let back = dice.rank(self.recent.len());
            let known = &self.recent[self.recent.len() - 1 - back];
            if known.created_ms < before_ms {
                return Arc::clone(known);
            }
        }
        self.unseen(dice, before_ms, wish)
    }

    fn unseen(&mut self, dice: &mut Dice, before_ms: i64, wish: &Wish) -> Arc<Tweet> {
        // Below a random bound: most that is repeated is young.
        let bound = dice.between(60_000, MAX_AGE_MS);
        let age = dice.below(bound) + 1000;
        let created_ms = before_ms - age as i64;
        self.references += 1;
        let id = snowflake(created_ms, (self.references << 1) | 1);
        let mut tweet = self.compose(dice, id, created_ms, wish, None, None);
        let reach = 10_u64.pow(1 + dice.rank(5) as u32);
        let likes = dice.below(reach);
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

    fn retweet(&mut self, dice: &mut Dice, id: u64, created_ms: i64, wish: &Wish, demand: &Demand) -> Tweet {
        let author = self.author(dice, wish);
        let wanted = Wish { author: wish.retweet_of.clone(), ..wish.clone() };
        let mut original = None;
        if wish.retweet_of.is_none() && !self.recent.is_empty() && dice.chance(500) {
            let back = dice.rank(self.recent.len());
            let known = &self.recent[self.recent.len() - 1 - back];
            if known.created_ms < created_ms && demand.met_by(known) {
                original = Some(Arc::clone(known));
            }
        }
        let original = match original {
            Some(known) => known,
            None => self.unseen(dice, created_ms, &wanted),
        };
        let mut tweet = blank(id, created_ms, author, original.lang, *dice.favour(&corpus::CLIENTS));
        tweet.body = compose::retweet(&original);
        tweet.counts.retweets = original.counts.retweets + 1;
        tweet.sensitive = original.sensitive;
        tweet.topics.clone_from(&original.topics);
        tweet.retweeted = Some(original);
        tweet
    }

    fn compose(
        &mut self,
        dice: &mut Dice,
        id: u64,
        created_ms: i64,
        wish: &Wish,
        to: Option<Arc<Tweet>>,
        quoted: Option<Arc<Tweet>>,
    ) -> Tweet {
        let author = self.author(dice, wish);
        let language = wish.lang.as_deref().and_then(corpus::language).unwrap_or(author.language);
        let lang = corpus::languages()[language].code;
        let body = compose::write(dice, &mut self.people, &author, wish, to.as_deref(), quoted.as_deref());
        let mut tweet = blank(id, created_ms, author, lang, *dice.favour(&corpus::CLIENTS));
        tweet.body = body;
        if wish.image || wish.video || dice.chance(200) {
            tweet.media = media(dice, wish, created_ms);
            compose::add_media_link(&mut tweet.body, dice, &tweet.author, id, &tweet.media);
        } else if quoted.is_none() && dice.chance(6) {
            tweet.poll = Some(poll(dice, created_ms));
        }
        if tweet.media.is_empty() && quoted.is_none() {
            tweet.body.display.1 = tweet.body.chars;
        }
        tweet.compat = compose::cut(dice, &tweet.body, 140, id);
        tweet.head = compose::cut(dice, &tweet.body, 280, id);
        place(dice, wish, &mut tweet);
        tweet.sensitive = dice.chance(25);
        if dice.chance(620) {
            let first = dice.rank(corpus::TOPICS.len());
            tweet.topics = (0..=dice.below(4) as usize).map(|step| (first + step * 5) % corpus::TOPICS.len()).collect();
        }
        if dice.chance(4) {
            let back = dice.between(60_000, 25 * 60_000) as i64;
            self.references += 1;
            tweet.earlier_versions = vec![snowflake(created_ms - back, (self.references << 1) | 1)];
        }
        if let Some(parent) = to {
            tweet.conversation = parent.conversation;
            tweet.replied = Some(parent);
        }
        tweet.quoted = quoted;
        tweet
    }
}

/// A tweet without text.
pub(crate) fn blank(
    id: u64,
    created_ms: i64,
    author: Arc<User>,
    lang: &'static str,
    source: (&'static str, &'static str),
) -> Tweet {
    Tweet {
        id,
        created_ms,
        author,
        lang,
        source,
        body: super::model::Body::default(),
        compat: None,
        head: None,
        media: Vec::new(),
        poll: None,
        place: None,
        point: None,
        retweeted: None,
        quoted: None,
        replied: None,
        conversation: id,
        earlier_versions: Vec::new(),
        counts: Counts::default(),
        sensitive: false,
        topics: Vec::new(),
        facts: OnceLock::new(),
    }
}

fn media(dice: &mut Dice, wish: &Wish, created_ms: i64) -> Vec<Media> {
    let kind = match dice.below(100) {
        _ if wish.video => MediaKind::Video,
        _ if wish.image => MediaKind::Photo,
        0..=79 => MediaKind::Photo,
        80..=94 => MediaKind::Video,
        _ => MediaKind::Gif,
    };
    let count = if kind == MediaKind::Photo { 1 + dice.rank(4) as u64 } else { 1 };
    (0..count)
        .map(|_| {
            let (width, height) = *dice.pick(&[(1200, 675), (1080, 1350), (2048, 1536), (720, 1280), (1280, 720)]);
            Media {
                id: snowflake(created_ms - dice.between(900, 40_000) as i64, dice.next()),
                kind,
                file: word(dice, 15),
                width,
                height,
                duration_ms: if kind == MediaKind::Photo { 0 } else { dice.between(3_000, 140_000) },
                views: dice.below(900),
                alt: dice.chance(180).then_some("a street in the evening, wet from the rain"),
            }
        })
        .collect()
}

fn poll(dice: &mut Dice, created_ms: i64) -> Poll {
    let minutes = *dice.pick(&[60, 1440, 4320, 10_080]);
    let options = dice.pick(&corpus::POLLS).iter().copied().filter(|option| !option.is_empty()).collect();
    Poll {
        id: snowflake(created_ms - 400, dice.next()),
        minutes,
        ends_ms: created_ms + minutes as i64 * 60_000,
        options,
    }
}

fn place(dice: &mut Dice, wish: &Wish, tweet: &mut Tweet) {
    if let Some(area) = wish.area {
        return place_within(dice, area, tweet);
    }
    if !(wish.place || wish.country.is_some() || dice.chance(20)) {
        return;
    }
    let country = wish.country.as_deref();
    let of_country = |place: &&corpus::Place| country.is_none_or(|code| place.country_code.eq_ignore_ascii_case(code));
    let choice: Vec<&corpus::Place> = corpus::PLACES.iter().filter(of_country).collect();
    if choice.is_empty() {
        return;
    }
    let place = *dice.pick(&choice);
    tweet.place = Some(place);
    if dice.chance(250) {
        tweet.point = Some(point(dice, place.bbox));
    }
}

/// A place within an area, or one that overlaps it with a point within; a point alone where the area holds no place.
fn place_within(dice: &mut Dice, Area(edges): Area, tweet: &mut Tweet) {
    let area = Area(edges);
    let [west, south, east, north] = edges;
    let overlaps = |place: &&corpus::Place| {
        let [w, s, e, n] = place.bbox;
        w <= east && e >= west && s <= north && n >= south
    };
    let choice: Vec<&corpus::Place> = corpus::PLACES.iter().filter(overlaps).collect();
    if !choice.is_empty() {
        tweet.place = Some(*dice.pick(&choice));
    }
    let is_within = tweet.place.is_some_and(|place| area.has_place(place.bbox));
    if !is_within || dice.chance(250) {
        tweet.point = Some(point(dice, edges));
    }
}

fn point(dice: &mut Dice, [west, south, east, north]: [f64; 4]) -> (f64, f64) {
    // Rounded to metres, so that the number has few digits in either form.
    let along = |from: f64, to: f64, part: u64| ((from + (to - from) * part as f64 / 1000.0) * 1e5).round() / 1e5;
    (along(west, east, 1 + dice.below(998)), along(south, north, 1 + dice.below(998)))
}
