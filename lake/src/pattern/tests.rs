//! Patterns compared with Flume's test vectors; `round_trip` has the properties.

mod round_trip;

use super::*;

/// 2016-03-24T17:05:06.789Z, a Thursday: the time of Flume's vectors.
const VECTOR: i64 = 1_458_839_106_789;

fn open() -> PatternOptions {
    PatternOptions { allow_open: true, ..PatternOptions::default() }
}

fn strict() -> PatternOptions {
    PatternOptions { escapes: Escapes::Strict, ..open() }
}

fn in_zone(name: &str) -> PatternOptions {
    PatternOptions { time_zone: Some(name.to_owned()), ..PatternOptions::default() }
}

fn header(name: &str, value: &str) -> PatternOptions {
    PatternOptions { headers: vec![(name.to_owned(), value.to_owned())], ..open() }
}

fn render(text: &str, options: &PatternOptions, epoch_ms: i64) -> String {
    let zone = zone::load(options.time_zone.as_deref()).expect(text);
    let compiled = escape::compile(text, options).expect(text);
    escape::render(&compiled.parts, &Moment::at(epoch_ms, &zone, options.rounding))
}

fn own(text: &str) -> Pattern {
    Pattern::new(text, &PatternOptions::default()).expect(text)
}

fn refused(text: &str, options: &PatternOptions) -> String {
    Pattern::new(text, options).expect_err(text).to_string()
}

fn hour(text: &str) -> Hour {
    text.parse().expect("an hour")
}

#[test]
fn every_escape_gives_flumes_value() {
    for (escape, expected) in [
        ("%a", "Thu"),
        ("%A", "Thursday"),
        ("%b", "Mar"),
        ("%B", "March"),
        ("%c", "Thu Mar 24 17:05:06 2016"),
        ("%D", "03/24/16"),
        ("%d", "24"),
        ("%e", "24"),
        ("%H", "17"),
        ("%k", "17"),
        ("%I", "05"),
        ("%l", "5"),
        ("%j", "084"),
        ("%m", "03"),
        ("%n", "3"),
        ("%M", "05"),
        ("%S", "06"),
        ("%p", "PM"),
        ("%s", "1458839106"),
        ("%t", "1458839106789"),
        ("%y", "16"),
        ("%Y", "2016"),
        ("%z", "+0000"),
        ("%%", "%"),
        ("%%2F", "%2F"),
        ("%-d %{a b} %{} 5%", "%-d %{a b} %{} 5%"),
    ] {
        assert_eq!(render(escape, &strict(), VECTOR), expected, "{escape} strict");
        assert_eq!(render(escape, &open(), VECTOR), expected, "{escape} of a twitter.conf");
        if !escape.contains("%-d") {
            assert_eq!(render(escape, &PatternOptions::default(), VECTOR), expected, "{escape} of a lake");
        }
    }
}

#[test]
fn unpadded_escapes_and_midnight_and_noon_are_flumes() {
    let early = 1_456_790_400_000; // 2016-03-01T00:00Z
    assert_eq!(render("%e|%d|%k|%H|%l|%I|%p|%j", &open(), early), "1|01|0|00|12|12|AM|061");
    assert_eq!(render("%k|%l|%I|%p", &open(), early + 12 * 3_600_000), "12|12|12|PM");
}

#[test]
fn every_letter_that_flume_does_not_know_is_empty_under_strict_escapes_and_said() {
    let known = "aAbBcdDeHIjklmMnpsStyYz";
    for c in ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(['_']) {
        let text = format!("%{c}");
        let compiled = escape::compile(&text, &strict()).expect("strict escapes know no error");
        let said = compiled.notices.iter().any(|notice| notice.0.starts_with(&format!("%{c} ")));
        assert_eq!(render(&text, &strict(), VECTOR).is_empty(), !known.contains(c), "%{c}");
        assert_eq!(said, !known.contains(c), "%{c}");
    }
    assert_eq!(render("%q%_%9x", &strict(), VECTOR), "x");
}

#[test]
fn the_seeds_pattern_is_an_hour_and_says_so_once() {
    let pattern = own("%m-%d-%h");
    assert_eq!(pattern.folder_of(hour("2026-11-22T05")), "11-22-05");
    assert_eq!((pattern.granularity(), pattern.names_year(), pattern.depth()), (Granularity::Hour, false, 1));
    let notices = own("%m-%d-%h/%h").notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].0.contains("%h is taken as the hour, 00 to 23"), "{notices:?}");
    assert!(notices[0].0.contains("lake.flume_escapes") && notices[0].0.contains("hdfs.strictEscapes"), "{notices:?}");
    assert!(own("%m-%d-%H").notices().is_empty());
}

