//! What all languages share: places, topics, links, clients, emoji, parts of handles.

/// A place a tweet can be tagged with.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) full_name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) country: &'static str,
    pub(crate) country_code: &'static str,
    /// West, south, east, north.
    pub(crate) bbox: [f64; 4],
}

macro_rules! place {
    // A row of nine columns reads better than nine lines a place.
    ($id:literal, $name:literal, $full:literal, $kind:literal, $country:literal, $code:literal, $bbox:expr) => {
        Place {
            id: $id,
            name: $name,
            full_name: $full,
            kind: $kind,
            country: $country,
            country_code: $code,
            bbox: $bbox,
        }
    };
}

pub(crate) static PLACES: [Place; 12] = [
    place!("5c7a1d2e9b0f4a61", "Chicago", "Chicago, IL", "city", "United States", "US", [-87.94, 41.64, -87.52, 42.02]),
    place!("3b9e0c44d17f8a02", "Austin", "Austin, TX", "city", "United States", "US", [-97.93, 30.13, -97.57, 30.51]),
    place!("00c4f2aa91d37e58", "Leeds", "Leeds, England", "city", "United Kingdom", "GB", [-1.67, 53.73, -1.41, 53.88]),
    place!("206c1f7e55d0b9a3", "Madrid", "Madrid, Spain", "city", "España", "ES", [-3.88, 40.31, -3.52, 40.64]),
    place!(
        "25530ba03b7d90c6",
        "Guadalajara",
        "Guadalajara, Jalisco",
        "city",
        "México",
        "MX",
        [-103.41, 20.6, -103.26, 20.75]
    ),
    place!(
        "68e019afec7d0ba5",
        "São Paulo",
        "São Paulo, Brasil",
        "city",
        "Brasil",
        "BR",
        [-46.82, -24.0, -46.36, -23.35]
    ),
    place!("5d838f7a011f4a2d", "Osaka", "大阪市, 大阪", "city", "日本", "JP", [135.37, 34.58, 135.6, 34.77]),
    place!(
        "c659f87dfd1a4e90",
        "Seoul",
        "서울특별시, 대한민국",
        "admin",
        "대한민국",
        "KR",
        [126.76, 37.42, 127.18, 37.7]
    ),
    place!("1f3c4d21e8ba7705", "Cairo", "القاهرة, مصر", "city", "مصر", "EG", [31.2, 29.95, 31.5, 30.2]),
    place!("09f6a7707f18e0b1", "Paris", "Paris, France", "city", "France", "FR", [2.22, 48.81, 2.46, 48.9]),
    place!("e229de11a7eb6823", "Köln", "Köln, Deutschland", "city", "Deutschland", "DE", [6.77, 50.83, 7.16, 51.08]),
    place!("317fcc4b21a604d5", "New Delhi", "New Delhi, भारत", "city", "India", "IN", [76.84, 28.4, 77.34, 28.88]),
];

