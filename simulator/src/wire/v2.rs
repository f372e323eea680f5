//! v2's wire form: `{"data":…,"includes":…,"matching_rules":…}` with the fields that the client asked for.
//!
//! The order of the members differs from line to line, often with ids of other objects before the post's own, because the
//! service promises none and readers must not rely on one. Empty members are left out.

use super::fields::Fields;
use super::json::{List, write_utf8};
use super::v2_includes::includes;
use super::v2_post::post;
use crate::tweet::model::Tweet;

/// Id and tag of a matching rule.
pub(crate) type Match<'a> = (&'a str, Option<&'a str>);

/// Appends the line of `tweet`, without line end. Sample streams have no `matching_rules`: `rules` is `None`.
pub(crate) fn write(out: &mut Vec<u8>, tweet: &Tweet, fields: &Fields, rules: Option<&[Match<'_>]>) {
    let is_early = tweet.noise / 100 % 10 < 6;
    let includes = || includes(tweet, fields);
    let line = object! {
        "includes" ? => is_early.then(includes).flatten(),
        "data" => post(tweet, fields),
        "includes" ? => (!is_early).then(includes).flatten(),
        "matching_rules" ? => rules
            .map(|rules| List(rules.iter().map(|&(id, tag)| object! { "id" => id, "tag" ? => tag }))),
    };
    write_utf8(out, &line);
}
