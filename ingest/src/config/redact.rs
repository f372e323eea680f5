//! What a message shows of a value that was typed. A secret pasted into the wrong place (a keyword, an address, the name in
//! `${env:…}`) is replaced by its length. Pure.
//!
//! Every problem, notice and printed setting goes through [`redact`], so a new message needs no care of its own. It
//! recognises what X and S3 servers hand out; a short word of plain letters cannot be told from a keyword.

use std::path::Path;

/// Longest path that is shown.
const LONGEST_PATH: usize = 200;
/// Longest name of a variable that is shown.
const LONGEST_NAME: usize = 64;

/// The text without what looks like a secret: userinfo and query of an address, odd names in references, keys and tokens.
pub(crate) fn redact(text: &str) -> String {
    tokens(&addresses(&references(text)))
}

/// Whether a name may be a variable's, by the usual form of such names.
pub(crate) fn is_variable_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(is_part)
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !is_secret(name)
}

/// That a variable is not set; its name is shown only where it has a name's form.
pub(crate) fn not_set(name: &str) -> String {
    if is_variable_name(name) {
        return format!("the environment variable {name} is not set");
    }
    format!(
        "the environment variable that it names ({}) is not set: a variable's name goes there, such as X_BEARER_TOKEN, not \
         the secret itself",
        hidden(name)
    )
}

/// The path in `${file:…}` for a message; shown where it has a path's form.
pub(crate) fn file_name(path: &Path) -> String {
    let name = path.to_string_lossy();
    if is_path(&name) {
        return name.into_owned();
    }
    format!("the file that it names ({}; a path goes there, such as /run/secrets/token)", hidden(&name))
}

fn is_path(name: &str) -> bool {
    name.contains(['/', '.']) && name.len() <= LONGEST_PATH
}

fn hidden(text: &str) -> String {
    format!("{} characters, not shown", text.chars().count())
}

/// `${env:NAME}` and the like: names that are none are replaced.
fn references(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start + 2);
        result.push_str(before);
        rest = reference;
        let Some((kind, after)) = ["env", "sys", "file"].iter().find_map(|kind| {
            let after = reference.strip_prefix(kind)?.strip_prefix(':')?;
            Some((*kind, after))
        }) else {
            continue;
        };
        let end = after.find(['}', '"', '\n']).unwrap_or(after.len());
        let name = after[..end].split(":-").next().unwrap_or_default();
        let is_shown = match kind {
            "env" => is_variable_name(name),
            _ => is_path(name),
        };
        if !is_shown && !name.starts_with("${") {
            result.push_str(&format!("{kind}:…({})", hidden(&after[..end])));
            rest = &after[end..];
        }
    }
    result.push_str(rest);
    result
}

/// Userinfo and query of each address. A secret may itself hold `/`, so the last `@` of the word counts.
fn addresses(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, address) = rest.split_at(start + 3);
        result.push_str(before);
        let end = address
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ')' | ']'))
            .unwrap_or(address.len());
        let (word, after) = address.split_at(end);
        let word = match word.rsplit_once('@') {
            Some((user, host)) if !user.is_empty() => {
                result.push_str(&format!("({})@", hidden(user)));
                host
            }
            _ => word,
        };
        match word.split_once('?') {
            Some((place, query)) if !query.is_empty() => {
                result.push_str(&format!("{place}?({})", hidden(query)));
            }
            _ => result.push_str(word),
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

/// Signs that may stand in a key as well as part words, those that part the largest pieces first.
const SIGNS: [&[char]; 3] = [&['.'], &['-', '_'], &['/', '+']];

/// Adds a word to `result`, without it or those of its pieces that look like a key.
fn hide(word: &str, signs: &[&[char]], result: &mut String) {
    if is_secret(word) || is_aws_secret(word) {
        result.push_str(&format!("({})", hidden(word)));
        return;
    }
    let Some((first, finer)) = signs.split_first() else { return result.push_str(word) };
    for piece in word.split_inclusive(*first) {
        let bare = piece.trim_end_matches(*first);
        hide(bare, finer, result);
        result.push_str(&piece[bare.len()..]);
    }
}

/// Words that look like a key or token.
fn tokens(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '%' | '.' | '~' | '-');
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, word) = rest.split_at(start);
        result.push_str(before);
        let end = word.find(|c| !is_part(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        hide(word, &SIGNS, &mut result);
        rest = after;
    }
    result.push_str(rest);
    result
}

/// Keys and tokens: AWS's key ids, X's bearer tokens, hexadecimal keys, and letters and digits in random order.
fn is_secret(word: &str) -> bool {
    let is_key_id = |word: &str| word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if word.len() == 20 && (word.starts_with("AKIA") || word.starts_with("ASIA")) && is_key_id(word) {
        return true;
    }
    if word.starts_with("AAAAAAAAAA") {
        return true;
    }
    if word.len() < 20 || word.bytes().any(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'_' | b'%' | b'-')) {
        return false;
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_hex = word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (is_hex && digits >= 4 && word.len() - digits >= 4) || is_random(word)
}

