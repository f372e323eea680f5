//! Parses a v2 rule: a space is AND and binds tighter than `OR`, `-` is NOT, parentheses group, quotes make phrases.
//!
//! An error is a sentence like those of the real service, with the position of the character (from 1) that caused it.

use std::fmt::Display;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::area::Area;
use super::expr::{Expr, Is, Term, Text};
use crate::tweet::users::Account;
use crate::tweet::words::{is_word, words};

/// Deeper groups are refused, so that no rule exhausts the stack.
const MAX_DEPTH: usize = 64;

type Parsed<T> = Result<T, String>;

/// Parses `rule`, which may have at most `limit` characters.
///
/// # Errors
/// A sentence for the `details` of the rules endpoint.
pub(crate) fn parse(rule: &str, limit: usize) -> Parsed<Expr> {
    let letters: Vec<char> = rule.chars().collect();
    if letters.iter().all(|letter| letter.is_whitespace()) {
        return fail(0, "Rules must not be empty");
    }
    if letters.len() > limit {
        let length = letters.len();
        return fail(limit, format!("Rules must not be longer than {limit} characters, this one has {length}"));
    }
    let mut parser = Parser { letters: &letters, at: 0 };
    let expr = parser.alternatives(0)?;
    if parser.at < letters.len() {
        return fail(parser.at, "Unexpected ')', there is no group to close");
    }
    if !requires(&expr, |_| true) {
        return fail(0, "Rules must contain a non-negation term");
    }
    if !requires(&expr, Term::is_standalone) {
        return fail(0, "Rules must contain at least one positive term that can stand alone, such as a keyword");
    }
    Ok(expr)
}

fn fail<T>(at: usize, what: impl Display) -> Parsed<T> {
    Err(format!("{what} (at position {})", at + 1))
}

/// Whether every way to match contains a positive term that passes `test`.
fn requires(expr: &Expr, test: fn(&Term) -> bool) -> bool {
    match expr {
        Expr::Any(parts) => parts.iter().all(|part| requires(part, test)),
        Expr::All(parts) => parts.iter().any(|part| requires(part, test)),
        Expr::Not(_) => false,
        Expr::Term(term) => test(term),
    }
}

struct Parser<'a> {
    letters: &'a [char],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn take(&mut self, letter: char) -> bool {
        let is_next = self.peek() == Some(letter);
        self.at += usize::from(is_next);
        is_next
    }

    /// The letters up to the first that fails `test`.
    fn take_while(&mut self, test: fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(test) {
            self.at += 1;
        }
        self.letters[start..self.at].iter().collect()
    }

    /// Skips white space. Whether `OR` follows.
    fn is_at_or(&mut self) -> bool {
        self.take_while(char::is_whitespace);
        let rest = &self.letters[self.at..];
        rest.starts_with(&['O', 'R']) && rest.get(2).is_none_or(|next| next.is_whitespace() || *next == '(')
    }

    fn alternatives(&mut self, depth: usize) -> Parsed<Expr> {
        let mut parts = vec![self.conjunction(depth)?];
        while self.is_at_or() {
            self.at += 2;
            parts.push(self.conjunction(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Any(parts) })
    }

    fn conjunction(&mut self, depth: usize) -> Parsed<Expr> {
        let mut parts = Vec::new();
        while !self.is_at_or() && self.peek().is_some_and(|next| next != ')') {
            parts.push(self.factor(depth)?);
        }
        match parts.len() {
            0 => fail(self.at, "Expected a term"),
            1 => Ok(parts.remove(0)),
            _ => Ok(Expr::All(parts)),
        }
    }

    fn factor(&mut self, depth: usize) -> Parsed<Expr> {
        let start = self.at;
        let is_negated = self.take('-');
        if self.peek() == Some('(') {
            if is_negated {
                return fail(start, "Groups must not be negated, negate each term instead");
            }
            return self.group(start, depth);
        }
        match self.term(start)? {
            Term::Sample(_) if is_negated => fail(start, "'sample:' must not be negated"),
            term if is_negated => Ok(Expr::Not(Box::new(Expr::Term(term)))),
            term => Ok(Expr::Term(term)),
        }
    }

    fn group(&mut self, start: usize, depth: usize) -> Parsed<Expr> {
        if depth >= MAX_DEPTH {
            return fail(start, "Groups are nested too deeply");
        }
        self.at += 1;
        let inner = self.alternatives(depth + 1)?;
        if self.take(')') { Ok(inner) } else { fail(start, "Missing ')' for this group") }
    }

    fn term(&mut self, start: usize) -> Parsed<Term> {
        if self.peek() == Some('"') {
            let phrase = self.quoted()?;
            if self.peek() == Some('~') {
                return fail(self.at, "Proximity ('~') is not supported by the simulator");
            }
            return keyword(start, &phrase);
        }
        let bare = self.take_while(|letter| !letter.is_whitespace() && !matches!(letter, '(' | ')' | '"'));
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let Some((name, value)) = bare.split_once(':').filter(|(name, _)| is_name(name)) else {
            return word(start, &bare);
        };
        let mut value = value.to_owned();
        if value.starts_with('[') && !value.ends_with(']') {
            value += &self.take_while(|letter| letter != ']');
            if !self.take(']') {
                return fail(start, "Missing ']' at the end of this value");
            }
            value.push(']');
        } else if value.is_empty() && self.peek() == Some('"') {
            value = self.quoted()?;
        }
        operator(start, name, &value)
    }

    /// A quoted text, from its opening quote.
    fn quoted(&mut self) -> Parsed<String> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while !self.take('"') {
            let is_escape = self.peek() == Some('\\');
            if is_escape && self.letters.get(self.at + 1).is_some_and(|next| matches!(next, '"' | '\\')) {
                self.at += 1;
            }
            let Some(letter) = self.peek() else { return fail(start, "Missing '\"' at the end of this phrase") };
            text.push(letter);
            self.at += 1;
        }
        Ok(text)
    }
}

