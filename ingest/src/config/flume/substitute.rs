//! `${…}` in a `twitter.conf`, by the rules of Flume 1.10: environment, system properties (`-D`), other properties of
//! the file, `:-default`, nested references, `$${` for a literal one; and configuration filters of type `env`. What no
//! rule matches stays as it is. Nothing here prints a value.

use std::collections::BTreeMap;

use super::properties::Property;
use crate::config::outside::Outside;
use crate::config::redact;

/// References within references, at most: a file that refers to itself in a circle must end.
const MAX_DEPTH: usize = 10;

/// Where references are looked up.
pub(crate) struct Lookup<'a> {
    pub(crate) outside: &'a Outside,
    pub(crate) system: &'a [(String, String)],
    pub(crate) properties: &'a [Property],
    /// Names of the agent's filters of type `env`.
    pub(crate) env_filters: Vec<String>,
}

impl Lookup<'_> {
    /// Resolves all references of a text.
    ///
    /// # Errors
    /// A text that names the variable, property or file that is not there, never a value.
    pub(crate) fn substitute(&self, text: &str) -> Result<String, String> {
        self.at_depth(text, 0)
    }

    fn at_depth(&self, text: &str, depth: usize) -> Result<String, String> {
        if depth > MAX_DEPTH {
            return Err("its references go round in a circle".to_owned());
        }
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
            let Some(end) = matching_brace(inner) else {
                result.push_str("${");
                rest = inner;
                continue;
            };
            // The name may itself be made of references: ${env:${sys:which}}.
            match self.reference(&inner[..end], depth)? {
                Some(value) => result.push_str(&value),
                None => result.push_str(&rest[start..start + 2 + end + 1]),
            }
            rest = &inner[end + 1..];
        }
        result.push_str(rest);
        Ok(result)
    }

    fn reference(&self, inner: &str, depth: usize) -> Result<Option<String>, String> {
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let name = self.at_depth(name, depth + 1)?;
        let missing = |what: String| match default {
            Some(default) => self.at_depth(default, depth + 1).map(Some),
            None => Err(what),
        };
        if let Some(variable) = name.strip_prefix("env:") {
            return match self.outside.variable(variable) {
                Some(value) => Ok(Some(value.to_owned())),
                None => missing(redact::not_set(variable)),
            };
        }
        if let Some(property) = name.strip_prefix("sys:") {
            return match self.system.iter().rev().find(|(key, _)| key == property) {
                Some((_, value)) => Ok(Some(value.clone())),
                None => missing(format!("-D{property}=… is not given")),
            };
        }
        if let Some(path) = name.strip_prefix("file:") {
            return self.outside.secret_file(std::path::Path::new(path)).map(Some);
        }
        if let Some(key) = self.filter_key(&name) {
            return match self.outside.variable(key) {
                Some(value) => Ok(Some(value.to_owned())),
                None => missing(redact::not_set(key)),
            };
        }
        if let Some(property) = self.properties.iter().rev().find(|property| property.key == name) {
            return self.at_depth(&property.value, depth + 1).map(Some);
        }
        match default {
            Some(default) => self.at_depth(default, depth + 1).map(Some),
            None => Ok(None),
        }
    }

    /// `f1[key]`, `f1['key']` or `f1["key"]` of a filter of type `env`.
    fn filter_key<'n>(&self, name: &'n str) -> Option<&'n str> {
        let (filter, key) = name.strip_suffix(']')?.split_once('[')?;
        let bare = ['\'', '"'].iter().find_map(|quote| key.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(key);
        let is_key = !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (is_key && self.env_filters.iter().any(|known| known == filter)).then_some(bare)
    }
}

/// Names of the agent's configuration filters of type `env`; the other types are refused.
///
/// # Errors
/// A text that says which filter cannot be used, with its line.
pub(crate) fn env_filters(properties: &[Property], agent: &str) -> Result<Vec<String>, Vec<(usize, String)>> {
    let by_key: BTreeMap<&str, &Property> =
        properties.iter().map(|property| (property.key.as_str(), property)).collect();
    let Some(list) = by_key.get(format!("{agent}.configfilters").as_str()) else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    let mut refused = Vec::new();
    for name in list.value.split_whitespace() {
        match by_key.get(format!("{agent}.configfilters.{name}.type").as_str()) {
            Some(kind) if kind.value.eq_ignore_ascii_case("env") || kind.value.ends_with(".EnvironmentVariableConfigFilter") => {
                names.push(name.to_owned());
            }
            Some(kind) => refused.push((
                kind.line,
                format!("the configuration filter {name} would run a command or read Hadoop's store, which Cauce does not do: use type = env, ${{env:NAME}} or ${{file:path}}"),
            )),
            None => refused.push((list.line, format!("the configuration filter {name} has no type"))),
        }
    }
    if refused.is_empty() { Ok(names) } else { Err(refused) }
}

fn matching_brace(text: &str) -> Option<usize> {
    let mut open = 1usize;
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '{' if previous == '$' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
        previous = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(test: impl FnOnce(&Lookup<'_>) -> T) -> T {
        let outside = Outside::with_variables([("A", "x"), ("WHICH", "A")]);
        let system = [("k".to_owned(), "A".to_owned())];
        let property = |key: &str, value: &str| Property { key: key.to_owned(), value: value.to_owned(), line: 1 };
        let properties = [property("base", "p-${env:A}"), property("loop", "${loop}")];
        test(&Lookup {
            outside: &outside,
            system: &system,
            properties: &properties,
            env_filters: vec!["f1".to_owned()],
        })
    }

    #[test]
    fn references_follow_flume_1_10() {
        for (text, expected) in [
            ("${env:A}", "x"),
            ("${sys:k}", "A"),
            ("${env:${sys:k}}", "x"),
            ("${env:NONE:-d}", "d"),
            ("${env:NONE:-${env:A}}", "x"),
            ("${sys:none:-}", ""),
            ("a ${base} b", "a p-x b"),
            ("${f1[A]}${f1['A']}${f1[\"A\"]}", "xxx"),
            ("$${env:A}", "${env:A}"),
            // What nothing matches stays as it is.
            ("${nothing}", "${nothing}"),
            ("${f2[A]}", "${f2[A]}"),
            ("${open", "${open"),
            ("$", "$"),
            ("%m-%d-%h", "%m-%d-%h"),
        ] {
            assert_eq!(with(|lookup| lookup.substitute(text)).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_named_and_a_circle_ends() {
        let error = |text: &str| with(|lookup| lookup.substitute(text)).expect_err("it was resolved");
        assert!(error("${env:NONE}").contains("NONE is not set"));
        assert!(error("${sys:none}").contains("-Dnone"));
        assert!(error("${f1[NONE]}").contains("NONE is not set"));
        assert!(error("${loop}").contains("circle"));
    }

    #[test]
    fn only_filters_of_type_env_are_taken() {
        let property = |key: &str, value: &str, line| Property { key: key.to_owned(), value: value.to_owned(), line };
        let good = [property("a.configfilters", "f1", 1), property("a.configfilters.f1.type", "env", 2)];
        assert_eq!(env_filters(&good, "a"), Ok(vec!["f1".to_owned()]));
        let bad = [property("a.configfilters", "f1", 1), property("a.configfilters.f1.type", "external", 2)];
        let refused = env_filters(&bad, "a").expect_err("an external filter was taken");
        assert_eq!(refused[0].0, 2);
        assert_eq!(env_filters(&good, "other"), Ok(Vec::new()));
    }
}
