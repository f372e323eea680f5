//! Tables of rules and tweets: what matches, what does not, what is refused.

use std::sync::Arc;

use super::expr::Expr;
use super::v1::{self, Parameters, Refusal};
use super::v2::parse;
use crate::corpus::corpus;
use crate::tweet::body::{Body, Link};
use crate::tweet::model::Tweet;
use crate::tweet::users::{Account, User, Users};

fn user(handle: &str) -> Arc<User> {
    Users::new(1).named(&Account::parse(handle).expect("a handle"))
}

fn link(expanded: &str) -> Link {
    let short = "https://t.co/abcdefghij".to_owned();
    let display = expanded.trim_start_matches("https://").to_owned();
    Link { short, expanded: expanded.to_owned(), display, preview: None }
}

/// `#tag`, `@user`, `$cash` and `https://…` in the text become entities.
fn tweet(author: &str, lang: &'static str, text: &str) -> Tweet {
    let mut tweet = Tweet::new(900_000_000_000_000_000, 1_500_000_000_000, user(author), lang);
    let mut body = Body::default();
    for word in text.split(' ') {
        body.push_space();
        match word.chars().next() {
            Some('#') => body.push_hashtag(word[1..].to_owned()),
            Some('@') => body.push_mention(&user(word)),
            Some('$') => body.push_cashtag(word[1..].to_owned()),
            _ if word.starts_with("https://") => body.push_link(link(word)),
            _ => {
                body.push(word);
            }
        }
    }
    tweet.body = body;
    tweet
}

fn track(track: &str) -> Result<Expr, Refusal> {
    v1::parse(Parameters { track, ..Parameters::default() })
}

fn matches(rule: &str, tweet: &Tweet) -> bool {
    parse(rule, 1024).unwrap_or_else(|error| panic!("{rule}: {error}")).matches(tweet)
}

#[test]
fn operators_match_what_the_documentation_says() {
    let plain = tweet(
        "Alice_1",
        "en",
        "Heavy RAIN, again! in #Trump2024 country with @RealDonaldTrump $BTC 🔥 猫の写真 don't https://www.Example.com/Shop/item",
    );
    let yes = [
        "rain",
        "RAIN",
        "heavy rain",
        "\"heavy rain\"",
        "\"rain again in\"",
        "trump2024",
        "#trump2024",
        "#TRUMP2024",
        "@realdonaldtrump",
        "realdonaldtrump",
        "$btc",
        "🔥",
        "猫",
        "写真",
        "don't",
        "from:alice_1",
        "from:ALICE_1",
        "lang:en rain",
        "url:example.com",
        "url:\"https://example.com/shop\"",
        "example",
        "rain -snow",
        "snow OR rain",
        "(snow OR rain) (again OR now)",
        "rain OR snow wind",
        "rain has:hashtags has:mentions has:cashtags has:links",
        "rain -has:media -is:retweet -is:reply -is:quote",
        "rain sample:100",
        "rain -has:geo",
        "rain or snow OR again",
        "-snow rain",
    ];
    for rule in yes {
        assert!(matches(rule, &plain), "{rule} should match");
    }
    let no = [
        "snow",
        "rai",
        "\"rain heavy\"",
        "#trump",
        "trump",
        "@realdonald",
        "$bt",
        "from:alice",
        "lang:de rain",
        "url:example.org",
        "rain snow",
        "rain -again",
        "rain has:media",
        "rain is:retweet",
        "犬",
        "(snow OR wind) rain",
        "snow OR rain wind",
        "rain -has:links",
        "rain has:geo",
        "is:nullcast rain",
        "t.co",
        "to:alice_1",
        "retweets_of:alice_1",
    ];
    for rule in no {
        assert!(!matches(rule, &plain), "{rule} should not match");
    }
}

#[test]
fn a_retweet_matches_by_the_words_of_what_it_repeats() {
    let mut retweet = tweet("bob", "en", "RT");
    retweet.retweeted = Some(Arc::new(tweet("alice", "en", "the last word of a long text is #needle")));
    for rule in ["#needle", "needle", "@alice", "retweets_of:alice", "needle is:retweet", "from:bob needle"] {
        assert!(matches(rule, &retweet), "{rule}");
    }
    assert!(!matches("from:alice", &retweet) && !matches("needle -is:retweet", &retweet));
}

