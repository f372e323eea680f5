//! v1.1's filter parameters: `track`, `follow`, `locations`, `language`, and whether a tweet matches them.
//!
//! Commas are OR, spaces AND. A term with punctuation must stand in the text exactly so; a plain word also finds the
//! hashtag, the handle and words of a link's address. `track`, `follow` and `locations` are joined by
//! OR, `language` by AND.

use super::area::Area;
use super::tokens;
use super::wish::{Kind, Wish};
use crate::simulate::tweet::dice::Dice;
use crate::simulate::tweet::model::Tweet;
use crate::simulate::tweet::people::Who;

/// Most phrases in `track`.
pub(crate) const MAX_TRACK: usize = 400;
/// Most ids in `follow`.
pub(crate) const MAX_FOLLOW: usize = 5000;
/// Most areas in `locations`.
pub(crate) const MAX_LOCATIONS: usize = 25;
/// Longest phrase in bytes.
pub(crate) const MAX_PHRASE_BYTES: usize = 60;

/// The parameters as they came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Parameters<'a> {
    pub(crate) track: &'a str,
    pub(crate) follow: &'a str,
    pub(crate) locations: &'a str,
    pub(crate) language: &'a str,
}

/// The parameters of one connection.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Filter {
    phrases: Vec<Vec<Word>>,
    follow: Vec<u64>,
    areas: Vec<Area>,
    languages: Vec<String>,
}

/// One word of a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Hashtag(String),
    Mention(String),
    Cashtag(String),
    /// A word with its written form.
    Plain(String, String),
    /// A word with punctuation, lower case.
    Exact(String),
    /// A domain, perhaps with a path, lower case.
    Page(String),
}

/// Parameters that cannot be: the status and the text of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Filter {
    /// Reads the parameters as they came.
    ///
    /// # Errors
    /// With the status and text of the real service: 406 for a bad parameter, 413 for too many.
    pub(crate) fn parse(parameters: Parameters<'_>) -> Result<Filter, Refused> {
        let Parameters { track, follow, locations, language } = parameters;
        let mut filter = Filter::default();
        for (index, phrase) in track.split(',').map(str::trim).enumerate() {
            if phrase.len() > MAX_PHRASE_BYTES {
                return Err(refused(406, format!("Parameter track item index {index} too long: {phrase}\r\n")));
            }
            let words: Vec<Word> = phrase.split_whitespace().map(Word::parse).collect();
            if !words.is_empty() {
                filter.phrases.push(words);
            }
        }
        for (index, id) in follow.split(',').map(str::trim).filter(|id| !id.is_empty()).enumerate() {
            let Ok(id) = id.parse() else {
                return Err(refused(406, format!("Parameter follow has unparseable item index {index}: {id}\r\n")));
            };
            filter.follow.push(id);
        }
        filter.areas = areas(locations)?;
        filter.languages =
            language.split(',').map(|code| code.trim().to_ascii_lowercase()).filter(|code| !code.is_empty()).collect();
        let is_too_long =
            filter.phrases.len() > MAX_TRACK || filter.follow.len() > MAX_FOLLOW || filter.areas.len() > MAX_LOCATIONS;
        if is_too_long {
            return Err(refused(413, "Parameter list too long.\r\n".to_owned()));
        }
        if filter.phrases.is_empty() && filter.follow.is_empty() && filter.areas.is_empty() {
            return Err(refused(
                406,
                "No filter parameters found. Expect at least one parameter: follow track locations\r\n".to_owned(),
            ));
        }
        Ok(filter)
    }

    /// Whether `tweet` matches.
    pub(crate) fn matches(&self, tweet: &Tweet) -> bool {
        let speaks = self.languages.is_empty() || self.languages.iter().any(|code| code == tweet.lang);
        speaks
            && (self.phrases.iter().any(|phrase| phrase.iter().all(|word| word.matches(tweet)))
                || self.follows(tweet)
                || self.areas.iter().any(|area| area.overlaps(tweet)))
    }

    fn follows(&self, tweet: &Tweet) -> bool {
        let of = |other: &Option<std::sync::Arc<Tweet>>| {
            other.as_ref().is_some_and(|other| self.follow.contains(&other.author.id))
        };
        self.follow.contains(&tweet.author.id) || of(&tweet.retweeted) || of(&tweet.replied)
    }

    /// Asks for a tweet that matches, by chance one of the ways.
    pub(crate) fn grant(&self, wish: &mut Wish, dice: &mut Dice) {
        let (phrases, follow) = (self.phrases.len(), self.follow.len());
        let ways = phrases + follow + self.areas.len();
        let way = dice.below(ways as u64) as usize;
        if let Some(phrase) = self.phrases.get(way) {
            for word in phrase {
                match word {
                    Word::Hashtag(tag) => wish.hashtags.push(tag.clone()),
                    Word::Mention(handle) => wish.mentions.push(handle.clone()),
                    Word::Cashtag(tag) => wish.cashtags.push(tag.to_uppercase()),
                    Word::Plain(_, text) => wish.texts.push(text.clone()),
                    Word::Exact(text) => wish.texts.push(text.clone()),
                    Word::Page(page) => wish.urls.push(page.clone()),
                }
            }
        } else if let Some(id) = self.follow.get(way - phrases) {
            match dice.below(4) {
                0 => wish.reply_to = Some(Who::Id(*id)),
                1 => wish.retweet_of = Some(Who::Id(*id)),
                _ => wish.author = Some(Who::Id(*id)),
            }
        } else {
            wish.area = self.areas.get(way - phrases - follow).copied();
            wish.kind = Some(Kind::Original);
        }
        if !self.languages.is_empty() {
            wish.lang = Some(dice.pick(&self.languages).clone());
        }
    }
}