#[test]
fn the_seeds_pattern_under_strict_escapes_is_flumes_day() {
    let pattern = Pattern::new("%m-%d-%h", &strict()).expect("flume takes it");
    assert_eq!(pattern.folder_at(VECTOR), "03-24-");
    assert_eq!(pattern.granularity(), Granularity::Day);
    let naming: Vec<_> = pattern.notices().into_iter().filter(|notice| notice.0.contains("%h")).collect();
    assert_eq!(naming.len(), 1, "{naming:?}");
    assert!(pattern.notices().iter().any(|notice| notice.0.contains("never close")));
    let time = pattern.read("11-22-").expect("a folder of flume's");
    let span = time.span_near(1_795_323_600_123).expect("a day");
    assert_eq!((span.to_string().as_str(), span.granularity), ("2026-11-22", Granularity::Day));
    assert_eq!(span.end_ms - span.start_ms, 86_400_000);
    assert_eq!(time.hour_near(1_795_323_600_123), None);
    assert!(pattern.read("11-22-05").is_none());
}

#[test]
fn rounding_gives_flumes_vectors() {
    let rounded = |value, unit, zone: Option<&str>| PatternOptions {
        rounding: Some(Rounding { value, unit }),
        time_zone: zone.map(str::to_owned),
        ..open()
    };
    for (text, options, at, expected) in [
        ("%H%M%S|%s|%t", rounded(10, RoundUnit::Minute, None), VECTOR, "170000|1458838800|1458839106789"),
        ("%H%M%S|%s|%t", rounded(6, RoundUnit::Hour, None), VECTOR, "120000|1458820800|1458839106789"),
        ("%H%M%S|%s|%t", rounded(4, RoundUnit::Second, None), VECTOR, "170504|1458839104|1458839106789"),
        ("%H%M%S|%s|%t", rounded(1, RoundUnit::Hour, None), VECTOR, "170000|1458838800|1458839106789"),
        // 22:35 in Kolkata: rounded in the pattern's zone, as Flume 1.7 and later do.
        ("%H%M%S", rounded(6, RoundUnit::Hour, Some("Asia/Kolkata")), VECTOR, "180000"),
    ] {
        assert_eq!(render(text, &options, at), expected, "{text} {options:?}");
    }
    assert!(refused("%Y", &rounded(25, RoundUnit::Hour, None)).contains("1 to 24"));
}

#[test]
fn times_before_1970_are_written_as_java_writes_them() {
    assert_eq!(render("%Y-%s-%t", &open(), -1), "1969-0--1");
    assert_eq!(render("%s", &open(), -1001), "-1");
}

#[test]
fn offsets_are_written_as_java_writes_them() {
    for (name, expected) in
        [("Asia/Kolkata", "+0530"), ("America/New_York", "-0400"), ("GMT-3:30", "-0330"), ("EST", "-0500")]
    {
        let options = PatternOptions { time_zone: Some(name.to_owned()), ..open() };
        assert_eq!(render("%z", &options, VECTOR), expected, "{name}");
    }
}

#[test]
fn headers_of_the_run_are_put_in_as_they_are() {
    assert_eq!(render("plain/%{x}", &open(), VECTOR), "plain/");
    assert_eq!(render("%{x.y-z}|", &header("x.y-z", r"a$1\2%Y"), VECTOR), r"a$1\2%Y|");
    let missing = Pattern::new("plain/%{x}/%Y", &open()).expect("open");
    assert_eq!(missing.folder_at(VECTOR), "plain/2016", "doubled slashes are dropped, as Hadoop does");
    assert!(missing.notices().iter().any(|notice| notice.0.contains("%{x} stays empty")));
    assert_eq!(Pattern::new("plain/%{x}", &open()).expect("open").folder_at(VECTOR), "plain");
    assert!(refused("%{x}/%m-%d-%H", &header("x", r"a\b")).contains("backslash"));
    assert!(refused("%{x}/%m-%d-%H", &header("x", "..")).contains("hide"));
}