#[test]
fn a_quote_matches_by_what_it_quotes_and_a_reply_by_whom_it_answers() {
    let mut quote = tweet("bob", "en", "look at this");
    quote.quoted = Some(Arc::new(tweet("alice", "en", "a rare #bird")));
    assert!(matches("#bird is:quote", &quote) && matches("look bird", &quote) && !matches("@alice", &quote));
    let mut reply = tweet("bob", "en", "@alice yes");
    reply.replied = Some(Arc::new(tweet("alice", "en", "is it so")));
    assert!(matches("to:alice", &reply) && matches("yes is:reply", &reply) && !matches("so", &reply));
}

#[test]
fn places_and_samples_are_looked_at() {
    let mut placed = tweet("bob", "es", "lluvia");
    placed.place = Some(&corpus().places[3]);
    assert!(
        matches("lluvia has:geo", &placed)
            && matches("place_country:ES", &placed)
            && !matches("place_country:FR", &placed)
    );
    let rule = parse("lluvia sample:20", 1024).expect("a good rule");
    let hits = (0..5000)
        .filter(|step| {
            placed.noise = crate::rng::Rng::numbered(1, b's', *step).bits();
            rule.matches(&placed)
        })
        .count();
    assert!((850..1150).contains(&hits), "{hits}");
}

#[test]
fn errors_in_rules_name_their_position() {
    let table = [
        ("", "empty"),
        ("   ", "empty"),
        ("-rain", "non-negation"),
        ("-rain -snow", "non-negation"),
        ("rain OR -snow", "non-negation"),
        ("lang:en", "stand alone"),
        ("has:media is:retweet", "stand alone"),
        ("rain AND snow", "'AND' as a keyword"),
        ("rain OR", "Expected a term (at position 8)"),
        ("OR rain", "Expected a term (at position 1)"),
        ("(rain", "Missing ')' for this group (at position 1)"),
        ("rain)", "no group to close (at position 5)"),
        ("()", "Expected a term"),
        ("\"rain", "Missing '\"'"),
        ("-(rain snow) wind", "must not be negated"),
        ("rain -sample:10", "must not be negated"),
        ("nosuch:thing", "invalid operator 'nosuch'"),
        ("rain is:nothing", "Invalid value 'nothing' for operator 'is' (at position 6)"),
        ("rain sample:0", "Invalid value '0'"),
        ("from:this_handle_is_too_long", "Invalid value"),
        ("@not-a-handle", "not a username"),
        ("\"a b\"~2", "Proximity"),
    ];
    for (rule, expected) in table {
        let error = parse(rule, 1024).expect_err(rule);
        assert!(error.contains(expected) && error.contains("(at position "), "{rule}: {error}");
    }
    let long = format!("rain{}", " snow".repeat(300));
    assert!(parse(&long, 1024).expect_err("too long").contains("1024 characters"));
    let deep = format!("{}rain{}", "(".repeat(500), ")".repeat(500));
    assert!(parse(&deep, 2048).expect_err("too deep").contains("too deeply"));
}

#[test]
fn track_follows_the_documented_table() {
    let track = |phrase: &str, text: &str| track(phrase).expect("good").matches(&tweet("bob", "en", text));
    for text in ["TWITTER", "\"Twitter\"", "twitter.", "#twitter", "@twitter", "https://twitter.com"] {
        assert!(track("twitter", text), "{text}");
    }
    for text in ["TwitterTracker", "#newtwitter", "twitters"] {
        assert!(!track("twitter", text), "{text}");
    }
    let table = [
        ("twitter api,twitter streaming", "The Twitter API is down", true),
        ("twitter api", "api of twitter", true),
        ("twitter api", "twitter only", false),
        ("#Trump", "so #trump then", true),
        ("#trump", "trump", false),
        ("#trump", "#trump2024", false),
        ("@alice", "hi @ALICE now", true),
        ("$btc", "up $BTC", true),
        ("hello.", "well hello. you", true),
        ("hello.", "hello you", false),
        ("touché", "touche", false),
        ("touché", "Touché!", true),
        ("example.com/foobarbaz", "https://example.com/foobarbaz", true),
        ("example.com/foobarbaz", "https://www.example.com/foobarbaz/", true),
        ("example.com", "https://example.com/foobarbaz", false),
        ("example com", "https://sub.example.com/x", true),
        (",, a ,", "a", true),
    ];
    for (phrase, text, expected) in table {
        assert_eq!(track(phrase, text), expected, "{phrase} on {text}");
    }
}

