//! `cauce.toml` into layers: every key must be a knob of the right kind. Values are not looked at further here. TOML's
//! own error texts quote the line, which may hold a secret, so only their message and line number are used.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::knobs::{self, KNOBS, Kind, Knob};
use super::layers::{Layers, Origin, Value};
use super::problem::{ConfigError, Problems};

/// Reads a file into the layers.
///
/// # Errors
/// When the file cannot be read or is no TOML. Keys that are unknown or of the wrong kind are added to `problems`.
pub(crate) fn read(path: &Path, layers: &mut Layers, problems: &mut Problems) -> Result<(), ConfigError> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|why| ConfigError::one(format!("cannot read {name}: {why}")))?;
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::one(format!("{name} is no UTF-8 text")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    parse(text, &name.to_string(), layers, problems)
}

/// The same for a text that is already read; `name` is the file's name for messages.
pub(crate) fn parse(text: &str, name: &str, layers: &mut Layers, problems: &mut Problems) -> Result<(), ConfigError> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_of(text, error.span().map_or(0, |span| span.start));
        // A message may run over several lines; what follows the first repeats the input.
        let message = error.message().lines().next().unwrap_or("not readable").to_owned();
        ConfigError::one(format!("{name}:{line}: this is no TOML: {message}"))
    })?;
    let mut reader = Reader { text, file: name.into(), layers, problems };
    reader.table("", table.get_ref());
    Ok(())
}

fn line_of(text: &str, position: usize) -> usize {
    1 + text.as_bytes()[..position.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

struct Reader<'a> {
    text: &'a str,
    file: Arc<str>,
    layers: &'a mut Layers,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key =
                if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
            let line = line_of(self.text, name.span().start);
            let is_section =
                KNOBS.iter().any(|knob| knob.key.strip_prefix(&key).is_some_and(|rest| rest.starts_with('.')));
            match (value.get_ref(), knobs::find(&key)) {
                (DeValue::Table(inner), _) if is_section => self.table(&key, inner),
                (value, Some(knob)) => match convert(knob, value) {
                    Ok(value) => self.layers.put(knob, value, Origin::Line { file: self.file.clone(), line }),
                    Err(why) => self.problem(line, &key, &why),
                },
                (_, None) if is_section => self.problem(line, &key, &format!("is a section: write [{key}]")),
                (_, None) => self.problem(line, &key, &format!("is no setting{}", knobs::suggest(&key))),
            }
        }
    }

    fn problem(&mut self, line: usize, key: &str, what: &str) {
        self.problems.push(format!("{}:{line}: {key} {what}", self.file));
    }
}

fn convert(knob: &Knob, value: &DeValue<'_>) -> Result<Value, String> {
    let text = |value: &DeValue<'_>| value.as_str().map(str::to_owned);
    let number =
        || value.as_integer().filter(|number| number.radix() == 10).map(|number| number.as_str().replace('_', ""));
    let wanted = |what: &str| format!("must be {what}, not {} {}", article(value.type_str()), value.type_str());
    match knob.kind {
        Kind::Text | Kind::Secret | Kind::Choice(_) => {
            text(value).map(Value::Text).ok_or_else(|| wanted("a string in quotes"))
        }
        Kind::Duration => text(value)
            .or_else(|| number().filter(|number| number == "0"))
            .map(Value::Text)
            .ok_or_else(|| wanted("a duration in quotes such as \"5m\"")),
        Kind::Size => {
            text(value).or_else(number).map(Value::Text).ok_or_else(|| wanted("a size in quotes such as \"128MiB\""))
        }
        Kind::Count => number().map(Value::Text).ok_or_else(|| wanted("a whole number without quotes")),
        Kind::Switch => {
            value.as_bool().map(|on| Value::Text(on.to_string())).ok_or_else(|| wanted("true or false without quotes"))
        }
        Kind::List => {
            let items = value.as_array().ok_or_else(|| wanted("a list such as [\"a\", \"b\"]"))?;
            let items = items.iter().map(|item| text(item.get_ref())).collect::<Option<_>>();
            items.map(Value::List).ok_or_else(|| "must be a list of strings in quotes".to_owned())
        }
        Kind::Rules => {
            let items = value
                .as_array()
                .ok_or_else(|| wanted("a list such as [{ value = \"cat has:media\", tag = \"cats\" }]"))?;
            items.iter().map(|item| rule(item.get_ref())).collect::<Result<_, _>>().map(Value::Rules)
        }
    }
}

