//! Flume's escapes: the grammar of a pattern's text, the meaning of each escape, and rendering.
//!
//! Compiling resolves composite escapes (`%c`, `%D`) and what is fixed for the run (headers, the host's names), so that
//! only literals and single fields are left. Pure: no clock, no host look-up.

use super::moment::{Moment, Quantity};
use super::{Escapes, Notice, PatternError, PatternOptions};

/// Names as in Java's locale `en_US`. Flume uses the JVM's locale; a lake has one language.
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Monday first, as [`Quantity::Weekday`] counts.
pub(super) const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const ALL_ESCAPES: &str = "%a %A %b %B %c %d %D %e %H %I %j %k %l %m %M %n %p %s %S %t %y %Y %z and %%";

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Decimal, zero-padded to this many digits.
    Padded(usize),
    /// Decimal, one or two digits.
    Plain,
    /// First three letters of a name.
    ShortName,
    /// A whole name, also `AM` and `PM`.
    Name,
    /// `+hhmm`.
    Offset,
    /// Decimal of any length, perhaps negative.
    Long,
}

/// A value of the instant, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) quantity: Quantity,
    pub(super) style: Style,
}

/// A piece of a compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Field(Field),
}

impl Field {
    /// The names of the values; index 0 is the smallest value.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self.quantity {
            Quantity::Month => &MONTHS,
            Quantity::Weekday => &WEEKDAYS,
            Quantity::AmPm => &["AM", "PM"],
            _ => &[],
        }
    }

    fn write(self, moment: &Moment, to: &mut String) {
        use std::fmt::Write;
        let value = moment.value(self.quantity);
        let done = match self.style {
            Style::Padded(width) => write!(to, "{value:0width$}"),
            Style::Plain | Style::Long => write!(to, "{value}"),
            Style::ShortName | Style::Name => {
                let index = usize::try_from(value - self.quantity.smallest()).unwrap_or(0);
                let name = self.names().get(index).copied().unwrap_or_default();
                to.push_str(if self.style == Style::ShortName { &name[..3] } else { name });
                Ok(())
            }
            Style::Offset => {
                let minutes = value.abs();
                write!(to, "{}{:02}{:02}", if value < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
            }
        };
        done.expect("writing to a String cannot fail");
    }
}

/// Renders the parts for an instant.
pub(super) fn render(parts: &[Part], moment: &Moment) -> String {
    let mut text = String::with_capacity(parts.len() * 4);
    for part in parts {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Field(field) => field.write(moment, &mut text),
        }
    }
    text
}

