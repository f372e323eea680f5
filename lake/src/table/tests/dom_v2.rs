//! The simple decoder for v2 lines, see [`super`].

use serde_json::{Value, json};

use super::{
    NULL, Read, Wrong, array, at, boolean, created_at, element, first, first_element, float, id_of, integer, list,
    merged, number, object, place_of, poll_of, small, source, text, time, variant_of,
};

pub(super) fn rows(line: &Value) -> Read<Vec<Value>> {
    if line["data"].is_null() {
        return flat_rows(line);
    }
    let mut rows = vec![row(line, &line["data"], "matched")?];
    let id = id_of(&line["data"], &["id"])?;
    for name in ["includes.tweets", "includes.posts"] {
        for post in array(at(line, name)?)? {
            if id_of(post, &["id"])? != id {
                rows.push(row(line, post, "referenced")?);
            }
        }
    }
    Ok(rows)
}

/// For a line that is the post itself and may embed what it refers to.
fn flat_rows(line: &Value) -> Read<Vec<Value>> {
    let mut rows = vec![row(line, line, "matched")?];
    let id = id_of(line, &["id"])?;
    for name in ["referenced_tweets", "referenced_posts"] {
        for post in array(at(line, name)?)? {
            if post.is_object() && !post["text"].is_null() && id_of(post, &["id"])? != id {
                rows.push(row(post, post, "referenced")?);
            }
        }
    }
    Ok(rows)
}

fn included<'v>(line: &'v Value, names: &[&str], is_it: impl Fn(&Value) -> bool) -> Read<&'v Value> {
    for name in names {
        for value in array(at(line, name)?)? {
            if is_it(value) {
                return Ok(value);
            }
        }
    }
    Ok(&NULL)
}

fn by_id<'v>(line: &'v Value, names: &[&str], id: &Value) -> Read<&'v Value> {
    match integer(id)? {
        Some(id) => included(line, names, |value| integer(&value["id"]).is_ok_and(|found| found == Some(id))),
        None => Ok(&NULL),
    }
}

fn by_key<'v>(line: &'v Value, name: &str, member: &str, key: &Value) -> Read<&'v Value> {
    if key.is_null() {
        return Ok(&NULL);
    }
    let key = key.as_str().ok_or(Wrong)?;
    included(line, &[name], |value| value[member] == key)
}

/// The id of the first reference of a kind, or null.
fn reference(post: &Value, kind: &str) -> Read {
    for name in ["referenced_tweets", "referenced_posts"] {
        for reference in array(at(post, name)?)? {
            if text(at(reference, "type")?)? == kind {
                return number(at(reference, "id")?);
            }
        }
    }
    Ok(Value::Null)
}

const TEXTS: &[&str] = &["note_tweet.text", "note_post.text", "text"];
const POSTS: &[&str] = &["includes.tweets", "includes.posts"];
const EMBEDDED: &[&str] = &["referenced_tweets", "referenced_posts"];

