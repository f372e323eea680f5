//! The users of the simulated service. A few write often, most hardly ever.
//!
//! A profile is a pure function of the seed and of a number, or of the handle or id that a rule names: `from:someone`
//! finds the same profile in every run. Profiles are created at first use and kept.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde_json::value::RawValue;

use super::id::snowflake;
use crate::corpus::corpus;
use crate::rng::Rng;

/// Users who write without being named by a rule. With [`Rng::rank`] the first hundred write a fifth of all tweets.
const POPULATION: usize = 30_000;

#[derive(Debug, Default)]
pub(crate) struct User {
    pub(crate) id: u64,
    /// Up to 15 of `[A-Za-z0-9_]`: v1.1's screen name, v2's username.
    pub(crate) handle: String,
    pub(crate) name: String,
    pub(crate) created_ms: i64,
    pub(crate) description: &'static str,
    pub(crate) location: Option<&'static str>,
    /// Short link and the page behind it.
    pub(crate) url: Option<(String, String)>,
    pub(crate) is_verified: bool,
    pub(crate) followers: u64,
    pub(crate) following: u64,
    pub(crate) listed: u64,
    pub(crate) likes: u64,
    pub(crate) posts: u64,
    pub(crate) media: u64,
    /// Path of the profile picture; `None` is the default one.
    pub(crate) picture: Option<String>,
    pub(crate) banner: Option<u64>,
    pub(crate) pinned: Option<u64>,
    /// Index into the languages of the corpus.
    pub(crate) language: usize,
    /// The user in v1.1's form, written at its first use: profiles do not change.
    pub(crate) v1: OnceLock<Box<RawValue>>,
}

/// A user as a rule names one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    /// The handle as it was written; case does not matter.
    Handle(String),
    Id(u64),
}

impl Account {
    /// Parses `@handle`, `handle` or an id.
    pub(crate) fn parse(text: &str) -> Option<Account> {
        let bare = text.strip_prefix('@').unwrap_or(text);
        if let Ok(id) = bare.parse() {
            return Some(Account::Id(id));
        }
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_handle = (1..=15).contains(&bare.len()) && bare.bytes().all(is_letter);
        is_handle.then(|| Account::Handle(bare.to_owned()))
    }

    pub(crate) fn is(&self, user: &User) -> bool {
        match self {
            Account::Handle(handle) => handle.eq_ignore_ascii_case(&user.handle),
            Account::Id(id) => *id == user.id,
        }
    }
}

/// All users seen so far.
#[derive(Debug)]
pub(crate) struct Users {
    seed: u64,
    numbered: HashMap<usize, Arc<User>>,
    /// By account, with the handle in lower case.
    named: HashMap<Account, Arc<User>>,
}

impl Users {
    pub(crate) fn new(seed: u64) -> Users {
        Users { seed, numbered: HashMap::new(), named: HashMap::new() }
    }

    /// A random user; active ones are far more likely.
    pub(crate) fn random(&mut self, rng: &mut Rng) -> Arc<User> {
        let number = rng.rank(POPULATION);
        let seed = self.seed;
        Arc::clone(self.numbered.entry(number).or_insert_with(|| {
            let mut rng = Rng::numbered(seed, b'u', number as u64);
            let handle = handle(&mut rng, number);
            Arc::new(profile(&mut rng, handle, None))
        }))
    }

    /// A random user who writes in `language`, or in any language after a dozen tries.
    pub(crate) fn random_writing(&mut self, rng: &mut Rng, language: Option<usize>) -> Arc<User> {
        let mut user = self.random(rng);
        for _ in 0..12 {
            if language.is_none_or(|wanted| wanted == user.language) {
                break;
            }
            user = self.random(rng);
        }
        user
    }

    /// The user of this account. A handle keeps the case of its first use.
    pub(crate) fn named(&mut self, account: &Account) -> Arc<User> {
        let seed = self.seed;
        let key = match account {
            Account::Handle(handle) => Account::Handle(handle.to_ascii_lowercase()),
            Account::Id(id) => Account::Id(*id),
        };
        let made = self.named.entry(key).or_insert_with_key(|key| match (key, account) {
            (Account::Handle(lower), Account::Handle(handle)) => {
                let mut rng = Rng::new(seed, format!("h{lower}").as_bytes());
                Arc::new(profile(&mut rng, handle.clone(), None))
            }
            (Account::Id(id), _) | (_, Account::Id(id)) => {
                let mut rng = Rng::numbered(seed, b'i', *id);
                let handle = handle(&mut rng, (*id % 9973) as usize);
                Arc::new(profile(&mut rng, handle, Some(*id)))
            }
        });
        Arc::clone(made)
    }
}

/// A handle that ends with `number` in three digits of base 36, which keeps it unique.
fn handle(rng: &mut Rng, number: usize) -> String {
    let digits = [number / 1296, number / 36, number].map(|digit| char::from_digit((digit % 36) as u32, 36));
    let mut handle = format!("{}{}", rng.pick(&corpus().handle_heads), rng.pick(&corpus().handle_tails));
    handle.truncate(15 - digits.len());
    handle.extend(digits.into_iter().flatten());
    handle
}

fn profile(rng: &mut Rng, handle: String, id: Option<u64>) -> User {
    let corpus = corpus();
    let mut share = rng.below(1000);
    let language = corpus.languages.iter().position(|language| {
        let is_here = share < language.share;
        share = share.saturating_sub(language.share);
        is_here
    });
    let language = language.unwrap_or(0);
    // From June 2007 to the end of 2024; ids are snowflakes since 2016.
    let created_ms = 1_180_656_000_000 + (rng.below(554_000_000) * 1000) as i64;
    let own_id = if created_ms > 1_456_000_000_000 {
        snowflake(created_ms, rng.bits())
    } else {
        (created_ms - 1_180_000_000_000) as u64 / 90 + rng.below(1000)
    };
    let mut name = rng.pick(&corpus.languages[language].people).clone();
    if rng.chance(250) {
        name = format!("{name} {}", rng.pick(&corpus.emoji));
    }
    // Follower counts spread over six orders of magnitude; large ones are rare.
    let reach = 10_u64.pow(1 + rng.rank(6) as u32);
    let posts = rng.between(1, 60_000);
    User {
        id: id.unwrap_or(own_id),
        url: rng.chance(300).then(|| (short_link(rng), format!("https://{}/{handle}", rng.pick(&corpus.domains)))),
        handle,
        name,
        created_ms,
        description: if rng.chance(850) { rng.pick(&corpus.descriptions).as_str() } else { "" },
        location: rng.chance(600).then(|| &*rng.pick(&corpus.places).full_name),
        is_verified: rng.chance(60),
        followers: rng.below(reach * 9) + 1,
        following: rng.below(2000),
        listed: rng.below(reach / 20 + 1),
        likes: rng.below(90_000),
        posts,
        media: posts / rng.between(4, 40),
        picture: rng.chance(950).then(|| {
            let number = 1_100_000_000_000_000_000 + rng.below(700_000_000_000_000_000);
            format!("{number}/{}", rng.alphanumeric(8))
        }),
        banner: rng.chance(700).then(|| 1_400_000_000 + rng.below(300_000_000)),
        pinned: rng.chance(350).then(|| 1_200_000_000_000_000_000 + rng.below(600_000_000_000_000_000)),
        language,
        v1: OnceLock::new(),
    }
}

/// A link as the service shortens it, always 23 characters.
pub(crate) fn short_link(rng: &mut Rng) -> String {
    format!("https://t.co/{}", rng.alphanumeric(10))
}
