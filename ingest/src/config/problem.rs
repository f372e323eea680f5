//! What is wrong with a configuration. All problems that can be found at once are reported at once, each with where it
//! was written. A value is only ever quoted where its setting holds no secret, and then without what looks like one.

use std::fmt;

use super::redact::redact;

/// A configuration that cannot be used. Exit code 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    /// An error of one problem.
    pub fn one(problem: impl Into<String>) -> ConfigError {
        ConfigError { problems: vec![redact(&problem.into())] }
    }

    /// The problems, in the order in which they were found; at least one.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [one] => f.write_str(one),
            several => {
                write!(f, "the configuration has {} problems", several.len())?;
                several.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// Problems as they are collected.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<String>);

impl Problems {
    /// Adds one, unless the very same is already there.
    pub(crate) fn push(&mut self, problem: impl Into<String>) {
        let problem = redact(&problem.into());
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Fails when there are any.
    pub(crate) fn check(&mut self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError { problems: std::mem::take(&mut self.0) }) }
    }
}

/// The known name that is nearest to a mistyped one, when it is near enough to be meant: ` (did you mean …?)` or nothing.
pub(crate) fn suggestion<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    cauce_lake::setting::nearest(typed, known).map_or(String::new(), |name| format!(" (did you mean {name}?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_problem_stands_alone_and_several_are_listed() {
        assert_eq!(ConfigError::one("a").to_string(), "a");
        let mut problems = Problems::default();
        for text in ["a", "b", "a"] {
            problems.push(text);
        }
        let error = problems.check().expect_err("there are problems");
        assert_eq!(error.to_string(), "the configuration has 2 problems\n  - a\n  - b");
    }

    #[test]
    fn a_typo_gets_the_nearest_name_and_nonsense_gets_none() {
        let known = ["roll_interval", "roll_bytes", "pattern"];
        assert_eq!(suggestion("roll_intervall", known), " (did you mean roll_interval?)");
        assert_eq!(suggestion("patern", known), " (did you mean pattern?)");
        assert_eq!(suggestion("zzz", known), "");
    }
}