fn rule(item: &DeValue<'_>) -> Result<(String, Option<String>), String> {
    let wrong = || {
        "must hold rules such as { value = \"cat has:media\", tag = \"cats\" }, tag left out where none is wanted"
            .to_owned()
    };
    if let Some(text) = item.as_str() {
        return Ok((text.to_owned(), None));
    }
    let table = item.as_table().ok_or_else(wrong)?;
    let mut value = None;
    let mut tag = None;
    for (name, item) in table {
        let text = item.get_ref().as_str().map(str::to_owned).ok_or_else(wrong)?;
        match name.get_ref().as_ref() {
            "value" => value = Some(text),
            "tag" => tag = Some(text),
            _ => return Err(wrong()),
        }
    }
    Ok((value.ok_or_else(wrong)?, tag))
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Layers, String> {
        let mut layers = Layers::default();
        let mut problems = Problems::default();
        parse(text, "cauce.toml", &mut layers, &mut problems).map_err(|error| error.to_string())?;
        problems.check().map_err(|error| error.to_string())?;
        Ok(layers)
    }

    #[test]
    fn values_keep_the_line_they_were_written_on() {
        let layers =
            read_text("[agent]\nid = \"a\"\n\n[lake.s3]\nregion = \"eu\"\npath_style = true\n").expect("a good file");
        assert_eq!(layers.entry("lake.s3.region").expect("region").origin.to_string(), "cauce.toml:5");
        assert_eq!(layers.entry("lake.s3.path_style").expect("switch").value(), &Value::Text("true".to_owned()));
    }

    #[test]
    fn a_typo_is_named_with_its_line_and_the_nearest_setting() {
        let error = read_text("[lake]\nroll_intervall = \"5m\"\n").expect_err("the typo was taken");
        assert_eq!(error, "cauce.toml:2: lake.roll_intervall is no setting (did you mean lake.roll_interval?)");
        let error = read_text("[laek]\nurl = \"x\"\n").expect_err("the typo was taken");
        assert!(error.starts_with("cauce.toml:1: laek is no setting"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused_and_said_how_to_write() {
        for (text, part) in [
            (
                "[lake]\nroll_interval = 300",
                "lake.roll_interval must be a duration in quotes such as \"5m\", not an integer",
            ),
            ("[channel]\ncapacity = \"10\"", "channel.capacity must be a whole number without quotes, not a string"),
            ("[source]\nkeywords = \"a,b\"", "source.keywords must be a list"),
            ("[source]\nsample = 1", "must be true or false"),
            ("[source]\nrules = [{ valeu = \"x\" }]", "must hold rules"),
            ("lake = \"s3://b\"", "lake is a section: write [lake]"),
            ("[agent]\nid = { a = 1 }", "agent.id must be a string in quotes, not a table"),
        ] {
            let error = read_text(text).err().unwrap_or_else(|| panic!("{text:?} was taken"));
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_toml_is_refused_without_repeating_the_line() {
        let error = read_text("[source]\nbearer_token = \"hush\nx = 1\n").expect_err("broken TOML was taken");
        assert!(error.starts_with("cauce.toml:2: this is no TOML") && !error.contains("hush"), "{error}");
    }

    #[test]
    fn rules_are_texts_or_tables_in_either_form() {
        let layers = read_text("[source]\nrules = [\"cat\", { value = \"dog\", tag = \"d\" }]\n").expect("a good file");
        let expected = Value::Rules(vec![("cat".into(), None), ("dog".into(), Some("d".into()))]);
        assert_eq!(layers.entry("source.rules").expect("rules").value(), &expected);
        let layers = read_text("[[source.rules]]\nvalue = \"cat\"\n").expect("a good file");
        assert_eq!(layers.entry("source.rules").expect("rules").value(), &Value::Rules(vec![("cat".into(), None)]));
    }
}
