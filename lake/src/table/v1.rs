//! The columns of a v1.1 status with special rules: whether its text is complete, the type of the post, and the
//! bounding box of a place's polygon.

use super::column::Column;
use super::fill::{Rejection, Row, push_string, wrong};
use super::plan::{Scope, ValuePath};
use super::record::Slot;
use super::schema::Rule;
use super::shape::Draft;
use super::value;

/// How to fill such a column.
#[derive(Debug)]
pub(super) enum Fill1 {
    /// By the retweeted status if there is one, else by the status itself.
    TextComplete {
        retweeted: ValuePath,
        original: TextParts,
        status: TextParts,
    },
    TweetType {
        retweeted: ValuePath,
        quote: ValuePath,
        reply: Box<[ValuePath]>,
    },
    Bbox(ValuePath),
}

/// The members that decide whether the text of a status is complete.
#[derive(Debug)]
pub(super) struct TextParts {
    truncated: ValuePath,
    /// The complete text, besides the truncated one.
    full: Box<[ValuePath]>,
}

impl Fill1 {
    pub(super) fn new(rule: Rule, scope: &mut Scope<'_>, draft: &mut Draft) -> Fill1 {
        let retweeted = scope.value_path(draft, "retweeted_status");
        match rule {
            Rule::TextComplete1 => Fill1::TextComplete {
                retweeted,
                original: TextParts {
                    truncated: scope.value_path(draft, "retweeted_status.truncated"),
                    full: scope.value_paths(
                        draft,
                        &["retweeted_status.extended_tweet.full_text", "retweeted_status.full_text"],
                    ),
                },
                status: TextParts {
                    truncated: scope.value_path(draft, "truncated"),
                    full: scope.value_paths(draft, &["extended_tweet.full_text", "full_text"]),
                },
            },
            Rule::TweetType1 => Fill1::TweetType {
                retweeted,
                quote: scope.value_path(draft, "is_quote_status"),
                reply: scope.value_paths(draft, &["in_reply_to_status_id_str", "in_reply_to_status_id"]),
            },
            _ => Fill1::Bbox(scope.value_path(draft, "bounding_box.coordinates")),
        }
    }

    pub(super) fn fill(&self, row: &Row<'_>, column: &mut Column, base: usize) -> Result<(), Rejection> {
        match self {
            Fill1::TextComplete { retweeted, original, status } => {
                let text = if row.first(std::slice::from_ref(retweeted), base)?.is_some() { original } else { status };
                let truncated = match row.first(std::slice::from_ref(&text.truncated), base)? {
                    Some((path, slot)) => {
                        value::boolean(slot, row.line).ok_or_else(|| wrong(&path.name, "true or false"))?
                    }
                    None => false,
                };
                let complete = !truncated || row.first(&text.full, base)?.is_some();
                let Column::Bool(bools) = column else { unreachable!("the plan follows the schema") };
                bools.push(Some(complete));
                Ok(())
            }
            Fill1::TweetType { retweeted, quote, reply } => {
                let quotes = match row.first(std::slice::from_ref(quote), base)? {
                    Some((path, slot)) => {
                        value::boolean(slot, row.line).ok_or_else(|| wrong(&path.name, "true or false"))?
                    }
                    None => false,
                };
                let name = if row.first(std::slice::from_ref(retweeted), base)?.is_some() {
                    "retweet"
                } else if quotes {
                    "quote"
                } else if row.first(reply, base)?.is_some() {
                    "reply"
                } else {
                    "original"
                };
                push_string(column, Some(name))
            }
            Fill1::Bbox(rings) => bbox(row, rings, column, base),
        }
    }
}

/// West, south, east and north of all points of a polygon's rings.
fn bbox(row: &Row<'_>, rings: &ValuePath, column: &mut Column, base: usize) -> Result<(), Rejection> {
    let Some((_, slot)) = row.first(std::slice::from_ref(rings), base)? else {
        column.push_null();
        return Ok(());
    };
    let mut bounds = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    let mut good = true;
    let read = slot.each_element(row.line, |ring| {
        let points = ring.each_element(row.line, |point| {
            let coordinate = |index| point.element(row.line, index).and_then(|slot: Slot| value::float(slot, row.line));
            match (coordinate(0), coordinate(1)) {
                (Some(lon), Some(lat)) => {
                    bounds = [bounds[0].min(lon), bounds[1].min(lat), bounds[2].max(lon), bounds[3].max(lat)];
                }
                _ => good = false,
            }
        });
        good &= points.is_some();
    });
    if read.is_none() || !good {
        return Err(wrong(&rings.name, "a polygon of [longitude, latitude] points"));
    }
    if bounds[0] > bounds[2] {
        // A polygon without points.
        column.push_null();
        return Ok(());
    }
    let Column::List(lists) = column else { unreachable!("the plan follows the schema") };
    let Column::Float64(numbers) = &mut *lists.items else { unreachable!("the plan follows the schema") };
    bounds.into_iter().for_each(|bound| numbers.push(bound));
    lists.length += bounds.len();
    Ok(lists.end_row()?)
}
