//! v1.1's filter parameters `track`, `follow`, `locations` and `language`.
//!
//! In `track` a comma is OR and a space AND. A word with punctuation must stand in the text exactly so. `track`, `follow`
//! and `locations` are alternatives; `language` narrows them.

use super::area::Area;
use super::expr::{Expr, Term, Text};
use crate::tweet::users::Account;
use crate::tweet::words::is_word;

/// Most phrases in `track`.
const MAX_TRACK: usize = 400;
/// Most ids in `follow`.
const MAX_FOLLOW: usize = 5000;
/// Most areas in `locations`.
const MAX_LOCATIONS: usize = 25;
/// Longest phrase.
const MAX_PHRASE_BYTES: usize = 60;

/// The parameters as they came; empty where one is missing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Parameters<'a> {
    pub(crate) track: &'a str,
    pub(crate) follow: &'a str,
    pub(crate) locations: &'a str,
    pub(crate) language: &'a str,
}

/// Status and text of the answer to invalid parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// Parses the parameters of one connection.
///
/// # Errors
/// Those of the real service: 406 for an invalid parameter, 413 for too many values.
pub(crate) fn parse(parameters: Parameters<'_>) -> Result<Expr, Refusal> {
    let mut phrases = Vec::new();
    for (index, phrase) in parameters.track.split(',').map(str::trim).enumerate() {
        if phrase.len() > MAX_PHRASE_BYTES {
            return Err(refuse(406, format!("Parameter track item index {index} too long: {phrase}")));
        }
        let words: Vec<Expr> = phrase.split_whitespace().map(|word| Expr::Term(Term::OwnText(tracked(word)))).collect();
        phrases.extend((!words.is_empty()).then_some(Expr::All(words)));
    }
    let mut follow = Vec::new();
    for (index, id) in items(parameters.follow).enumerate() {
        let Ok(id) = id.parse() else {
            return Err(refuse(406, format!("Parameter follow has unparseable item index {index}: {id}")));
        };
        let relations = [Term::From, Term::RetweetsOf, Term::To];
        follow.push(Expr::Any(relations.map(|relation| Expr::Term(relation(Account::Id(id)))).into()));
    }
    let areas = areas(parameters.locations)
        .ok_or_else(|| refuse(406, "Location track items must be 4 floats each: sw_lon,sw_lat,ne_lon,ne_lat"))?;
    if phrases.len() > MAX_TRACK || follow.len() > MAX_FOLLOW || areas.len() > MAX_LOCATIONS {
        return Err(refuse(413, "Parameter list too long."));
    }
    let ways: Vec<Expr> = phrases
        .into_iter()
        .chain(follow)
        .chain(areas.into_iter().map(|area| Expr::Term(Term::Overlaps(area))))
        .collect();
    if ways.is_empty() {
        let text = "No filter parameters found. Expect at least one parameter: follow track locations";
        return Err(refuse(406, text));
    }
    let languages: Vec<Expr> =
        items(parameters.language).map(|code| Expr::Term(Term::Lang(code.to_ascii_lowercase()))).collect();
    Ok(if languages.is_empty() { Expr::Any(ways) } else { Expr::All(vec![Expr::Any(ways), Expr::Any(languages)]) })
}

fn refuse(status: u16, text: impl std::fmt::Display) -> Refusal {
    Refusal { status, text: format!("{text}\r\n") }
}

/// The items of a list separated by commas.
fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn areas(locations: &str) -> Option<Vec<Area>> {
    let numbers: Vec<f64> = items(locations).map(|number| number.parse().ok()).collect::<Option<_>>()?;
    numbers.chunks(4).map(|edges| Area::new(edges.try_into().ok()?)).collect()
}

/// What one word of a phrase looks for.
fn tracked(word: &str) -> Text {
    let lower = word.to_lowercase();
    let is_clean = |text: &str| !text.is_empty() && text.chars().all(is_word);
    let signed = |sign| lower.strip_prefix(sign).filter(|rest| is_clean(rest)).map(str::to_owned);
    if let Some(tag) = signed('#') {
        Text::Hashtag(tag)
    } else if let Some(handle) = signed('@') {
        Text::Mention(handle)
    } else if let Some(tag) = signed('$') {
        Text::Cashtag(tag)
    } else if is_clean(&lower) {
        Text::Words { words: vec![lower], written: word.to_owned() }
    } else if is_page(&lower) {
        Text::Page(lower)
    } else {
        Text::Exact(lower)
    }
}

/// `example.com` or `example.com/path`: labels with a dot between them, the last one of letters.
fn is_page(word: &str) -> bool {
    let host = word.split('/').next().unwrap_or_default();
    host.rsplit_once('.').is_some_and(|(before, last)| {
        !before.is_empty()
            && last.len() >= 2
            && last.chars().all(char::is_alphabetic)
            && before.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-'))
    })
}
