//! Flume's track list, accounts, areas and languages become rules of the v2 filtered stream. Pure.
//!
//! A track list is phrases separated by commas; a tweet matches a phrase when it holds all its words, in any order. The
//! rules made here match at least what the track list matched; where v2 has no equal (a web address is matched whole by
//! v1.1), they match a little more.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::filters::{Account, Area};
use super::settings::Rule;

/// Longest phrase that v1.1 took, in bytes; longer ones work in v2 and are only worth a word.
const V1_PHRASE_BYTES: usize = 60;

/// Endings that make a word with a dot in it a web address.
const TOP_LEVEL: [&str; 40] = [
    "com", "org", "net", "edu", "gov", "mil", "int", "info", "biz", "io", "co", "me", "tv", "app", "dev", "ai", "eu",
    "uk", "de", "fr", "es", "it", "nl", "be", "ch", "at", "se", "no", "dk", "fi", "pl", "pt", "ru", "cn", "jp", "in",
    "br", "mx", "us", "ca",
];

/// Endings that make two words a web address, as in `example com`. Only those that are no words of their own.
const SPOKEN_TOP_LEVEL: [&str; 3] = ["com", "org", "edu"];

/// What a track list became.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Translated {
    /// The rules, in the order of the phrases.
    pub(crate) rules: Vec<Rule>,
    /// What is worth saying.
    pub(crate) notices: Vec<String>,
}

/// Start of the tag of every rule that an agent makes; rules without it belong to somebody else.
pub fn tag_prefix(agent_id: &str) -> String {
    format!("cauce:{agent_id}:")
}

/// A rule as the agent tags it: its own tag behind the prefix, or a short hash of the value.
pub(crate) fn tagged(agent_id: &str, value: String, tag: Option<&str>) -> Rule {
    let tail = tag.map_or_else(|| hash8(&value), str::to_owned);
    Rule { tag: tag_prefix(agent_id) + &tail, value }
}

fn hash8(value: &str) -> String {
    Sha256::digest(value.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The phrases of a track list: split at commas, trimmed, inner blanks collapsed, empty ones dropped, each once without
/// regard to case (X has none). Their case is kept.
pub(crate) fn phrases(keywords: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let all = keywords.iter().flat_map(|keyword| keyword.split(','));
    let collapsed = all.map(|phrase| phrase.split_whitespace().collect::<Vec<_>>().join(" "));
    collapsed.filter(|phrase| !phrase.is_empty() && seen.insert(phrase.to_lowercase())).collect()
}

/// What is asked for: tweets that match a keyword, an account or an area, in one of the languages where any are named.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked<'a> {
    /// A track list.
    pub(crate) keywords: &'a [String],
    /// Accounts: what they write and repeat, and what is written to them or repeated from them.
    pub(crate) follow: &'a [Account],
    /// Areas.
    pub(crate) locations: &'a [Area],
    /// An expression that narrows all of it; empty for none.
    pub(crate) languages: &'a str,
}

/// Translates what is asked for into rules of at most `limit` characters.
///
/// # Errors
/// When a keyword, an account or an area alone makes a longer rule; the setting and why.
pub(crate) fn translate(asked: &Asked<'_>, agent_id: &str, limit: usize) -> Result<Translated, (&'static str, String)> {
    let mut result = Translated::default();
    // Several clauses of a rule stand in parentheses before the languages.
    let narrowing = if asked.languages.is_empty() { 0 } else { asked.languages.chars().count() + "() ".len() };
    let Some(limit) = limit.checked_sub(narrowing).filter(|limit| *limit > 0) else {
        return Err(("source.languages", format!("make {narrowing} of the {limit} characters of each rule")));
    };
    let mut clauses =
        keyword_clauses(asked.keywords, limit, &mut result.notices).map_err(|why| ("source.keywords", why))?;
    for account in asked.follow {
        clauses.extend(["from", "to", "retweets_of"].map(|operator| format!("{operator}:{account}")));
    }
    for area in asked.locations {
        clauses.push(area.operator().map_err(|why| ("source.locations", why))?);
    }
    if !asked.locations.is_empty() {
        result.notices.push(
            "source.locations: v2 finds a tweet by its point, or by a place that lies wholly within the area; v1.1 also \
             found places that overlap it"
                .to_owned(),
        );
    }
    let values = pack(clauses, limit).map_err(|why| ("source.max_rule_length", why))?;
    let narrowed = |(value, clauses): (String, usize)| match (asked.languages, clauses) {
        ("", _) => value,
        (languages, 1) => format!("{value} {languages}"),
        (languages, _) => format!("({value}) {languages}"),
    };
    result.rules = values.into_iter().map(|value| tagged(agent_id, narrowed(value), None)).collect();
    Ok(result)
}

/// Joins clauses by OR into values of at most `limit` characters, each with how many clauses it holds.
fn pack(clauses: Vec<String>, limit: usize) -> Result<Vec<(String, usize)>, String> {
    let mut values: Vec<(String, usize)> = Vec::new();
    let mut seen = HashSet::new();
    for clause in clauses {
        let length = clause.chars().count();
        if length > limit {
            return Err(format!("{clause} has {length} characters, and {limit} are allowed"));
        }
        if !seen.insert(clause.clone()) {
            continue;
        }
        match values.last_mut() {
            Some((last, count)) if last.chars().count() + " OR ".len() + length <= limit => {
                last.push_str(" OR ");
                last.push_str(&clause);
                *count += 1;
            }
            _ => values.push((clause, 1)),
        }
    }
    Ok(values)
}

fn keyword_clauses(keywords: &[String], limit: usize, notices: &mut Vec<String>) -> Result<Vec<String>, String> {
    let mut clauses = Vec::new();
    for phrase in phrases(keywords) {
        if phrase.len() > V1_PHRASE_BYTES {
            notices.push(format!("the keyword {phrase:?} is longer than the 60 bytes that v1.1 took"));
        }
        let Some(clause) = clause(&phrase) else {
            notices.push(format!("the keyword {phrase:?} holds nothing that X can look for, and is left out"));
            continue;
        };
        let length = clause.chars().count();
        if length > limit {
            return Err(format!("the keyword {phrase:?} makes a rule of {length} characters, and {limit} are allowed"));
        }
        clauses.push(clause);
    }
    Ok(clauses)
}

/// The expression for one phrase; `None` when nothing of it can be looked for.
fn clause(phrase: &str) -> Option<String> {
    let phrase = phrase.to_lowercase();
    let words: Vec<&str> = phrase.split(' ').collect();
    if let [name, ending] = words.as_slice()
        && SPOKEN_TOP_LEVEL.contains(ending)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with('-')
    {
        return Some(format!("url:\"{name}.{ending}\""));
    }
    let terms: Vec<String> = words.into_iter().filter_map(term).collect();
    match terms.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("({})", several.join(" "))),
    }
}

