//! From turns of the timeline to the bytes of one connection: what matches is written in the connection's wire form.
//!
//! Runs on a blocking thread when there is much to write. It never decides when something is sent; the feed does.

use std::sync::Arc;

use super::app::App;
use super::connections::Wants;
use super::rule_book::Rule;
use super::timeline::{Entry, Payload};
use super::truth::Sent;
use super::tweet::fields::Fields;
use super::tweet::model::Tweet;
use super::tweet::v2::Match;
use super::tweet::{v1, v2};

/// Writes for one connection.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    pub(crate) wants: Wants,
    /// v2: the members that were asked for.
    pub(crate) fields: Fields,
    /// v1.1: each line has its length before it.
    pub(crate) delimited: bool,
    /// v1.1: a word before the client is too slow.
    pub(crate) stall_warnings: bool,
}

/// What is ready to be sent.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sent: Vec<Sent>,
}

impl Encoder {
    /// Writes all of `entries` that this connection gets.
    pub(crate) fn write(&self, app: &App, entries: &[Arc<Entry>]) -> Written {
        let mut out =
            Written { bytes: Vec::with_capacity(entries.len() * 4096), sent: Vec::with_capacity(entries.len()) };
        let rules = app.rules();
        let mut line = Vec::new();
        for entry in entries {
            match &entry.payload {
                Payload::Tweet(tweet) => self.tweet(&mut out, &mut line, &rules, tweet),
                Payload::Line(replayed) if replayed.is_v2 == self.wants.is_v2() => {
                    self.end(&mut out, &replayed.bytes);
                    out.sent.extend(replayed.sent);
                }
                Payload::Line(_) => {}
            }
            if let Some(again) = &entry.repeat {
                self.tweet(&mut out, &mut line, &rules, again);
            }
            if let Some((deleted, at_ms)) = &entry.delete
                && !self.wants.is_v2()
                && self.matches_v1(deleted)
            {
                line.clear();
                v1::write_delete(&mut line, deleted, *at_ms);
                self.end(&mut out, &line);
            }
        }
        out
    }

    /// The message of v1.1 that tweets were missed.
    pub(crate) fn limit(&self, missed: u64, at_ms: i64) -> Vec<u8> {
        let mut line = Vec::new();
        v1::write_limit(&mut line, missed, at_ms);
        self.line(&line)
    }

    /// The message of v1.1 that the client falls behind.
    pub(crate) fn warning(&self, percent_full: u64, at_ms: i64) -> Vec<u8> {
        let mut line = Vec::new();
        v1::write_warning(&mut line, percent_full, at_ms);
        self.line(&line)
    }

    /// A line with its frame.
    pub(crate) fn line(&self, line: &[u8]) -> Vec<u8> {
        let mut out = Written::default();
        self.end(&mut out, line);
        out.bytes
    }

    fn matches_v1(&self, tweet: &Tweet) -> bool {
        match &self.wants {
            Wants::Filter(filter) => filter.matches(tweet),
            _ => true,
        }
    }

    fn tweet(&self, out: &mut Written, line: &mut Vec<u8>, rules: &[Rule], tweet: &Tweet) {
        line.clear();
        match &self.wants {
            Wants::Rules => {
                let hits: Vec<Match<'_>> = rules
                    .iter()
                    .filter(|rule| rule.expr.matches(tweet))
                    .map(|rule| (rule.id.as_str(), rule.tag.as_deref()))
                    .collect();
                if hits.is_empty() {
                    return;
                }
                v2::write(line, tweet, &self.fields, Some(&hits));
            }
            Wants::SampleV2 => v2::write(line, tweet, &self.fields, None),
            Wants::Filter(_) | Wants::SampleV1 => {
                if !self.matches_v1(tweet) {
                    return;
                }
                v1::write(line, tweet);
            }
        }
        self.end(out, line);
        out.sent.push(Sent { id: tweet.id, created_ms: tweet.created_ms });
    }

    fn end(&self, out: &mut Written, line: &[u8]) {
        if self.delimited {
            // The closing line end counts.
            out.bytes.extend_from_slice((line.len() + 2).to_string().as_bytes());
            out.bytes.extend_from_slice(b"\r\n");
        }
        out.bytes.extend_from_slice(line);
        out.bytes.extend_from_slice(b"\r\n");
    }
}