fn keyword(start: usize, text: &str) -> Parsed<Term> {
    if text.trim().is_empty() {
        return fail(start, "Expected a keyword or phrase");
    }
    Ok(Term::Text(Text::keyword(text)))
}

fn word(start: usize, bare: &str) -> Parsed<Term> {
    if matches!(bare, "AND" | "NOT") {
        let instead = if bare == "AND" { "a space to join two terms" } else { "'-' to negate a term" };
        let what = format!("Ambiguous use of '{bare}' as a keyword, use {instead}, or write it in lower case");
        return fail(start, what);
    }
    let signed = |sign, test: fn(char) -> bool| {
        let rest = bare.strip_prefix(sign).filter(|rest| !rest.is_empty() && rest.chars().all(test));
        rest.map(str::to_lowercase)
    };
    if let Some(tag) = signed('#', is_word) {
        return Ok(Term::Text(Text::Hashtag(tag)));
    }
    if let Some(tag) = signed('$', char::is_alphabetic) {
        return Ok(Term::Text(Text::Cashtag(tag)));
    }
    match bare.strip_prefix('@') {
        Some(handle) if Account::parse(handle).is_some() => Ok(Term::Text(Text::Mention(handle.to_lowercase()))),
        Some(_) => fail(start, format!("'{bare}' is not a username")),
        None => keyword(start, bare),
    }
}

fn operator(start: usize, name: &str, value: &str) -> Parsed<Term> {
    let lower = value.to_ascii_lowercase();
    let term = match name {
        "from" => Account::parse(value).map(Term::From),
        "to" => Account::parse(value).map(Term::To),
        "retweets_of" => Account::parse(value).map(Term::RetweetsOf),
        "lang" => {
            let is_tag = lower.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            ((2..=7).contains(&lower.len()) && is_tag).then_some(Term::Lang(lower))
        }
        "url" => {
            let words = words(value.split_once("://").map_or(value, |(_, page)| page));
            (!words.is_empty()).then(|| Term::Text(Text::Url { words, written: value.to_owned() }))
        }
        "sample" => value.parse().ok().filter(|percent| (1..=100).contains(percent)).map(Term::Sample),
        "conversation_id" => value.parse().ok().map(Term::Conversation),
        "place_country" => (value.len() == 2).then_some(Term::Country(lower)),
        "bounding_box" => match area(value) {
            Some(area) if !area.is_small() => {
                return fail(start, "Width and height of 'bounding_box:' must be less than 25 miles");
            }
            area => area.map(Term::Within),
        },
        "is" => Is::deserialize(text(&lower)).ok().map(Term::Is),
        "has" => super::expr::Has::deserialize(text(&lower)).ok().map(Term::Has),
        _ => {
            let what = "Operator is not available in current product or product packaging";
            return fail(start, format!("Reference to invalid operator '{name}'. {what}"));
        }
    };
    term.map_or_else(|| fail(start, format!("Invalid value '{value}' for operator '{name}'")), Ok)
}

fn text(value: &str) -> StrDeserializer<'_, Error> {
    value.into_deserializer()
}

/// `[west south east north]`.
fn area(value: &str) -> Option<Area> {
    let numbers = value.strip_prefix('[')?.strip_suffix(']')?.split_whitespace();
    let numbers: Vec<f64> = numbers.map(|number| number.parse().ok()).collect::<Option<_>>()?;
    Area::new(numbers.try_into().ok()?)
}
