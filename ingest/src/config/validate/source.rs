//! `[source]`: which source, where its API is, who we are there and what we want from it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use url::{Host, Url};

use super::FromFlume;
use crate::config::filters::{self, Account, Area};
use crate::config::layers::Value;
use crate::config::read::Read;
use crate::config::redact::redact;
use crate::config::rules::{self, Asked};
use crate::config::secrets::USUAL_VARIABLES;
use crate::config::settings::{Rule, SourceSettings, XV1Auth, XV1Settings, XV2Auth, XV2Settings};

const LINE_BYTES: std::ops::RangeInclusive<u64> = 64 << 10..=256 << 20;

/// Most rules that an ordinary plan takes.
const USUAL_RULES: usize = 1_000;

pub(super) fn source(read: &mut Read<'_>, flume: &FromFlume, agent_id: &str) -> Option<SourceSettings> {
    let kind = read.choice("source.type");
    let max_line_bytes = read.size("source.max_line_bytes");
    if !LINE_BYTES.contains(&max_line_bytes) {
        read.problem("source.max_line_bytes", "must be between 64KiB and 256MiB");
    }
    let max_line_bytes = usize::try_from(max_line_bytes).unwrap_or(usize::MAX);
    match kind.as_str() {
        "x-v2" => x_v2(read, flume, agent_id, max_line_bytes).map(SourceSettings::XV2),
        "x-v1" => x_v1(read, flume, max_line_bytes).map(SourceSettings::XV1),
        "files" => {
            let paths: Vec<String> =
                read.list("source.paths").into_iter().filter(|path| !path.trim().is_empty()).collect();
            if paths.is_empty() {
                read.problem("source.paths", "a source of files needs paths, such as [\"archive/**/*.json.gz\"]");
            }
            Some(SourceSettings::Files { paths, max_line_bytes })
        }
        "stdin" => Some(SourceSettings::Stdin { max_line_bytes }),
        // Not one of the words: already said.
        _ => None,
    }
}

fn x_v2(read: &mut Read<'_>, flume: &FromFlume, agent_id: &str, max_line_bytes: usize) -> Option<XV2Settings> {
    let base_url = base_url(read, "https://api.x.com");
    let auth = x_v2_auth(read, flume);
    let sample = read.switch("source.sample").unwrap_or(false);
    let rules = if sample {
        takes_no_filters(read);
        Vec::new()
    } else {
        x_v2_rules(read, agent_id)
    };
    let backfill_minutes = read.count("source.backfill_minutes");
    if backfill_minutes > 5 {
        read.problem("source.backfill_minutes", "must be between 0 and 5");
    }
    let mut fields = Vec::new();
    for (key, parameter) in [
        ("source.tweet_fields", "tweet.fields"),
        ("source.expansions", "expansions"),
        ("source.user_fields", "user.fields"),
        ("source.media_fields", "media.fields"),
        ("source.place_fields", "place.fields"),
        ("source.poll_fields", "poll.fields"),
    ] {
        let names: Vec<String> = read.list(key).into_iter().filter(|name| !name.is_empty()).collect();
        if names.iter().any(|name| !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')) {
            read.problem(key, "must be names of fields");
        } else if !names.is_empty() {
            fields.push((parameter.to_owned(), names.join(",")));
        }
    }
    let stall_timeout = stall_timeout(read, Duration::from_secs(30));
    Some(XV2Settings {
        base_url: base_url?,
        auth: auth?,
        rules,
        sample,
        fields,
        backfill_minutes: u8::try_from(backfill_minutes).unwrap_or(0),
        max_line_bytes,
        stall_timeout,
    })
}

fn x_v2_auth(read: &mut Read<'_>, flume: &FromFlume) -> Option<XV2Auth> {
    if let Some(token) = read.secret("source.bearer_token") {
        return Some(XV2Auth::Bearer(token));
    }
    match (read.secret("source.consumer_key"), read.secret("source.consumer_secret")) {
        (Some(key), Some(secret)) => Some(XV2Auth::Consumer { key, secret }),
        (None, None) if flume.missing.is_empty() => {
            read.problems.push(
                "source.bearer_token is missing: set X_BEARER_TOKEN, or X_CONSUMER_KEY and X_CONSUMER_SECRET \
                 (settings source.consumer_key and source.consumer_secret)",
            );
            None
        }
        (key, secret) => {
            for (value, name) in [(key, "source.consumer_key"), (secret, "source.consumer_secret")] {
                if value.is_none() {
                    missing_credential(read, flume, name, " (or X_BEARER_TOKEN alone)");
                }
            }
            None
        }
    }
}

