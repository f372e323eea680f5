//! The profile of AWS's files that is in force: in which file it is, what it holds, and why that gave no credentials.
//!
//! Read only when credentials were not found, for the message. No value is repeated but names: of profiles, roles, programs.

use std::env;
use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;

use aws_config::profile::{ProfileSet, load};
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use super::answer::first_words;
use super::credentials::said;

/// Most characters of the text of a damaged file.
const PROBLEM_CHARS: usize = 500;

/// The profile in force.
#[derive(Debug)]
pub(super) struct Profile {
    name: String,
    /// The files that hold it, or all that were looked into.
    files: Vec<PathBuf>,
    /// `None` where no file holds it.
    holds: Option<Holds>,
    /// Why the files could not be read.
    problem: Option<String>,
}

/// How a profile gives credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holds {
    /// IAM Identity Center, signed in to with this profile.
    Sso {
        profile: String,
    },
    /// A session of `aws login`, with this profile.
    Login {
        profile: String,
    },
    /// A program that prints them.
    Process {
        program: String,
    },
    /// A role that another profile's or a service's credentials assume.
    Role {
        arn: String,
        by: String,
        base: Box<Holds>,
    },
    WebIdentity,
    /// A service, such as `Ec2InstanceMetadata`.
    Service(String),
    Keys,
    Nothing,
}

impl Profile {
    /// Reads the files.
    pub(super) async fn selected() -> Profile {
        let chosen = env::var("AWS_PROFILE").unwrap_or_else(|_| "default".to_owned());
        let [config, credentials] = paths();
        let files: Vec<PathBuf> = [&config, &credentials].into_iter().flatten().cloned().collect();
        let both = match sections(&EnvConfigFiles::default()).await {
            Ok(both) => both,
            Err(problem) => return Profile { name: chosen, files, holds: None, problem: Some(problem) },
        };
        let name = both.selected_profile().to_owned();
        if both.get_profile(&name).is_none() {
            return Profile { name, files, holds: None, problem: None };
        }
        let mut holding = Vec::new();
        for (path, only) in [
            (config, EnvConfigFiles::builder().include_default_config_file(true).build()),
            (credentials, EnvConfigFiles::builder().include_default_credentials_file(true).build()),
        ] {
            let is_in = sections(&only).await.is_ok_and(|sections| sections.get_profile(&name).is_some());
            holding.extend(path.filter(|_| is_in));
        }
        Profile { files: holding, holds: Some(holds(&both, &name, &mut Vec::new())), name, problem: None }
    }

    /// Why it gave no credentials, and what to do.
    pub(super) fn reason(&self, error: &CredentialsError) -> String {
        if let Some(problem) = &self.problem {
            return problem.clone();
        }
        let Some(holds) = &self.holds else { return format!("it is not in {}", self.places(" or ")) };
        if let CredentialsError::ProviderTimedOut(limit) = error {
            return format!("no answer within {} s", limit.timeout_duration().as_secs());
        }
        holds.reason(&said(error))
    }

    fn places(&self, between: &str) -> String {
        if self.files.is_empty() {
            return "any file: neither HOME nor AWS_CONFIG_FILE is set".to_owned();
        }
        self.files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(between)
    }
}

/// `profile "etl" of ~/.aws/config (SSO)`, with the whole path.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile {:?}", self.name)?;
        match &self.holds {
            Some(holds) => write!(f, " of {} ({holds})", self.places(" and ")),
            None => Ok(()),
        }
    }
}

impl Holds {
    fn reason(&self, said: &str) -> String {
        match self {
            Holds::Sso { profile } => match lack_of_token(said) {
                Some(lack) => format!("{lack}: run aws sso login --profile {profile}"),
                None => said.to_owned(),
            },
            Holds::Login { profile } => match lack_of_session(said) {
                Some(lack) => format!("{lack}: run aws login --profile {profile}"),
                None => said.to_owned(),
            },
            Holds::Process { program } => process_reason(program, said),
            // Until its own credentials are there, a role is not asked for.
            Holds::Role { base, .. } if !said.contains("AssumeRole") => base.reason(said),
            Holds::Nothing => "it holds no credentials".to_owned(),
            _ => said.to_owned(),
        }
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holds::Sso { .. } => f.write_str("SSO"),
            Holds::Login { .. } => f.write_str("aws login"),
            Holds::Process { .. } => f.write_str("credential_process"),
            Holds::Role { arn, by, base } => write!(f, "role {arn} by {by}, {base}"),
            Holds::WebIdentity => f.write_str("web identity"),
            Holds::Service(name) => write!(f, "credential_source {name}"),
            Holds::Keys => f.write_str("access key"),
            Holds::Nothing => f.write_str("no credentials"),
        }
    }
}

