//! Random lines that look like tweets: members under the names of the mapping, mostly of the right types, in any order,
//! some twice, some under the other name, with white space and escapes; and the same lines broken.

use proptest::prelude::*;

/// The shape of a member's value.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    Time,
    Id,
    Count,
    Small,
    Float,
    Bool,
    Kind,
    Key,
    Object(&'static [(&'static str, Shape)]),
    List(&'static Shape),
}

use Shape::*;

const SPAN: Shape = List(&Small);
const POINT: Shape = List(&Float);
const ENTITIES: Shape = Object(&[
    ("hashtags", List(&Object(&[("text", Text), ("tag", Text), ("indices", SPAN), ("start", Small), ("end", Small)]))),
    ("symbols", List(&Object(&[("text", Text), ("indices", SPAN)]))),
    ("cashtags", List(&Object(&[("tag", Text), ("start", Small), ("end", Small)]))),
    (
        "user_mentions",
        List(&Object(&[("id_str", Id), ("id", Id), ("screen_name", Text), ("name", Text), ("indices", SPAN)])),
    ),
    ("mentions", List(&Object(&[("id", Id), ("username", Text), ("start", Small), ("end", Small)]))),
    (
        "urls",
        List(&Object(&[
            ("url", Text),
            ("expanded_url", Text),
            ("display_url", Text),
            ("unwound", Object(&[("url", Text), ("title", Text), ("description", Text), ("status", Small)])),
            ("unwound_url", Text),
            ("title", Text),
            ("description", Text),
            ("status", Small),
            ("media_key", Key),
            ("indices", SPAN),
            ("start", Small),
            ("end", Small),
        ])),
    ),
    ("annotations", List(&Object(&[("type", Text), ("normalized_text", Text), ("probability", Float)]))),
    ("media", List(&MEDIA)),
    ("polls", List(&POLL)),
]);
const MEDIA: Shape = Object(&[
    ("id_str", Key),
    ("media_key", Key),
    ("type", Text),
    ("url", Text),
    ("media_url_https", Text),
    ("preview_image_url", Text),
    ("width", Count),
    ("sizes", Object(&[("large", Object(&[("w", Count), ("h", Small)]))])),
    ("height", Small),
    ("duration_ms", Count),
    ("alt_text", Text),
    ("public_metrics", Object(&[("view_count", Count)])),
    ("video_info", Object(&[("duration_millis", Count), ("variants", List(&VARIANT))])),
    ("variants", List(&VARIANT)),
]);
const VARIANT: Shape = Object(&[("content_type", Text), ("bitrate", Count), ("bit_rate", Count), ("url", Text)]);
const POLL: Shape = Object(&[
    ("id", Id),
    ("end_datetime", Time),
    ("duration_minutes", Small),
    ("voting_status", Text),
    ("options", List(&Object(&[("position", Small), ("text", Text), ("label", Text), ("votes", Count)]))),
]);
const USER: Shape = Object(&[
    ("id_str", Id),
    ("id", Id),
    ("screen_name", Text),
    ("username", Text),
    ("name", Text),
    ("created_at", Time),
    ("description", Text),
    ("location", Text),
    ("url", Text),
    ("verified", Bool),
    ("protected", Bool),
    ("followers_count", Count),
    ("friends_count", Count),
    ("profile_image_url", Text),
    ("profile_image_url_https", Text),
    ("pinned_post_id", Id),
    ("public_metrics", Object(&[("followers_count", Count), ("tweet_count", Count), ("post_count", Count)])),
]);
const PLACE: Shape = Object(&[
    ("id", Key),
    ("name", Text),
    ("full_name", Text),
    ("place_type", Text),
    ("country", Text),
    ("country_code", Text),
    ("geo", Object(&[("bbox", List(&Float))])),
    ("bounding_box", Object(&[("coordinates", List(&List(&POINT)))])),
]);
const INNER: &[(&str, Shape)] = &[
    ("id_str", Id),
    ("id", Id),
    ("text", Text),
    ("full_text", Text),
    ("created_at", Time),
    ("truncated", Bool),
    ("user", USER),
    ("author_id", Id),
    ("lang", Text),
    ("extended_tweet", Object(&[("full_text", Text), ("display_text_range", SPAN), ("entities", ENTITIES)])),
    ("note_tweet", Object(&[("text", Text), ("entities", ENTITIES)])),
    ("public_metrics", Object(&[("retweet_count", Count), ("like_count", Count)])),
];
/// A reference that embeds its post, as in flattened lines.
const EMBEDDED: &[(&str, Shape)] = &[
    ("type", Kind),
    ("type", Kind),
    ("id", Id),
    ("id", Id),
    ("text", Text),
    ("author_id", Id),
    ("author", USER),
    ("note_tweet", Object(&[("text", Text), ("entities", ENTITIES)])),
    ("attachments", Object(&[("media_keys", List(&Key)), ("media", List(&MEDIA))])),
    ("geo", PLACE),
];
const POST: &[(&str, Shape)] = &[
    ("id_str", Id),
    ("id", Id),
    ("text", Text),
    ("text", Text),
    ("full_text", Text),
    ("timestamp_ms", Count),
    ("created_at", Time),
    ("truncated", Bool),
    ("lang", Text),
    ("source", Text),
    ("display_text_range", SPAN),
    ("in_reply_to_status_id_str", Id),
    ("in_reply_to_status_id", Id),
    ("in_reply_to_user_id", Id),
    ("in_reply_to_screen_name", Text),
    ("retweeted_status", Object(INNER)),
    ("quoted_status", Object(INNER)),
    ("quoted_status_id_str", Id),
    ("is_quote_status", Bool),
    ("referenced_tweets", List(&Object(&[("type", Kind), ("id", Id)]))),
    ("referenced_tweets", List(&Object(EMBEDDED))),
    ("author", USER),
    ("in_reply_to_user", USER),
    (
        "attachments",
        Object(&[("media_keys", List(&Key)), ("media", List(&MEDIA)), ("poll_ids", List(&Id)), ("poll", POLL)]),
    ),
    ("geo", PLACE),
    ("referenced_posts", List(&Object(&[("type", Kind), ("id", Id)]))),
    ("edit_history", Object(&[("initial_tweet_id", Id), ("edit_tweet_ids", List(&Id))])),
    ("edit_history_tweet_ids", List(&Id)),
    ("edit_controls", Object(&[("edits_remaining", Small), ("editable_until_ms", Count), ("editable_until", Time)])),
    ("possibly_sensitive", Bool),
    ("community_id", Id),
    ("user", USER),
    ("author_id", Id),
    ("retweet_count", Count),
    ("favorite_count", Count),
    ("public_metrics", Object(&[("retweet_count", Count), ("repost_count", Count), ("quote_count", Count)])),
    ("entities", ENTITIES),
    ("extended_entities", Object(&[("media", List(&MEDIA))])),
    ("extended_tweet", Object(&[("full_text", Text), ("display_text_range", SPAN), ("entities", ENTITIES)])),
    ("note_tweet", Object(&[("text", Text), ("entities", ENTITIES)])),
    ("context_annotations", List(&Object(&[("domain", Object(&[("id", Id)])), ("entity", Object(&[("name", Text)]))]))),
    ("attachments", Object(&[("media_keys", List(&Key)), ("poll_ids", List(&Id))])),
    ("coordinates", Object(&[("coordinates", POINT)])),
    ("geo", Object(&[("coordinates", POINT)])),
    ("geo", Object(&[("place_id", Key), ("coordinates", Object(&[("coordinates", POINT)]))])),
    ("place", PLACE),
    ("withheld", Object(&[("copyright", Bool), ("country_codes", List(&Text)), ("scope", Text)])),
    ("withheld_in_countries", List(&Text)),
    ("matching_rules", List(&Object(&[("id", Id), ("id_str", Id), ("tag", Text)]))),
];
const LINE: &[(&str, Shape)] = &[
    (
        "includes",
        Object(&[
            ("users", List(&USER)),
            ("tweets", List(&Object(INNER))),
            ("posts", List(&Object(INNER))),
            ("media", List(&MEDIA)),
            ("places", List(&PLACE)),
            ("polls", List(&POLL)),
        ]),
    ),
    ("matching_rules", List(&Object(&[("id", Id), ("tag", Text)]))),
    ("delete", Object(&[("status", Object(INNER))])),
    ("errors", List(&Object(&[("title", Text), ("type", Text)]))),
];