fn row(line: &Value, post: &Value, role: &str) -> Read {
    let get = |path: &str| at(post, path);
    let is_flat = std::ptr::eq(line, post);
    let (posts, media_list) = if is_flat { (EMBEDDED, "attachments.media") } else { (POSTS, "includes.media") };
    let id = id_of(post, &["id"])?;
    let [retweeted, quoted, replied] =
        [reference(post, "retweeted")?, reference(post, "quoted")?, reference(post, "replied_to")?];
    let original = by_id(line, posts, &retweeted)?;
    let of_original = first(original, TEXTS)?;
    let complete = retweeted.is_null() || !of_original.is_null();
    let whole = if of_original.is_null() { first(post, TEXTS)? } else { of_original };
    let kind = match (retweeted.is_null(), quoted.is_null(), replied.is_null()) {
        (false, ..) => "retweet",
        (_, false, _) => "quote",
        (.., false) => "reply",
        _ => "original",
    };
    let named = |name: &str| {
        first(
            post,
            &[
                &format!("note_tweet.entities.{name}"),
                &format!("note_post.entities.{name}"),
                &format!("entities.{name}"),
            ],
        )
    };
    let span = |entity: &Value| -> Read<(Value, Value)> {
        Ok((small(at(entity, "start")?, 32)?, small(at(entity, "end")?, 32)?))
    };
    let tag = |entity: &Value| {
        let (start, end) = span(entity)?;
        Ok(json!({"tag": text(at(entity, "tag")?)?, "start": start, "end": end}))
    };
    let rules = if role == "matched" { at(line, "matching_rules")? } else { &NULL };
    let user = match is_flat {
        true => object(get("author")?, user_of)?,
        false => match by_id(line, &["includes.users"], get("author_id")?)? {
            Value::Null => Value::Null,
            user => user_of(user)?,
        },
    };
    let replied_user = match is_flat {
        true => get("in_reply_to_user")?,
        false => by_id(line, &["includes.users"], get("in_reply_to_user_id")?)?,
    };
    let place_id = get("geo.place_id")?;
    let poll_id = element(get("attachments.poll_ids")?, 0)?;
    let metric = |name: &str| number(at(post, &format!("public_metrics.{name}"))?);
    let head = json!({
        "tweet_id": id, "role": role, "ingest_path": null, "api": "v2", "received_at": null,
        "created_at": created_at(id, &NULL, get("created_at")?)?,
        "text": text(whole)?, "text_complete": complete,
        "text_as_sent": text(get("text")?)?,
        "display_start": small(element(get("display_text_range")?, 0)?, 32)?,
        "display_end": small(element(get("display_text_range")?, 1)?, 32)?,
        "lang": text(get("lang")?)?, "source": source(get("source")?)?, "tweet_type": kind,
        "conversation_id": number(get("conversation_id")?)?, "reply_to_tweet_id": replied,
        "reply_to_user_id": number(get("in_reply_to_user_id")?)?,
        "reply_to_username": text(at(replied_user, "username")?)?,
    });
    let references = json!({
        "retweeted_id": retweeted, "quoted_id": quoted,
        "retweeted_user_id": number(at(original, "author_id")?)?,
        "quoted_user_id": number(at(by_id(line, posts, &quoted)?, "author_id")?)?,
        "edit_chain_id": number(first_element(post, &[("edit_history_tweet_ids", 0), ("edit_history_post_ids", 0)])?)?,
        "edit_ids": list(first(post, &["edit_history_tweet_ids", "edit_history_post_ids"])?, number)?,
        "edits_left": small(get("edit_controls.edits_remaining")?, 8)?,
        "editable_until": time(get("edit_controls.editable_until")?)?,
        "edit_eligible": boolean(get("edit_controls.is_edit_eligible")?)?,
        "possibly_sensitive": boolean(get("possibly_sensitive")?)?, "reply_settings": text(get("reply_settings")?)?,
        "paid_partnership": boolean(get("paid_partnership")?)?, "community_id": number(get("community_id")?)?,
    });
    let author = json!({
        "author_id": number(get("author_id")?)?,
        "author": user,
        "metrics": object(get("public_metrics")?, |_| Ok(json!({
            "retweets": number(first(post, &["public_metrics.retweet_count", "public_metrics.repost_count"])?)?,
            "likes": metric("like_count")?, "replies": metric("reply_count")?, "quotes": metric("quote_count")?,
            "bookmarks": metric("bookmark_count")?, "impressions": metric("impression_count")?,
        })))?,
    });
    let entities = json!({
        "hashtags": list(named("hashtags")?, |entity| object(entity, tag))?,
        "cashtags": list(named("cashtags")?, |entity| object(entity, tag))?,
        "mentions": list(named("mentions")?, |entity| object(entity, |entity| {
            let (start, end) = span(entity)?;
            Ok(json!({"user_id": number(at(entity, "id")?)?, "username": text(at(entity, "username")?)?,
                "start": start, "end": end}))
        }))?,
        "urls": list(named("urls")?, |entity| object(entity, |entity| {
            let (start, end) = span(entity)?;
            let text = |name: &str| text(at(entity, name)?);
            Ok(json!({
                "url": text("url")?, "expanded": text("expanded_url")?, "display": text("display_url")?,
                "unwound": text("unwound_url")?, "title": text("title")?, "description": text("description")?,
                "status": small(at(entity, "status")?, 16)?, "media_key": text("media_key")?,
                "start": start, "end": end,
            }))
        }))?,
        "annotations": list(get("entities.annotations")?, |entity| object(entity, |entity| {
            let (start, end) = span(entity)?;
            Ok(json!({"type": text(at(entity, "type")?)?, "text": text(at(entity, "normalized_text")?)?,
                "probability": float(at(entity, "probability")?)?, "start": start, "end": end}))
        }))?,
        "contexts": list(get("context_annotations")?, |context| object(context, |context| Ok(json!({
            "domain_id": number(at(context, "domain.id")?)?, "domain": text(at(context, "domain.name")?)?,
            "entity_id": number(at(context, "entity.id")?)?, "entity": text(at(context, "entity.name")?)?,
        }))))?,
    });
    let more = json!({
        "media": list(get("attachments.media_keys")?, |key| media(by_key(line, media_list, "media_key", key)?, key))?,
        "poll": match (poll_id, by_id(line, if is_flat { &[] } else { &["includes.polls"] }, poll_id)?) {
            _ if is_flat && !get("attachments.poll")?.is_null() => {
                object(get("attachments.poll")?, |poll| poll_of(poll, &["id"], "label"))?
            }
            (Value::Null, _) => Value::Null,
            (id, Value::Null) => json!({"id": number(id)?, "ends_at": null, "minutes": null, "status": null,
                "options": null}),
            (_, poll) => poll_of(poll, &["id"], "label")?,
        },
        "lon": float(element(get("geo.coordinates.coordinates")?, 0)?)?,
        "lat": float(element(get("geo.coordinates.coordinates")?, 1)?)?,
        "place": match (place_id, if is_flat { &NULL } else { by_key(line, "includes.places", "id", place_id)? }) {
            _ if is_flat && !get("geo.id")?.is_null() => {
                let place = get("geo")?;
                place_of(place, list(at(place, "geo.bbox")?, float)?)?
            }
            (Value::Null, _) => Value::Null,
            (id, Value::Null) => json!({"id": id, "name": null, "full_name": null, "type": null, "country": null,
                "country_code": null, "bbox": null}),
            (_, place) => place_of(place, list(at(place, "geo.bbox")?, float)?)?,
        },
        "withheld": object(get("withheld")?, |withheld| Ok(json!({
            "copyright": boolean(at(withheld, "copyright")?)?,
            "countries": list(at(withheld, "country_codes")?, text)?, "scope": text(at(withheld, "scope")?)?,
        })))?,
        "rule_ids": list(rules, |rule| number(at(rule, "id")?))?,
        "rule_tags": list(rules, |rule| text(at(rule, "tag")?))?, "matched_terms": null,
    });
    Ok(merged([head, references, author, entities, more]))
}

