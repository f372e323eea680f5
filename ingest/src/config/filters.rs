//! Accounts, areas and languages as they are typed, and what v2 makes of them. Pure.
//!
//! v1.1 joins keywords, accounts and areas by OR and narrows all of them by languages. v2 rules say the same where X has an
//! operator for it; what has none is refused with the reason.

use std::fmt;

use super::problem::suggestion;

/// An account to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// A user id.
    Id(u64),
    /// A handle without its `@`.
    Handle(String),
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Account::Id(id) => write!(f, "{id}"),
            Account::Handle(handle) => f.write_str(handle),
        }
    }
}

/// An area between two meridians and two parallels, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Longitude of its western side.
    pub west: f64,
    /// Latitude of its southern side.
    pub south: f64,
    /// Longitude of its eastern side.
    pub east: f64,
    /// Latitude of its northern side.
    pub north: f64,
}

impl Area {
    /// West, south, east, north: the order of both APIs.
    pub fn edges(self) -> [f64; 4] {
        [self.west, self.south, self.east, self.north]
    }

    /// Width where it is widest, and height, in miles.
    fn miles(self) -> (f64, f64) {
        const A_DEGREE: f64 = 69.172;
        let nearest_to_equator =
            if self.south <= 0.0 && self.north >= 0.0 { 0.0 } else { self.south.abs().min(self.north.abs()) };
        let width = (self.east - self.west) * A_DEGREE * nearest_to_equator.to_radians().cos();
        (width, (self.north - self.south) * A_DEGREE)
    }

    /// `bounding_box:[west south east north]`.
    ///
    /// # Errors
    /// When a side is too long for v2.
    pub(crate) fn operator(self) -> Result<String, String> {
        let (width, height) = self.miles();
        if width < MOST_MILES && height < MOST_MILES {
            let [west, south, east, north] = self.edges();
            return Ok(format!("bounding_box:[{west} {south} {east} {north}]"));
        }
        let pieces = |side: f64| (side / (MOST_MILES - 0.1)).ceil();
        Err(format!(
            "the area {self} is {width:.0} by {height:.0} miles, and v2 takes areas of less than 25 miles a side: write {:.0} \
             smaller ones, or place_country: in source.rules; source.type = \"x-v1\" takes any size",
            pieces(width) * pieces(height)
        ))
    }
}

/// Sides of an area in v2 are shorter than this.
const MOST_MILES: f64 = 25.0;

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.west, self.south, self.east, self.north)
    }
}

/// Reads ids and handles; each once.
///
/// # Errors
/// A text that says how to write one, without the value.
pub(crate) fn accounts(items: &[String]) -> Result<Vec<Account>, String> {
    let mut accounts: Vec<Account> = Vec::new();
    for (number, item) in pieces(items).enumerate() {
        let account = account(item).map_err(|why| format!("item {}: {why}", number + 1))?;
        let is_same = |other: &Account| other.to_string().eq_ignore_ascii_case(&account.to_string());
        if !accounts.iter().any(is_same) {
            accounts.push(account);
        }
    }
    Ok(accounts)
}

fn account(item: &str) -> Result<Account, &'static str> {
    let (has_sign, bare) = item.strip_prefix('@').map_or((false, item), |bare| (true, bare));
    if !has_sign && let Ok(id) = bare.parse::<u64>() {
        return if id > 0 { Ok(Account::Id(id)) } else { Err("must be a user id or a handle such as @nasa") };
    }
    let is_handle = (1..=15).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_handle {
        return Err("must be a user id or a handle such as @nasa");
    }
    if bare.bytes().all(|b| b.is_ascii_digit()) {
        // from:123 is the account with that id.
        return Err("X reads a handle of digits alone as an id: write the account's id, without @");
    }
    Ok(Account::Handle(bare.to_owned()))
}