#[test]
fn a_header_or_the_hosts_name_keeps_folders_open() {
    let host = HostNames { localhost: "box".into(), ip: "10.0.0.7".into(), fqdn: "box.example.org".into() };
    let options = PatternOptions { host: Some(host), ..open() };
    assert_eq!(render("%[localhost]|%[ip]|%[FQDN]", &options, VECTOR), "box|10.0.0.7|box.example.org");
    assert!(refused("%[localhost]", &open()).contains("not known"));
    assert!(refused("%[name]", &options).contains("%[IP]"));
    for (text, options) in [("%[IP]/%m-%d-%H", options), ("%{h}/%m-%d-%H", header("h", "box"))] {
        let pattern = Pattern::new(text, &options).expect(text);
        assert_eq!(pattern.granularity(), Granularity::Other);
        let folder = pattern.folder_at(VECTOR);
        let time = pattern.read(&folder).expect("its own folder");
        assert_eq!(time.hour_near(VECTOR), Some(Hour::containing(VECTOR)), "{folder} still names its hour");
        let closed = PatternOptions { allow_open: false, ..options };
        assert!(refused(text, &closed).contains("divided by"));
    }
}

#[test]
fn an_unknown_escape_of_a_lakes_own_pattern_is_an_error_that_helps() {
    for (text, named, help) in [
        ("%F/%H", "%F", "%Y-%m-%d"),
        ("%m-%d-%i", "%i", "%M"),
        ("%m-%d-%H%Q", "%Q", "%a %A"),
        ("%-d%m%H", "%-", "write %%"),
    ] {
        let error = refused(text, &PatternOptions::default());
        assert!(error.contains(text) && error.contains(named) && error.contains(help), "{error}");
        let lenient = Pattern::new(text, &open()).expect("flume takes it");
        assert!(lenient.notices().iter().any(|notice| notice.0.contains(&format!("{named} is no escape"))), "{text}");
    }
}

#[test]
fn a_lakes_own_pattern_names_one_hour_and_nothing_else() {
    for text in [
        "%m-%d-%h",
        "dt=%Y-%m-%d/hour=%H",
        "%Y/%b/%e/%k",
        "%D/%I%p",
        "%B %d %l %p",
        "%Y-%j-%H",
        "%y%j%H",
        "%a-%m-%d-%H",
        "%n%d%H",
        "%Y%m%d%k",
        "%e-%n5-%H",
        "%m-%d-%H%z",
    ] {
        assert_eq!(own(text).granularity(), Granularity::Hour, "{text}");
    }
    for (text, reason) in [
        ("%m-%d", "the hour (add %H)"),
        ("%m-%d-%I", "add %p"),
        ("%d-%H", "the month (add %m)"),
        ("%m-%H", "the day (add %d)"),
        ("%j-%H", "add %Y"),
        ("%m-%d-%H%M", "divided by %M "),
        ("%m-%d-%H-%s", "divided by %s "),
        ("%c", "divided by %M, %S "),
        ("%n%e-%H", "%n and %e"),
        ("%n%d%k-", "%n and %k"),
        ("%n2%e-%H", "%n and %e"),
        ("tweets", "the month (add %m) and the day (add %d) and the hour (add %H)"),
        ("", "empty"),
        ("/", "empty"),
    ] {
        let error = refused(text, &PatternOptions::default());
        assert!(error.contains(reason), "{text}: {error}");
        let taken = Pattern::new(text, &open()).expect(text);
        assert_ne!(taken.granularity(), Granularity::Hour, "{text}");
        assert!(taken.notices().iter().any(|notice| notice.0.contains("never close")), "{text}");
    }
}

#[test]
fn rounding_within_the_hour_changes_nothing_and_beyond_it_keeps_folders_open() {
    let with = |value, unit| PatternOptions { rounding: Some(Rounding { value, unit }), ..PatternOptions::default() };
    for options in [with(10, RoundUnit::Minute), with(60, RoundUnit::Second), with(1, RoundUnit::Hour)] {
        let pattern = Pattern::new("%m-%d-%H", &options).expect("an hour");
        assert_eq!(pattern.folder_at(VECTOR), "03-24-17");
    }
    assert!(refused("%m-%d-%H", &with(2, RoundUnit::Hour)).contains("hdfs.round"));

    let options = PatternOptions { allow_open: true, ..with(5, RoundUnit::Hour) };
    let pattern = Pattern::new("%Y-%m-%d-%H", &options).expect("open");
    assert_eq!(pattern.granularity(), Granularity::Other);
    assert!(pattern.read("2016-03-24-17").is_none(), "no time is rounded to 17");
    let last = pattern.read("2016-03-24-20").expect("20 to 24").span_near(0).expect("a span");
    assert_eq!(((last.end_ms - last.start_ms) / 3_600_000, last.to_string()), (4, "2016-03-24T20".to_owned()));
    let day = Pattern::new("%m-%d", &options).expect("open");
    assert_eq!(day.granularity(), Granularity::Day);
}

