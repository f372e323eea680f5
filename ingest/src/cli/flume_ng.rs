//! Flume's own command line, for a link to this program that is called `flume-ng`. Taken as it is: agent, node, version,
//! help. Where Flume logs a fatal error and exits with 0, this exits with a code that says what was wrong.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Failure, Outcome, check, log_args, print, run};
use crate::config::{ConfigError, FlumeRequest, Request};
use crate::status::logs::LogWriter;

const USAGE: &str = "\
Usage: flume-ng <command> [options]

commands:
  agent          run an agent (node is the same)
  version        show the version
  help           show this text

options of agent:
  -n, --name NAME          name of the agent (needed)
  -f, --conf-file FILE     the twitter.conf (needed)
  -c, --conf FOLDER        accepted; only said when it is not there
  -Dkey=value              flume.root.logger, flume.monitoring.type=http, flume.monitoring.port,
                           cauce.config=FILE (a cauce.toml beneath the twitter.conf), cauce.SECTION.KEY=VALUE
  -d, --dryrun             check the configuration and leave
      --no-reload-conf     accepted: the file is read once in any case
  -C, --classpath, --plugins-path, -X…   accepted and ignored: there is no Java here
  -h, --help               show this text

Exit codes: 0 done, 1 failure, 2 usage or configuration, 3 credentials refused by the source, 4 store.
";

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Help,
    Version,
    Agent(Agent),
}

/// `flume-ng agent`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Agent {
    name: String,
    file: PathBuf,
    conf: Option<PathBuf>,
    system: Vec<(String, String)>,
    dry_run: bool,
    reads_once: bool,
    ignored: Vec<String>,
}

/// Runs Flume's command line, without the program's name.
pub(super) fn run(line: &[OsString]) -> Outcome {
    match parse(line).map_err(usage)? {
        Asked::Help => print(USAGE),
        Asked::Version => print(&format!("Cauce {}, in place of Apache Flume\n", env!("CARGO_PKG_VERSION"))),
        Asked::Agent(agent) => {
            let (filter, mut notices) = filter(&agent.system, variable("CAUCE_LOG")).map_err(usage)?;
            let format = variable("CAUCE_LOG_FORMAT").unwrap_or_default();
            let format = log_args::format(&format).map_err(|why| usage(format!("CAUCE_LOG_FORMAT: {why}")))?;
            log_args::start(format, &filter, LogWriter::Queued)?;
            notices.extend(remarks(&agent));
            // A file named on the command line is over one named in the environment.
            let is_named = agent.system.iter().any(|(key, _)| key == "cauce.config");
            let toml = variable("CAUCE_CONFIG").map(PathBuf::from).filter(|_| !is_named);
            let flume = FlumeRequest { agent: Some(agent.name), file: agent.file, system: agent.system };
            let request = Request { toml, flume: Some(flume), ..Request::default() };
            if agent.dry_run {
                return check::check(&request, &notices, false);
            }
            for notice in &notices {
                tracing::info!(notice, "command line");
            }
            run::run_agent(&request, false)
        }
    }
}

/// A variable; one that is set to nothing counts as not set.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn usage(what: String) -> Failure {
    ConfigError::one(what).into()
}

fn parse(line: &[OsString]) -> Result<Asked, String> {
    let line: Vec<&str> =
        line.iter().map(|word| word.to_str().ok_or("an argument is no UTF-8 text")).collect::<Result<_, _>>()?;
    match line.split_first() {
        Some((&("agent" | "node"), options)) => agent(options),
        Some((&("help" | "-h" | "--help"), _)) => Ok(Asked::Help),
        Some((&("version" | "--version"), _)) => Ok(Asked::Version),
        Some((&command @ ("avro-client" | "tool"), _)) => Err(format!(
            "the command {command} is not there: Cauce has no Avro client and none of Flume's channel tools"
        )),
        // What else was typed is not repeated: with the command left out it could be anything.
        Some(_) => Err("the first word must be agent, version or help (see flume-ng help)".to_owned()),
        None => Err("a command is missing: agent, version or help (see flume-ng help)".to_owned()),
    }
}