fn areas(locations: &str) -> Result<Vec<Area>, Refused> {
    let bad = || refused(406, "Location track items must be 4 floats each: sw_lon,sw_lat,ne_lon,ne_lat\r\n".to_owned());
    let texts: Vec<&str> = locations.split(',').map(str::trim).filter(|text| !text.is_empty()).collect();
    let numbers: Vec<f64> = texts.iter().map(|text| text.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
    let area = |edges: &[f64]| edges.try_into().ok().and_then(Area::new).ok_or_else(bad);
    numbers.chunks(4).map(area).collect()
}

fn refused(status: u16, text: String) -> Refused {
    Refused { status, text }
}

impl Word {
    fn parse(word: &str) -> Word {
        let lower = word.to_lowercase();
        let rest = || lower.chars().skip(1).collect::<String>();
        let clean = |text: &str| !text.is_empty() && text.chars().all(tokens::is_word);
        match lower.chars().next() {
            Some('#') if clean(&rest()) => Word::Hashtag(rest()),
            Some('@') if clean(&rest()) => Word::Mention(rest()),
            Some('$') if clean(&rest()) => Word::Cashtag(rest()),
            _ if clean(&lower) => Word::Plain(lower, word.to_owned()),
            _ if is_page(&lower) => Word::Page(lower),
            _ => Word::Exact(lower),
        }
    }

    fn matches(&self, tweet: &Tweet) -> bool {
        let facts = tweet.facts();
        match self {
            Word::Hashtag(tag) => facts.hashtags.contains(tag),
            Word::Mention(handle) => facts.mentions.contains(handle),
            Word::Cashtag(tag) => facts.cashtags.contains(tag),
            Word::Plain(word, _) => {
                facts.words.contains(word)
                    || facts.mentions.contains(word)
                    || facts.page_words.iter().any(|page| page.contains(word))
            }
            Word::Exact(text) => facts.text.split_whitespace().any(|word| word == text),
            Word::Page(page) => facts.pages.iter().any(|known| same_page(known, page)),
        }
    }
}

/// `example.com` or `example.com/path`: a dot between letters and a last label of letters.
fn is_page(word: &str) -> bool {
    let host = word.split('/').next().unwrap_or("");
    let (before, last) = host.rsplit_once('.').unwrap_or(("", ""));
    !before.is_empty()
        && last.len() >= 2
        && last.chars().all(char::is_alphabetic)
        && before.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-'))
}

/// Whole addresses are compared, without `www.` and a final slash.
fn same_page(known: &str, wanted: &str) -> bool {
    let bare = |page: &str| page.strip_prefix("www.").unwrap_or(page).trim_end_matches('/').to_owned();
    bare(known) == bare(wanted)
}
