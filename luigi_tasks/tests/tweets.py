"""Tweets for the tests: few labels, so that they repeat, among them what tries to break out of a page or a picture."""

import datetime as dt
import json
import pathlib
import random
from dataclasses import dataclass, field
from typing import Any

FIRST = dt.datetime(2026, 11, 22, 5)
HOURS = [FIRST + dt.timedelta(hours=number) for number in range(3)]
HOSTILE = '<script>alert("x")</script>'
TAGS = ["Trump", "trump", "TRUMP", "トランプ", "ترامب", "выборы", "Straße", "$x$_y^2$", HOSTILE, "\u202egnidliub", "a" * 80]
LINKS = [
    "https://www.Example.com/a?b=1",
    "http://user:pw@news.example.org:8080/x",
    "https://example.com",
    "https://x.com/i/1",
    "no link at all",
]
LANGUAGES = ["en", "en", "en", "es", "ja", "und"]
KINDS = ["original", "retweeted", "quoted", "replied_to"]


@dataclass(frozen=True)
class Tweet:
    """What was written, before anything of Cauce saw it."""

    id: int
    created_at: dt.datetime
    lang: str
    kind: str
    author: int
    tags: list[str] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    def line(self) -> str:
        """As the v2 stream sends it."""
        data: dict[str, Any] = {
            "id": str(self.id),
            "text": f"tweet {self.id} \u2028 {HOSTILE}",
            "created_at": f"{self.created_at:%Y-%m-%dT%H:%M:%S}.000Z",
            "lang": self.lang,
            "author_id": str(self.author),
            "entities": {
                "hashtags": [{"start": 0, "end": 1, "tag": tag} for tag in self.tags],
                "mentions": [{"start": 0, "end": 1, "username": name, "id": "9"} for name in self.mentions],
                "urls": [{"start": 0, "end": 1, "url": "https://t.co/x", "expanded_url": link, "display_url": "x"} for link in self.links],
            },
        }
        if self.kind != "original":
            data["referenced_tweets"] = [{"type": self.kind, "id": "1000000000000000001"}]
        users = [{"id": str(self.author), "username": f"author_{self.author}", "name": HOSTILE}]
        return json.dumps({"data": data, "includes": {"users": users}}, ensure_ascii=False, separators=(",", ":"))


def snowflake(moment: dt.datetime, sequence: int) -> int:
    """An id that X would have given at this time."""
    return ((int(moment.replace(tzinfo=dt.UTC).timestamp() * 1000) - 1288834974657) << 22) + sequence


def made(each_hour: int = 400, seed: int = 7) -> list[Tweet]:
    """Three hours of tweets, the same ones every time."""
    chance = random.Random(seed)
    tweets: list[Tweet] = []
    for hour in HOURS:
        for second in sorted(chance.randrange(3600) for _ in range(each_hour)):
            moment = hour + dt.timedelta(seconds=second)
            tweets.append(
                Tweet(
                    snowflake(moment, len(tweets)),
                    moment,
                    chance.choice(LANGUAGES),
                    chance.choice(KINDS),
                    100 + min(int(chance.expovariate(0.3)), 30),
                    chance.choices(TAGS, k=chance.choice([0, 1, 2, 3])),
                    [f"User_{chance.randrange(9)}" for _ in range(chance.choice([0, 1, 2]))],
                    chance.choices(LINKS, k=chance.choice([0, 0, 1, 2])),
                )
            )
    return tweets


def write_lines(path: pathlib.Path, tweets: list[Tweet]) -> None:
    """Writes them as an archive."""
    path.write_text("".join(tweet.line() + "\n" for tweet in tweets), encoding="utf-8", newline="\n")
