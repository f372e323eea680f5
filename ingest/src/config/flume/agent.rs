//! An agent of a `twitter.conf`: which components it has, how they are wired, and what Flume would drop. Pure.
//!
//! Flume drops what is not wired and goes on, if need be with nothing. Here every dropped component is said, a single
//! channel is wired by itself where its line is missing, and an agent without one source and one sink is an error.

use std::collections::{BTreeMap, BTreeSet};

use super::properties::Properties;
use super::substitute::Lookup;
use crate::config::problem::{Problems, suggestion};

/// A setting of a component.
#[derive(Clone)]
pub(super) struct Setting {
    /// With references resolved. May be a secret.
    pub(super) value: String,
    /// As written in the file. May be a secret too.
    pub(super) written: String,
    pub(super) line: usize,
}

/// A component that is to run.
#[derive(Clone)]
pub(super) struct Component {
    /// `sources`, `channels` or `sinks`.
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) settings: BTreeMap<String, Setting>,
}

impl Component {
    pub(super) fn get(&self, key: &str) -> Option<&Setting> {
        self.settings.get(key)
    }

    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.get(key).map(|setting| setting.value.as_str())
    }

    /// `sources.Twitter.keywords`, for messages.
    pub(super) fn path(&self, key: &str) -> String {
        format!("{}.{}.{key}", self.kind, self.name)
    }

    /// The line of its first setting.
    fn line(&self) -> usize {
        self.settings.values().map(|setting| setting.line).min().unwrap_or(1)
    }
}

/// What is left to run.
pub(super) struct Agent {
    pub(super) source: Component,
    pub(super) channel: Component,
    pub(super) sink: Component,
}

/// Where messages about a file go.
pub(super) struct Report<'a> {
    pub(super) file: &'a str,
    pub(super) notices: &'a mut Vec<String>,
    pub(super) problems: &'a mut Problems,
}

impl Report<'_> {
    pub(super) fn notice(&mut self, line: usize, what: &str) {
        self.notices.push(format!("{}:{line}: {what}", self.file));
    }

    pub(super) fn problem(&mut self, line: usize, what: &str) {
        self.problems.push(format!("{}:{line}: {what}", self.file));
    }
}

const KINDS: [&str; 3] = ["sources", "channels", "sinks"];

/// The agent that is meant: the one that was named, or the only one that the file holds.
///
/// # Errors
/// A text that lists the agents, where none was named and there are several or none.
pub(super) fn named(file: &Properties, asked: Option<&str>, name: &str) -> Result<String, String> {
    if let Some(asked) = asked {
        return Ok(asked.to_owned());
    }
    let agents = agent_names(file);
    // A slip in one line makes an agent of its own, but none with a list of sources.
    let has_sources =
        |agent: &&String| file.properties.iter().any(|property| property.key == format!("{agent}.sources"));
    let with_sources: Vec<&String> = agents.iter().filter(has_sources).collect();
    match (with_sources.as_slice(), agents.len()) {
        ([only], _) => Ok((*only).clone()),
        (_, 0) => {
            Err(format!("{name}: there is no agent in it: a line such as TwitterAgent.sources = Twitter is missing"))
        }
        _ => {
            let names: Vec<&str> = agents.iter().map(String::as_str).collect();
            Err(format!("{name}: it holds several agents, {}: give -n NAME", names.join(", ")))
        }
    }
}

