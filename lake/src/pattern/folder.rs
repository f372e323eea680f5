//! Properties of a compiled pattern's folders: whether their names are valid keys, and whether each is exactly one
//! hour.
//!
//! This decides, once per pattern, whether its folders can ever close. Pure.

use super::escape::{Field, Part, Style};
use super::moment::{Quantity, Unit};
use super::{Granularity, RoundUnit, Rounding};

/// First segments that the lake uses itself.
const OWN_FOLDERS: [&str; 2] = ["late", "rejects"];

/// Removes leading, trailing and repeated slashes, as Hadoop does. A header without a value leaves such slashes.
pub(super) fn tidy(parts: Vec<Part>) -> Vec<Part> {
    let mut after_slash = true;
    let mut tidied = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Field(_) => {
                after_slash = false;
                tidied.push(part);
            }
            Part::Literal(text) => {
                let mut kept = text;
                kept.retain(|c| {
                    let doubled = c == '/' && after_slash;
                    after_slash = c == '/';
                    !doubled
                });
                if !kept.is_empty() {
                    tidied.push(Part::Literal(kept));
                }
            }
        }
    }
    if after_slash && let Some(Part::Literal(last)) = tidied.last_mut() {
        last.pop();
        if last.is_empty() {
            tidied.pop();
        }
    }
    tidied
}

/// The folder with a digit for each field, enough to find its segments and their literal beginnings.
fn shape(parts: &[Part]) -> String {
    parts.iter().map(|part| if let Part::Literal(text) = part { text } else { "0" }).collect()
}

/// The number of segments of a folder.
pub(super) fn depth(parts: &[Part]) -> usize {
    if parts.is_empty() { 0 } else { shape(parts).split('/').count() }
}

/// Why folders would collide with the lake's own names; `None` if they do not. Hidden names below the first segment are
/// only reported.
pub(super) fn collision(parts: &[Part]) -> Option<String> {
    let shape = shape(parts);
    let first = shape.split('/').next().unwrap_or_default();
    if first.starts_with(['_', '.']) {
        return Some(format!(
            "its folders begin with {:?}: the lake keeps names that begin with _ for itself (_hours/, _agent.json), and Spark \
             and Hadoop hide names that begin with _ or .",
            &first[..1]
        ));
    }
    OWN_FOLDERS.contains(&first).then(|| format!("the lake keeps {first}/ for itself; put something before it"))
}

/// A segment below the first that Spark and Hadoop hide.
pub(super) fn hidden_segment(parts: &[Part]) -> Option<String> {
    shape(parts).split('/').skip(1).find(|segment| segment.starts_with(['_', '.'])).map(str::to_owned)
}

/// The result of [`reach`].
#[derive(Debug)]
pub(super) struct Reach {
    /// The span of a folder.
    pub(super) granularity: Granularity,
    /// Why folders can never close, and what to write instead. Empty for [`Granularity::Hour`].
    pub(super) open: Vec<String>,
}

/// The finest unit that a set of values determines, except for the year.
pub(super) fn unit_of(known: impl Fn(Quantity) -> bool) -> Option<Unit> {
    use Quantity as Q;
    let date = (known(Q::Month) && known(Q::Day)) || known(Q::DayOfYear);
    let hour = known(Q::Hour) || (known(Q::Hour12) && known(Q::AmPm));
    if known(Q::EpochMs) {
        Some(Unit::Millisecond)
    } else if known(Q::EpochSecond) || (date && hour && known(Q::Minute) && known(Q::Second)) {
        Some(Unit::Second)
    } else if date && hour {
        Some(if known(Q::Minute) { Unit::Minute } else { Unit::Hour })
    } else if date {
        Some(Unit::Day)
    } else if known(Q::Month) {
        Some(Unit::Month)
    } else if known(Q::Year) || known(Q::ShortYear) {
        Some(Unit::Year)
    } else {
        None
    }
}

/// Whether rounding combines several hours in a name that contains the hour.
pub(super) fn joins_hours(rounding: Option<Rounding>) -> bool {
    rounding.is_some_and(|rounding| rounding.unit == RoundUnit::Hour && rounding.value > 1)
}

