#!/usr/bin/env python3
"""Makes tweets that look like the wire's: seeded, so that everybody measures the same bytes.

    bench/generate.py v1 --mb 256 --parts-dir FOLDER    24 hours as MM-DD-HH/tweets.<epoch-ms>.json
    bench/generate.py v2 --mb 256 --out FILE            one file

v1.1: one status a line, a third of them retweets with the whole status inside. v2: one envelope a line, {"data", "includes",
"matching_rules"}. Both about 4.6 KB with the nested objects a stream sends. Words are made of syllables and drawn by Zipf's
law, with accents, emoji and Japanese among them, so that they compress about as text does.
"""

import argparse
import datetime
import itertools
import json
import pathlib
import random
import sys
from typing import Any, TextIO

SEED = 20211031
BEGIN_MS = 1635638400_000  # 2021-10-31T00:00:00Z
HOUR_MS = 3600_000
HOURS = 24
SNOWFLAKE_EPOCH_MS = 1288834974657
MONTH_MS = 30 * 24 * HOUR_MS
MEAN_BYTES = {"v1": 4050, "v2": 4630}

Json = dict[str, Any]
SYLLABLES = "ka lo mi ren tas vor el an dri qua be sol ti mar ne po ru sha ven zi or il ma té ñu ção ßen œu".split()
OTHER_WORDS = ["😀", "🔥🔥", "🇪🇸", "👩‍🚀", "今日は", "ありがとう", "東京", "naïve", "don't", "AT&amp;T", "&gt;&gt;", "100%", "#"]
LANGUAGES = ["en", "es", "ja", "pt", "ar", "fr", "tr", "in", "und"]
SOURCES = ["Twitter for iPhone", "Twitter for Android", "Twitter Web App", "TweetDeck", "IFTTT", "Hootsuite Inc."]
PLACES = [
    ("07d9cd6afd884001", "Triana", "Triana, Sevilla", "España", "ES", -6.02, 37.37),
    ("01a9a39529b27f36", "Manhattan", "Manhattan, NY", "United States", "US", -74.03, 40.68),
    ("ac88a4f17a51c7fc", "Portland", "Portland, OR", "United States", "US", -122.79, 45.42),
    ("3eb2c704fe8a50cb", "Tōkyō", "Tōkyō, Japan", "日本", "JP", 139.56, 35.53),
]
TOPICS = [("46", "Business Taxonomy"), ("66", "Interests and Hobbies Category"), ("131", "Unified Twitter Taxonomy"), ("10", "Person")]


class Writer:
    """What stands in tweets: words, people, moments, links. All of it comes from one seeded generator."""

    def __init__(self) -> None:
        self.random = random.Random(SEED)
        made = ("".join(self.random.choices(SYLLABLES, k=self.random.randint(1, 4))) for _ in range(40_000))
        self.words = sorted(set(made)) + OTHER_WORDS * 3
        self.random.shuffle(self.words)
        self.shares = list(itertools.accumulate(1 / (rank + 8) for rank in range(len(self.words))))
        self.people = [self.person_number() for _ in range(30_000)]

    def person_number(self) -> int:
        return self.random.randrange(10_000, 1 << 40)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def count(self, shape: float = 0.7) -> int:
        return int(self.random.paretovariate(shape)) - 1 & 0xFFFFF

    def id_at(self, ms: int) -> int:
        return (ms - SNOWFLAKE_EPOCH_MS) << 22 | self.random.getrandbits(22)

    def sentence(self, words: int) -> str:
        return " ".join(self.random.choices(self.words, cum_weights=self.shares, k=words))

    def link(self) -> str:
        return "https://t.co/" + "".join(self.random.choices("abcdefghijkmnpqrstuvwxyzABCDEFGH23456789", k=10))

    def text(self) -> tuple[str, list[Json], list[Json], list[Json]]:
        """A text, and its hashtags, mentions and links with where they stand (in code points, end not included)."""
        text = self.sentence(self.random.randint(6, 40))
        hashtags, mentions, urls = [], [], []
        for _ in range(self.random.choice([0, 0, 1, 1, 2, 4])):
            tag = self.random.choice(self.words[:2000]).strip("#&;%'") or "cauce"
            hashtags.append({"tag": tag, "start": len(text) + 1, "end": len(text) + 2 + len(tag)})
            text += f" #{tag}"
        for _ in range(self.random.choice([0, 0, 1, 2])):
            who = self.random.choice(self.people)
            mentions.append({"id": who, "name": f"user_{who:x}", "start": len(text) + 1, "end": len(text) + 7 + len(f"{who:x}")})
            text += f" @user_{who:x}"
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            link, number = self.link(), self.random.randrange(1 << 32)
            place = {"url": link, "start": len(text) + 1, "end": len(text) + 1 + len(link)}
            urls.append(place | {"expanded": f"https://news.example/{number % 97}/{number}.html?utm_source=feed"})
            text += f" {link}"
        if self.chance(0.1):
            text = text.replace(" ", "\n", 1)
        return text, hashtags, mentions, urls


