//! Properties: every rendered folder is parsed back, and no other name is accepted.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// 1970-01-01 to 2100-01-01, in hours.
const HOURS: std::ops::Range<i64> = 0..1_139_592;
/// 2006-01-01: zones are checked from here on.
const PROMISED: i64 = 315_576;

fn literal() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "-", "/", "5", "07", "T", "dt=", "%%", "é ", "Mar", "+", "x_"])
}

/// A pattern of hours, with its escapes in any order and harmless parts between; invalid ones are drawn again.
fn closing() -> impl Strategy<Value = Pattern> {
    closing_with(None)
}

/// The same, with a required escape.
fn closing_with(always: Option<&'static str>) -> impl Strategy<Value = Pattern> {
    let month = select(vec!["%m", "%n", "%b", "%B"]);
    let day = select(vec!["%d", "%e"]);
    let hour = select(vec!["%H", "%k", "%h", "%I|%p", "%l%p", "%p%I"]);
    let more = proptest::collection::vec(select(vec!["%Y", "%y", "%a", "%A", "%j", "%D", "%z", "%m", "%k"]), 0..3);
    let names = proptest::collection::vec(literal(), 7);
    let zones = select(vec![
        "UTC",
        "Asia/Tokyo",
        "Asia/Shanghai",
        "America/Bogota",
        "Etc/GMT+3",
        "Europe/Berlin",
        "America/New_York",
    ]);
    (month, day, hour, more, names, zones)
        .prop_flat_map(move |(month, day, hour, more, names, zone)| {
            let mut pieces = vec![month, day, hour];
            pieces.extend(more.into_iter().chain(always));
            (Just(pieces).prop_shuffle(), Just(names), Just(zone))
        })
        .prop_filter_map("refused", |(pieces, names, zone_name)| {
            let mut text = names[0].to_owned();
            for (piece, name) in pieces.iter().zip(&names[1..]) {
                text.push_str(piece);
                text.push_str(name);
            }
            Pattern::new(&text, &in_zone(zone_name)).ok()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn an_hours_folder_is_read_back_with_any_of_its_milliseconds(
        pattern in closing(), index in HOURS, into in 0i64..3_600_000,
    ) {
        let hour = Hour::from_index(index);
        let folder = pattern.folder_at(hour.start_ms() + into);
        prop_assert_eq!(&folder, &pattern.folder_of(hour));
        let key = Key::new(format!("{folder}/x"));
        prop_assert!(key.is_ok());
        prop_assert_eq!(folder.split('/').count(), pattern.depth());
        let time = pattern.read(&folder);
        prop_assert!(time.is_some(), "{} is not read by {}", folder, pattern);
        prop_assert_eq!(time.and_then(|time| time.hour_near(hour.start_ms() + into)), Some(hour));
    }

    #[test]
    fn a_name_with_the_year_needs_no_hint(pattern in closing_with(Some("%Y")), index in PROMISED..HOURS.end, hint in any::<i64>()) {
        let hour = Hour::from_index(index);
        let read = pattern.read(&pattern.folder_of(hour)).and_then(|time| time.hour_near(hint));
        prop_assert_eq!(read, Some(hour));
    }

    #[test]
    fn only_names_that_some_hour_has_are_read(
        pattern in closing(), index in PROMISED..HOURS.end, at in any::<Index>(), with in select("0123456789-+/aMar ".chars().collect::<Vec<_>>()),
        hint in 1_136_073_600_000i64..4_000_000_000_000,
    ) {
        let mut changed: Vec<char> = pattern.folder_of(Hour::from_index(index)).chars().collect();
        let place = at.index(changed.len());
        changed[place] = with;
        let name: String = changed.into_iter().collect();
        // A two-digit year, or a rare weekday, can lie before 2006, where zones are not checked.
        if let Some(hour) = pattern.read(&name).and_then(|time| time.hour_near(hint)).filter(|hour| hour.index() >= PROMISED) {
            prop_assert_eq!(pattern.folder_of(hour), name);
        }
    }

    #[test]
    fn reading_any_text_comes_to_an_end(
        text in "(%[a-zA-Z%]|[0-9/x-]){0,12}", name in "[0-9A-Za-z/+-]{0,24}", at in any::<i64>(),
    ) {
        if let Ok(pattern) = Pattern::new(&text, &open()) {
            let folder = pattern.folder_at(at);
            prop_assert!(!folder.starts_with('/') && !folder.ends_with('/'));
            for folder in [folder, name] {
                if let Some(span) = pattern.read(&folder).and_then(|time| time.span_near(at)) {
                    prop_assert!(span.start_ms < span.end_ms);
                }
            }
        }
    }

    #[test]
    fn a_listing_sees_every_folder_of_its_range(pattern in closing(), index in HOURS, length in 1i64..200, inside in 0i64..200) {
        let start = Hour::from_index(index);
        let range = HourRange { start, end: Hour::from_index(index + length) };
        let folder = pattern.folder_of(Hour::from_index(index + inside % length));
        prop_assert!(folder.starts_with(&pattern.listing_prefix(&range)));
        prop_assert!(folder.starts_with(pattern.literal_prefix()));
    }
}

#[test]
fn of_all_names_of_two_digit_numbers_only_the_years_hours_are_read() {
    let pattern = own("%m-%d-%h");
    let mut read = 0;
    for (month, day, hour) in (0..15).flat_map(|m| (0..34).flat_map(move |d| (0..27).map(move |h| (m, d, h)))) {
        let name = format!("{month:02}-{day:02}-{hour:02}");
        if let Some(time) = pattern.read(&name) {
            read += 1;
            assert_eq!(pattern.folder_of(time.hour_near(VECTOR).expect("an hour")), name);
        }
    }
    assert_eq!(read, 366 * 24);
}
