//! Reads a v2 rule: a space is AND and binds tighter than `OR`, `-` is NOT, parentheses group, quotes make phrases.
//!
//! Errors are sentences like those of the real service, with the position of the character (from 1) where they stand.

use super::area::Area;
use super::expr::{Expr, Has, Is, Term};
use super::tokens;
use crate::simulate::tweet::people::Who;

/// Reads `rule`, which may be at most `limit` characters long.
///
/// # Errors
/// One sentence a fault, as the rules endpoint puts them into `details`.
pub(crate) fn parse(rule: &str, limit: usize) -> Result<Expr, Vec<String>> {
    let letters: Vec<char> = rule.chars().collect();
    if letters.iter().all(|letter| letter.is_whitespace()) {
        return Err(vec!["Rules must not be empty (at position 1)".to_owned()]);
    }
    if letters.len() > limit {
        return Err(vec![format!(
            "Rules must not be longer than {limit} characters, this one has {} (at position {})",
            letters.len(),
            limit + 1
        )]);
    }
    let mut reader = Reader { letters: &letters, at: 0, faults: Vec::new() };
    let expr = reader.any(0);
    if reader.faults.is_empty() && reader.at < letters.len() {
        reader.fault(reader.at, "Unexpected ')', there is no group to close");
    }
    if !reader.faults.is_empty() {
        return Err(reader.faults);
    }
    if !positive(&expr, &|_| true) {
        return Err(vec!["Rules must contain a non-negation term (at position 1)".to_owned()]);
    }
    if !positive(&expr, &Term::stands_alone) {
        return Err(vec![
            "Rules must contain at least one positive term that can stand alone, such as a keyword (at position 1)"
                .to_owned(),
        ]);
    }
    Ok(expr)
}

/// Whether every way to match holds a positive term that passes `test`.
fn positive(expr: &Expr, test: &dyn Fn(&Term) -> bool) -> bool {
    match expr {
        Expr::Any(parts) => parts.iter().all(|part| positive(part, test)),
        Expr::All(parts) => parts.iter().any(|part| positive(part, test)),
        Expr::Not(_) => false,
        Expr::Term(term) => test(term),
    }
}

/// Groups deeper than this are refused, so that no rule can exhaust the stack.
const MAX_DEPTH: usize = 64;