def v1_time(ms: int) -> str:
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).strftime("%a %b %d %H:%M:%S +0000 %Y")


def v2_time(ms: int) -> str:
    return datetime.datetime.fromtimestamp(ms // 1000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def v1_user(w: Writer, who: int) -> Json:
    picture = f"http://pbs.example/profile_images/{who}/{who % 99991}_normal.jpg"
    return {
        "id": who, "id_str": str(who), "name": w.sentence(2), "screen_name": f"user_{who:x}", "location": w.sentence(2) if who % 3 else None,
        "url": w.link() if who % 4 == 0 else None, "description": w.sentence(14), "translator_type": "none", "protected": False,
        "verified": who % 41 == 0, "followers_count": w.count(0.5), "friends_count": w.count(0.6), "listed_count": w.count(),
        "favourites_count": w.count(0.5), "statuses_count": w.random.randrange(100_000), "created_at": v1_time(1_300_000_000_000 + who % 300_000_000_000),
        "utc_offset": None, "time_zone": None, "geo_enabled": who % 2 == 0, "lang": None, "contributors_enabled": False, "is_translator": False,
        "profile_background_color": f"{who % 0xFFFFFF:06X}", "profile_background_image_url": "http://abs.example/images/themes/theme1/bg.png",
        "profile_background_image_url_https": "https://abs.example/images/themes/theme1/bg.png", "profile_background_tile": False,
        "profile_link_color": "1DA1F2", "profile_sidebar_border_color": "C0DEED", "profile_sidebar_fill_color": "DDEEF6", "profile_text_color": "333333",
        "profile_use_background_image": True, "profile_image_url": picture, "profile_image_url_https": picture.replace("http:", "https:"),
        "profile_banner_url": f"https://pbs.example/profile_banners/{who}/{who % 99989}", "default_profile": False, "default_profile_image": False,
        "following": None, "follow_request_sent": None, "notifications": None, "withheld_in_countries": [],
    }  # fmt: skip


def v1_place(w: Writer) -> Json:
    key, name, full, country, code, west, south = w.random.choice(PLACES)
    corners = [[west, south], [west, south + 0.2], [west + 0.3, south + 0.2], [west + 0.3, south]]
    return {
        "id": key, "url": f"https://api.example/1.1/geo/id/{key}.json", "place_type": "city", "name": name, "full_name": full,
        "country_code": code, "country": country, "bounding_box": {"type": "Polygon", "coordinates": [corners]}, "attributes": {},
    }  # fmt: skip


def v1_url(url: Json) -> Json:
    shown = url["expanded"][8:30] + "…"
    return {"url": url["url"], "expanded_url": url["expanded"], "display_url": shown, "indices": [url["start"], url["end"]]}


def v1_mention(mention: Json) -> Json:
    who, name = mention["id"], mention["name"]
    return {"screen_name": name, "name": name.title(), "id": who, "id_str": str(who), "indices": [mention["start"], mention["end"]]}


def v1_status(w: Writer, ms: int, depth: int = 0) -> Json:
    number, who = w.id_at(ms), w.random.choice(w.people)
    text, hashtags, mentions, urls = w.text()
    reply = depth == 0 and w.chance(0.2)
    to, to_who = w.id_at(ms - 1 - w.random.randrange(HOUR_MS)), w.random.choice(w.people)
    status: Json = {
        "created_at": v1_time(ms), "id": number, "id_str": str(number), "text": text,
        "source": f'<a href="http://app{number % 7}.example/download" rel="nofollow">{SOURCES[number % len(SOURCES)]}</a>', "truncated": False,
        "in_reply_to_status_id": to if reply else None, "in_reply_to_status_id_str": str(to) if reply else None,
        "in_reply_to_user_id": to_who if reply else None, "in_reply_to_user_id_str": str(to_who) if reply else None,
        "in_reply_to_screen_name": f"user_{to_who:x}" if reply else None, "user": v1_user(w, who), "geo": None, "coordinates": None,
        "place": None, "contributors": None, "is_quote_status": False, "quote_count": w.count(), "reply_count": w.count(),
        "retweet_count": w.count(), "favorite_count": w.count(),
        "entities": {
            "hashtags": [{"text": tag["tag"], "indices": [tag["start"], tag["end"]]} for tag in hashtags],
            "urls": [v1_url(u) for u in urls],
            "user_mentions": [v1_mention(m) for m in mentions],
            "symbols": [],
        },
        "favorited": False, "retweeted": False, "possibly_sensitive": w.chance(0.02), "filter_level": "low", "lang": w.random.choice(LANGUAGES),
    }  # fmt: skip
    if depth == 0 and w.chance(0.25):
        whole = f"{text} {w.sentence(20)}"
        status["truncated"], status["text"] = True, text[:120] + "… " + w.link()
        status["extended_tweet"] = {"full_text": whole, "display_text_range": [0, len(whole)], "entities": status["entities"]}
    if w.chance(0.03):
        status["place"] = v1_place(w)
        west, south = status["place"]["bounding_box"]["coordinates"][0][0]
        if w.chance(0.5):
            status["geo"] = {"type": "Point", "coordinates": [south + 0.1, west + 0.1]}
            status["coordinates"] = {"type": "Point", "coordinates": [west + 0.1, south + 0.1]}
    if depth == 0 and w.chance(0.35):
        inner = v1_status(w, ms - 1 - w.random.randrange(MONTH_MS), 1)
        status["retweeted_status"] = inner
        status["text"] = f"RT @{inner['user']['screen_name']}: {inner['text']}"[:140]
        status.pop("extended_tweet", None)
    elif depth == 0 and w.chance(0.15):
        inner = v1_status(w, ms - 1 - w.random.randrange(MONTH_MS), 1)
        status |= {"quoted_status_id": inner["id"], "quoted_status_id_str": inner["id_str"], "quoted_status": inner, "is_quote_status": True}
    if depth == 0:
        status["timestamp_ms"] = str(ms)
    return status


def v2_user(w: Writer, who: int) -> Json:
    return {
        "id": str(who), "name": w.sentence(2), "username": f"user_{who:x}", "created_at": v2_time(1_300_000_000_000 + who % 300_000_000_000),
        "description": w.sentence(14), "location": w.sentence(2), "verified": who % 41 == 0, "verified_type": "none", "protected": False,
        "profile_image_url": f"https://pbs.example/profile_images/{who}/{who % 99991}_normal.jpg", "url": w.link() if who % 4 == 0 else "",
        "public_metrics": {
            "followers_count": w.count(0.5), "following_count": w.count(0.6), "tweet_count": w.random.randrange(100_000),
            "listed_count": w.count(), "like_count": w.count(0.5),
        },
    }  # fmt: skip


def v2_post(w: Writer, ms: int, who: int) -> Json:
    number = w.id_at(ms)
    text, hashtags, mentions, urls = w.text()
    entities: Json = {}
    if hashtags:
        entities["hashtags"] = hashtags
    if mentions:
        entities["mentions"] = [{"start": m["start"], "end": m["end"], "username": m["name"], "id": str(m["id"])} for m in mentions]
    if urls:
        entities["urls"] = [
            {
                "start": u["start"], "end": u["end"], "url": u["url"], "expanded_url": u["expanded"], "display_url": u["expanded"][8:30] + "…",
                "status": 200, "title": w.sentence(6), "description": w.sentence(18), "unwound_url": u["expanded"],
                "images": [{"url": f"https://pbs.example/news_img/{number}/{k}?format=jpg", "width": 1200, "height": 630} for k in ("orig", "150x150")],
            }
            for u in urls
        ]  # fmt: skip
    if w.chance(0.4):
        entities["annotations"] = [{"start": 0, "end": 4, "probability": round(w.random.random(), 4), "type": "Person", "normalized_text": w.sentence(2)}]
    topics = [w.random.choice(TOPICS) for _ in range(w.random.choice([0, 1, 3, 5]))]
    contexts = [
        {"domain": {"id": k, "name": n, "description": f"Things about {n.lower()}"}, "entity": {"id": str(w.random.randrange(1 << 40)), "name": w.sentence(2)}}
        for k, n in topics
    ]
    post: Json = {
        "id": str(number), "text": text, "author_id": str(who), "conversation_id": str(number), "created_at": v2_time(ms),
        "lang": w.random.choice(LANGUAGES), "possibly_sensitive": w.chance(0.02), "reply_settings": "everyone",
        "edit_history_tweet_ids": [str(number)],
        "edit_controls": {"edits_remaining": 5, "is_edit_eligible": True, "editable_until": v2_time(ms + HOUR_MS)},
        "public_metrics": {
            "retweet_count": w.count(), "reply_count": w.count(), "like_count": w.count(), "quote_count": w.count(),
            "bookmark_count": w.count(), "impression_count": w.count(0.4),
        },
    }  # fmt: skip
    if entities:
        post["entities"] = entities
    if contexts:
        post["context_annotations"] = contexts
    return post


def v2_line(w: Writer, ms: int) -> Json:
    who = w.random.choice(w.people)
    post = v2_post(w, ms, who)
    people, others, places = [who], [], []
    people += [int(mention["id"]) for mention in post.get("entities", {}).get("mentions", [])]
    kind = w.random.choices([None, "retweeted", "quoted", "replied_to"], [40, 30, 15, 15])[0]
    if kind:
        other = v2_post(w, ms - 1 - w.random.randrange(MONTH_MS), w.random.choice(w.people))
        post["referenced_tweets"] = [{"type": kind, "id": other["id"]}]
        if kind == "replied_to":
            post |= {"in_reply_to_user_id": other["author_id"], "conversation_id": other["conversation_id"]}
        if kind == "retweeted":
            post["text"] = f"RT: {other['text']}"[:140]
        people.append(int(other["author_id"]))
        others.append(other)
    if w.chance(0.03):
        key, name, full, country, code, west, south = w.random.choice(PLACES)
        post["geo"] = {"place_id": key}
        if w.chance(0.5):
            post["geo"]["coordinates"] = {"type": "Point", "coordinates": [west + 0.1, south + 0.1]}
        shape = {"type": "Feature", "bbox": [west, south, west + 0.3, south + 0.2], "properties": {}}
        places.append({"id": key, "full_name": full, "name": name, "country": country, "country_code": code, "place_type": "city", "geo": shape})
    w.random.shuffle(people)
    includes: Json = {"users": [v2_user(w, one) for one in dict.fromkeys(people)]}
    if others:
        includes["tweets"] = others
    if places:
        includes["places"] = places
    rule = w.random.randrange(5)
    return {"data": post, "includes": includes, "matching_rules": [{"id": str(1454638400000000000 + rule), "tag": f"rule {rule}"}]}


def files(parts: pathlib.Path, per_hour: int, count: int) -> Any:
    """For each line its file, opened when its part begins."""
    step = HOURS * HOUR_MS // (HOURS * per_hour)
    for slot, of_slot in itertools.groupby(range(count), lambda line: HOURS * HOUR_MS * line // count // step):
        begin = BEGIN_MS + slot * step + 137
        folder = parts / datetime.datetime.fromtimestamp(begin / 1000, datetime.UTC).strftime("%m-%d-%H")
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"tweets.{begin}.json", "w", encoding="utf-8") as file:
            for line in of_slot:
                yield line, file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["v1", "v2"])
    parser.add_argument("--mb", type=float, required=True, help="about so many million bytes in all")
    parser.add_argument("--out", type=pathlib.Path, help="one file")
    parser.add_argument("--parts-dir", type=pathlib.Path, help="a folder an hour")
    parser.add_argument("--files-per-hour", type=int, default=12)
    given = parser.parse_args()
    if bool(given.out) == bool(given.parts_dir):
        parser.error("give one of --out and --parts-dir")
    writer = Writer()
    make = v1_status if given.kind == "v1" else v2_line
    count = max(HOURS, int(given.mb * 1e6 / MEAN_BYTES[given.kind]))

    def put(line: int, file: TextIO) -> None:
        tweet = make(writer, BEGIN_MS + HOURS * HOUR_MS * line // count)
        file.write(json.dumps(tweet, ensure_ascii=False, separators=(",", ":")) + "\n")

    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            for line in range(count):
                put(line, file)
    else:
        for line, file in files(given.parts_dir, given.files_per_hour, count):
            put(line, file)
    print(json.dumps({"kind": given.kind, "lines": count}), file=sys.stderr)


if __name__ == "__main__":
    main()