#[test]
fn folders_are_clean_keys_and_stay_out_of_the_lakes_own() {
    let pattern = own("//a//%m-%d/%H/");
    assert_eq!(pattern.folder_of(hour("2026-11-22T05")), "a/11-22/05");
    assert_eq!((pattern.depth(), pattern.as_str()), (3, "//a//%m-%d/%H/"));
    for (text, reason) in [
        ("_hours/%m-%d-%H", "_hours/"),
        (".%m-%d-%H", "hide"),
        ("late/%m-%d-%H", "late/"),
        ("/rejects/%m-%d-%H", "rejects/"),
        ("../%m-%d-%H", "hide"),
        ("%m-%d-%H\\", "backslash"),
        ("%m-%d-%H\n", "control character"),
        ("%m/_%d/%H", "hide"),
    ] {
        let error = refused(text, &PatternOptions::default());
        assert!(error.contains(reason), "{error}");
    }
    assert!(refused(&format!("%m%d%H{}", "x".repeat(1100)), &open()).contains("1024 bytes"));
    assert!(refused("a/../%m-%d-%H", &open()).contains("\"..\""));
    assert!(refused("%q_hours/%m", &strict()).contains("_hours/"), "an empty escape hides nothing");
    assert!(Pattern::new("a/_%m", &open()).expect("open").notices().iter().any(|notice| notice.0.contains("hide")));
    own("later/%m-%d-%H");
    own("late-%m/%d/%H");
    assert!(own("%m:%d:%H").notices()[0].0.contains("':'"));
}

#[test]
fn a_zone_names_hours_only_if_each_has_its_own_name() {
    let tokyo = Pattern::new("%Y-%m-%d-%H", &in_zone("Asia/Tokyo")).expect("no summer time");
    assert_eq!(tokyo.folder_of(hour("2026-11-22T20")), "2026-11-23-05");
    assert_eq!(tokyo.read("2026-11-23-05").and_then(|t| t.hour_near(0)), Some(hour("2026-11-22T20")));
    let error = refused("%m-%d-%H", &in_zone("Europe/Berlin"));
    assert!(error.contains("Europe/Berlin") && error.contains("%z"), "{error}");
    let berlin = Pattern::new("%Y-%m-%d-%H%z", &in_zone("Europe/Berlin")).expect("%z tells the hours apart");
    for (name, utc) in [("2026-10-25-02+0200", "2026-10-25T00"), ("2026-10-25-02+0100", "2026-10-25T01")] {
        assert_eq!(berlin.folder_of(hour(utc)), name);
        assert_eq!(berlin.read(name).and_then(|t| t.hour_near(0)), Some(hour(utc)));
    }
    assert!(berlin.read("2026-07-25-02+0100").is_none(), "summer has the other offset");
    assert!(berlin.read("2026-03-29-02+0100").is_none(), "this hour was left out");
    let error = refused("%m-%d-%H%z", &in_zone("Asia/Kolkata"));
    assert!(error.contains("not those of UTC"), "{error}");
    let day = PatternOptions { allow_open: true, ..in_zone("Asia/Kolkata") };
    let span = Pattern::new("%m-%d", &day).expect("days may").read("11-22").and_then(|t| t.span_near(VECTOR));
    assert_eq!(span.map(|span| (span.start_ms % 3_600_000, span.to_string())), Some((1_800_000, "2015-11-22".into())));
    assert!(refused("%m-%d-%H", &in_zone("Asia/Tokio")).contains("Asia/Tokyo"));
}

#[test]
fn open_folders_are_listed_by_what_they_name() {
    for (text, folder, named, whole_hour) in [
        ("%Y", "2026", "2026", false),
        ("%Y-%m", "2026-11", "2026-11", false),
        ("%b", "Nov", "2026-11", false),
        ("%j", "326", "2026-11-22", false),
        ("%m-%d-%p", "11-22-AM", "2026-11-22", false),
        ("%m-%d-%H%M", "11-22-0510", "2026-11-22T05:10", true),
        ("%D/%k/%M.%S", "11/22/26/5/10.07", "2026-11-22T05:10:07", true),
        ("%c", "Sun Nov 22 05:10:07 2026", "2026-11-22T05:10:07", true),
        ("%s", "1795324207", "2026-11-22T05:10:07", true),
        ("x%t", "x1795324207123", "2026-11-22T05:10:07", true),
    ] {
        let pattern = Pattern::new(text, &open()).expect(text);
        let time = pattern.read(folder).expect(folder);
        let hint = 1_795_324_207_123; // 2026-11-22T05:10:07.123Z
        assert_eq!(pattern.folder_at(hint), folder);
        let span = time.span_near(hint).expect(text);
        assert_eq!(span.to_string(), named, "{text}");
        assert!(span.start_ms <= hint && hint < span.end_ms, "{text}");
        assert_eq!(time.hour_near(hint), whole_hour.then(|| hour("2026-11-22T05")), "{text}");
    }
    let nothing = Pattern::new("all", &open()).expect("open").read("all").expect("its only folder");
    assert_eq!((nothing.span_near(0), nothing.hour_near(0)), (None, None));
    let clocks = Pattern::new("%H-%I-%p", &open()).expect("open");
    assert!(clocks.read("17-05-PM").is_some() && clocks.read("17-05-AM").is_none());
}