/// A token of a pattern's text, by Flume's grammar.
#[derive(Debug, PartialEq, Eq)]
enum Raw<'a> {
    Text(&'a str),
    Letter(char),
    Header(&'a str),
    Host(&'a str),
    /// A `%` that begins no token, with the following character; Flume copies it.
    Stray(&'a str),
}

fn word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// The name between `open` and `close` at the start of `rest`.
fn bracketed(rest: &str, open: char, close: char, allowed: fn(u8) -> bool) -> Option<&str> {
    let (name, _) = rest.strip_prefix(open)?.split_once(close)?;
    (!name.is_empty() && name.bytes().all(allowed)).then_some(name)
}

fn scan(text: &str) -> Vec<Raw<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        if at > 0 {
            found.push(Raw::Text(&rest[..at]));
        }
        let after = &rest[at + 1..];
        let (raw, length) = match after.chars().next() {
            Some('%') => (Raw::Text("%"), 1),
            Some(c) if c.is_ascii() && word(c as u8) => (Raw::Letter(c), 1),
            next => {
                if let Some(name) = bracketed(after, '{', '}', |b| word(b) || b == b'.' || b == b'-') {
                    (Raw::Header(name), name.len() + 2)
                } else if let Some(name) = bracketed(after, '[', ']', word) {
                    (Raw::Host(name), name.len() + 2)
                } else {
                    // The following character is only for the message; it may begin a token of its own.
                    let shown = next.map_or(0, char::len_utf8);
                    (Raw::Stray(&rest[at..at + 1 + shown]), 0)
                }
            }
        };
        found.push(raw);
        rest = &after[length..];
    }
    if !rest.is_empty() {
        found.push(Raw::Text(rest));
    }
    found
}

/// The meaning of a letter; `None` where Flume has none.
fn letter(c: char) -> Option<Vec<Part>> {
    use Quantity as Q;
    let field = |quantity, style| Part::Field(Field { quantity, style });
    let padded = |quantity, width| field(quantity, Style::Padded(width));
    let text = |literal: &str| Part::Literal(literal.to_owned());
    Some(match c {
        'a' => vec![field(Q::Weekday, Style::ShortName)],
        'A' => vec![field(Q::Weekday, Style::Name)],
        'b' => vec![field(Q::Month, Style::ShortName)],
        'B' => vec![field(Q::Month, Style::Name)],
        'c' => vec![
            field(Q::Weekday, Style::ShortName),
            text(" "),
            field(Q::Month, Style::ShortName),
            text(" "),
            field(Q::Day, Style::Plain),
            text(" "),
            padded(Q::Hour, 2),
            text(":"),
            padded(Q::Minute, 2),
            text(":"),
            padded(Q::Second, 2),
            text(" "),
            padded(Q::Year, 4),
        ],
        'D' => vec![padded(Q::Month, 2), text("/"), padded(Q::Day, 2), text("/"), padded(Q::ShortYear, 2)],
        'd' => vec![padded(Q::Day, 2)],
        'e' => vec![field(Q::Day, Style::Plain)],
        'H' => vec![padded(Q::Hour, 2)],
        'k' => vec![field(Q::Hour, Style::Plain)],
        'I' => vec![padded(Q::Hour12, 2)],
        'l' => vec![field(Q::Hour12, Style::Plain)],
        'j' => vec![padded(Q::DayOfYear, 3)],
        'm' => vec![padded(Q::Month, 2)],
        'n' => vec![field(Q::Month, Style::Plain)],
        'M' => vec![padded(Q::Minute, 2)],
        'S' => vec![padded(Q::Second, 2)],
        'p' => vec![field(Q::AmPm, Style::Name)],
        's' => vec![field(Q::EpochSecond, Style::Long)],
        't' => vec![field(Q::EpochMs, Style::Long)],
        'y' => vec![padded(Q::ShortYear, 2)],
        'Y' => vec![padded(Q::Year, 4)],
        'z' => vec![field(Q::Offset, Style::Offset)],
        _ => return None,
    })
}

/// What to write instead of a letter that Flume does not know.
fn instead(c: char) -> String {
    let known = match c {
        'F' => "%Y-%m-%d",
        'h' | 'T' | 'R' | 'X' => "%H (the hour, 00 to 23)",
        'i' => "%M (the minute) or %I (the hour, 01 to 12)",
        'C' | 'G' => "%Y",
        'g' => "%y",
        'w' | 'u' => "%a (the weekday's name)",
        _ => return format!("the escapes are {ALL_ESCAPES}"),
    };
    format!("write {known}; the escapes are {ALL_ESCAPES}")
}

/// A compiled text.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) parts: Vec<Part>,
    pub(super) notices: Vec<Notice>,
    /// The `%{…}` and `%[…]` in it, as written.
    pub(super) of_the_run: Vec<String>,
}

