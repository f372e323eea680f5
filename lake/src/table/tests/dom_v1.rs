//! The simple decoder for v1.1 lines, see [`super`].

use serde_json::{Value, json};

use super::{
    NULL, Read, Wrong, array, at, boolean, created_at, element, first, first_element, float, id_of, list, merged, ms,
    number, object, place_of, poll_of, small, source, text, time, variant_of,
};

pub(super) fn rows(line: &Value) -> Read<Vec<Value>> {
    let mut rows = vec![row(line, "matched")?];
    let id = id_of(line, &["id_str", "id"])?;
    for name in ["retweeted_status", "quoted_status"] {
        if !at(line, name)?.is_null() && id_of(at(line, name)?, &["id_str", "id"])? != id {
            rows.push(row(at(line, name)?, "referenced")?);
        }
    }
    Ok(rows)
}

fn row(status: &Value, role: &str) -> Read {
    let get = |path: &str| at(status, path);
    let id = id_of(status, &["id_str", "id"])?;
    let is_retweet = !get("retweeted_status")?.is_null();
    let whole = if is_retweet { get("retweeted_status")? } else { status };
    let cut = boolean(at(whole, "truncated")?)? == true;
    let kind = if is_retweet {
        boolean(get("is_quote_status")?)?;
        "retweet"
    } else if boolean(get("is_quote_status")?)? == true {
        "quote"
    } else if !first(status, &["in_reply_to_status_id_str", "in_reply_to_status_id"])?.is_null() {
        "reply"
    } else {
        "original"
    };
    let range =
        |index| first_element(status, &[("extended_tweet.display_text_range", index), ("display_text_range", index)]);
    let indices = |entity: &Value, index| small(element(at(entity, "indices")?, index)?, 32);
    let named = |name: &str| first(status, &[&format!("extended_tweet.entities.{name}"), &format!("entities.{name}")]);
    let tag = |entity: &Value| {
        Ok(json!({"tag": text(at(entity, "text")?)?, "start": indices(entity, 0)?, "end": indices(entity, 1)?}))
    };
    let metrics = ["retweet_count", "repost_count", "favorite_count", "reply_count", "quote_count"];
    let withheld = ["withheld_copyright", "withheld_in_countries", "withheld_scope"];
    let any = |names: &[&str]| names.iter().any(|name| at(status, name).map_or(true, |value| !value.is_null()));
    let head = json!({
        "tweet_id": id, "role": role, "ingest_path": null, "api": "v1", "received_at": null,
        "created_at": created_at(id, get("timestamp_ms")?, get("created_at").unwrap_or(&NULL))?,
        "text": text(first(status, &["retweeted_status.extended_tweet.full_text", "retweeted_status.full_text",
            "retweeted_status.text", "extended_tweet.full_text", "full_text", "text"])?)?,
        "text_complete": !cut || !first(whole, &["extended_tweet.full_text", "full_text"])?.is_null(),
        "text_as_sent": text(first(status, &["text", "full_text"])?)?,
        "display_start": small(range(0)?, 32)?, "display_end": small(range(1)?, 32)?,
        "lang": text(get("lang")?)?, "source": source(get("source")?)?, "tweet_type": kind, "conversation_id": null,
    });
    let references = json!({
        "reply_to_tweet_id": number(first(status, &["in_reply_to_status_id_str", "in_reply_to_status_id"])?)?,
        "reply_to_user_id": number(first(status, &["in_reply_to_user_id_str", "in_reply_to_user_id"])?)?,
        "reply_to_username": text(get("in_reply_to_screen_name")?)?,
        "retweeted_id": number(first(status, &["retweeted_status.id_str", "retweeted_status.id"])?)?,
        "quoted_id": number(first(status,
            &["quoted_status_id_str", "quoted_status_id", "quoted_status.id_str", "quoted_status.id"])?)?,
        "retweeted_user_id": number(first(status, &["retweeted_status.user.id_str", "retweeted_status.user.id"])?)?,
        "quoted_user_id": number(first(status, &["quoted_status.user.id_str", "quoted_status.user.id"])?)?,
    });
    let edits = json!({
        "edit_chain_id": number(match get("edit_history.initial_tweet_id")? {
            Value::Null => element(get("edit_history.edit_tweet_ids")?, 0)?,
            id => id,
        })?,
        "edit_ids": list(get("edit_history.edit_tweet_ids")?, number)?,
        "edits_left": small(get("edit_controls.edits_remaining")?, 8)?,
        "editable_until": match get("edit_controls.editable_until_ms")? {
            Value::Null => time(get("edit_controls.editable_until")?)?,
            until => ms(until)?,
        },
        "edit_eligible": boolean(get("editable")?)?, "possibly_sensitive": boolean(get("possibly_sensitive")?)?,
        "reply_settings": null, "paid_partnership": boolean(get("paid_partnership")?)?, "community_id": null,
    });
    let author = json!({
        "author_id": number(first(status, &["user.id_str", "user.id"])?)?,
        "author": object(get("user")?, user_of)?,
        "metrics": if any(&metrics) { json!({
            "retweets": number(first(status, &["retweet_count", "repost_count"])?)?,
            "likes": number(get("favorite_count")?)?, "replies": number(get("reply_count")?)?,
            "quotes": number(get("quote_count")?)?, "bookmarks": null, "impressions": null,
        }) } else { Value::Null },
    });
    let entities = json!({
        "hashtags": list(named("hashtags")?, |entity| object(entity, tag))?,
        "cashtags": list(named("symbols")?, |entity| object(entity, tag))?,
        "mentions": list(named("user_mentions")?, |entity| object(entity, |entity| Ok(json!({
            "user_id": number(first(entity, &["id_str", "id"])?)?, "username": text(at(entity, "screen_name")?)?,
            "start": indices(entity, 0)?, "end": indices(entity, 1)?,
        }))))?,
        "urls": list(named("urls")?, |entity| object(entity, |entity| Ok(json!({
            "url": text(at(entity, "url")?)?, "expanded": text(at(entity, "expanded_url")?)?,
            "display": text(at(entity, "display_url")?)?, "unwound": text(at(entity, "unwound.url")?)?,
            "title": text(at(entity, "unwound.title")?)?, "description": text(at(entity, "unwound.description")?)?,
            "status": small(at(entity, "unwound.status")?, 16)?, "media_key": null,
            "start": indices(entity, 0)?, "end": indices(entity, 1)?,
        }))))?,
    });
    let more = json!({
        "annotations": null, "contexts": null,
        "media": list(first(status, &["extended_tweet.extended_entities.media", "extended_entities.media",
            "extended_tweet.entities.media", "entities.media"])?, |media| object(media, |media| Ok(json!({
            "key": text(at(media, "id_str")?)?, "type": text(at(media, "type")?)?,
            "url": text(at(media, "media_url_https")?)?, "preview_url": null,
            "width": small(at(media, "sizes.large.w")?, 32)?, "height": small(at(media, "sizes.large.h")?, 32)?,
            "duration_ms": number(at(media, "video_info.duration_millis")?)?,
            "alt": text(at(media, "ext_alt_text")?)?, "views": null,
            "variants": list(at(media, "video_info.variants")?, |variant| variant_of(variant, "bitrate"))?,
        }))))?,
        "poll": match array(get("entities.polls")?)?.first() {
            None | Some(Value::Null) => Value::Null,
            Some(poll @ Value::Object(_)) => poll_of(poll, &["id_str", "id"], "text")?,
            Some(_) => return Err(Wrong),
        },
        "lon": float(first_element(status, &[("coordinates.coordinates", 0), ("geo.coordinates", 1)])?)?,
        "lat": float(first_element(status, &[("coordinates.coordinates", 1), ("geo.coordinates", 0)])?)?,
        "place": object(get("place")?, |place| place_of(place, bbox(at(place, "bounding_box.coordinates")?)?))?,
        "withheld": if any(&withheld) { json!({
            "copyright": boolean(get("withheld_copyright")?)?,
            "countries": list(get("withheld_in_countries")?, text)?, "scope": text(get("withheld_scope")?)?,
        }) } else { Value::Null },
        "rule_ids": list(get("matching_rules")?, |rule| number(first(rule, &["id_str", "id"])?))?,
        "rule_tags": list(get("matching_rules")?, |rule| text(at(rule, "tag")?))?, "matched_terms": null,
    });
    Ok(merged([head, references, edits, author, entities, more]))
}

