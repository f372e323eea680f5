//! Words of a text as rules see them: split at white space, punctuation and symbols, in lower case.

/// Whether a character belongs to a word. Marks that join letters in Indic scripts, and combining accents, do.
pub(crate) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric()
        || letter == '_'
        || matches!(letter, '\u{300}'..='\u{36f}' | '\u{93c}'..='\u{94d}' | '\u{200c}' | '\u{200d}')
}

/// Whether a character is of a script that writes words without spaces between them.
fn is_unspaced(letter: char) -> bool {
    matches!(letter, '\u{e00}'..='\u{eff}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// The words of `text`, lower case.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(|letter| !is_word(letter))
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(str::to_lowercase)
        .collect()
}

/// Whether `text` must be looked for as a part of the text because it has no words: emoji, or a script without spaces.
pub(crate) fn is_part(text: &str) -> bool {
    text.chars().any(is_unspaced) || !text.chars().any(char::is_alphanumeric)
}

/// Whether `part` stands in `whole` as a run of words.
pub(crate) fn has_run(whole: &[String], part: &[String]) -> bool {
    match part {
        [] => false,
        [one] => whole.contains(one),
        _ => whole.windows(part.len()).any(|window| window == part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_apart_at_everything_that_is_no_letter() {
        assert_eq!(words("Don't #Trump2024! @Some_One naïve"), ["don", "t", "trump2024", "some_one", "naïve"]);
        assert_eq!(words("हिन्दी में"), ["हिन्दी", "में"]);
        assert!(words("🔥 … !").is_empty());
    }

    #[test]
    fn emoji_and_unspaced_scripts_are_looked_for_as_parts() {
        assert!(is_part("🔥") && is_part("東京") && is_part("ネコ"));
        assert!(!is_part("서울") && !is_part("café") && !is_part("القاهرة"));
    }
}
