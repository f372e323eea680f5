//! Where secrets come from: `${env:NAME}` and `${file:path}` in any text, and X's usual variables where a source lacks
//! its credentials. What is read here goes into [`super::layers::Entry::resolved`] and from there into `SecretString`s;
//! it never reaches a message.

use std::path::Path;

use super::knobs;
use super::layers::{Layers, Origin, Value};
use super::outside::Outside;
use super::redact;

/// The variables in which credentials for X are usually kept, by setting.
pub(crate) const USUAL_VARIABLES: [(&str, &str); 5] = [
    ("source.bearer_token", "X_BEARER_TOKEN"),
    ("source.consumer_key", "X_CONSUMER_KEY"),
    ("source.consumer_secret", "X_CONSUMER_SECRET"),
    ("source.access_token", "X_ACCESS_TOKEN"),
    ("source.access_token_secret", "X_ACCESS_TOKEN_SECRET"),
];

/// Replaces each `${env:NAME}` and `${file:path}`; `$${` is a literal `${`.
///
/// # Errors
/// A text that names the variable or file, never a value.
pub(crate) fn resolve(text: &str, outside: &Outside) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            result.push_str(&rest[..start - 1]);
            result.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        result.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let Some(end) = inner.find('}') else {
            return Err("a reference \"${\" has no end; for a literal one write \"$${\"".to_owned());
        };
        result.push_str(&look_up(&inner[..end], outside)?);
        rest = &inner[end + 1..];
    }
    result.push_str(rest);
    Ok(result)
}

fn look_up(reference: &str, outside: &Outside) -> Result<String, String> {
    match reference.split_once(':') {
        Some(("env", name)) => outside.variable(name).map(str::to_owned).ok_or_else(|| redact::not_set(name)),
        Some(("file", path)) => outside.secret_file(Path::new(path)),
        _ => Err("a reference must be ${env:NAME} or ${file:path}; for a literal \"${\" write \"$${\"".to_owned()),
    }
}

/// Puts X's usual variables in where the source needs credentials and none are written: the bearer token where no
/// consumer key is written, the others one by one where no bearer token is written.
pub(crate) fn fill_from_usual_variables(layers: &mut Layers, outside: &Outside) {
    let written = |layers: &Layers, key| layers.entry(key).is_some();
    let has_bearer = written(layers, "source.bearer_token");
    let has_consumer = written(layers, "source.consumer_key") || written(layers, "source.consumer_secret");
    for (key, variable) in USUAL_VARIABLES {
        let wanted = match key {
            "source.bearer_token" => !has_consumer,
            _ => !has_bearer,
        };
        if !wanted || written(layers, key) {
            continue;
        }
        if let (Some(knob), Some(value)) = (knobs::find(key), outside.variable(variable)) {
            layers.put(knob, Value::Text(value.to_owned()), Origin::Variable(variable.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_anywhere_in_a_text() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "from-file\n").expect("file written");
        let outside = Outside::with_variables([("A", "x"), ("B", "${env:A}")]);
        let file = format!("${{file:{}}}", path.display());
        for (text, expected) in [
            ("plain", "plain"),
            ("${env:A}", "x"),
            ("1${env:A}2${env:A}3", "1x2x3"),
            ("$${env:A}", "${env:A}"),
            ("$", "$"),
            ("a$b", "a$b"),
            // What a variable holds is data: it is not looked into again.
            ("${env:B}", "${env:A}"),
            (file.as_str(), "from-file"),
        ] {
            assert_eq!(resolve(text, &outside).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_missing_variable_is_named_and_an_odd_reference_is_not_repeated() {
        let outside = Outside::default();
        assert_eq!(resolve("${env:NONE}", &outside), Err("the environment variable NONE is not set".to_owned()));
        for text in ["ab${hush", "${hush}", "${vault:hush}"] {
            let error = resolve(text, &outside).expect_err("an odd reference was taken");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn usual_variables_fill_only_what_is_missing() {
        let outside =
            Outside::with_variables([("X_BEARER_TOKEN", "b"), ("X_CONSUMER_KEY", "k"), ("X_CONSUMER_SECRET", "s")]);
        let put = |key: &str| {
            let mut layers = Layers::default();
            let knob = knobs::find(key).expect("a knob");
            layers.put(knob, Value::Text("written".to_owned()), Origin::Flag("test".to_owned()));
            fill_from_usual_variables(&mut layers, &outside);
            ["source.bearer_token", "source.consumer_key", "source.consumer_secret"]
                .map(|key| layers.entry(key).is_some())
        };
        assert_eq!(put("source.bearer_token"), [true, false, false]);
        assert_eq!(put("source.consumer_key"), [false, true, true]);
        assert_eq!(put("lake.url"), [true, true, true]);
    }
}