/// Finds and wires the agent's components; `None` when a problem was reported.
pub(super) fn wire(file: &Properties, agent: &str, lookup: &Lookup<'_>, report: &mut Report<'_>) -> Option<Agent> {
    let agents = agent_names(file);
    if !agents.contains(agent) {
        let names = if agents.is_empty() {
            "no agent".to_owned()
        } else {
            agents.iter().cloned().collect::<Vec<_>>().join(", ")
        };
        let nearest = suggestion(agent, agents.iter().map(String::as_str));
        report.problems.push(format!("{}: there is no agent {agent:?} in it{nearest}; it holds {names}", report.file));
        return None;
    }
    let others: Vec<&str> = agents.iter().map(String::as_str).filter(|name| *name != agent).collect();
    if !others.is_empty() {
        report.notices.push(format!("{}: only {agent} is run; the file also holds {}", report.file, others.join(", ")));
    }
    let listed = collect(file, agent, lookup, report);
    let [mut sources, channels, mut sinks] = listed?;
    let channels = valid_channels(channels, report);
    if channels.is_empty() {
        let why = dropped("channel", report);
        report.problems.push(format!(
            "{}: {agent} has no channel that can be used, so nothing can run{}{why}",
            report.file,
            if why.is_empty() { "" } else { ": " }
        ));
        return None;
    }
    if let Some((line, what)) = lost_channel(&sources, &sinks, &channels) {
        report.problem(line, &what);
        return None;
    }
    sources.retain_mut(|source| wire_one(source, "channels", "channel", &channels, report));
    sinks.retain_mut(|sink| wire_one(sink, "channel", "channels", &channels, report));
    let source = only(sources, "source", "sources", agent, report);
    let sink = only(sinks, "sink", "sinks", agent, report);
    let (source, sink) = (source?, sink?);
    let sink_channel = sink.value("channel")?.to_owned();
    let source_channels: Vec<&str> = source.value("channels")?.split_whitespace().collect();
    if source_channels != [sink_channel.as_str()] {
        let line = source.get("channels").map_or(1, |setting| setting.line);
        report.problem(
            line,
            &format!(
                "source {} feeds {}, and sink {} empties {sink_channel}: Cauce runs one source, one channel and one sink; let both name the same channel",
                source.name,
                source_channels.join(" and "),
                sink.name
            ),
        );
        return None;
    }
    for channel in channels.iter().filter(|channel| channel.name != sink_channel) {
        report.notice(
            channel.line(),
            &format!("channel {} is dropped: no source and no sink is connected to it", channel.name),
        );
    }
    let channel = channels.into_iter().find(|channel| channel.name == sink_channel)?;
    Some(Agent { source, channel, sink })
}

/// One line for a channel that all sources or all sinks name and that is not there: both sides usually have the same slip.
fn lost_channel(sources: &[Component], sinks: &[Component], channels: &[Component]) -> Option<(usize, String)> {
    let is_known = |name: &str| channels.iter().any(|channel| channel.name == name);
    let wanted = |component: &Component| -> Option<(usize, String)> {
        let key = if component.kind == "sinks" { "channel" } else { "channels" };
        let setting = component.get(key).filter(|_| component.get("type").is_some())?;
        let names: Vec<&str> = setting.value.split_whitespace().collect();
        let first = names.first().filter(|_| !names.iter().any(|name| is_known(name)))?;
        Some((setting.line, (*first).to_owned()))
    };
    let are_lost =
        |components: &[Component]| !components.is_empty() && components.iter().all(|one| wanted(one).is_some());
    if !are_lost(sources) && !are_lost(sinks) {
        return None;
    }
    let lost = || sources.iter().chain(sinks).filter_map(|component| Some((component, wanted(component)?)));
    let (_, (line, name)) = lost().next()?;
    let of_it: Vec<String> = lost()
        .filter(|(_, (_, other))| *other == name)
        .map(|(component, _)| format!("{} {}", singular(component.kind), component.name))
        .collect();
    let nearest = match channels {
        [only] => format!(" (did you mean {}?)", only.name),
        several => suggestion(&name, several.iter().map(|channel| channel.name.as_str())),
    };
    let verb = if of_it.len() == 1 { "names" } else { "name" };
    Some((line, format!("{} {verb} the channel {name:?}, which is not there{nearest}", of_it.join(" and "))))
}

fn agent_names(file: &Properties) -> BTreeSet<String> {
    let split = file.properties.iter().filter_map(|property| property.key.split_once('.'));
    let is_part = |rest: &str| KINDS.contains(&rest.split('.').next().unwrap_or(rest));
    split.filter(|(agent, rest)| !agent.is_empty() && is_part(rest)).map(|(agent, _)| agent.to_owned()).collect()
}

