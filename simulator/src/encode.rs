//! From turns of the timeline to the bytes of one connection: selects tweets and writes them in the connection's wire form.
//!
//! Runs on a blocking thread if there is much to write. When it is sent is the feed's decision.

use std::sync::Arc;

use crate::app::App;
use crate::connections::Selection;
use crate::rule_book::Rule;
use crate::timeline::{Entry, Payload};
use crate::truth::Sent;
use crate::tweet::model::Tweet;
use crate::wire::fields::Fields;
use crate::wire::v2::Match;
use crate::wire::{v1, v2};

/// Writes for one connection.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    pub(crate) selection: Selection,
    /// v2: the fields that the client asked for.
    pub(crate) fields: Fields,
    /// v1.1: each line is preceded by its length.
    pub(crate) is_delimited: bool,
    /// v1.1: the client wants warnings before it is too slow.
    pub(crate) has_stall_warnings: bool,
}

/// What is ready to be sent.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sent: Vec<Sent>,
}

impl Encoder {
    /// Writes everything in `entries` that this connection gets.
    pub(crate) fn encode(&self, app: &App, entries: &[Arc<Entry>]) -> Encoded {
        let mut out =
            Encoded { bytes: Vec::with_capacity(entries.len() * 4096), sent: Vec::with_capacity(entries.len()) };
        let rules = app.rules();
        let mut line = Vec::new();
        for entry in entries {
            match &entry.payload {
                Payload::Tweet(tweet) => self.tweet(&mut out, &mut line, &rules, tweet),
                Payload::Line(replayed) if replayed.is_v2 == self.selection.is_v2() => {
                    self.frame(&mut out.bytes, &replayed.bytes);
                    out.sent.extend(replayed.sent);
                }
                Payload::Line(_) => {}
            }
            if let Some(again) = &entry.repeat {
                self.tweet(&mut out, &mut line, &rules, again);
            }
            if let Some((deleted, at_ms)) = &entry.delete
                && let Selection::V1(filter) = &self.selection
                && filter.matches(deleted)
            {
                line.clear();
                v1::write_delete(&mut line, deleted, *at_ms);
                self.frame(&mut out.bytes, &line);
            }
        }
        out
    }

    fn tweet(&self, out: &mut Encoded, line: &mut Vec<u8>, rules: &[Rule], tweet: &Tweet) {
        line.clear();
        match &self.selection {
            Selection::Rules => {
                let matching = rules.iter().filter(|rule| rule.expr.matches(tweet));
                let matching: Vec<Match<'_>> = matching.map(|rule| (&*rule.id, rule.tag.as_deref())).collect();
                if matching.is_empty() {
                    return;
                }
                v2::write(line, tweet, &self.fields, Some(&matching));
            }
            Selection::Sample => v2::write(line, tweet, &self.fields, None),
            Selection::V1(filter) if filter.matches(tweet) => v1::write(line, tweet),
            Selection::V1(_) => return,
        }
        self.frame(&mut out.bytes, line);
        out.sent.push(Sent { id: tweet.id, created_ms: tweet.created_ms });
    }

    /// Appends a line with its line end and, if it is delimited, its length with the line end.
    pub(crate) fn frame(&self, out: &mut Vec<u8>, line: &[u8]) {
        if self.is_delimited {
            out.extend_from_slice(itoa::Buffer::new().format(line.len() + 2).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
}