fn user_of(user: &Value) -> Read {
    // The string "null" is null, except in names and prose, where it may be meant.
    let word = |name: &str| at(user, name).map(|value| if value == "null" { &NULL } else { value });
    Ok(json!({
        "username": text(at(user, "screen_name")?)?, "name": text(at(user, "name")?)?,
        "created_at": time(word("created_at")?)?, "description": text(at(user, "description")?)?,
        "location": text(at(user, "location")?)?, "url": text(word("url")?)?,
        "verified": boolean(word("verified")?)?, "verified_type": null, "protected": boolean(word("protected")?)?,
        "followers": number(word("followers_count")?)?, "following": number(word("friends_count")?)?,
        "posts": number(word("statuses_count")?)?, "listed": number(word("listed_count")?)?,
        "likes": number(word("favourites_count")?)?, "profile_image_url": text(word("profile_image_url_https")?)?,
        "banner_url": text(word("profile_banner_url")?)?, "pinned_id": null,
    }))
}

fn bbox(rings: &Value) -> Read {
    if rings.is_null() {
        return Ok(Value::Null);
    }
    let mut points = Vec::new();
    for ring in array(rings)? {
        for point in ring.as_array().ok_or(Wrong)? {
            let point = point.as_array().ok_or(Wrong)?;
            let coordinate = |index| float(element_of(point, index))?.as_f64().ok_or(Wrong);
            points.push((coordinate(0)?, coordinate(1)?));
        }
    }
    let edge = |of: fn(&(f64, f64)) -> f64, pick: fn(f64, f64) -> f64| points.iter().map(of).reduce(pick);
    let edges = [edge(|p| p.0, f64::min), edge(|p| p.1, f64::min), edge(|p| p.0, f64::max), edge(|p| p.1, f64::max)];
    Ok(if points.is_empty() { Value::Null } else { edges.into_iter().collect() })
}

fn element_of(elements: &[Value], index: usize) -> &Value {
    elements.get(index).unwrap_or(&NULL)
}