#[test]
fn the_year_is_the_one_that_holds_the_hint_or_is_nearest() {
    let pattern = own("%m-%d-%h");
    let near = |folder: &str, hint: &str| {
        let time = pattern.read(folder).expect(folder);
        time.hour_near(hour(hint).start_ms()).map(|hour| hour.to_string()).unwrap_or_default()
    };
    assert_eq!(near("11-22-05", "2025-11-22T05"), "2025-11-22T05");
    assert_eq!(near("11-22-05", "2026-11-22T05"), "2026-11-22T05");
    assert_eq!(near("12-31-23", "2026-01-01T00"), "2025-12-31T23");
    assert_eq!(near("01-01-00", "2025-12-31T23"), "2026-01-01T00");
    assert_eq!(near("02-29-05", "2026-02-27T00"), "2024-02-29T05");
    assert_eq!(near("02-29-05", "2026-03-01T00"), "2028-02-29T05");
    assert_eq!(near("02-29-05", "1900-02-27T00"), "1896-02-29T05");
    let time = own("%y-%m-%d-%H").read("70-01-02-03").expect("a folder");
    assert_eq!(time.hour_near(0), Some(hour("1970-01-02T03")));
    assert_eq!(time.hour_near(VECTOR), Some(hour("1970-01-02T03")));
    assert_eq!(time.hour_near(VECTOR + 5 * 31_557_600_000), Some(hour("2070-01-02T03")));
    let weekday = own("%a-%m-%d-%H");
    assert_eq!(weekday.read("Sun-11-22-05").and_then(|t| t.hour_near(VECTOR)), Some(hour("2015-11-22T05")));
    assert!(own("%Y-%a-%m-%d-%H").read("2026-Mon-11-22-05").is_none(), "that day is a Sunday");
}

#[test]
fn one_sweep_lists_no_more_than_the_range_needs() {
    for (text, range, expected) in [
        ("dt=%Y-%m-%d/hour=%H", "2026-11-22T00..2026-11-23T00", "dt=2026-11-22/hour="),
        ("dt=%Y-%m-%d/hour=%H", "2026-11-22T05", "dt=2026-11-22/hour=05"),
        ("dt=%Y-%m-%d/hour=%H", "2026-11-22T05..2026-12-22T05", "dt=2026-"),
        ("dt=%Y-%m-%d/hour=%H", "2025-11-22T05..2026-11-22T05", "dt="),
        ("%m-%d-%h", "2026-11-22T05..2026-11-22T07", "11-22-"),
        ("%m-%d-%h", "2025-11-01T00..2026-12-01T00", ""),
        ("%H/%Y/%m/%d", "2026-11-22T05..2026-11-22T07", ""),
    ] {
        let (pattern, range): (_, HourRange) = (own(text), range.parse().expect("a range"));
        assert_eq!(pattern.listing_prefix(&range), expected, "{text} {range}");
        assert!(range.iter().all(|hour| pattern.folder_of(hour).starts_with(expected)), "{text} {range}");
    }
    let berlin = Pattern::new("x/%Y-%m-%d-%H%z", &in_zone("Europe/Berlin")).expect("with %z");
    let autumn: HourRange = "2026-10-24T23..2026-10-25T02".parse().expect("a range");
    assert_eq!(berlin.listing_prefix(&autumn), "x/");
    assert_eq!(own("dt=%Y-%m-%d/hour=%H").literal_prefix(), "dt=");
}

#[test]
fn patterns_of_the_same_text_and_options_are_equal() {
    assert_eq!(own("%m-%d-%H"), own("%m-%d-%H").clone());
    assert_ne!(own("%m-%d-%H"), Pattern::new("%m-%d-%H", &in_zone("Asia/Tokyo")).expect("a zone"));
    fn shared<T: Clone + std::fmt::Debug + Send + Sync + 'static>() {}
    shared::<Pattern>();
    shared::<FolderTime>();
}