/// Determines the span of the folders. `of_the_run` are the `%{…}` and `%[…]` of the text.
pub(super) fn reach(parts: &[Part], of_the_run: &[String], rounding: Option<Rounding>) -> Reach {
    use Quantity as Q;
    let fields: Vec<Field> =
        parts.iter().filter_map(|part| if let Part::Field(field) = part { Some(*field) } else { None }).collect();
    let known = |quantity| fields.iter().any(|field| field.quantity == quantity);
    let unit = unit_of(known);

    let mut open = Vec::new();
    let mut finer: Vec<String> = Vec::new();
    for (quantity, name) in [(Q::Minute, "%M"), (Q::Second, "%S"), (Q::EpochSecond, "%s"), (Q::EpochMs, "%t")] {
        if known(quantity) {
            finer.push(name.to_owned());
        }
    }
    finer.extend(of_the_run.iter().cloned());
    let year = known(Q::Year) || known(Q::ShortYear);
    let by_day_of_year = known(Q::DayOfYear) && year;
    let shows_hours = known(Q::Hour) || known(Q::Hour12) || known(Q::AmPm);
    let hour = known(Q::Hour) || (known(Q::Hour12) && known(Q::AmPm));

    let mut missing = Vec::new();
    if known(Q::DayOfYear) && !year && !(known(Q::Month) && known(Q::Day)) {
        missing.push("the month and day (%j names them only together with the year: add %Y)");
    } else {
        if !known(Q::Month) && !by_day_of_year {
            missing.push("the month (add %m)");
        }
        if !known(Q::Day) && !by_day_of_year {
            missing.push("the day (add %d)");
        }
    }
    if !hour {
        missing.push(if known(Q::Hour12) { "the half of the day (add %p)" } else { "the hour (add %H)" });
    }
    if !missing.is_empty() {
        open.push(format!("its folders do not name {}", missing.join(" and ")));
    }
    if !finer.is_empty() {
        open.push(format!("an hour's folder would be divided by {} (leave that out)", finer.join(", ")));
    }
    if shows_hours && joins_hours(rounding) {
        open.push("times are rounded to more than an hour (set hdfs.round = false)".to_owned());
    }
    if let Some((first, second)) = run_together(parts) {
        open.push(format!(
            "{} and {} stand in one run of digits and have no fixed width, so that names cannot be read back (write the \
             padded escapes, or put something between)",
            plain_escape(first),
            plain_escape(second)
        ));
    }

    let whole_day =
        unit == Some(Unit::Day) && finer.is_empty() && !shows_hours && !missing.iter().any(|m| m.contains("%j"));
    let granularity = match (open.is_empty(), whole_day) {
        (true, _) => Granularity::Hour,
        (false, true) => Granularity::Day,
        (false, false) => Granularity::Other,
    };
    Reach { granularity, open }
}

/// Finds two fields of variable width in one run of digits, the only thing that makes a name ambiguous. A single such
/// field takes the rest of the run's length; letters, signs and other literals end a run.
fn run_together(parts: &[Part]) -> Option<(Field, Field)> {
    let mut loose: Option<Field> = None;
    for part in parts {
        match part {
            Part::Literal(text) => {
                if !text.bytes().all(|b| b.is_ascii_digit()) {
                    loose = None;
                }
            }
            Part::Field(field) => match (field.style, loose) {
                (Style::Plain | Style::Long, Some(first)) => return Some((first, *field)),
                (Style::Plain | Style::Long, None) => loose = Some(*field),
                (Style::Padded(_), _) => {}
                (Style::ShortName | Style::Name | Style::Offset, _) => loose = None,
            },
        }
    }
    None
}

fn plain_escape(field: Field) -> &'static str {
    match field.quantity {
        Quantity::Month => "%n",
        Quantity::Day => "%e",
        Quantity::Hour => "%k",
        Quantity::Hour12 => "%l",
        Quantity::EpochSecond => "%s",
        _ => "%t",
    }
}