/// Reads areas: four numbers each, west, south, east, north, in one text or in several.
///
/// # Errors
/// A text that says how to write one.
pub(crate) fn areas(items: &[String]) -> Result<Vec<Area>, String> {
    let mut numbers = Vec::new();
    for (number, item) in pieces(items).enumerate() {
        let degrees: f64 =
            item.parse().map_err(|_| format!("number {}: must be degrees such as -122.75", number + 1))?;
        numbers.push(degrees);
    }
    if !numbers.len().is_multiple_of(4) {
        return Err(format!(
            "holds {} numbers: each area has four, west,south,east,north, such as \"-122.75,36.8,-121.75,37.8\"",
            numbers.len()
        ));
    }
    let read = |edges: &[f64]| {
        let area = Area { west: edges[0], south: edges[1], east: edges[2], north: edges[3] };
        let is_on_earth = [area.west, area.east].iter().all(|degrees| (-180.0..=180.0).contains(degrees))
            && [area.south, area.north].iter().all(|degrees| (-90.0..=90.0).contains(degrees));
        if !is_on_earth {
            return Err(format!("the area {area} leaves the map: longitudes are -180 to 180, latitudes -90 to 90"));
        }
        if area.south >= area.north {
            return Err(format!("the area {area} must be written south before north: west,south,east,north"));
        }
        if area.west >= area.east {
            return Err(format!(
                "the area {area} must be written west before east; across the 180th meridian write two areas"
            ));
        }
        Ok(area)
    };
    numbers.chunks(4).map(read).collect()
}

/// Reads languages: BCP 47 tags as they are typed; each once.
///
/// # Errors
/// A text that says how to write one, without the value.
pub(crate) fn languages(items: &[String]) -> Result<Vec<String>, String> {
    let mut languages: Vec<String> = Vec::new();
    for (number, item) in pieces(items).enumerate() {
        let is_tag = item.len() <= 11
            && item.split('-').enumerate().all(|(part, text)| {
                let letters = text.bytes().all(|b| b.is_ascii_alphabetic());
                if part == 0 {
                    (2..=3).contains(&text.len()) && letters
                } else {
                    (2..=4).contains(&text.len()) && letters
                }
            });
        if !is_tag {
            return Err(format!("item {}: must be a language's tag such as en, es or zh-CN", number + 1));
        }
        if !languages.iter().any(|known| known.eq_ignore_ascii_case(item)) {
            languages.push(item.to_owned());
        }
    }
    Ok(languages)
}

/// Languages of v2's `lang:`.
const V2_LANGUAGES: [&str; 71] = [
    "am", "ar", "bg", "bn", "bo", "bs", "ca", "ckb", "cs", "cy", "da", "de", "dv", "el", "en", "es", "et", "eu", "fa",
    "fi", "fr", "gu", "hi", "hi-Latn", "hr", "ht", "hu", "hy", "in", "is", "it", "iw", "ja", "ka", "km", "kn", "ko",
    "lo", "lt", "lv", "ml", "mr", "my", "ne", "nl", "no", "or", "pa", "pl", "ps", "pt", "ro", "ru", "sd", "si", "sk",
    "sl", "sr", "sv", "ta", "te", "th", "tl", "tr", "ug", "uk", "und", "ur", "vi", "zh-CN", "zh-TW",
];
/// ISO's newer tags of languages that X calls by the older ones, and Chinese, which v2 takes by its scripts only.
const ALSO: [(&str, &[&str]); 3] = [("he", &["iw"]), ("id", &["in"]), ("zh", &["zh-CN", "zh-TW"])];

/// `lang:en`, or several in parentheses; empty for none.
///
/// # Errors
/// When v2 does not know a language.
pub(crate) fn language_operator(languages: &[String]) -> Result<String, String> {
    let mut terms: Vec<String> = Vec::new();
    for language in languages {
        let also = ALSO.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(language)).map(|(_, tags)| *tags);
        let tags = match (also, V2_LANGUAGES.iter().find(|tag| tag.eq_ignore_ascii_case(language))) {
            (Some(tags), _) => tags.to_vec(),
            (None, Some(tag)) => vec![*tag],
            (None, None) => {
                let nearest = suggestion(language, V2_LANGUAGES);
                return Err(format!("v2 has no language {language:?}{nearest}"));
            }
        };
        terms.extend(
            tags.iter().map(|tag| format!("lang:{tag}")).filter(|term| !terms.contains(term)).collect::<Vec<_>>(),
        );
    }
    Ok(match terms.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        several => format!("({})", several.join(" OR ")),
    })
}

