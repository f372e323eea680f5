"""The projection in DuckDB's SQL: wire columns of v1.1 and v2, and what is made of them.

The time is the one in the id, to the millisecond, as in Cauce's table: cheaper than the words of created_at.
"""

FULL = "extended_tweet STRUCT(full_text VARCHAR), full_text VARCHAR, text VARCHAR"

COLUMNS_OF = {
    "v1": {
        "id": "BIGINT",
        "extended_tweet": "STRUCT(full_text VARCHAR)",
        "full_text": "VARCHAR",
        "text": "VARCHAR",
        "lang": "VARCHAR",
        "source": "VARCHAR",
        "user": "STRUCT(id BIGINT, screen_name VARCHAR, name VARCHAR, followers_count BIGINT, verified BOOLEAN)",
        "retweet_count": "BIGINT",
        "favorite_count": "BIGINT",
        "reply_count": "BIGINT",
        "quote_count": "BIGINT",
        "in_reply_to_status_id": "BIGINT",
        "in_reply_to_user_id": "BIGINT",
        "retweeted_status": f"STRUCT(id BIGINT, {FULL})",
        "quoted_status_id": "BIGINT",
        "entities": "STRUCT(hashtags STRUCT(text VARCHAR)[], user_mentions STRUCT(screen_name VARCHAR)[], urls STRUCT(expanded_url VARCHAR)[])",
        "place": "STRUCT(full_name VARCHAR, country VARCHAR)",
        "coordinates": "STRUCT(coordinates DOUBLE[])",
        "possibly_sensitive": "BOOLEAN",
    },
    "v2": {
        "data": (
            "STRUCT(id BIGINT, text VARCHAR, note_tweet STRUCT(text VARCHAR), lang VARCHAR, source VARCHAR, author_id BIGINT,"
            " public_metrics STRUCT(retweet_count BIGINT, like_count BIGINT, reply_count BIGINT, quote_count BIGINT), in_reply_to_user_id BIGINT,"
            ' referenced_tweets STRUCT("type" VARCHAR, id BIGINT)[], conversation_id BIGINT,'
            " entities STRUCT(hashtags STRUCT(tag VARCHAR)[], mentions STRUCT(username VARCHAR)[], urls STRUCT(expanded_url VARCHAR)[]),"
            " geo STRUCT(place_id VARCHAR, coordinates STRUCT(coordinates DOUBLE[])), possibly_sensitive BOOLEAN)"
        ),
        "includes": (
            "STRUCT(users STRUCT(id BIGINT, username VARCHAR, name VARCHAR, verified BOOLEAN, public_metrics STRUCT(followers_count BIGINT))[],"
            " tweets STRUCT(id BIGINT, text VARCHAR, note_tweet STRUCT(text VARCHAR))[],"
            " places STRUCT(id VARCHAR, full_name VARCHAR, country VARCHAR)[])"
        ),
    },
}

PROJECTION_OF = {
    "v1": """
        SELECT id AS tweet_id,
            make_timestamp(((id >> 22) + 1288834974657) * 1000) AS created_at,
            coalesce(retweeted_status.extended_tweet.full_text, retweeted_status.full_text, retweeted_status.text,
                extended_tweet.full_text, full_text, text) AS text,
            lang, split_part(split_part(source, '>', 2), '<', 1) AS source,
            "user".id AS author_id, "user".screen_name AS author_username, "user".name AS author_name,
            "user".followers_count AS author_followers, "user".verified AS author_verified,
            retweet_count AS retweets, favorite_count AS likes, reply_count AS replies, quote_count AS quotes,
            in_reply_to_status_id AS reply_to_tweet_id, in_reply_to_user_id AS reply_to_user_id,
            retweeted_status.id AS retweeted_id, quoted_status_id AS quoted_id, NULL::BIGINT AS conversation_id,
            list_transform(entities.hashtags, lambda x: x.text) AS hashtags,
            list_transform(entities.user_mentions, lambda x: x.screen_name) AS mentions,
            list_transform(entities.urls, lambda x: x.expanded_url) AS urls,
            place.full_name AS place_full_name, place.country AS place_country,
            coordinates.coordinates[1] AS lon, coordinates.coordinates[2] AS lat, possibly_sensitive
        FROM {source}""",
    "v2": """
        WITH found AS (
            SELECT data,
                list_filter(includes.users, lambda x: x.id = data.author_id)[1] AS author,
                list_filter(data.referenced_tweets, lambda x: x.type = 'retweeted')[1].id AS retweeted_id,
                includes.tweets AS others,
                list_filter(includes.places, lambda x: x.id = data.geo.place_id)[1] AS place
            FROM {source}),
        original AS (SELECT *, list_filter(others, lambda x: x.id = retweeted_id)[1] AS retweeted FROM found)
        SELECT data.id AS tweet_id, make_timestamp(((data.id >> 22) + 1288834974657) * 1000) AS created_at,
            coalesce(retweeted.note_tweet.text, retweeted.text, data.note_tweet.text, data.text) AS text,
            data.lang AS lang, data.source AS source,
            data.author_id AS author_id, author.username AS author_username, author.name AS author_name,
            author.public_metrics.followers_count AS author_followers, author.verified AS author_verified,
            data.public_metrics.retweet_count AS retweets, data.public_metrics.like_count AS likes,
            data.public_metrics.reply_count AS replies, data.public_metrics.quote_count AS quotes,
            list_filter(data.referenced_tweets, lambda x: x.type = 'replied_to')[1].id AS reply_to_tweet_id,
            data.in_reply_to_user_id AS reply_to_user_id, retweeted_id,
            list_filter(data.referenced_tweets, lambda x: x.type = 'quoted')[1].id AS quoted_id, data.conversation_id AS conversation_id,
            list_transform(data.entities.hashtags, lambda x: x.tag) AS hashtags,
            list_transform(data.entities.mentions, lambda x: x.username) AS mentions,
            list_transform(data.entities.urls, lambda x: x.expanded_url) AS urls,
            place.full_name AS place_full_name, place.country AS place_country,
            data.geo.coordinates.coordinates[1] AS lon, data.geo.coordinates.coordinates[2] AS lat,
            data.possibly_sensitive AS possibly_sensitive
        FROM original""",
}