#[test]
fn follow_and_language_narrow_and_widen_as_documented() {
    let bob = tweet("bob", "es", "hola");
    let id = bob.author.id.to_string();
    let filter = |track: &str, follow: &str, language: &str| {
        v1::parse(Parameters { track, follow, language, ..Parameters::default() }).expect("good")
    };
    assert!(
        filter("", &id, "").matches(&bob)
            && filter("other", &id, "").matches(&bob)
            && !filter("other", "1", "").matches(&bob)
    );
    assert!(filter("hola", "", "en,es").matches(&bob) && !filter("hola", "", "en").matches(&bob));
    let mut retweet = tweet("carol", "es", "RT");
    retweet.retweeted = Some(Arc::new(bob));
    assert!(filter("", &id, "").matches(&retweet));
}

#[test]
fn impossible_parameters_get_the_status_of_the_service() {
    let status = |track: &str, follow: &str| {
        v1::parse(Parameters { track, follow, ..Parameters::default() }).expect_err("refused").status
    };
    assert_eq!(status("", ""), 406);
    assert_eq!(status(" , ", ""), 406);
    assert_eq!(status("", "abc"), 406);
    assert_eq!(
        track(&format!("a,{}", "é".repeat(31))).expect_err("62 bytes").text.split(':').next(),
        Some("Parameter track item index 1 too long")
    );
    assert!(track(&"é".repeat(30)).is_ok());
    assert_eq!(status(&"a,".repeat(401), ""), 413);
}

#[test]
fn a_retweet_is_found_by_the_handle_of_its_first_author() {
    let mut retweet = tweet("bob", "en", "RT");
    retweet.retweeted = Some(Arc::new(tweet("alice", "en", "nothing")));
    assert!(matches("alice", &retweet) && track("alice").expect("good").matches(&retweet));
}

#[test]
fn v1_does_not_search_the_quoted_tweet() {
    let mut quote = tweet("bob", "en", "look at this");
    quote.quoted = Some(Arc::new(tweet("alice", "en", "a rare #bird")));
    assert!(!track("#bird").expect("good").matches(&quote) && track("look").expect("good").matches(&quote));
}

proptest::proptest! {
    #[test]
    fn no_rule_makes_the_parser_panic(rule in "[ab ()\"\\\\:#@$~-]{0,12}|(OR |AND |lang:|is:|-|\\(|\\)|\"|a| ){0,8}|\\PC{0,20}") {
        if let Err(error) = parse(&rule, 1024) {
            proptest::prop_assert!(error.contains("(at position "), "{}", error);
        }
    }
}

#[test]
fn areas_take_points_and_places_as_each_api_does() {
    let madrid = corpus().places.iter().find(|place| place.name == "Madrid").expect("a place");
    let tagged = |point: Option<(f64, f64)>, with_place: bool| {
        let mut tweet = tweet("a", "en", "hola");
        tweet.place = with_place.then_some(madrid);
        tweet.point = point;
        tweet
    };
    let whole = "[-3.9 40.3 -3.51 40.65]";
    let part = "[-3.7 40.4 -3.5 40.5]";
    let v2 = |edges: &str, tweet: &Tweet| matches(&format!("bounding_box:{edges}"), tweet);
    let v1 = |edges: &str, tweet: &Tweet| {
        let locations = edges.trim_matches(['[', ']']).replace(' ', ",");
        let asked = Parameters { locations: &locations, ..Parameters::default() };
        v1::parse(asked).expect("good").matches(tweet)
    };
    let place = tagged(None, true);
    assert!(v2(whole, &place) && !v2(part, &place), "v2 wants the whole place");
    assert!(v1(whole, &place) && v1(part, &place), "v1.1 wants any part of it");
    // The point decides where there is one.
    for (point, is_in) in [((-3.6, 40.45), true), ((-3.8, 40.6), false)] {
        for tweet in [tagged(Some(point), true), tagged(Some(point), false)] {
            assert_eq!((v2(part, &tweet), v1(part, &tweet)), (is_in, is_in), "{point:?}");
        }
    }
    assert!(!v2(whole, &tagged(None, false)) && !v1(whole, &tagged(None, false)));
    for (rule, fault) in [
        ("bounding_box:[-4 40 -3 41]", "less than 25 miles"),
        ("bounding_box:[-3.5 40.4 -3.7 40.5]", "Invalid value"),
        ("bounding_box:[1 2 3]", "Invalid value"),
        ("bounding_box:[1 2 3 4", "Missing ']'"),
    ] {
        let error = parse(rule, 1024).expect_err(rule);
        assert!(error.contains(fault), "{rule}: {error}");
    }
    let refused =
        |locations: &str| v1::parse(Parameters { locations, ..Parameters::default() }).expect_err("refused").status;
    assert_eq!((refused("1,2,3"), refused("a,b,c,d"), refused("3,1,2,2")), (406, 406, 406));
    assert_eq!(refused(&vec!["1,1,2,2"; 26].join(",")), 413);
}