/// The items of a list, split at commas as well: a `twitter.conf` and v1.1 write them so.
fn pieces(items: &[String]) -> impl Iterator<Item = &str> {
    items.iter().flat_map(|item| item.split(',')).map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn accounts_are_ids_or_handles_and_each_counts_once() {
        let read = accounts(&texts(&["12, @NASA", "nasa", "12", "jack_1"])).expect("good accounts");
        assert_eq!(read, [Account::Id(12), Account::Handle("NASA".into()), Account::Handle("jack_1".into())]);
        for (item, part) in [
            ("@123", "handle of digits alone"),
            ("from:nasa", "must be a user id or a handle"),
            ("a_handle_of_twenty", "must be a user id or a handle"),
            ("0", "must be a user id"),
            ("@", "must be a user id"),
        ] {
            let error = accounts(&texts(&["1", item])).expect_err(item);
            assert!(error.starts_with("item 2: ") && error.contains(part), "{error}");
            assert!(item.len() < 2 || !error.contains(item), "{error}");
        }
    }

    #[test]
    fn areas_are_four_numbers_each_in_the_order_of_v1_1() {
        let read = areas(&texts(&["-122.75,36.8,-121.75,37.8", "-74", "40", "-73", "41"])).expect("good areas");
        let edges: Vec<[f64; 4]> = read.iter().map(|area| area.edges()).collect();
        assert_eq!(edges, [[-122.75, 36.8, -121.75, 37.8], [-74.0, 40.0, -73.0, 41.0]]);
        for (item, part) in [
            ("1,2,3", "holds 3 numbers"),
            ("1,2,x,4", "number 3: must be degrees"),
            ("36.8,-122.75,37.8,-121.75", "leaves the map"),
            ("-74,41,-73,40", "south before north"),
            ("170,10,-170,20", "write two areas"),
            ("NaN,1,2,3", "leaves the map"),
        ] {
            let error = areas(&texts(&[item])).expect_err(item);
            assert!(error.contains(part), "{item}: {error}");
        }
    }

    #[test]
    fn v2_takes_areas_below_25_miles_a_side_and_the_others_are_refused_with_their_size() {
        let operator = |text: &str| areas(&texts(&[text])).expect("an area")[0].operator();
        let small = "-105.301758,39.964069,-105.178505,40.09455";
        assert_eq!(operator(small).as_deref(), Ok("bounding_box:[-105.301758 39.964069 -105.178505 40.09455]"));
        let bay = operator("-122.75,36.8,-121.75,37.8").expect_err("55 by 69 miles");
        assert!(bay.contains("55 by 69 miles") && bay.contains("write 9 smaller ones"), "{bay}");
        assert!(operator("-180,-90,180,90").is_err());
        // 0.36 degrees are 24.9 miles at the equator, and 12 miles at 60 degrees north.
        assert!(operator("0,0,0.36,0.3").is_ok() && operator("0,0,0.37,0.3").is_err());
        assert!(operator("0,60,0.7,60.3").is_ok());
    }

    #[test]
    fn languages_of_v2_are_joined_and_unknown_ones_refused_with_the_nearest() {
        let operator = |items: &[&str]| language_operator(&languages(&texts(items)).expect("tags"));
        assert_eq!(operator(&["en"]).as_deref(), Ok("lang:en"));
        assert_eq!(operator(&["EN, es", "en"]).as_deref(), Ok("(lang:en OR lang:es)"));
        assert_eq!(operator(&["he", "zh"]).as_deref(), Ok("(lang:iw OR lang:zh-CN OR lang:zh-TW)"));
        assert_eq!(operator(&[]).as_deref(), Ok(""));
        assert!(operator(&["en", "zh-HK"]).expect_err("no such language").contains("v2 has no language \"zh-HK\""));
        assert!(operator(&["xx"]).is_err());
        for item in ["english", "e", "en_US", "e1"] {
            assert!(languages(&texts(&[item])).is_err(), "{item}");
        }
    }

    proptest! {
        #[test]
        fn an_area_that_v2_takes_is_written_as_it_was_read(
            west in -179.0..178.0f64, south in -89.0..88.0f64, width in 0.0001..0.3f64, height in 0.0001..0.3f64,
        ) {
            let area = Area { west, south, east: west + width, north: south + height };
            let read = areas(&[area.to_string()]).expect("an area");
            prop_assert_eq!(&read, &[area]);
            let operator = area.operator().expect("a small area");
            let numbers: Vec<f64> = operator.trim_start_matches("bounding_box:[").trim_end_matches(']')
                .split(' ').map(|number| number.parse().expect("a number")).collect();
            prop_assert_eq!(numbers, area.edges());
        }

        #[test]
        fn no_text_makes_the_readers_panic(items in proptest::collection::vec("\\PC{0,20}", 0..5)) {
            let _ = (accounts(&items), areas(&items), languages(&items).map(|tags| language_operator(&tags)));
        }
    }
}
