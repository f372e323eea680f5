//! The users of the simulated service: stable profiles by seed, a few very active, most of them hardly ever.
//!
//! A user is a pure function of the seed and a number, or of the handle or id that a rule names, so that `from:someone`
//! always finds the same profile. Profiles are made when first needed and kept.

use std::collections::HashMap;
use std::sync::Arc;

use super::corpus;
use super::dice::{Dice, hash};
use crate::simulate::clock::snowflake;

/// How many users write by themselves. With [`Dice::rank`] the first hundred write about a fifth of all tweets.
const POPULATION: usize = 30_000;

/// One user.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: u64,
    /// Up to 15 of `[A-Za-z0-9_]`; what v1.1 calls screen name and v2 username.
    pub(crate) handle: String,
    pub(crate) name: String,
    pub(crate) created_ms: i64,
    pub(crate) description: &'static str,
    pub(crate) location: Option<&'static str>,
    /// Short link and the page behind it.
    pub(crate) url: Option<(String, String)>,
    pub(crate) verified: bool,
    pub(crate) followers: u64,
    pub(crate) following: u64,
    pub(crate) listed: u64,
    pub(crate) likes: u64,
    pub(crate) posts: u64,
    pub(crate) media: u64,
    /// Path of the picture; `None` is the egg of old.
    pub(crate) picture: Option<String>,
    pub(crate) banner: Option<u64>,
    pub(crate) pinned: Option<u64>,
    /// Index into the languages of the corpus.
    pub(crate) language: usize,
}

/// Who is meant: by handle or by id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// Handle, lower case.
    Handle(String),
    /// Numeric id.
    Id(u64),
}

impl Who {
    /// Reads `@handle`, `handle` or digits.
    pub(crate) fn parse(text: &str) -> Option<Who> {
        let bare = text.strip_prefix('@').unwrap_or(text);
        if let Ok(id) = bare.parse::<u64>() {
            return Some(Who::Id(id));
        }
        let good =
            (1..=15).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        good.then(|| Who::Handle(bare.to_ascii_lowercase()))
    }

    /// Whether `user` is meant.
    pub(crate) fn is(&self, user: &User) -> bool {
        match self {
            Who::Handle(handle) => handle.eq_ignore_ascii_case(&user.handle),
            Who::Id(id) => *id == user.id,
        }
    }
}

/// All users met so far.
#[derive(Debug)]
pub(crate) struct People {
    seed: u64,
    numbered: HashMap<usize, Arc<User>>,
    named: HashMap<Who, Arc<User>>,
}

impl People {
    /// The users of the service with this seed.
    pub(crate) fn new(seed: u64) -> People {
        People { seed, numbered: HashMap::new(), named: HashMap::new() }
    }

    /// Somebody, the active ones far more often.
    pub(crate) fn somebody(&mut self, dice: &mut Dice) -> Arc<User> {
        let number = dice.rank(POPULATION);
        let seed = self.seed;
        Arc::clone(self.numbered.entry(number).or_insert_with(|| {
            let mut dice = Dice::new(seed, 0x05e7_0000_0000 + number as u64);
            let handle = invent_handle(&mut dice, number);
            Arc::new(make(&mut dice, handle, None))
        }))
    }

    /// Somebody who writes `language`, or anybody after a few tries.
    pub(crate) fn somebody_writing(&mut self, dice: &mut Dice, language: Option<usize>) -> Arc<User> {
        let mut user = self.somebody(dice);
        for _ in 0..12 {
            if language.is_none_or(|wanted| wanted == user.language) {
                break;
            }
            user = self.somebody(dice);
        }
        user
    }