fn x_v2_rules(read: &mut Read<'_>, agent_id: &str) -> Vec<Rule> {
    let limit = read.count("source.max_rule_length");
    if !(64..=4096).contains(&limit) {
        read.problem("source.max_rule_length", "must be between 64 and 4096");
        return Vec::new();
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let Filters { keywords, follow, locations, languages } = Filters::read(read);
    let languages = filters::language_operator(&languages).unwrap_or_else(|why| {
        read.problem("source.languages", &why);
        String::new()
    });
    let asked = Asked { keywords: &keywords, follow: &follow, locations: &locations, languages: &languages };
    let mut result = Vec::new();
    match rules::translate(&asked, agent_id, limit) {
        Ok(translated) => {
            result = translated.rules;
            read.notices.extend(translated.notices);
        }
        Err((key, why)) => read.problem(key, &why),
    }
    if result.is_empty() && !read.has_problem(&FILTERS) && read.is_written("source.languages") {
        read.problem("source.languages", LANGUAGES_ALONE);
    }
    let own = match read.layers.entry("source.rules").map(|entry| entry.value()) {
        Some(Value::Rules(rules)) => rules.clone(),
        _ => Vec::new(),
    };
    for (value, tag) in own {
        let value = value.trim().to_owned();
        let length = value.chars().count();
        if length == 0 {
            read.problem("source.rules", "a rule is empty");
        } else if length > limit {
            let what = format!("a rule of {length} characters is longer than source.max_rule_length, which is {limit}");
            read.problem("source.rules", &what);
        } else if !result.iter().any(|rule| rule.value == value) {
            result.push(rules::tagged(agent_id, value, tag.as_deref().map(str::trim).filter(|tag| !tag.is_empty())));
        }
    }
    if read.is_written("source.keywords") && rules::phrases(&keywords).is_empty() {
        read.problem("source.keywords", "holds no keyword");
    } else if result.is_empty() && !read.has_problem(&FILTERS) {
        read.problems.push(
            "source.keywords is missing: x-v2 needs keywords (CAUCE_SOURCE__KEYWORDS), source.follow, source.locations or \
             source.rules, or source.sample = true for the 1 % stream",
        );
    }
    if result.len() > USUAL_RULES {
        read.notices
            .push(format!("what is asked for makes {} rules; an ordinary plan takes {USUAL_RULES}", result.len()));
    }
    result
}

fn x_v1(read: &mut Read<'_>, flume: &FromFlume, max_line_bytes: usize) -> Option<XV1Settings> {
    if !read.is_written("source.base_url") {
        read.notices.push(
            "X has retired v1.1: give the address of a feed that still speaks it as source.base_url (CAUCE_SOURCE__BASE_URL)"
                .to_owned(),
        );
    }
    let base_url = base_url(read, "https://stream.twitter.com");
    let keys = ["source.consumer_key", "source.consumer_secret", "source.access_token", "source.access_token_secret"];
    let [consumer_key, consumer_secret, access_token, access_token_secret] = keys.map(|key| {
        let secret = read.secret(key);
        if secret.is_none() {
            missing_credential(read, flume, key, "");
        }
        secret
    });
    let sample = read.switch("source.sample").unwrap_or(false);
    let Filters { keywords, follow, locations, languages } = Filters::read(read);
    let keywords = rules::phrases(&keywords);
    let follow = v1_ids(read, follow);
    if sample {
        takes_no_filters(read);
    } else if read.is_written("source.keywords") && keywords.is_empty() {
        read.problem("source.keywords", "holds no keyword");
    } else if keywords.is_empty() && follow.is_empty() && locations.is_empty() {
        if !read.has_problem(&FILTERS) && read.is_written("source.languages") {
            read.problem("source.languages", LANGUAGES_ALONE);
        }
        if !read.has_problem(&FILTERS) {
            read.problems.push(
            "source.keywords is missing: x-v1 needs keywords (CAUCE_SOURCE__KEYWORDS), source.follow or source.locations, or \
             source.sample = true for the sample stream",
            );
        }
    }
    if read.is_written("source.rules") {
        read.notices
            .push("source.rules is ignored: v1.1 has no rules, only keywords, follow, locations and languages".into());
    }
    for (number, most, key) in [
        (keywords.len(), 400, "source.keywords"),
        (follow.len(), 5_000, "source.follow"),
        (locations.len(), 25, "source.locations"),
    ] {
        if number > most {
            read.notices.push(format!("{key} holds {number}; v1.1 gave ordinary accounts {most}"));
        }
    }
    let stall_timeout = stall_timeout(read, Duration::from_secs(90));
    Some(XV1Settings {
        base_url: base_url?,
        auth: XV1Auth {
            consumer_key: consumer_key?,
            consumer_secret: consumer_secret?,
            access_token: access_token?,
            access_token_secret: access_token_secret?,
        },
        keywords,
        follow,
        locations,
        languages,
        sample,
        max_line_bytes,
        stall_timeout,
    })
}

/// What is asked for, as typed.
struct Filters {
    keywords: Vec<String>,
    follow: Vec<Account>,
    locations: Vec<Area>,
    languages: Vec<String>,
}

impl Filters {
    fn read(read: &mut Read<'_>) -> Filters {
        let keywords = read.list("source.keywords");
        if keywords.iter().any(|keyword| redact(keyword) != *keyword) {
            let what = "source.keywords: one of them has the form of a token or key, and X would get it: take it out if it is one";
            read.notices.push(what.to_owned());
        }
        Filters {
            keywords,
            follow: parsed(read, "source.follow", filters::accounts),
            locations: parsed(read, "source.locations", filters::areas),
            languages: parsed(read, "source.languages", filters::languages),
        }
    }
}

fn parsed<T>(read: &mut Read<'_>, key: &str, parse: fn(&[String]) -> Result<Vec<T>, String>) -> Vec<T> {
    let items = read.list(key);
    let parsed = parse(&items).unwrap_or_else(|why| {
        read.problem(key, &why);
        Vec::new()
    });
    if parsed.is_empty() && !items.is_empty() {
        read.problem(key, "holds nothing: fill it or take it out");
    }
    parsed
}

/// The settings that say what is asked for.
const FILTERS: [&str; 5] =
    ["source.keywords", "source.follow", "source.locations", "source.languages", "source.max_rule_length"];

const LANGUAGES_ALONE: &str =
    "narrow what keywords, source.follow and source.locations ask for: name at least one of these three";

fn takes_no_filters(read: &mut Read<'_>) {
    let filters = ["keywords", "follow", "locations", "languages", "rules"];
    let written: Vec<String> =
        filters.into_iter().map(|name| format!("source.{name}")).filter(|key| read.is_written(key)).collect();
    if !written.is_empty() {
        read.problem("source.sample", &format!("the sample stream takes no filters: leave out {}", written.join(", ")));
    }
}

/// The ids of accounts: v1.1 follows by id alone.
fn v1_ids(read: &mut Read<'_>, accounts: Vec<Account>) -> Vec<u64> {
    let id = |account: &Account| match account {
        Account::Id(id) => Some(*id),
        Account::Handle(_) => None,
    };
    let ids: Vec<u64> = accounts.iter().filter_map(id).collect();
    if ids.len() < accounts.len() {
        read.problem("source.follow", "v1.1 follows accounts by their ids: write numbers in the place of handles");
    }
    ids
}

fn missing_credential(read: &mut Read<'_>, flume: &FromFlume, key: &str, or: &str) {
    let variable = USUAL_VARIABLES.iter().find(|(name, _)| *name == key).map_or("", |(_, variable)| variable);
    match flume.missing.iter().find(|(name, _)| *name == key) {
        Some((_, why)) => read.problems.push(format!("{why}: set {variable}{or}")),
        None => read.problems.push(format!("{key} is missing: set {variable}{or}")),
    }
}

fn stall_timeout(read: &mut Read<'_>, default: Duration) -> Duration {
    if !read.is_written("source.stall_timeout") {
        return default;
    }
    let timeout = read.duration("source.stall_timeout");
    if timeout < Duration::from_secs(1) {
        read.problem("source.stall_timeout", "must be at least 1s");
    }
    timeout
}

/// The API's address. Nothing of a refused one is quoted, because it may hold a password.
fn base_url(read: &mut Read<'_>, default: &str) -> Option<Url> {
    let text = read.text("source.base_url").unwrap_or_else(|| default.to_owned());
    let refused = match Url::parse(&text) {
        Err(_) => "is no address: write it as https://host or https://host/path",
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => "must begin with https://",
        Ok(url) if !url.username().is_empty() || url.password().is_some() => "must not hold a user or password",
        Ok(url) if url.query().is_some() || url.fragment().is_some() => "must not hold ? or #",
        Ok(url) if url.scheme() == "http" && !is_loopback(&url) => {
            "plain http would show the tokens to everyone on the way: use https:// (http is taken for 127.0.0.1, [::1] and localhost only)"
        }
        Ok(url) => return Some(url),
    };
    read.problem("source.base_url", refused);
    None
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => Ipv4Addr::is_loopback(&address),
        Some(Host::Ipv6(address)) => Ipv6Addr::is_loopback(&address),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