fn agent(options: &[&str]) -> Result<Asked, String> {
    let mut agent = Agent::default();
    let mut rest = options.iter().copied();
    while let Some(word) = rest.next() {
        if let Some(property) = word.strip_prefix("-D") {
            let (key, value) = property.split_once('=').unwrap_or((property, ""));
            agent.system.push((key.to_owned(), value.to_owned()));
            continue;
        }
        if word.starts_with("-X") {
            agent.ignored.push(word.to_owned());
            continue;
        }
        let (option, attached) = match word.split_once('=').filter(|_| word.starts_with("--")) {
            Some((option, value)) => (option, Some(value)),
            None => (word, None),
        };
        let mut value = || attached.or_else(|| rest.next()).map(str::to_owned).ok_or(format!("{option} needs a value"));
        match option {
            "-n" | "--name" => agent.name = value()?,
            "-f" | "--conf-file" if !agent.file.as_os_str().is_empty() => {
                return Err("-f is given twice: Cauce reads one file and merges none".to_owned());
            }
            "-f" | "--conf-file" => agent.file = value()?.into(),
            "-c" | "--conf" => agent.conf = Some(value()?.into()),
            "-C" | "--classpath" | "--plugins-path" => {
                value()?;
                agent.ignored.push(option.to_owned());
            }
            "-d" | "--dryrun" => agent.dry_run = true,
            "--no-reload-conf" => agent.reads_once = true,
            "-h" | "--help" => return Ok(Asked::Help),
            "-z" | "--zkConnString" | "-p" | "--zkBasePath" => {
                return Err(format!(
                    "{option}: Cauce reads its configuration from a file, not from ZooKeeper: give -f FILE"
                ));
            }
            "-u" | "--conf-uri" | "-prov" | "--conf-provider" | "-a" | "--auth-provider" | "-user" | "--conf-user"
            | "-pwd" | "--conf-password" | "-i" | "--poll-interval" | "-b" | "--backup-directory" => {
                return Err(format!(
                    "{option}: Cauce reads its configuration from a file, not from a server: give -f FILE"
                ));
            }
            _ => return Err("there is an option that Flume does not know either (see flume-ng help)".to_owned()),
        }
    }
    match (agent.name.is_empty(), agent.file.as_os_str().is_empty()) {
        (true, _) => Err("the agent's name is missing: give -n NAME".to_owned()),
        (_, true) => Err("the configuration file is missing: give -f FILE".to_owned()),
        _ => Ok(Asked::Agent(agent)),
    }
}

/// The level of `-Dflume.root.logger=INFO,console`, else that of `CAUCE_LOG`; and what is worth saying about appenders.
fn filter(system: &[(String, String)], variable: Option<String>) -> Result<(String, Vec<String>), String> {
    let Some((_, value)) = system.iter().rev().find(|(key, _)| key == "flume.root.logger") else {
        let filter = log_args::filter(&variable.unwrap_or_default()).map_err(|why| format!("CAUCE_LOG: {why}"))?;
        return Ok((filter, Vec::new()));
    };
    let mut words = value.split(',').map(str::trim);
    let level = match words.next().unwrap_or("").to_ascii_uppercase().as_str() {
        "ALL" | "TRACE" => "trace",
        "DEBUG" => "debug",
        "INFO" | "" => "info",
        "WARN" => "warn",
        "ERROR" | "FATAL" => "error",
        "OFF" => "off",
        _ => {
            return Err("-Dflume.root.logger: the level must be one of TRACE, DEBUG, INFO, WARN, ERROR, OFF".to_owned());
        }
    };
    let others: Vec<&str> =
        words.filter(|appender| !appender.is_empty() && !appender.eq_ignore_ascii_case("console")).collect();
    let notices = if others.is_empty() {
        Vec::new()
    } else {
        vec![format!("the log goes to standard error, not to {}: let your supervisor keep it", others.join(", "))]
    };
    Ok((log_args::filter(level)?, notices))
}