fn user_of(user: &Value) -> Read {
    let text = |name: &str| text(at(user, name)?);
    let metric = |names: &[&str]| {
        let paths: Vec<String> = names.iter().map(|name| format!("public_metrics.{name}")).collect();
        number(first(user, &paths.iter().map(String::as_str).collect::<Vec<_>>())?)
    };
    Ok(json!({
        "username": text("username")?, "name": text("name")?, "created_at": time(at(user, "created_at")?)?,
        "description": text("description")?, "location": text("location")?, "url": text("url")?,
        "verified": boolean(at(user, "verified")?)?, "verified_type": text("verified_type")?,
        "protected": boolean(at(user, "protected")?)?,
        "followers": metric(&["followers_count"])?, "following": metric(&["following_count"])?,
        "posts": metric(&["tweet_count", "post_count"])?, "listed": metric(&["listed_count"])?,
        "likes": metric(&["like_count"])?, "profile_image_url": text("profile_image_url")?,
        "banner_url": text("profile_banner_url")?,
        "pinned_id": number(first(user, &["pinned_tweet_id", "pinned_post_id"])?)?,
    }))
}

fn media(media: &Value, key: &Value) -> Read {
    if key.is_null() {
        return Ok(Value::Null);
    }
    let text = |name: &str| text(at(media, name)?);
    Ok(json!({
        "key": key, "type": text("type")?, "url": text("url")?, "preview_url": text("preview_image_url")?,
        "width": small(at(media, "width")?, 32)?, "height": small(at(media, "height")?, 32)?,
        "duration_ms": number(at(media, "duration_ms")?)?, "alt": text("alt_text")?,
        "views": number(at(media, "public_metrics.view_count")?)?,
        "variants": list(at(media, "variants")?, |variant| variant_of(variant, "bit_rate"))?,
    }))
}