/// A small, reproducible random number generator.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.0;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((n ^ (n >> 31)) % end as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }
}

const PIECES: &[&str] = &[
    "a",
    "b c",
    "word ",
    "#tag",
    "@name",
    "https://t.co/x",
    "null",
    "<a href=\\\"x\\\">",
    "</a>",
    "é",
    "ç€",
    "😀",
    "\u{7f}",
    "\u{fffd}",
    r#"\""#,
    r"\\",
    r"\/",
    r"\b",
    r"\f",
    r"\n",
    r"\r",
    r"\t",
    r"\u0000",
    r"\u00e9",
    r"\uD83D\uDE00",
    r"\ud83d",
    r"\ude00",
    r"\ud83d\u0041",
    "long enough to pass through the registers at least twice, and some more of it",
];

fn text(random: &mut Random) -> String {
    let pieces: String = (0..random.below(6)).map(|_| random.of(PIECES)).collect();
    format!("\"{pieces}\"")
}

/// A value of this shape, sometimes of another one.
fn value(shape: Shape, random: &mut Random) -> String {
    if random.one_in(20) {
        return "null".to_owned();
    }
    if random.one_in(300) {
        const WRONG: &[&str] = &[
            "1.5",
            "{}",
            "[]",
            "\"x\"",
            "true",
            "9223372036854775808",
            "18446744073709551616",
            "[1,2]",
            "{\"a\":1}",
            "[[]]",
            "\"-5\"",
            "\"\"",
            "[null]",
            "\"9223372036854775808\"",
            "1E2",
        ];
        return random.of(WRONG).to_owned();
    }
    let sample = |random: &mut Random, values: &[&str]| random.of(values).to_owned();
    match shape {
        Text if random.one_in(4) => {
            sample(random, &["\"null\"", "\"<a href='x'>App</a>\"", "\"<a >\"", "\"<a x></a\""])
        }
        Text => text(random),
        Time => sample(
            random,
            &[
                "\"Wed Oct 10 20:19:24 +0000 2018\"",
                "\"2018-10-10T20:19:24.000Z\"",
                "\"2018\\u002d10-10T20:19:24.5Z\"",
                "\"null\"",
            ],
        ),
        // A small range, so that references find their objects.
        Id if random.one_in(6) => {
            sample(random, &["1454638400000000000", "\"9007199254740993\"", "9223372036854775807", "\"\\u0031\""])
        }
        Id => {
            let quote = random.of(&["", "\""]);
            format!("{quote}{}{quote}", 1 + random.below(4))
        }
        Count => match random.below(4) {
            0 => sample(random, &["\"4\"", "0", "1635638400123", "\"null\"", "-1"]),
            _ => random.below(1 << 33).to_string(),
        },
        Small if random.one_in(40) => sample(random, &["\"4\"", "200", "40000"]),
        Small => random.below(100).to_string(),
        Float => sample(random, &["1.5", "-0.25", "7", "\"2.5\"", "1e3", "-118.2437"]),
        Bool => sample(random, &["true", "false"]),
        Kind => sample(random, &["\"retweeted\"", "\"quoted\"", "\"replied_to\"", "\"\\u0071uoted\"", "\"other\""]),
        Key => sample(random, &["\"3_1\"", "\"7_2\"", "\"\\u0033_1\"", "\"01fbe706f872cb32\""]),
        Object(members) => {
            let count = random.below(members.len().min(7) + 1);
            object(members, count, "", random)
        }
        List(item) => {
            let items: Vec<_> = (0..random.below(4)).map(|_| value(*item, random)).collect();
            format!("[{}]", items.join(","))
        }
    }
}

