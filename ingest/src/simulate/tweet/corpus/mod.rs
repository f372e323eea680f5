//! The words that generated tweets are made of: sentences, names, tags, places, topics.
//!
//! All of it was written for this project; no real tweet or person is quoted. Languages differ in script and in the
//! bytes their characters take, because that is what the parts downstream have to stand.

mod languages;
mod things;

pub(crate) use things::{
    CASHTAGS, CLIENTS, DESCRIPTIONS, DOMAINS, EMOJI, HANDLE_HEADS, HANDLE_TAILS, NAMES, PLACES, POLLS, Place, TITLES,
    TOPICS,
};

use std::sync::OnceLock;

/// A language: what its users write.
pub(crate) struct Language {
    /// BCP 47 tag, as both APIs write it.
    pub(crate) code: &'static str,
    /// Users in a thousand who write it.
    pub(crate) share: u64,
    /// Whether words stand apart.
    pub(crate) spaced: bool,
    /// Whole sentences.
    pub(crate) sentences: &'static [&'static str],
    /// Hashtags, most used first.
    pub(crate) hashtags: &'static [&'static str],
    /// Names of people, as they call themselves.
    pub(crate) people: &'static [&'static str],
    words: OnceLock<Vec<&'static str>>,
}

impl Language {
    const fn new(
        code: &'static str,
        share: u64,
        spaced: bool,
        sentences: &'static [&'static str],
        hashtags: &'static [&'static str],
        people: &'static [&'static str],
    ) -> Language {
        Language { code, share, spaced, sentences, hashtags, people, words: OnceLock::new() }
    }

    /// The words of its sentences, each once, most used first.
    pub(crate) fn words(&self) -> &[&'static str] {
        self.words.get_or_init(|| {
            let mut seen: Vec<(&str, usize)> = Vec::new();
            for word in self.sentences.iter().flat_map(|line| line.split_whitespace()) {
                let word =
                    word.trim_matches(|letter: char| letter.is_ascii_punctuation() || "¿¡。、！？।،؟".contains(letter));
                match seen.iter_mut().find(|(known, _)| *known == word) {
                    Some((_, times)) => *times += 1,
                    None if word.is_empty() => {}
                    None => seen.push((word, 1)),
                }
            }
            seen.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
            seen.into_iter().map(|(word, _)| word).collect()
        })
    }
}

/// All languages.
pub(crate) fn languages() -> &'static [Language] {
    &languages::ALL
}

/// The place of a language in [`languages`].
pub(crate) fn language(code: &str) -> Option<usize> {
    languages().iter().position(|language| language.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_every_list_has_something_in_it() {
        assert_eq!(languages().iter().map(|language| language.share).sum::<u64>(), 1000);
        for language in languages() {
            assert!(language.sentences.len() >= 10 && language.words().len() >= 10, "{}", language.code);
            assert!(!language.hashtags.is_empty() && !language.people.is_empty(), "{}", language.code);
        }
    }

    #[test]
    fn hashtags_are_one_word_each() {
        for tag in languages().iter().flat_map(|language| language.hashtags) {
            let word =
                |letter: char| letter.is_alphanumeric() || letter == '_' || ('\u{900}'..'\u{980}').contains(&letter);
            assert!(tag.chars().all(word), "{tag}");
        }
    }
}