/// 40 characters of base64, which may hold slashes.
fn is_aws_secret(word: &str) -> bool {
    // In an address, slashes stand before it and a path may follow.
    let word = word.trim_start_matches('/');
    let word = word.get(..40).filter(|_| word[40..].starts_with('/')).unwrap_or(word);
    let signs = word.bytes().filter(|b| matches!(b, b'/' | b'+')).count();
    let is_base64 = word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'+'));
    word.len() == 40 && is_base64 && signs <= 4 && is_random(word)
}

/// Whether capitals, small letters and digits follow each other as they do by chance. In words, small letters follow small
/// letters or one capital; there a change of kind comes every five or six letters, by chance at almost every second one.
fn is_random(word: &str) -> bool {
    let kinds: Vec<u8> = word
        .bytes()
        .filter_map(|byte| match byte {
            b'0'..=b'9' => Some(0),
            b'A'..=b'Z' => Some(1),
            b'a'..=b'z' => Some(2),
            _ => None,
        })
        .collect();
    let has = |kind: u8| kinds.contains(&kind);
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1] && (pair[0], pair[1]) != (1, 2)).count();
    has(0) && has(1) && has(2) && changes * 5 >= kinds.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_and_tokens_of_x_and_of_s3_servers_are_replaced_by_their_length() {
        for secret in [
            "AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0%2BuSeid%2BULvsea4JtiGRiSDSJSI%3DEUifiRBkKG5E2XzMDjRfl76ZC9Ub0wnz4XsNiRVBChTYbJcE3F",
            "xvz1evFS4wEEPTGEFPHBog",
            "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
            "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c",
        ] {
            for text in [
                secret.to_owned(),
                format!("\"{secret}\" is no word"),
                format!("a,{secret},b"),
                format!("source.{secret} is no setting"),
            ] {
                let shown = redact(&text);
                assert!(shown.contains("characters, not shown"), "{shown}");
                for piece in secret.split(['/', '-', '%']).filter(|piece| piece.len() > 8) {
                    assert!(!shown.contains(piece), "{shown}");
                }
            }
        }
    }

    #[test]
    fn words_paths_rules_and_addresses_stay_as_they_are() {
        for text in [
            "cauce.toml:3: source.keywords: \"#WorldCup2026FinalParis\" is fine",
            "/srv/data/2026/Nov/30/Lake1/Tweets2/x is a folder",
            "set CAUCE_LAKE__S3__ENDPOINT_URL or AWS_SECRET_ACCESS_KEY",
            "(cat OR #cat OR @cat) lang:en bounding_box:[-105.301758 39.964069 -105.178505 40.09455]",
            "s3://my-bucket-2026-eu-west-1/tweets/raw and https://api.x.com/2/tweets/search/stream",
            "the reference ${env:X_BEARER_TOKEN} and ${file:/run/secrets/token}",
            "com.cloudera.flume.source.TwitterSource, org.apache.hadoop.io.compress.GzipCodec",
            "TwitterAgent.sinks.s3hdfs.hdfs.rollInterval = 30",
            "tweets.1795323600123.json.gz",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn userinfo_and_query_of_an_address_are_not_shown() {
        for text in [
            "http://me:hush@127.0.0.1:8333/x",
            "s3n://ID:hu/hush@bucket/%m",
            "\"https://h.example/p?key=hush&x=1\" is odd",
            "https://hush@h.example",
        ] {
            let shown = redact(text);
            assert!(!shown.contains("hush") && shown.contains("not shown"), "{shown}");
        }
    }

    #[test]
    fn a_name_that_no_variable_has_is_not_shown() {
        for name in ["hunter2", "my secret", "AKIAIOSFODNN7EXAMPLE", "2FAST", "x.y"] {
            assert!(!is_variable_name(name), "{name}");
            assert!(!not_set(name).contains(&format!(" {name} ")), "{}", not_set(name));
            let shown = redact(&format!("[source]\nbearer_token = \"${{env:{name}}}\""));
            assert!(!shown.contains(&format!("env:{name}")), "{shown}");
        }
        assert_eq!(not_set("X_BEARER_TOKEN"), "the environment variable X_BEARER_TOKEN is not set");
    }

    proptest! {
        /// Random keys as servers make them: alphanumeric, with each kind of character.
        #[test]
        fn a_random_key_is_hidden_wherever_it_stands(
            key in "[A-Za-z0-9]{40,80}", before in "[a-z \"(,:]{0,10}[ \"(,:]", after in "[ \"),:][a-z \"]{0,10}",
        ) {
            prop_assume!(is_random(&key));
            let shown = redact(&format!("{before}{key}{after}"));
            prop_assert!(!shown.contains(&key), "{}", shown);
        }

        #[test]
        fn no_text_makes_it_panic_and_a_second_pass_changes_nothing_hidden(text in "\\PC{0,60}", other in "[$%{}a-zA-Z0-9:/@?=.\"-]{0,60}") {
            for text in [text, other] {
                let _ = redact(&redact(&text));
            }
        }
    }
}
