//! What configuration takes from outside of its files: environment variables, files that `${file:…}` names, and the
//! host's name. This is the one place in configuration that reads the process's environment, so that everything behind
//! it can be tested with variables of its own.

use std::collections::BTreeMap;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};

use cauce_lake::pattern::HostNames;

use super::redact;

/// Longest file that `${file:…}` takes; a secret is never longer, and a mistyped path must not fill the memory.
const MAX_SECRET_FILE_BYTES: u64 = 64 * 1024;

/// Variables and files as configuration sees them. It has no `Debug` form, because it holds secrets.
#[derive(Clone, Default)]
pub struct Outside {
    variables: BTreeMap<String, String>,
}

impl Outside {
    /// The process's own environment. Names and values that are no UTF-8 are left out.
    pub fn of_process() -> Outside {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name, value.into_string().ok()?))
        });
        Outside { variables: variables.collect() }
    }

    /// Exactly these variables.
    pub fn with_variables<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Outside {
        Outside { variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    /// A variable's value. One that is set to nothing counts as not set: container files often pass empty ones on.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All variables that are set to something, by name.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(_, value)| !value.is_empty())
    }

    /// The content of a file that holds a secret, without the line end at its end.
    ///
    /// # Errors
    /// A text that says what is wrong with the file, never what is in it.
    pub fn secret_file(&self, path: &Path) -> Result<String, String> {
        let name = redact::file_name(path);
        let cannot = |why: std::io::Error| format!("cannot read {name}: {why}");
        let meta = std::fs::metadata(path).map_err(cannot)?;
        if meta.len() > MAX_SECRET_FILE_BYTES {
            return Err(format!("{name} is longer than 64 KiB, which no secret is"));
        }
        let bytes = std::fs::read(path).map_err(cannot)?;
        let text = String::from_utf8(bytes).map_err(|_| format!("{name} is no UTF-8 text"))?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() { Err(format!("{name} is empty")) } else { Ok(text.to_owned()) }
    }

    /// Whether anything but the two key variables says where AWS credentials come from: a profile, a role, or
    /// AWS's own files. An instance's role cannot be seen from here.
    pub fn knows_aws_profile_or_role(&self) -> bool {
        const HINTS: [&str; 5] = [
            "AWS_PROFILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_SHARED_CREDENTIALS_FILE",
        ];
        let home = self.variable("HOME").map(PathBuf::from);
        HINTS.iter().any(|name| self.variable(name).is_some())
            || home.is_some_and(|home| home.join(".aws/credentials").exists() || home.join(".aws/config").exists())
    }

    /// What this host is called. Its address is the one its name leads to, or loopback.
    pub fn host_names(&self) -> HostNames {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let addresses: Vec<_> = (name.as_str(), 0).to_socket_addrs().into_iter().flatten().collect();
        let address = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
        let ip = address.map_or_else(|| "127.0.0.1".to_owned(), |address| address.ip().to_string());
        HostNames { localhost: name.clone(), ip, fqdn: name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_set_to_nothing_counts_as_not_set() {
        let outside = Outside::with_variables([("A", ""), ("B", "x")]);
        assert_eq!(outside.variable("A"), None);
        assert_eq!(outside.variable("B"), Some("x"));
        assert_eq!(outside.variables().count(), 1);
    }

    #[test]
    fn a_secret_file_loses_its_line_end_and_must_hold_something() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "hush\r\n").expect("file written");
        assert_eq!(Outside::default().secret_file(&path), Ok("hush".to_owned()));
        std::fs::write(&path, "\n").expect("file written");
        assert!(Outside::default().secret_file(&path).expect_err("an empty secret was taken").contains("is empty"));
        let missing = Outside::default().secret_file(&folder.path().join("none")).expect_err("no file was read");
        assert!(missing.contains("none"), "{missing}");
    }
}