/// What is wrong with the token of an SSO session, where it is the token.
fn lack_of_token(said: &str) -> Option<&'static str> {
    if said.contains("has expired") {
        Some("the SSO token has expired")
    } else if said.contains("UnauthorizedException") {
        Some("the SSO portal does not accept the token, which has expired or was signed out")
    } else if said.contains("cached SSO token") || said.contains("sso/cache") {
        Some("there is no usable SSO token in ~/.aws/sso/cache")
    } else {
        None
    }
}

fn lack_of_session(said: &str) -> Option<&'static str> {
    if said.contains("expired") || said.contains("eauthenticate") {
        Some("the session has expired")
    } else if said.contains("cached Login token") || said.contains("login/cache") || said.contains("failed to read") {
        Some("there is no usable session in ~/.aws/login/cache")
    } else {
        None
    }
}

/// What a `credential_process` did. What it printed holds keys and is not repeated; what it wrote to standard error is.
fn process_reason(program: &str, said: &str) -> String {
    if let Some((_, rest)) = said.split_once("external process exited with code ") {
        let (status, words) = rest.split_once(". Stderr:").unwrap_or((rest, ""));
        let words = match words.trim() {
            "" => "and nothing on standard error".to_owned(),
            words => format!("and on standard error: {words}"),
        };
        return format!("{program} ended with {status} {words}");
    }
    if let Some((_, rest)) = said.split_once("Expected field `") {
        let field = rest.split('`').next().unwrap_or_default();
        return format!(
            "{program} printed JSON without {field}: a credential process prints Version, AccessKeyId and SecretAccessKey"
        );
    }
    if said.contains("Invalid field in response: `Expiration`") {
        return format!("{program} printed an Expiration that is no time, as in 2026-11-22T05:00:00Z");
    }
    if said.contains("unknown version number") {
        return format!("{program} printed JSON of another version: Version must be 1");
    }
    if said.contains("could not parse response") || said.contains("could not decode output") {
        return format!(
            "what {program} printed is not the JSON of a credential process: Version, AccessKeyId and SecretAccessKey"
        );
    }
    format!("{program} could not be run: {said}")
}