struct Reader<'a> {
    letters: &'a [char],
    at: usize,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn fault(&mut self, at: usize, what: &str) {
        self.faults.push(format!("{what} (at position {})", at + 1));
        self.at = self.letters.len();
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn any(&mut self, depth: usize) -> Expr {
        let mut parts = vec![self.all(depth)];
        while self.take_or() {
            parts.push(self.all(depth));
        }
        one_or(parts, Expr::Any)
    }

    fn take_or(&mut self) -> bool {
        self.skip_space();
        let here = &self.letters[self.at..];
        let is_or =
            here.starts_with(&['O', 'R']) && here.get(2).is_none_or(|next| next.is_whitespace() || *next == '(');
        if is_or {
            self.at += 2;
        }
        is_or
    }

    fn all(&mut self, depth: usize) -> Expr {
        let mut parts = Vec::new();
        loop {
            self.skip_space();
            let before = self.at;
            if self.peek().is_none_or(|next| next == ')') || self.take_or() {
                // An OR seen here belongs to the caller.
                self.at = before;
                break;
            }
            parts.push(self.factor(depth));
        }
        if parts.is_empty() && self.faults.is_empty() {
            self.fault(self.at, "Expected a term");
        }
        one_or(parts, Expr::All)
    }

    fn factor(&mut self, depth: usize) -> Expr {
        let start = self.at;
        let negated = self.peek() == Some('-');
        if negated {
            self.at += 1;
        }
        let expr = if self.peek() == Some('(') {
            if negated {
                self.fault(start, "Groups must not be negated, negate each term instead");
                return Expr::All(Vec::new());
            }
            self.group(start, depth)
        } else {
            self.term(start)
        };
        if negated && matches!(expr, Expr::Term(Term::Sample(_))) {
            self.fault(start, "'sample:' must not be negated");
        }
        if negated { Expr::Not(Box::new(expr)) } else { expr }
    }

    fn group(&mut self, start: usize, depth: usize) -> Expr {
        if depth >= MAX_DEPTH {
            self.fault(start, "Groups are nested too deeply");
            return Expr::All(Vec::new());
        }
        self.at += 1;
        let inner = self.any(depth + 1);
        if self.faults.is_empty() {
            self.skip_space();
            if self.peek() == Some(')') {
                self.at += 1;
            } else {
                self.fault(start, "Missing ')' for this group");
            }
        }
        inner
    }

    /// One quoted text, from the opening quote.
    fn quoted(&mut self) -> Option<String> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => {
                    self.fault(start, "Missing '\"' at the end of this phrase");
                    return None;
                }
                Some('"') => break,
                Some('\\') if self.letters.get(self.at + 1).is_some_and(|next| matches!(next, '"' | '\\')) => {
                    self.at += 1;
                    text.extend(self.peek());
                }
                Some(letter) => text.push(letter),
            }
            self.at += 1;
        }
        self.at += 1;
        Some(text)
    }

    /// Letters up to white space, a parenthesis or a quote.
    fn bare(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|next| !next.is_whitespace() && !matches!(next, '(' | ')' | '"')) {
            self.at += 1;
        }
        self.letters[start..self.at].iter().collect()
    }

    /// The rest of a value in brackets, whose parts are separated by spaces.
    fn bracketed(&mut self, start: usize) -> String {
        let from = self.at;
        while self.peek().is_some_and(|next| next != ']') {
            self.at += 1;
        }
        let rest = self.letters[from..self.at].iter().collect();
        if self.peek().is_none() {
            self.fault(start, "Missing ']' at the end of this value");
            return rest;
        }
        self.at += 1;
        rest + "]"
    }

    fn term(&mut self, start: usize) -> Expr {
        let term = if self.peek() == Some('"') {
            match self.quoted() {
                Some(phrase) => {
                    if self.peek() == Some('~') {
                        self.fault(self.at, "Proximity ('~') is not supported by the stand-in");
                    }
                    self.text(start, &phrase)
                }
                None => None,
            }
        } else {
            let bare = self.bare();
            match bare.split_once(':') {
                Some((name, value))
                    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') =>
                {
                    let (name, mut value) = (name.to_owned(), value.to_owned());
                    if value.starts_with('[') && !value.ends_with(']') {
                        value.push_str(&self.bracketed(start));
                    }
                    if value.is_empty() && self.peek() == Some('"') {
                        value = self.quoted().unwrap_or_default();
                    }
                    self.operator(start, &name, &value)
                }
                _ => self.word(start, &bare),
            }
        };
        term.map_or_else(|| Expr::All(Vec::new()), Expr::Term)
    }

    fn word(&mut self, start: usize, bare: &str) -> Option<Term> {
        if matches!(bare, "AND" | "NOT") {
            let instead = if bare == "AND" { "a space to join two terms" } else { "'-' to negate a term" };
            self.fault(
                start,
                &format!("Ambiguous use of '{bare}' as a keyword, use {instead}, or write it in lower case"),
            );
            return None;
        }
        let sign = bare.chars().next();
        let rest: String = bare.chars().skip(1).collect();
        match sign {
            Some('#') if !rest.is_empty() && rest.chars().all(tokens::is_word) => {
                Some(Term::Hashtag(rest.to_lowercase()))
            }
            Some('$') if !rest.is_empty() && rest.chars().all(char::is_alphabetic) => {
                Some(Term::Cashtag(rest.to_lowercase()))
            }
            Some('@') => match Who::parse(&rest) {
                Some(_) => Some(Term::Mention(rest.to_lowercase())),
                None => {
                    self.fault(start, &format!("'{bare}' is no username"));
                    None
                }
            },
            _ => self.text(start, bare),
        }
    }

    fn text(&mut self, start: usize, text: &str) -> Option<Term> {
        let words = tokens::words(text);
        if text.trim().is_empty() {
            self.fault(start, "Expected a keyword or phrase");
            return None;
        }
        if tokens::is_part(text) {
            Some(Term::Part(text.to_lowercase()))
        } else {
            Some(Term::Words(words, text.to_owned()))
        }
    }

    fn operator(&mut self, start: usize, name: &str, value: &str) -> Option<Term> {
        let lower = value.to_ascii_lowercase();
        let term = match name {
            "from" => Who::parse(value).map(Term::From),
            "to" => Who::parse(value).map(Term::To),
            "retweets_of" => Who::parse(value).map(Term::RetweetsOf),
            "lang" => {
                let is_tag = |byte: u8| byte.is_ascii_alphabetic() || byte == b'-';
                let good = (2..=7).contains(&value.len()) && value.bytes().all(is_tag);
                good.then_some(Term::Lang(lower))
            }
            "url" => {
                let words = tokens::words(value.split_once("://").map_or(value, |(_, rest)| rest));
                (!words.is_empty()).then(|| Term::Url(words, value.to_owned()))
            }
            "sample" => value.parse().ok().filter(|percent| (1..=100).contains(percent)).map(Term::Sample),
            "conversation_id" => value.parse().ok().map(Term::Conversation),
            "place_country" => (value.len() == 2).then_some(Term::Country(lower)),
            "bounding_box" => match area(value) {
                Some(area) if !area.is_small() => {
                    self.fault(start, "Width and height of 'bounding_box:' must be less than 25 miles");
                    return None;
                }
                area => area.map(Term::Area),
            },
            "is" => is(&lower).map(Term::Is),
            "has" => has(&lower).map(Term::Has),
            _ => {
                self.fault(start, &format!("Reference to invalid operator '{name}'. Operator is not available in current product or product packaging"));
                return None;
            }
        };
        if term.is_none() && self.faults.is_empty() {
            self.fault(start, &format!("Invalid value '{value}' for operator '{name}'"));
        }
        term
    }
}

/// `[west south east north]`.
fn area(value: &str) -> Option<Area> {
    let numbers = value.strip_prefix('[')?.strip_suffix(']')?.split_whitespace();
    let numbers: Vec<f64> = numbers.map(|number| number.parse().ok()).collect::<Option<_>>()?;
    Area::new(numbers.try_into().ok()?)
}

fn is(value: &str) -> Option<Is> {
    Some(match value {
        "retweet" => Is::Retweet,
        "reply" => Is::Reply,
        "quote" => Is::Quote,
        "verified" => Is::Verified,
        "nullcast" => Is::Nullcast,
        _ => return None,
    })
}

fn has(value: &str) -> Option<Has> {
    Some(match value {
        "hashtags" => Has::Hashtags,
        "cashtags" => Has::Cashtags,
        "links" => Has::Links,
        "mentions" => Has::Mentions,
        "media" => Has::Media,
        "images" => Has::Images,
        "videos" | "video_link" => Has::Video,
        "geo" => Has::Geo,
        _ => return None,
    })
}

fn one_or(mut parts: Vec<Expr>, many: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match parts.len() {
        1 => parts.remove(0),
        _ => many(parts),
    }
}