/// What is worth saying about a command line that is taken.
fn remarks(agent: &Agent) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(folder) = &agent.conf {
        if !folder.is_dir() {
            remarks.push(format!("-c {}: there is no such folder; it is not needed", folder.display()));
        } else if folder.join("flume-env.sh").exists() {
            remarks.push(format!(
                "{} is not read: set variables in the environment",
                folder.join("flume-env.sh").display()
            ));
        }
    }
    if !agent.ignored.is_empty() {
        remarks.push(format!("there is no Java here: {} ignored", agent.ignored.join(", ")));
    }
    if !agent.reads_once {
        remarks.push("a change of the twitter.conf is taken up at the next start, not while running".to_owned());
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Asked, String> {
        parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_old_agents_command_line_is_taken() {
        let line = "agent -n TwitterAgent -c conf -f twitter.conf -Dflume.root.logger=INFO,console";
        let Ok(Asked::Agent(agent)) = read(line) else { panic!("{:?}", read(line)) };
        assert_eq!(agent.name, "TwitterAgent");
        assert_eq!(agent.file, PathBuf::from("twitter.conf"));
        assert_eq!(agent.conf, Some(PathBuf::from("conf")));
        assert_eq!(agent.system, [("flume.root.logger".to_owned(), "INFO,console".to_owned())]);
        assert!(!agent.dry_run && !agent.reads_once);
    }

    #[test]
    fn long_options_and_javas_own_are_taken() {
        let line = "node --name A --conf-file=f.conf --conf c --no-reload-conf -d -Xmx20m -C x.jar --plugins-path p -Da=b=c -Dflag";
        let Ok(Asked::Agent(agent)) = read(line) else { panic!("{:?}", read(line)) };
        assert_eq!((agent.name.as_str(), agent.dry_run, agent.reads_once), ("A", true, true));
        assert_eq!(agent.ignored, ["-Xmx20m", "-C", "--plugins-path"]);
        assert_eq!(agent.system, [("a".to_owned(), "b=c".to_owned()), ("flag".to_owned(), String::new())]);
    }

    #[test]
    fn what_cannot_be_done_is_refused_in_clear_words() {
        for (line, part) in [
            ("", "a command is missing"),
            ("agnet -n A", "must be agent, version or help"),
            ("avro-client -H x", "is not there"),
            ("tool FCINTEGRITYTOOL", "is not there"),
            ("agent -f x", "give -n NAME"),
            ("agent -n A", "give -f FILE"),
            ("agent -n", "-n needs a value"),
            ("agent -n A -z zk:2181", "not from ZooKeeper"),
            ("agent -n A -u http://x", "not from a server"),
            ("agent -n A -f x -f y", "given twice"),
            ("agent -n A -f x --frob", "does not know either"),
        ] {
            let error = read(line).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        }
        assert_eq!(read("help"), Ok(Asked::Help));
        assert_eq!(read("agent -n A -h"), Ok(Asked::Help));
        assert_eq!(read("version"), Ok(Asked::Version));
    }

    #[test]
    fn flumes_logger_sets_the_level_and_other_appenders_are_said() {
        let with =
            |value: &str| filter(&[("flume.root.logger".to_owned(), value.to_owned())], Some("trace".to_owned()));
        let level = |word: &str| log_args::filter(word).expect("a level");
        assert_eq!(with("DEBUG,console"), Ok((level("debug"), Vec::new())));
        let (of_file, notices) = with("WARN,LOGFILE").expect("a level");
        assert_eq!(of_file, level("warn"));
        assert!(notices[0].contains("not to LOGFILE"));
        assert!(with("LOUD,console").is_err());
        assert_eq!(filter(&[], Some("error".to_owned())), Ok((level("error"), Vec::new())));
        assert_eq!(filter(&[], None), Ok((level("info"), Vec::new())));
    }

    #[test]
    fn a_missing_folder_and_reloading_are_said() {
        let agent = Agent { conf: Some(PathBuf::from("no/such/folder")), ..Agent::default() };
        let remarks = remarks(&agent).join("\n");
        assert!(remarks.contains("no such folder") && remarks.contains("at the next start"), "{remarks}");
    }
}