/// Where AWS's two files are.
fn paths() -> [Option<PathBuf>; 2] {
    let in_home = |name: &str| env::home_dir().map(|home| home.join(".aws").join(name));
    [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")]
        .map(|(variable, name)| env::var_os(variable).map(PathBuf::from).or_else(|| in_home(name)))
}

async fn sections(files: &EnvConfigFiles) -> Result<ProfileSet, String> {
    load(&Fs::real(), &Env::real(), files, None).await.map_err(|error| {
        let causes = std::iter::successors(Some(&error as &(dyn StdError + 'static)), |error| StdError::source(*error));
        first_words(&causes.map(ToString::to_string).collect::<Vec<_>>().join(": "), PROBLEM_CHARS)
    })
}

/// What a profile holds, in the order in which the SDK looks.
fn holds(all: &ProfileSet, name: &str, seen: &mut Vec<String>) -> Holds {
    // Profiles that refer to each other give nothing; the SDK says so.
    let Some(profile) = all.get_profile(name).filter(|_| !seen.iter().any(|seen| seen == name)) else {
        return Holds::Nothing;
    };
    seen.push(name.to_owned());
    let has_web_identity = profile.get("web_identity_token_file").is_some();
    if let Some(arn) = profile.get("role_arn").filter(|_| !has_web_identity) {
        let (by, base) = match (profile.get("source_profile"), profile.get("credential_source")) {
            (Some(source), _) if source != name => (format!("profile {source:?}"), holds(all, source, seen)),
            (Some(_), _) => ("itself".to_owned(), own(all, name)),
            (None, Some(service)) => (service.to_owned(), Holds::Service(service.to_owned())),
            (None, None) => ("nobody: source_profile or credential_source is missing".to_owned(), Holds::Nothing),
        };
        return Holds::Role { arn: arn.to_owned(), by, base: Box::new(base) };
    }
    own(all, name)
}

fn own(all: &ProfileSet, name: &str) -> Holds {
    let Some(profile) = all.get_profile(name) else { return Holds::Nothing };
    let has = |key: &str| profile.get(key).is_some();
    if let Some(service) = profile.get("credential_source") {
        return Holds::Service(service.to_owned());
    }
    if has("web_identity_token_file") {
        return Holds::WebIdentity;
    }
    if ["sso_session", "sso_start_url", "sso_account_id", "sso_role_name", "sso_region"].iter().any(|key| has(key)) {
        return Holds::Sso { profile: name.to_owned() };
    }
    if has("login_session") {
        return Holds::Login { profile: name.to_owned() };
    }
    if let Some(command) = profile.get("credential_process") {
        // Its arguments may hold a secret.
        let program = command.trim().split(char::is_whitespace).next().unwrap_or_default();
        return Holds::Process { program: first_words(program.trim_matches(['"', '\'']), PROBLEM_CHARS) };
    }
    if has("aws_access_key_id") { Holds::Keys } else { Holds::Nothing }
}

#[cfg(test)]
mod tests {
    use aws_runtime::env_config::file::EnvConfigFileKind;

    use super::*;

    async fn held(contents: &str, name: &str) -> Holds {
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, contents).build();
        holds(&sections(&files).await.expect("it reads"), name, &mut Vec::new())
    }

    #[tokio::test]
    async fn what_a_profile_holds_is_told_without_what_may_be_secret() {
        let contents = "[profile sso]\nsso_session = x\nsso_account_id = 1\nsso_role_name = r\n\
            [profile old]\nsso_start_url = https://x\n\
            [profile login]\nlogin_session = arn:aws:iam::1:user/a\n\
            [profile process]\ncredential_process = /usr/bin/creds --password hush\n\
            [profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = sso\n\
            [profile own]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = own\naws_access_key_id = AKIA\naws_secret_access_key = hush\n\
            [profile ec2]\nrole_arn = arn:aws:iam::1:role/x\ncredential_source = Ec2InstanceMetadata\n\
            [profile web]\nrole_arn = arn:aws:iam::1:role/x\nweb_identity_token_file = /t\n\
            [profile loop]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = pool\n\
            [profile pool]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = loop\n\
            [profile empty]\nregion = eu-west-1\n";
        for (name, shown) in [
            ("sso", "SSO"),
            ("old", "SSO"),
            ("login", "aws login"),
            ("process", "credential_process"),
            ("role", "role arn:aws:iam::1:role/x by profile \"sso\", SSO"),
            ("own", "role arn:aws:iam::1:role/x by itself, access key"),
            ("ec2", "role arn:aws:iam::1:role/x by Ec2InstanceMetadata, credential_source Ec2InstanceMetadata"),
            ("web", "web identity"),
            ("empty", "no credentials"),
            ("missing", "no credentials"),
        ] {
            let held = held(contents, name).await;
            assert_eq!(held.to_string(), shown);
            assert!(!format!("{held:?}").contains("hush"));
        }
        assert!(held(contents, "loop").await.to_string().ends_with("no credentials"));
    }

    #[test]
    fn a_reason_says_what_to_do() {
        let sso = Holds::Sso { profile: "etl".to_owned() };
        let role = Holds::Role { arn: "a".to_owned(), by: "b".to_owned(), base: Box::new(sso.clone()) };
        for (holds, said, reason) in [
            (
                &sso,
                "the SSO token has expired and cannot be refreshed",
                "the SSO token has expired: run aws sso login --profile etl",
            ),
            (
                &role,
                "the SSO token has expired and cannot be refreshed",
                "the SSO token has expired: run aws sso login --profile etl",
            ),
            (
                &sso,
                "failed to read `/h/.aws/sso/cache/0.json`: No such file",
                "there is no usable SSO token in ~/.aws/sso/cache: run aws sso login --profile etl",
            ),
            (&sso, "ForbiddenException: no access", "ForbiddenException: no access"),
            (
                &role,
                "AccessDenied: not authorized to perform: sts:AssumeRole",
                "AccessDenied: not authorized to perform: sts:AssumeRole",
            ),
        ] {
            assert_eq!(holds.reason(said), reason);
        }
        let login = Holds::Login { profile: "dev".to_owned() };
        assert_eq!(
            login.reason("cached Login token is expired"),
            "the session has expired: run aws login --profile dev"
        );
    }

    #[test]
    fn what_a_process_printed_is_never_repeated() {
        for (said, reason) in [
            (
                "Error retrieving credentials: external process exited with code exit status: 3. Stderr: no ticket",
                "creds ended with exit status: 3 and on standard error: no ticket",
            ),
            (
                "Error retrieving credentials: external process exited with code signal: 9 (SIGKILL). Stderr:",
                "creds ended with signal: 9 (SIGKILL) and nothing on standard error",
            ),
            (
                "could not parse response: Expected field `SecretAccessKey` in response but it was missing",
                "creds printed JSON without SecretAccessKey",
            ),
            ("could not parse response: Error at offset 0: unexpected token 'h'", "what creds printed is not the JSON"),
        ] {
            let told = process_reason("creds", said);
            assert!(told.starts_with(reason), "{told}");
        }
    }
}