/// Compiles a text. Only [`super::Pattern::new`] checks that it names folders.
pub(super) fn compile(text: &str, options: &PatternOptions) -> Result<Compiled, PatternError> {
    let mut compiled = Compiled { parts: Vec::new(), notices: Vec::new(), of_the_run: Vec::new() };
    let lenient = options.allow_open || options.escapes == Escapes::Strict;
    for raw in scan(text) {
        match raw {
            Raw::Text(literal) => compiled.push_literal(literal),
            Raw::Stray(shown) if lenient => {
                compiled.push_literal("%");
                compiled.say(format!("{shown} is no escape; it stays as it stands, as in Flume"));
            }
            Raw::Stray(shown) => {
                return Err(PatternError(format!(
                    "the pattern {text:?} holds {shown}, which is no escape: write %% for a percent sign; \
                     the escapes are {ALL_ESCAPES}"
                )));
            }
            Raw::Letter(c) => match letter(c) {
                Some(parts) => parts.into_iter().for_each(|part| compiled.push(part)),
                None if c == 'h' && options.escapes == Escapes::Cauce => {
                    compiled.push(Part::Field(Field { quantity: Quantity::Hour, style: Style::Padded(2) }));
                    compiled.say(
                        "%h is taken as the hour, 00 to 23; Flume has no %h and would make one folder a day; set \
                         lake.flume_escapes = \"strict\" (twitter.conf: hdfs.strictEscapes = true) for Flume's folders"
                            .to_owned(),
                    );
                }
                None if lenient => {
                    compiled.say(format!("%{c} is no escape; it stays empty, as in Flume: {}", instead(c)))
                }
                None => {
                    return Err(PatternError(format!(
                        "the pattern {text:?} holds %{c}, which is no escape: {}",
                        instead(c)
                    )));
                }
            },
            Raw::Header(name) => {
                compiled.of_the_run.push(format!("%{{{name}}}"));
                match options.headers.iter().rev().find(|(known, _)| known == name) {
                    Some((_, value)) => compiled.push_literal(value),
                    None => compiled.say(format!("%{{{name}}} stays empty: no header of this name is set for the run")),
                }
            }
            Raw::Host(name) => {
                compiled.of_the_run.push(format!("%[{name}]"));
                compiled.push_literal(host_name(text, name, options)?);
            }
        }
    }
    Ok(compiled)
}

fn host_name<'a>(text: &str, name: &str, options: &'a PatternOptions) -> Result<&'a str, PatternError> {
    let pick = match name.to_ascii_lowercase().as_str() {
        "localhost" => |host: &'a super::HostNames| host.localhost.as_str(),
        "ip" => |host: &'a super::HostNames| host.ip.as_str(),
        "fqdn" => |host: &'a super::HostNames| host.fqdn.as_str(),
        _ => {
            return Err(PatternError(format!(
                "the pattern {text:?} holds %[{name}]: write %[localhost], %[IP] or %[FQDN]"
            )));
        }
    };
    options.host.as_ref().map(pick).ok_or_else(|| {
        PatternError(format!(
            "the pattern {text:?} holds %[{name}], but this host's names are not known here: write the name itself"
        ))
    })
}

impl Compiled {
    fn push(&mut self, part: Part) {
        match part {
            Part::Literal(text) => self.push_literal(&text),
            field @ Part::Field(_) => self.parts.push(field),
        }
    }

    fn push_literal(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Literal(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.parts.push(Part::Literal(text.to_owned())),
        }
    }

    /// Adds a notice, once for each text.
    fn say(&mut self, text: String) {
        let notice = Notice(text);
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_grammar_is_flumes() {
        assert_eq!(
            scan("a%Y%%%{a.b-c_1}%[IP]z"),
            [Raw::Text("a"), Raw::Letter('Y'), Raw::Text("%"), Raw::Header("a.b-c_1"), Raw::Host("IP"), Raw::Text("z")]
        );
    }

    #[test]
    fn what_is_no_token_stays_as_it_stands() {
        for (text, rest) in [("%-d", "-d"), ("%{a b}", "{a b}"), ("%{}", "{}"), ("%[a.b]", "[a.b]"), ("%é", "é")] {
            let found = scan(text);
            assert!(matches!(found[0], Raw::Stray(_)), "{text}: {found:?}");
            assert_eq!(found[1], Raw::Text(rest));
        }
        assert_eq!(scan("50%"), [Raw::Text("50"), Raw::Stray("%")]);
    }

    #[test]
    fn no_name_begins_another_so_that_names_read_back_one_way() {
        for names in [&MONTHS[..], &WEEKDAYS[..]] {
            for (i, a) in names.iter().enumerate() {
                for (j, b) in names.iter().enumerate() {
                    assert!(i == j || (!a.starts_with(b) && a[..3] != b[..3]), "{a} and {b}");
                }
            }
        }
    }
}