/// The expression for one word, already in lower case.
fn term(word: &str) -> Option<String> {
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    // X knows no hashtag or cashtag of digits alone.
    let is_tag = |text: &str| is_word(text) && !text.chars().all(|c| c.is_ascii_digit());
    if let Some(name) = word.strip_prefix('#').filter(|name| is_tag(name)) {
        return Some(format!("#{name}"));
    }
    if let Some(name) = word.strip_prefix('@').filter(|name| is_user(name)) {
        return Some(format!("@{name}"));
    }
    let is_ticker = |name: &&str| (1..=6).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase());
    if let Some(name) = word.strip_prefix('$').filter(is_ticker) {
        return Some(format!("${name}"));
    }
    if let Some(address) = web_address(word) {
        return Some(format!("url:\"{address}\""));
    }
    if is_word(word) && !matches!(word, "or" | "and" | "not") {
        // v1.1 found a word also behind `#` and `@`.
        let mut forms = vec![word.to_owned()];
        forms.extend(is_tag(word).then(|| format!("#{word}")));
        forms.extend(is_user(word).then(|| format!("@{word}")));
        return Some(if forms.len() == 1 { forms.remove(0) } else { format!("({})", forms.join(" OR ")) });
    }
    let quoted: String = word.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect();
    (!quoted.is_empty()).then(|| format!("\"{quoted}\""))
}

