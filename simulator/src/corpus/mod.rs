//! The text and names that generated tweets are made of, read from `corpus.toml`.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// All word lists. None of them is empty, and the most used items come first.
#[derive(Debug, Deserialize)]
pub(crate) struct Corpus {
    pub(crate) languages: Vec<Language>,
    pub(crate) places: Vec<Place>,
    pub(crate) topics: Vec<Topic>,
    pub(crate) names: Vec<Name>,
    pub(crate) emoji: Vec<String>,
    pub(crate) cashtags: Vec<String>,
    pub(crate) domains: Vec<String>,
    pub(crate) titles: Vec<String>,
    pub(crate) clients: Vec<String>,
    pub(crate) polls: Vec<Vec<String>>,
    pub(crate) descriptions: Vec<String>,
    pub(crate) handle_heads: Vec<String>,
    pub(crate) handle_tails: Vec<String>,
}

/// A language and what its users write.
#[derive(Debug, Deserialize)]
pub(crate) struct Language {
    /// BCP 47 tag, as both APIs write it.
    pub(crate) code: String,
    /// Users in a thousand who write it.
    pub(crate) share: u64,
    /// Whether spaces separate words.
    pub(crate) is_spaced: bool,
    pub(crate) sentences: Vec<String>,
    pub(crate) hashtags: Vec<String>,
    /// Display names of users.
    pub(crate) people: Vec<String>,
    /// Distinct words of `sentences`.
    #[serde(skip)]
    pub(crate) words: Vec<String>,
}

/// A place that a tweet can be tagged with.
#[derive(Debug, Deserialize)]
pub(crate) struct Place {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) full_name: String,
    pub(crate) kind: String,
    pub(crate) country: String,
    pub(crate) country_code: String,
    /// West, south, east, north, in degrees.
    pub(crate) edges: [f64; 4],
}

/// One context annotation, in v2's wire form.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Topic {
    domain: Annotation,
    entity: Annotation,
}

#[derive(Debug, Deserialize, Serialize)]
struct Annotation {
    id: String,
    name: String,
    description: String,
}

/// A name that the service recognises in a text.
#[derive(Debug, Deserialize)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) kind: String,
}

/// The corpus, parsed at its first use.
pub(crate) fn corpus() -> &'static Corpus {
    static CORPUS: LazyLock<Corpus> = LazyLock::new(|| {
        let mut corpus: Corpus = toml::from_str(include_str!("corpus.toml")).expect("the built-in corpus is valid");
        corpus.languages.iter_mut().for_each(|language| language.words = words(&language.sentences));
        corpus
    });
    &CORPUS
}

/// The language with this tag, by its index in [`Corpus::languages`].
pub(crate) fn language(code: &str) -> Option<usize> {
    corpus().languages.iter().position(|language| language.code.eq_ignore_ascii_case(code))
}

/// The distinct words of `sentences`, most frequent first.
fn words(sentences: &[String]) -> Vec<String> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for word in sentences.iter().flat_map(|sentence| sentence.split_whitespace()) {
        let word = word.trim_matches(|letter: char| letter.is_ascii_punctuation() || "¿¡。、！？।،؟".contains(letter));
        match counted.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None if word.is_empty() => {}
            None => counted.push((word, 1)),
        }
    }
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counted.into_iter().map(|(word, _)| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_no_list_is_empty() {
        let corpus = corpus();
        assert_eq!(corpus.languages.iter().map(|language| language.share).sum::<u64>(), 1000);
        for language in &corpus.languages {
            assert!(language.sentences.len() >= 10 && language.words.len() >= 10, "{}", language.code);
            assert!(!language.hashtags.is_empty() && !language.people.is_empty(), "{}", language.code);
        }
        let lists = [&corpus.emoji, &corpus.cashtags, &corpus.domains, &corpus.titles, &corpus.clients];
        assert!(lists.iter().all(|list| !list.is_empty()));
        let lists = [&corpus.descriptions, &corpus.handle_heads, &corpus.handle_tails];
        assert!(lists.iter().all(|list| !list.is_empty()));
        assert!(!corpus.places.is_empty() && !corpus.topics.is_empty() && !corpus.names.is_empty());
        assert!(!corpus.polls.is_empty() && corpus.polls.iter().all(|options| options.len() >= 2));
    }

    #[test]
    fn hashtags_are_one_word_each() {
        for tag in corpus().languages.iter().flat_map(|language| &language.hashtags) {
            let word =
                |letter: char| letter.is_alphanumeric() || letter == '_' || ('\u{900}'..'\u{980}').contains(&letter);
            assert!(tag.chars().all(word), "{tag}");
        }
    }
}