/// An object with some of the members, and `own` somewhere among them.
fn object(members: &[(&str, Shape)], count: usize, own: &str, random: &mut Random) -> String {
    let space = random.of(&["", "", "", "", " ", "\t", "\r\n "]);
    let mut written: Vec<String> = (0..count)
        .map(|_| {
            if random.one_in(60) {
                return random
                    .of(&[r#""odd":[{"id":1}]"#, r#""":0"#, r#""\u0069d":"3""#, r#""te\u0078t" : "odd""#])
                    .to_owned();
            }
            let (name, shape) = random.of(members);
            format!("{space}\"{name}\"{space}:{space}{}", value(shape, random))
        })
        .collect();
    if !own.is_empty() {
        written.insert(random.below(written.len() + 1), own.to_owned());
    }
    format!("{{{}{space}}}", written.join(","))
}

fn line_of(random: &mut Random) -> String {
    if random.one_in(12) {
        let count = random.below(4);
        return object(LINE, count, "", random);
    }
    let own = format!("\"id\":{},\"text\":{}", value(Id, random), text(random));
    let count = 1 + random.below(20);
    let post = object(POST, count, &own, random);
    if random.one_in(2) {
        return post;
    }
    let count = random.below(4);
    object(LINE, count, &format!("\"data\":{post}"), random)
}

/// A line that is mostly a tweet of either wire format.
pub(super) fn tweet_line() -> impl Strategy<Value = String> {
    any::<u64>().prop_map(|seed| line_of(&mut Random(seed)))
}

/// Such a line with bytes changed, removed, inserted or truncated.
pub(super) fn broken() -> impl Strategy<Value = Vec<u8>> {
    any::<u64>().prop_map(|seed| {
        let mut random = Random(seed);
        let mut bytes = line_of(&mut random).into_bytes();
        (0..1 + random.below(3)).for_each(|_| break_one(&mut bytes, &mut random));
        bytes
    })
}

fn break_one(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len().max(1));
    let byte = random.of(b"{}[]\",:\\/0-+.eEtfnu \t\0\x1f\x7f\xc3\xa4");
    match random.below(4) {
        _ if bytes.is_empty() => {}
        0 => bytes[at] ^= 1 << random.below(8),
        1 if random.one_in(3) => bytes.truncate(at),
        2 => drop(bytes.remove(at)),
        _ => bytes.insert(at, byte),
    }
}

/// Similar lines: one line with other literals and numbers, with a part repeated or missing, or damaged.
pub(super) fn alike() -> impl Strategy<Value = Vec<Vec<u8>>> {
    any::<u64>().prop_map(|seed| {
        let mut random = Random(seed);
        let first = line_of(&mut random);
        (0..12)
            .map(|_| {
                let mut line = first.clone();
                for _ in 0..random.below(3) {
                    change(&mut line, &mut random);
                }
                let mut bytes = line.into_bytes();
                if random.one_in(3) {
                    break_one(&mut bytes, &mut random);
                }
                bytes
            })
            .collect()
    })
}

/// Replaces a literal or a number, or repeats or removes the bytes between two commas.
fn change(line: &mut String, random: &mut Random) {
    const WORDS: &[&str] = &["null", "true", "false", "1", "7", "{}", "[]", "\"x\"", "{\"id\":null}"];
    if random.one_in(3) {
        let commas: Vec<usize> = line.match_indices(',').map(|(at, _)| at).collect();
        if commas.len() > 1 {
            let first = random.below(commas.len() - 1);
            let part = line[commas[first]..commas[first + 1]].to_owned();
            match random.below(2) {
                0 => line.insert_str(commas[first], &part),
                _ => drop(line.drain(commas[first]..commas[first + 1])),
            }
        }
        return;
    }
    let word = random.of(WORDS);
    let places: Vec<usize> = line.match_indices(word).map(|(at, _)| at).collect();
    if !places.is_empty() {
        let at = random.of(&places);
        line.replace_range(at..at + word.len(), random.of(WORDS));
    }
}