fn is_user(name: &str) -> bool {
    (1..=15).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn web_address(word: &str) -> Option<&str> {
    let bare = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://"));
    let address = bare.unwrap_or(word).trim_end_matches('/');
    let host = address.split(['/', '?', '#']).next().unwrap_or(address);
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let (_, ending) = host.rsplit_once('.')?;
    let is_address = host.split('.').all(is_label) && (bare.is_some() || TOP_LEVEL.contains(&ending));
    (is_address && !address.contains(['"', '\\'])).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn track(keywords: &[String], limit: usize) -> Result<Translated, String> {
        translate(&Asked { keywords, ..Asked::default() }, "agent", limit).map_err(|(_, why)| why)
    }

    fn values(keywords: &str, limit: usize) -> Vec<String> {
        let translated = track(&[keywords.to_owned()], limit).expect("translatable");
        translated.rules.into_iter().map(|rule| rule.value).collect()
    }

    #[test]
    fn the_old_track_list_becomes_one_rule() {
        let translated = track(&["@realdonaldtrump,#Trump,#trump".to_owned()], 1024).expect("translatable");
        let [rule] = translated.rules.as_slice() else { panic!("{translated:?}") };
        assert_eq!(rule.value, "@realdonaldtrump OR #trump");
        assert!(rule.tag.starts_with("cauce:agent:") && rule.tag.len() == "cauce:agent:".len() + 8, "{}", rule.tag);
        assert_eq!(translated.notices, Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_word_has_its_form() {
        for (keyword, value) in [
            ("#Trump", "#trump"),
            ("@Jack", "@jack"),
            ("$TSLA", "$tsla"),
            ("cat", "(cat OR #cat OR @cat)"),
            ("año", "(año OR #año)"),
            ("averyveryverylongword", "(averyveryverylongword OR #averyveryverylongword)"),
            ("2024", "(2024 OR @2024)"),
            ("#2024", "\"#2024\""),
            ("@a-b", "\"@a-b\""),
            ("example.com", "url:\"example.com\""),
            ("https://example.com/a/", "url:\"example.com/a\""),
            ("example com", "url:\"example.com\""),
            ("love me", "((love OR #love OR @love) (me OR #me OR @me))"),
            ("#a  b", "(#a (b OR #b OR @b))"),
            ("3.5", "\"3.5\""),
            ("rock'n'roll", "\"rock'n'roll\""),
            ("OR", "\"or\""),
            ("-cat", "\"-cat\""),
            ("from:me", "\"from:me\""),
            ("say\"hi\"", "\"sayhi\""),
            ("🎉", "\"🎉\""),
        ] {
            assert_eq!(values(keyword, 1024), [value], "{keyword}");
        }
    }

    #[test]
    fn phrases_are_taken_once_without_regard_to_case_and_blanks() {
        assert_eq!(phrases(&[" a , A,,b  c".to_owned(), "B C".to_owned()]), ["a", "b c"]);
        assert_eq!(phrases(&[",".to_owned(), " ".to_owned()]), Vec::<String>::new());
    }

    #[test]
    fn rules_are_packed_up_to_the_limit_and_not_beyond_it() {
        assert_eq!(values("#aa,#bb,#cc", 10), ["#aa OR #bb", "#cc"]);
        assert_eq!(values("#aa,#bb,#cc", 9), ["#aa", "#bb", "#cc"]);
        let error = track(&["#aaaaaaaaaaa".to_owned()], 10).expect_err("the rule is too long");
        assert!(error.contains("12 characters"), "{error}");
    }

    #[test]
    fn a_keyword_of_nothing_but_quotes_is_left_out_and_said() {
        let translated = track(&["\"\",#a".to_owned()], 100).expect("translatable");
        assert_eq!(translated.rules.len(), 1);
        assert_eq!(translated.notices.len(), 1);
    }

    #[test]
    fn accounts_and_areas_are_alternatives_and_languages_narrow_every_rule() {
        let follow = [Account::Id(12), Account::Handle("NASA".to_owned())];
        let locations = [Area { west: -105.3, south: 39.96, east: -105.2, north: 40.09 }];
        let keywords = ["#cat".to_owned()];
        let asked =
            Asked { keywords: &keywords, follow: &follow, locations: &locations, languages: "(lang:en OR lang:es)" };
        let values = |asked: &Asked<'_>, limit: usize| -> Vec<String> {
            let rules = translate(asked, "agent", limit).expect("translatable").rules;
            rules.into_iter().map(|rule| rule.value).collect()
        };
        assert_eq!(
            values(&asked, 1024),
            ["(#cat OR from:12 OR to:12 OR retweets_of:12 OR from:NASA OR to:NASA OR retweets_of:NASA \
              OR bounding_box:[-105.3 39.96 -105.2 40.09]) (lang:en OR lang:es)"]
        );
        // In short rules each is narrowed, and one clause needs no parentheses.
        let short = values(&asked, 64);
        assert!(
            short.iter().all(|value| value.ends_with(" (lang:en OR lang:es)") && value.chars().count() <= 64),
            "{short:?}"
        );
        assert!(
            short.contains(&"bounding_box:[-105.3 39.96 -105.2 40.09] (lang:en OR lang:es)".to_owned()),
            "{short:?}"
        );
        let narrow = Asked { languages: "lang:en", follow: &follow[..1], ..Asked::default() };
        assert_eq!(values(&narrow, 1024), ["(from:12 OR to:12 OR retweets_of:12) lang:en"]);
        let error = translate(&asked, "agent", 20).expect_err("no room beside the languages");
        assert_eq!(error.0, "source.languages");
    }

    #[test]
    fn a_rule_keeps_its_own_tag_behind_the_prefix() {
        assert_eq!(tagged("a", "cat".to_owned(), Some("pets")).tag, "cauce:a:pets");
        assert_ne!(tagged("a", "cat".to_owned(), None).tag, tagged("a", "dog".to_owned(), None).tag);
    }

    proptest! {
        #[test]
        fn no_rule_is_empty_too_long_or_open_ended(keywords in proptest::collection::vec("\\PC{0,40}", 0..20)) {
            if let Ok(translated) = track(&keywords, 200) {
                for rule in translated.rules {
                    prop_assert!((1..=200).contains(&rule.value.chars().count()));
                    prop_assert!(rule.value.matches('"').count() % 2 == 0, "{}", rule.value);
                    prop_assert!(rule.value.matches('"').count() > 0
                        || rule.value.matches('(').count() == rule.value.matches(')').count());
                }
            }
        }
    }
}