/// What the service thinks a tweet is about: a domain and an entity in it.
pub(crate) struct Topic {
    pub(crate) domain: (&'static str, &'static str, &'static str),
    pub(crate) entity: (&'static str, &'static str, &'static str),
}

const POLITICS: (&str, &str, &str) = ("35", "Politician", "People who hold or seek an office");
const PERSON: (&str, &str, &str) = ("10", "Person", "People of public life");
const SPORT: (&str, &str, &str) = ("11", "Sport", "Kinds of sport");
const MUSIC: (&str, &str, &str) = ("55", "Music Genre", "Styles of music");
const BRAND: (&str, &str, &str) = ("47", "Brand", "Brands and companies");
const UNIFIED: (&str, &str, &str) = ("131", "Unified Twitter Taxonomy", "One tree of everything people talk about");
const EVENTS: (&str, &str, &str) = ("29", "Events [Entity Service]", "Things that happen in the world");

pub(crate) static TOPICS: [Topic; 14] = [
    Topic { domain: UNIFIED, entity: ("847868745150119936", "Family & relationships", "Home, parents, children") },
    Topic { domain: POLITICS, entity: ("799022225751871488", "National elections", "Votes, candidates and campaigns") },
    Topic { domain: PERSON, entity: ("799022225751871489", "Heads of government", "People who lead a country") },
    Topic { domain: SPORT, entity: ("706083845846597633", "Football", "League and cup matches") },
    Topic { domain: SPORT, entity: ("706083845846597701", "Cricket", "Tests, one-day games and leagues") },
    Topic { domain: MUSIC, entity: ("888105153038958593", "K-pop", "Groups, comebacks and charts") },
    Topic { domain: MUSIC, entity: ("888105153038958612", "Jazz", "Old and new recordings") },
    Topic { domain: BRAND, entity: ("10045225402", "Online platforms", "Services that people post to") },
    Topic { domain: BRAND, entity: ("10026378521", "Phones", "Makers of phones and what runs on them") },
    Topic { domain: UNIFIED, entity: ("848920371311001600", "Technology", "Machines, software and networks") },
    Topic { domain: UNIFIED, entity: ("849075093526880256", "Weather", "Rain, heat and storms") },
    Topic { domain: UNIFIED, entity: ("852262932607926273", "Cats", "The animal that owns the network") },
    Topic { domain: EVENTS, entity: ("1590000000000000001", "Autumn match day", "Games of the week") },
    Topic { domain: EVENTS, entity: ("1590000000000000002", "Award night", "A long evening of short speeches") },
];

/// Names that the service marks in a text, with their kind.
pub(crate) static NAMES: [(&str, &str); 12] = [
    ("Madrid", "Place"),
    ("Chicago", "Place"),
    ("Osaka", "Place"),
    ("Nora Hale", "Person"),
    ("Tom Birch", "Person"),
    ("Iván Montero", "Person"),
    ("Northwind Rail", "Organization"),
    ("Blue Harbour FC", "Organization"),
    ("Lumen 7", "Product"),
    ("Autumn Cup", "Other"),
    ("São Paulo", "Place"),
    ("Élodie Marchand", "Person"),
];

pub(crate) static EMOJI: [&str; 28] = [
    "😂",
    "❤️",
    "🔥",
    "😭",
    "🙏",
    "👏",
    "😍",
    "🎉",
    "💯",
    "🤔",
    "😅",
    "✨",
    "👍🏽",
    "🙌🏾",
    "🥲",
    "🫶",
    "👀",
    "💀",
    "⚽",
    "🏳️‍🌈",
    "👨‍👩‍👧",
    "👩🏻‍💻",
    "🇲🇽",
    "🇯🇵",
    "🐈",
    "☕",
    "🎶",
    "🌧️",
];

pub(crate) static CASHTAGS: [&str; 10] = ["BTC", "ETH", "TSLA", "AAPL", "NVDA", "SPY", "AMD", "META", "GME", "QQQ"];

pub(crate) static DOMAINS: [&str; 16] = [
    "news.example.com",
    "example.com",
    "example.org",
    "blog.example.net",
    "shop.example.com",
    "video.example.org",
    "photos.example.net",
    "radio.example.com",
    "gazette.example.org",
    "sport.example.com",
    "docs.example.net",
    "forum.example.org",
    "música.example.com",
    "weather.example.net",
    "www.example.com",
    "m.example.org",
];

pub(crate) static TITLES: [&str; 8] = [
    "What we know so far",
    "Ten things to do before winter",
    "Results, tables and the next fixtures",
    "The long read",
    "La semana en doce fotos",
    "今週のまとめ",
    "Live: the evening as it happened",
    "Opinion: it was never about the trains",
];

/// Client name and its page.
pub(crate) static CLIENTS: [(&str, &str); 7] = [
    ("Twitter for iPhone", "http://twitter.com/download/iphone"),
    ("Twitter for Android", "http://twitter.com/download/android"),
    ("Twitter Web App", "https://mobile.twitter.com"),
    ("TweetDeck", "https://about.twitter.com/products/tweetdeck"),
    ("Twitter for iPad", "http://twitter.com/#!/download/ipad"),
    ("Buffer", "https://buffer.com"),
    ("IFTTT", "https://ifttt.com"),
];

pub(crate) static POLLS: [[&str; 4]; 4] = [
    ["yes", "no", "ask me tomorrow", ""],
    ["tea", "coffee", "water", "nothing"],
    ["home win", "draw", "away win", ""],
    ["Montag", "Freitag", "", ""],
];

pub(crate) static DESCRIPTIONS: [&str; 14] = [
    "I read more than I write.",
    "Trains, bread, small towns. Views my own.",
    "she/her · data and gardens 🌱",
    "Periodista. Opino por mi cuenta.",
    "猫と暮らす会社員。写真と散歩。",
    "Football first. Everything else second.",
    "Building tools for people who have to wait for trains & buses.",
    "음악, 커피, 그리고 고양이",
    "Student. Tired. Hopeful.",
    "محب للقهوة والكتب",
    "Fotógrafa em construção 📷",
    "Official account of a place that does not exist. Help: https://example.com/help",
    "\"Nothing is as simple as it looks\"\nwriter, runner, parent",
    "Ich mag Listen.",
];

pub(crate) static HANDLE_HEADS: [&str; 24] = [
    "river", "quiet", "north", "paper", "stone", "lazy", "amber", "tiny", "Luna", "sol", "Neko", "mar", "kuma", "Real",
    "old", "green", "the", "hey", "Radio", "vista", "copper", "maple", "echo", "cafe",
];

pub(crate) static HANDLE_TAILS: [&str; 22] = [
    "reader", "_fox", "ink", "walker", "Daily", "bird", "san", "lab", "news", "_99", "mint", "boat", "tram", "cat",
    "craft", "line", "notes", "town", "wave", "dev", "park", "azul",
];