    /// The user with this handle (in the case it is written in the first time) or id.
    pub(crate) fn named(&mut self, who: &Who, spelt: &str) -> Arc<User> {
        let seed = self.seed;
        let made = self.named.entry(who.clone()).or_insert_with(|| {
            let (purpose, handle, id) = match who {
                Who::Handle(handle) => (hash(handle), spelt.trim_start_matches('@').to_owned(), None),
                Who::Id(id) => (*id, String::new(), Some(*id)),
            };
            let mut dice = Dice::new(seed, purpose ^ 0x4a3e);
            let handle = if handle.is_empty() { invent_handle(&mut dice, purpose as usize % 9973) } else { handle };
            Arc::new(make(&mut dice, handle, id))
        });
        Arc::clone(made)
    }
}

fn invent_handle(dice: &mut Dice, number: usize) -> String {
    let head = dice.pick(&corpus::HANDLE_HEADS);
    let tail = dice.pick(&corpus::HANDLE_TAILS);
    // The number makes it unique: 30,000 in base 36 are three digits.
    let digits: String = [number / 1296, number / 36 % 36, number % 36]
        .iter()
        .filter_map(|digit| char::from_digit((digit % 36) as u32, 36))
        .collect();
    let room = 15 - digits.len();
    let mut handle = format!("{head}{tail}");
    handle.truncate(room);
    handle + &digits
}

fn make(dice: &mut Dice, handle: String, id: Option<u64>) -> User {
    let mut share = dice.below(1000);
    let language = corpus::languages().iter().position(|language| {
        let here = share < language.share;
        share = share.saturating_sub(language.share);
        here
    });
    let language = language.unwrap_or(0);
    // From June 2007 to the end of 2024; ids became snowflakes in 2016.
    let created_ms = 1_180_656_000_000 + (dice.below(554_000_000) * 1000) as i64;
    let invented = if created_ms > 1_456_000_000_000 {
        snowflake(created_ms, dice.next())
    } else {
        (created_ms - 1_180_000_000_000) as u64 / 90 + dice.below(1000)
    };
    let mut name = (*dice.pick(corpus::languages()[language].people)).to_owned();
    if dice.chance(250) {
        name.push(' ');
        let emoji = dice.pick(&corpus::EMOJI);
        name.push_str(emoji);
    }
    // Each step down is rarer by an order of magnitude, as counts of followers are.
    let reach = 10_u64.pow(1 + dice.rank(6) as u32);
    let posts = dice.between(1, 60_000);
    let short = short_link(dice);
    let domain = dice.pick(&corpus::DOMAINS);
    let description = dice.chance(850).then(|| *dice.pick(&corpus::DESCRIPTIONS));
    User {
        id: id.unwrap_or(invented),
        url: dice.chance(300).then(|| (short, format!("https://{domain}/{handle}"))),
        handle,
        name,
        created_ms,
        description: description.unwrap_or_default(),
        location: dice.chance(600).then(|| dice.pick(&corpus::PLACES).full_name),
        verified: dice.chance(60),
        followers: dice.below(reach * 9) + 1,
        following: dice.below(2000),
        listed: dice.below(reach / 20 + 1),
        likes: dice.below(90_000),
        posts,
        media: posts / dice.between(4, 40),
        picture: dice
            .chance(950)
            .then(|| format!("{}/{}", 1_100_000_000_000_000_000 + dice.below(700_000_000_000_000_000), word(dice, 8))),
        banner: dice.chance(700).then(|| 1_400_000_000 + dice.below(300_000_000)),
        pinned: dice.chance(350).then(|| 1_200_000_000_000_000_000 + dice.below(600_000_000_000_000_000)),
        language,
    }
}

/// Letters and digits, as short links and file names have them.
pub(crate) fn word(dice: &mut Dice, letters: usize) -> String {
    const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut bits = dice.next();
    (0..letters)
        .map(|at| {
            if at % 10 == 9 {
                bits = dice.next();
            }
            let letter = ALPHABET[(bits % 62) as usize];
            bits /= 62;
            char::from(letter)
        })
        .collect()
}

/// A link as the service shortens it: 23 characters, always.
pub(crate) fn short_link(dice: &mut Dice) -> String {
    let mut link = String::with_capacity(23);
    link.push_str("https://t.co/");
    link.push_str(&word(dice, 10));
    link
}
