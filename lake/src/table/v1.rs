//! The columns of a v1.1 status that need more than a place in it: whether its text is whole, what kind of post it is, and
//! the box around a place's polygon.

use super::column::Column;
use super::fill::{Refused, Row, push_word, wrong};
use super::plan::{Pick, Scope};
use super::record::Slot;
use super::schema::Own;
use super::shape::Draft;
use super::value;

/// How such a column is filled.
#[derive(Debug)]
pub(super) enum Fill1 {
    /// For the retweeted status and for the status itself.
    TextComplete {
        retweeted: Pick,
        original: Text,
        status: Text,
    },
    TweetType {
        retweeted: Pick,
        quote: Pick,
        reply: Box<[Pick]>,
    },
    Bbox(Pick),
}

/// The members that tell whether a status has its whole text.
#[derive(Debug)]
pub(super) struct Text {
    truncated: Pick,
    /// The whole text, apart from the one that was cut.
    full: Box<[Pick]>,
}

impl Fill1 {
    pub(super) fn new(own: Own, scope: &mut Scope<'_>, draft: &mut Draft) -> Fill1 {
        let retweeted = scope.pick(draft, "retweeted_status");
        match own {
            Own::TextComplete1 => Fill1::TextComplete {
                retweeted,
                original: Text {
                    truncated: scope.pick(draft, "retweeted_status.truncated"),
                    full: scope
                        .picks(draft, &["retweeted_status.extended_tweet.full_text", "retweeted_status.full_text"]),
                },
                status: Text {
                    truncated: scope.pick(draft, "truncated"),
                    full: scope.picks(draft, &["extended_tweet.full_text", "full_text"]),
                },
            },
            Own::TweetType1 => Fill1::TweetType {
                retweeted,
                quote: scope.pick(draft, "is_quote_status"),
                reply: scope.picks(draft, &["in_reply_to_status_id_str", "in_reply_to_status_id"]),
            },
            _ => Fill1::Bbox(scope.pick(draft, "bounding_box.coordinates")),
        }
    }

    pub(super) fn fill(&self, row: &Row<'_>, column: &mut Column, base: usize) -> Result<(), Refused> {
        match self {
            Fill1::TextComplete { retweeted, original, status } => {
                let text = if row.first(std::slice::from_ref(retweeted), base)?.is_some() { original } else { status };
                let truncated = match row.first(std::slice::from_ref(&text.truncated), base)? {
                    Some((pick, slot)) => {
                        value::boolean(slot, row.line).ok_or_else(|| wrong(&pick.path, "true or false"))?
                    }
                    None => false,
                };
                let complete = !truncated || row.first(&text.full, base)?.is_some();
                let Column::Bool(bools) = column else { unreachable!("the plan is made of the schema") };
                bools.push(Some(complete));
                Ok(())
            }
            Fill1::TweetType { retweeted, quote, reply } => {
                let quotes = match row.first(std::slice::from_ref(quote), base)? {
                    Some((pick, slot)) => {
                        value::boolean(slot, row.line).ok_or_else(|| wrong(&pick.path, "true or false"))?
                    }
                    None => false,
                };
                let word = if row.first(std::slice::from_ref(retweeted), base)?.is_some() {
                    "retweet"
                } else if quotes {
                    "quote"
                } else if row.first(reply, base)?.is_some() {
                    "reply"
                } else {
                    "original"
                };
                push_word(column, Some(word))
            }
            Fill1::Bbox(rings) => bbox(row, rings, column, base),
        }
    }
}

/// West, south, east and north of all points of a polygon's rings.
fn bbox(row: &Row<'_>, rings: &Pick, column: &mut Column, base: usize) -> Result<(), Refused> {
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
        return Err(wrong(&rings.path, "a polygon of [longitude, latitude] points"));
    }
    if bounds[0] > bounds[2] {
        // A polygon without a point.
        column.push_null();
        return Ok(());
    }
    let Column::List(lists) = column else { unreachable!("the plan is made of the schema") };
    let Column::Float64(numbers) = &mut *lists.items else { unreachable!("the plan is made of the schema") };
    bounds.into_iter().for_each(|bound| numbers.push(bound));
    lists.length += bounds.len();
    Ok(lists.end_row()?)
}