/// Components that the agent's lists name, in the lists' order.
fn collect(
    file: &Properties,
    agent: &str,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Option<[Vec<Component>; 3]> {
    let mut lists: BTreeMap<&str, (Vec<String>, usize)> = BTreeMap::new();
    let mut settings: BTreeMap<(&str, String), BTreeMap<String, Setting>> = BTreeMap::new();
    for property in &file.properties {
        let Some((owner, rest)) =
            property.key.split_once('.').filter(|(owner, rest)| !owner.is_empty() && !rest.is_empty())
        else {
            // The key is not repeated: a broken line may have a secret there.
            report.notice(property.line, "this line is ignored: its key does not begin with an agent's name and a dot");
            continue;
        };
        if owner != agent {
            continue;
        }
        let (section, rest) = rest.split_once('.').unwrap_or((rest, ""));
        if rest.is_empty() && (KINDS.contains(&section) || matches!(section, "sinkgroups" | "configfilters")) {
            let mut names: Vec<String> = property.value.split_whitespace().map(str::to_owned).collect();
            names.dedup();
            if let Some(name) = names.iter().find(|name| name.contains(',')) {
                report.notice(
                    property.line,
                    &format!("{name:?} is one name to Flume: names are separated by blanks, not by commas"),
                );
            }
            lists.insert(section, (names, property.line));
            continue;
        }
        match rest.split_once('.') {
            Some((name, key)) if KINDS.contains(&section) && !name.is_empty() && !key.is_empty() => {
                let value = property.value.clone();
                let setting = Setting { written: value.clone(), value, line: property.line };
                settings.entry((section, name.to_owned())).or_default().insert(key.to_owned(), setting);
            }
            _ if matches!(section, "sinkgroups" | "configfilters") => {}
            _ => {
                let nearest = suggestion(section, KINDS);
                report.notice(
                    property.line,
                    &format!("{section:?} is no part of an agent, and the line is ignored{nearest}"),
                );
            }
        }
    }
    if let Some((names, line)) = lists.get("sinkgroups") {
        report.problem(
            *line,
            &format!(
                "sink groups ({}) are not supported: Cauce has one sink, and retries until it takes",
                names.join(", ")
            ),
        );
    }
    for (key, line) in &file.empty {
        if key.starts_with(&format!("{agent}.")) {
            report.notice(*line, &format!("{key} has no value and counts as absent"));
        }
    }
    let mut failed = false;
    let mut suggested = BTreeSet::new();
    let result = KINDS.map(|kind| {
        let (names, line) = lists.get(kind).cloned().unwrap_or_default();
        let mut components = Vec::new();
        for name in &names {
            let Some(mut own) = settings.remove(&(kind, name.clone())) else {
                let is_unlisted = |(of, other): &&(&str, String)| *of == kind && !names.contains(other);
                let unlisted: Vec<&str> = settings.keys().filter(is_unlisted).map(|(_, name)| name.as_str()).collect();
                let nearest = match unlisted.as_slice() {
                    [only] => {
                        suggested.insert((kind, (*only).to_owned()));
                        format!(" (did you mean {only}?)")
                    }
                    several => suggestion(name, several.iter().copied()),
                };
                report.notice(line, &format!("{} {name} is dropped: nothing is set for it{nearest}", singular(kind)));
                continue;
            };
            for (key, setting) in &mut own {
                match lookup.substitute(&setting.written) {
                    Ok(value) => setting.value = value,
                    Err(why) => {
                        failed = true;
                        report.problem(setting.line, &format!("{kind}.{name}.{key}: {why}"));
                    }
                }
            }
            components.push(Component { kind, name: name.clone(), settings: own });
        }
        components
    });
    for (kind, name) in settings.keys().filter(|unlisted| KINDS.contains(&unlisted.0) && !suggested.contains(*unlisted))
    {
        let what = format!(
            "{}: {} {name} has settings but is not in {agent}.{kind}, and is ignored",
            report.file,
            singular(kind)
        );
        report.notices.push(what);
    }
    (!failed).then_some(result)
}

fn singular(kind: &str) -> &str {
    kind.strip_suffix('s').unwrap_or(kind)
}

fn valid_channels(channels: Vec<Component>, report: &mut Report<'_>) -> Vec<Component> {
    let has_type = |channel: &Component| channel.get("type").is_some();
    let (valid, without): (Vec<_>, Vec<_>) = channels.into_iter().partition(has_type);
    for channel in without {
        report.notice(channel.line(), &format!("channel {} is dropped: it has no type", channel.name));
    }
    valid
}

/// Whether a component stays; its wiring line is put in or cleaned of unknown channels.
fn wire_one(
    component: &mut Component,
    key: &'static str,
    wrong: &str,
    channels: &[Component],
    report: &mut Report<'_>,
) -> bool {
    let what = singular(component.kind);
    let names = || channels.iter().map(|channel| channel.name.as_str());
    if component.get("type").is_none() {
        report.notice(component.line(), &format!("{what} {} is dropped: it has no type", component.name));
        return false;
    }
    let wrong_line = component.settings.remove(wrong).map(|setting| setting.line);
    if let Some(line) = wrong_line {
        report.notice(
            line,
            &format!("{} is ignored: a {what} is wired by {key:?}, not by {wrong:?}", component.path(wrong)),
        );
    }
    let Some(setting) = component.settings.get_mut(key) else {
        if let [channel] = channels {
            let text = format!(
                "{what} {} has no {key:?} line: it is wired to {}, the only channel there is",
                component.name, channel.name
            );
            report.notice(component.line(), &text);
            let value = channel.name.clone();
            component.settings.insert(key.to_owned(), Setting { written: value.clone(), value, line: channel.line() });
            return true;
        }
        let text =
            format!("{what} {} is dropped: it has no {key:?} line, and there are several channels", component.name);
        report.notice(component.line(), &text);
        return false;
    };
    // A sink's `channel` is one name; a source's `channels` is a list.
    let wanted: Vec<String> = if key == "channel" {
        vec![setting.value.clone()]
    } else {
        setting.value.split_whitespace().map(str::to_owned).collect()
    };
    let (known, unknown): (Vec<String>, Vec<String>) =
        wanted.into_iter().partition(|name| names().any(|known| known == name));
    let line = setting.line;
    setting.value = known.join(" ");
    for name in &unknown {
        let nearest = suggestion(name, names());
        report.notice(
            line,
            &format!("{what} {} names the channel {name:?}, which is not there{nearest}", component.name),
        );
    }
    if known.is_empty() {
        report.notice(line, &format!("{what} {} is dropped: it is connected to no channel", component.name));
    }
    !known.is_empty()
}

/// The one component of its kind; more or none is a problem.
fn only(
    mut components: Vec<Component>,
    what: &str,
    list: &str,
    agent: &str,
    report: &mut Report<'_>,
) -> Option<Component> {
    if components.len() > 1 {
        let names: Vec<&str> = components.iter().map(|component| component.name.as_str()).collect();
        let text = format!(
            "{agent} has {} {list} ({}): Cauce runs one {what} an agent; run one process each, with a spool and a lake of its own",
            names.len(),
            names.join(", ")
        );
        report.problem(components[1].line(), &text);
        return None;
    }
    if components.is_empty() {
        let why = dropped(what, report);
        let why = if why.is_empty() { format!("{agent}.{list} names none") } else { why };
        report.problems.push(format!("{}: {agent} has no {what} left to run: {why}", report.file));
        return None;
    }
    components.pop()
}

/// Why components of a kind were dropped. It is among the notices, which are not shown when reading fails.
fn dropped(what: &str, report: &Report<'_>) -> String {
    let what = format!(": {what} ");
    let is_reason =
        |notice: &&String| notice.contains(&what) && (notice.contains("drop") || notice.contains("not there"));
    report.notices.iter().filter(is_reason).cloned().collect::<Vec<_>>().join("; ")
}
